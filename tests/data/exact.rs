//! Numbers keep the precision of their type: constants that are compared with columns of 16-bit and 32-bit floats, 64-bit integers,
//! division by zero, and means of numbers that are far from 0.

use std::path::Path;

use mtlc::data::fresh::{self, Layout, Wanted};
use mtlc::data::label::{check_label, check_mask};
use mtlc::data::{DataError, Facts, InputFrom, InputSpec, LabelSpec, Raw, Reading, Schema, encode};
use mtlc::objective::TaskKind;

use super::support::*;

/// Loads arrays `y` and `z` of these types and rows, for training and validation.
fn arrays(at: &Path, columns: &[(&str, &str, Vec<u8>)], rows: usize, more: &str) -> Raw {
    let mut files = Vec::new();
    for (name, dtype, body) in columns {
        write(at, &format!("{name}.npy"), &npy(dtype, false, &[rows], body));
        files.push(format!("\"{name}.npy\""));
    }
    let files = files.join(", ");
    let split = if more.is_empty() { format!("validation = [{files}]") } else { more.to_string() };
    load(&format!("format = npy, train = [{files}], {split}"), at).unwrap_or_else(|e| panic!("{e}"))
}

fn whole(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// The labels of the training rows. `None` is a label that is missing or masked.
fn labels(raw: &Raw, text: &str, kind: TaskKind, ignore: &[f64], mask: &str) -> Result<Vec<Option<f32>>, DataError> {
    let known = known(raw);
    let label = check_label(&expr(text), kind, true, &known).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    let mask = (!mask.is_empty()).then(|| check_mask(&expr(mask), kind, &known).expect("a mask"));
    let reading = Reading { ignore: ignore.to_vec(), ..Reading::default() };
    let spec = LabelSpec { task: "t".into(), kind, label, mask, reading, pixels: None, standardize: false };
    let data = encode(raw, &Schema::freeze(raw), &[], &[spec])?;
    let l = &data.train.labels[0];
    Ok((0..data.train.rows).map(|row| l.counts(row, 0).then(|| l.values[row])).collect())
}

/// The labels of a `binary` task, one character per training row: `1`, `0`, or `-` if there is no label.
fn truth(raw: &Raw, text: &str) -> String {
    let mark = |v: Option<f32>| v.map_or('-', |v| if v == 1.0 { '1' } else { '0' });
    labels(raw, text, TaskKind::Binary, &[], "").expect(text).into_iter().map(mark).collect()
}

/// The cell that is written as 0.1 in an array of 32-bit floats equals the constant `0.1`, although its exact value differs.
#[test]
fn constants_are_rounded_to_the_type_of_the_column() {
    let at = folder();
    let numbers = [-9.99, 0.1, 0.3, 0.7, 1.0, f64::NAN];
    let half = [0xc8ffu16, 0x2e66, 0x34cd, 0x399a, 0x3c00, 0x7e00];
    let bodies: [(&str, Vec<u8>); 4] = [
        ("<f2", half.iter().flat_map(|v| v.to_le_bytes()).collect()),
        ("<f4", numbers.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect()),
        (">f4", numbers.iter().flat_map(|v| (*v as f32).to_be_bytes()).collect()),
        ("<f8", numbers.iter().flat_map(|v| v.to_le_bytes()).collect()),
    ];
    for (dtype, body) in bodies {
        let raw = arrays(at.path(), &[("y", dtype, body)], numbers.len(), "");
        for (text, wanted) in [
            ("d.y == 0.1", "01000-"),
            ("0.1 == d.y", "01000-"),
            ("d.y != 0.1", "10111-"),
            ("-d.y == 9.99", "10000-"),
            ("d.y == -9.99", "10000-"),
            ("d.y == 0.1 + 0.2", "00100-"),
            ("d.y in [0.1, 0.7]", "01010-"),
            ("d.y in 0.1..0.3", "01100-"),
            ("d.y <= 0.3", "11100-"),
            ("d.y >= 0.7", "00011-"),
            ("d.y < 0.3", "11000-"),
            ("not d.y > 0.3", "11100-"),
        ] {
            let wanted = if dtype == "<f8" && text.contains('+') { "00000-" } else { wanted };
            assert_eq!(truth(&raw, text), wanted, "{dtype} {text}");
        }
        let kept = |ignore: &[f64], mask: &str| {
            labels(&raw, "d.y", TaskKind::Regression(1), ignore, mask).expect("labels").iter().flatten().count()
        };
        assert_eq!([kept(&[], ""), kept(&[-9.99], ""), kept(&[0.3, -9.99], "")], [5, 4, 3], "{dtype}");
        assert_eq!(kept(&[], "d.y in [0.1, 0.3]"), 2, "{dtype}");
        let e = labels(&raw, "d.y", TaskKind::Binary, &[], "d.y > 0").expect_err("no class");
        assert!(e.help().is_some_and(|h| h.contains("write `ignore = 0.1`")), "{dtype}: {e}");
    }
    // Constants are not rounded when they are compared with a computed value or with a column of small integers.
    let body = numbers.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect();
    let small = [0i16, 1, 0, 1, 0, 1].iter().flat_map(|v| v.to_le_bytes()).collect();
    let raw = arrays(at.path(), &[("y", "<f4", body), ("z", "<i2", small)], numbers.len(), "");
    assert_eq!(truth(&raw, "d.y * 1 == 0.1"), "00000-");
    assert_eq!(truth(&raw, "d.z <= 0.999999999"), "101010");
}

/// Splits can be selected by the decimal spelling of 32-bit floats: in `split = column(...)` and in conditions.
#[test]
fn splits_can_use_32_bit_floats() {
    let at = folder();
    let parts: Vec<f32> = (0..10).map(|i| [0.1, 0.3][i % 2]).collect();
    let part: Vec<u8> = parts.iter().flat_map(|v| v.to_le_bytes()).collect();
    let x = whole(&(0..10).collect::<Vec<_>>());
    for more in ["split = column(part, train = [\"0.3\"], validation = [\"0.1\"])", "validation = d.part == 0.1"] {
        let raw = arrays(at.path(), &[("x", "<i8", x.clone()), ("part", "<f4", part.clone())], 10, more);
        assert_eq!(raw.splits[1].columns[0].numbers().collect::<Vec<_>>(), [0.0, 2.0, 4.0, 6.0, 8.0], "{more}");
    }
}

/// From here on, `f64` cannot represent every integer.
const FAR: i64 = 1 << 53;

#[test]
fn arithmetic_on_64_bit_integers_is_exact() {
    let at = folder();
    let id = [FAR, FAR + 1, FAR + 2, -FAR - 1, 7];
    let other = [FAR, FAR, FAR + 3, -FAR, 7];
    let (root, square) = ([94906267; 5], [0, 1, 2, 3, 4].map(|i| 94906267 * 94906267 + i));
    let columns = [("a", id), ("b", other), ("c", root), ("e", square)].map(|(n, v)| (n, "<i8", whole(&v)));
    let raw = arrays(at.path(), &columns, 5, "");
    for (text, wanted) in [
        ("d.a == 9007199254740992", "10000"),
        ("d.a in [9007199254740992, 7]", "10001"),
        ("d.a > 9007199254740992", "01100"),
        ("d.a in 9007199254740992..9007199254740994", "11100"),
        ("d.a == d.b", "10001"),
        ("d.a < d.b", "00110"),
        ("d.a % 2 == 1", "01011"),
        ("d.a - 9007199254740992 == 1", "01000"),
        ("-d.a > 9007199254740992", "00010"),
        ("d.a < 0.5", "00010"),
        ("d.a * 2 == d.b + d.b", "10001"),
        // Results beyond 2^53 of smaller numbers.
        ("d.a == 9007199254740992 + 1", "01000"),
        ("94906267 * 94906267 - 9007199515875288 == d.c - 94906266", "11111"),
        ("d.c * d.c == d.e", "10000"),
    ] {
        assert_eq!(truth(&raw, text), wanted, "{text}");
    }
    let large: Vec<u8> = [u64::MAX, u64::MAX - 1, 3].iter().flat_map(|v| v.to_le_bytes()).collect();
    let raw = arrays(at.path(), &[("a", "<u8", large.clone()), ("b", "<u8", large)], 3, "");
    assert_eq!(truth(&raw, "d.a == d.b and d.a % 2 == 1"), "101");

    // A literal that would be rounded is an error.
    for text in [
        "d.a == 9007199254740993",
        "d.a > -9007199254740993",
        "d.a in [1, 9007199254740993]",
        "d.a in 1..9007199254740993",
    ] {
        let refused = check_label(&expr(text), TaskKind::Binary, false, &known(&raw)).expect_err(text).remove(0);
        assert!(refused.message.contains("9007199254740993 would be read as 9007199254740992"), "{}", refused.message);
        assert!(refused.help.is_some_and(|h| h.contains("`categories = [...]`")), "{text}");
    }
}

#[test]
fn splits_by_64_bit_integers_are_exact() {
    let at = folder();
    // Times in nanoseconds since 1970, the latest first. As `f64`, neighbouring ones would be equal.
    let times: Vec<i64> = (0..40).map(|i| 1_780_000_000_000_000_000 + 39 - i).collect();
    for more in ["time = t, validation = share(0.25)", "group = t, validation = share(0.25), test = share(0.25)"] {
        let raw = arrays(at.path(), &[("t", "<i8", whole(&times))], 40, more);
        let rows = raw.splits.each_ref().map(|s| s.rows);
        if more.starts_with("time") {
            assert_eq!(rows, [30, 10, 0]);
            assert_eq!(raw.splits[1].origin, (0..10).collect::<Vec<u32>>());
        } else {
            assert_eq!(rows, [20, 10, 10], "every row is a group of its own");
        }
    }
}

/// The identifiers in the output of `predict` are the exact values of the array, for every type.
#[test]
fn ids_are_passed_through_exactly() {
    let at = folder();
    let cases: [(&str, Vec<u8>, [&str; 2]); 6] = [
        ("<i8", whole(&[FAR + 1, -3]), ["9007199254740993", "-3"]),
        ("<u8", [u64::MAX, 1].iter().flat_map(|v| v.to_le_bytes()).collect(), ["18446744073709551615", "1"]),
        ("<f4", [0.1f32, 16777216.0].iter().flat_map(|v| v.to_le_bytes()).collect(), ["0.1", "16777216"]),
        ("<f2", [0x2e66u16, 0x3c00].iter().flat_map(|v| v.to_le_bytes()).collect(), ["0.1", "1"]),
        ("<f8", [0.1f64, -0.0].iter().flat_map(|v| v.to_le_bytes()).collect(), ["0.1", "0"]),
        ("|b1", vec![0, 1], ["0", "1"]),
    ];
    for (dtype, body, wanted) in cases {
        let raw = arrays(at.path(), &[("x", "<f4", vec![0; 8]), ("id", dtype, body)], 2, "");
        let (def, args) = attributes("format = npy, train = [\"x.npy\"]");
        let mut read = Wanted::new(&Schema::freeze(&raw), &["x".to_string()], Layout::of(def.call.name, &args));
        read.id = Some("id".into());
        let mut source = fresh::open(&["x.npy", "id.npy"].map(|f| at.path().join(f)), &read).expect("arrays");
        let ids = source.next(10).expect("it reads").expect("rows").ids.expect("identifiers were requested");
        assert_eq!(ids, wanted, "{dtype}");
    }
}

/// A column with integers that `f64` would round is an error, unless the program lists it as `categories`, `numeric` or `drop`.
#[test]
fn large_integers_in_a_table_are_not_rounded_silently() {
    let at = folder();
    let read = |cells: &[&str], later: &str, more: &str| {
        let rows = |cells: &[&str]| cells.iter().map(|c| format!("\"{c}\",1\n")).collect::<String>();
        write(at.path(), "t.csv", format!("id,y\n{}", rows(cells)).as_bytes());
        write(at.path(), "v.csv", format!("id,y\n{}", rows(&[later])).as_bytes());
        let item = format!("format = csv, train = \"t.csv\", validation = \"v.csv\"{more}");
        load(&item, at.path()).map_err(|e| {
            format!("{e}\n{}", e.help().unwrap_or_default()).replace(&format!("{}/", at.path().display()), "")
        })
    };
    let plain = ["9007199254740992", "9007199254740993", "5", "-9007199254740995.0"];
    let refused = read(&plain, "1", "").expect_err("two cells would be rounded");
    for words in [
        "`t.csv`: column `id`: 2 cells that are whole numbers of more than 53 bits",
        "(\"9007199254740993\" in line 3, \"-9007199254740995.0\" in line 5)",
        "if it holds identifiers, add `categories = [id]`",
        "`numeric = [id, ...]`",
    ] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    let written = read(&["1,000", "9,007,199,254,740,993"], "1", ", thousands = \",\"").expect_err("with separators");
    assert!(written.contains("\"9,007,199,254,740,993\" in line 3"), "{written}");
    let later = read(&["1", "2"], "9007199254740993", "").expect_err("a validation cell would be rounded");
    assert!(later.starts_with("`v.csv`: column `id`: 1 cell that is a whole number"), "{later}");
    // A column whose first cells look like text.
    let mut late = vec!["NA"; 1500];
    late.extend(["1", "9007199254740993"]);
    assert!(read(&late, "1", "").expect_err("it is numeric").contains("in line 1503"));

    let ids = read(&plain, "1", ", categories = [id]").expect("texts");
    assert_eq!(ids.columns[0].dictionary.len(), 5);
    assert!(read(&plain, "1", ", numeric = [id, y]").is_ok() && read(&plain, "1", ", drop = [id]").is_ok());
    let exact = ["9007199254740994", "123456789012345680", "1e30", "9007199254740993.5", "1.5", "36028797018963968"];
    assert!(read(&exact, "-9007199254740994", "").is_ok());
}

#[test]
fn a_division_by_zero_is_missing() {
    let at = folder();
    write(at.path(), "t.csv", b"a,b,c\n0,0,1\n3,0,1\n3,2,1\n,2,1\n-4,2,1\n");
    let raw = load("format = csv, train = \"t.csv\", validation = \"t.csv\"", at.path()).expect("a table");
    for (text, wanted) in [
        ("d.a / d.b > 0.5", "--1-0"),
        ("d.a / d.b == d.a / d.b", "--1-1"),
        ("d.a / d.b != 1", "--1-1"),
        ("not d.a / d.b == 1.5", "--0-1"),
        ("d.a % d.b == 0", "--0-1"),
        ("d.a / d.b in [1.5, 2]", "--1-0"),
        ("d.a / d.b in 0..2", "--1-0"),
        ("d.c == 1 or d.a / d.b > 0", "11111"),
        ("d.c == 1 and d.a / d.b > 0", "--1-0"),
        // A missing side counts only if it decides the result.
        ("d.c == 1 or d.a == 7", "11111"),
        ("d.c == 2 and d.a == 7", "00000"),
        ("d.c == 2 or d.a == 7", "000-0"),
        ("d.a / (d.c - 1) > 0", "-----"),
    ] {
        assert_eq!(truth(&raw, text), wanted, "{text}");
    }
    let values = |text: &str, mask: &str| labels(&raw, text, TaskKind::Regression(1), &[], mask).expect(text);
    assert_eq!(values("d.a / d.b", ""), [None, None, Some(1.5), None, Some(-2.0)]);
    assert_eq!(values("d.a % d.b", ""), [None, None, Some(1.0), None, Some(0.0)]);
    assert_eq!(values("d.b", "d.a / d.b > 0"), [None, None, Some(2.0), None, None]);
    let raw = load("format = csv, train = \"t.csv\", validation = d.a / d.b > 1", at.path()).expect("divided");
    assert_eq!(raw.splits[1].origin, [4]);
}

/// The help for a label that is too large suggests `ignore` only if the label is finite: `ignore` cannot name an infinite value.
#[test]
fn ignore_is_not_suggested_for_an_infinite_label() {
    let at = folder();
    write(at.path(), "t.csv", b"a\n0\n1e38\n");
    let raw = load("format = csv, train = \"t.csv\", validation = \"t.csv\"", at.path()).expect("a table");
    for (text, ignore) in [("d.a * 1e300", false), ("d.a * 100", true)] {
        let e = labels(&raw, text, TaskKind::Regression(1), &[], "").expect_err(text);
        let help = e.help().unwrap_or_default();
        assert!(e.to_string().contains("line 3"), "{e}");
        assert!(help.contains("`mask") && help.contains("`ignore = ") == ignore, "{help}");
    }
}

#[test]
fn columns_far_from_zero_are_standardised_accurately() {
    let at = folder();
    for (offset, step) in [(123_456_789_012_345.0, 1.0), (1_700_000_000.0, 1.0), (-5e12, 0.25), (0.001, 10.0)] {
        let rows: String = (0..3000).map(|i| format!("{}\n", offset + step * f64::from(i % 5))).collect();
        write(at.path(), "t.csv", format!("t\n{rows}").as_bytes());
        let raw = load("format = csv, train = \"t.csv\", validation = \"t.csv\"", at.path()).expect("a table");
        let schema = Schema::freeze(&raw);
        let back = Schema::from_ast(&item(&schema.to_mtl("d")), &|_| unreachable!()).expect("a schema");
        assert_eq!(back, schema);
        let Facts::Numeric { mean, std, .. } = schema.columns[0].facts else { panic!("{schema:?}") };
        assert!((mean - offset - 2.0 * step).abs() < 1e-6 * step, "{offset}: {mean}");
        assert!((std - 2f64.sqrt() * step).abs() < 1e-6 * step, "{offset}: {std}");
        let from = InputFrom::Fields { columns: vec!["t".into()], unknown: 0.0 };
        let data = encode(&raw, &back, &[InputSpec { name: "x".into(), from }], &[]).expect("encodes");
        for (row, v) in data.train.inputs[0].values.iter().enumerate() {
            let wanted = ((row % 5) as f64 - 2.0) / 2f64.sqrt();
            assert!((f64::from(*v) - wanted).abs() < 1e-5, "{offset}, row {row}: {v}");
        }
    }
}
