//! Reads affinities from files: `affinity.json` of an earlier run, or a csv or JSON file of another tool.

use std::path::Path;

use serde_json::Value;

use super::Affinities;
use crate::runtime::RunError;
use crate::runtime::record::Listener;
use crate::search::outside::{self, Json, Outside, Sheet, matched};

const HELP: &str = "`mtlc explain affinity` describes the files that are read";

/// A matrix by task and task, with `None` for missing entries.
type Matrix = Vec<Vec<Option<f64>>>;

/// Makes an error for the number at a stage, row and column.
type Place<'p> = &'p dyn Fn(usize, usize, usize, &str) -> RunError;

/// Reads the affinities of the given tasks at the given stages.
pub(super) fn read(
    path: &Path,
    tasks: &[String],
    stages: &[String],
    listener: &mut dyn Listener,
) -> Result<Affinities, RunError> {
    let known = Known { tasks, stages };
    let (matrices, found) = match outside::read(path)? {
        Outside::Json(json) => {
            let matrices = known.of_json(&json)?;
            let at = |l: usize, i: usize, j: usize, why: &str| {
                let stage = if matrices.len() == 1 { String::new() } else { format!("stage `{}`, ", stages[l]) };
                json.wrong(&format!("{stage}row `{}`, column `{}`", tasks[i], tasks[j]), why, HELP)
            };
            let full = known.whole(&matrices, &at, listener)?;
            // The file of an earlier run contains more than affinities.
            (full, serde_json::from_value::<Affinities>(json.value.clone()).ok())
        }
        Outside::Sheet(sheet) => {
            let (matrices, places) = known.of_sheet(&sheet)?;
            let at = |l: usize, i: usize, j: usize, why: &str| match places[l][i][j] {
                Some((row, column)) => sheet.wrong(row, column, why),
                None => sheet.shaped(&format!("is incomplete: {why}"), HELP),
            };
            (known.whole(&matrices, &at, listener)?, None)
        }
    };
    let all = match matrices.len() {
        1 if stages.len() > 1 => {
            listener.note("note: there is one matrix of affinities: it is used at every stage");
            vec![matrices[0].clone(); stages.len()]
        }
        _ => matrices,
    };
    let found = found.unwrap_or(Affinities {
        version: 1,
        measure: "given".into(),
        samples: 0,
        tasks: Vec::new(),
        locations: Vec::new(),
        affinities: Vec::new(),
        constant: Vec::new(),
        validation: None,
        epochs: 0,
        steps: 0,
    });
    if found.validation.as_ref().is_some_and(|v| !v.loss.is_finite()) {
        let message = format!("`{}`: the validation loss is not a finite number", path.display());
        return Err(crate::data::DataError::Option { message, help: HELP.into() }.into());
    }
    Ok(Affinities { tasks: tasks.to_vec(), locations: stages.to_vec(), affinities: all, ..found })
}

/// The names that a file must use, if it has names.
struct Known<'k> {
    tasks: &'k [String],
    stages: &'k [String],
}

impl Known<'_> {
    fn wanted(&self) -> String {
        let (n, d) = (self.tasks.len(), self.stages.len());
        format!("{n} tasks at {d} stages have one matrix of {n} rows and {n} columns, or {d} of them")
    }

    /// Completes triangular matrices, and takes the mean if the two directions of a pair differ.
    fn whole(
        &self,
        matrices: &[Matrix],
        wrong: Place,
        listener: &mut dyn Listener,
    ) -> Result<Vec<Vec<Vec<f64>>>, RunError> {
        let n = self.tasks.len();
        let mut uneven = 0;
        let mut out = Vec::with_capacity(matrices.len());
        for (l, matrix) in matrices.iter().enumerate() {
            // The affinity of a task with itself is 1, whatever the diagonal contains.
            let mut full = vec![vec![1.0; n]; n];
            for i in 0..n {
                for j in i + 1..n {
                    for (i, j) in [(i, j), (j, i)] {
                        if matrix[i][j].is_some_and(|v| !(-1.0..=1.0).contains(&v)) {
                            let value = matrix[i][j].expect("seen");
                            return Err(wrong(
                                l,
                                i,
                                j,
                                &format!("{value} is not an affinity: affinities are from -1 to 1"),
                            ));
                        }
                    }
                    let value = match (matrix[i][j], matrix[j][i]) {
                        (Some(a), Some(b)) => {
                            uneven += usize::from(a != b);
                            if a == b { a } else { (a + b) / 2.0 }
                        }
                        (Some(v), None) | (None, Some(v)) => v,
                        (None, None) => {
                            let stage = match matrices.len() {
                                1 => String::new(),
                                _ => format!(" at stage `{}`", self.stages[l]),
                            };
                            let why = format!("no affinity of `{}` and `{}`{stage}", self.tasks[i], self.tasks[j]);
                            return Err(wrong(l, i, j, &why));
                        }
                    };
                    (full[i][j], full[j][i]) = (value, value);
                }
            }
            out.push(full);
        }
        if uneven > 0 {
            let pairs = if uneven == 1 { "a pair".to_string() } else { format!("{uneven} pairs") };
            listener.note(&format!("note: the affinities of {pairs} differ by direction: their mean is taken"));
        }
        Ok(out)
    }

    /// The matrices of a JSON file.
    fn of_json(&self, json: &Json) -> Result<Vec<Matrix>, RunError> {
        let named = |key: &str, what: &str, mine: &[String]| -> Result<Option<Vec<usize>>, RunError> {
            let Some(names) = json.names(key)? else { return Ok(None) };
            matched(what, mine, &names).map(Some).map_err(|why| json.wrong(&format!("`{key}`"), &why, HELP))
        };
        let place = named("tasks", "task", self.tasks)?.unwrap_or_else(|| (0..self.tasks.len()).collect());
        let by_name = |value: &Value, names: &[String]| {
            value.as_object().is_some_and(|o| names.iter().all(|n| o.contains_key(n)))
        };
        // Two keys that mean the same are an error, because neither takes precedence.
        let one_of = |keys: &[&'static str]| -> Result<Option<&'static str>, RunError> {
            let mut there = keys.iter().copied().filter(|key| json.value.get(*key).is_some());
            match (there.next(), there.next()) {
                (Some(a), Some(b)) => {
                    Err(json.wrong("", &format!("the keys `{a}` and `{b}` mean the same"), "keep one of them"))
                }
                (found, _) => Ok(found),
            }
        };
        let stages = match one_of(&["locations", "stages"])? {
            Some(key) => named(key, "stage", self.stages)?,
            None => None,
        };
        let stages = stages.unwrap_or_else(|| (0..self.stages.len()).collect());
        let value = match by_name(&json.value, self.tasks) || by_name(&json.value, self.stages) {
            true => &json.value,
            false => one_of(&["affinities", "affinity", "matrix"])?.map_or(&json.value, |key| &json.value[key]),
        };
        let matrices: Vec<(String, &Value)> = match value {
            Value::Array(list) if list.iter().all(|m| m.is_array() && m[0].is_array()) && !list.is_empty() => {
                if list.len() != 1 && list.len() != self.stages.len() {
                    let said = format!("there are {} matrices; {}", list.len(), self.wanted());
                    return Err(json.wrong("", &said, HELP));
                }
                let order = if list.len() == 1 { vec![0] } else { stages };
                order
                    .into_iter()
                    .enumerate()
                    .map(|(l, at)| (format!("stage `{}`, ", self.stages[l]), &list[at]))
                    .collect()
            }
            Value::Object(all) if by_name(value, self.stages) && !by_name(value, self.tasks) => {
                let is_matrix = |key: &&String| match &all[*key] {
                    Value::Array(rows) => rows.first().is_some_and(Value::is_array),
                    value => value.is_object() && *key != "validation",
                };
                let other = all.keys().filter(|k| !self.stages.contains(k)).find(is_matrix);
                if let Some(other) = other {
                    let said = format!("the program has no stage `{other}`");
                    return Err(json.wrong("", &said, HELP));
                }
                self.stages.iter().map(|s| (format!("stage `{s}`, "), &value[s])).collect()
            }
            other => vec![(String::new(), other)],
        };
        let mut out = Vec::new();
        for (stage, matrix) in matrices {
            out.push(self.matrix(json, &stage, matrix, &place)?);
        }
        Ok(out)
    }

    /// Reads a matrix that is a list of rows, or an object by row and column name.
    fn matrix(&self, json: &Json, stage: &str, value: &Value, place: &[usize]) -> Result<Matrix, RunError> {
        let n = self.tasks.len();
        let wrong = |at: String, why: &str| json.wrong(format!("{stage}{at}").trim_end_matches(", "), why, HELP);
        let number = |v: &Value, at: String| match v {
            Value::Null => Ok(None),
            v => v.as_f64().map(Some).ok_or_else(|| wrong(at, &format!("{v} is not a number"))),
        };
        if let Some(rows) = value.as_object() {
            let names: Vec<String> = rows.keys().cloned().collect();
            matched("task", self.tasks, &names).map_err(|why| wrong(String::new(), &why))?;
            let row = |a: &String| {
                let cells =
                    value[a].as_object().ok_or_else(|| wrong(format!("row `{a}`"), "this is not an object by task"))?;
                if let Some(b) = cells.keys().find(|b| !self.tasks.contains(b)) {
                    return Err(wrong(format!("row `{a}`"), &format!("the program has no task `{b}`")));
                }
                let cell =
                    |b: &String| cells.get(b).map_or(Ok(None), |v| number(v, format!("row `{a}`, column `{b}`")));
                self.tasks.iter().map(cell).collect()
            };
            return self.tasks.iter().map(row).collect();
        }
        let Some(rows) = value.as_array() else { return Err(wrong(String::new(), "there are no matrices here")) };
        if rows.len() != n {
            return Err(wrong(String::new(), &format!("there are {} rows; {}", rows.len(), self.wanted())));
        }
        let mut out = vec![vec![None; n]; n];
        for (i, at) in place.iter().enumerate() {
            let cells = rows[*at].as_array().filter(|c| c.len() == n);
            let cells = cells.ok_or_else(|| {
                let found = rows[*at].as_array().map_or("no list".to_string(), |c| format!("{} numbers", c.len()));
                wrong(format!("row {}", at + 1), &format!("this is {found}, and there are {n} tasks"))
            })?;
            for (j, column) in place.iter().enumerate() {
                out[i][j] = number(&cells[*column], format!("row {}, column {}", at + 1, column + 1))?;
            }
        }
        Ok(out)
    }

    /// The matrices of a csv, and the row and column of each number.
    #[allow(clippy::type_complexity, reason = "by stage, task and task")]
    fn of_sheet(&self, sheet: &Sheet) -> Result<(Vec<Matrix>, Vec<Vec<Vec<Option<(usize, usize)>>>>), RunError> {
        let (n, d) = (self.tasks.len(), self.stages.len());
        let index = |names: &[String], row: usize, column: usize, what: &str| {
            let name = &sheet.rows[row].1[column];
            let known = || names.iter().map(|t| format!("`{t}`")).collect::<Vec<_>>().join(", ");
            names.iter().position(|t| t == name).ok_or_else(|| {
                sheet.wrong(row, column, &format!("the program has no {what} `{name}`; it has {}", known()))
            })
        };
        let empty = || (vec![vec![None; n]; n], vec![vec![None; n]; n]);
        let names = [&["task"] as &[&str], &["with", "partner"], &["affinity", "value"]];
        if let Some([task, with, value]) = sheet.columns(names)? {
            let stage = sheet.columns([&["stage", "location"]])?.map(|[s]| s);
            let mut all: Vec<_> = (0..if stage.is_some() { d } else { 1 }).map(|_| empty()).collect();
            for row in 0..sheet.rows.len() {
                let (i, j) = (index(self.tasks, row, task, "task")?, index(self.tasks, row, with, "task")?);
                let l = stage.map_or(Ok(0), |s| index(self.stages, row, s, "stage"))?;
                if all[l].1[i][j].replace((row, value)).is_some() {
                    return Err(sheet.wrong(row, value, "this affinity is given twice"));
                }
                all[l].0[i][j] = sheet.number(row, value)?;
            }
            return Ok(all.into_iter().unzip());
        }
        let wide = sheet.rows.first().map_or(0, |r| r.1.len());
        // The columns before those of the tasks contain the stage and the task of a row.
        let before = wide.checked_sub(n).filter(|b| *b <= 2).ok_or_else(|| {
            sheet.at(
                sheet.rows.first().map_or(sheet.first_line, |r| r.0),
                format!("there are {wide} columns; {}", self.wanted()),
            )
        })?;
        let columns = match &sheet.header {
            None if before == 0 => (0..n).collect(),
            None => {
                let said = format!("there are {wide} columns of numbers and no names; {}", self.wanted());
                return Err(sheet.at(sheet.rows[0].0, said));
            }
            Some(header) => {
                matched("task", self.tasks, &header[before..]).map_err(|why| sheet.at(sheet.first_line, why))?
            }
        };
        let rows = sheet.rows.len();
        if rows != n && rows != n * d {
            return Err(sheet.shaped(&format!("has {rows} rows of numbers; {}", self.wanted()), HELP));
        }
        // Rows that name their stage apply to no other.
        let mut all: Vec<_> = (0..if before == 2 { d } else { rows / n }).map(|_| empty()).collect();
        for row in 0..rows {
            let l = if before == 2 { index(self.stages, row, 0, "stage")? } else { row / n };
            // Without names, rows are in the order of the columns.
            let i = match before {
                0 => columns.iter().position(|c| *c == row % n).expect("as many as columns"),
                _ => index(self.tasks, row, before - 1, "task")?,
            };
            if all[l].1[i].iter().any(Option::is_some) {
                return Err(sheet.wrong(row, before.saturating_sub(1), "this row is given twice"));
            }
            for (j, column) in columns.iter().enumerate() {
                all[l].0[i][j] = sheet.number(row, before + column)?;
                all[l].1[i][j] = Some((row, before + column));
            }
        }
        Ok(all.into_iter().unzip())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Notes(Vec<String>);

    impl Listener for Notes {
        fn note(&mut self, text: &str) {
            self.0.push(text.to_string());
        }
    }

    fn names(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_string).collect()
    }

    /// The matrices by stage, and the notes.
    type Read = (Vec<Vec<Vec<f64>>>, Vec<String>);

    /// Reads a text for the tasks a, b and c at two stages.
    fn read_text(text: &str) -> Result<Read, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t");
        std::fs::write(&path, text).expect("written");
        let mut notes = Notes(Vec::new());
        match read(&path, &names("a b c"), &names("s1 s2"), &mut notes) {
            Ok(found) => Ok((found.affinities, notes.0)),
            Err(e) => Err(e.to_string().replace(&folder.path().display().to_string(), ".")),
        }
    }

    fn one() -> Vec<Vec<f64>> {
        vec![vec![1.0, 0.5, -0.25], vec![0.5, 1.0, 0.75], vec![-0.25, 0.75, 1.0]]
    }

    fn other() -> Vec<Vec<f64>> {
        vec![vec![1.0, 0.1, 0.2], vec![0.1, 1.0, 0.3], vec![0.2, 0.3, 1.0]]
    }

    /// Names in any order, stages by name or in order, triangles, lists and objects all give the same matrices.
    #[test]
    fn the_same_in_every_form() {
        let both = [
            "stage,task,a,b,c\ns1,a,1,0.5,-0.25\ns1,b,0.5,1,0.75\ns1,c,-0.25,0.75,1\ns2,a,1,.1,.2\ns2,b,.1,1,.3\ns2,c,.2,.3,1\n",
            "stage;task;c;a;b\r\ns2;c;1;.2;.3\r\ns2;a;;;.1\r\ns2;b;;.1;\r\ns1;b;0.75;0.5;\r\ns1;a;-0.25;;\r\ns1;c;;;\r\n",
            "a,b,c\n0,0.5,-0.25\n0.5,0,0.75\n-0.25,0.75,0\n9,.1,.2\n.1,9,.3\n.2,.3,9\n",
            "1 ,0.5,-0.25\n0.5,1,0.75\n-0.25,0.75,1\n1,.1,.2\n.1,1,.3\n.2,.3,1\n",
            "\u{feff}location,task,with,affinity\ns1,a,b,0.5\ns1,c,a,-0.25\ns1,b,c,0.75\ns2,a,b,.1\ns2,a,c,.2\ns2,b,c,.3\n",
            "[[[1,0.5,-0.25],[0.5,1,0.75],[-0.25,0.75,1]],[[1,0.1,0.2],[0.1,1,0.3],[0.2,0.3,1]]]",
            "{\"tasks\":[\"c\",\"a\",\"b\"],\"stages\":[\"s2\",\"s1\"],\"affinities\":[[[1,0.2,0.3],[0.2,1,0.1],[0.3,0.1,1]],\
             [[1,-0.25,0.75],[-0.25,1,0.5],[0.75,0.5,1]]]}",
            "{\"s1\":[[1,0.5,-0.25],[null,1,0.75],[null,null,1]],\"s2\":{\"a\":{\"b\":0.1,\"c\":0.2},\"b\":{\"c\":0.3},\"c\":{}}}",
        ];
        for text in both {
            assert_eq!(read_text(text), Ok((vec![one(), other()], vec![])), "{text}");
        }
        let single = [
            ",a,b,c\na,1,0.5,-0.25\nb,0.5,1,0.75\nc,-0.25,0.75,1\n",
            "task,with,value\na,b,0.5\na,c,-0.25\nc,b,0.75\n",
            "[[1,0.5,-0.25],[0.5,1,0.75],[-0.25,0.75,1]]",
            "{\"matrix\":{\"a\":{\"b\":0.5,\"c\":-0.25},\"b\":{\"c\":0.75},\"c\":{}}}",
        ];
        for text in single {
            let (found, notes) = read_text(text).expect(text);
            assert_eq!(found, [one(), one()], "{text}");
            assert_eq!(notes, ["note: there is one matrix of affinities: it is used at every stage"]);
        }
    }

    #[test]
    fn directions_are_averaged() {
        let (found, notes) =
            read_text("[[[1,0.5,0],[0.3,1,0.75],[0,0.75,1]],[[1,1,1],[0,1,1],[1,0,1]]]").expect("it reads");
        assert_eq!((found[0][0][1], found[0][1][0], found[1][2][1]), (0.4, 0.4, 0.5));
        assert_eq!(notes, ["note: the affinities of 3 pairs differ by direction: their mean is taken"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, said) in [
            ("a,b,x\n1,1,1\n1,1,1\n1,1,1\n", "`./t`, line 1: the program has no task `x`; it has `a`, `b`, `c`"),
            (
                "a,b\n1,1\n1,1\n",
                "line 2: there are 2 columns; 3 tasks at 2 stages have one matrix of 3 rows and 3 columns, or 2",
            ),
            ("a,b,c\n1,1,1\n1,1,1\n", "`./t` has 2 rows of numbers; 3 tasks at 2 stages"),
            ("1,1,1\n1,1\n1,1,1\n", "`./t`, line 2: 2 cells where 3 are expected"),
            (",a,b,c\na,1,1,1\nb,1,1,hm\nc,1,1,1\n", "`./t`, line 3: column `c`: \"hm\" is not a finite number"),
            (",a,b,c\na,1,1,1\nz,1,1,1\nc,1,1,1\n", "line 3: column `1`: the program has no task `z`; it has `a`"),
            (",a,b,c\na,1,1,1\na,1,1,1\nc,1,1,1\n", "line 3: column `1`: this row is given twice"),
            (
                "1,1,1\n1,1,1.5\n1,1,1\n",
                "`./t`, line 2: column `3`: 1.5 is not an affinity: affinities are from -1 to 1",
            ),
            ("1,1,\n1,1,1\n,1,1\n", "line 1: column `3`: no affinity of `a` and `c`"),
            ("task,with,affinity\na,b,1\na,c,1\n", "`./t` is incomplete: no affinity of `b` and `c`"),
            ("task,with,affinity\na,b,1\na,b,1\n", "line 3: column `affinity`: this affinity is given twice"),
            // One matrix that names its stage is not used at the others.
            (
                "stage,task,a,b,c\ns2,a,1,1,1\ns2,b,1,1,1\ns2,c,1,1,1\n",
                "`./t` is incomplete: no affinity of `a` and `b` at stage `s1`",
            ),
            (
                "stage,task,a,b,c\ns3,a,1,1,1\ns3,b,1,1,1\ns3,c,1,1,1\n",
                "line 2: column `stage`: the program has no stage `s3`",
            ),
            ("1,2,3,4\n1,2,3,4\n1,2,3,4\n", "line 1: there are 4 columns of numbers and no names"),
            ("[[1,1],[1,1]]", "`./t`: there are 2 rows; 3 tasks"),
            ("[[1,1,1],[1,1],[1,1,1]]", "`./t`, row 2: this is 2 numbers, and there are 3 tasks"),
            ("[[1,1,1],[1,1,\"x\"],[1,1,1]]", "`./t`, row 2, column 3: \"x\" is not a number"),
            ("[[1,1,1],[1,1,-2],[1,1,1]]", "`./t`, row `b`, column `c`: -2 is not an affinity"),
            (
                "{\"tasks\":[\"a\",\"b\"],\"affinities\":[[1,1],[1,1]]}",
                "`./t`, `tasks`: the task `c` of the program is missing",
            ),
            ("{\"s1\":[[1]],\"s2\":[[1]]}", "`./t`, stage `s1`: there are 1 rows"),
            ("{\"a\":{\"x\":1},\"b\":{},\"c\":{}}", "`./t`, row `a`: the program has no task `x`"),
            ("[1,", "`./t`, line 1: this is not JSON"),
            ("{\"a\":{},\n\"b\":{},\"b\":{},\"c\":{}}", "`./t`, line 2: the key `b` is given twice"),
            ("{\"a\":{\"b\":1,\"b\":0},\"b\":{},\"c\":{}}", "`./t`, line 1: the key `b` is given twice"),
            ("{\"matrix\":[],\"affinity\":[]}", "`./t`: the keys `affinity` and `matrix` mean the same"),
            ("{\"locations\":[],\"stages\":[]}", "`./t`: the keys `locations` and `stages` mean the same"),
            ("{\"s1\":[[1]],\"s2\":[[1]],\"s3\":[[1]]}", "`./t`: the program has no stage `s3`"),
            ("{\"version\":\"1\",\"matrix\":[]}", "`./t`, `version`: \"1\" is not a format version"),
            ("{\"version\":-1,\"matrix\":[]}", "`./t`, `version`: -1 is not a format version"),
            ("{\"version\":1.5,\"matrix\":[]}", "`./t`, `version`: 1.5 is not a format version"),
            ("{\"version\":2,\"matrix\":[]}", "`./t` has format 2"),
            ("{\"epochs\":9223372036854775808,\"matrix\":[]}", "`./t`, `epochs`: 9223372036854775808 is not a count"),
            ("{\"steps\":-1,\"matrix\":[]}", "`./t`, `steps`: -1 is not a count"),
            (
                "stage,task,with,affinity,value\ns1,a,b,1,1\n",
                "`./t`, line 1: the columns `affinity` and `value` mean the same",
            ),
            ("PK\u{3}\u{4}x", "`./t` is a zip archive or an Excel workbook"),
        ] {
            let found = read_text(text).expect_err(said);
            assert!(found.contains(said), "{text}: {found}");
        }
    }
}
