//! Data files that lie, burst or never end.

use std::io::Write;

use crate::place::{Place, Record, SPEC};
use crate::support::{gzip, idx, npy, zip};

const TRAIN: &str = "train net.mtl -o run --device cpu --quiet";

/// A gzip of so many zeros, written through.
fn bomb(bytes: usize) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let block = vec![0u8; 1 << 20];
    (0..bytes >> 20).for_each(|_| out.write_all(&block).expect("memory"));
    out.finish().expect("memory")
}

#[test]
fn tables() {
    let mut record = Record::new();
    let place = Place::table();
    let good = String::from_utf8(place.bytes("train.csv")).expect("a table");
    let mut case = |name: &str, bytes: &[u8]| {
        place.write("train.csv", bytes);
        record.case(name, &place, 4, TRAIN);
    };
    case("nothing", b"");
    case("one quote that is never closed", good.replacen("\n", "\n\"", 1).as_bytes());
    case("NUL bytes", good.replacen("0.1", "0\0", 1).as_bytes());
    case("not UTF-8", &[good.as_bytes(), b"\xff\xfe,1,1,1\n"].concat());
    case("numbers beyond all", good.replacen("-0.9", "1e300", 1).as_bytes());
    case("half a row at the end", &good.as_bytes()[..good.len() - 12]);
    case("a gzip bomb of a gigabyte", &bomb(1 << 30));
    case("a gzip in a gzip", &gzip(&gzip(good.as_bytes())));
    case("a gzip with rubbish behind it", &[gzip(good.as_bytes()).as_slice(), b"rubbish"].concat());
    case("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06");
    let file = std::fs::File::create(place.path("train.csv")).expect("a file");
    file.set_len(1 << 30).expect("a sparse file");
    record.case("a line of a gigabyte", &place, 4, TRAIN);
    std::fs::remove_file(place.path("train.csv")).expect("it is there");
    place.link("train.csv", "/dev/zero");
    record.case("an endless file", &place, 4, TRAIN);
    std::fs::remove_file(place.path("train.csv")).expect("it is there");
    // The kernel says 0 bytes and gives more: as a file that grows or shrinks under the reader.
    place.link("train.csv", "/proc/self/limits");
    record.case("a file that changes while it is read", &place, 4, TRAIN);
    std::fs::remove_file(place.path("train.csv")).expect("it is there");
    std::fs::create_dir(place.path("train.csv")).expect("a folder");
    record.case("a folder", &place, 4, TRAIN);
    record.finish("tables");
}

#[test]
fn arrays() {
    let mut record = Record::new();
    let place = Place::new();
    let spec = |data: &str| {
        format!(
            "mtl 1\ndata d {{ {data}, validation = share(0.2) }}\ninput x: f32[2] {{ from = d.x }}\ntask y: regression(1) {{ from = d.y }}\n\
             backbone net(x) {{ stage s = linear(2) }}\nhead for * = linear(outputs)\ntopology over net {{\n  s.a <- x\n  y <- s.a\n}}\n"
        )
    };
    place.write("net.mtl", spec("format = npy, train = \"d.npz\"").as_bytes());
    let y = npy("<f4", false, &[10], &[0; 40]);
    let x = npy("<f4", false, &[10, 2], &[0; 80]);
    let mut case = |name: &str, bytes: Vec<u8>| {
        place.write("d.npz", &bytes);
        record.case(name, &place, 4, TRAIN);
    };
    let huge = npy("<f4", false, &[64 << 20], &vec![0; 256 << 20]);
    case("a zip bomb", zip(&[("x.npy", huge.clone(), true), ("y.npy", y.clone(), false)]));
    case("members over one another", overlapping(&huge));
    case("cut", zip(&[("x.npy", x.clone(), true), ("y.npy", y.clone(), true)])[..100].to_vec());
    case(
        "a size of 2^62",
        zip(&[("x.npy", npy("<f4", false, &[10, 1 << 62], &[0; 80]), false), ("y.npy", y.clone(), false)]),
    );
    case("no samples of 2^40 squared", zip(&[("x.npy", npy("<f4", false, &[0, 1 << 40, 1 << 40], &[]), false)]));
    case(
        "an array in Fortran order that is cut off",
        zip(&[("x.npy", npy("<f4", true, &[10, 2], &[0; 79]), false), ("y.npy", y, false)]),
    );
    case("objects", zip(&[("x.npy", npy("|O", false, &[10, 2], &[0; 80]), false)]));
    place.write(
        "net.mtl",
        spec("format = idx, images = \"i\", labels = \"l\"")
            .replace("d.x", "d.image")
            .replace("d.y", "d.label")
            .as_bytes(),
    );
    place.write("l", &idx(&[10], &[0; 10]));
    let mut case = |name: &str, bytes: Vec<u8>| {
        place.write("i", &bytes);
        record.case(name, &place, 4, TRAIN);
    };
    case("an idx bomb", bomb(1 << 29));
    case("idx sizes of 2^32", idx(&[u32::MAX, u32::MAX, u32::MAX], &[0; 20]));
    case("idx with rubbish behind it", idx(&[10, 2], &[0; 21]));
    record.finish("arrays");
}

/// An archive whose directory names one packed member again and again.
fn overlapping(member: &[u8]) -> Vec<u8> {
    let one = zip(&[("x.npy", member.to_vec(), true)]);
    let end = one.windows(4).rposition(|w| w == b"PK\x05\x06").expect("an end");
    let start = u32::from_le_bytes(one[end + 16..end + 20].try_into().expect("four")) as usize;
    let entry = one[start..end].to_vec();
    let mut out = one[..start].to_vec();
    (0..60_000).for_each(|_| out.extend(&entry));
    let mut last = one[end..].to_vec();
    last[8..10].copy_from_slice(&60_000u16.to_le_bytes());
    last[10..12].copy_from_slice(&60_000u16.to_le_bytes());
    out.extend(last);
    out
}

/// Facts that were frozen, and data that are others by now.
#[test]
fn schemas() {
    let mut record = Record::new();
    let place = Place::table();
    assert_eq!(place.run("data freeze net.mtl").code, 0);
    let frozen = String::from_utf8(place.bytes("net.mtl")).expect("a text");
    let good = String::from_utf8(place.bytes("train.csv")).expect("a table");
    let mut case = |name: &str, table: String| {
        place.write("train.csv", table.as_bytes());
        record.case(name, &place, 4, TRAIN);
    };
    case("a cell is another", good.replacen("-0.9", "-0.8", 1));
    case("a row is gone", good.lines().take(60).map(|l| format!("{l}\n")).collect());
    case("a column is gone", good.replacen("a,b", "a,c", 1));
    case("a column is text", good.replacen("-0.9", "much", 1));
    place.write("train.csv", good.as_bytes());
    let mut case = |name: &str, code: i32, from: &str, to: &str| {
        assert!(frozen.contains(from), "{from}\n{frozen}");
        place.write("net.mtl", frozen.replacen(from, to, 1).as_bytes());
        record.case(name, &place, code, TRAIN);
    };
    case("a fact of 2^63", 3, "rows = 36", "rows = 9223372036854775808");
    case("a digest that is none", 3, "sha256 = \"", "sha256 = \"z");
    case("facts of a column twice", 3, "  column b", "  column a");
    case("a shape beyond all", 3, "kind = numeric,", "kind = numeric, shape = [4294967296, 4294967296, 4294967296],");
    assert_eq!(SPEC.matches("data d").count(), 1);
    record.finish("schemas");
}
