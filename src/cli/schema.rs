//! `smartstore schema`: the shapes that others write and read, generated from the types.

use std::process::ExitCode;

use super::exit::{Exit, answer};
use crate::config;
use crate::wire::cloud;

/// Print the JSON Schema, or the AsyncAPI document, of what is read or written.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example:\n  smartstore schema config > config.schema.json")]
pub(super) struct Args {
    /// Which schema.
    #[arg(value_enum)]
    pub what: What,
}

/// A schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum What {
    /// The configuration file.
    Config,
    /// A device profile.
    Profile,
    /// The events that go to the cloud.
    Events,
    /// The commands that come from it.
    Commands,
    /// Topics, messages and what MQTT does with them, as an AsyncAPI 3.0 document.
    Asyncapi,
}

/// Runs the subcommand.
pub(super) fn run(args: &Args) -> ExitCode {
    let schema = match args.what {
        What::Config => config::config_schema().to_value(),
        What::Profile => config::profile_schema().to_value(),
        What::Events => cloud::events_schema().to_value(),
        What::Commands => cloud::commands_schema().to_value(),
        What::Asyncapi => cloud::asyncapi(env!("CARGO_PKG_VERSION")),
    };
    match serde_json::to_string_pretty(&schema) {
        Ok(json) => {
            answer(&(json + "\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the schema cannot be written as JSON: {error}");
            Exit::Failed.into()
        }
    }
}
