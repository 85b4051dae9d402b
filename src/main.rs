//! The binary: reads the command line, runs it, turns an error into one sentence and an exit code.

use std::process::ExitCode;

/// Allocates in parallel where the system's allocator takes a lock; lists become twice as fast.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    accord::application::install(&accord::ACCORD);
    accord::cli::main()
}
