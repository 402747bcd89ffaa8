//! A folder, the program run in it, and what it left behind.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// No command may take longer, in any build.
const LIMIT: Duration = Duration::from_secs(60);

pub struct Place {
    folder: tempfile::TempDir,
}

/// How a command ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
    pub took: Duration,
}

impl Place {
    pub fn new() -> Place {
        Place { folder: tempfile::tempdir().expect("a folder") }
    }

    /// With a table, a spec that reads it, and its data frozen.
    pub fn table() -> Place {
        let place = Place::new();
        place.write("train.csv", table().as_bytes());
        place.write("net.mtl", SPEC.as_bytes());
        place
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn link(&self, name: &str, to: impl AsRef<Path>) {
        std::os::unix::fs::symlink(to, self.path(name)).expect("a link");
    }

    /// Runs `mtlc`; the arguments stand apart by blanks.
    pub fn run(&self, arguments: &str) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mtlc"));
        command.args(arguments.split_whitespace());
        self.end(command)
    }

    /// Runs it with arguments that hold anything.
    pub fn call(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mtlc"));
        command.args(arguments);
        self.end(command)
    }

    /// Runs it in a shell, with `$MTLC` for the program.
    pub fn shell(&self, line: &str) -> Ended {
        self.shell_of("sh", line)
    }

    pub fn shell_of(&self, shell: &str, line: &str) -> Ended {
        let mut command = Command::new(shell);
        command.args(["-c", line]).env("MTLC", env!("CARGO_BIN_EXE_mtlc"));
        self.end(command)
    }

    fn end(&self, mut command: Command) -> Ended {
        let start = Instant::now();
        let files = tempfile::tempdir().expect("a folder");
        let file = |name: &str| std::fs::File::create(files.path().join(name)).expect("a file");
        let mut child = command
            .current_dir(self.root())
            .env_remove("RUST_BACKTRACE")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .expect("it starts");
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break status;
            }
            if start.elapsed() > LIMIT {
                child.kill().expect("a child");
                child.wait().expect("a child");
                panic!("hangs: {command:?}");
            }
            std::thread::sleep(Duration::from_millis(3));
        };
        let text = |name: &str| {
            let bytes = std::fs::read(files.path().join(name)).expect("it was made");
            String::from_utf8(bytes).expect("what is said is UTF-8")
        };
        let code = status.code().unwrap_or_else(|| panic!("killed by signal {:?}: {}", status.signal(), text("err")));
        Ended { code, out: text("out"), err: text("err"), took: start.elapsed() }
    }

    /// What stands below the folder: links as links, files by digest, pipes and devices by kind. Nothing is followed.
    pub fn contents(&self) -> BTreeMap<PathBuf, String> {
        let mut out = BTreeMap::new();
        let mut stack = vec![self.root().to_path_buf()];
        while let Some(folder) = stack.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let meta = std::fs::symlink_metadata(&path).expect("it was listed");
                let what = if meta.is_symlink() {
                    format!("-> {}", std::fs::read_link(&path).expect("a link").display())
                } else if meta.is_dir() {
                    stack.push(path.clone());
                    "folder".to_string()
                } else if meta.is_file() && meta.len() > (64 << 20) {
                    // Sparse, and made by the test: its size and time say enough.
                    format!("{} bytes {} {}", meta.len(), meta.mtime(), meta.mtime_nsec())
                } else if meta.is_file() {
                    format!("{:x?}", Sha256::digest(std::fs::read(&path).expect("a file")).as_slice())
                } else {
                    "special".to_string()
                };
                out.insert(path.strip_prefix(self.root()).expect("below").to_path_buf(), what);
            }
        }
        out
    }
}

/// Cases of one part, with what they say.
pub struct Record {
    text: String,
}

impl Record {
    pub fn new() -> Record {
        Record { text: String::new() }
    }

    /// Runs a command in a place that was made wrong. It ends with `code`, says why, and everything is as it was.
    #[track_caller]
    pub fn case(&mut self, name: &str, place: &Place, code: i32, command: &str) -> Ended {
        let before = place.contents();
        let ended = place.run(command);
        assert_eq!(ended.code, code, "{name}: {}{}", ended.out, ended.err);
        let after = place.contents();
        assert_eq!(after, before, "{name}: what was there changed");
        self.note(name, &format!("mtlc {command}"), &ended, place);
        ended
    }

    #[track_caller]
    pub fn note(&mut self, name: &str, command: &str, ended: &Ended, place: &Place) {
        no_bug(name, ended);
        let said = ended.err.replace(&format!("{}/", place.root().display()), "");
        let said = said.replace(&place.root().display().to_string(), "FOLDER");
        assert!(code_says_all(ended), "{name}: nothing is said");
        self.text += &format!("## {name}\n$ {command}\n{said}[exit {}]\n\n", ended.code);
    }

    pub fn finish(self, part: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/hostile/messages/{part}.txt"));
        if std::env::var_os("UPDATE").is_some_and(|v| v == "1") {
            std::fs::write(&path, &self.text).expect("the expectation can be written");
            return;
        }
        let want = std::fs::read_to_string(&path).unwrap_or_default();
        let at = want.lines().zip(self.text.lines()).position(|(a, b)| a != b);
        let at = at.unwrap_or(want.lines().count().min(self.text.lines().count()));
        let line = |text: &str| text.lines().nth(at).unwrap_or("(the end)").to_string();
        let (old, new) = (line(&want), line(&self.text));
        assert!(want == self.text, "{}:{} (UPDATE=1 rewrites)\n- {old}\n+ {new}", path.display(), at + 1);
    }
}

/// Success may be silent; a failure is not.
fn code_says_all(ended: &Ended) -> bool {
    ended.code == 0 || !ended.err.is_empty()
}

#[track_caller]
pub fn no_bug(name: &str, ended: &Ended) {
    for word in ["bug in mtlc", "panicked", "overflowed its stack", "memory allocation of"] {
        assert!(!ended.err.contains(word), "{name}: {}", ended.err);
    }
}

/// Whether this process may mount and change owners.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}

fn table() -> String {
    let mut out = String::from("a,b,yes,value\n");
    for i in 0..60 {
        let (a, b) = (((i * 37) % 19) as f64 / 10.0 - 0.9, ((i * 53) % 23) as f64 / 10.0 - 1.1);
        out += &format!("{a:.1},{b:.1},{},{:.3}\n", u8::from(a + b > 0.0), a * b + 0.5);
    }
    out
}

pub const SPEC: &str = r#"mtl 1

data d { format = csv, train = "train.csv", validation = share(0.2, of = train), test = share(0.2, of = train) }
input x: fields { from = d[a, b] }
task yes: binary { label = d.yes == 1 }
task value: regression(1) { from = d.value }
backbone net(x) {
  stage trunk  = one_hot -> linear(4) -> relu
  stage branch = linear(3) -> relu
}
head for * = linear(outputs)
topology over net {
  trunk.a  <- x
  branch.a <- trunk.a
  branch.b <- trunk.a
  yes      <- branch.a
  value    <- branch.b
}
train { epochs = 1, batch = 12, optimizer = adam(lr = 0.01) }
"#;
