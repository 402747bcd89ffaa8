//! Labels of several components and of pixels: which of them count, in what order they are read, and what is refused.

use mtlc::data::axes::Order;
use mtlc::data::label::{check_label, check_mask};
use mtlc::data::{LabelData, LabelSpec, Mask, Raw, Reading, Resize, Schema, encode};
use mtlc::objective::TaskKind;

use super::support::*;

/// An archive of arrays of f32, one sample each unless the shape says otherwise.
fn arrays(all: &[(&str, &[usize], &[f32])]) -> (tempfile::TempDir, Raw) {
    let at = folder();
    let members: Vec<(String, Vec<u8>)> = all
        .iter()
        .map(|(name, shape, values)| {
            let body: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            (format!("{name}.npy"), npy("<f4", false, shape, &body))
        })
        .collect();
    let members: Vec<(&str, Vec<u8>, bool)> = members.iter().map(|(n, b)| (n.as_str(), b.clone(), true)).collect();
    write(at.path(), "d.npz", &zip(&members));
    let raw = load("format = npy, train = \"d.npz\", validation = \"d.npz\"", at.path()).expect("reads");
    (at, raw)
}

struct Asked<'a> {
    kind: TaskKind,
    label: &'a str,
    mask: Option<&'a str>,
    reading: Reading,
    pixels: Option<[usize; 2]>,
}

fn asked(kind: TaskKind, label: &str) -> Asked<'_> {
    Asked { kind, label, mask: None, reading: Reading::default(), pixels: None }
}

impl<'a> Asked<'a> {
    fn mask(self, mask: &'a str) -> Self {
        Asked { mask: Some(mask), ..self }
    }

    fn ignore(mut self, values: &[f64]) -> Self {
        self.reading.ignore = values.to_vec();
        self
    }

    fn hwc(mut self) -> Self {
        self.reading.order = Order::Hwc;
        self
    }

    fn sized(mut self, pixels: [usize; 2], resize: Option<Resize>) -> Self {
        (self.pixels, self.reading.resize) = (Some(pixels), resize);
        self
    }

    fn read(&self, raw: &Raw) -> Result<LabelData, String> {
        let excused = self.mask.is_some() || !self.reading.ignore.is_empty();
        let said =
            |d: Vec<mtlc::diag::Diagnostic>| format!("{} | {}", d[0].message, d[0].help.clone().unwrap_or_default());
        let known = known(raw);
        let label = check_label(&expr(self.label), self.kind, excused, &known).map_err(said)?;
        let mask = self.mask.map(|m| check_mask(&expr(m), self.kind, &known)).transpose().map_err(said)?;
        let (kind, reading, pixels) = (self.kind, self.reading.clone(), self.pixels);
        let spec = LabelSpec { task: "t".into(), kind, label, mask, reading, pixels, standardize: false };
        match encode(raw, &Schema::freeze(raw), &[], &[spec]) {
            Ok(mut data) => Ok(data.train.labels.remove(0)),
            Err(e) => Err(format!("{e} | {}", e.help().unwrap_or_default())),
        }
    }
}

#[track_caller]
fn is(found: Result<LabelData, String>, values: &[f32], mask: Option<(usize, &[u8])>) {
    let found = found.expect("encodes");
    assert_eq!(found.values, values);
    assert_eq!(found.mask, mask.map(|(size, marks)| Mask { size, marks: marks.to_vec() }));
}

const NAN: f32 = f32::NAN;

#[test]
fn components_are_missing_one_by_one() {
    let tags = [1., NAN, 0., NAN, NAN, NAN, 0., 1., 1.];
    let (_at, raw) = arrays(&[("tags", &[3, 3], &tags), ("code", &[3, 2], &[-1., 1., 0., -1., 1., 0.])]);
    let found = asked(TaskKind::Multilabel(Some(3)), "d.tags").read(&raw);
    is(found.clone(), &[1., 0., 0., 0., 0., 0., 0., 1., 1.], Some((3, &[1, 0, 1, 0, 0, 0, 1, 1, 1])));
    let found = found.unwrap();
    assert_eq!([0, 1, 2].map(|r| found.counted(r)), [2, 0, 3]);
    let numbers = asked(TaskKind::Regression(3), "d.tags * 2 + 1").read(&raw);
    is(numbers, &[3., 0., 1., 0., 0., 0., 1., 3., 3.], Some((3, &[1, 0, 1, 0, 0, 0, 1, 1, 1])));
    // A declared value, and the same by a mask as an array.
    let wanted: (&[f32], &[u8]) = (&[0., 1., 0., 0., 1., 0.], &[0, 1, 1, 0, 1, 1]);
    let two = TaskKind::Multilabel(Some(2));
    is(asked(two, "d.code").ignore(&[-1.0]).read(&raw), wanted.0, Some((2, wanted.1)));
    is(asked(two, "d.code").mask("d.code >= 0").read(&raw), wanted.0, Some((2, wanted.1)));
    is(asked(two, "d.code > 0").mask("d.code != -1").read(&raw), wanted.0, Some((2, wanted.1)));
    let refused = asked(two, "d.code").read(&raw).unwrap_err();
    assert!(
        refused.contains("sample 0: the label of task `t` is -1 in place 0") && refused.contains("`ignore = -1`"),
        "{refused}"
    );
}

#[test]
fn columns_of_a_table_are_missing_one_by_one() {
    let at = folder();
    write(at.path(), "t.csv", b"a,b,c\n1,0,2.5\n,1,\n0,,-1\n1,-1,0\n");
    let raw = load("format = csv, train = \"t.csv\", validation = \"t.csv\"", at.path()).expect("reads");
    let found = asked(TaskKind::Multilabel(Some(2)), "[d.a == 1, d.b == 1]").read(&raw);
    is(found, &[1., 0., 0., 1., 0., 0., 1., 0.], Some((2, &[1, 1, 0, 1, 1, 0, 1, 1])));
    // With a mask per label, -1 is not looked at.
    let masked = asked(TaskKind::Multilabel(Some(2)), "[d.a, d.b]").mask("[d.a >= 0, d.b >= 0]").read(&raw);
    is(masked, &[1., 0., 0., 1., 0., 0., 1., 0.], Some((2, &[1, 1, 0, 1, 1, 0, 1, 0])));
    let numbers = asked(TaskKind::Regression(2), "[d.b, d.a]").read(&raw);
    is(numbers, &[0., 1., 1., 0., 0., 0., -1., 1.], Some((2, &[1, 1, 1, 0, 0, 1, 1, 1])));
    // Rows that miss all or nothing have one mark.
    let rows = asked(TaskKind::Regression(2), "[d.c, d.c + 1]").read(&raw);
    is(rows, &[2.5, 3.5, 0., 0., -1., 0., 0., 1.], Some((1, &[1, 0, 1, 1])));
}

#[test]
fn a_mask_is_applied_before_labels_are_checked() {
    let (_at, raw) = arrays(&[("a", &[4], &[0., -1., 1., -1.]), ("k", &[4], &[2., -1., 0., 7.])]);
    is(asked(TaskKind::Binary, "d.a").mask("d.a >= 0").read(&raw), &[0., 0., 1., 0.], Some((1, &[1, 0, 1, 0])));
    is(asked(TaskKind::Binary, "d.a").ignore(&[-1.0]).read(&raw), &[0., 0., 1., 0.], Some((1, &[1, 0, 1, 0])));
    let classes = TaskKind::Classes(Some(3));
    is(asked(classes, "d.k").mask("d.k in 0..2").read(&raw), &[2., 0., 0., 0.], Some((1, &[1, 0, 1, 0])));
    is(asked(classes, "d.k + 0").ignore(&[-1.0, 7.0]).read(&raw), &[2., 0., 0., 0.], Some((1, &[1, 0, 1, 0])));
    // Without them, the help does not turn what is unlabelled into negatives.
    let refused = asked(TaskKind::Binary, "d.a").read(&raw).unwrap_err();
    assert_eq!(
        refused,
        "a `binary` label is 0 or 1, and this goes from -1 to 1 | if -1 means that there is no label, write `ignore = -1` (or \
         `mask = d.a >= 0`); else compare it: `== 1`, `> 0`, `in [1, 2]`"
    );
    // A mask that leaves a wrong label in.
    let refused = asked(classes, "d.k").mask("d.k >= 0").read(&raw).unwrap_err();
    assert!(
        refused.contains("sample 3: the label of task `t` is 7, and `classes(3)` takes whole numbers from 0 to 2"),
        "{refused}"
    );
}

#[test]
fn pixels_are_left_out() {
    let (_at, raw) = arrays(&[
        ("seg", &[2, 2, 3], &[0., 1., 255., 1., 1., 0., 255., 255., 255., 255., 255., 255.]),
        ("far", &[2, 1, 2, 3], &[0., 2., 3., 4., NAN, 6., 1., 1., 1., 1., 1., -9.]),
        ("valid", &[2, 2, 3], &[1., 1., 0., 0., 1., 1., 1., 1., 1., 1., 1., 1.]),
        ("whole", &[2], &[1., 0.]),
    ]);
    let (seg, depth) = (TaskKind::Segmentation(2), TaskKind::Depth);
    let kept: &[u8] = &[1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0];
    let classes = [0., 1., 0., 1., 1., 0., 0., 0., 0., 0., 0., 0.];
    is(asked(seg, "d.seg").ignore(&[255.0]).read(&raw), &classes, Some((6, kept)));
    is(asked(seg, "d.seg").mask("d.seg != 255").read(&raw), &classes, Some((6, kept)));
    let found = asked(seg, "d.seg").ignore(&[255.0, 254.0]).read(&raw).unwrap();
    assert_eq!([found.counted(0), found.counted(1)], [5, 0], "the second sample has no label");
    // Labels are shifted value by value: 1 is the first class, and 0 has none.
    let shifted = asked(seg, "d.seg - 1").mask("d.seg > 0 and d.seg < 255").read(&raw);
    is(shifted, &[0.; 12], Some((6, &[0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0])));
    // Depth: NaN, zeros, a declared value, an array of valid pixels, a mark per sample.
    is(
        asked(depth, "d.far").read(&raw),
        &[0., 2., 3., 4., 0., 6., 1., 1., 1., 1., 1., -9.],
        Some((6, &[1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1])),
    );
    let holes = asked(depth, "d.far").ignore(&[0.0, -9.0]).read(&raw);
    is(holes, &[0., 2., 3., 4., 0., 6., 1., 1., 1., 1., 1., 0.], Some((6, &[0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0])));
    is(
        asked(depth, "d.far").mask("d.far > 0").read(&raw),
        &[0., 2., 3., 4., 0., 6., 1., 1., 1., 1., 1., 0.],
        Some((6, &[0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0])),
    );
    let valid = asked(depth, "d.far").mask("d.valid").read(&raw);
    is(valid, &[0., 2., 0., 0., 0., 6., 1., 1., 1., 1., 1., -9.], Some((6, &[1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1])));
    let both = asked(seg, "d.seg").mask("d.seg < 2 and d.valid == 1 and d.whole == 1").read(&raw);
    is(both, &[0., 1., 0., 0., 1., 0., 0., 0., 0., 0., 0., 0.], Some((6, &[1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0])));
    is(
        asked(depth, "d.far").ignore(&[-9.0]).mask("d.whole").read(&raw),
        &[0., 2., 3., 4., 0., 6., 0., 0., 0., 0., 0., 0.],
        Some((6, &[1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0])),
    );
    // Out of range, with the pixel.
    let refused = asked(seg, "d.seg + 0").read(&raw).unwrap_err();
    assert!(
        refused.contains("sample 0: the label of task `t` is 255 in pixel [0, 2], and `segmentation(2)`"),
        "{refused}"
    );
    let refused = asked(seg, "d.seg").read(&raw).unwrap_err();
    assert!(refused.contains("0 to 1, and this goes from 0 to 255") && refused.contains("`ignore = 255`"), "{refused}");
    // Masks that do not fit.
    let refused = asked(depth, "d.far").mask("d.far + 1").read(&raw).unwrap_err();
    assert!(refused.starts_with("a mask is true or false"), "{refused}");
}

#[test]
fn normals_miss_whole_vectors() {
    // Two pixels across: the second vector is zero, or has a part that is missing. One sample in either order.
    let chw = [1., 0., 2., 0., 3., 0., /* second */ 1., NAN, 0., 1., 0., 1.];
    let hwc = [1., 2., 3., 0., 0., 0., /* second */ 1., 0., 0., NAN, 1., 1.];
    let (_at, raw) =
        arrays(&[("chw", &[2, 3, 1, 2], &chw), ("hwc", &[2, 1, 2, 3], &hwc), ("seen", &[2, 1, 2], &[1., 1., 0., 1.])]);
    let values = [1., 0., 2., 0., 3., 0., 1., 0., 0., 0., 0., 0.];
    let found = asked(TaskKind::Normals, "d.chw").ignore(&[0.0]).read(&raw);
    is(found.clone(), &values, Some((2, &[1, 0, 1, 0])));
    let found = found.unwrap();
    assert_eq!(found.parts(0, 0).collect::<Vec<_>>(), [1., 2., 3.]);
    is(asked(TaskKind::Normals, "d.hwc").hwc().ignore(&[0.0]).read(&raw), &values, Some((2, &[1, 0, 1, 0])));
    // A mark per pixel holds for all three numbers, and a vector with a zero in it is one.
    let seen = asked(TaskKind::Normals, "d.chw").mask("d.seen").read(&raw);
    is(seen, &[1., 0., 2., 0., 3., 0., 0., 0., 0., 0., 0., 0.], Some((1, &[1, 0])));
    let parts = asked(TaskKind::Normals, "d.hwc").hwc().mask("d.hwc >= 0").ignore(&[0.0]).read(&raw);
    is(parts, &values, Some((2, &[1, 0, 1, 0])));
    let refused = asked(TaskKind::Normals, "d.hwc").read(&raw).unwrap_err();
    assert!(refused.contains("the label of task `t` is [1, 2, 3] per sample"), "{refused}");
}

#[test]
fn labels_have_the_size_of_the_output() {
    let values: Vec<f32> = (0..8).map(|v| v as f32).collect();
    let (_at, raw) =
        arrays(&[("far", &[1, 2, 4], &values), ("seg", &[1, 4, 4], &[1.; 16]), ("n", &[1, 2, 3], &[0.; 6])]);
    let depth = |pixels, resize| asked(TaskKind::Depth, "d.far").sized(pixels, resize).read(&raw);
    is(depth([2, 4], None), &values, None);
    for pixels in [[4, 2], [1, 2], [1, 8]] {
        let refused = depth(pixels, None).unwrap_err();
        let [h, w] = pixels;
        assert!(refused.contains(&format!("[2, 4] per sample, and its head yields {h} x {w} pixels")), "{refused}");
    }
    is(depth([1, 2], Some(Resize::Nearest)), &[5., 7.], None);
    is(depth([4, 4], Some(Resize::Nearest)), &[0., 1., 2., 3., 0., 1., 2., 3., 4., 5., 6., 7., 4., 5., 6., 7.], None);
    is(
        asked(TaskKind::Depth, "d.far").sized([1, 2], Some(Resize::Nearest)).ignore(&[5.0]).read(&raw),
        &[0., 7.],
        Some((2, &[0, 1])),
    );
    // Labels per sample have an axis of their own, and no two.
    let refused = asked(TaskKind::Regression(6), "d.n").read(&raw).unwrap_err();
    assert!(refused.contains("has labels [6] per sample, and this is an array [2, 3]"), "{refused}");
    let refused = asked(TaskKind::Multilabel(Some(3)), "d.n").read(&raw).unwrap_err();
    assert!(refused.contains("[3] per sample"), "{refused}");
    // Arrays of other sizes are not computed with value by value.
    let refused = asked(TaskKind::Depth, "d.far + d.seg").read(&raw).unwrap_err();
    assert!(refused.contains("an array [2, 4] and an array [4, 4]"), "{refused}");
    let refused = asked(TaskKind::Depth, "d.far").mask("d.seg > 0").read(&raw).unwrap_err();
    assert!(refused.contains("the mask of task `t` is [4, 4] per sample, and its label [2, 4]"), "{refused}");
    let refused = asked(TaskKind::Binary, "d.n").read(&raw).unwrap_err();
    assert!(refused.contains("an array [2, 3] of numbers"), "{refused}");
}

#[test]
fn a_batch_has_a_mark_per_label_where_labels_have_them() {
    let (_at, raw) = arrays(&[("tags", &[3, 2], &[1., NAN, 0., 1., NAN, NAN]), ("row", &[3], &[1., NAN, 0.])]);
    let known = known(&raw);
    let spec = |kind, text: &str| LabelSpec {
        task: text.into(),
        kind,
        label: check_label(&expr(text), kind, false, &known).expect("a label"),
        standardize: false,
        mask: None,
        reading: Reading::default(),
        pixels: None,
    };
    let labels = [spec(TaskKind::Multilabel(Some(2)), "d.tags"), spec(TaskKind::Binary, "d.row")];
    let data = encode(&raw, &Schema::freeze(&raw), &[], &labels).expect("encodes");
    let batch = data.train.gather(&[2, 0], None).expect("no files are read");
    assert_eq!(batch.masks, [Some(vec![0., 0., 1., 0.]), Some(vec![1., 1.])]);
    assert_eq!(batch.labels, [vec![0., 0., 1., 0.], vec![0., 1.]]);
    assert_eq!(data.train.bytes_per_row(), 4 * (2 + 2 + 1 + 1));
}
