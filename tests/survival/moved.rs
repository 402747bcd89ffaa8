//! A run folder that is renamed, removed, replaced, linked or shared while a run works there: the run notices before its next write, ends
//! with code 1, and leaves what is there now as it is. Where the folder is now, the run goes on to the same bytes.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use super::Draws;
use super::place::{Moment, Place};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Move {
    /// Renamed, with nothing in its place.
    Renamed,
    /// Renamed, with an empty folder in its place.
    Emptied,
    /// Renamed, with a copy in its place.
    Copied,
    /// Renamed, with another run in its place, which works at the same time.
    Replaced,
    Removed,
    /// The lock is removed, and a second process goes on with the run.
    Shared,
    /// Renamed, with a link to it in its place: it is the same folder.
    Linked,
}

const MOVES: [Move; 7] =
    [Move::Renamed, Move::Emptied, Move::Copied, Move::Replaced, Move::Removed, Move::Shared, Move::Linked];

/// No run takes longer to notice.
const LIMIT: Duration = Duration::from_secs(120);

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        // Files come and go while the run works.
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target)),
        }
    }
}

/// Every file below with its bytes.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut out, mut stack) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = stack.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.path().is_dir() {
                true => stack.push(entry.path()),
                false => out.push((entry.path(), std::fs::read(entry.path()).unwrap_or_default())),
            }
        }
    }
    out.sort();
    out
}

fn end(mut child: Child) -> (Option<i32>, String) {
    let start = Instant::now();
    while child.try_wait().expect("it is ours").is_none() {
        if start.elapsed() > LIMIT {
            child.kill().expect("it is ours");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().expect("it ended");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// One move at one moment; `None` if the run had not begun or was done before.
fn strike(place: &Place, what: Move, every: &str, moment: Moment) -> Option<()> {
    let (run, old) = (place.run(), place.run().with_file_name("old"));
    place.clear();
    let _ = std::fs::remove_dir_all(&old);
    let mut child = place.listen(&place.fresh(every));
    place.wait_for(moment, &mut child);
    if child.try_wait().expect("it is ours").is_some() || !run.join("run.json").exists() {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    }
    let name = format!("{}: {what:?}, --save-every {every}, {moment:?}", place.name);
    let rename = || std::fs::rename(&run, &old).expect("it is there");
    let mut other = None;
    match what {
        Move::Renamed => rename(),
        Move::Emptied => {
            rename();
            std::fs::create_dir(&run).expect("a folder");
        }
        Move::Copied => {
            rename();
            copy(&old, &run);
        }
        Move::Replaced => {
            rename();
            other = Some(place.listen(&place.fresh("1h")));
        }
        // While it is removed, the run may write into it.
        Move::Removed => while std::fs::remove_dir_all(&run).is_err() && run.exists() {},
        Move::Shared => {
            std::fs::remove_file(run.join("run.lock")).expect("it is there");
            other = Some(place.listen(&["run", "--resume", "run"].map(String::from)));
        }
        Move::Linked => {
            rename();
            std::os::unix::fs::symlink(&old, &run).expect("a link");
        }
    }
    let planted = matches!(what, Move::Emptied | Move::Copied).then(|| contents(&run));
    let (code, said) = end(child);
    // The last write may have been before the move.
    if code == Some(0) && what != Move::Linked {
        other.map(end);
        return None;
    }
    if what == Move::Linked {
        // There may have been no folder of that name at the moment of a write.
        assert!(code == Some(0) || said.contains("was renamed or replaced"), "{name}: {code:?} {said}");
        std::fs::remove_file(&run).expect("a link");
        std::fs::rename(&old, &run).expect("it is there");
    } else {
        assert_eq!(code, Some(1), "{name}: {said}");
        let word = match what {
            Move::Removed => "was removed while it was in use",
            Move::Shared => "may be used by another process",
            _ => "was renamed or replaced while it was in use",
        };
        assert!(said.contains(word) && said.contains("help: "), "{name}: {said}");
    }
    match what {
        Move::Renamed | Move::Removed => assert!(!run.exists(), "{name}: the folder was made again"),
        Move::Emptied | Move::Copied => {
            assert!(contents(&run) == planted.expect("seen before"), "{name}: it was written")
        }
        _ => {}
    }
    if let Some(other) = other {
        let (code, said) = end(other);
        assert_eq!(code, Some(0), "{name}: the other run: {said}");
        place.compare(&format!("{name}, the other run"));
    }
    if matches!(what, Move::Renamed | Move::Emptied | Move::Copied | Move::Replaced) {
        let text = std::fs::read_to_string(old.join("run.json")).expect("it is there");
        assert!(text.contains("\"status\": \"stopped\""), "{name}: {text}");
        place.clear();
        std::fs::rename(&old, &run).expect("it is there");
    }
    if !matches!(what, Move::Removed | Move::Shared) {
        place.resume();
        place.compare(&format!("{name}, resumed"));
    }
    Some(())
}

/// `count` moves, the kinds in turn. Gives how many there were of each.
pub fn campaign(programs: &[Place], count: u64, seed: u64) -> Vec<(String, usize)> {
    let mut draws = Draws(seed);
    let mut done: Vec<(String, usize)> = MOVES.iter().map(|m| (format!("{m:?}"), 0)).collect();
    let mut n = 0;
    while n < count {
        let place = &programs[draws.below(programs.len() as u64) as usize];
        let every = ["0s", "20ms", "200ms"][draws.below(3) as usize];
        let kind = (n as usize) % MOVES.len();
        // Not so late that nothing is left to write.
        let moment = match draws.below(3) {
            0 => Moment::Retraining(Duration::from_micros(draws.below(20_000))),
            1 => Moment::Derivation(Duration::from_micros(draws.below(20_000))),
            _ => Moment::At(place.whole.mul_f64(draws.below(8_000) as f64 / 10_000.0)),
        };
        if strike(place, MOVES[kind], every, moment).is_some() {
            done[kind].1 += 1;
            n += 1;
        }
    }
    done
}
