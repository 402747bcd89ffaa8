//! CelebA's layout on small folders: the lists and their oddities, pixels, mirrored images, and files that are not what they should be.

use std::path::{Path, PathBuf};

use mtlc::data::axes::Order;
use mtlc::data::{Drawn, Facts, InputFrom, InputSpec, Known, Raw, Schema, Table, Values, encode};
use mtlc::objective::TaskKind;
use mtlc::random::Randomness;

use super::support::*;

/// The names of the attributes, as the format has them.
pub fn names() -> Vec<String> {
    let (def, args) = attributes("format = celeba, root = \"x\"");
    Known::from_outline("d", (def.outline)(&args)).group("attributes").expect("a group")
}

const WIDTH: usize = 11;
const HEIGHT: usize = 7;

/// A picture without any symmetry, `[height, width, 3]`.
fn pixels(seed: usize) -> Vec<u8> {
    (0..WIDTH * HEIGHT * 3).map(|i| ((i * 37 + seed * 91 + i * i * (seed + 3)) % 256) as u8).collect()
}

fn png(width: usize, height: usize, pixels: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().expect("written").write_image_data(pixels).expect("written");
    out
}

/// Whether image `i` has attribute `a`.
fn has(i: usize, a: usize) -> bool {
    (i * 7 + a * 3) % 5 < 2
}

pub fn line(i: usize) -> String {
    let values = (0..40).map(|a| if has(i, a) { " 1" } else { "-1" });
    format!("{:06}.jpg {} ", i + 1, values.collect::<Vec<_>>().join(" "))
}

/// A folder of `n` images: of ten, eight are for training and one each for validation and test.
pub fn faces(n: usize) -> tempfile::TempDir {
    let at = folder();
    std::fs::create_dir_all(at.path().join("c/img_align_celeba")).expect("a folder");
    let (mut list, mut parts) = (format!("{n}\n{} \n", names().join(" ")), String::new());
    for i in 0..n {
        write(at.path(), &format!("c/img_align_celeba/{:06}.jpg", i + 1), &png(WIDTH, HEIGHT, &pixels(i)));
        list += &format!("{}\n", line(i));
        parts += &format!("{:06}.jpg {}\n", i + 1, [0, 0, 1, 0, 0, 2, 0, 0, 0, 0][i % 10]);
    }
    write(at.path(), "c/list_attr_celeba.txt", list.as_bytes());
    write(at.path(), "c/list_eval_partition.txt", parts.as_bytes());
    at
}

const TEXT: &str = "format = celeba, root = \"c\"";

fn image(raw: &Raw, scale: Option<[f64; 2]>) -> [Table; 3] {
    let columns = vec!["image".to_string()];
    let sizes = raw.columns[raw.index("image").expect("there")].shape.clone();
    let input = pictures(columns, sizes, scale);
    let data = encode(raw, &Schema::freeze(raw), &[input], &[]).expect("encodes");
    [data.train, data.validation, data.test]
}

fn pictures(columns: Vec<String>, sizes: Vec<usize>, scale: Option<[f64; 2]>) -> InputSpec {
    let from = InputFrom::Dense { columns, sizes, order: Order::Chw, scale, normalize: false, exif: true };
    InputSpec { name: "x".into(), from }
}

fn row(table: &Table, row: u32, drawn: Option<Drawn>) -> Vec<f32> {
    table.gather(&[row], drawn).expect("a picture").inputs.remove(0)
}

fn edit(at: &Path, name: &str, change: impl Fn(String) -> String) {
    let path = at.join("c").join(name);
    std::fs::write(&path, change(std::fs::read_to_string(&path).expect("text"))).expect("written");
}

#[test]
fn the_outline_is_known_without_files() {
    let (def, args) = attributes("format = celeba, root = \"x\", resize = [64, 48], augment = [flip]");
    let known = Known::from_outline("d", (def.outline)(&args));
    assert_eq!(known.group("attributes").unwrap().len(), 40);
    assert_eq!(known.shape("image"), Some(vec![3, 64, 48]));
    let (def, args) = attributes("format = celeba, root = \"x\", resize = [1, 2, 3]");
    let span = mtlc::source::Span::new(mtlc::source::FileId(0), 0, 0);
    assert_eq!((def.check)(&args, span)[0].message, "`resize` takes a height and a width");
}

#[test]
fn lists_are_read_as_they_come() {
    let at = faces(20);
    // None is opened to read the lists or to freeze: these are no pictures at all.
    for i in 0..20 {
        write(at.path(), &format!("c/img_align_celeba/{:06}.jpg", i + 1), b"");
    }
    let plain = load(TEXT, at.path()).expect("lists");
    assert_eq!(plain.notes, Vec::<String>::new());
    assert_eq!(plain.splits.each_ref().map(|s| s.rows), [16, 2, 2]);
    let training: Vec<usize> = (0..20).filter(|i| ![2, 5].contains(&(i % 10))).collect();
    for (s, rows) in [training, vec![2, 12], vec![5, 15]].iter().enumerate() {
        let split = &plain.splits[s];
        for a in 0..40 {
            let want = rows.iter().map(|i| u8::from(has(*i, a))).collect();
            assert_eq!(split.columns[a + 1], Values::U8(want), "attribute {a} of split {s}");
        }
        assert_eq!(split.origin, rows.iter().map(|i| *i as u32 + 3).collect::<Vec<_>>());
        assert!(
            split.place(0).ends_with(&format!("list_attr_celeba.txt`, line {}", rows[0] + 3)),
            "{}",
            split.place(0)
        );
    }
    let schema = Schema::freeze(&plain);
    assert_eq!(
        schema.files.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(),
        ["c/list_attr_celeba.txt", "c/list_eval_partition.txt"]
    );
    let facts = schema.column("image").expect("a column");
    assert_eq!(
        (&facts.facts, facts.range, &facts.shape[..]),
        (&Facts::Picture, Some([0.0, 255.0]), &[3, 218, 178][..])
    );
    let text = schema.to_mtl("c");
    assert!(text.contains("column image { kind = picture, shape = [3, 218, 178], range = [0, 255] }"), "{text}");
    assert_eq!(Schema::from_ast(&item(&text), &|_| unreachable!()).expect("it reads back"), schema);
    assert_eq!(schema.verify(&plain), Ok(()));
    for wrong in ["shape = [4, 8, 8]", "shape = [8, 8]", "mean = 3"] {
        let text = text.replace("shape = [3, 218, 178]", wrong);
        assert!(Schema::from_ast(&item(&text), &|_| unreachable!()).is_err(), "{wrong}");
    }

    // A count that is another one, line ends of another system, empty lines, other columns first.
    edit(at.path(), "list_attr_celeba.txt", |t| {
        let mut lines: Vec<String> = t.lines().map(str::to_string).collect();
        lines[0] = "202599".into();
        for line in &mut lines[1..] {
            let mut cells: Vec<&str> = line.split_whitespace().collect();
            let last = cells.pop().expect("cells");
            cells.insert(usize::from(cells.len() == 40), last);
            *line = cells.join("  ");
        }
        lines.join("\r\n") + "\r\n\r\n"
    });
    write(at.path(), "c/img_align_celeba/Thumbs.db", b"");
    let odd = load(TEXT, at.path()).expect("lists");
    for s in 0..3 {
        assert_eq!(plain.splits[s].columns, odd.splits[s].columns);
    }
    assert_eq!(odd.notes.len(), 2, "{:?}", odd.notes);
    assert!(odd.notes[0].ends_with("says that it lists 202599 images, and lists 20"), "{}", odd.notes[0]);
    assert!(odd.notes[1].ends_with("holds 1 entry that no list names, which is not read"), "{}", odd.notes[1]);
    let differ = schema.verify(&odd).expect_err("another list");
    assert!(differ.len() == 1 && differ[0].contains("list_attr_celeba.txt` has changed"), "{differ:?}");
}

#[test]
fn wrong_lists_name_file_line_and_column() {
    let case = |file: &str, change: &dyn Fn(String) -> String, words: &[&str]| {
        let at = faces(20);
        edit(at.path(), file, change);
        let text = failure(TEXT, at.path());
        words.iter().for_each(|w| assert!(text.contains(w), "{w}: {text}"));
    };
    let (list, parts) = ("list_attr_celeba.txt", "list_eval_partition.txt");
    let cell = |from: &'static str, to: &'static str| {
        move |t: String| {
            let lines =
                t.lines().enumerate().map(|(i, l)| if i >= 10 { l.replacen(from, to, 1) } else { l.to_string() });
            lines.collect::<Vec<_>>().join("\n")
        }
    };
    case(
        list,
        &cell("-1", "0"),
        &[
            "list_attr_celeba.txt`, line 11, column `",
            "\"0\" is neither 1 nor -1; line 12, column `",
            "; and 7 more",
            "one that it lacks -1",
        ],
    );
    case(list, &cell(" -1", ""), &["line 11: 40 cells where a name and 40 values are expected", "; and 7 more"]);
    case(list, &|t| t.replace("000007.jpg", "000006.jpg"), &["line 9: `000006.jpg` stands in the list already"]);
    case(list, &|t| t.replace("Smiling", "Grinning"), &["line 2: no attribute is called `Smiling`"]);
    case(list, &|t| t.replace("Young", "Young Tall"), &["line 2: 41 attributes are named"]);
    case(list, &|t| t.split_once('\n').expect("lines").1.into(), &["line 1: the number of images is expected"]);
    case(list, &|_| String::new(), &["line 1: the file is empty"]);
    case(
        parts,
        &|t| t.replace("000004.jpg 0", "000004.jpg 3"),
        &["list_eval_partition.txt`, line 4: \"000004.jpg 3\" is no image and its split, 0, 1 or 2", "2 (test)"],
    );
    case(parts, &|t| t.replace("000004.jpg 0", "000003.jpg 0"), &["line 4: `000003.jpg` stands in the list already"]);
    case(parts, &|t| t.replace("000004.jpg", "x.jpg"), &["line 4: `x.jpg` does not stand in `list_attr_celeba.txt`"]);
    case(
        parts,
        &|t| t.lines().skip(12).collect::<Vec<_>>().join("\n"),
        &[
            "list_attr_celeba.txt`, line 3: `000001.jpg` does not stand in `list_eval_partition.txt`; line 4",
            "; and 7 more",
        ],
    );
    case(parts, &|t| t.replace(" 1", " 2"), &["the validation split has no rows", "validation 1 and test 2"]);

    let at = faces(20);
    for i in [3, 9, 12] {
        std::fs::remove_file(at.path().join(format!("c/img_align_celeba/{i:06}.jpg"))).expect("removed");
    }
    let text = failure(TEXT, at.path());
    let place = |line: usize, i: usize| {
        let file = PathBuf::from("c/img_align_celeba").join(format!("{i:06}.jpg"));
        assert!(
            text.contains(&format!("line {line}: there is no `")) && text.contains(file.to_str().expect("a path")),
            "{text}"
        );
    };
    [(5, 3), (11, 9), (14, 12)].iter().for_each(|(line, i)| place(*line, *i));
    std::fs::remove_dir_all(at.path().join("c/img_align_celeba")).expect("removed");
    assert!(failure(TEXT, at.path()).contains("no file `"));
    std::fs::remove_file(at.path().join("c/list_eval_partition.txt")).expect("removed");
    assert!(failure(TEXT, at.path()).contains("list_eval_partition.txt"));
}

/// Triangle filter of a pixel, over the whole picture in one sum.
fn resized(pixels: &[u8], to: [usize; 2], c: usize, y: usize, x: usize) -> f64 {
    let weight = |from: usize, to: usize, at: usize, i: usize| {
        let scale = from as f64 / to as f64;
        let distance = (i as f64 + 0.5 - (at as f64 + 0.5) * scale).abs();
        (1.0 - distance / scale.max(1.0)).max(0.0)
    };
    let (mut sum, mut all) = (0.0, 0.0);
    for i in 0..HEIGHT {
        for j in 0..WIDTH {
            let w = weight(HEIGHT, to[0], y, i) * weight(WIDTH, to[1], x, j);
            sum += w * f64::from(pixels[(i * WIDTH + j) * 3 + c]);
            all += w;
        }
    }
    sum / all
}

#[test]
fn pixels_are_those_of_the_file() {
    let at = faces(10);
    // As they are, plane by plane.
    let [train, ..] = image(&load(&format!("{TEXT}, resize = [{HEIGHT}, {WIDTH}]"), at.path()).unwrap(), None);
    let (got, from) = (row(&train, 2, None), pixels(3));
    for (i, v) in got.iter().enumerate() {
        let (c, at) = (i / (WIDTH * HEIGHT), i % (WIDTH * HEIGHT));
        assert_eq!(*v, f32::from(from[at * 3 + c]));
    }
    // Smaller, larger, one of each; scaled.
    for to in [[4, 5], [13, 30], [3, 20]] {
        let raw = load(&format!("{TEXT}, resize = [{}, {}]", to[0], to[1]), at.path()).unwrap();
        let [_, validation, _] = image(&raw, Some([-1.0, 1.0]));
        let got = row(&validation, 0, None);
        for (i, v) in got.iter().enumerate() {
            let (c, y, x) = (i / (to[0] * to[1]), i / to[1] % to[0], i % to[1]);
            let want = resized(&pixels(2), to, c, y, x) / 127.5 - 1.0;
            assert!((f64::from(*v) - want).abs() < 1e-5, "{to:?} {c} {y} {x}: {v} {want}");
        }
    }
    // Two, one on the other, in the order of the columns.
    let raw = load(&format!("{TEXT}, resize = [2]"), at.path()).unwrap();
    let input = pictures(vec!["image".to_string(); 2], vec![6, 2, 2], None);
    let data = encode(&raw, &Schema::freeze(&raw), &[input], &[]).expect("encodes");
    let alone = image(&raw, None);
    let batch = data.train.gather(&[5, 0, 0], None).expect("pictures").inputs.remove(0);
    for (k, r) in [5, 0, 0].into_iter().enumerate() {
        let want = [row(&alone[0], r, None), row(&alone[0], r, None)].concat();
        assert_eq!(batch[k * 24..][..24], want, "row {r}");
    }
    // A number has no place beside the pixels of an image.
    let columns: Vec<String> = ["Bald", "image"].map(String::from).into();
    let refused = encode(&raw, &Schema::freeze(&raw), &[pictures(columns, vec![13], None)], &[]).expect_err("refused");
    assert!(refused.to_string().contains("declared as f32[13]"), "{refused}");
}

/// Decoders may differ by one in each of the three planes, which is up to 1 + 1.772 in a colour, and Pillow rounds to 8 bits after
/// each of its two passes, where nothing is rounded here: 1 more where both fall together.
#[test]
fn jpegs_are_what_pillow_makes_of_them() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for name in ["full", "half"] {
        let at = faces(10);
        let jpeg = std::fs::read(here.join(format!("picture_{name}.jpg"))).expect("a fixture");
        write(at.path(), "c/img_align_celeba/000001.jpg", &jpeg);
        let want = std::fs::File::open(here.join(format!("picture_{name}_64.png"))).expect("a fixture");
        let mut reader = png::Decoder::new(std::io::BufReader::new(want)).read_info().expect("a png");
        let mut want = vec![0; reader.output_buffer_size().expect("a size")];
        reader.next_frame(&mut want).expect("a frame");
        let [train, ..] = image(&load(&format!("{TEXT}, resize = [64, 64]"), at.path()).unwrap(), None);
        let got = row(&train, 0, None);
        let off = |i: usize| (got[i] - f32::from(want[i % 4096 * 3 + i / 4096])).abs();
        let (most, mean) =
            ((0..got.len()).map(off).fold(0.0, f32::max), (0..got.len()).map(off).sum::<f32>() / got.len() as f32);
        println!("picture_{name}: {most} {mean}");
        assert!(most <= 3.8 && mean < 0.5, "picture_{name}: {most} at most, {mean} in the mean");
    }
}

#[test]
fn training_images_are_mirrored_by_seed_epoch_and_row() {
    let at = faces(60);
    let text = format!("{TEXT}, resize = [4, 6]");
    let [plain, ..] = image(&load(&text, at.path()).unwrap(), None);
    let [train, validation, test] = image(&load(&format!("{text}, augment = [flip]"), at.path()).unwrap(), None);
    let drawn = |seed, epoch| Some(Drawn { random: Randomness::new(seed), epoch });
    let mirror = |v: &[f32]| v.chunks(6).flat_map(|line| line.iter().rev().copied()).collect::<Vec<_>>();
    let flips = |seed, epoch| -> Vec<bool> {
        let each = (0..48).map(|r| {
            let (got, was) = (row(&train, r, drawn(seed, epoch)), row(&plain, r, None));
            assert!(got == was || got == mirror(&was), "row {r}");
            assert_ne!(was, mirror(&was));
            got != was
        });
        each.collect()
    };
    let first = flips(1, 1);
    assert_eq!(first, flips(1, 1));
    assert_ne!(first, flips(1, 2));
    assert_ne!(first, flips(2, 1));
    // In company as alone.
    let together = train.gather(&[7, 3, 40], drawn(1, 1)).expect("pictures").inputs.remove(0);
    let alone: Vec<f32> = [7, 3, 40].iter().flat_map(|r| row(&train, *r, drawn(1, 1))).collect();
    assert_eq!(together, alone);
    // 960 draws with one half: 5 deviations are 77.
    let count: usize = (1..=20).map(|e| flips(3, e).iter().filter(|f| **f).count()).sum();
    assert!(count.abs_diff(480) < 77, "{count} of 960");
    for e in 1..=10 {
        for r in 0..48 {
            assert_eq!(row(&plain, r, drawn(1, e)), row(&plain, r, None), "not asked for");
            assert_eq!(row(&train, r, None), row(&plain, r, None), "no training");
        }
        for r in 0..6 {
            assert_eq!(row(&validation, r, drawn(1, e)), row(&validation, r, None));
            assert_eq!(row(&test, r, drawn(1, e)), row(&test, r, None));
        }
    }
}

#[test]
fn a_broken_image_is_named_when_it_is_read() {
    let at = faces(10);
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let jpeg = std::fs::read(here.join("picture_half.jpg")).expect("a fixture");
    let [train, ..] = image(&load(&format!("{TEXT}, resize = [8]"), at.path()).unwrap(), None);
    let refused = |bytes: &[u8]| {
        write(at.path(), "c/img_align_celeba/000002.jpg", bytes);
        train.gather(&[0, 1, 2], None).expect_err("it is broken").to_string()
    };
    for bytes in [&b"words"[..], b"", &jpeg[..jpeg.len() / 2], &jpeg[..300]] {
        let text = refused(bytes);
        assert!(text.contains("000002.jpg` is damaged"), "{text}");
    }
    std::fs::remove_file(at.path().join("c/img_align_celeba/000002.jpg")).expect("removed");
    let text = train.gather(&[1], None).expect_err("it is gone").to_string();
    assert!(text.starts_with("no file `") && text.ends_with("000002.jpg`"), "{text}");
    // Bytes that are another's: a picture or an error that names the file, and never more.
    let random = Randomness::new(5);
    for i in 0..400u64 {
        let mut bytes = jpeg.clone();
        let order = random.permutation("mutate", [i, 0, 0], bytes.len());
        for at in &order[..1 + (i % 7) as usize] {
            bytes[*at as usize % if i % 2 == 0 { 700 } else { jpeg.len() }] = (order[9] + at) as u8;
        }
        write(at.path(), "c/img_align_celeba/000002.jpg", &bytes);
        match train.gather(&[1], None) {
            Ok(batch) => {
                assert!(batch.inputs[0].len() == 192 && batch.inputs[0].iter().all(|v| (0.0..=255.001).contains(v)))
            }
            Err(e) => assert!(e.to_string().contains("000002.jpg"), "{e}"),
        }
    }
}

#[test]
fn pictures_are_no_labels() {
    let (def, args) = attributes("format = celeba, root = \"x\", resize = [8, 8]");
    let known = [Known::from_outline("d", (def.outline)(&args))];
    let kinds = [TaskKind::Binary, TaskKind::Classes(Some(3)), TaskKind::Regression(192), TaskKind::Normals];
    for kind in kinds {
        let found = mtlc::data::label::check_label(&expr("d.image"), kind, false, &known).expect_err("no label");
        assert!(found[0].message.ends_with("and this is a picture"), "{}", found[0].message);
    }
    for text in ["d.image > 3", "d.image == 1", "d.image in [1, 2]", "-d.image", "not d.image"] {
        assert!(mtlc::data::label::check_label(&expr(text), TaskKind::Binary, false, &known).is_err(), "{text}");
    }
}

/// An image that its camera stored lying on its side, with the orientation 6 noted: what a viewer turns a quarter clockwise.
#[test]
fn the_way_up_is_the_one_that_exif_notes() {
    let at = faces(10);
    // The pixel that a viewer shows at (x, y) is stored at (y, height - 1 - x) of the picture on its side.
    let shown = pixels(0);
    let mut stored = vec![0; shown.len()];
    for (i, pixel) in shown.chunks_exact(3).enumerate() {
        let (x, y) = (i % WIDTH, i / WIDTH);
        let at = (WIDTH - 1 - x) * HEIGHT + y;
        stored[at * 3..at * 3 + 3].copy_from_slice(pixel);
    }
    let mut file = png(HEIGHT, WIDTH, &stored);
    let body = b"eXIfII\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let mut crc = flate2::Crc::new();
    crc.update(body);
    let chunk = [&((body.len() - 4) as u32).to_be_bytes()[..], body, &crc.sum().to_be_bytes()].concat();
    // After the header, which is 33 bytes with the signature.
    file.splice(33..33, chunk);
    write(at.path(), "c/img_align_celeba/000001.jpg", &file);
    let sizes = format!("{TEXT}, resize = [{HEIGHT}, {WIDTH}]");
    let raw = load(&sizes, at.path()).unwrap();
    let turned = row(&image(&raw, None)[0], 0, None);
    let plane = HEIGHT * WIDTH;
    for (i, pixel) in shown.chunks_exact(3).enumerate() {
        let got = [0, 1, 2].map(|c| turned[c * plane + i] as u8);
        assert_eq!(got, pixel, "pixel {i}");
    }
    // As stored.
    let mut input = pictures(vec!["image".into()], vec![3, WIDTH, HEIGHT], None);
    let InputFrom::Dense { exif, .. } = &mut input.from else { unreachable!() };
    *exif = false;
    let raw = load(&format!("{TEXT}, resize = [{WIDTH}, {HEIGHT}]"), at.path()).unwrap();
    let data = encode(&raw, &Schema::freeze(&raw), &[input], &[]).expect("encodes");
    let lying = row(&data.train, 0, None);
    assert_eq!(lying[..HEIGHT], [0, 1, 2, 3, 4, 5, 6].map(|x| f32::from(stored[x * 3])));
}
