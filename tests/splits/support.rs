//! A folder with data and a program, and the binary that is run there.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

pub struct Place {
    folder: tempfile::TempDir,
}

pub struct Output {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Output {
    #[track_caller]
    pub fn ok(self) -> Output {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }

    /// Ends with this code, and the message has all of these words.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> Output {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        // Lines of a message are broken and framed.
        let said = self.err.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in: {}", self.err);
        }
        assert!(!said.contains("bug in mtlc") && !said.contains("panicked"), "{}", self.err);
        self
    }
}

impl Place {
    pub fn new() -> Place {
        Place { folder: tempfile::tempdir().expect("a folder") }
    }

    /// With a table and a program that reads it by this `data` item.
    pub fn with(table: &str, data: &str) -> Place {
        let place = Place::new();
        place.write("t.csv", table.as_bytes());
        place.program(data);
        place
    }

    pub fn program(&self, data: &str) {
        self.write("p.mtl", program(data).as_bytes());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).expect("a file");
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Runs `mtlc` in the folder; the arguments stand apart by blanks.
    pub fn run(&self, arguments: &str) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_mtlc"))
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env("COLUMNS", "400")
            .output()
            .expect("the binary runs");
        let text = |b: Vec<u8>| String::from_utf8(b).expect("UTF-8");
        Output { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The cells of the column `id` in each split; the program has it as an input.
    #[track_caller]
    pub fn ids(&self) -> [BTreeSet<i64>; 3] {
        ["train", "validation", "test"].map(|split| {
            let shown = self.run(&format!("data preview p.mtl --split {split} --rows 100000 --json"));
            if shown.code == 4 && shown.err.contains(&format!("have no {split} split")) {
                return BTreeSet::new();
            }
            let shown = shown.ok();
            let rows = shown.out.lines().map(|l| serde_json::from_str::<Value>(l).expect("a JSON object a line"));
            rows.map(|r| id(&r).unwrap_or_else(|| panic!("no `id` in {r}"))).collect()
        })
    }
}

/// The value of `id` as it was read, wherever it is in the object.
fn id(value: &Value) -> Option<i64> {
    match value {
        Value::Object(map) => map.iter().find_map(|(k, v)| match (k.as_str(), v) {
            ("id", Value::Object(cell)) => cell.get("read").or(cell.get("raw")).or(cell.get("value"))?.as_f64(),
            ("id", v) => v.as_f64(),
            (_, v) => id(v).map(|i| i as f64),
        }),
        Value::Array(items) => items.iter().find_map(id).map(|i| i as f64),
        _ => None,
    }
    .map(|v| v as i64)
}

/// A program over a table with the columns `id` and `y`, and whatever else.
pub fn program(data: &str) -> String {
    format!(
        "mtl 1\n\n{data}\n\ninput x: fields {{ from = d[id] }}\ntask y: binary {{ label = d.y == 1 }}\nbackbone net(x) {{ stage s = \
         one_hot -> linear(2) }}\nhead for y = linear(outputs)\ntrain {{ epochs = 1, batch = 16 }}\n"
    )
}

/// A table of `rows` rows: `id`, `user` (groups of uneven size), `kind` (a in a quarter), `day`, `part`, `y`.
pub fn table(rows: usize) -> String {
    let mut out = "id,user,kind,day,part,y\n".to_string();
    for i in 0..rows {
        let user = (i * i + i / 3) % 17;
        let kind = if i % 4 == 0 { "a" } else { "b" };
        let day = format!("2026-{:02}-{:02}", 1 + (i * 7) % 12, 1 + (i * 5) % 28);
        let part = ["train", "Val", "TEST", "train", "train"][i % 5];
        out += &format!("{i},u{user},{kind},{day},{part},{}\n", i % 2);
    }
    out
}

/// A column of that table, by `id`.
pub fn column(table: &str, name: &str) -> Vec<String> {
    let at = table.lines().next().expect("a header").split(',').position(|c| c == name).expect("the column");
    let mut rows: Vec<(usize, String)> = table
        .lines()
        .skip(1)
        .map(|l| {
            let cells: Vec<&str> = l.split(',').collect();
            (cells[0].parse().expect("an id"), cells[at].to_string())
        })
        .collect();
    rows.sort();
    rows.into_iter().map(|(_, c)| c).collect()
}
