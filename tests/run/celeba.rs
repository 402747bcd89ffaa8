//! Training on image files: read ahead by any number of threads, interrupted and resumed, with broken files; and the commands that
//! look at such data.

use std::collections::HashMap;
use std::time::Duration;

use candle_core::Device;
use mtlc::data::Drawn;
use mtlc::driver;
use mtlc::experiment::prepare as prepared;
use mtlc::random::Randomness;
use mtlc::runtime::RunError;
use mtlc::runtime::feed::{self, Feed};
use mtlc::runtime::reader::Deal;

use super::resume::{has_state, signal, spawn, wait_for};
use super::support::*;

pub const HEADER: &str = "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair \
    Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male \
    Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns \
    Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young";

const SPEC: &str = r#"mtl 1

param epochs: int = 2

data celeba { format = celeba, root = "c", resize = [8, 8], augment = [flip] }

input image: f32[3, 8, 8] { from = celeba.image, scale = [-1, 1] }

task smiling: binary { label = celeba.Smiling }
task male: binary { label = celeba.Male }

backbone net(image) {
  stage low  = conv(4, kernel = 3) -> relu
  stage high = flatten -> linear(8) -> relu
}
head for * = linear(1)

space branching over net {
  level low  { copies = 1 }
  level high { copies = 2, reads = one }
  heads      { per = task, reads = one }
}

search learn_to_branch {
  epochs = epochs, warmup = 1, batch = 12
  weights = adam(lr = 0.01)
  choices = adam(lr = 0.05)
}

train { epochs = epochs, batch = 12, optimizer = adam(lr = 0.01) }
"#;

const WIDTH: usize = 12;
const HEIGHT: usize = 10;

/// A folder of 100 images under `c/`, and the spec.
fn faces() -> Place {
    let place = Place::new();
    let (mut list, mut parts) = (format!("100\n{HEADER} \n"), String::new());
    for i in 0..100usize {
        let (smiling, male) = (i % 2 == 0, i % 3 == 0);
        let values = HEADER.split(' ').map(|a| match a {
            "Smiling" if smiling => " 1",
            "Male" if male => " 1",
            _ => "-1",
        });
        list += &format!("{i:06}.jpg {}\n", values.collect::<Vec<_>>().join(" "));
        parts += &format!("{i:06}.jpg {}\n", if i < 60 { 0 } else { 1 + i / 80 });
        place.write(&format!("c/img_align_celeba/{i:06}.jpg"), &face(i, smiling, male));
    }
    place.write("c/list_attr_celeba.txt", list.as_bytes());
    place.write("c/list_eval_partition.txt", parts.as_bytes());
    place.write("net.mtl", SPEC.as_bytes());
    place
}

/// A png: files are known by how they begin.
fn face(i: usize, smiling: bool, male: bool) -> Vec<u8> {
    let noise = numbers(WIDTH * HEIGHT * 3, i as u64 + 1);
    let light = |y: usize| if y < HEIGHT / 2 { smiling } else { male };
    let pixels: Vec<u8> = noise
        .iter()
        .enumerate()
        .map(|(k, n)| (120.0 + 60.0 * n + if light(k / 3 / WIDTH) { 60.0 } else { -50.0 }) as u8)
        .collect();
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, WIDTH as u32, HEIGHT as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().expect("written").write_image_data(&pixels).expect("written");
    out
}

const ENDS: [&str; 5] = [
    "derived/net.mtl",
    "checkpoints/supernet.safetensors",
    "checkpoints/derived.safetensors",
    "checkpoints/independent.safetensors",
    "search.jsonl",
];

fn ends(place: &Place, run: &str) -> Vec<Vec<u8>> {
    let read = |n: &&str| std::fs::read(place.path(run).join(n)).unwrap_or_else(|e| panic!("{run}/{n}: {e}"));
    ENDS.iter().map(read).collect()
}

#[test]
fn any_number_of_readers_and_a_resumed_run_end_alike() {
    let place = faces();
    let readers = |n: &str| {
        place.run_with(&format!("run net.mtl -o r{n} --device cpu --quiet"), &[("MTLC_READERS", n)]).ok();
        ends(&place, &format!("r{n}"))
    };
    let want = readers("0");
    for n in ["1", "2", "8"] {
        assert!(readers(n) == want, "{n} readers");
    }
    // Another augmentation is another training.
    let plain = SPEC.replace(", augment = [flip]", "");
    place.write("plain.mtl", plain.as_bytes());
    place.run("run plain.mtl -o plain --device cpu --quiet").ok();
    assert!(ends(&place, "plain")[1] != want[1]);

    // Stopped in the middle of an epoch, more than once.
    let long = "run net.mtl -o run --device cpu --quiet --save-every 5ms --set epochs=30";
    let calm = faces();
    calm.run(long).ok();
    let place = faces();
    for wait in [20, 90] {
        let mut child = spawn(&place, if wait == 20 { long } else { "run --resume run --quiet" });
        if wait == 20 {
            wait_for(&mut child, || has_state(&place, "search-"));
        }
        std::thread::sleep(Duration::from_millis(wait));
        signal(&child, "-TERM");
        let output = child.wait_with_output().expect("it ends");
        match output.status.code() {
            Some(75) => {}
            Some(0) => break,
            other => panic!("{other:?}: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }
    if !place.path("run/results.json").is_file() {
        place.run_with("run --resume run --quiet", &[("MTLC_READERS", "3")]).ok();
    }
    assert!(ends(&calm, "run") == ends(&place, "run"), "a resumed run differs");
}

#[test]
fn a_broken_image_ends_a_run_with_its_name() {
    let place = faces();
    place.write("c/img_align_celeba/000031.jpg", b"words");
    for readers in ["0", "1", "4"] {
        let ended =
            place.run_with(&format!("train net.mtl -o r{readers} --device cpu --quiet"), &[("MTLC_READERS", readers)]);
        assert_eq!(ended.code, 4, "{}", ended.err);
        assert!(ended.err.contains("000031.jpg` is damaged"), "{}", ended.err);
        assert!(!ended.err.contains("bug"), "{}", ended.err);
    }
    // One that is not there is told before anything is trained.
    std::fs::remove_file(place.path("c/img_align_celeba/000031.jpg")).expect("removed");
    let ended = place.run("train net.mtl -o none --device cpu --quiet");
    assert_eq!(ended.code, 4, "{}", ended.err);
    assert!(ended.err.contains("list_attr_celeba.txt`, line 34: there is no `"), "{}", ended.err);
    assert!(!place.path("none/checkpoints").exists());
}

#[test]
fn commands_look_at_images_and_predict_the_pixels_of_training() {
    let place = faces();
    // Freezing reads no image.
    let image = std::fs::read(place.path("c/img_align_celeba/000007.jpg")).expect("there");
    place.write("c/img_align_celeba/000007.jpg", b"");
    place.run("data freeze net.mtl").ok();
    assert!(place.text("net.mtl").contains("kind = picture"), "{}", place.text("net.mtl"));
    place.write("c/img_align_celeba/000007.jpg", &image);
    let out = place.run("data check net.mtl").ok();
    assert!(out.out.contains("[3, 8, 8]") && !out.err.contains("image"), "{}{}", out.out, out.err);
    let out = place.run("data preview net.mtl --rows 2 --split test").ok().out;
    assert!(out.contains("line 83"), "{out}");
    place.run("train net.mtl -o run --device cpu --quiet").ok();
    place.run("evaluate run --outputs outputs.csv --device cpu --quiet").ok();
    let outputs = place.text("outputs.csv");
    let of_split: Vec<&str> =
        outputs.lines().filter(|l| l.starts_with("test")).map(|l| l.splitn(3, ',').nth(2).expect("cells")).collect();
    assert_eq!(of_split.len(), 20);
    let files: Vec<String> = (80..100).map(|i| format!("c/img_align_celeba/{i:06}.jpg")).collect();
    let alone = place.run(&format!("predict run {} --resize --raw --device cpu --quiet", files.join(" "))).ok().out;
    let alone: Vec<&str> = alone.lines().skip(1).map(|l| l.split_once(',').expect("cells").1).collect();
    assert_eq!(alone, of_split);
    // Other lists are other data.
    let list = place.text("c/list_attr_celeba.txt").replacen("-1", " 1", 1);
    place.write("c/list_attr_celeba.txt", list.as_bytes());
    let ended = place.run("train net.mtl -o other --device cpu --quiet");
    assert_eq!(ended.code, 4, "{}", ended.err);
    assert!(ended.err.contains("list_attr_celeba.txt` has changed"), "{}", ended.err);
}

fn fed(place: &Place, readers: usize) -> Feed {
    let Ok(p) = prepared(&place.path("net.mtl"), &[]) else { panic!("it is clean") };
    let mut feed = feed::feed(p.checked(), HashMap::new()).unwrap_or_else(|e| panic!("{e}"));
    feed.readers = readers;
    feed
}

#[test]
fn readers_keep_the_order_and_end_with_the_loop() {
    let place = faces();
    assert!(driver::compile(&place.path("net.mtl"), &Default::default()).expect("read").checked.is_some());
    let lists: Vec<Vec<u32>> = (0..24u32).map(|b| (0..5).map(|i| (b * 7 + i * 11) % 60).collect()).collect();
    let drawn = Some(Drawn { random: Randomness::new(1), epoch: 3 });
    let values = |feed: &Feed, n: usize| -> Vec<Vec<f32>> {
        let mut out = Vec::new();
        let deal = Deal { table: &feed.dataset.train, lists: &lists, drawn };
        feed.deal(&deal, &Device::Cpu, |dealer| {
            while out.len() < n {
                let Some(fed) = dealer.batch()? else { break };
                assert_eq!(fed.rows, 5);
                out.push(fed.inputs[&0].flatten_all()?.to_vec1::<f32>()?);
                // A slow step: the readers wait.
                std::thread::sleep(Duration::from_millis(out.len() as u64 % 3));
            }
            Ok(())
        })
        .unwrap_or_else(|e| panic!("{e}"));
        out
    };
    let want = values(&fed(&place, 0), 99);
    assert_eq!(want.len(), 24);
    for readers in [1, 2, 3, 8, 16] {
        let feed = fed(&place, readers);
        assert!(values(&feed, 99) == want, "{readers} readers");
        // The loop leaves early: what is ahead is dropped.
        assert!(values(&feed, 3) == want[..3]);
        let deal = Deal { table: &feed.dataset.train, lists: &lists, drawn };
        let left: Result<(), RunError> = feed.deal(&deal, &Device::Cpu, |dealer| {
            dealer.batch()?;
            Err(RunError::Interrupted)
        });
        assert!(matches!(left, Err(RunError::Interrupted)));
        // Two broken images: the first in the order of the lists is told, after all batches before it.
        let rows: Vec<u32> = lists.concat();
        let first = *rows.iter().rev().find(|r| rows.iter().position(|x| x == *r) >= Some(40)).expect("a late one");
        let file = place.path(&format!("c/img_align_celeba/{first:06}.jpg"));
        let whole = std::fs::read(&file).expect("there");
        std::fs::write(&file, b"words").expect("written");
        let mut dealt = 0;
        let failed = feed.deal(&deal, &Device::Cpu, |dealer| {
            while dealer.batch()?.is_some() {
                dealt += 1;
            }
            Ok(())
        });
        std::fs::write(&file, whole).expect("written");
        let text = failed.expect_err("it is broken").to_string();
        assert!(text.contains(&format!("{first:06}.jpg` is damaged")), "{text}");
        assert_eq!(dealt, rows.iter().position(|r| *r == first).expect("there") / 5);
    }
}

/// Images per second by readers, of a folder in CelebA's layout that `MTLC_FACES` names.
#[test]
#[ignore = "measures; needs a folder of images"]
fn images_per_second() {
    let folder = std::env::var("MTLC_FACES").expect("a folder");
    let place = Place::new();
    let text = SPEC.replace("root = \"c\", resize = [8, 8]", &format!("root = \"{folder}\", resize = [64, 64]"));
    place.write("net.mtl", text.replace("f32[3, 8, 8]", "f32[3, 64, 64]").as_bytes());
    for readers in [0, 1, 2, 1, 2, 1, 2] {
        let feed = fed(&place, readers);
        let table = &feed.dataset.train;
        let lists = mtlc::data::Batches::in_order(table.rows, 64).epoch(0);
        let start = std::time::Instant::now();
        let deal = Deal { table, lists: &lists, drawn: Some(Drawn { random: Randomness::new(1), epoch: 1 }) };
        let ended = feed.deal(&deal, &Device::Cpu, |dealer| {
            while dealer.batch()?.is_some() {}
            Ok(())
        });
        ended.unwrap_or_else(|e| panic!("{e}"));
        println!("{readers} readers: {:.0} images/s", table.rows as f64 / start.elapsed().as_secs_f64());
    }
}
