//! Every feature, asked for as an editor does.

use serde_json::{Value, json};

use crate::client::{Client, apply, at, cursor, document, start, start_with};

const URI: &str = "file:///project/spec.mtl";

const SPEC: &str = "mtl 1

# The width of all.
param width: int = 16 in 8..512

input image: f32[3, 32, 32]
task smiling: binary
task young: binary

block unit(c: int, k: int = 3) = conv(c, kernel = k) -> batch_norm -> relu

backbone net(image) {
  stage c1 = unit(width) -> max_pool(2)
  stage c2 = unit(2 * width) -> max_pool(2)
  stage fc = flatten -> linear(32) -> relu
}

head for * = linear(outputs)

space branching over net {
  level c1 { copies = 1 }
  level c2 { copies = 2, reads = one }
  level fc { copies = 2, reads = one }
}

search learn_to_branch {
  epochs = 3
}
";

fn opened() -> Client {
    let mut c = start();
    c.open(URI, SPEC);
    assert_eq!(c.problems(URI), json!([]));
    c
}

/// The place of a word, with `|` where in it.
fn place(marked: &str) -> Value {
    let plain = marked.replacen('|', "", 1);
    let offset =
        SPEC.find(&plain).unwrap_or_else(|| panic!("`{plain}` is in the spec")) + marked.find('|').expect("a cursor");
    let line = SPEC[..offset].matches('\n').count() as u32;
    let column = (offset - SPEC[..offset].rfind('\n').map_or(0, |n| n + 1)) as u32;
    at(URI, line, column)
}

fn hover(c: &mut Client, marked: &str) -> String {
    c.get("textDocument/hover", place(marked))["contents"]["value"].as_str().unwrap_or_default().to_string()
}

#[test]
fn problems_come_as_one_types() {
    let mut c = start();
    c.open(URI, &SPEC.replace("unit(width)", "unit(widht)"));
    let problems = c.problems(URI);
    let [p] = problems.as_array().expect("a list").as_slice() else { panic!("{problems}") };
    assert_eq!(p["code"], "mtl::name::unknown");
    assert_eq!(p["severity"], 1);
    assert_eq!(p["source"], "mtlc");
    assert_eq!(p["range"], json!({ "start": { "line": 12, "character": 18 }, "end": { "line": 12, "character": 23 } }));
    c.edit(URI, json!([{ "range": p["range"], "text": "width" }]));
    assert_eq!(c.problems(URI), json!([]));
    // A problem with a place elsewhere says where.
    c.change(URI, &SPEC.replace("task young", "task smiling"));
    let problems = c.problems(URI);
    assert_eq!(problems[0]["relatedInformation"][0]["location"]["uri"], URI);
    // The explanation is where the pointer rests.
    let (line, column) =
        (problems[0]["range"]["start"]["line"].as_u64(), problems[0]["range"]["start"]["character"].as_u64());
    let shown = c.get("textDocument/hover", at(URI, line.unwrap() as u32, column.unwrap() as u32));
    assert!(shown["contents"]["value"].as_str().unwrap().contains("mtl::name::duplicate"), "{shown}");
    // A closed document has no problems.
    c.tell("textDocument/didClose", document(URI));
    c.settle();
    assert_eq!(c.problems[URI], (None, json!([])));
    c.end();
}

#[test]
fn hovering() {
    let mut c = opened();
    let stage = hover(&mut c, "stage c|2");
    for part in ["f32[32, 8, 8]", "4.7k parameters", "receptive field 10 x 10", "reads `c1`"] {
        assert!(stage.contains(part), "{part} in {stage}");
    }
    let link = hover(&mut c, "un|it(2 * width)");
    assert!(link.contains("f32[32, 16, 16]") && link.contains("block unit(c: int"), "{link}");
    assert!(hover(&mut c, "param wi|dth").contains("The width of all"));
    assert!(hover(&mut c, "max_p|ool(2)\n  stage c2").contains("`kernel`"));
    assert!(hover(&mut c, "cop|ies = 2").contains("How many"));
    assert!(hover(&mut c, "sp|ace branching").contains("What may be chosen"));
    assert!(hover(&mut c, "branc|hing").contains("distinct trees"));
    assert!(hover(&mut c, "learn_to_b|ranch").contains("Guo"));
    assert!(hover(&mut c, "task smi|ling").contains("33") || hover(&mut c, "task smi|ling").contains("2.0k"));
    assert_eq!(c.get("textDocument/hover", at(URI, 1, 0)), Value::Null);
    c.end();
}

fn labels(c: &mut Client, marked: &str) -> Vec<String> {
    let (text, line, column) = cursor(marked);
    c.change(URI, &text);
    let found = c.get("textDocument/completion", at(URI, line, column));
    found["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|i| i["label"].as_str().expect("a label").to_string())
        .collect()
}

fn offers(c: &mut Client, marked: &str, wanted: &[&str]) {
    let found = labels(c, marked);
    for w in wanted {
        assert!(found.iter().any(|f| f == w), "`{w}` at\n{marked}\nin {found:?}");
    }
}

#[test]
fn completing() {
    let mut c = opened();
    let head =
        "mtl 1\nparam width: int = 16\ninput image: f32[3, 32, 32]\ntask smiling: binary\ntask \"odd one\": binary\n";
    let with = |rest: &str| format!("{head}{rest}");
    offers(&mut c, "|", &["mtl 1", "task ...", "backbone ..."]);
    offers(&mut c, &with("ta|"), &["task", "task ..."]);
    offers(&mut c, &with("task x: |"), &["binary", "classes", "depth"]);
    offers(&mut c, &with("input x: |"), &["fields", "f32[n]"]);
    offers(&mut c, &with("backbone net(|"), &["image"]);
    offers(&mut c, &with("backbone net(image) {\n  stage a = |"), &["conv", "conv_bn", "image", "add"]);
    offers(&mut c, &with("backbone net(image) {\n  stage a = conv(8) -> |\n}"), &["relu", "max_pool", "conv_bn"]);
    offers(&mut c, &with("backbone net(image) {\n  stage a = conv(|"), &["kernel", "stride", "width"]);
    offers(&mut c, &with("backbone net(image) {\n  stage a = conv(8, ker|"), &["kernel"]);
    offers(&mut c, &with("backbone net(image) {\n  stage a = relu\n  stage b { from = [|"), &["a", "image"]);
    offers(&mut c, &with("backbone net(image) {\n  |\n}"), &["stage"]);
    offers(&mut c, &with("head for |"), &["smiling", "odd one", "*", "binary"]);
    offers(&mut c, &with("head for \"|"), &["odd one"]);
    offers(&mut c, &with("backbone net(image) {\n  stage a = relu\n}\nspace s over |"), &["net"]);
    let space = with("backbone net(image) {\n  stage a = relu\n  stage b = relu\n}\nspace s over net {\n");
    offers(&mut c, &format!("{space}  level |"), &["a", "b"]);
    offers(&mut c, &format!("{space}  level a {{ |"), &["copies", "reads"]);
    offers(&mut c, &format!("{space}  level a {{ copies = 1, reads = |"), &["one", "some", "all"]);
    offers(&mut c, &format!("{space}  level a {{ copies = 1, reads = some(|"), &["gate", "query"]);
    offers(&mut c, &format!("{space}  level a {{ reads = some(gate = |"), &["softmax", "sigmoid"]);
    offers(&mut c, &format!("{space}  |"), &["level", "heads", "tree"]);
    offers(&mut c, &with("search |"), &["learn_to_branch", "reinforce"]);
    offers(&mut c, &with("search learn_to_branch {\n  |\n}"), &["epochs", "temperature", "weights"]);
    offers(&mut c, &with("search learn_to_branch {\n  temperature = |"), &["constant", "inverse"]);
    offers(&mut c, &with("train {\n  optimizer = |"), &["adam", "sgd"]);
    offers(&mut c, &with("train {\n  optimizer = adam(|"), &["lr"]);
    offers(&mut c, &with("train {\n  select = |"), &["best", "last"]);
    offers(&mut c, &with("data d {\n  format = |"), &["csv", "idx"]);
    offers(&mut c, &with("data d {\n  format = idx\n  |\n}"), &["images", "labels"]);
    offers(&mut c, &with("data d {\n  format = idx\n}\ninput x: f32[1] { from = |"), &["d"]);
    offers(&mut c, &with("task x: binary { |"), &["label", "loss", "metrics"]);
    offers(&mut c, &with("task x: binary { loss = |"), &["bce"]);
    offers(&mut c, &with("task x: binary { metrics = [|"), &["accuracy", "auc"]);
    offers(&mut c, &with("use |"), &["std.resnet18", "topology"]);
    offers(&mut c, &with("use std.|"), &["resnet18"]);
    let topology = with("backbone net(image) {\n  stage a = relu\n}\ntopology over net {\n  a.a <- image\n");
    offers(&mut c, &format!("{topology}  |\n}}"), &["smiling", "a"]);
    offers(&mut c, &format!("{topology}  smiling <- |\n}}"), &["a.a", "image"]);
    offers(&mut c, &format!("{topology}  smiling <- a.|\n}}"), &["a"]);
    // Nothing is offered where nothing can be told.
    assert_eq!(labels(&mut c, &with("# a comm|")), Vec::<String>::new());
    assert_eq!(labels(&mut c, &with("param x: int = 12|")), Vec::<String>::new());
    c.end();
}

#[test]
fn completions_insert_what_they_say() {
    let mut c = opened();
    let (text, line, column) = cursor(&SPEC.replace("stage fc = flatten", "stage fc = fla|"));
    c.change(URI, &text);
    let found = c.get("textDocument/completion", at(URI, line, column));
    let item =
        found["items"].as_array().unwrap().iter().find(|i| i["label"] == "flatten").expect("it is offered").clone();
    assert_eq!(apply(&text, &json!([item["textEdit"]])), SPEC);
    let conv = found["items"].as_array().unwrap().iter().find(|i| i["label"] == "conv").expect("it is offered").clone();
    assert_eq!(conv["textEdit"]["newText"], "conv(${1:channels})");
    assert_eq!(conv["insertTextFormat"], 2);
    c.end();
    // A client without snippets gets text.
    let mut c = start_with(json!({ "textDocument": {} }), Value::Null);
    c.open(URI, &text);
    let found = c.get("textDocument/completion", at(URI, line, column));
    let conv = found["items"].as_array().unwrap().iter().find(|i| i["label"] == "conv").expect("it is offered").clone();
    assert_eq!(conv["textEdit"]["newText"], "conv(channels)");
    c.end();
}

fn line_of(text: &str, part: &str) -> u64 {
    text[..text.find(part).expect("it is there")].matches('\n').count() as u64
}

#[test]
fn definitions_and_references() {
    let mut c = opened();
    let found = c.get("textDocument/definition", place("2 * wid|th"));
    assert_eq!((&found["uri"], &found["range"]["start"]["line"]), (&json!(URI), &json!(line_of(SPEC, "param width"))));
    let found = c.get("textDocument/definition", place("level c|2"));
    assert_eq!(found["range"]["start"]["line"], json!(line_of(SPEC, "stage c2")));
    let found = c.get("textDocument/definition", place("un|it(2"));
    assert_eq!(found["range"]["start"]["line"], json!(line_of(SPEC, "block unit")));
    // The parameter of a block, and not the stage of that name.
    let found = c.get("textDocument/definition", place("conv(|c, kernel"));
    assert_eq!(found["range"]["start"], json!({ "line": line_of(SPEC, "block unit"), "character": 11 }));
    let mut ask = place("stage c|1");
    ask["context"] = json!({ "includeDeclaration": true });
    let found = c.get("textDocument/references", ask.clone());
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
    ask["context"] = json!({ "includeDeclaration": false });
    let found = c.get("textDocument/references", ask);
    assert_eq!(found[0]["range"]["start"]["line"], json!(line_of(SPEC, "level c1")));
    let found = c.get("textDocument/documentHighlight", place("param wid|th"));
    assert_eq!(found.as_array().unwrap().iter().map(|h| h["kind"].as_u64().unwrap()).collect::<Vec<_>>(), [3, 2, 2]);
    // Into the library.
    c.change(
        URI,
        &SPEC
            .replace("unit(width)", "conv_bn(width)")
            .replace("unit(2", "conv_bn(2")
            .replace("block unit(c: int, k: int = 3) = conv(c, kernel = k) -> batch_norm -> relu", ""),
    );
    let found = c.get("textDocument/definition", at(URI, line_of(SPEC, "stage c1") as u32, 15));
    assert!(found["uri"].as_str().unwrap().ends_with("std/prelude.mtl"), "{found}");
    c.end();
}

fn renamed(c: &mut Client, ask: Value, name: &str) -> Result<String, String> {
    let mut ask = ask;
    ask["newName"] = json!(name);
    match c.ask("textDocument/rename", ask) {
        Ok(edit) => Ok(apply(SPEC, &edit["changes"][URI])),
        Err((_, why)) => Err(why),
    }
}

#[test]
fn renaming() {
    let mut c = opened();
    assert_eq!(renamed(&mut c, place("level c|2"), "middle").unwrap(), SPEC.replace("c2", "middle"));
    assert_eq!(renamed(&mut c, place("un|it(width)"), "layer").unwrap(), SPEC.replace("unit", "layer"));
    // A name that is no identifier is put in quotes.
    let quoted = renamed(&mut c, place("task smi|ling"), "Smiling Face").unwrap();
    assert!(quoted.contains("task \"Smiling Face\": binary"), "{quoted}");
    assert!(renamed(&mut c, place("level c|2"), "c1").unwrap_err().contains("cannot be called"));
    assert!(renamed(&mut c, place("level c|2"), "task").is_err());
    assert!(renamed(&mut c, place("max_p|ool(2)\n  stage c2"), "pool").unwrap_err().contains("language"));
    let found = c.get("textDocument/prepareRename", place("stage c|2"));
    assert_eq!(found["placeholder"], "c2");
    assert!(c.ask("textDocument/prepareRename", place("ker|nel")).is_err());
    c.end();
}

#[test]
fn names_across_files() {
    let dir = tempfile::tempdir().expect("a folder");
    let uri = |n: &str| format!("file://{}", dir.path().join(n).display());
    std::fs::write(dir.path().join("parts.mtl"), "mtl 1\nblock unit(c: int) = conv(c) -> relu\n").expect("written");
    let main = "mtl 1\nuse \"parts.mtl\"\ninput image: f32[3, 8, 8]\ntask t: binary\nbackbone net(image) {\n  stage a = unit(4) -> flatten\n}\nhead for * = linear(outputs)\n";
    std::fs::write(dir.path().join("main.mtl"), main).expect("written");
    let mut c = start_with(json!({ "rootUri": format!("file://{}", dir.path().display()) }), Value::Null);
    c.open(&uri("main.mtl"), main);
    assert_eq!(c.problems(&uri("main.mtl")), json!([]));
    let found = c.get("textDocument/definition", at(&uri("main.mtl"), 5, 13));
    assert_eq!(found["uri"], json!(uri("parts.mtl")));
    let mut ask = at(&uri("main.mtl"), 5, 13);
    ask["newName"] = json!("layer");
    let edit = c.get("textDocument/rename", ask);
    assert_eq!(edit["changes"].as_object().unwrap().len(), 2, "{edit}");
    // From the side of the file that is imported, the importer is found in the workspace.
    let parts = std::fs::read_to_string(dir.path().join("parts.mtl")).unwrap();
    c.open(&uri("parts.mtl"), &parts);
    let mut ask = at(&uri("parts.mtl"), 1, 7);
    ask["context"] = json!({ "includeDeclaration": true });
    let found = c.get("textDocument/references", ask);
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
    // What is typed in one document counts in the other before it is saved.
    c.change(&uri("parts.mtl"), "mtl 1\nblock layer(c: int) = conv(c) -> relu\n");
    c.settle();
    assert_eq!(c.problems[&uri("main.mtl")].1[0]["code"], "mtl::name::unknown_call");
    // Closed, it is again what stands on disk; changed there, the importer hears of it.
    c.tell("textDocument/didClose", document(&uri("parts.mtl")));
    c.settle();
    assert_eq!(c.problems[&uri("main.mtl")].1, json!([]));
    std::fs::write(dir.path().join("parts.mtl"), "mtl 1\nblock unit(c: int) = conv(c) -> rel\n").expect("written");
    c.tell("workspace/didChangeWatchedFiles", json!({ "changes": [{ "uri": uri("parts.mtl"), "type": 2 }] }));
    c.settle();
    assert_eq!(c.problems[&uri("parts.mtl")].1[0]["code"], "mtl::name::unknown_call", "{:?}", c.problems);
    std::fs::remove_file(dir.path().join("parts.mtl")).expect("removed");
    c.tell("workspace/didChangeWatchedFiles", json!({ "changes": [{ "uri": uri("parts.mtl"), "type": 3 }] }));
    c.settle();
    assert_eq!(c.problems[&uri("main.mtl")].1[0]["code"], "mtl::import::not_found");
    let symbols = c.get("workspace/symbol", json!({ "query": "net" }));
    assert!(symbols.as_array().unwrap().iter().any(|s| s["name"] == "net"), "{symbols}");
    c.end();
}

#[test]
fn symbols_folds_and_selections() {
    let mut c = opened();
    let found = c.get("textDocument/documentSymbol", document(URI));
    let names: Vec<&str> = found.as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["width", "image", "smiling", "young", "unit", "net", "head", "branching", "learn_to_branch"]);
    assert_eq!(found[5]["children"].as_array().unwrap().len(), 3);
    let folds = c.get("textDocument/foldingRange", document(URI));
    let start = line_of(SPEC, "backbone");
    assert!(folds.as_array().unwrap().iter().any(|f| f["startLine"] == start && f["endLine"] == start + 3), "{folds}");
    let mut ask = document(URI);
    ask["positions"] = json!([{ "line": line_of(SPEC, "stage c1"), "character": 20 }]);
    let mut at = c.get("textDocument/selectionRange", ask)[0].clone();
    let mut depth = 0;
    while at["parent"] != Value::Null {
        at = at["parent"].clone();
        depth += 1;
    }
    assert!(depth >= 5, "{depth}");
    assert_eq!(at["range"]["start"], json!({ "line": 0, "character": 0 }));
    c.end();
}

#[test]
fn words_have_kinds() {
    let mut c = opened();
    let found = c.get("textDocument/semanticTokens/full", document(URI));
    let data: Vec<u64> = found["data"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    let lines: Vec<&str> = SPEC.lines().collect();
    let (mut line, mut column) = (0, 0);
    let mut seen: Vec<(String, &str)> = Vec::new();
    for t in data.chunks(5) {
        line += t[0] as usize;
        column = if t[0] == 0 { column + t[1] as usize } else { t[1] as usize };
        let text = &lines[line][column..column + t[2] as usize];
        seen.push((text.to_string(), mtlc::ide::tokens::LEGEND[t[3] as usize]));
    }
    for (word, kind) in [
        ("mtl", "keyword"),
        ("# The width of all.", "comment"),
        ("width", "parameter"),
        ("16", "number"),
        ("binary", "type"),
        ("smiling", "type"),
        ("unit", "function"),
        ("conv", "macro"),
        ("kernel", "property"),
        ("stage", "keyword"),
        ("c1", "variable"),
        ("->", "operator"),
        ("over", "keyword"),
        ("net", "class"),
        ("one", "function"),
        ("copies", "property"),
        ("learn_to_branch", "function"),
    ] {
        assert!(seen.contains(&(word.to_string(), kind)), "{word} is a {kind}: {seen:?}");
    }
    let mut ask = document(URI);
    ask["range"] = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 2, "character": 0 } });
    let part = c.get("textDocument/semanticTokens/range", ask);
    assert!(part["data"].as_array().unwrap().len() < data.len() / 2);
    c.end();
}

fn hints(c: &mut Client) -> Vec<String> {
    let mut ask = document(URI);
    ask["range"] = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } });
    let found = c.get("textDocument/inlayHint", ask);
    found.as_array().unwrap().iter().map(|h| h["label"].as_str().unwrap().to_string()).collect()
}

#[test]
fn hints_stand_beside_the_lines() {
    let mut c = opened();
    let all = hints(&mut c);
    assert_eq!(all[..3], [": f32[16, 16, 16]", ": f32[32, 8, 8]", ": f32[32]"]);
    assert_eq!(all[3], "2 × 33 parameters");
    assert!(all[4].contains("distinct trees"), "{all:?}");
    // An error elsewhere leaves what can be told.
    c.change(URI, &SPEC.replace("epochs = 3", "epoch = 3").replace("head for *", "head for nobody"));
    assert_eq!(hints(&mut c)[..2], [": f32[16, 16, 16]", ": f32[32, 8, 8]"]);
    c.change(URI, SPEC);
    let off = json!({ "settings": { "mtlc": { "inlayHints": { "shapes": false, "topologies": false } } } });
    c.tell("workspace/didChangeConfiguration", off);
    assert_eq!(hints(&mut c), ["2 × 33 parameters"]);
    c.end();
    let mut c = start_with(json!({}), json!({ "inlayHints": false, "codeLens": false }));
    c.open(URI, SPEC);
    assert_eq!(hints(&mut c), Vec::<String>::new());
    assert_eq!(c.get("textDocument/codeLens", document(URI)), json!([]));
    c.end();
}

#[test]
fn formatting() {
    let mut c = start();
    let untidy = SPEC.replace("  stage c1 =", "     stage   c1=").replace("task young: binary", "task   young :binary");
    c.open(URI, &untidy);
    let mut ask = document(URI);
    ask["options"] = json!({ "tabSize": 4, "insertSpaces": true });
    let edits = c.get("textDocument/formatting", ask.clone());
    assert_eq!(apply(&untidy, &edits), SPEC);
    assert_eq!(edits.as_array().unwrap().len(), 2, "only lines that change are replaced");
    let line = line_of(&untidy, "task   young");
    ask["range"] = json!({ "start": { "line": line, "character": 0 }, "end": { "line": line, "character": 3 } });
    let edits = c.get("textDocument/rangeFormatting", ask.clone());
    assert_eq!(apply(&untidy, &edits), untidy.replace("task   young :binary", "task young: binary"));
    // With line ends of another kind, and a line that cannot be read.
    let other = untidy.replace('\n', "\r\n").replace("epochs = 3", "epochs = = 3");
    c.change(URI, &other);
    let edits = c.get("textDocument/formatting", ask);
    assert_eq!(apply(&other, &edits), SPEC.replace('\n', "\r\n").replace("epochs = 3", "epochs = = 3"));
    c.end();
}

fn actions(c: &mut Client, marked: &str, length: u64) -> (String, Vec<Value>) {
    let (text, line, column) = cursor(marked);
    c.change(URI, &text);
    let mut ask = document(URI);
    let end = json!({ "line": line, "character": u64::from(column) + length });
    ask["range"] = json!({ "start": { "line": line, "character": column }, "end": end });
    ask["context"] = json!({ "diagnostics": [] });
    let found = c.get("textDocument/codeAction", ask);
    (text, found.as_array().unwrap().clone())
}

fn titled<'a>(all: &'a [Value], part: &str) -> &'a Value {
    let titles: Vec<&Value> = all.iter().map(|a| &a["title"]).collect();
    all.iter().find(|a| a["title"].as_str().unwrap().contains(part)).unwrap_or_else(|| panic!("{part} in {titles:?}"))
}

#[test]
fn fixes_are_offered() {
    let mut c = opened();
    let (text, all) = actions(&mut c, &SPEC.replace("unit(width)", "unit(wid|ht)"), 0);
    let fix = titled(&all, "width");
    assert_eq!(fix["kind"], "quickfix");
    assert_eq!(fix["diagnostics"][0]["code"], "mtl::name::unknown");
    assert_eq!(apply(&text, &fix["edit"]["changes"][URI]), SPEC);
    let all_at_once = titled(&all, "mend");
    assert_eq!(all_at_once["kind"], "source.fixAll");
    assert_eq!(apply(&text, &all_at_once["edit"]["changes"][URI]), SPEC);
    c.end();
}

#[test]
fn a_stage_becomes_a_block_and_back() {
    let mut c = opened();
    let (text, all) = actions(&mut c, &SPEC.replace("stage fc = flatten", "stage fc = fl|atten"), 0);
    let extract = titled(&all, "extract 3 links of `fc`");
    assert_eq!(extract["kind"], "refactor.extract");
    let extracted = apply(&text, &extract["edit"]["changes"][URI]);
    assert!(extracted.contains("block fc_layers = flatten -> linear(32) -> relu\n\nbackbone net"), "{extracted}");
    assert!(extracted.contains("  stage fc = fc_layers\n"), "{extracted}");
    let (text, all) = actions(&mut c, &extracted.replace("stage fc = fc_layers", "stage fc = fc_|layers"), 0);
    let inline = titled(&all, "inline the block `fc_layers`");
    let inlined = apply(&text, &inline["edit"]["changes"][URI]);
    assert!(inlined.contains("  stage fc = flatten -> linear(32) -> relu\n"), "{inlined}");
    // Arguments go where the parameters stood.
    let (text, all) = actions(&mut c, &SPEC.replace("unit(2", "un|it(2"), 0);
    let inlined = apply(&text, &titled(&all, "inline")["edit"]["changes"][URI]);
    assert!(
        inlined.contains("stage c2 = conv((2 * width), kernel = 3) -> batch_norm -> relu -> max_pool(2)"),
        "{inlined}"
    );
    // Some of the links.
    let (text, all) = actions(&mut c, &SPEC.replace("linear(32) -> relu", "|linear(32) -> relu"), 18);
    let extracted = apply(&text, &titled(&all, "extract 2 links")["edit"]["changes"][URI]);
    assert!(extracted.contains("stage fc = flatten -> fc_layers\n"), "{extracted}");
    c.end();
}

#[test]
fn a_branch_becomes_a_file() {
    let mut c = opened();
    let topology = "mtl 1
input x: f32[16]
task a: binary
task b: binary
task d: binary
backbone net(x) {
  stage s1 = linear(8) -> relu
  stage s2 = linear(4) -> relu
}
head for a, b = linear(outputs)
head for d = linear(outputs)
topology over net {
  s1.a <- x
  s2.a <- s1.a
  s2.b <- s1.a
  a, b <- s2.a
  d    <- s2.b
}
";
    let (_, all) = actions(&mut c, &topology.replace("  s2.a <-", "  s2|.a <-"), 0);
    let action = titled(&all, "its own file (2 tasks)");
    let changes = action["edit"]["documentChanges"].as_array().expect("files are made");
    assert_eq!(changes[0]["kind"], "create");
    assert!(changes[0]["uri"].as_str().unwrap().ends_with("spec_s2_a.mtl"));
    let text = changes[1]["edits"][0]["newText"].as_str().unwrap();
    assert!(text.contains("a, b <- s2.a") && !text.contains("s2.b") && !text.contains("task d"), "{text}");
    let compiled =
        mtlc::driver::compile_text(text, std::path::Path::new("x.mtl"), &Default::default(), &mtlc::driver::read);
    assert!(compiled.diagnostics.is_empty(), "{:?}\n{text}", compiled.diagnostics);
    c.end();
}

#[test]
fn lenses_and_commands() {
    let mut c = opened();
    let found = c.get("textDocument/codeLens", document(URI));
    let commands: Vec<&str> =
        found.as_array().unwrap().iter().map(|l| l["command"]["command"].as_str().unwrap()).collect();
    for wanted in ["mtlc.check", "mtlc.graph", "mtlc.search"] {
        assert!(commands.contains(&wanted), "{commands:?}");
    }
    for command in ["mtlc.check", "mtlc.graph"] {
        let lens = found.as_array().unwrap().iter().find(|l| l["command"]["command"] == command).unwrap();
        let ask = json!({ "command": command, "arguments": lens["command"]["arguments"] });
        let answer = c.get("workspace/executeCommand", ask);
        match command {
            "mtlc.check" => assert!(answer.as_str().unwrap().starts_with("no errors: 2 tasks, 3 stages"), "{answer}"),
            _ => {
                let path = answer["uri"].as_str().unwrap().strip_prefix("file://").unwrap().to_string();
                assert!(std::fs::read_to_string(&path).unwrap().starts_with("<svg"));
                std::fs::remove_file(path).expect("it can be removed");
            }
        }
    }
    // What is not saved is not run.
    let refused = c.ask("workspace/executeCommand", json!({ "command": "mtlc.search", "arguments": [URI] }));
    assert!(refused.unwrap_err().1.contains("save the file first"));
    c.end();
}

#[test]
fn the_drawing_follows_the_edit() {
    let mut c = opened();
    let drawn = c.get("mtlc/preview", document(URI));
    assert!(drawn["drawing"].as_str().unwrap().starts_with("<svg"));
    assert_eq!(drawn["version"], 1);
    c.change(URI, &SPEC.replace("copies = 2, reads = one }\n  level fc", "copies = 1, reads = one }\n  level fc"));
    let other = c.get("mtlc/preview", document(URI));
    assert_ne!(drawn["drawing"], other["drawing"]);
    assert_eq!(other["version"], 2);
    let mut ask = document(URI);
    ask["view"] = json!("spec");
    ask["format"] = json!("mermaid");
    assert!(c.get("mtlc/preview", ask.clone())["drawing"].as_str().unwrap().contains("flowchart"));
    ask["view"] = json!("nonsense");
    assert!(c.ask("mtlc/preview", ask).is_err());
    c.change(URI, &SPEC.replace("unit(width)", "unit(widht)"));
    assert_eq!(c.get("mtlc/preview", document(URI))["drawing"], Value::Null);
    c.end();
}

/// Files of other programs whose names end in `.mtl`: one problem, and answers instead of failures to whatever is asked.
#[test]
fn a_material_file_is_named() {
    const MATERIAL: &str = "# made by a 3D program\nnewmtl red\nKa 0.1 0.1 0.1\nKd 0.8 0.1 0.1\nmap_Kd red.png\n";
    let mut c = start();
    let texts = [MATERIAL, "newmtl a\nKd 1 1 1\n\nnewmtl b\nKd 0 0 0\nillum 2\n", "mtllib a.mtl\nv 0 0 0\nv 1 0 0\n"];
    for (n, text) in texts.into_iter().enumerate() {
        let uri = format!("file:///project/foreign{n}.mtl");
        c.open(&uri, text);
        let problems = c.problems(&uri);
        let list = problems.as_array().expect("a list");
        assert_eq!(list.len(), 1, "{problems}");
        let message = list[0]["message"].as_str().expect("a text");
        assert!(message.contains("Wavefront") && list[0]["code"] == "mtl::syntax::foreign", "{problems}");
        c.get("textDocument/hover", at(&uri, 1, 2));
        c.get("textDocument/documentSymbol", document(&uri));
        // Nothing is laid out that is not ours.
        let edits = c.ask(
            "textDocument/formatting",
            json!({
                "textDocument": { "uri": uri },
                "options": { "tabSize": 2, "insertSpaces": true },
            }),
        );
        assert!(edits.as_ref().map_or(true, |e| e.is_null() || e == &json!([])), "{edits:?}");
    }
    // With the edition line it is a program, with the mistakes of one.
    c.open(URI, &format!("mtl 1\n{MATERIAL}"));
    let problems = c.problems(URI);
    assert!(
        problems.as_array().is_some_and(|l| !l.is_empty()) && !problems.to_string().contains("foreign"),
        "{problems}"
    );
}
