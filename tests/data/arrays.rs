//! Arrays as files hold them: every type and order of NumPy's format, and the axes of inputs.

use mtlc::data::axes::Order;
use mtlc::data::{InputFrom, InputSpec, Raw, Schema, encode};

use super::support::*;

/// The values of the only column of a file.
fn column(bytes: &[u8]) -> Result<(Vec<usize>, Vec<f64>), String> {
    let at = folder();
    write(at.path(), "a.npy", bytes);
    match load("format = npy, train = [\"a.npy\"], validation = [\"a.npy\"]", at.path()) {
        Ok(raw) => Ok((raw.columns[0].shape.clone(), raw.splits[0].columns[0].numbers().collect())),
        Err(e) => Err(e.to_string()),
    }
}

/// A `.npy` of another version, whose header is padded as NumPy pads it.
fn version(version: u8, dtype: &str, shape: &str, body: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
    header += &" ".repeat(63 - header.len() % 64);
    header.push('\n');
    let mut out = [b"\x93NUMPY", &[version, 0][..]].concat();
    match version {
        1 => out.extend((header.len() as u16).to_le_bytes()),
        _ => out.extend((header.len() as u32).to_le_bytes()),
    }
    out.extend(header.bytes());
    out.extend(body);
    out
}

#[test]
fn types_orders_and_versions() {
    let all = |v: &[f64]| Ok((Vec::new(), v.to_vec()));
    let halves = [0x3c00u16, 0xc000, 0x3555].map(u16::to_le_bytes).concat();
    assert_eq!(column(&npy("<f2", false, &[3], &halves)), all(&[1.0, -2.0, f64::from(0.333_251_95f32)]));
    let big = [1.5f32, -0.25].map(f32::to_be_bytes).concat();
    assert_eq!(column(&npy(">f4", false, &[2], &big)), all(&[1.5, -0.25]));
    assert_eq!(column(&npy("<i2", false, &[2], &[0xff, 0xff, 2, 1])), all(&[-1.0, 258.0]));
    assert_eq!(column(&npy("|i1", false, &[2], &[0xff, 2])), all(&[-1.0, 2.0]));
    assert_eq!(column(&npy("<u4", false, &[1], &[0xff; 4])), all(&[4294967295.0]));
    assert_eq!(column(&npy(">u8", false, &[1], &9u64.to_be_bytes())), all(&[9.0]));
    assert_eq!(column(&npy("|b1", false, &[3], &[0, 1, 1])), all(&[0.0, 1.0, 1.0]));
    for v in [1, 2, 3] {
        assert_eq!(column(&version(v, "<i8", "(2,)", &[7i64, -8].map(i64::to_le_bytes).concat())), all(&[7.0, -8.0]));
    }
    assert!(column(&version(4, "|u1", "(1,)", &[0])).unwrap_err().contains("version 4 of the format"));
    // A label of one value in a list is a number.
    assert_eq!(column(&npy("|u1", false, &[2, 1], &[4, 5])), Ok((vec![1], vec![4.0, 5.0])));
}

/// Three axes, big-endian and in Fortran order: sample n, row i, column j holds 100 n + 10 i + j.
#[test]
fn fortran_order_counts_the_samples_too() {
    let sizes = [2usize, 3, 4];
    let mut body = Vec::new();
    for j in 0..sizes[2] {
        for i in 0..sizes[1] {
            for n in 0..sizes[0] {
                body.extend(((100 * n + 10 * i + j) as f64).to_be_bytes());
            }
        }
    }
    let wanted: Vec<f64> = (0..24).map(|k| (100 * (k / 12) + 10 * (k / 4 % 3) + k % 4) as f64).collect();
    assert_eq!(column(&npy(">f8", true, &sizes, &body)), Ok((vec![3, 4], wanted)));
    // Of one axis there is no order.
    assert_eq!(column(&npy("|u1", true, &[3], &[1, 2, 3])), Ok((vec![], vec![1.0, 2.0, 3.0])));
}

#[test]
fn claimed_lengths_are_not_trusted() {
    let bad = |bytes: &[u8]| column(bytes).expect_err("must be refused");
    let mut long = version(2, "|u1", "(1,)", &[0]);
    long[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(bad(&long).contains("the header is cut off"));
    assert!(bad(&npy("<f8", true, &[1 << 40, 3], &[0; 8])).contains("8 follow the header"));
    assert!(bad(&npy("<f2", true, &[usize::MAX >> 1, 2], &[])).contains("which no file can hold"));
    assert!(bad(&npy("<f2", false, &[2], &[0; 3])).contains("needs 4 bytes, and 3 follow"));
    assert!(bad(&npy("<c8", false, &[1], &[0; 8])).contains("type `<c8`"));
}

/// 3 channels of 2 x 3 whose values are 100 channel + 10 row + column, once per order; and a second sample, negated.
fn images(hwc: bool) -> Vec<f32> {
    let mut out = Vec::new();
    for sign in [1.0, -1.0] {
        for k in 0..18 {
            let (c, y, x) = if hwc { (k % 3, k / 9, k / 3 % 3) } else { (k / 6, k / 3 % 2, k % 3) };
            out.push(sign * (100 * c + 10 * y + x) as f32);
        }
    }
    out
}

fn raw_of(shape: &[usize], values: &[f32]) -> (tempfile::TempDir, Raw) {
    let at = folder();
    let body: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    write(at.path(), "x.npy", &npy("<f4", false, shape, &body));
    let raw = load("format = npy, train = [\"x.npy\"], validation = [\"x.npy\"]", at.path()).expect("reads");
    (at, raw)
}

fn read(raw: &Raw, columns: &[&str], sizes: &[usize], order: Order) -> Result<Vec<f32>, String> {
    let columns = columns.iter().map(|c| c.to_string()).collect();
    let from = InputFrom::Dense { columns, sizes: sizes.to_vec(), order, scale: None, normalize: false, exif: true };
    let input = InputSpec { name: "x".into(), from };
    match encode(raw, &Schema::freeze(raw), &[input], &[]) {
        Ok(data) => Ok(data.train.inputs[0].values.clone()),
        Err(e) => Err(format!("{e} | {}", e.help().unwrap_or_default())),
    }
}

#[test]
fn inputs_are_read_by_axis() {
    let (_at, chw) = raw_of(&[2, 3, 2, 3], &images(false));
    let (_at, hwc) = raw_of(&[2, 2, 3, 3], &images(true));
    assert_eq!(read(&chw, &["x"], &[3, 2, 3], Order::Chw), Ok(images(false)));
    assert_eq!(read(&hwc, &["x"], &[3, 2, 3], Order::Hwc), Ok(images(false)), "the same numbers");
    let refused = read(&hwc, &["x"], &[3, 2, 3], Order::Chw).unwrap_err();
    assert_eq!(
        refused,
        "the input `x` is declared as f32[3, 2, 3], and column `x` holds [2, 3, 3] per sample | the array holds height, width, \
         channels: write `layout = hwc`"
    );
    let refused = read(&chw, &["x"], &[3, 2, 3], Order::Hwc).unwrap_err();
    assert!(refused.contains("leave out `layout = hwc`"), "{refused}");
    // Transposed, and flat: as many values, and other axes.
    let refused = read(&chw, &["x"], &[3, 3, 2], Order::Chw).unwrap_err();
    assert!(refused.contains("f32[3, 3, 2]") && refused.contains("[3, 2, 3]"), "{refused}");
    let refused = read(&chw, &["x"], &[18], Order::Chw).unwrap_err();
    assert!(refused.contains("flatten it in the first stage"), "{refused}");
    // A square image: channels alone show the order.
    let (_at, square) = raw_of(&[1, 4, 4, 3], &[0.0; 48]);
    assert!(read(&square, &["x"], &[3, 4, 4], Order::Chw).unwrap_err().contains("write `layout = hwc`"));
    assert!(read(&square, &["x"], &[3, 4, 4], Order::Hwc).is_ok());
    // A grey image with and without its channel.
    let (_at, grey) = raw_of(&[3, 4, 2], &[1.0; 24]);
    for sizes in [&[4, 2][..], &[1, 4, 2], &[4, 2, 1]] {
        assert!(read(&grey, &["x"], sizes, Order::Chw).is_ok(), "{sizes:?}");
    }
    assert!(read(&grey, &["x"], &[1, 2, 4], Order::Chw).is_err());
}

#[test]
fn idx_arrays_are_read_by_axis_too() {
    let at = folder();
    // Sizes of a sample are [2, 3, 3]: an image with its channels last.
    let pixels: Vec<u8> = images(true)[..18].iter().map(|v| *v as u8).collect();
    write(at.path(), "i", &idx(&[2, 2, 3, 3], &pixels.repeat(2)));
    write(at.path(), "l", &idx(&[2], &[1, 1]));
    let raw = load("format = idx, images = \"i\", labels = \"l\", validation = share(0.5)", at.path()).expect("reads");
    assert!(read(&raw, &["image"], &[3, 2, 3], Order::Chw).unwrap_err().contains("write `layout = hwc`"));
    assert_eq!(read(&raw, &["image"], &[3, 2, 3], Order::Hwc), Ok(images(false)[..18].to_vec()));
}

#[test]
fn a_missing_number_in_an_array_is_no_input() {
    let (_at, raw) = raw_of(&[2, 3], &[1.0, 2.0, 3.0, 4.0, f32::NAN, 6.0]);
    assert_eq!(Schema::freeze(&raw).columns[0].missing, 1);
    let refused = read(&raw, &["x"], &[3], Order::Chw).unwrap_err();
    assert!(refused.contains("sample 1, column `x`: NaN is not a finite number"), "{refused}");
}
