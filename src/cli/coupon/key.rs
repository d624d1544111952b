//! `smartstore coupon key`: an issuer's Ed25519 key, as a JWK (RFC 7517, RFC 8037).

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, Trust};
use crate::types::{CouponKeys, IssuerId, IssuerKey, KeyId, Timestamp};
use crate::wire::cloud::coupon_keys_json;
use crate::wire::coupon::{base64url_decode, base64url_encode};

/// How long a key counts when `--until` does not say.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// Only its owner reads a private key.
const PRIVATE: u32 = 0o600;

/// Arguments of `coupon key`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Who signs: `iss` of the coupons, 1 to 48 visible ASCII characters.
    #[arg(long, value_name = "NAME", value_parser = |text: &str| IssuerId::new(text))]
    issuer: IssuerId,
    /// The key's name: `kid` of the coupons, 1 to 64 visible ASCII characters.
    #[arg(long, value_name = "NAME", value_parser = |text: &str| KeyId::new(text))]
    kid: KeyId,
    /// From when coupons signed with it are accepted (RFC 3339); now without it.
    #[arg(long, value_name = "TIME", value_parser = super::time)]
    from: Option<Timestamp>,
    /// Until before when; a year from `--from` without it.
    #[arg(long, value_name = "TIME", value_parser = super::time)]
    until: Option<Timestamp>,
    /// The file for the private key. It must not exist; only its owner can read it.
    #[arg(short, value_name = "FILE")]
    output: PathBuf,
    /// Nothing but JSON on standard output, which is so anyway.
    #[arg(long)]
    json: bool,
}

/// A private key in a file. `iss` is ours: the key's issuer, so that it need not be named again.
#[derive(Serialize, Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    kid: String,
    iss: String,
    x: String,
    d: String,
}

/// An issuer's private key. It has no `Debug`.
pub(in crate::cli) struct PrivateKey {
    pub(in crate::cli) issuer: IssuerId,
    pub(in crate::cli) id: KeyId,
    pair: Ed25519KeyPair,
}

impl PrivateKey {
    /// The Ed25519 signature.
    pub(in crate::cli) fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(bytes).as_ref());
        signature
    }

    /// Reads it from a file that `coupon key` wrote.
    pub(in crate::cli) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).with_context(|| format!("{} is no key of `smartstore coupon key`", file.display()))
    }

    fn parse(json: &[u8]) -> anyhow::Result<Self> {
        let jwk: Jwk = serde_json::from_slice(json)?;
        anyhow::ensure!(jwk.kty == "OKP" && jwk.crv == "Ed25519", "it is not an Ed25519 key");
        let part = |text: &str| base64url_decode(text).context("a part is not base64url");
        let pair = Ed25519KeyPair::from_seed_and_public_key(&part(&jwk.d)?, &part(&jwk.x)?);
        let pair = pair.map_err(|error| anyhow::anyhow!("its halves do not belong together: {error}"))?;
        Ok(Self { issuer: IssuerId::new(&jwk.iss)?, id: KeyId::new(&jwk.kid)?, pair })
    }
}

/// Makes a key pair; the public half.
pub(in crate::cli) fn make_key(issuer: &IssuerId, kid: &KeyId, output: &Path) -> anyhow::Result<[u8; 32]> {
    let mut seed = [0; 32];
    SystemRandom::new().fill(&mut seed).map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|error| anyhow::anyhow!("no key: {error}"))?;
    let ed25519: [u8; 32] = pair.public_key().as_ref().try_into().context("an Ed25519 key has 32 bytes")?;
    let jwk = Jwk {
        kty: "OKP".to_owned(),
        crv: "Ed25519".to_owned(),
        kid: kid.to_string(),
        iss: issuer.to_string(),
        x: base64url_encode(&ed25519),
        d: base64url_encode(&seed),
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(output);
    let written =
        file.as_mut().map_err(|error| std::io::Error::new(error.kind(), error.to_string())).and_then(|file| {
            file.write_all(serde_json::to_string_pretty(&jwk)?.as_bytes())?;
            file.write_all(b"\n")
        });
    written.with_context(|| format!("cannot write {}", output.display()))?;
    Ok(ed25519)
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let from = args.from.unwrap_or_else(|| Clock::system(Trust::Trusted).wall().0);
    let until = args.until.unwrap_or_else(|| from.plus(YEAR));
    anyhow::ensure!(until > from, "--until is not after --from");
    let ed25519 = make_key(&args.issuer, &args.kid, &args.output)?;
    let key = IssuerKey { id: args.kid.clone(), ed25519, from, until };
    say!("{}", coupon_keys_json(&CouponKeys { issuer: args.issuer.clone(), keys: vec![key] }));
    Ok(ExitCode::SUCCESS)
}
