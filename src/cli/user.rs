//! `smartstore user`: who may log in at the console.

use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;

use super::exit::{Exit, tell};
use crate::clock::{Clock, Trust};
use crate::console::{ITERATIONS, seal_pin};
use crate::types::{User, UserMistake, UserRole};

/// Arguments of `user`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Add a user to a users file, or give one a new role and PIN. The PIN is read from standard input.
    Add {
        /// The name, as it will stand in the audit trail.
        #[arg(value_parser = name)]
        name: String,
        /// `viewer`: look. `technician`: also act on devices and sales. `admin`: also change the configuration.
        #[arg(long, value_parser = role)]
        role: UserRole,
        /// The file that `[console] users_file` names; it is made when it is not there.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Take a user out of a users file.
    Remove {
        /// The name.
        #[arg(value_parser = name)]
        name: String,
        /// The file that `[console] users_file` names.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
}

fn name(word: &str) -> Result<String, String> {
    if User::is_name(word) { Ok(word.to_owned()) } else { Err("write 1 to 64 characters, no colon".to_owned()) }
}

fn role(word: &str) -> Result<UserRole, String> {
    UserRole::parse(word).ok_or_else(|| "write `viewer`, `technician` or `admin`".to_owned())
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("cannot read {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is no users file")]
    Users {
        path: PathBuf,
        #[source]
        source: UserMistake,
    },
    #[error("cannot write {path}")]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("no PIN came over standard input")]
    NoPin(#[source] std::io::Error),
    #[error("a PIN has 6 to 64 characters")]
    BadPin,
    #[error("{0} is not in the file")]
    Unknown(String),
}

pub(super) fn run(args: &Args) -> ExitCode {
    let done = match &args.what {
        What::Add { name, role, file } => add(name, *role, file),
        What::Remove { name, file } => remove(name, file),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            tell(&trouble);
            if matches!(trouble, Trouble::BadPin) { Exit::Usage.into() } else { Exit::Failed.into() }
        }
    }
}

fn add(name: &str, role: UserRole, file: &PathBuf) -> Result<(), Trouble> {
    let mut users = read(file)?;
    let salt = Clock::system(Trust::Kernel).random_key();
    let pin = seal_pin(&pin()?, salt, ITERATIONS).ok_or(Trouble::BadPin)?;
    users.retain(|user| user.name != name);
    users.push(User { name: name.to_owned(), role, pin });
    write(file, &users)?;
    say!("{name} is {}; the console knows it after the next start", role.as_str());
    Ok(())
}

fn remove(name: &str, file: &PathBuf) -> Result<(), Trouble> {
    let mut users = read(file)?;
    let before = users.len();
    users.retain(|user| user.name != name);
    if users.len() == before {
        return Err(Trouble::Unknown(name.to_owned()));
    }
    write(file, &users)?;
    say!("{name} is gone; the console knows it after the next start");
    Ok(())
}

/// A file that is not there has no users.
fn read(file: &PathBuf) -> Result<Vec<User>, Trouble> {
    match std::fs::read_to_string(file) {
        Ok(text) => User::parse_all(&text).map_err(|source| Trouble::Users { path: file.clone(), source }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Trouble::Read { path: file.clone(), source }),
    }
}

/// Whole or not at all. Remarks of the old file are not kept.
fn write(file: &PathBuf, users: &[User]) -> Result<(), Trouble> {
    let wrong = |source| Trouble::Write { path: file.clone(), source };
    let new = file.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    let mut opened = options.write(true).create(true).truncate(true).mode(0o640).open(&new).map_err(wrong)?;
    let text: String = users.iter().map(|user| format!("{user}\n")).collect();
    opened.write_all(text.as_bytes()).and_then(|()| opened.sync_all()).map_err(wrong)?;
    std::fs::rename(&new, file).map_err(wrong)
}

/// A line of standard input; what is typed at a terminal is not shown.
fn pin() -> Result<String, Trouble> {
    let stdin = std::io::stdin();
    let hidden = stdin.is_terminal().then(|| hide(&stdin)).flatten();
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    if let Some(shown) = hidden {
        let _terminal_gone = rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Now, &shown);
    }
    read.map_err(Trouble::NoPin)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Stops showing what is typed; the settings from before.
fn hide(stdin: &std::io::Stdin) -> Option<rustix::termios::Termios> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    eprint!("PIN: ");
    let shown = tcgetattr(stdin).ok()?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(stdin, OptionalActions::Now, &hidden).ok()?;
    Some(shown)
}
