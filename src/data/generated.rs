//! What generators share: splits of drawn samples.

use super::raw::{Raw, RawColumn, Split, Values};
use crate::schema::{Args, AttrDef, COUNT, NATURAL, Need};

pub const VALIDATION_SAMPLES: AttrDef = AttrDef {
    name: "validation_samples",
    ty: COUNT,
    need: Need::Default("500"),
    doc: "Samples of the validation split.",
};
pub const TEST_SAMPLES: AttrDef =
    AttrDef { name: "test_samples", ty: NATURAL, need: Need::Default("500"), doc: "Samples of the test split." };
pub const SEED: AttrDef = AttrDef {
    name: "seed",
    ty: NATURAL,
    need: Need::Default("0"),
    doc: "Seed of the data, apart from the seed of a run. Every sample is a function of it and of its own number.",
};

/// Samples per split.
pub fn sizes(args: &Args) -> [usize; 3] {
    [args.size("samples"), args.size("validation_samples"), args.size("test_samples")]
}

/// Puts generated splits together.
pub fn raw(format: &'static str, columns: Vec<RawColumn>, splits: [(usize, Vec<Values>); 3]) -> Raw {
    let splits = splits.map(|(rows, columns)| Split { rows, columns, unit: "generated sample", ..Split::default() });
    Raw { format, columns, splits, missing: Vec::new(), files: Vec::new(), notes: Vec::new() }
}
