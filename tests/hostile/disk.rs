//! A machine that refuses: no space, no permission.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::place::{Place, Record, is_root};

/// A small file system, unmounted at the end.
struct Small(std::path::PathBuf);

impl Small {
    fn mount(at: &std::path::Path, size: &str) -> Option<Small> {
        std::fs::create_dir_all(at).ok()?;
        let options = format!("size={size}");
        let made = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output().ok()?;
        made.status.success().then(|| Small(at.to_path_buf()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_fills() {
    let place = Place::table();
    let Some(_small) = Small::mount(&place.path("small"), "28k").filter(|_| is_root()) else {
        println!("skipped: a small file system takes root and the right to mount");
        return;
    };
    let mut record = Record::new();
    std::fs::copy(place.path("train.csv"), place.path("small/train.csv")).expect("it fits");
    std::fs::copy(place.path("net.mtl"), place.path("small/net.mtl")).expect("it fits");
    let before = std::fs::read(place.path("small/net.mtl")).expect("it is there");
    let ended = place.run("train net.mtl -o small/run --device cpu --quiet");
    assert_eq!(ended.code, 1, "{}", ended.err);
    record.note("training onto a full disk", "mtlc train net.mtl -o small/run", &ended, &place);
    std::fs::remove_dir_all(place.path("small/run")).expect("what was begun can be removed");
    // What is left is one page: nothing more fits, and what is there stays.
    while std::fs::write(place.path("small").join(format!("fill{}", rand_name())), [0; 4096]).is_ok() {}
    for command in
        ["fmt small/net.mtl", "data freeze small/net.mtl", "graph net.mtl -o small/net.svg", "new small/fresh"]
    {
        let ended = place.run(command);
        assert_eq!(ended.code, 1, "{command}: {}{}", ended.out, ended.err);
        record.note("a full disk", &format!("mtlc {command}"), &ended, &place);
        assert_eq!(std::fs::read(place.path("small/net.mtl")).expect("it is there"), before, "{command}");
        let left: Vec<_> = std::fs::read_dir(place.path("small"))
            .expect("a folder")
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .filter(|n| !n.starts_with("fill") && !["net.mtl", "train.csv"].contains(&n.as_str()))
            .collect();
        assert!(left.is_empty(), "{command} leaves {left:?}");
    }
    record.finish("full_disk");
}

/// The disk fills while a network trains; when there is room again, the run ends as if nothing had been.
#[test]
fn a_run_goes_on_when_there_is_room_again() {
    let place = Place::table();
    let Some(_small) = Small::mount(&place.path("small"), "400k").filter(|_| is_root()) else {
        println!("skipped: a small file system takes root and the right to mount");
        return;
    };
    let text = std::fs::read_to_string(place.path("net.mtl")).expect("it is there");
    assert!(text.contains("train { epochs = 1,"), "{text}");
    std::fs::write(place.path("net.mtl"), text.replace("epochs = 1,", "epochs = 400,")).expect("it is written");
    let command = "train net.mtl --device cpu --quiet --save-every 0s -o";
    assert_eq!(place.run(&format!("{command} good")).code, 0);
    let mut child = Command::new(env!("CARGO_BIN_EXE_mtlc"))
        .args(command.split_whitespace())
        .arg("small/run")
        .current_dir(place.path("."))
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it runs");
    while !place.path("small/run/resume").exists() {
        assert!(child.try_wait().expect("ours").is_none(), "it ended first");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    while std::fs::write(place.path("small").join(format!("fill{}", rand_name())), [0; 4096]).is_ok() {}
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the disk is full"), "{said}");
    assert!(said.contains("go on with `mtlc train --resume small/run`"), "{said}");
    for entry in std::fs::read_dir(place.path("small")).expect("a folder").flatten() {
        if entry.file_name().to_string_lossy().starts_with("fill") {
            std::fs::remove_file(entry.path()).expect("ours");
        }
    }
    let ended = place.run("train --resume small/run --device cpu --quiet");
    assert_eq!(ended.code, 0, "{}", ended.err);
    let weights = |run: &str| std::fs::read(place.path(run).join("checkpoints/trained.safetensors")).expect("weights");
    assert!(weights("small/run") == weights("good"));
}

fn rand_name() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos()
}

#[test]
fn streams_and_devices_that_are_full() {
    let mut record = Record::new();
    let place = Place::table();
    // A device of this test's own: were a command to put a file in its place, no other program would miss it. Who may not make
    // one may not replace the system's either.
    let own = Command::new("mknod").arg(place.path("full")).args(["c", "1", "7"]).output();
    let full = match own.is_ok_and(|o| o.status.success()) && std::fs::write(place.path("full"), "x").is_err() {
        true => "full",
        false if is_root() => {
            println!("skipped: no device can be made here");
            return;
        }
        false => "/dev/full",
    };
    let before = place.contents();
    for arguments in ["graph net.mtl", "check --message-format json net.mtl", "fmt --stdout net.mtl"] {
        let ended = place.shell(&format!("$MTLC {arguments} > {full}"));
        assert_eq!(ended.code, 1, "{arguments}: {}", ended.err);
        record.note("a full stream", &format!("mtlc {arguments} > full"), &ended, &place);
    }
    let ended = place.run(&format!("graph net.mtl -o {full} --format svg"));
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("the disk is full"), "{}", ended.err);
    record.case("a picture into a folder that is none", &place, 1, "graph net.mtl -o nowhere/net.svg");
    record.case("a run below a file", &place, 1, "train net.mtl -o net.mtl/run --device cpu --quiet");
    assert_eq!(place.contents(), before);
    record.finish("streams");
}

#[test]
fn a_folder_that_may_not_be_written() {
    let place = Place::table();
    let mut record = Record::new();
    // Root may write anywhere: then the commands run as nobody, from a copy that nobody may read.
    let prefix = match is_root() {
        false => String::new(),
        true => {
            let copy = place.path("mtlc");
            std::fs::copy(env!("CARGO_BIN_EXE_mtlc"), &copy).expect("a copy");
            std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).expect("ours");
            "MTLC=./mtlc; setpriv --reuid=65534 --regid=65534 --clear-groups ".to_string()
        }
    };
    let mode = |path: &str, mode: u32| {
        let changed = std::fs::set_permissions(place.path(path), std::fs::Permissions::from_mode(mode));
        changed.expect("ours");
    };
    mode("net.mtl", 0o444);
    mode("train.csv", 0o444);
    mode(".", 0o555);
    let works = place.shell(&format!("{prefix}$MTLC check net.mtl"));
    if works.code != 0 {
        println!("skipped: nobody cannot run the program here: {}", works.err);
        mode(".", 0o755);
        return;
    }
    let before = place.contents();
    for line in [
        "fmt net.mtl",
        "data freeze net.mtl",
        "train net.mtl -o run --device cpu --quiet",
        "graph net.mtl -o net.svg",
        "new fresh",
    ] {
        let ended = place.shell(&format!("{prefix}$MTLC {line}"));
        assert_eq!(ended.code, 1, "{line}: {}{}", ended.out, ended.err);
        record.note("a folder that may not be written", &format!("mtlc {line}"), &ended, &place);
        assert_eq!(place.contents(), before, "{line}");
    }
    mode("train.csv", 0o000);
    let ended = place.shell(&format!("{prefix}$MTLC train net.mtl -o /tmp/never --device cpu --quiet"));
    assert_eq!(ended.code, 4, "{}", ended.err);
    record.note("data that may not be read", "mtlc train net.mtl", &ended, &place);
    mode("net.mtl", 0o000);
    let ended = place.shell(&format!("{prefix}$MTLC check net.mtl"));
    assert_eq!(ended.code, 1, "{}", ended.err);
    record.note("a program that may not be read", "mtlc check net.mtl", &ended, &place);
    mode(".", 0o755);
    record.finish("permissions");
}
