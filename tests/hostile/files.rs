//! Files that are none, or claim a size that nothing holds: every command that reads a file ends soon, names the file, and takes little
//! memory.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use crate::place::{Place, SPEC, no_bug};
use crate::support::{idx, npy, zip};

/// Far more than a command takes, in any build.
const SOON: Duration = Duration::from_secs(30);

/// What a command reads, and the codes with which it may end. Run folders: `run` is done, `stopped` is not.
const READ: [(&str, &str, &[i32]); 31] = [
    ("check net.mtl", "net.mtl", &[1]),
    ("fmt --check net.mtl", "net.mtl", &[0, 1]),
    ("data check net.mtl", "train.csv", &[4]),
    ("data check npy.mtl", "x.npy", &[4]),
    ("data check npz.mtl", "d.npz", &[4]),
    ("data check idx.mtl", "images", &[4]),
    ("data check celeba.mtl", "faces/list_attr_celeba.txt", &[4]),
    ("predict run new.csv", "new.csv", &[1, 4]),
    ("predict run new.npy", "new.npy", &[1, 4]),
    ("predict pictures new.png", "new.png", &[1, 4]),
    ("predict pictures new.idx", "new.idx", &[1, 4]),
    ("evaluate run", "run/run.json", &[1]),
    ("evaluate run", "run/program.mtl", &[1]),
    ("evaluate run", "run/checkpoints/trained.safetensors", &[1]),
    ("evaluate net.mtl --weights w.safetensors", "w.safetensors", &[1]),
    ("derive run", "run/search.json", &[1]),
    ("verify run", "run/SHA256SUMS", &[1]),
    ("verify run", "run/run.json", &[1]),
    ("verify run", "run/program.mtl", &[1]),
    ("verify run", "run/source.mtl", &[1]),
    ("verify run", "run/summary.json", &[1]),
    ("verify run", "run/progress.json", &[1]),
    ("verify run", "run/metrics.jsonl", &[1]),
    ("verify run", "run/checkpoints/trained.safetensors", &[1]),
    ("diff run net.mtl", "run/program.mtl", &[1, 3]),
    ("train --resume stopped --time 1s", "stopped/run.json", &[1]),
    ("train --resume stopped --time 1s", "stopped/program.mtl", &[1]),
    ("train --resume stopped --time 1s", "stopped/progress.json", &[1]),
    ("train --resume stopped --time 1s", "stopped/metrics.jsonl", &[1, 75]),
    ("compare --resume cmp", "cmp/request.json", &[1]),
    ("train --resume folds", "folds/request.json", &[1]),
];

/// What a file is replaced by.
const KINDS: [&str; 6] = ["a pipe", "a device", "a folder", "a socket", "a terabyte", "a terabyte of zeros"];

fn replace(path: &Path, kind: &str) {
    let _ = std::fs::create_dir_all(path.parent().expect("it is in a folder"));
    if kind != "a terabyte" && path.exists() {
        std::fs::remove_file(path).expect("a file");
    }
    match kind {
        "a pipe" => assert!(std::process::Command::new("mkfifo").arg(path).status().is_ok_and(|s| s.success())),
        "a device" => std::os::unix::fs::symlink("/dev/zero", path).expect("a link"),
        "a folder" => std::fs::create_dir(path).expect("a folder"),
        "a socket" => drop(UnixListener::bind(path).expect("a socket")),
        _ => {
            let file = std::fs::File::options().write(true).create(true).truncate(false).open(path);
            // What was there stays at the beginning.
            file.and_then(|f| f.set_len(1 << 40)).expect("a sparse file");
        }
    }
}

/// A `.npy` of f32, all 0.
fn zeros(shape: &[usize]) -> Vec<u8> {
    npy("<f4", false, shape, &vec![0; 4 * shape.iter().product::<usize>()])
}

/// An idx file of 0 and 1 in turn.
fn bits(sizes: &[u32]) -> Vec<u8> {
    idx(sizes, &(0..sizes.iter().product::<u32>()).map(|i| (i / 4 % 2) as u8).collect::<Vec<u8>>())
}

/// A network on the array `a`, with labels from the array `y`.
fn on_arrays(data: &str) -> String {
    format!(
        "mtl 1\ndata d {{ {data} }}\ninput x: f32[3] {{ from = d.a }}\ntask y: binary {{ label = d.y == 1 }}\n\
         backbone net(x) {{ stage s = linear(4) -> relu }}\nhead for * = linear(outputs)\n"
    )
}

/// A place with all the files of [`READ`].
fn place() -> Place {
    let place = Place::table();
    let ok = |command: &str| {
        let ended = place.run(command);
        assert_eq!(ended.code, 0, "{command}: {}{}", ended.out, ended.err);
    };
    ok("train net.mtl -o run --device cpu --quiet");
    std::fs::copy(place.path("run/checkpoints/trained.safetensors"), place.path("w.safetensors")).expect("a copy");
    place.write("run/search.json", b"{}");
    place.write("long.mtl", SPEC.replace("epochs = 1,", "epochs = 1000000,").as_bytes());
    let stopped = place.run("train long.mtl -o stopped --device cpu --quiet --time 1s");
    assert_eq!(stopped.code, 75, "{}", stopped.err);
    place.write("x.npy", &zeros(&[20, 3]));
    place.write("l.npy", &zeros(&[20]));
    place.write("new.npy", &zeros(&[20, 3]));
    let files = "format = npy, train = [\"x.npy\", \"l.npy\"], columns = [a, y]";
    place.write("npy.mtl", on_arrays(files).as_bytes());
    place.write("d.npz", &zip(&[("a.npy", zeros(&[20, 3]), false)]));
    place.write("npz.mtl", on_arrays("format = npy, train = \"d.npz\"").as_bytes());
    place.write("images", &bits(&[20, 2, 2]));
    place.write("labels", &bits(&[20]));
    place.write("new.idx", &bits(&[20, 2, 2]));
    let text = on_arrays("format = idx, images = \"images\", labels = \"labels\"");
    place.write(
        "idx.mtl",
        text.replace("linear(4)", "flatten -> linear(4)")
            .replace("f32[3]", "f32[1, 2, 2]")
            .replace("d.a", "d.image")
            .replace("d.y", "d.label")
            .as_bytes(),
    );
    ok("train idx.mtl -o pictures --device cpu --quiet");
    let text = on_arrays("format = celeba, root = \"faces\", resize = [8]");
    place.write(
        "celeba.mtl",
        text.replace("f32[3]", "f32[3, 8, 8]").replace("d.a }", "d.image }").replace("d.y", "d.Smiling").as_bytes(),
    );
    place.write("faces/list_attr_celeba.txt", b"0\n");
    place.write("faces/list_eval_partition.txt", b"");
    place.write("new.csv", b"a,b\n0.1,0.2\n");
    place.write("new.png", b"\x89PNG\r\n\x1a\n");
    place.write("cmp/request.json", b"{}");
    place.write("folds/request.json", b"{}");
    place
}

#[test]
fn no_command_waits_for_a_file_or_believes_its_size() {
    let place = place();
    for (command, name, codes) in READ {
        let path = place.path(name);
        let before = std::fs::read(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
        for kind in KINDS {
            replace(&path, kind);
            let quiet = if command.starts_with("train") { "--quiet" } else { "" };
            let ended = place.shell(&format!("ulimit -v 4000000; exec \"$MTLC\" {command} {quiet}"));
            let what = format!("{command}, `{name}` is {kind}");
            let said = format!("{}{}", ended.out, ended.err);
            assert!(codes.contains(&ended.code), "{what}: code {}: {said}", ended.code);
            assert!(ended.took < SOON, "{what}: took {:?}", ended.took);
            no_bug(&what, &ended);
            assert!(!said.contains("out of memory") && !said.contains("Cannot allocate"), "{what}: {said}");
            // A folder of several runs whose request cannot be read is none.
            let shown = if name == "folds/request.json" { "folds" } else { name };
            assert!(
                [0, 75].contains(&ended.code) || said.contains(shown.rsplit('/').next().expect("a name")),
                "{what}: {said}"
            );
            match path.is_dir() && !path.is_symlink() {
                true => std::fs::remove_dir(&path).expect("a folder"),
                false => std::fs::remove_file(&path).expect("a file"),
            }
        }
        std::fs::write(&path, &before).expect("it is put back");
    }
}

/// A header that claims all that a sparse file has: nothing holds that either.
#[test]
fn claims_that_agree_with_the_size_of_the_file() {
    let place = place();
    let grown = |name: &str, head: &[u8], size: u64| {
        place.write(name, head);
        let file = std::fs::File::options().write(true).open(place.path(name));
        file.and_then(|f| f.set_len(size)).expect("a sparse file");
    };
    let rows: u64 = 1 << 36;
    let head = npy("<f4", false, &[rows as usize, 3], &[]);
    grown("x.npy", &head, head.len() as u64 + 12 * rows);
    let head = [&[0, 0, 8, 3][..], &[0, 1, 0, 0], &[0, 0, 16, 0], &[0, 0, 16, 0]].concat();
    grown("images", &head, head.len() as u64 + (1 << 40));
    let header = format!("{{\"w\":{{\"dtype\":\"F32\",\"shape\":[{rows}],\"data_offsets\":[0,{}]}}}}", 4 * rows);
    let head = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    for name in ["w.safetensors", "run/checkpoints/trained.safetensors"] {
        grown(name, &head, head.len() as u64 + 4 * rows);
    }
    for (command, name) in [
        ("data check npy.mtl", "x.npy"),
        ("data check idx.mtl", "images"),
        ("evaluate net.mtl --weights w.safetensors", "w.safetensors"),
        ("evaluate run", "trained.safetensors"),
        ("verify run", "trained.safetensors"),
    ] {
        let ended = place.shell(&format!("ulimit -v 4000000; exec \"$MTLC\" {command}"));
        assert!([1, 4].contains(&ended.code), "{command}: {}{}", ended.out, ended.err);
        assert!((ended.out + &ended.err).contains(name) && ended.took < SOON, "{command}");
    }
}
