//! Reads tables of numbers of other tools, in csv or JSON, for strategies that start from them. Errors name the file, the row and the
//! column.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::data::DataError;
use crate::runtime::{RunError, format};
use crate::source::{json, read_bytes};

/// The size limit of a table in bytes.
const MOST: u64 = 1 << 30;

/// The limit of values, which are treated like losses: 32-bit numbers.
const LARGEST: f64 = f32::MAX as f64;

/// No search trains for more epochs or steps. Whole numbers up to this one are exact in JSON.
const MOST_TRAINED: u64 = 1 << 53;

/// The message about a value that is too large.
pub fn too_large(value: f64) -> Option<String> {
    (value.abs() > LARGEST).then(|| format!("{value:e} is too large: values are 32-bit numbers, up to 3.4e38"))
}

/// A table in its file format.
pub enum Outside {
    Sheet(Sheet),
    Json(Json),
}

/// The error for a table that does not exist.
pub fn missing(path: &Path) -> DataError {
    DataError::Option {
        message: format!("no file `{}`", path.display()),
        help: "the path of a table is relative to the folder of the `.mtl` file that contains the `search` item".into(),
    }
}

/// Reads a table. JSON is recognised by its first character.
pub fn read(path: &Path) -> Result<Outside, RunError> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => missing(path),
        _ => DataError::Read { path: path.to_path_buf(), source },
    };
    let bytes = read_bytes(path, MOST).map_err(failed)?;
    let other = |what: &str, help: &str| {
        RunError::from(DataError::Option { message: format!("`{}` is {what}", path.display()), help: help.into() })
    };
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(other("a zip archive or an Excel workbook, not a table in text form", "save the sheet as csv"));
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(other("compressed", "unpack it"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| other("not UTF-8 text", "save it as csv or JSON in UTF-8"))?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with(['{', '[']) {
        let value = json::read(text).map_err(|e| {
            let said = e.to_string();
            let detail = match said.rsplit_once(" at line ") {
                Some((why, _)) if e.is_data() => why.to_string(),
                _ => format!("this is not JSON: {said}"),
            };
            RunError::from(DataError::Text { path: path.to_path_buf(), line: e.line() as u64, detail })
        })?;
        let json = Json { path: path.to_path_buf(), value };
        json.check_version()?;
        json.check_trained()?;
        return Ok(Outside::Json(json));
    }
    Sheet::parse(path, text).map(Outside::Sheet)
}

/// A csv file: rows of cells with their line numbers.
pub struct Sheet {
    pub path: PathBuf,
    /// The cells of the first line, if they are names.
    pub header: Option<Vec<String>>,
    /// The line number of the header, or of the first row.
    pub first_line: u64,
    pub rows: Vec<(u64, Vec<String>)>,
}

impl Sheet {
    fn parse(path: &Path, text: &str) -> Result<Sheet, RunError> {
        let mut rows: Vec<(u64, Vec<String>)> = Vec::new();
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let first = text.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
        let count = |c: char| first.matches(c).count();
        // The most frequent one in the first line; a comma if they are equally frequent.
        let delimiter = [',', ';', '\t'].into_iter().rev().max_by_key(|c| count(*c)).unwrap_or(',');
        for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
            let line_number = i as u64 + 1;
            let cells = cells(line, delimiter).ok_or_else(|| DataError::Text {
                path: path.to_path_buf(),
                line: line_number,
                detail: "a quoted cell does not end on this line".into(),
            })?;
            rows.push((line_number, cells));
        }
        let named = |row: &(u64, Vec<String>)| row.1.iter().any(|c| !c.is_empty() && c.parse::<f64>().is_err());
        let first_line = rows.first().map_or(1, |r| r.0);
        let header = rows.first().is_some_and(named).then(|| rows.remove(0).1);
        let sheet = Sheet { path: path.to_path_buf(), header, first_line, rows };
        let wide = sheet.header.as_ref().or(sheet.rows.first().map(|r| &r.1)).map_or(0, Vec::len);
        match sheet.rows.iter().find(|(_, cells)| cells.len() != wide) {
            None => Ok(sheet),
            Some((line, cells)) => {
                let (path, line) = (path.to_path_buf(), *line);
                Err(DataError::Ragged { path, line, found: cells.len(), expected: wide }.into())
            }
        }
    }

    /// The indices of the columns with these names, ignoring case; `None` if one is missing. Two columns with the same meaning are an
    /// error.
    pub fn columns<const N: usize>(&self, names: [&[&str]; N]) -> Result<Option<[usize; N]>, RunError> {
        let Some(header) = &self.header else { return Ok(None) };
        let called = |names: &[&str]| -> Vec<usize> {
            let is = |at: &usize| names.iter().any(|n| header[*at].eq_ignore_ascii_case(n));
            (0..header.len()).filter(is).collect()
        };
        let found = names.map(called);
        if found.iter().any(Vec::is_empty) {
            return Ok(None);
        }
        match found.iter().find_map(|places| Some((places[0], *places.get(1)?))) {
            Some((a, b)) => {
                let said = format!("the columns `{}` and `{}` mean the same: keep one of them", header[a], header[b]);
                Err(self.at(self.first_line, said))
            }
            None => Ok(Some(found.map(|places| places[0]))),
        }
    }

    /// The number in a cell, which must be a finite 32-bit number; `None` if the cell is empty.
    pub fn number(&self, row: usize, column: usize) -> Result<Option<f64>, RunError> {
        let text = &self.rows[row].1[column];
        match text.parse::<f64>() {
            _ if text.is_empty() => Ok(None),
            Ok(v) if v.is_finite() => match too_large(v) {
                None => Ok(Some(v)),
                Some(why) => Err(self.wrong(row, column, &why)),
            },
            _ => Err(self.wrong(row, column, &format!("{text:?} is not a finite number"))),
        }
    }

    /// An error about a cell.
    pub fn wrong(&self, row: usize, column: usize, detail: &str) -> RunError {
        let name = self.header.as_ref().and_then(|h| h.get(column)).filter(|n| !n.is_empty());
        let name = name.cloned().unwrap_or_else(|| (column + 1).to_string());
        self.at(self.rows[row].0, format!("column `{name}`: {detail}"))
    }

    /// An error about a line.
    pub fn at(&self, line: u64, detail: String) -> RunError {
        DataError::Text { path: self.path.clone(), line, detail }.into()
    }

    /// An error about the whole file.
    pub fn shaped(&self, detail: &str, help: &str) -> RunError {
        DataError::Option { message: format!("`{}` {detail}", self.path.display()), help: help.into() }.into()
    }
}

/// The trimmed cells of a line; `None` if a quote is not closed.
fn cells(line: &str, delimiter: char) -> Option<Vec<String>> {
    let (mut out, mut cell, mut quoted, mut rest) = (Vec::new(), String::new(), false, line.chars().peekable());
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => {
                cell.push('"');
                rest.next();
            }
            '"' if quoted => quoted = false,
            '"' if cell.trim().is_empty() => {
                cell.clear();
                quoted = true;
            }
            c if c == delimiter && !quoted => out.push(std::mem::take(&mut cell).trim().to_string()),
            c => cell.push(c),
        }
    }
    out.push(cell.trim().to_string());
    (!quoted).then_some(out)
}

/// A JSON file.
pub struct Json {
    pub path: PathBuf,
    pub value: Value,
}

impl Json {
    /// An error about a place in the file.
    pub fn wrong(&self, place: &str, detail: &str, help: &str) -> RunError {
        let place = if place.is_empty() { String::new() } else { format!(", {place}") };
        DataError::Option { message: format!("`{}`{place}: {detail}", self.path.display()), help: help.into() }.into()
    }

    /// Tables of other programs have no `version`; a table of a later version of mtlc may have another meaning.
    fn check_version(&self) -> Result<(), RunError> {
        match self.value.get("version") {
            // A list or an object belongs to a task or a stage with that name.
            None | Some(Value::Null | Value::Array(_) | Value::Object(_)) => Ok(()),
            Some(v) if v.is_u64() => {
                let later = |why| RunError::Checkpoint(format!("`{}` {why}", self.path.display()));
                format::known(&self.value, 1).map_err(later)
            }
            Some(v) => {
                let said = format!("{v} is not a format version, which is a whole number");
                Err(self.wrong("`version`", &said, "leave `version` out of a table that mtlc has not written"))
            }
        }
    }

    /// Checks how long the table was trained, if it contains that: a run that starts from it records these numbers.
    fn check_trained(&self) -> Result<(), RunError> {
        for key in ["epochs", "steps", "samples"] {
            let Some(value @ Value::Number(_)) = self.value.get(key) else { continue };
            if value.as_u64().is_none_or(|n| n > MOST_TRAINED) {
                let said = format!("{value} is not a count, which is a whole number from 0 to 2^53");
                return Err(self.wrong(&format!("`{key}`"), &said, &format!("correct it, or leave `{key}` out")));
            }
        }
        Ok(())
    }

    /// The list of names under this key.
    pub fn names(&self, key: &str) -> Result<Option<Vec<String>>, RunError> {
        let Some(value) = self.value.get(key) else { return Ok(None) };
        let all = value.as_array().map(|l| l.iter().map(|v| v.as_str().map(str::to_string)).collect());
        match all {
            Some(Some(names)) => Ok(Some(names)),
            _ => Err(self.wrong(&format!("`{key}`"), "this is not a list of names", "")),
        }
    }
}

/// The index in `found` of each name in `wanted`. The error describes the difference if they do not contain the same names.
pub fn matched(what: &str, wanted: &[String], found: &[String]) -> Result<Vec<usize>, String> {
    let list = |names: Vec<&String>| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    let unknown: Vec<&String> = found.iter().filter(|n| !wanted.contains(n)).collect();
    if !unknown.is_empty() {
        return Err(format!("the program has no {what} {}; it has {}", list(unknown), list(wanted.iter().collect())));
    }
    let missing: Vec<&String> = wanted.iter().filter(|n| !found.contains(n)).collect();
    if !missing.is_empty() {
        return Err(format!("the {what} {} of the program is missing", list(missing)));
    }
    if let Some(twice) = found.iter().enumerate().find(|(i, n)| found[..*i].contains(n)) {
        return Err(format!("the {what} `{}` is named twice", twice.1));
    }
    Ok(wanted.iter().map(|n| found.iter().position(|f| f == n).expect("it is there")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(text: &str) -> Sheet {
        Sheet::parse(Path::new("t.csv"), text).expect("a table")
    }

    #[test]
    fn cells_and_lines() {
        let found = sheet("\n a ; \"b; \"\"c\"\"\" ;d\r\n1;2;3\r\r\n4;;6\n");
        assert_eq!(found.header.as_deref().expect("names"), ["a", "b; \"c\"", "d"]);
        let lines: Vec<u64> = found.rows.iter().map(|(n, _)| *n).collect();
        assert_eq!(lines, [3, 5]);
        assert_eq!((found.number(1, 0).expect("one"), found.number(1, 1).expect("none")), (Some(4.0), None));
        assert!(sheet("1,2\n3,4").header.is_none());
        assert_eq!(sheet("x\ty\n1\t2").rows[0].1, ["1", "2"]);
        let said = |text: &str| Sheet::parse(Path::new("t.csv"), text).err().expect("refused").to_string();
        assert_eq!(said("a,b\n1"), "`t.csv`, line 2: 1 cells where 2 are expected");
        assert_eq!(said("a,b\n1,\"2"), "`t.csv`, line 2: a quoted cell does not end on this line");
        let wrong = sheet("a,b\n1,2\n3,x").number(1, 1).expect_err("refused").to_string();
        assert_eq!(wrong, "`t.csv`, line 3: column `b`: \"x\" is not a finite number");
        let wrong = sheet("a,b\n1,2\n3,-1e39").number(1, 1).expect_err("refused").to_string();
        assert_eq!(wrong, "`t.csv`, line 3: column `b`: -1e39 is too large: values are 32-bit numbers, up to 3.4e38");
        assert_eq!(sheet("1,-3.4e38").number(0, 1).expect("a number"), Some(-3.4e38));
        let names: [&[&str]; 2] = [&["a"], &["b", "c"]];
        assert_eq!(sheet("x,C,A\n1,2,3").columns(names).expect("once"), Some([2, 1]));
        assert_eq!(sheet("x,b\n1,2").columns(names).expect("one is missing"), None);
        let twice = sheet("a,B,c\n1,2,3").columns(names).expect_err("refused").to_string();
        assert_eq!(twice, "`t.csv`, line 1: the columns `B` and `c` mean the same: keep one of them");
        assert!(sheet("1,inf").number(0, 1).is_err() && sheet("a,b\n1,NaN").number(0, 1).is_err());
    }

    #[test]
    fn names_are_matched() {
        let names = |text: &str| -> Vec<String> { text.split(' ').map(str::to_string).collect() };
        assert_eq!(matched("task", &names("a b c"), &names("c a b")), Ok(vec![1, 2, 0]));
        let said = |found: &str| matched("task", &names("a b"), &names(found)).expect_err("refused");
        assert_eq!(said("a x"), "the program has no task `x`; it has `a`, `b`");
        assert_eq!(said("a"), "the task `b` of the program is missing");
        assert_eq!(said("a b a"), "the task `a` is named twice");
    }
}
