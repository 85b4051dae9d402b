//! The binary: installs the application, and runs the command line of the foundation.

use std::process::ExitCode;

/// Allocates in parallel where the system's allocator takes a lock.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    bookshelf::install();
    accord_foundation::cli::main()
}
