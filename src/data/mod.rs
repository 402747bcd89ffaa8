//! Where samples come from: one file per format, splits, frozen facts, labels, and encoding to plain numbers.
//!
//! The way of the data: a format's [`FormatDef::load`] gives [`Raw`] (as read, per split); [`Schema::freeze`] takes the facts
//! that a spec may rely on; [`label::check_label`] fits label expressions to those facts; [`encode`] turns all of it into a
//! [`Dataset`] of flat `f32`; [`Batches`] deals it out. Pictures stay files until a batch of them is gathered
//! ([`Album`]). Nothing here knows candle or a network. Nothing is downloaded.
//!
//! Adding a format: a file here with a `pub static DEF: FormatDef`, and a line in [`table`].

mod album;
pub mod axes;
mod batches;
mod celeba;
mod contradictions;
pub mod csv;
pub mod encode;
mod error;
mod evaluate;
mod exif;
mod files;
mod freeze;
pub mod fresh;
mod generated;
mod hierarchy_synthetic;
mod idx;
pub mod label;
mod label_facts;
mod ltb_synthetic;
mod mmoe_synthetic;
mod multi_mnist;
mod npy;
mod numbers;
pub mod outline;
mod picture;
mod raw;
mod resize;
pub mod same_file;
mod schema_text;
pub mod split;
pub mod survey;
mod terms;
pub mod text;
pub mod vocabulary;
mod zip;

use std::path::Path;

pub use album::{Album, Drawn};
pub use batches::{Batch, Batches};
pub use contradictions::contradictions;
pub use encode::{
    Dataset, InputData, InputFrom, InputSpec, LabelData, LabelSpec, Mask, Reading, Table, Unknown, channels, encode,
    encode_inputs, marks, measure,
};
pub use error::DataError;
pub use files::hex;
pub use freeze::{ColumnFacts, Facts, Rare, Schema};
pub use label_facts::LabelFacts;
pub use outline::{Known, KnownColumn, KnownKind, Outline};
pub use picture::Form;
pub use raw::{FileFact, Part, Raw, RawColumn, SPLITS, Split, Values};
pub use resize::{RESIZE, Resize};
pub use schema_text::{name as name_text, number as number_text, quoted as quoted_text};

use crate::diag::Diagnostic;
use crate::schema::{Args, CallDef};
use crate::source::Span;

/// What a format needs to know beside its attributes.
#[derive(Debug, Clone, Copy)]
pub struct LoadContext<'a> {
    /// The folder of the `.mtl` that has the `data` item: paths are relative to it.
    pub base: &'a Path,
    /// The frozen schema, which defines the numeric columns and the words for "missing". `None`: they are derived from the data.
    pub schema: Option<&'a Schema>,
}

/// An entry of the format table.
pub struct FormatDef {
    /// Name, docs and attributes (without `format` itself).
    pub call: CallDef,
    /// What the attributes alone say about columns: exact for generators, nothing for a table with a header.
    pub outline: fn(&Args) -> Outline,
    /// Mistakes between attributes that each are legal. The span is the data item's, for what has no better place.
    pub check: fn(&Args, Span) -> Vec<Diagnostic>,
    /// For each split, the paths of its files as written in the program.
    pub files: fn(&Args) -> same_file::SplitFiles,
    pub load: fn(&Args, &LoadContext) -> Result<Raw, DataError>,
}

impl std::fmt::Debug for FormatDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.call.name)
    }
}

impl FormatDef {
    /// Column names, where the text alone tells them.
    pub fn columns(&self, args: &Args) -> Option<Vec<String>> {
        Some((self.outline)(args).columns?.into_iter().map(|c| c.name).collect())
    }

    /// The numbers of training, validation and test samples, if the attributes give them; formats that read files have no such attributes.
    pub fn rows(&self, args: &Args) -> Option<[usize; 3]> {
        let counts = ["samples", "validation_samples", "test_samples"];
        let declared = |name: &&str| self.call.args.iter().any(|a| a.name == *name) && args.get(name).is_some();
        counts.iter().all(declared).then(|| generated::sizes(args))
    }

    /// Reads a data set. Its notes report unusual properties of the files.
    pub fn read(&self, args: &Args, context: &LoadContext) -> Result<Raw, DataError> {
        let mut raw = (self.load)(args, context)?;
        let files = (self.files)(args);
        for same in same_file::by_contents(&files, &raw.files) {
            raw.notes.push(format!("{}: {}", same.message(), same.help()));
        }
        Ok(raw)
    }
}

static TABLE: &[&FormatDef] = &[
    &csv::DEF,
    &idx::DEF,
    &multi_mnist::DEF,
    &npy::DEF,
    &ltb_synthetic::DEF,
    &mmoe_synthetic::DEF,
    &hierarchy_synthetic::DEF,
    &celeba::DEF,
];

/// The format table, by name.
pub fn table() -> &'static [&'static FormatDef] {
    TABLE
}

pub fn find(name: &str) -> Option<&'static FormatDef> {
    table().iter().copied().find(|d| d.call.name == name)
}
