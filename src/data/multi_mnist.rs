//! `format = multi_mnist`: two digits of MNIST on one canvas; the tasks are to name each (Sabour et al. 2017; the layout with
//! fixed places is that of Sener and Koltun 2018, before they shrink it to 28x28).
//!
//! Composed from the idx files, each sample a function of the seed and of its number. Validation digits are set apart before
//! anything is composed, so that no digit image stands in two splits.

use rand::RngExt;

use super::generated::{self, SAMPLES, SEED, TEST_SAMPLES, VALIDATION_SAMPLES, raw, sizes};
use super::idx::{Array, pair, read};
use super::{DataError, FileFact, FormatDef, KnownColumn, LoadContext, Outline, Raw, RawColumn, Values, files};
use crate::random::Randomness;
use crate::schema::{Args, AttrDef, CallDef, NATURAL, Need, Ty};

pub static DEF: FormatDef = FormatDef {
    call: CallDef {
        name: "multi_mnist",
        doc: "Two overlaid MNIST digits. Columns: `image` `[1, 36, 36]`, `left` and `right` (class numbers).",
        args: &[
            AttrDef {
                name: "root",
                ty: Ty::Path,
                need: Need::Required,
                doc: "Folder with MNIST's four idx files: `train-images-idx3-ubyte` and so on, `.gz` or not.",
            },
            AttrDef {
                name: "samples",
                ty: SAMPLES,
                need: Need::Default("60000"),
                doc: "Samples of the training split.",
            },
            VALIDATION_SAMPLES,
            TEST_SAMPLES,
            AttrDef {
                name: "place",
                ty: Ty::OneOf(&["fixed", "random"]),
                need: Need::Default("fixed"),
                doc: "`fixed`: the left digit in the upper left corner, the right one `shift` pixels further right and down. \
                      `random`: each digit up to `shift` pixels from the centre, in both directions.",
            },
            AttrDef {
                name: "shift",
                ty: Ty::Int { min: 0, max: 8 },
                need: Need::Default("6"),
                doc: "Pixels; at most 8 with `fixed` and 4 with `random`, where 4 is Sabour's.",
            },
            AttrDef {
                name: "distinct",
                ty: Ty::Bool,
                need: Need::Default("false"),
                doc: "Whether the two digits must be of different classes, as Sabour has it.",
            },
            AttrDef {
                name: "held_out",
                ty: NATURAL,
                need: Need::Default("10000"),
                doc: "Training digits set apart for validation; at most half of them.",
            },
            SEED,
        ],
    },
    outline: |_| Outline {
        columns: Some(vec![
            KnownColumn::numeric("image", &[1, SIDE + MARGIN, SIDE + MARGIN]),
            KnownColumn::numeric("left", &[]),
            KnownColumn::numeric("right", &[]),
        ]),
        missing: Vec::new(),
    },
    check: |args, item| {
        generated::check(args, item, ((SIDE + MARGIN) * (SIDE + MARGIN)) as u64, 0).into_iter().collect()
    },
    files: |_| Default::default(),
    load,
};

/// Height and width of a digit.
const SIDE: usize = 28;
/// Pixels that the canvas is larger than a digit.
const MARGIN: usize = 8;

struct Digits {
    images: Vec<u8>,
    labels: Vec<u8>,
}

fn digits(root: &str, prefix: &str, context: &LoadContext, facts: &mut Vec<FileFact>) -> Result<Digits, DataError> {
    let mut open = |name: &str| -> Result<Array, DataError> {
        let written = format!("{}/{prefix}-{name}-ubyte", root.trim_end_matches('/'));
        let array = read(&files::either(&written, context), context)?;
        facts.push(array.fact.clone());
        Ok(array)
    };
    let (images, labels) = (open("images-idx3")?, open("labels-idx1")?);
    let path = images.path.clone();
    let (part, [image, label]) = pair(images, labels)?;
    let mut columns = part.columns.into_iter();
    match (columns.next(), columns.next(), image.as_slice(), label.as_slice()) {
        (Some(Values::U8(images)), Some(Values::U8(labels)), [1, SIDE, SIDE], []) => Ok(Digits { images, labels }),
        _ => Err(DataError::Magic {
            path,
            expected: "a file of MNIST images",
            found: format!("{image:?} values per image and {label:?} per label, or not bytes"),
        }),
    }
}

fn load(args: &Args, context: &LoadContext) -> Result<Raw, DataError> {
    let mut facts = Vec::new();
    let root = args.str("root");
    let train = digits(root, "train", context, &mut facts)?;
    let test = digits(root, "t10k", context, &mut facts)?;
    let random = Randomness::new(args.size("seed") as u64);
    let order = random.permutation("multi_mnist.pool", [0; 3], train.labels.len());
    let held = args.size("held_out").min(train.labels.len() / 2);
    let (held, rest) = order.split_at(held);
    let everything: Vec<u32> = (0..test.labels.len() as u32).collect();
    let [n_train, n_validation, n_test] = sizes(args);
    let splits = [
        compose(&train, rest, n_train, 0, args, random)?,
        compose(&train, held, n_validation, 1, args, random)?,
        compose(&test, &everything, n_test, 2, args, random)?,
    ];
    let canvas = [1, SIDE + MARGIN, SIDE + MARGIN];
    let columns = vec![
        RawColumn { range: Some([0.0, 255.0]), ..RawColumn::new("image", &canvas) },
        RawColumn::new("left", &[]),
        RawColumn::new("right", &[]),
    ];
    Ok(Raw { files: facts, ..raw(DEF.call.name, columns, splits) })
}

fn compose(
    digits: &Digits,
    pool: &[u32],
    rows: usize,
    split: u64,
    args: &Args,
    random: Randomness,
) -> Result<(usize, Vec<Values>), DataError> {
    if rows > 0 && pool.is_empty() {
        return Err(DataError::option("a split has no digits to compose from", "raise `held_out`, or check the files"));
    }
    let one_class = pool.iter().all(|d| digits.labels[*d as usize] == digits.labels[pool[0] as usize]);
    let distinct = args.bool("distinct");
    if distinct && rows > 0 && one_class {
        return Err(DataError::option(
            "all digits are of one class, and `distinct` wants two",
            "write `distinct = false`",
        ));
    }
    const WIDTH: usize = SIDE + MARGIN;
    let spread = args.str("place") == "random";
    let shift = args.size("shift").min(if spread { MARGIN / 2 } else { MARGIN });
    let mut images = vec![0u8; rows * WIDTH * WIDTH];
    let (mut lefts, mut rights) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for (row, canvas) in images.chunks_exact_mut(WIDTH * WIDTH).enumerate() {
        let mut rng = random.stream("multi_mnist", [split, row as u64, 0]);
        // Left digits go through the pool in turn, as in the published loader; right ones are drawn.
        let left = pool[row % pool.len()] as usize;
        let right = loop {
            let right = pool[rng.random_range(0..pool.len())] as usize;
            if !distinct || digits.labels[right] != digits.labels[left] {
                break right;
            }
        };
        let mut offset = |fixed: usize| match spread {
            true => (MARGIN / 2 - shift) + rng.random_range(0..=2 * shift),
            false => fixed,
        };
        for (digit, fixed) in [(left, 0), (right, shift)] {
            let (top, side) = (offset(fixed), offset(fixed));
            let image = &digits.images[digit * SIDE * SIDE..(digit + 1) * SIDE * SIDE];
            for (y, line) in image.chunks_exact(SIDE).enumerate() {
                for (x, v) in line.iter().enumerate() {
                    let at = &mut canvas[(top + y) * WIDTH + side + x];
                    *at = (*at).max(*v);
                }
            }
        }
        lefts.push(digits.labels[left]);
        rights.push(digits.labels[right]);
    }
    Ok((rows, vec![Values::U8(images), Values::U8(lefts), Values::U8(rights)]))
}
