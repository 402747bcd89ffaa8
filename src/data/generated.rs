//! What generators share: splits of drawn samples.

use super::raw::{Raw, RawColumn, Split, Values};
use crate::diag::{Diagnostic, codes};
use crate::schema::{Args, AttrDef, Need, Ty};
use crate::source::Span;

/// The size of a generated value, and a number of samples: the bounds keep their products far from overflow.
pub const WIDTH: Ty = Ty::Int { min: 1, max: 1 << 20 };
pub const SAMPLES: Ty = Ty::Int { min: 1, max: 1 << 30 };

/// The most numbers that are generated for one data set: 4 GiB of them.
const MAX_NUMBERS: u64 = 1 << 30;

/// Refuses what would not fit into memory, from the numbers that one sample and the maps between its parts take.
pub fn check(args: &Args, item: Span, per_sample: u64, beside: u64) -> Option<Diagnostic> {
    let samples: u64 = sizes(args).iter().map(|n| *n as u64).sum();
    let numbers = samples.saturating_mul(per_sample).saturating_add(beside);
    (numbers > MAX_NUMBERS).then(|| {
        Diagnostic::new(codes::TYPE_RANGE, item, format!("this data set would have {numbers} numbers"))
            .label("too large to generate")
            .help("at most 2^30 are generated: ask for fewer samples, or smaller ones")
    })
}

pub const VALIDATION_SAMPLES: AttrDef = AttrDef {
    name: "validation_samples",
    ty: SAMPLES,
    need: Need::Default("500"),
    doc: "Samples of the validation split.",
};
pub const TEST_SAMPLES: AttrDef = AttrDef {
    name: "test_samples",
    ty: Ty::Int { min: 0, max: 1 << 30 },
    need: Need::Default("500"),
    doc: "Samples of the test split.",
};
pub const SEED: AttrDef = AttrDef {
    name: "seed",
    ty: crate::schema::NATURAL,
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
    Raw {
        format,
        columns,
        splits,
        missing: Vec::new(),
        missing_numbers: Vec::new(),
        files: Vec::new(),
        notes: Vec::new(),
    }
}
