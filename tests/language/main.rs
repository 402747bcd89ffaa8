//! Rules of the language, each checked over a table: which arguments need their names, and that no mistake hides another.

mod together;
mod unnamed;

use std::path::Path;

use mtlc::driver::{self, Compiled};
use mtlc::hir::Options;

fn compile(text: &str) -> Compiled {
    let load = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
    driver::compile_text(text, Path::new("net.mtl"), &Options::default(), &load)
}
