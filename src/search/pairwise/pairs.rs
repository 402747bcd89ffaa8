//! Results of two-task networks, by which TreeMTL ranks trees. They are measured here or read from a file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::runtime::RunError;
use crate::runtime::record::SplitScores;
use crate::search::outside::{self, Json, Outside, Sheet, matched, too_large};

/// The contents of `pairwise.json`: everything that ranking needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pairs {
    pub version: u32,
    pub tasks: Vec<String>,
    /// The stages in order.
    pub stages: Vec<String>,
    pub better: Better,
    pub pairs: Vec<Pair>,
    /// The validation scores of the tasks without sharing, if they were measured here.
    #[serde(default)]
    pub validation: Option<SplitScores>,
    #[serde(default)]
    pub epochs: usize,
    #[serde(default)]
    pub steps: u64,
}

/// The results of a task in networks with one other task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    pub task: String,
    pub with: String,
    /// The results with no shared stage, with the first stage shared, and so on up to all stages.
    pub by_shared_stages: Vec<f64>,
}

/// Whether lower values (losses) or higher values (scores) are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    Lower,
    Higher,
}

/// Results by task, partner and number of shared stages.
pub type Values = Vec<Vec<Vec<f64>>>;

impl Pairs {
    /// The values in the order of these tasks. The error describes what is wrong with them.
    pub fn values(&self, tasks: &[String], stages: usize) -> Result<Values, String> {
        let n = tasks.len();
        let mut out: Vec<Vec<Option<&Vec<f64>>>> = vec![vec![None; n]; n];
        for pair in &self.pairs {
            let place = |name: &String| tasks.iter().position(|t| t == name).ok_or_else(|| unknown(name, tasks));
            let (task, with) = (place(&pair.task)?, place(&pair.with)?);
            let of = format!("`{}` with `{}`", pair.task, pair.with);
            if task == with {
                return Err(format!("{of}: these are not two tasks"));
            }
            if pair.by_shared_stages.len() != stages + 1 {
                return Err(format!(
                    "{of} has {} values, and {stages} stages need {}: with none of them shared, the first, ... all",
                    pair.by_shared_stages.len(),
                    stages + 1
                ));
            }
            if let Some(shared) = pair.by_shared_stages.iter().position(|v| !v.is_finite()) {
                return Err(format!("{of}, {shared} stages shared: not a finite number"));
            }
            let large = pair.by_shared_stages.iter().enumerate().find_map(|(shared, v)| Some((shared, too_large(*v)?)));
            if let Some((shared, why)) = large {
                return Err(format!("{of}, {shared} stages shared: {why}"));
            }
            if out[task][with].replace(&pair.by_shared_stages).is_some() {
                return Err(format!("{of} is given twice"));
            }
        }
        for (t, row) in out.iter().enumerate() {
            if let Some(u) = (0..n).find(|u| *u != t && row[*u].is_none()) {
                return Err(format!("nothing is given of `{}` with `{}`", tasks[t], tasks[u]));
            }
        }
        let of = |row: Vec<Option<&Vec<f64>>>| row.into_iter().map(|v| v.cloned().unwrap_or_default()).collect();
        Ok(out.into_iter().map(of).collect())
    }
}

fn unknown(name: &str, tasks: &[String]) -> String {
    let known: Vec<String> = tasks.iter().map(|t| format!("`{t}`")).collect();
    format!("the program has no task `{name}`; it has {}", known.join(", "))
}

const HELP: &str = "`mtlc explain pairwise` describes the files that are read";

/// Reads results: `pairwise.json` of an earlier run, a csv with the columns `task`, `with`, `shared` and `value`, or a csv in the format of
/// TreeMTL's authors, with a column `(a, b)-i` for the i-th of two tasks and a row per number of shared stages. `better` is the attribute
/// of the search, if it is given.
pub fn read(path: &Path, tasks: &[String], stages: &[String], better: Option<Better>) -> Result<Pairs, RunError> {
    let found = match outside::read(path)? {
        Outside::Json(json) => {
            let found = of_json(&json, tasks, stages)?;
            if better.is_some_and(|b| b != found.better) {
                let said = "this contradicts the attribute `better` of the search";
                return Err(json.wrong(
                    "`better`",
                    said,
                    "correct one of the two, or leave `better` out of the search",
                ));
            }
            found
        }
        Outside::Sheet(sheet) => {
            let better = better.unwrap_or(Better::Lower);
            let pairs =
                match sheet.columns([&["task"], &["with", "partner"], &["shared"], &["value", "loss", "score"]])? {
                    Some(columns) => long(&sheet, columns, stages.len())?,
                    None => wide(&sheet, tasks, stages.len())?,
                };
            let found = Pairs {
                version: 1,
                tasks: tasks.to_vec(),
                stages: stages.to_vec(),
                better,
                pairs,
                validation: None,
                epochs: 0,
                steps: 0,
            };
            found.values(tasks, stages.len()).map_err(|why| sheet.shaped(&format!("does not fit: {why}"), HELP))?;
            found
        }
    };
    Ok(found)
}

fn of_json(json: &Json, tasks: &[String], stages: &[String]) -> Result<Pairs, RunError> {
    for (key, what, mine) in [("tasks", "task", tasks), ("stages", "stage", stages)] {
        let theirs = json.names(key)?.ok_or_else(|| json.wrong("", &format!("there is no list `{key}`"), HELP))?;
        matched(what, mine, &theirs).map_err(|why| json.wrong(&format!("`{key}`"), &why, HELP))?;
        if key == "stages" && mine != theirs {
            return Err(json.wrong("`stages`", "the stages are in another order than in the program", HELP));
        }
    }
    let found: Pairs = serde_json::from_value(json.value.clone())
        .map_err(|e| json.wrong("", &format!("cannot be read: {e}"), HELP))?;
    found.values(tasks, stages.len()).map_err(|why| json.wrong("`pairs`", &why, HELP))?;
    Ok(found)
}

/// Reads a table with a row per task, partner and number of shared stages.
fn long(sheet: &Sheet, [task, with, shared, value]: [usize; 4], stages: usize) -> Result<Vec<Pair>, RunError> {
    let mut out: Vec<Pair> = Vec::new();
    for (row, (_, cells)) in sheet.rows.iter().enumerate() {
        let number = sheet.number(row, value)?.ok_or_else(|| sheet.wrong(row, value, "this cell is empty"))?;
        let count = cells[shared].parse::<usize>().ok().filter(|n| *n <= stages);
        let count = count.ok_or_else(|| {
            sheet.wrong(row, shared, &format!("{:?} is not a number of stages from 0 to {stages}", cells[shared]))
        })?;
        let at = out.iter().position(|p| p.task == cells[task] && p.with == cells[with]).unwrap_or_else(|| {
            // NaN marks values that have not been read yet.
            let by_shared_stages = vec![f64::NAN; stages + 1];
            out.push(Pair { task: cells[task].clone(), with: cells[with].clone(), by_shared_stages });
            out.len() - 1
        });
        if out[at].by_shared_stages[count].is_finite() {
            return Err(sheet.wrong(row, value, "this value is given twice"));
        }
        out[at].by_shared_stages[count] = number;
    }
    if let Some((pair, shared)) =
        out.iter().find_map(|p| Some((p, p.by_shared_stages.iter().position(|v| v.is_nan())?)))
    {
        let said = format!("has no value of `{}` with `{}` where {shared} stages are shared", pair.task, pair.with);
        return Err(sheet.shaped(&said, HELP));
    }
    Ok(out)
}

/// The two tasks of a column `(a, b)-i`, where the first one is the task that the values belong to. Tasks are given by name, or by number
/// from 0.
fn pair_of(header: &str, tasks: &[String]) -> Option<Result<(usize, usize), String>> {
    let (inside, which) = header.strip_prefix('(')?.rsplit_once(")-")?;
    let (a, b) = inside.split_once(',')?;
    let which: usize = which.trim().parse().ok().filter(|i| *i < 2)?;
    let place = |name: &str| {
        let name = name.trim().trim_matches(['\'', '"']);
        let by_name = tasks.iter().position(|t| t == name);
        by_name.or_else(|| name.parse().ok().filter(|i| *i < tasks.len())).ok_or_else(|| unknown(name, tasks))
    };
    Some(place(a).and_then(|a| place(b).map(|b| if which == 0 { (a, b) } else { (b, a) })))
}

/// Reads a table with a column per pair and task, and a row per number of shared stages.
fn wide(sheet: &Sheet, tasks: &[String], stages: usize) -> Result<Vec<Pair>, RunError> {
    let header = sheet.header.as_deref().unwrap_or_default();
    type Columns = Vec<(usize, Result<(usize, usize), String>)>;
    let columns: Columns = header.iter().enumerate().filter_map(|(c, h)| Some((c, pair_of(h, tasks)?))).collect();
    if columns.is_empty() {
        let said = "has neither the columns `task`, `with`, `shared` and `value` nor columns like `(0, 1)-0`";
        return Err(sheet.shaped(said, HELP));
    }
    if sheet.rows.len() != stages + 1 {
        let said = format!(
            "has {} rows of values, and {stages} stages need {}: with none of them shared, the first, ... all",
            sheet.rows.len(),
            stages + 1
        );
        return Err(sheet.shaped(&said, HELP));
    }
    // Find the row of each number of shared stages: by a first column with these numbers, or by the order of the rows.
    let counted = columns.iter().all(|(c, _)| *c > 0);
    let mut at: Vec<Option<usize>> = vec![None; stages + 1];
    for row in 0..sheet.rows.len() {
        let count = if counted { sheet.rows[row].1[0].parse::<usize>().ok() } else { Some(row) };
        match count.and_then(|n| at.get_mut(n)).filter(|slot| slot.is_none()) {
            Some(slot) => *slot = Some(row),
            None => {
                return Err(sheet.wrong(row, 0, &format!("the numbers of shared stages are 0 to {stages}, each once")));
            }
        }
    }
    let mut out = Vec::new();
    for (column, pair) in columns {
        let (task, with) =
            pair.map_err(|why| sheet.at(sheet.first_line, format!("column `{}`: {why}", header[column])))?;
        let value = |row: &Option<usize>| {
            let row = row.expect("each is there");
            sheet.number(row, column)?.ok_or_else(|| sheet.wrong(row, column, "this cell is empty"))
        };
        let by_shared_stages = at.iter().map(value).collect::<Result<_, _>>()?;
        out.push(Pair { task: tasks[task].clone(), with: tasks[with].clone(), by_shared_stages });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_string).collect()
    }

    fn read_text(text: &str) -> Result<Pairs, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pairs.csv");
        std::fs::write(&path, text).expect("written");
        let found = read(&path, &names("a b c"), &names("s1 s2"), Some(Better::Higher));
        found.map_err(|e| e.to_string().replace(&folder.path().display().to_string(), "."))
    }

    const WIDE: &str = ",\"(0, 1)-0\",\"(0, 1)-1\",\"(a, c)-0\",\"(0, 2)-1\",\"(1, 2)-0\",\"(b, 'c')-1\"
0,1,2,3,4,5,6
2,21,22,23,24,25,26
1,11,12,13,14,15,16
";

    /// The table of TreeMTL's authors, by number or by name, with rows in any order, and the same results with one value per line.
    #[test]
    fn the_two_tables() {
        let found = read_text(WIDE).expect("it reads");
        let values = found.values(&names("a b c"), 2).expect("whole");
        assert_eq!(values[0][1], [1.0, 11.0, 21.0]);
        assert_eq!(values[1][0], [2.0, 12.0, 22.0]);
        assert_eq!(values[2][0], [4.0, 14.0, 24.0]);
        assert_eq!(values[2][1], [6.0, 16.0, 26.0]);
        let mut long = "Task;With;Shared;Score\n".to_string();
        for p in &found.pairs {
            for (n, v) in p.by_shared_stages.iter().enumerate() {
                long += &format!("{};{};{n};{v}\n", p.task, p.with);
            }
        }
        assert_eq!(read_text(&long).expect("it reads").values(&names("a b c"), 2), Ok(values));
        let json = serde_json::to_string(&found).expect("text");
        assert_eq!(read_text(&json).expect("it reads"), found);
        // Files for other tasks or stages are refused.
        let said = |from: &str, to: &str| read_text(&json.replace(from, to)).expect_err("refused");
        assert!(said("\"a\"", "\"x\"").contains("`tasks`: the program has no task `x`"));
        assert!(said("\"s2\"", "\"deep\"").contains("`stages`: the program has no stage `deep`"));
        assert!(said("[\"s1\",\"s2\"]", "[\"s2\",\"s1\"]").contains("another order"));
        assert!(
            said("\"better\":\"higher\"", "\"better\":\"lower\"")
                .contains("`better`: this contradicts the attribute `better` of the search")
        );
        assert!(
            said("\"epochs\":0", "\"epochs\":9223372036854775808").contains("`epochs`: 9223372036854775808 is not")
        );
        assert!(said("16.0", "1e39").contains("`c` with `b`, 1 stages shared: 1e39 is too large"));
        assert!(said("[6.0,16.0,26.0]", "[6.0,16.0]").contains("`c` with `b` has 2 values, and 2 stages need 3"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, said) in [
            ("22", "x", "line 3: column `(0, 1)-1`: \"x\" is not a finite number"),
            ("22", "1e308", "line 3: column `(0, 1)-1`: 1e308 is too large: values are 32-bit numbers"),
            ("13", "", "line 4: column `(a, c)-0`: this cell is empty"),
            ("(1, 2)-0", "(1, 3)-0", "line 1: column `(1, 3)-0`: the program has no task `3`; it has `a`, `b`, `c`"),
            ("(1, 2)-0", "note", "does not fit: nothing is given of `b` with `c`"),
            ("(1, 2)-0", "(0, 1)-0", "does not fit: `a` with `b` is given twice"),
            ("(1, 2)-0", "(1, 1)-0", "does not fit: `b` with `b`: these are not two tasks"),
            ("2,21", "3,21", "line 3: column `1`: the numbers of shared stages are 0 to 2, each once"),
            ("1,11,12,13,14,15,16\n", "", "has 2 rows of values, and 2 stages need 3"),
        ] {
            let found = read_text(&WIDE.replacen(from, to, 1)).expect_err(said);
            assert!(found.starts_with("`./pairs.csv`") && found.contains(said), "{found}");
        }
        let long = "task,with,shared,value\na,b,0,1\na,b,3,1\n";
        assert!(
            read_text(long).expect_err("refused").contains("line 3: column `shared`: \"3\" is not a number of stages")
        );
        let twice = "task,with,shared,value\na,b,0,1\na,b,0,1\n";
        assert!(read_text(twice).expect_err("refused").contains("line 3: column `value`: this value is given twice"));
        let both = "task,with,shared,loss,score\na,b,0,1,1\n";
        assert!(read_text(both).expect_err("refused").contains("the columns `loss` and `score` mean the same"));
        assert!(read_text("x,y\n1,2\n").expect_err("refused").contains("has neither the columns"));
        assert!(read_text("PK\u{3}\u{4}").expect_err("refused").contains("an Excel workbook"));
    }
}
