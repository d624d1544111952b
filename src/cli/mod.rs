//! The command line: one file per subcommand.
//!
//! Answers go to standard output; logs and words for people go to standard error when `--json` is on. Exit codes: 0
//! ok, 1 the thing asked for failed, 64 bad usage, 69 a needed device or service is unavailable, 78 bad
//! configuration.
#![expect(clippy::print_stderr, reason = "this is the layer that speaks to people")]

/// A line on standard output. A reader that has gone away (`| head`) is nobody's mistake, and no panic.
macro_rules! say {
    ($($words:tt)*) => {
        $crate::cli::exit::answer(&format!("{}\n", format_args!($($words)*)))
    };
}

#[cfg(feature = "sim")]
mod bench;
mod bundle;
mod cameras;
mod check;
mod content;
mod coupon;
#[cfg(feature = "sim")]
mod demo;
mod doctor;
mod events;
mod exit;
#[cfg(feature = "onnx")]
mod face;
mod footfall;
mod journal;
#[cfg(feature = "onnx")]
mod models;
#[cfg(feature = "onnx")]
mod network_times;
mod place;
mod run;
mod sale;
mod scan;
mod schema;
#[cfg(feature = "sim")]
mod sim;
mod until_told;
mod user;
#[cfg(feature = "onnx")]
mod weights;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The gateway daemon of a smart shop.
#[derive(Debug, Parser)]
#[command(name = "smartstore", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon in the foreground.
    #[command(after_help = "Example: smartstore run --config store.toml")]
    Run(run::Args),
    /// Check a configuration, its profiles and cross-references; every mistake at once.
    #[command(after_help = "Example: smartstore check store.toml")]
    Check(check::Args),
    /// Try every device, the clock, the disk and the broker, and say what to do.
    #[command(after_help = "Example: smartstore doctor --config store.toml --json")]
    Doctor(doctor::Args),
    /// Find serial ports, keyboard scanners and WiFi interfaces, and print a [[device]] stanza for each.
    #[command(after_help = "Example: smartstore scan >> store.toml")]
    Scan(scan::Args),
    /// Read the journal, also of a running daemon.
    #[command(after_help = "Example: smartstore events --config store.toml --follow --type scan.code")]
    Events(events::Args),
    /// Depths, integrity and export of the journal.
    #[command(after_help = "Example: smartstore journal stats --config store.toml")]
    Journal(journal::Args),
    /// Sales that nobody knows the end of, and what a person says became of them.
    #[command(after_help = "Example: smartstore sale resolve SALE --as refunded --by \"Li Wei\" --config store.toml")]
    Sale(sale::Args),
    /// Who may log in at the console.
    #[command(after_help = "Example: smartstore user add \"Li Wei\" --role technician --file users.txt < pin.txt")]
    User(user::Args),
    /// Keys, coupons and pick-up codes: make, sign, verify.
    #[command(after_help = "Example: smartstore coupon key --issuer brand.example --kid 2026-11 -o issuer.jwk")]
    Coupon(coupon::Args),
    /// What screens show: make a key, check, collect and sign it.
    #[command(after_help = "Example: smartstore content pack autumn --key content.jwk -o www/autumn")]
    Content(content::Args),
    /// What the face networks see in pictures.
    #[cfg(feature = "onnx")]
    #[command(after_help = "Example: smartstore face detect photo.jpg --json")]
    Face(face::Args),
    /// Networks by their cards: list, fetch, verify.
    #[cfg(feature = "onnx")]
    #[command(after_help = "Example: smartstore models fetch")]
    Models(models::Args),
    /// Count devices and people in captures of probe requests; learn a site's calibration.
    #[command(after_help = "Example: smartstore footfall replay door.pcap --window 600s --json")]
    Footfall(footfall::Args),
    /// A whole store in one process: simulated scanner, journal, uplink, broker; ends with a count.
    #[cfg(feature = "sim")]
    #[command(after_help = "Example: smartstore demo --for 60s")]
    Demo(demo::Args),
    /// The other end of one device.
    #[cfg(feature = "sim")]
    #[command(after_help = "Example: smartstore sim scanner --link scanner-1")]
    Sim(sim::Args),
    /// Repeatable measurements, each beside its limit.
    #[cfg(feature = "sim")]
    #[command(after_help = "Example: smartstore bench scanner --json")]
    Bench(bench::Args),
    /// JSON Schemas of configuration, profiles, events and commands.
    #[command(after_help = "Example: smartstore schema config > config.schema.json")]
    Schema(schema::Args),
}

/// Parses the process's arguments and carries them out.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { exit::Exit::Usage.into() } else { ExitCode::SUCCESS };
            // A closed pipe is nobody's mistake.
            let _ = error.print();
            return code;
        }
    };
    match arguments.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Events(args) => events::run(&args),
        Command::Journal(args) => journal::run(&args),
        Command::Sale(args) => sale::run(&args),
        Command::Content(args) => content::run(&args),
        Command::User(args) => user::run(&args),
        Command::Coupon(args) => coupon::run(&args),
        #[cfg(feature = "onnx")]
        Command::Face(args) => face::run(&args),
        #[cfg(feature = "onnx")]
        Command::Models(args) => models::run(&args),
        Command::Footfall(args) => footfall::run(&args),
        #[cfg(feature = "sim")]
        Command::Demo(args) => demo::run(&args),
        #[cfg(feature = "sim")]
        Command::Sim(args) => sim::run(&args),
        #[cfg(feature = "sim")]
        Command::Bench(args) => bench::run(&args),
        Command::Schema(args) => schema::run(&args),
    }
}
