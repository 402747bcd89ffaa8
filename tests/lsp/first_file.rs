//! A working program written from an empty file, with what the editor offers and says alone. The transcript is
//! `editors/first_file.md`; `UPDATE=1` rewrites it.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::client::{Client, start};

struct Writer {
    client: Client,
    uri: String,
    text: String,
    log: String,
    /// Keys pressed by hand, and those that a completion saved.
    typed: usize,
    completed: usize,
}

impl Writer {
    fn say(&mut self, text: &str) {
        let _ = writeln!(self.log, "\n{text}\n");
    }

    fn changed(&mut self) {
        self.client.change(&self.uri, &self.text);
    }

    fn keys(&mut self, keys: &str) {
        self.text.push_str(keys);
        self.typed += keys.chars().count();
        let _ = writeln!(self.log, "- typed `{}`", keys.replace('\n', "⏎"));
        self.changed();
    }

    fn offered(&mut self) -> Vec<Value> {
        let lines = mtlc::lsp::Lines::new(&self.text);
        let at = lines.position(&self.text, self.text.len(), mtlc::lsp::Encoding::Utf16);
        let found =
            self.client.get("textDocument/completion", json!({ "textDocument": { "uri": self.uri }, "position": at }));
        // As an editor filters: what begins with what stands in the range.
        let mut all = found["items"].as_array().expect("items").clone();
        let from = all.first().map_or(self.text.len(), |i| self.start_of(i));
        let typed = self.text[from..].to_lowercase();
        all.retain(|i| i["filterText"].as_str().is_some_and(|l| l.to_lowercase().starts_with(&typed)));
        all
    }

    /// Where the text begins that a completion replaces.
    fn start_of(&self, item: &Value) -> usize {
        let start = &item["textEdit"]["range"]["start"];
        let position = gen_lsp_types::Position {
            line: start["line"].as_u64().expect("a line") as u32,
            character: start["character"].as_u64().expect("a character") as u32,
        };
        mtlc::lsp::Lines::new(&self.text).offset(&self.text, position, mtlc::lsp::Encoding::Utf16)
    }

    /// Takes what is offered under a label; the places of its snippet are filled with `fill`, in order.
    fn choose(&mut self, label: &str, fill: &[&str]) {
        let all = self.offered();
        let labels: Vec<&str> = all.iter().map(|i| i["label"].as_str().expect("a label")).collect();
        let at = labels
            .iter()
            .position(|l| *l == label)
            .unwrap_or_else(|| panic!("`{label}` at\n{}\nin {labels:?}", self.text));
        let item = &all[at];
        let (_, places) = filled(item["textEdit"]["newText"].as_str().expect("a text"), fill);
        let text = places;
        let from = self.start_of(item);
        self.text.truncate(from);
        self.text.push_str(&text);
        let by_hand: usize = fill.iter().map(|f| f.chars().count()).sum();
        self.typed += by_hand;
        self.completed += text.chars().count().saturating_sub(by_hand);
        let hand = if fill.is_empty() { String::new() } else { format!(", filled in with `{}`", fill.join("`, `")) };
        let _ = writeln!(self.log, "- chose `{label}` ({} of {} offered){hand}", at + 1, labels.len());
        self.changed();
    }

    fn messages(&mut self) -> Vec<String> {
        let found = self.client.problems(&self.uri);
        let list = found.as_array().expect("a list").iter();
        list.map(|d| d["message"].as_str().expect("a message").to_string()).collect()
    }

    /// What the editor underlines now.
    fn read(&mut self) -> Vec<String> {
        let all = self.messages();
        for m in &all {
            let _ = writeln!(self.log, "- the editor says: {}", m.replace('\n', " / "));
        }
        if all.is_empty() {
            let _ = writeln!(self.log, "- the editor says nothing");
        }
        all
    }
}

/// A snippet with its places filled: those that `fill` does not reach keep what stands there. What comes after `$0` is dropped and
/// written by hand.
fn filled(snippet: &str, fill: &[&str]) -> (bool, String) {
    let mut out = String::new();
    let mut rest = snippet;
    let mut fill = fill.iter();
    let mut stops = false;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('0') {
            rest = after;
            stops = true;
            break;
        }
        let end = rest.find('}').expect("a place ends");
        let default = rest[..end].split_once(':').map_or("", |p| p.1);
        out.push_str(fill.next().copied().unwrap_or(default));
        rest = &rest[end + 1..];
    }
    if !stops {
        out.push_str(rest);
    }
    (stops, out.replace("\\}", "}").replace("\\\\", "\\"))
}

#[test]
fn a_first_file_is_written_with_completion_and_messages_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("examples/first.mtl");
    let uri = format!("file://{}", path.display());
    let mut client = start();
    client.open(&uri, "");
    let mut w = Writer { client, uri, text: String::new(), log: String::new(), typed: 0, completed: 0 };

    w.say("An empty file, in the folder of the examples. What begins a program?");
    w.choose("mtl 1", &[]);
    w.read();

    w.say("Data first.");
    w.keys("\nda");
    w.choose("data ...", &["digits"]);
    w.keys("id");
    w.choose("idx", &[]);
    assert!(w.read().iter().any(|m| m.contains("lacks")), "{:?}", w.messages());
    w.keys("\n  im");
    w.choose("images", &[""]);
    w.keys("\"da");
    w.choose("data/", &[]);
    w.keys("digits-i");
    w.choose("data/digits-images.idx.gz", &[]);
    w.keys("\n  la");
    w.choose("labels", &[""]);
    w.keys("\"da");
    w.choose("data/", &[]);
    w.keys("digits-l");
    w.choose("data/digits-labels.idx.gz", &[]);
    w.keys("\n  val");
    w.choose("validation", &["share(0.15, of = train)"]);
    w.keys("\n  te");
    w.choose("test", &["share(0.25, of = train)"]);
    w.keys("\n}\n\n");
    w.read();

    w.say("What the network reads.");
    w.keys("in");
    w.choose("input ...", &["image", "f32[1, 8, 8]"]);
    w.keys(" { fr");
    w.choose("from", &[""]);
    w.choose("digits", &[]);
    w.keys(".");
    w.choose("image", &[]);
    w.keys(" }\n\n");
    w.read();

    w.say("Two questions.");
    w.keys("ta");
    w.choose("task ...", &["digit", "classes(10)"]);
    w.keys(" { la");
    w.choose("label", &["digits.label"]);
    w.keys(" }\n");
    w.choose("task ...", &["odd", "binary"]);
    w.keys(" { la");
    w.choose("label", &["digits.label % 2 == 1"]);
    w.keys(" }\n\n");
    w.read();

    w.say("The stages that both may share; a slip on the way.");
    w.keys("ba");
    w.choose("backbone ...", &["net", "image", "c1"]);
    w.keys("conv_");
    w.choose("conv_bn", &["16"]);
    w.keys("\n  st");
    w.choose("stage", &["c2"]);
    w.keys("conv_bn(32) -> max_pol(2)\n}\n");
    let said = w.read();
    assert!(said.iter().any(|m| m.contains("max_pool")), "{said:?}");
    let slip = w.text.rfind("max_pol(2)\n}\n").expect("it was typed");
    w.text.truncate(slip);
    let _ = writeln!(w.log, "- took back `max_pol(2)⏎}}⏎`");
    w.changed();
    w.keys("max_");
    w.choose("max_pool", &["2"]);
    w.keys("\n  st");
    w.choose("stage", &["fc"]);
    w.keys("fl");
    w.choose("flatten", &[]);
    w.keys(" -> li");
    w.choose("linear", &["32"]);
    w.keys(" -> re");
    w.choose("relu", &[]);
    w.keys("\n}\n\n");
    assert!(w.read().iter().any(|m| m.contains("head")), "{:?}", w.messages());

    w.say("The message asks for heads.");
    w.keys("he");
    w.choose("head ...", &[]);
    w.keys("\n\n");
    w.read();

    w.say("What may be chosen, and how.");
    w.keys("sp");
    w.choose("space ...", &["branching"]);
    w.keys("\n\n");
    w.read();
    w.keys("se");
    w.choose("search ...", &["learn_to_branch", "3"]);
    w.keys("\n  te");
    w.choose("temperature", &[""]);
    w.keys("inv");
    w.choose("inverse", &["10"]);
    w.keys("\n}\n");
    assert_eq!(w.read(), Vec::<String>::new(), "{}", w.text);

    let formatted = mtlc::fmt::mend(&w.text).text;
    let compiled = mtlc::driver::compile_text(&formatted, &path, &Default::default(), &mtlc::driver::read);
    assert!(compiled.diagnostics.is_empty() && compiled.checked.is_some(), "{:?}", compiled.diagnostics);
    let share = 100 * w.completed / (w.completed + w.typed);
    let transcript = format!(
        "# A first file\n\nA program written from an empty file with what the editor offers and says alone, by a scripted client \
         (`tests/lsp/first_file.rs` writes this page). {} characters were typed and {} came from completions ({share} %).\n{}\n\
         After formatting it stands like this, and `mtlc check` finds nothing wrong:\n\n```mtl\n{formatted}```\n\n{}",
        w.typed,
        w.completed,
        w.log,
        include_str!("mended.md"),
    );
    let place = root.join("editors/first_file.md");
    if std::env::var_os("UPDATE").is_some_and(|v| v == "1") {
        std::fs::write(&place, &transcript).expect("it can be written");
    }
    assert_eq!(std::fs::read_to_string(place).unwrap_or_default(), transcript, "UPDATE=1 rewrites it");
    w.client.end();
}
