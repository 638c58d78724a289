//! `cargo conformance`.

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

use std::process::ExitCode;

fn main() -> ExitCode {
    conformance::cli::main()
}
