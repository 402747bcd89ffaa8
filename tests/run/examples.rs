//! Every program in `examples/` trains a step: of its search, if it has one, and of a network. Data that are not in the tree are
//! generated in the layout of the true files.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use candle_core::Device;
use mtlc::check::Checked;
use mtlc::driver;
use mtlc::experiment::bench::Loose;
use mtlc::experiment::{self, Ended, RunFolder};
use mtlc::ir::partition::all_shared;
use mtlc::plan::lower;
use mtlc::random::Randomness;
use mtlc::runtime::control::Control;
use mtlc::runtime::feed::Feed;
use mtlc::runtime::fit::{Job, fit};
use mtlc::runtime::keeper::Keeper;
use mtlc::runtime::model::Model;
use mtlc::runtime::synthetic;

use super::celeba::HEADER;
use super::support::*;

/// A photograph of the true size, 178 by 218.
const FACE: &[u8] = include_bytes!("../data/picture_full.jpg");

/// Parameters of programs that would take long: the fewest samples, the smallest batch.
const SETTINGS: [(&str, &[(&str, &str)]); 2] =
    [("multi_mnist.mtl", &[("samples", "64")]), ("dmtg_celeba.mtl", &[("batch", "2")])];

/// `examples/` with its data, and in `data/full` what a script fetches or people bring.
fn tree() -> Place {
    let place = Place::new();
    for folder in ["", "parts", "gallery", "data"] {
        let from = Path::new("examples").join(folder);
        for entry in std::fs::read_dir(&from).unwrap_or_else(|e| panic!("{}: {e}", from.display())) {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                place.write(path.to_str().expect("UTF-8"), &std::fs::read(&path).expect("a file"));
            }
        }
    }
    census(&place);
    movielens(&place);
    mnist(&place);
    celeba(&place);
    place
}

/// Census-Income as UCI has it: no header, a blank after every comma. The rows are some of the excerpt's.
fn census(place: &Place) {
    for split in ["train", "test"] {
        let packed = std::fs::File::open(format!("examples/data/census_{split}.csv.gz")).expect("the excerpt");
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed).read_to_string(&mut text).expect("text");
        let rows: Vec<String> = text.lines().take(4000).map(|l| l.replace(',', ", ") + "\n").collect();
        assert!(rows.iter().all(|r| r.split(", ").count() == 42), "42 columns");
        let name = format!("examples/data/full/census/census_income_1994_1995_{split}.csv");
        place.write(&name, rows.concat().as_bytes());
    }
}

/// MovieLens-100K as `fetch.sh` lays it out: one row for each rating.
fn movielens(place: &Place) {
    const GENRES: &str = "action,adventure,animation,childrens,comedy,crime,documentary,drama,fantasy,film_noir,horror,musical,\
        mystery,romance,sci_fi,thriller,war,western,unknown";
    let mut text = format!("user_id,item_id,rating,timestamp,age,gender,occupation,zip_code,title,year,{GENRES}\n");
    for i in 0..400usize {
        let (user, item) = (i * 7 % 40 + 1, i * 13 % 60 + 1);
        let genres: Vec<String> = (0..19).map(|g| u8::from((item + g) % 5 == 0).to_string()).collect();
        text += &format!(
            "{user},{item},{},{},{},{},{},{:05},\"Film, The {item}\",{},{}\n",
            (user + item * 3) % 5 + 1,
            881_250_949 + i,
            20 + user,
            ["M", "F"][user % 2],
            ["student", "writer", "engineer"][user % 3],
            10_000 + user,
            // In the original table, the year of two films is one of these texts. The misspelling is in the original.
            match item {
                7 => "unkonwn".to_string(),
                13 => "V".to_string(),
                _ => (1960 + item % 38).to_string(),
            },
            genres.join(",")
        );
    }
    place.write("examples/data/full/movielens/ratings.csv", text.as_bytes());
}

/// MNIST's four files in idx, not compressed.
fn mnist(place: &Place) {
    for (split, count) in [("train", 200usize), ("t10k", 100)] {
        let mut images = vec![0, 0, 8, 3];
        [count, 28, 28].iter().for_each(|n| images.extend((*n as u32).to_be_bytes()));
        images.extend(numbers(count * 28 * 28, 3).into_iter().map(|v| (v.max(0.0) * 255.0) as u8));
        let mut labels = vec![0, 0, 8, 1];
        labels.extend((count as u32).to_be_bytes());
        labels.extend((0..count).map(|i| (i % 10) as u8));
        place.write(&format!("examples/data/full/mnist/{split}-images-idx3-ubyte"), &images);
        place.write(&format!("examples/data/full/mnist/{split}-labels-idx1-ubyte"), &labels);
    }
}

/// CelebA: jpegs, and two lists with a blank at the end of the header and one or two between values.
fn celeba(place: &Place) {
    let (mut list, mut parts) = (format!("6\n{HEADER} \n"), String::new());
    for i in 1..=6usize {
        let values: Vec<&str> = (0..40).map(|a| if (i * (a + 3)) % 7 < 3 { " 1" } else { "-1" }).collect();
        list += &format!("{i:06}.jpg {}\n", values.join(" "));
        parts += &format!("{i:06}.jpg {}\n", (i - 1) / 2);
        place.write(&format!("examples/data/full/celeba/img_align_celeba/{i:06}.jpg"), FACE);
    }
    place.write("examples/data/full/celeba/list_attr_celeba.txt", list.as_bytes());
    place.write("examples/data/full/celeba/list_eval_partition.txt", parts.as_bytes());
}

fn programs(place: &Place, folder: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(place.path(folder)).expect("a folder").map(|e| e.expect("an entry").path());
    let mut all: Vec<PathBuf> = all.filter(|p| p.extension().is_some_and(|e| e == "mtl")).collect();
    all.sort();
    all
}

/// A run that is asked to stop stops after its first step.
fn asked() -> Control {
    Control::new(Arc::new(AtomicBool::new(true)), None)
}

/// One step of a network as `train` has it: the one that is written, or all shared.
fn one_step(name: &str, checked: &Checked, feed: &Feed) {
    let topology = checked.spec.topology.clone().unwrap_or_else(|| all_shared(&checked.spec));
    let network = experiment::network_of(checked, &topology).unwrap_or_else(|e| panic!("{name}: {e}"));
    let (plan, symbols) = lower(checked, &network).expect("all sizes are known");
    let random = Randomness::new(0);
    let model = Model::new(plan, symbols, random, &Device::Cpu).unwrap_or_else(|e| panic!("{name}: {e}"));
    let before = model.snapshot().expect("a copy");
    let args = experiment::train_args(checked);
    let job = Job { spec: &checked.spec, feed, args: &args, random };
    let (control, mut heard) = (asked(), Heard::default());
    let fitted = fit(&model, &job, &mut Keeper::none(&control), &mut heard).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(fitted.steps, 1, "{name}");
    assert!(heard.losses.iter().all(|l| l.is_finite()), "{name}: {:?}", heard.losses);
    let values = |t: &candle_core::Tensor| t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("numbers");
    let moved = model.vars.iter().zip(&before).any(|(v, old)| values(v.as_tensor()) != values(old));
    assert!(moved, "{name}: the step moved no weight");
}

/// One step of the search, of whichever of its phases is the first.
fn one_step_of_search(name: &str, prepared: &experiment::Prepared) {
    let place = Place::new();
    let folder = RunFolder::create(&place.path("run")).expect("a folder");
    let mut bench = Loose { folder: folder.clone(), control: asked() };
    let mut heard = Heard::default();
    match experiment::search(prepared, &folder, 0, &Device::Cpu, &mut bench, &mut heard) {
        Ok(Ended::Stopped(..)) => {}
        Ok(Ended::Done(_)) => panic!("{name}: nothing stopped it"),
        Err(e) => panic!("{name}: {}", why(e)),
    }
    assert!(!heard.losses.is_empty() && heard.losses.iter().all(|l| l.is_finite()), "{name}: {:?}", heard.losses);
}

#[test]
fn every_example_trains_a_step() {
    let place = tree();
    let all = programs(&place, "examples");
    assert!(all.len() > 25, "{} programs", all.len());
    for path in &all {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let set = SETTINGS.iter().find(|(n, _)| *n == name).map_or(&[][..], |(_, set)| set);
        let prepared = prepare(path, set);
        if !prepared.checked().spec.searches.is_empty() {
            one_step_of_search(&name, &prepared);
        }
        one_step(&name, prepared.checked(), &prepared.feed);
    }
}

/// The gallery shows published topologies, most without data: those are fed with random samples of their shapes.
#[test]
fn every_program_of_the_gallery_trains_a_step() {
    let place = tree();
    let all = programs(&place, "examples/gallery");
    assert!(all.len() > 5, "{} programs", all.len());
    for path in &all {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let compiled = driver::compile(path, &Default::default()).expect("a file");
        let checked = compiled.checked.unwrap_or_else(|| panic!("{name} is clean"));
        if checked.spec.data.is_empty() {
            let feed = synthetic::feed(&checked, 2, Randomness::new(0)).expect("samples");
            one_step(&name, &checked, &feed);
        } else {
            let prepared = prepare(path, &[]);
            one_step(&name, prepared.checked(), &prepared.feed);
        }
    }
}
