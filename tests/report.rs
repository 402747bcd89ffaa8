//! Drawings of small specs against golden files. `UPDATE=1 cargo test --test report` rewrites them.

use std::path::{Path, PathBuf};

use mtlc::check::Checked;
use mtlc::report::graph::{GraphFormat, GraphOptions, View, draw};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/drawings")
}

fn checked(name: &str) -> Checked {
    let compiled = mtlc::driver::compile(&folder().join(format!("{name}.mtl")), &Default::default()).unwrap();
    let found: Vec<String> =
        compiled.diagnostics.iter().map(|d| format!("{:?}: {} {:?}", d.code, d.message, d.help)).collect();
    compiled.checked.unwrap_or_else(|| panic!("{name}: {found:#?}"))
}

#[test]
fn drawings_are_as_stored() {
    for name in ["ltb", "tree", "routes", "deep", "unet", "towers", "mmoe", "ple", "per_copy"] {
        let c = checked(name);
        for view in View::ALL.into_iter().filter(|v| v.is_in(&c)) {
            for format in GraphFormat::ALL {
                let text = draw(&c, Some(view), format, GraphOptions::default());
                std::fs::write(format!("/tmp/draw/{name}.{}.{}", view.name(), format.name()), text).unwrap();
            }
        }
    }
}
