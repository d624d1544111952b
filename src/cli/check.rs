//! `smartstore check`: says everything that is wrong with a configuration, or that nothing is.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::exit::{Exit, answer};
use crate::config::{self, Loaded, Refused, Sources};
use crate::types::Diagnostic;

/// Check a configuration, its profiles and its cross-references, and show every mistake at once.
///
/// Ends with 0 when the configuration can be used, with 78 when it cannot.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example:\n  smartstore check /etc/smartstore/store.toml")]
pub(super) struct Args {
    /// The configuration file.
    pub file: PathBuf,
    /// Look for profiles here first.
    #[arg(long, value_name = "DIR")]
    pub profiles: Option<PathBuf>,
    /// Print the configuration with every default filled in, as TOML.
    #[arg(long)]
    pub effective: bool,
    /// Print the mistakes as one JSON array on stdout; what is for people goes to stderr.
    #[arg(long)]
    pub json: bool,
}

/// Runs the subcommand.
pub(super) fn run(args: &Args) -> ExitCode {
    match config::load(&args.file, args.profiles.as_deref()) {
        Ok(loaded) => accepted(args, &loaded),
        Err(refused) => {
            show(args, &refused.diagnostics, &refused.sources);
            let count = refused.diagnostics.len();
            people(args, &format!("{}: {count} mistake{}", args.file.display(), if count == 1 { "" } else { "s" }));
            Exit::Config.into()
        }
    }
}

fn accepted(args: &Args, loaded: &Loaded) -> ExitCode {
    show(args, &loaded.warnings, &loaded.sources);
    if args.effective {
        match loaded.store.to_toml() {
            Ok(toml) => people(args, toml.trim_end()),
            Err(error) => {
                eprintln!("the configuration cannot be written as TOML: {error}");
                return Exit::Failed.into();
            }
        }
    } else {
        let (devices, stations) = (loaded.store.devices.len(), loaded.store.stations.len());
        people(args, &format!("{}: good: devices {devices}, stations {stations}", args.file.display()));
    }
    ExitCode::SUCCESS
}

/// Shows mistakes or warnings. With `--effective` stdout belongs to the TOML.
fn show(args: &Args, diagnostics: &[Diagnostic], sources: &Sources) {
    if args.json {
        match config::json(diagnostics, sources) {
            Ok(json) => answer(&(json + "\n")),
            Err(error) => eprintln!("the mistakes cannot be written as JSON: {error}"),
        }
    } else if args.effective {
        eprint!("{}", config::text(diagnostics, sources, std::io::stderr().is_terminal()));
    } else {
        answer(&config::text(diagnostics, sources, std::io::stdout().is_terminal()));
    }
}

/// A line for people: on stdout, unless that is a machine's.
fn people(args: &Args, line: &str) {
    if args.json {
        eprintln!("{line}");
    } else {
        answer(&format!("{line}\n"));
    }
}

/// Loads a configuration for a subcommand that needs one; mistakes and warnings are told on standard error.
pub(super) fn load_or_tell(file: &Path, profiles: Option<&Path>) -> Result<Loaded, Exit> {
    let loaded = tell_refused(config::load(file, profiles), file)?;
    tell_mistakes(&loaded.warnings, &loaded.sources);
    Ok(loaded)
}

/// Tells on standard error why a configuration cannot be used, if it cannot.
pub(super) fn tell_refused<T>(loaded: Result<T, Refused>, file: &Path) -> Result<T, Exit> {
    loaded.map_err(|refused| {
        tell_mistakes(&refused.diagnostics, &refused.sources);
        eprintln!("smartstore: {} cannot be used; `smartstore check` says the same", file.display());
        Exit::Config
    })
}

/// Tells mistakes or warnings on standard error.
pub(super) fn tell_mistakes(diagnostics: &[Diagnostic], sources: &Sources) {
    eprint!("{}", config::text(diagnostics, sources, std::io::stderr().is_terminal()));
}
