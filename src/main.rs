//! The `smartstore` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    smartstore::cli::main()
}
