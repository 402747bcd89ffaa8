//! What reaches a terminal, and what is copied from it: characters that steer it, suggested commands, and what a panic says.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use mtlc::screen::steers;

use crate::place::{Ended, Place, SPEC};
use crate::sources::{literals, sources};

/// Begins a colour, rings, deletes, clears the screen by a single character, and turns the order of what follows.
const ODD: &str = "\u{1b}[31mX\u{7}\u{7f}\u{9b}2J\u{202e}\u{2066}\u{61c}\u{200f}\u{e0041}";

/// A program whose names all hold [`ODD`], and the tables that it reads. Names are written with escapes, and also end a line.
fn odd_place() -> (Place, [String; 3]) {
    let place = Place::new();
    let escaped: String =
        ODD.chars().map(|c| if steers(c) { format!("\\u{{{:x}}}", c as u32) } else { c.to_string() }).collect();
    let name = |n: &str| format!("\"{n}{escaped}\\r\\nerror: forged\"");
    let column = |n: &str| format!("\"{n}{escaped}\"");
    let mut text = SPEC
        .replace("train.csv", &format!("t{escaped}.csv"))
        .replace("d[a, b]", &format!("d[{}, {}]", column("a"), column("b")));
    text = text
        .replace("data d ", &format!("data {} ", name("d")))
        .replace("from = d[", &format!("from = {}[", name("d")));
    text = text.replace("input x:", &format!("input {}:", name("x"))).replace("<- x", &format!("<- {}", name("x")));
    text = text.replace("net(x)", &format!("net({})", name("x"))).replace("d.", &format!("{}.", name("d")));
    for n in ["net", "trunk", "branch", "yes", "value"] {
        for (before, after) in [
            ("task ", ":"),
            ("stage ", " "),
            ("  ", "."),
            ("<- ", "."),
            ("  ", " "),
            ("over ", " "),
            ("backbone ", "("),
        ] {
            text = text.replace(&format!("{before}{n}{after}"), &format!("{before}{}{after}", name(n)));
        }
    }
    let space = format!(
        "space {} over {} {{\n  level {} {{ copies = 1 }}\n  level {} {{ copies = 2 }}\n}}\nsearch learn_to_branch {{ epochs = 1, warmup = 0, batch = 12 }}\n",
        name("s"),
        name("net"),
        name("trunk"),
        name("branch"),
    );
    let (head, rest) = text.split_once("topology over").expect("it has one");
    let find = format!("{head}{space}{}", &rest[rest.find("train {").expect("it has one")..]);
    place.write("net.mtl", text.as_bytes());
    place.write("find.mtl", find.as_bytes());
    place.write("raw.mtl", format!("{text}# {ODD}\n# untidy\nparam   q : int=1\n").as_bytes());
    place
        .write("wrong.mtl", text.replace("adam(", &format!("{}(", column("adm"))).replace("batch", "bacth").as_bytes());
    let rows = |with: &str| {
        let mut out = format!("\"a{ODD}\",\"b{ODD}\",yes,value,\"id{ODD}\"\n");
        (0..60).for_each(|i| out += &format!("\"k{}{ODD}\",{},{}{with},{},r{ODD}\n", i % 3, i % 5, i % 2, i * 3 % 7));
        out
    };
    place.write(&format!("t{ODD}.csv"), rows("").as_bytes());
    place.write("bad.csv", rows(ODD).as_bytes());
    let bad =
        text.replace(&format!("t{escaped}.csv"), "bad.csv").replace("format = csv", "format = csv, numeric = [yes]");
    place.write("bad.mtl", bad.as_bytes());
    (place, [format!("run{ODD}"), format!("t{ODD}.csv"), format!("id{ODD}")])
}

fn steering(ended: &Ended) -> Option<char> {
    // The line ends of Windows stay.
    let text = (ended.out.clone() + &ended.err).replace("\r\n", "\n");
    text.chars().find(|c| steers(*c) && !"\n\t".contains(*c))
}

/// Every command, with everything odd: names of a program, columns, cells, paths and arguments.
#[test]
fn nothing_that_steers_reaches_a_terminal() {
    let (place, [run, table, id]) = odd_place();
    let task = format!("yes{ODD}");
    let (set, flag) = (format!("{ODD}=1"), format!("--{ODD}"));
    let run = run.as_str();
    let cases: Vec<Vec<&str>> = vec![
        vec!["check", "net.mtl", "--summary"],
        vec!["check", "find.mtl", "--summary", "--set", &set],
        vec!["check", "raw.mtl"],
        vec!["check", "wrong.mtl"],
        vec!["check", "wrong.mtl", "--message-format", "short"],
        vec!["check", "wrong.mtl", "--message-format", "json"],
        vec!["check", "wrong.mtl", "--message-format", "sarif"],
        vec!["check", run],
        vec!["check", "net.mtl", &flag],
        vec![ODD],
        vec!["fmt", "--diff", "raw.mtl"],
        vec!["fmt", "--check", "raw.mtl", run],
        vec!["explain", ODD],
        vec!["new", run],
        vec!["new", run],
        vec!["graph", "net.mtl"],
        vec!["graph", "find.mtl"],
        vec!["graph", "net.mtl", "--format", "svg"],
        vec!["graph", "net.mtl", "--format", "dot"],
        vec!["graph", "find.mtl", "--format", "mermaid"],
        vec!["graph", "net.mtl", "--format", "json"],
        vec!["graph", "net.mtl", "-o", ODD],
        vec!["data", "check", "net.mtl"],
        vec!["data", "check", "bad.mtl"],
        vec!["data", "preview", "net.mtl"],
        vec!["data", "freeze", "net.mtl", "--stdout"],
        vec!["train", "net.mtl", "-o", run, "--device", "cpu"],
        vec!["train", "net.mtl", "-o", run, "--device", "cpu"],
        vec!["train", "bad.mtl", "-o", "bad", "--device", ODD],
        vec!["train", "bad.mtl", "-o", "bad", "--device", "cpu"],
        vec!["train", "--resume", run],
        vec!["run", "--resume", run],
        vec!["run", "find.mtl", "-o", "found", "--device", "cpu"],
        vec!["search", "find.mtl", "-o", "searched", "--device", "cpu"],
        vec!["compare", "find.mtl", "-o", "compared", "--with", "learn_to_branch", "--seeds", "1", "--device", "cpu"],
        vec!["compare", "find.mtl", "-o", "compared", "--with", ODD],
        vec!["derive", "found"],
        vec!["derive", run],
        vec!["evaluate", run, "--device", "cpu"],
        vec!["evaluate", run, "--network", ODD],
        vec!["evaluate", "net.mtl", "--weights", ODD],
        vec!["verify", run],
        vec!["verify", "found"],
        vec!["verify", "net.mtl", "--spec", "find.mtl"],
        vec!["diff", "net.mtl", "found"],
        vec!["diff", run, "find.mtl"],
        vec!["profile", "net.mtl", "--steps", "1", "--device", "cpu"],
        vec!["predict", run, &table, "--id", &id, "--format", "jsonl"],
        vec!["predict", run, &table, "--id", ODD],
        vec!["predict", run, &table, "--tasks", &task],
        vec!["predict", run, "bad.csv", "-o", ODD],
        vec!["predict", run, ODD],
        vec!["lsp", "--json"],
        vec!["doctor"],
    ];
    let mut seen = BTreeSet::new();
    for args in &cases {
        seen.insert(args[0]);
        for more in [&[][..], &["--json"], &["--color", "always"]] {
            let args = [args.as_slice(), more].concat();
            let mut ended = place.call(&args);
            crate::place::no_bug(&args.join(" "), &ended);
            if more.len() == 2 {
                // The colours are ours; one of a name would stand before its next letter.
                assert!(!(ended.out.clone() + &ended.err).contains("\u{1b}[31mX"), "{args:?}");
                (ended.out, ended.err) = (without_colours(&ended.out), without_colours(&ended.err));
            }
            assert_eq!(steering(&ended), None, "{args:?}\n{:?}\n{:?}", ended.out, ended.err);
            // Clap quotes a whole usage; all else of ours keeps names within a line.
            let forged = |text: &str| text.lines().any(|l| l.trim_start().starts_with("error: forged"));
            assert!(!forged(&ended.out) && !forged(&ended.err), "{args:?}\n{}\n{}", ended.out, ended.err);
        }
    }
    use clap::CommandFactory;
    for command in mtlc::cli::args::Cli::command().get_subcommands() {
        assert!(seen.contains(command.get_name()), "no case for `{}`", command.get_name());
    }
    assert!(place.path(run).join("summary.json").is_file(), "the odd program trains");
    assert!(place.path("found").join("summary.json").is_file() && place.path("compared").is_dir(), "and is searched");
}

fn without_colours(text: &str) -> String {
    let mut out = String::new();
    let mut parts = text.split("\u{1b}[");
    out += parts.next().unwrap_or_default();
    for part in parts {
        match part.split_once('m') {
            Some((style, rest)) if style.bytes().all(|b| b.is_ascii_digit() || b == b';') => out += rest,
            _ => out += &format!("\u{1b}[{part}"),
        }
    }
    out
}

/// What goes to a file goes to a pipe byte for byte.
#[test]
fn a_pipe_gets_the_bytes_of_a_file() {
    let (place, _) = odd_place();
    let shown = place.call(&["fmt", "--stdout", "raw.mtl"]);
    assert!(shown.out.contains(&format!("# {ODD}\n")), "{:?}", shown.out);
    place.write("frozen.mtl", &place.bytes("raw.mtl"));
    let shown = place.call(&["data", "freeze", "--stdout", "frozen.mtl"]);
    assert_eq!(place.call(&["data", "freeze", "frozen.mtl", "--quiet"]).code, 0);
    assert_eq!(shown.out.as_bytes(), place.bytes("frozen.mtl"));
}

/// Names that a shell would read otherwise.
const NAMES: [&str; 10] = [
    "a b",
    "it's",
    "x;touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "a&touch pwned",
    "new\nline",
    "tab\there",
    "-rf",
    "\u{202e}\u{1b}[31mX",
];

/// The command that a message suggests, run by a shell.
fn follow(place: &Place, said: &str, before: &str) -> (String, Ended) {
    let line = said.lines().find(|l| l.contains(before)).unwrap_or_else(|| panic!("no {before:?} in {said}"));
    let (_, rest) = line.split_once(before).expect("it is there");
    let command = rest[..rest.rfind('`').expect("it ends")].to_string();
    let text = command.strip_prefix("mtlc").unwrap_or_else(|| panic!("{command}"));
    let ended = place.shell_of("bash", &format!("\"$MTLC\"{text}"));
    (command, ended)
}

#[test]
fn suggested_commands_reach_what_they_name() {
    for name in NAMES {
        let place = Place::table();
        let file = |end: &str| if name.starts_with('-') { format!("./{name}{end}") } else { format!("{name}{end}") };
        let (program, run) = (file(".mtl"), file("run"));
        place.write(&program, SPEC.replace("epochs", "epohcs").as_bytes());
        let said = place.call(&["check", &program]).err;
        let (command, ended) = follow(&place, &said, "fixable: `");
        assert_eq!(ended.code, 0, "{command}: {}", ended.err);
        assert_eq!(place.bytes(&program), SPEC.as_bytes(), "{command}");

        let new = file("new.mtl");
        let said = place.call(&["new", &new]).err;
        let (command, ended) = follow(&place, &said, "next: `");
        assert!(ended.err.contains("error[mtl::data") || ended.code == 0, "{command}: {}", ended.err);

        let stopped = place.call(&["train", &program, "-o", &run, "--device", "cpu", "--time", "1ms"]);
        assert_eq!(stopped.code, 75, "{}", stopped.err);
        let said = place.call(&["train", &program, "-o", &run]).err;
        let again = follow(&place, &said, "go on with it with `").0;
        let (command, ended) = follow(&place, &stopped.err, "go on with `");
        assert_eq!(again.split("`,").next(), Some(command.as_str()));
        assert_eq!(ended.code, 0, "{command}: {}", ended.err);
        let wrong = place.call(&["search", "--resume", &run]).err;
        let (command, ended) = follow(&place, &wrong, "go on with `");
        assert_eq!(ended.code, 0, "{command}: {}", ended.err);
        assert!(!place.path("pwned").exists(), "{name}");
    }
}

/// Whether a format string puts a value into a command, which [`mtlc::screen::shell`] does with quotes. A command stands in backticks and
/// begins with `mtlc` or an option, or it is `mtlc` and a subcommand anywhere.
fn builds_a_command(literal: &str, subcommands: &[String]) -> bool {
    let bare = literal.replace("{{", "").replace("}}", "");
    let parts: Vec<&str> = bare.split('`').collect();
    let spans = parts.iter().enumerate().skip(1).step_by(2).map(|(i, part)| (*part, i + 1 == parts.len()));
    let option =
        |s: &str| s.strip_prefix('-').is_some_and(|s| s.starts_with(|c: char| c == '-' || c.is_ascii_lowercase()));
    let of_ours = |s: &str| s.starts_with("mtlc ") || option(s) && s.contains(' ');
    spans.clone().any(|(span, open)| of_ours(span) && (open || span.contains('{')))
        || parts.iter().any(|part| {
            subcommands
                .iter()
                .any(|s| part.split_once(&format!("mtlc {s} ")).is_some_and(|(_, rest)| rest.contains('{')))
        })
        || spans.into_iter().any(|(span, _)| span.contains('{') && span.contains(" --"))
}

#[test]
fn only_one_place_builds_suggested_commands() {
    use clap::CommandFactory;
    let subcommands: Vec<String> =
        mtlc::cli::args::Cli::command().get_subcommands().map(|c| c.get_name().to_string()).collect();
    // The test itself: these are what it must find, and must not.
    for wrong in [
        "go on with `mtlc train --resume {}`",
        "next: `mtlc check {shown}`, then more",
        "`mtlc {} --resume {}`",
        "`mtlc check ",
        "`{program} --weights {weights}`",
        "or another: `--network {}`",
        "write `-o {}`",
        "mtlc check {}",
    ] {
        assert!(builds_a_command(wrong, &subcommands), "{wrong}");
    }
    for right in [
        "`mtlc data freeze` writes {} into `{}`",
        "`{}` is no file; `mtlc new NAME`",
        "`search s {{ }}` of {}",
        "leave `--json` out",
    ] {
        assert!(!builds_a_command(right, &subcommands), "{right}");
    }
    let mut wrong = Vec::new();
    let mut count = 0;
    for (path, code) in sources().iter().filter(|(p, _)| !p.ends_with("screen/shell.rs")) {
        for (line, literal) in literals(code) {
            count += 1;
            if builds_a_command(&literal, &subcommands) {
                wrong.push(format!("{}:{line}: {literal:?}", path.display()));
            }
        }
    }
    assert!(count > 5000, "{count} literals");
    assert!(wrong.is_empty(), "build these with `screen::shell`, which quotes:\n{}", wrong.join("\n"));
}

/// Only these files write to the streams or spell escape sequences: the terminal, the protocol of editors, and what must be said where
/// nothing can be allocated.
#[test]
fn only_the_terminal_writes_to_the_streams() {
    let allowed = ["cli/terminal.rs", "lsp/transport.rs", "runtime/blocks.rs", "screen/mod.rs", "screen/shell.rs"];
    let words = ["println!", "eprint!", "print!(", "stdout()", "stderr()", "x1b", "u{1b}", "dbg!"];
    // Asking what a stream is writes nothing, and `Terminal::stderr` is how it is asked.
    let harmless =
        ["stdout().is_terminal()", "stderr().is_terminal()", "terminal.stderr()", "self.stderr()", "e.use_stderr()"];
    let mut wrong = Vec::new();
    for (path, code) in sources() {
        if allowed.iter().any(|a| path.ends_with(a)) {
            continue;
        }
        for (i, line) in code.lines().enumerate() {
            let code =
                harmless.iter().fold(line.split("//").next().unwrap_or_default().to_string(), |l, h| l.replace(h, ""));
            if words.iter().any(|w| code.contains(w)) {
                wrong.push(format!("{}:{}: {}", path.display(), i + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "write through `cli::Terminal`, paint with `screen::paint`:\n{}", wrong.join("\n"));
}

/// The server of an editor panics where a test asks for it; the hook is that of every command and thread.
#[test]
fn a_panic_says_two_lines_and_more_on_request() {
    let said = |backtrace: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mtlc"));
        command.arg("lsp").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        match backtrace {
            Some(v) => command.env("RUST_BACKTRACE", v),
            None => command.env_remove("RUST_BACKTRACE"),
        };
        let mut child = command.spawn().expect("it starts");
        let mut input = child.stdin.take().expect("it is piped");
        for message in [
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}"#,
            r#"{"jsonrpc":"2.0","method":"initialized","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":2,"method":"mtlc/panic","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":3,"method":"shutdown"}"#,
            r#"{"jsonrpc":"2.0","method":"exit"}"#,
        ] {
            write!(input, "Content-Length: {}\r\n\r\n{message}", message.len()).expect("it reads");
        }
        drop(input);
        let mut text = String::new();
        child.stderr.take().expect("it is piped").read_to_string(&mut text).expect("text");
        child.wait().expect("it ends");
        text
    };
    for quiet in [None, Some("0")] {
        let text = said(quiet);
        let lines: Vec<&str> = text.lines().collect();
        let [what, where_to] = lines.as_slice() else { panic!("{text}") };
        let version = env!("CARGO_PKG_VERSION");
        assert!(
            what.starts_with(&format!("error: this is a bug in mtlc {version}: ")) && what.contains(".rs:"),
            "{text}"
        );
        assert!(where_to.contains(mtlc::screen::ISSUES) && where_to.contains("RUST_BACKTRACE=1"), "{text}");
    }
    let text = said(Some("1"));
    assert!(text.lines().count() > 6 && text.contains("mtlc::"), "{text}");
}
