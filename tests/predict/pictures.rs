//! Pictures for a network that reads an image: the same numbers as from arrays, and what is refused.

use std::path::Path;

use super::same::{example, unpacked};

/// A png of 8 bits; `colours` 1 or 3.
fn png(path: &Path, width: u32, height: u32, colours: usize, pixels: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let mut encoder = png::Encoder::new(std::fs::File::create(path).expect("a file"), width, height);
    encoder.set_color(if colours == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().expect("written").write_image_data(pixels).expect("written");
}

/// An 8 by 8 grey jpeg whose pixels all are 192: one block that has a mean and nothing else.
fn flat_jpeg() -> Vec<u8> {
    let mut out = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    out.extend([1; 64]);
    out.extend([0xff, 0xc0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0]);
    // One code each: a difference of ten bits for the mean, the end of the block for the rest.
    for (table, symbol) in [(0x00, 10), (0x10, 0)] {
        out.extend([0xff, 0xc4, 0, 20, table, 1]);
        out.extend([0; 15]);
        out.push(symbol);
    }
    out.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
    // 0, then 8 * (192 - 128) = 512 in ten bits, then 0; filled up with ones.
    out.extend([0x40, 0x0f, 0xff, 0xd9]);
    out
}

#[test]
fn pictures_and_arrays_are_the_same() {
    let place = example("digits.mtl");
    place.run("train net.mtl -o run --device cpu --quiet").ok();
    let images = unpacked(&place, "data/digits-images.idx.gz");
    let image = |i: usize| &images[16 + i * 64..16 + (i + 1) * 64];
    for i in 0..5 {
        png(&place.path(&format!("pictures/{i}.png")), 8, 8, 1, image(i));
        let grey: Vec<u8> = image(i).iter().flat_map(|v| [*v; 3]).collect();
        png(&place.path(&format!("colour/{i}.PNG")), 8, 8, 3, &grey);
        let large: Vec<u8> = image(i).iter().map(|v| (u32::from(*v) * 255 / 16) as u8).collect();
        png(&place.path(&format!("large/{i}.png")), 8, 8, 1, &large);
    }
    place.write("pictures/notes.txt", b"no picture");
    let arrays = place.run("predict run data/digits-images.idx.gz --raw --device cpu --quiet").ok().out;
    let arrays: Vec<&str> = arrays.lines().take(6).collect();
    for folder in ["pictures", "colour"] {
        let out = place.run(&format!("predict run {folder} --range 0 255 --raw --device cpu")).ok();
        let lines: Vec<(&str, &str)> = out.out.lines().filter_map(|l| l.split_once(',')).collect();
        assert_eq!(lines.iter().map(|l| l.1).collect::<Vec<_>>(), arrays, "{folder}");
        assert!(lines[0].0 == "file" && lines[1].0.starts_with(&format!("{folder}/0.")), "{:?}", lines[0]);
        assert_eq!(out.err.contains("1 entry that is not a picture was skipped"), folder == "pictures", "{}", out.err);
    }
    // Without `--range`, black to white are what training images went through.
    let scaled = place.run("predict run large --device cpu").ok();
    assert!(scaled.err.contains("training images go from 0 to 16"), "{}", scaled.err);

    // A jpeg is the png of the same pixels.
    place.write("flat.jpg", &flat_jpeg());
    png(&place.path("flat.png"), 8, 8, 1, &[192; 64]);
    let flat = place.run("predict run flat.jpg flat.png --device cpu --quiet").ok().out;
    let flat: Vec<&str> = flat.lines().filter_map(|l| Some(l.split_once(',')?.1)).collect();
    assert!(flat.len() == 3 && flat[1] == flat[2], "{flat:?}");
    let mut cut = flat_jpeg();
    cut.truncate(cut.len() - 4);
    place.write("short.jpg", &cut);

    // Others' mistakes.
    let case = |arguments: &str, code: i32, words: &[&str]| {
        let ended = place.run(&format!("predict run {arguments} --device cpu"));
        assert_eq!(ended.code, code, "{arguments}: {}", ended.err);
        assert_eq!(ended.out, "", "{arguments}");
        words.iter().for_each(|w| assert!(ended.err.contains(w), "{arguments}: {w}: {}", ended.err));
    };
    png(&place.path("wide.png"), 20, 10, 1, &[7; 200]);
    case("wide.png", 4, &["`wide.png` is 20 x 10 pixels, and the network reads 8 x 8", "--resize"]);
    place.run("predict run wide.png --resize --device cpu").ok();
    let mut cut = std::fs::read(place.path("pictures/3.png")).expect("written");
    cut.truncate(cut.len() - 20);
    place.write("pictures/3.png", &cut);
    case("pictures", 4, &["`pictures/3.png` is damaged"]);
    // A header that promises much, with its checksum: refused before memory is taken.
    let mut bomb = std::fs::read(place.path("pictures/1.png")).expect("written");
    bomb[16..24].copy_from_slice(&[0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0]);
    let mut crc = flate2::Crc::new();
    crc.update(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    place.write("bomb.png", &bomb);
    case("bomb.png --resize", 4, &["`bomb.png` is 100000 x 100000 pixels by its header", "which is not read"]);
    place.write("words.jpg", b"hello");
    case("words.jpg", 4, &["`words.jpg` is damaged, or is not a png or jpeg file: it begins with 68 65 6c 6c"]);
    place.write("cut.jpg", &[0xff, 0xd8, 0xff, 0xe0, 0, 16]);
    case("cut.jpg", 4, &["`cut.jpg` is damaged"]);
    case("short.jpg", 4, &["`short.jpg` is damaged"]);
    case("pictures --id name", 4, &["every row begins with the name of its file"]);
    std::fs::create_dir(place.path("nothing")).expect("a folder");
    case("nothing", 4, &["holds no picture"]);
    case("data/digits-labels.idx.gz", 4, &["holds one number per row", "file of labels"]);
}
