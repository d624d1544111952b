//! `smartstore content`: keys and signed content, for trying it and for whoever sends it.

pub(in crate::cli) mod pack;

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::coupon::key::{PrivateKey, make_key};
use super::exit::{Exit, tell};
use crate::types::{IssuerId, KeyId};
use crate::wire::coupon::base64url_encode;

/// Arguments of `content`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Make a key that content is signed with: the private half into a file, on standard output what belongs into
    /// `[content]`.
    #[command(after_help = "Example:\n  smartstore content key --kid content-2026 -o content.jwk")]
    Key(KeyArgs),
    /// Check, collect and sign the content in a folder (`content.json` and the files that it names).
    #[command(after_help = "Example:\n  smartstore content pack autumn --key content.jwk -o www/autumn")]
    Pack(PackArgs),
}

/// Arguments of `content key`.
#[derive(Debug, clap::Args)]
struct KeyArgs {
    /// The key's name, as `[content] keys` will have it.
    #[arg(long, value_name = "NAME", value_parser = |text: &str| KeyId::new(text))]
    kid: KeyId,
    /// The file for the private key. It must not exist; only its owner can read it.
    #[arg(short, value_name = "FILE")]
    output: PathBuf,
    /// Answer as one JSON document.
    #[arg(long)]
    json: bool,
}

/// Arguments of `content pack`.
#[derive(Debug, clap::Args)]
struct PackArgs {
    /// The folder with `content.json`.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The private key, as `content key` wrote it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The folder for `content.jws` and `assets/`: what a web server gives out.
    #[arg(short, value_name = "OUT")]
    output: PathBuf,
    /// The revision; it must count up. Without it the seconds since 1970.
    #[arg(long)]
    rev: Option<u64>,
    /// Answer as one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct KeyAnswer<'a> {
    kid: &'a str,
    ed25519: String,
}

#[derive(Serialize)]
struct PackAnswer {
    file: String,
    sha256: String,
    rev: u64,
    assets: usize,
    bytes: u64,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let done = match &args.what {
        What::Key(args) => key(args),
        What::Pack(args) => pack(args),
    };
    done.map(|()| ExitCode::SUCCESS).unwrap_or_else(|error| {
        tell(error.as_ref());
        Exit::Failed.into()
    })
}

fn key(args: &KeyArgs) -> anyhow::Result<()> {
    let public = make_key(&IssuerId::new("content")?, &args.kid, &args.output)?;
    let ed25519 = base64url_encode(&public);
    if args.json {
        say!("{}", serde_json::to_string_pretty(&KeyAnswer { kid: args.kid.as_str(), ed25519 })?);
    } else {
        say!("[content]\nkeys = {{ {:?} = {ed25519:?} }}", args.kid.as_str());
    }
    Ok(())
}

fn pack(args: &PackArgs) -> anyhow::Result<()> {
    let key = PrivateKey::read(&args.key)?;
    let packed = pack::pack(&args.folder, &args.output, args.rev, &key)?;
    let answer = PackAnswer {
        file: args.output.join(pack::SIGNED).display().to_string(),
        sha256: packed.sha256.to_string(),
        rev: packed.manifest.rev,
        assets: packed.manifest.assets.len(),
        bytes: packed.manifest.files().map(|(_, asset)| asset.bytes).sum(),
    };
    if args.json {
        say!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        say!("{}", answer.file);
        say!("sha256 {}", answer.sha256);
        say!("rev {}, {} files, {} bytes", answer.rev, answer.assets, answer.bytes);
    }
    Ok(())
}
