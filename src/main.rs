//! Arguments in, exit code out.

use std::process::ExitCode;

use mtlc::runtime::blocks::Blocks;

/// Programs and tensors are many allocations, made by several threads; those of tensors are large and come again.
#[global_allocator]
static ALLOCATOR: Blocks = Blocks;

fn main() -> ExitCode {
    mtlc::cli::main()
}
