//! The command line from outside: what goes to which stream, and how a command ends.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const BIN: &str = env!("CARGO_BIN_EXE_mtlc");
const GOOD: &str = "tests/golden/programs/residual.mtl";
const BAD: &str = "tests/ui/name/misspelt_parameter.mtl";

fn mtlc(args: &[&str]) -> Output {
    Command::new(BIN).args(args).output().expect("the program runs")
}

fn with_input(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(BIN)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    // A command that refuses its arguments does not read.
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).ok();
    child.wait_with_output().expect("it ends")
}

fn code(o: &Output) -> i32 {
    o.status.code().expect("no signal ends it")
}

fn out(o: &Output) -> String {
    String::from_utf8_lossy(&o.stdout).into_owned()
}

fn err(o: &Output) -> String {
    String::from_utf8_lossy(&o.stderr).into_owned()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn put(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("it can be written");
    path.display().to_string()
}

/// A misspelt level of vector instructions is not ignored, and one that the processor lacks is not replaced.
#[test]
fn levels_of_vector_instructions() {
    use mtlc::ops::kernel::simd::Level;
    let with = |level: &str| Command::new(BIN).args(["check", GOOD]).env("MTLC_SIMD", level).output().expect("it runs");
    for level in Level::ALL {
        let output = with(level.name());
        assert_eq!(code(&output), if level.is_there() { 0 } else { 2 }, "{}", err(&output));
        assert!(level.is_there() || err(&output).contains("this processor does not have"), "{}", err(&output));
    }
    for wrong in ["avx", "AVX2 ", "", "sse"] {
        let output = with(wrong);
        assert_eq!(code(&output), 2, "`{wrong}`");
        assert!(err(&output).contains("MTLC_SIMD") && err(&output).contains("portable"), "{}", err(&output));
    }
}

#[test]
fn exit_codes() {
    assert_eq!(code(&mtlc(&["check", GOOD])), 0);
    assert_eq!(code(&mtlc(&["check", "tests/nowhere.mtl"])), 1);
    assert_eq!(code(&mtlc(&["check"])), 2);
    assert_eq!(code(&mtlc(&["chekc", GOOD])), 2);
    assert_eq!(code(&mtlc(&["check", GOOD, BAD])), 3);
    let help = mtlc(&["--help"]);
    assert_eq!(code(&help), 0);
    for exit in mtlc::cli::exit::Exit::ALL {
        assert!(out(&help).contains(&format!("\n  {:>2}  ", exit.code())), "{exit:?}");
    }
}

#[test]
fn standard_output_is_the_product() {
    let human = mtlc(&["check", BAD]);
    assert_eq!(out(&human), "");
    assert!(err(&human).contains("did you mean `width`?"));
    assert!(err(&human).contains("2 errors (2 fixable: `mtlc check --fix tests/ui/name/misspelt_parameter.mtl`)"));
    let short = mtlc(&["check", "--message-format", "short", "-q", BAD]);
    assert_eq!((out(&short).as_str(), err(&short).lines().count()), ("", 2));
    let good = mtlc(&["check", GOOD]);
    assert_eq!(out(&good), "");
    assert_eq!(err(&good).lines().count(), 1);
    assert_eq!(err(&mtlc(&["check", "--quiet", GOOD])), "");
}

#[test]
fn json_is_one_object_a_line() {
    let o = mtlc(&["--json", "check", BAD, GOOD]);
    let lines: Vec<serde_json::Value> = out(&o).lines().map(|l| serde_json::from_str(l).expect("an object")).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["code"], "mtl::name::unknown");
    assert_eq!((&lines[2]["ok"], &lines[2]["errors"]), (&false.into(), &2.into()));
    assert_eq!((&lines[3]["ok"], &lines[3]["tasks"]), (&true.into(), &3.into()));
    let sarif = mtlc(&["check", "--message-format", "sarif", BAD, GOOD]);
    let log: serde_json::Value = serde_json::from_str(&out(&sarif)).expect("one log");
    assert_eq!(log["runs"].as_array().map(Vec::len), Some(2));
}

#[test]
fn parameters_are_set() {
    let text = "mtl 1\nparam n: int = 1 in 1..9\ninput x: f32[4]\ntask t: binary\nbackbone b(x) { stage s = linear(n) }\nhead for t = linear(1)\n";
    assert_eq!(code(&with_input(&["check", "-", "--set", "n=2"], text)), 0);
    let wrong = with_input(&["check", "-", "--set", "n=10"], text);
    assert_eq!(code(&wrong), 3);
    assert!(err(&wrong).contains("<stdin>:2:7"), "{}", err(&wrong));
    assert_eq!(code(&with_input(&["check", "-", "--set", "n"], text)), 2);
}

#[test]
fn fixes_are_written_whole() {
    let dir = folder();
    let path = put(dir.path(), "a.mtl", &std::fs::read_to_string(BAD).expect("it is there"));
    let o = mtlc(&["check", "--fix", &path]);
    assert_eq!(code(&o), 0, "{}", err(&o));
    assert!(err(&o).contains("2 problems fixed"), "{}", err(&o));
    let mended = std::fs::read_to_string(&path).expect("it is there");
    assert!(!mended.contains("widht") && mended.contains("conv_bn(2 * width)"));
    assert_eq!(std::fs::read_dir(dir.path()).expect("it can be listed").count(), 1, "nothing is left behind");
    assert_eq!(code(&with_input(&["check", "--fix", "-"], "mtl 1\n")), 2);
}

#[test]
fn formatting() {
    let dir = folder();
    let path = put(dir.path(), "a.mtl", "mtl 1\nparam   n :int=1\n");
    assert_eq!(code(&mtlc(&["fmt", "--check", &path])), 1);
    assert_eq!(out(&mtlc(&["fmt", "--stdout", &path])), "mtl 1\nparam n: int = 1\n");
    assert_eq!(code(&mtlc(&["fmt", &path])), 0);
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "mtl 1\nparam n: int = 1\n");
    assert_eq!(code(&mtlc(&["fmt", "--check", &path])), 0);
    assert_eq!(out(&with_input(&["fmt", "-"], "mtl 1\nparam n:int=1")), "mtl 1\nparam n: int = 1\n");
    // What cannot be read is left as it is.
    let broken = put(dir.path(), "b.mtl", "mtl 1\nparam n: int =\n");
    assert_eq!(code(&mtlc(&["fmt", &broken])), 3);
    assert_eq!(std::fs::read_to_string(&broken).expect("it is there"), "mtl 1\nparam n: int =\n");
    // What stands around it is laid out.
    let partly = put(dir.path(), "c.mtl", "mtl 1\nparam n:   int =\nparam   k :int=1\n");
    assert_eq!(code(&mtlc(&["fmt", &partly])), 3);
    assert_eq!(std::fs::read_to_string(&partly).expect("it is there"), "mtl 1\nparam n:   int =\nparam k: int = 1\n");
}

#[test]
fn formatting_folders() {
    let dir = folder();
    std::fs::create_dir_all(dir.path().join("deep/.hidden")).expect("it can be made");
    let untidy = "mtl 1\r\nparam   n :int=1\r\n";
    let paths = ["a.mtl", "deep/b.mtl", "deep/.hidden/c.mtl", "deep/d.txt"].map(|n| put(dir.path(), n, untidy));
    let whole = dir.path().display().to_string();
    let shown = mtlc(&["fmt", "--diff", &whole]);
    assert_eq!(code(&shown), 1);
    assert_eq!(out(&shown).matches("-param   n :int=1\r\n+param n: int = 1\r\n").count(), 2, "{}", out(&shown));
    assert_eq!(code(&mtlc(&["fmt", "--check", &whole])), 1);
    assert_eq!(code(&mtlc(&["fmt", &whole])), 0);
    let now = paths.map(|p| std::fs::read_to_string(p).expect("it is there"));
    let tidy = "mtl 1\r\nparam n: int = 1\r\n";
    assert_eq!(now, [tidy, tidy, untidy, untidy]);
    assert_eq!(out(&mtlc(&["fmt", "--diff", &whole])), "");
    assert_eq!(code(&mtlc(&["fmt", "--check", &whole])), 0);
}

#[test]
fn new_never_overwrites() {
    let dir = folder();
    let name = dir.path().join("faces").display().to_string();
    assert_eq!(code(&mtlc(&["new", &name, "--template", "faces"])), 0);
    assert_eq!(code(&mtlc(&["check", &format!("{name}.mtl")])), 0);
    let again = mtlc(&["new", &name]);
    assert_eq!(code(&again), 1);
    assert!(err(&again).contains("exists already"), "{}", err(&again));
}

/// What `mtlc new` writes checks, and is laid out as `mtlc fmt` would.
#[test]
fn templates_are_programs() {
    use mtlc::cli::args::Template;
    use mtlc::diag::Severity;
    use mtlc::driver;
    for template in Template::ALL {
        let compiled = driver::compile_text(template.text(), Path::new("new.mtl"), &Default::default(), &driver::read);
        let worst = compiled.diagnostics.iter().map(|d| d.severity).min();
        assert!(worst.is_none_or(|s| s == Severity::Advice), "{template:?}: {:#?}", compiled.diagnostics);
        assert_eq!(mtlc::fmt::format(template.text()).as_deref(), Ok(template.text()), "{template:?}");
    }
}

#[test]
fn explanations() {
    for what in [
        "mtl::shape::merge",
        "shape::merge",
        "ops",
        "conv",
        "strategies",
        "space",
        "library",
        "resnet18",
        "mse",
        "kinds",
        "regression",
        "fields",
        "mlp",
    ] {
        let o = mtlc(&["explain", what]);
        assert_eq!((code(&o), err(&o).as_str()), (0, ""), "{what}");
        assert!(!out(&o).is_empty());
    }
    let o = mtlc(&["explain", "shape::marge"]);
    assert_eq!(code(&o), 2);
    assert!(err(&o).contains("did you mean `shape::merge`?"), "{}", err(&o));
    let list = out(&mtlc(&["explain"]));
    assert!(mtlc::diag::Code::all().all(|c| list.contains(c.name())));
}

/// A reader that goes away is no error: `mtlc explain ops | head -1`.
#[test]
fn a_closed_pipe_is_no_panic() {
    let mut child = Command::new(BIN)
        .args(["explain", "ops"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    drop(child.stdout.take());
    let o = child.wait_with_output().expect("it ends");
    assert_eq!((code(&o), err(&o).as_str()), (0, ""));
}

#[test]
fn colour_only_where_asked() {
    assert!(!err(&mtlc(&["check", BAD])).contains('\u{1b}'));
    assert!(err(&mtlc(&["--color", "always", "check", BAD])).contains('\u{1b}'));
}
