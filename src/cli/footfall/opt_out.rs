//! `smartstore footfall opt-out`: the list of devices whose owners do not want to be counted.
//!
//! Two files: the list, one keyed hash a line, and beside it the site's key, which only its owner can read. An address
//! is in neither.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::sense::footfall::Listed;
use crate::wire::dot11::Address;
use crate::wire::probebox::parse_address;

/// Arguments of `footfall opt-out`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The list that a sensor's setting `opt_out` names; its key stands beside it, with `.key` behind its name. Both
    /// are made if they are not there.
    #[arg(value_name = "LIST")]
    list: PathBuf,
    /// What to do.
    what: What,
    /// The device's own WiFi address (not the made-up one that it uses in a network); `-` reads it from standard
    /// input, so that no shell remembers it.
    #[arg(value_name = "ADDRESS")]
    address: String,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum What {
    /// Count it no more.
    Add,
    /// Count it again.
    Remove,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let address = address(&args.address)?;
    let key_file = key_file(&args.list);
    let key = existing(&key_file)?;
    let text = existing(&args.list)?;
    anyhow::ensure!(
        key.is_some() || text.is_none(),
        "{} is gone, and the list says nothing without it: begin a new list",
        key_file.display()
    );
    let key = match key {
        Some(key) => key,
        None => new_key(&key_file)?,
    };
    let mut listed = Listed::parse(&key, &text.unwrap_or_default())
        .with_context(|| format!("{} cannot be read", args.list.display()))?;
    let is_news = match args.what {
        What::Add => listed.add(address),
        What::Remove => listed.remove(address),
    };
    if is_news || !args.list.exists() {
        write(&args.list, &listed.text(), 0o640)?;
    }
    let done = match (args.what, is_news) {
        (What::Add, true) => "listed",
        (What::Add, false) => "it was listed already",
        (What::Remove, true) => "not listed any more",
        (What::Remove, false) => "it was not listed",
    };
    say!("{done}; {} devices are on the list", listed.count());
    Ok(())
}

fn address(text: &str) -> anyhow::Result<Address> {
    let mut line = String::new();
    if text == "-" {
        std::io::stdin().read_line(&mut line).context("standard input cannot be read")?;
    }
    let text = if text == "-" { line.trim() } else { text };
    let address =
        parse_address(text.as_bytes()).context("this is no address: write six bytes, as 28:6c:07:71:eb:5f")?;
    anyhow::ensure!(
        !address.is_local() && !address.is_group(),
        "this is no address of a device's own: phones make such ones up and change them, so that listing one is of no \
         use. Its owner can turn WiFi off"
    );
    Ok(address)
}

/// Where the key of a list stands.
fn key_file(list: &Path) -> PathBuf {
    let mut name = list.as_os_str().to_owned();
    name.push(".key");
    name.into()
}

fn existing(file: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
}

fn new_key(file: &Path) -> anyhow::Result<String> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random key: {error}"))?;
    let mut key: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    key.push('\n');
    write(file, &key, 0o600)?;
    Ok(key)
}

/// Writes beside and renames, so that a gateway that reads sees the old file or the new one. The folder's owner owns
/// it: whoever runs this as root writes for the gateway.
fn write(file: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let written = || format!("{} cannot be written", file.display());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let _ = std::fs::remove_file(&beside);
    let mut out = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside).with_context(written)?;
    let owner = std::fs::metadata(folder).with_context(written)?;
    if out.metadata().with_context(written)?.uid() != owner.uid() {
        std::os::unix::fs::fchown(&out, Some(owner.uid()), Some(owner.gid())).with_context(written)?;
    }
    out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).with_context(written)?;
    std::fs::rename(&beside, file).with_context(written)
}
