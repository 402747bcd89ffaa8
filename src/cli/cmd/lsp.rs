//! `mtlc lsp`: the language server, for editors.

use crate::cli::args::LspArgs;
use crate::cli::exit::{Exit, Outcome};
use crate::lsp;

pub fn run(_: &LspArgs) -> Outcome {
    // A client that goes away without a word leaves nothing behind that would have to be told.
    Ok(if lsp::stdio() { Exit::Ok } else { Exit::Failure })
}
