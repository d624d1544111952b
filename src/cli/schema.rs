//! `smartstore schema`: the shapes that others write and read, generated from the types.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a subcommand is for")]

use std::process::ExitCode;

use crate::config;

/// Print the JSON Schema of what is read or written.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example:\n  smartstore schema config > config.schema.json")]
pub struct Args {
    /// Which schema.
    #[arg(value_enum)]
    pub what: What,
}

/// A schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// The configuration file.
    Config,
    /// A device profile.
    Profile,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> ExitCode {
    let schema = match args.what {
        What::Config => config::config_schema(),
        What::Profile => config::profile_schema(),
    };
    match serde_json::to_string_pretty(&schema) {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the schema cannot be written as JSON: {error}");
            ExitCode::FAILURE
        }
    }
}
