//! Arguments in, exit code out.

use std::process::ExitCode;

/// Programs and tensors are many small allocations, made by several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    mtlc::cli::main()
}
