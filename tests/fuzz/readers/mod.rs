//! Mutated files through the readers.

pub mod arrays;
pub mod checkpoints;
pub mod derived;
pub mod records;
pub mod schemas;
pub mod states;
pub mod tables;

use std::path::{Path, PathBuf};

use mtlc::data::axes::Order;
use mtlc::data::{DataError, Facts, InputFrom, InputSpec, Raw, Schema, encode};

use crate::support;

/// A folder of a target's own, in memory where the machine has such.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Folder {
        let memory = Path::new("/dev/shm");
        let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Folder(made.or_else(|_| tempfile::tempdir()).expect("a temporary folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("the temporary folder can be written");
        path
    }
}

/// What holds of a failure: it says something, on one line, and so does its help.
pub fn says_what(e: &DataError) {
    let text = e.to_string();
    assert!(text.len() > 10, "a failure says too little: {text:?}");
    let help = e.help().unwrap_or_default();
    let start: String = text.chars().take(200).collect();
    assert!(
        text.len() + help.len() < 4000,
        "a failure says too much: {} and {} bytes: {start}",
        text.len(),
        help.len()
    );
}

/// What holds of data that were read: the parts fit together, the facts can be frozen, written, read back and agree with the
/// data that they are of, and whatever is encoded is numbers.
pub fn data_laws(raw: &Raw) {
    for split in &raw.splits {
        for (values, column) in split.columns.iter().zip(&raw.columns) {
            assert_eq!(values.len(), split.rows * column.elements(), "the column `{}` in a split", column.name);
        }
        assert_eq!(split.columns.len(), raw.columns.len());
    }
    let schema = Schema::freeze(raw);
    assert_eq!(schema, Schema::freeze(raw), "freezing twice differs");
    schema.notes();
    schema.verify(raw).expect("the facts are the data's own");
    let text = schema.to_mtl("d");
    let item = support::item(&text);
    let back = Schema::from_ast(&item, &|_| unreachable!())
        .unwrap_or_else(|d| panic!("a frozen schema is refused: {d:?}\n{text}"));
    assert_eq!(back, schema, "a schema changes by being written\n{text}");
    assert_eq!(back.digest_text(), schema.digest_text());
    for c in &schema.columns {
        let one = |from| vec![InputSpec { name: "x".into(), from }];
        let names = || vec![c.name.clone()];
        let dense = |scale, normalize| InputFrom::Dense {
            columns: names(),
            sizes: c.shape.clone(),
            order: Order::Chw,
            scale,
            normalize,
            exif: true,
        };
        let mut ways = vec![dense(None, false), dense(None, true), dense(Some([-1.0, 1.0]), false)];
        ways.push(InputFrom::Fields { columns: names(), unknown: 0.0 });
        for way in ways {
            match encode(raw, &schema, &one(way), &[]) {
                Ok(set) => {
                    for table in [&set.train, &set.validation, &set.test] {
                        assert_eq!(table.inputs[0].values.len(), table.rows * table.inputs[0].size);
                        let odd = table.inputs[0].values.iter().find(|v| !v.is_finite());
                        assert!(odd.is_none(), "the column `{}` is encoded as {odd:?}", c.name);
                    }
                }
                Err(e) => {
                    says_what(&e);
                    let numeric = matches!(c.facts, Facts::Numeric { .. });
                    assert!(numeric || matches!(e, DataError::Option { .. }), "{e}");
                }
            }
        }
    }
}
