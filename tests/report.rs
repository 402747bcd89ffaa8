//! Drawings of small specs against golden files, in every view and format that they have, and what must hold of any drawing.
//! `UPDATE=1 cargo test --test report` rewrites the files; look at the pictures before they are committed.

use std::path::{Path, PathBuf};

use mtlc::check::Checked;
use mtlc::diag::Diagnostics;
use mtlc::ir::{self, partition};
use mtlc::report::graph::{GraphFormat, GraphOptions, View, draw, drawing};
use mtlc::report::summary::spec_summary;
use mtlc::screen::for_terminal;

const SPECS: [&str; 10] = ["deep", "gates", "ltb", "mmoe", "per_copy", "ple", "routes", "towers", "tree", "unet"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/drawings")
}

fn checked(name: &str) -> Checked {
    let path = folder().join(format!("{name}.mtl"));
    compiled(&std::fs::read_to_string(&path).unwrap(), &path)
}

fn compiled(text: &str, path: &Path) -> Checked {
    let load = |p: &Path| Err(std::io::Error::other(p.display().to_string()));
    let compiled = mtlc::driver::compile_text(text, path, &Default::default(), &load);
    let found: Vec<String> = compiled.diagnostics.iter().map(|d| format!("{:?}: {}", d.code, d.message)).collect();
    compiled.checked.unwrap_or_else(|| panic!("{}: {found:#?}", path.display()))
}

/// Every view of every spec.
fn views() -> Vec<(&'static str, View, Checked)> {
    let mut out = Vec::new();
    for name in SPECS {
        for view in View::ALL {
            let c = checked(name);
            if view.is_in(&c) {
                out.push((name, view, c));
            }
        }
    }
    out
}

fn plain(c: &Checked, view: View, format: GraphFormat) -> String {
    draw(c, Some(view), format, GraphOptions::default())
}

fn extension(format: GraphFormat) -> &'static str {
    match format {
        GraphFormat::Text => "txt",
        GraphFormat::Mermaid => "mmd",
        f => f.name(),
    }
}

fn same_as_stored(file: &str, text: &str) -> Option<String> {
    let path = folder().join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
        return None;
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    if stored == text {
        return None;
    }
    let at = stored.lines().zip(text.lines()).position(|(a, b)| a != b);
    let line = |t: &str| at.and_then(|i| t.lines().nth(i).map(str::to_string)).unwrap_or_default();
    Some(format!("{file}, line {:?}:\n  stored {}\n  now    {}", at.map(|i| i + 1), line(&stored), line(text)))
}

#[test]
fn drawings_are_as_stored() {
    let mut wrong = Vec::new();
    for (name, view, c) in views() {
        for format in GraphFormat::ALL {
            let text = plain(&c, view, format);
            wrong.extend(same_as_stored(&format!("{name}.{}.{}", view.name(), extension(format)), &text));
        }
    }
    for name in SPECS {
        wrong.extend(same_as_stored(&format!("{name}.summary.txt"), &spec_summary(&checked(name), false)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_same_spec_gives_the_same_drawing() {
    for name in ["tree", "ple", "unet"] {
        let (a, b) = (checked(name), checked(name));
        for format in GraphFormat::ALL {
            assert_eq!(plain(&a, View::of(&a), format), plain(&b, View::of(&b), format), "{name} {}", format.name());
        }
    }
}

#[test]
fn words_name_formats_and_views() {
    for f in GraphFormat::ALL {
        assert_eq!(f.name().parse(), Ok(f));
    }
    for v in View::ALL {
        assert_eq!(v.name().parse(), Ok(v));
    }
    let e = "png".parse::<GraphFormat>().unwrap_err().to_string();
    assert_eq!(e, "`png` is none of text, dot, mermaid, svg, json");
}

#[test]
fn colour_only_where_asked_for_and_never_in_the_width() {
    let c = checked("tree");
    let colored = for_terminal(&draw(&c, None, GraphFormat::Text, GraphOptions { color: true, width: 100 }));
    let mut bare = String::new();
    let mut escaped = false;
    for ch in colored.chars() {
        match ch {
            '\x1b' => escaped = true,
            'm' if escaped => escaped = false,
            _ if escaped => {}
            _ => bare.push(ch),
        }
    }
    assert_eq!(bare, plain(&c, View::Topology, GraphFormat::Text));
    assert!(for_terminal(&spec_summary(&c, true)).contains("\x1b[1m"));
}

#[test]
fn json_refers_to_what_exists() {
    for (name, view, c) in views() {
        let v: serde_json::Value = serde_json::from_str(&plain(&c, view, GraphFormat::Json)).unwrap();
        let nodes = v["nodes"].as_array().unwrap();
        let mut seen = vec![0; nodes.len()];
        for n in v["layers"].as_array().unwrap().iter().flat_map(|l| l["nodes"].as_array().unwrap()) {
            seen[n.as_u64().unwrap() as usize] += 1;
        }
        assert!(seen.iter().all(|s| *s == 1), "{name}: every node stands in one layer");
        let layer = |id: u64| {
            let has = |l: &serde_json::Value| l["nodes"].as_array().unwrap().iter().any(|n| n.as_u64() == Some(id));
            v["layers"].as_array().unwrap().iter().position(has).unwrap()
        };
        for e in v["edges"].as_array().unwrap() {
            let (from, to) = (e["from"].as_u64().unwrap(), e["to"].as_u64().unwrap());
            assert!(layer(from) < layer(to), "{name}: {e} goes forward");
        }
        let tasks: usize = nodes.iter().map(|n| n["tasks"].as_array().unwrap().len()).sum();
        assert_eq!(tasks, c.spec.tasks.len(), "{name}: every task is drawn once");
    }
}

/// Elements and attributes of an SVG; panics where tags do not match or text is not escaped.
fn elements(svg: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut out = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = svg;
    while let Some(at) = rest.find('<') {
        let text = &rest[..at];
        for (i, _) in text.match_indices('&') {
            let entity = ["&amp;", "&lt;", "&gt;", "&quot;"].iter().any(|e| text[i..].starts_with(e));
            assert!(entity, "an entity in {text}");
        }
        let end = rest.find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let (name, mut attributes) = tag.split_once([' ', '/']).unwrap_or((tag, ""));
        let mut list = Vec::new();
        while let Some((key, after)) = attributes.split_once("=\"") {
            let (value, after) = after.split_once('"').expect("a value ends");
            list.push((key.trim().to_string(), value.to_string()));
            attributes = after;
        }
        out.push((name.to_string(), list));
        if !tag.ends_with('/') {
            open.push(name.to_string());
        }
    }
    assert!(open.is_empty(), "open: {open:?}");
    out
}

/// What [`elements`] found of one kind, with these numbers.
fn numbers<const N: usize>(svg: &str, name: &str, keys: [&str; N]) -> Vec<[f64; N]> {
    let of = |list: &[(String, String)]| {
        let get = |k: &str| list.iter().find(|(key, _)| key == k).and_then(|(_, v)| v.parse::<f64>().ok());
        let all: Option<Vec<f64>> = keys.iter().map(|k| get(k)).collect();
        all.map(|v| v.try_into().expect("as many as keys"))
    };
    elements(svg).iter().filter(|(n, _)| n == name).filter_map(|(_, list)| of(list)).collect()
}

#[test]
fn svg_is_well_formed_and_nodes_stay_apart() {
    for (name, view, c) in views() {
        let svg = plain(&c, view, GraphFormat::Svg);
        assert!(svg.contains("role=\"img\"") && svg.contains("<title id=\"title\">") && svg.contains("<desc id"));
        let [w, h] = numbers(&svg, "svg", ["width", "height"])[0];
        let boxes = numbers(&svg, "rect", ["x", "y", "width", "height"]);
        assert!(boxes.len() >= c.spec.backbone.as_ref().unwrap().stages.len(), "{name}");
        for (i, a) in boxes.iter().enumerate() {
            assert!(a[0] >= 0.0 && a[1] >= 0.0 && a[0] + a[2] <= w && a[1] + a[3] <= h, "{name}: {a:?} is inside");
            for b in &boxes[..i] {
                let apart = a[0] + a[2] <= b[0] || b[0] + b[2] <= a[0] || a[1] + a[3] <= b[1] || b[1] + b[3] <= a[1];
                assert!(apart, "{name}: {a:?} and {b:?}");
            }
        }
        let texts = numbers(&svg, "text", ["x", "y"]);
        assert!(texts.iter().all(|t| t[0] < w && t[1] < h), "{name}: text is inside");
    }
}

#[test]
fn dot_and_mermaid_are_lines_of_known_shape() {
    for (name, view, c) in views() {
        let dot = plain(&c, view, GraphFormat::Dot);
        let quotes = dot.replace("\\\\", "").replace("\\\"", "").matches('"').count();
        assert_eq!(quotes % 2, 0, "{name}");
        assert!(dot.starts_with("digraph \"") && dot.ends_with("}\n"), "{name}");
        assert_eq!(dot.matches('{').count(), dot.matches('}').count(), "{name}");
        let d = drawing(&c, view);
        let arrows = dot.lines().filter(|l| l.starts_with("  n") && l.contains(" -> ")).count();
        assert_eq!(arrows, d.edges.len(), "{name}");

        let mermaid = plain(&c, view, GraphFormat::Mermaid);
        let mut lines = mermaid.lines().skip(3);
        assert_eq!(lines.next(), Some("flowchart TD"), "{name}");
        for line in lines {
            let line = line.trim();
            let known = ["classDef ", "subgraph ", "end"].iter().any(|k| line.starts_with(k));
            let edge = ["-->", "-.->", "---"].iter().any(|a| line.contains(a));
            let node = line.matches('"').count() == 2 && line.contains(":::");
            assert!(known || edge || node, "{name}: {line}");
        }
    }
}

/// A chain of ten stages, and so many tasks.
fn large(tasks: usize, copies: usize) -> Checked {
    let mut text = String::from("mtl 1\n\ninput x: f32[8]\n");
    (0..tasks).for_each(|t| text.push_str(&format!("task t{t}: binary\n")));
    text.push_str("backbone net(x) {\n");
    (0..10).for_each(|s| text.push_str(&format!("  stage s{s} = linear(8) -> relu\n")));
    text.push_str("}\nhead for binary = linear(1)\nspace wide over net {\n");
    (0..10).for_each(|s| text.push_str(&format!("  level s{s} {{ copies = {copies}, reads = one }}\n")));
    text.push_str("  heads { per = task, reads = one }\n}\n");
    compiled(&text, Path::new("large.mtl"))
}

#[test]
fn large_networks_are_drawn_in_proportion() {
    let mut c = large(1000, 1000);
    let space = drawing(&c, View::Space);
    assert!(space.nodes.len() < 40 && space.edges.len() < 60, "{} nodes", space.nodes.len());
    let topology = partition::independent(&c.spec);
    c.fixed = ir::fixed(&c.spec, &topology, &mut Diagnostics::default());
    c.spec.topology = Some(topology);
    let fixed = drawing(&c, View::Topology);
    assert_eq!((fixed.nodes.len(), fixed.edges.len()), (11_001, 11_000));
    let start = std::time::Instant::now();
    for format in GraphFormat::ALL {
        let text = plain(&c, View::Topology, format);
        assert!(text.len() < 20_000_000, "{}: {} bytes", format.name(), text.len());
    }
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn many_levels_of_many_copies_are_bundled() {
    let c = large(30, 20);
    let d = drawing(&c, View::Space);
    // 20 copies at 10 levels, a junction between two, one group of tasks, the input.
    assert_eq!(d.nodes.len(), 200 + 9 + 1 + 1);
    assert!(d.edges.len() <= 20 + 9 * 40 + 20, "{}", d.edges.len());
}

#[test]
fn names_of_any_kind_are_escaped() {
    let text = "mtl 1\n\ninput x: f32[8]\ntask \"a < b & \\\"c\\\" | d\": binary\ntask \"笑顔#1\": binary\n\
                backbone net(x) { stage s = linear(8) }\nhead for binary = linear(1)\n";
    let c = compiled(text, Path::new("names.mtl"));
    let svg = plain(&c, View::Spec, GraphFormat::Svg);
    elements(&svg);
    assert!(svg.contains("a &lt; b &amp;"), "{svg}");
    let mermaid = plain(&c, View::Spec, GraphFormat::Mermaid);
    assert!(mermaid.contains("笑顔#35;1") && mermaid.contains("#lt;"), "{mermaid}");
    let dot = plain(&c, View::Spec, GraphFormat::Dot);
    assert!(dot.contains("\\\"c\\\""), "{dot}");
}

/// Eight numbers in, a stage of 36 parameters and 32 MACs, then one of 1280 and 1024.
const UNEQUAL: &str =
    "backbone net(x) {\n  stage low  = linear(4)\n  stage high = linear(256)\n}\nhead for * = linear(outputs)\n";

/// The shares of the topology of a program of binary tasks.
fn shares(tasks: &str, rest: &str) -> mtlc::check::Shared {
    let tasks: String = tasks.split(' ').map(|t| format!("task {t}: binary\n")).collect();
    let text = format!("mtl 1\ninput x: f32[8]\n{tasks}{rest}");
    let checked = compiled(&text, Path::new("shares.mtl"));
    let report = mtlc::check::cost::report(&checked, checked.fixed.as_ref().expect("it has a topology"));
    // What has no graph here agrees with the networks themselves.
    for (topology, stated) in [
        (partition::all_shared(&checked.spec), &report.all_shared),
        (partition::independent(&checked.spec), &report.independent),
    ] {
        let network = ir::fixed(&checked.spec, &topology, &mut Diagnostics::default()).expect("it is legal");
        assert_eq!(&mtlc::check::cost::network_cost(&checked, &network), stated, "{text}");
    }
    report.network.shared
}

/// Shares by hand: the common work of all pairs of tasks over that of the all-shared network.
#[test]
fn shares_by_hand() {
    let is = |found: mtlc::check::Shared, params: f64, macs: f64, what: &str| {
        let (p, m) = (found.params.expect("a share"), found.macs.expect("a share"));
        assert!((p - params).abs() < 1e-12 && (m - macs).abs() < 1e-12, "{what}: {p} {m}, not {params} {macs}");
    };
    let two_trees = "topology over net {\n low.a <- x\n low.b <- x\n high.a <- low.a\n high.b <- low.b\n a, b <- high.a\n c, d <- high.b\n}\n";
    is(shares("a b c d", &format!("{UNEQUAL}{two_trees}")), 1.0 / 3.0, 1.0 / 3.0, "2 of 6 pairs at every stage");
    // All three share the small stage, one pair the large one.
    let late =
        "topology over net {\n low.a <- x\n high.a <- low.a\n high.b <- low.a\n a, b <- high.a\n c <- high.b\n}\n";
    let (params, macs) = ((3.0 * 36.0 + 1280.0) / (3.0 * 1316.0), (3.0 * 32.0 + 1024.0) / (3.0 * 1056.0));
    is(shares("a b c", &format!("{UNEQUAL}{late}")), params, macs, "unequal stages");
    // A task that does not pass the second stage: all shared, ab have 36 + 20 in common, ac and bc 36.
    let off = "backbone net(x) {\n  stage one = linear(4)\n  stage two = linear(4)\n}\n\
               head for a, b = linear(outputs)\nhead for c { from = [one], out = one -> linear(outputs) }\n";
    let parted = "topology over net {\n one.a <- x\n one.b <- x\n two.a <- one.a\n a, b <- two.a\n c <- one.b\n}\n";
    is(shares("a b c", &format!("{off}{parted}")), 56.0 / 128.0, 48.0 / 112.0, "a task that leaves early");
    // Both read both experts by gates of their own: twice the work of one copy.
    let experts = "backbone net(x) {\n  stage expert = linear(4)\n}\nhead for * = linear(outputs)\n";
    let own = "topology over net {\n expert.a <- x\n expert.b <- x\n\
               a <- mix(softmax, query = x)[expert.a, expert.b]\n b <- mix(softmax, query = x)[expert.a, expert.b]\n}\n";
    is(shares("a b", &format!("{experts}{own}")), 2.0, 2.0, "experts that both read");
    // A gate that both use counts too: 2 numbers for each of 8. The third task reads one expert of the two.
    let gated = "topology over net {\n expert.a <- x\n expert.b <- x\n\
                 both <- mix(softmax, query = x)[expert.a, expert.b]\n a, b <- both\n c <- expert.b\n}\n";
    let (params, macs) = ((72.0 + 16.0 + 36.0 + 36.0) / 108.0, (64.0 + 16.0 + 32.0 + 32.0) / 96.0);
    is(shares("a b c", &format!("{experts}{gated}")), params, macs, "a gate of two tasks");
    // A stage without parameters has MACs or nothing to share.
    let bare = "backbone net(x) {\n  stage s = relu\n}\nhead for * = linear(outputs)\ntopology over net {\n s.a <- x\n a, b <- s.a\n}\n";
    assert_eq!(shares("a b", bare), mtlc::check::Shared::default(), "nothing that costs anything");
    let one = "topology over net {\n low.a <- x\n high.a <- low.a\n a <- high.a\n}\n";
    assert_eq!(shares("a", &format!("{UNEQUAL}{one}")), mtlc::check::Shared::default(), "one task has no pair");
}

/// Heads on every copy are a matter of the search: of the network that it derives, the tasks of a group share all.
#[test]
fn shares_of_groups() {
    let tasks = ["a", "b", "c", "d"].map(|t| format!("task {t}: binary\n")).concat();
    let space = "space s over net {\n level low { copies = 1 }\n level high { copies = 3, reads = one }\n heads { per = copy, reads = one }\n}\n";
    let checked = compiled(&format!("mtl 1\ninput x: f32[8]\n{tasks}{UNEQUAL}{space}"), Path::new("groups.mtl"));
    let supernet = checked.supernet.as_ref().expect("a space");
    assert_eq!(mtlc::check::cost::network_cost(&checked, supernet).shared, Default::default(), "choices are left");
    // Of `high`, whose readers come first: `high` reads the one copy of `low`; then a group per task.
    let groups = [0, 0, 0, 2];
    let decisions: Vec<usize> = supernet
        .choices
        .iter()
        .map(|c| match c.reader {
            ir::Reader::Head(t) => groups[t.0],
            ir::Reader::Stage(..) => 0,
        })
        .collect();
    let topology = mtlc::experiment::apply(&checked, &decisions).topology;
    let network = ir::fixed(&checked.spec, &topology, &mut Diagnostics::default()).expect("it is legal");
    let found = mtlc::check::Shared::of(&checked, &network);
    // `low` by all 6 pairs, `high` by the 3 of the first group.
    assert_eq!(found.params, Some((6.0 * 36.0 + 3.0 * 1280.0) / (6.0 * 1316.0)));
    assert_eq!(found.macs, Some((6.0 * 32.0 + 3.0 * 1024.0) / (6.0 * 1056.0)));
}

/// One way to write them, everywhere.
#[test]
fn shares_are_shown() {
    use mtlc::report::table::percent;
    let shown = [Some(1.0), Some(0.0), Some(1.0 / 3.0), Some(0.9996), Some(0.5), Some(2.0), None].map(percent);
    assert_eq!(shown, ["100 %", "0 %", "33.3 %", "100.0 %", "50 %", "200 %", "-"]);
    let two_trees = "topology over net {\n low.a <- x\n low.b <- x\n high.a <- low.a\n high.b <- low.b\n a, b <- high.a\n c, d <- high.b\n}\n";
    let tasks = ["a", "b", "c", "d"].map(|t| format!("task {t}: binary\n")).concat();
    let checked = compiled(&format!("mtl 1\ninput x: f32[8]\n{tasks}{UNEQUAL}{two_trees}"), Path::new("two.mtl"));
    let options = GraphOptions { color: false, width: 120 };
    let text = draw(&checked, Some(View::Topology), GraphFormat::Text, options);
    assert!(text.contains("33.3 % of parameters and 33.3 % of MACs shared"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&draw(&checked, Some(View::Topology), GraphFormat::Json, options)).expect("JSON");
    assert_eq!(json["costs"][0]["shared"], serde_json::json!({ "params": 0.333333, "macs": 0.333333 }));
    let summary = spec_summary(&checked, false);
    assert!(summary.contains("params shared") && summary.contains("MACs shared"), "{summary}");
    assert_eq!(summary.matches("33.3 %").count(), 2, "{summary}");
    let page = mtlc::ide::docs::explain("shared").expect("a page");
    assert!(page.contains("mean over pairs") && mtlc::ide::docs::contents().contains("  shared, "), "{page}");
}
