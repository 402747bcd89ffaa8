//! Exit codes: what scripts and schedulers may rely on. They never change meaning.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Ok,
    /// The world failed (a file, a device, a full disk), or `mtlc` did; or what was to be shown does not hold (`fmt --check`,
    /// `verify`, `diff --exit-code`).
    Failure,
    /// The command line cannot be read.
    Usage,
    /// The program has errors; they were shown.
    Program,
    /// The data are missing or are not what the program says.
    Data,
    /// Training diverged, or an output or a result is infinite or NaN.
    Diverged,
    /// Stopped by a signal or a time limit, with everything saved: the same command resumes. sysexits' EX_TEMPFAIL, on which
    /// schedulers can requeue.
    Stopped,
}

impl Exit {
    pub const ALL: [Exit; 7] =
        [Exit::Ok, Exit::Failure, Exit::Usage, Exit::Program, Exit::Data, Exit::Diverged, Exit::Stopped];

    pub fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Program => 3,
            Exit::Data => 4,
            Exit::Diverged => 5,
            Exit::Stopped => 75,
        }
    }

    fn doc(self) -> &'static str {
        match self {
            Exit::Ok => "done",
            Exit::Failure => {
                "failure: a file, a device, or mtlc itself; or fmt --check, verify, diff --exit-code say no"
            }
            Exit::Usage => "the command line cannot be read",
            Exit::Program => "the program has errors",
            Exit::Data => "the data are missing or are not what the program says",
            Exit::Diverged => "training diverged, or an output or a result is infinite or NaN",
            Exit::Stopped => "stopped by a signal or a time limit; can be resumed",
        }
    }

    /// The last part of `--help`.
    pub fn help() -> String {
        let lines = Exit::ALL.map(|e| format!("  {:>2}  {}\n", e.code(), e.doc()));
        format!("Exit codes:\n{}", lines.concat())
    }
}

impl From<Exit> for ExitCode {
    fn from(e: Exit) -> ExitCode {
        ExitCode::from(e.code())
    }
}

/// A command that could not do its work: one line for people, and the code to leave with. Problems of a program are no
/// failures: they are shown as diagnostics, and the command ends with [`Exit::Program`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
    pub help: Option<String>,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into(), help: None }
    }

    pub fn help(mut self, text: impl Into<String>) -> Failure {
        self.help = Some(text.into());
        self
    }

    /// "cannot read `faces.mtl`: there is no such file"
    pub fn io(doing: &str, path: &std::path::Path, e: &std::io::Error) -> Failure {
        use std::io::ErrorKind::*;
        let why = match e.kind() {
            NotFound if doing == "write" => "there is no such folder".to_string(),
            NotFound => "there is no such file".to_string(),
            PermissionDenied => "permission denied".to_string(),
            AlreadyExists => "it exists already".to_string(),
            IsADirectory => "it is a folder".to_string(),
            StorageFull => "the disk is full".to_string(),
            ReadOnlyFilesystem => "the file system is read-only".to_string(),
            NotADirectory => "a part of the path is no folder".to_string(),
            _ => e.to_string(),
        };
        let failure = Failure::new(Exit::Failure, format!("cannot {doing} `{}`: {why}", path.display()));
        match e.kind() {
            InvalidData => failure.help("save it as UTF-8 text"),
            _ => failure,
        }
    }
}

pub type Outcome = Result<Exit, Failure>;
