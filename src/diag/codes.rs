//! The one table of diagnostic codes. A code is never reused. Adding one: a line here and a file
//! `explain/FAMILY.NAME.md` (what it means, a wrong example, the way out).

use super::Severity;

/// A diagnostic code: an entry of [`TABLE`].
#[derive(Clone, Copy)]
pub struct Code(&'static Entry);

pub struct Entry {
    /// `mtl::family::name`
    pub name: &'static str,
    pub severity: Severity,
    /// One line for lists.
    pub title: &'static str,
    /// Markdown for `mtlc explain`.
    pub explanation: &'static str,
}

impl Code {
    pub fn name(self) -> &'static str {
        self.0.name
    }
    pub fn severity(self) -> Severity {
        self.0.severity
    }
    pub fn title(self) -> &'static str {
        self.0.title
    }
    pub fn explanation(self) -> &'static str {
        self.0.explanation
    }
    /// All codes, in table order.
    pub fn all() -> impl Iterator<Item = Code> {
        TABLE.iter().map(Code)
    }
    /// The code of that name; the leading `mtl::` may be left out.
    pub fn find(name: &str) -> Option<Code> {
        Code::all().find(|c| c.name() == name || c.name().strip_prefix("mtl::") == Some(name))
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}
impl Eq for Code {}
impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name)
    }
}

macro_rules! codes {
    ($($id:ident $sev:ident $family:literal $name:literal $title:literal;)*) => {
        static TABLE: &[Entry] = &[$(Entry {
            name: concat!("mtl::", $family, "::", $name),
            severity: Severity::$sev,
            title: $title,
            explanation: include_str!(concat!("explain/", $family, ".", $name, ".md")),
        }),*];
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(usize)]
        enum Index { $($id),* }
        $(pub static $id: Code = Code(&TABLE[Index::$id as usize]);)*
    };
}

codes! {
    // syntax: the text cannot be read
    SYNTAX_UNEXPECTED      Error   "syntax" "unexpected"      "text that does not belong here";
    SYNTAX_MISSING_VALUE   Error   "syntax" "missing_value"   "a value is missing after `=`";
    SYNTAX_UNCLOSED        Error   "syntax" "unclosed"        "a bracket or string is never closed";
    SYNTAX_UNKNOWN_ITEM    Error   "syntax" "unknown_item"    "an item keyword that does not exist";
    SYNTAX_EDITION         Error   "syntax" "edition"         "the edition line is missing or unknown";
    SYNTAX_FOREIGN         Error   "syntax" "foreign"         "a file of another program, not of this language";
    SYNTAX_TOO_DEEP        Error   "syntax" "too_deep"        "brackets nested too deeply";
    SYNTAX_TOO_LARGE       Error   "syntax" "too_large"       "the file is too large to be a spec";
    SYNTAX_NUMBER          Error   "syntax" "number"          "a number that cannot be read";
    SYNTAX_HEADER          Error   "syntax" "header"          "an item header lacks a part or has one too many";

    // name: something is called that does not exist, or twice
    NAME_UNKNOWN           Error   "name" "unknown"           "a name that is not defined";
    NAME_DUPLICATE         Error   "name" "duplicate"         "a name that is defined twice";
    NAME_UNKNOWN_ATTRIBUTE Error   "name" "unknown_attribute" "an attribute that this item does not have";
    NAME_UNKNOWN_CALL      Error   "name" "unknown_call"      "an op, block or function that does not exist";
    NAME_CYCLE             Error   "name" "cycle"             "definitions that refer to each other in a circle";
    NAME_TOO_DEEP          Error   "name" "too_deep"          "blocks nested too deeply";
    NAME_UNUSED            Warning "name" "unused"            "something is defined and never used";

    // type: a value is of the wrong kind or out of range
    TYPE_MISMATCH          Error   "type" "mismatch"          "a value of the wrong type";
    TYPE_RANGE             Error   "type" "range"             "a value outside the allowed range";
    TYPE_MISSING_ATTRIBUTE Error   "type" "missing_attribute" "a required attribute or argument is missing";
    TYPE_ARGUMENTS         Error   "type" "arguments"         "too many, repeated, unknown or unnamed arguments";
    TYPE_NOT_WHOLE         Error   "type" "not_whole"         "arithmetic that should give a whole number and does not";
    TYPE_PARAM             Error   "type" "param"             "a parameter set to a value it cannot take";

    // train: how a network is trained
    TRAIN_PATIENCE         Warning "train" "patience"         "a patience that cannot run out before training ends";
    TRAIN_RATE             Warning "train" "rate"             "a learning rate that trains nothing, or rises";
    TRAIN_BATCH            Warning "train" "batch"            "a batch larger than the training split";
    TRAIN_WEIGHTING        Warning "train" "weighting"        "a loss weighting that has nothing to weigh";
    TRAIN_SCHEDULE         Warning "train" "schedule"         "a schedule that training ends before";
    TRAIN_RANGE            Error   "train" "range"            "a schedule that leaves the range of its attribute";
    TRAIN_NORM             Error   "train" "norm"             "a batch norm that never sees more than one value";
    TRAIN_LAST_BATCH       Warning "train" "last_batch"       "a last batch of one row before a batch norm";

    // import
    IMPORT_NOT_FOUND       Error   "import" "not_found"       "an imported file or library module cannot be read";
    IMPORT_CYCLE           Error   "import" "cycle"           "files that import each other in a circle";
    IMPORT_NO_TOPOLOGY     Error   "import" "no_topology"     "`use topology` of a file that has none";

    // shape
    SHAPE_MISMATCH         Error   "shape" "mismatch"         "an op that cannot take the shape it is given";
    SHAPE_MERGE            Error   "shape" "merge"            "values merged whose shapes do not agree";
    SHAPE_EMPTY            Error   "shape" "empty"            "an op whose output would have no elements";
    SHAPE_OUTPUT           Error   "shape" "output"           "a head whose output is not what its task needs";
    SHAPE_OPEN             Advice  "shape" "open"             "sizes that are open until the data schema is frozen";

    // backbone and heads
    BACKBONE_ORDER         Error   "backbone" "order"         "a stage that reads a later stage";
    BACKBONE_NO_HEAD       Error   "backbone" "no_head"       "a task without a head";
    BACKBONE_UNREAD        Warning "backbone" "unread"        "a stage that nothing reads";
    BACKBONE_COLLAPSE      Warning "backbone" "collapse"      "two linear maps after each other, which are one";
    BACKBONE_EMPTY         Error   "backbone" "empty"         "a backbone without stages";

    // space
    SPACE_STAGE_MISSING    Error   "space" "stage_missing"    "a stage of the backbone has no level in the space";
    SPACE_READS            Error   "space" "reads"            "a level that reads in a way it cannot";
    SPACE_COPIES           Error   "space" "copies"           "a number of copies that makes no sense";
    SPACE_ORDER            Error   "space" "order"            "levels out of the backbone's order";
    SPACE_QUERY            Error   "space" "query"            "a gate whose query cannot be read here";
    SPACE_SPARE_COPIES     Warning "space" "spare_copies"     "more copies than tasks can reach";

    // search
    SEARCH_UNKNOWN         Error   "search" "unknown"         "a strategy that does not exist";
    SEARCH_MISFIT          Error   "search" "misfit"          "a strategy that cannot decide this space";
    SEARCH_OVERLAP         Error   "search" "overlap"         "a level decided by two strategies, or by none";
    SEARCH_BUDGET          Error   "search" "budget"          "a budget the strategy cannot honour or no topology can meet";
    SEARCH_NO_SPACE        Error   "search" "no_space"        "a search without a space";

    SEARCH_WARMUP          Warning "search" "warmup"          "a warm-up that leaves no epoch to learn choices in";
    SEARCH_COOLING         Warning "search" "cooling"         "a temperature that never cools";
    SEARCH_FORCED          Warning "search" "forced"          "a budget that only the shared network keeps";
    SEARCH_IDLE            Warning "search" "idle"            "an attribute that another leaves without effect";

    // task
    TASK_KIND              Error   "task" "kind"              "a task kind that does not exist";
    TASK_LOSS              Error   "task" "loss"              "a loss that does not fit the task";
    TASK_METRIC            Error   "task" "metric"            "a metric that does not fit the task";
    TASK_LABEL             Error   "task" "label"             "a task without a label, or with one that cannot be";
    TASK_RANGE             Error   "task" "range"             "labels outside the range of their task";
    TASK_SCALE             Warning "task" "scale"             "tasks whose losses are a hundredth of the others'";
    TASK_WEIGHT            Warning "task" "weight"            "a task with the weight 0";
    TASK_SAME_LABEL        Warning "task" "same_label"        "two tasks that learn the same label";
    TASK_ACTIVATION        Warning "task" "activation"        "a head without numbers below 0 where its loss takes logits";
    TASK_STANDARDIZE       Error   "task" "standardize"       "standardised labels of a task whose labels are not quantities";
    TASK_PROBABILITIES     Error   "task" "probabilities"     "probabilities where a loss takes logits, or the other way round";
    TASK_NONE              Error   "task" "none"              "a spec without tasks";

    // data
    DATA_FORMAT            Error   "data" "format"            "a data format that does not exist or does not run yet";
    DATA_COLUMN            Error   "data" "column"            "a column that the data does not have";
    DATA_SHAPE             Error   "data" "shape"             "an array whose sizes differ from the declared ones";
    DATA_LEAK              Warning "data" "leak"              "an input that holds a label";
    DATA_TABLE             Warning "data" "table"             "a table that is not in the form that the program expects";
    DATA_SAME_FILE         Warning "data" "same_file"         "two splits that read the same file";
    DATA_SEVERAL           Error   "data" "several"           "inputs and tasks that read several data sets";
    DATA_SPLIT             Error   "data" "split"             "splits that cannot be made as they are written";
    DATA_SCHEMA            Error   "data" "schema"            "a frozen schema that does not match";

    // topology
    TOPOLOGY_STAGE         Error   "topology" "stage"         "a node of a stage that does not exist";
    TOPOLOGY_UNREAD        Error   "topology" "unread"        "a node that no task reaches";
    TOPOLOGY_SOURCE        Error   "topology" "source"        "a node that reads what it cannot";
    TOPOLOGY_TASK          Error   "topology" "task"          "a task that is missing or attached twice";
    TOPOLOGY_AND_SPACE     Warning "topology" "and_space"     "a topology next to a space, of which a command uses one";

    // provenance
    PROVENANCE_DIGEST      Warning "provenance" "digest"      "a derived file that was edited after it was derived";
}
