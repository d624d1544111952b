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
    // As schemas and not as plain values: those would lose the order that people read them in.
    let written = match args.what {
        What::Config => serde_json::to_string_pretty(&config::config_schema()),
        What::Profile => serde_json::to_string_pretty(&config::profile_schema()),
        What::Events => serde_json::to_string_pretty(&cloud::events_schema()),
        What::Commands => serde_json::to_string_pretty(&cloud::commands_schema()),
        What::Asyncapi => serde_json::to_string_pretty(&cloud::asyncapi(env!("CARGO_PKG_VERSION"))),
    };
    match written {
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
