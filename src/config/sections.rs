//! The meaning of every section but devices and stations.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;
use regex::{Regex, RegexBuilder};
use toml::Spanned;

use super::limits;
use super::raw::{RawCloud, RawCodes, RawConsole, RawContent, RawGateway, RawJournal, RawMembers, RawStoreTable, Text};
use super::report::Checked;
use super::store::{self, Cloud, Console, Content, Gateway, Journal, Members, TlsIdentity, Trust};
use crate::sense::vision::card::{Card, Role, built_in};
use crate::transport::TlsServer;
use crate::types::{
    BrokerAddress, CodeGrammars, Encoding, GatewayId, KeyId, Span, StoreId, User, UserRole, nearest, units,
};
use crate::wire::coupon::base64url_decode;

pub(super) const NAME_HELP: &str = "1 to 32 of a-z, 0-9 and -, such as \"hz-wulin-001\"";

/// `[store]`.
pub(super) fn store(raw: &RawStoreTable, checked: &mut Checked<'_>) -> Option<(StoreId, TimeZone)> {
    let id = checked.parse("id", raw.id.as_ref(), NAME_HELP, StoreId::new);
    let zone = raw.timezone.as_ref().and_then(|name| timezone(name, checked));
    Some((id?, zone?))
}

fn timezone(name: &Spanned<String>, checked: &mut Checked<'_>) -> Option<TimeZone> {
    let text = name.get_ref().as_str();
    if let Ok(zone) = TimeZone::get(text) {
        return Some(zone);
    }
    let known: Vec<String> = jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
    let help = match nearest(text, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean \"{near}\"? An IANA name is Area/City, such as \"Asia/Shanghai\""),
        None if known.len() < 2 => "this machine has no time zone database: install the package tzdata".to_owned(),
        None => "an IANA name is Area/City, such as \"Asia/Shanghai\"".to_owned(),
    };
    checked.error(name.span(), "unknown-timezone", format!("there is no time zone \"{text}\""), help);
    None
}

/// `[gateway]`.
pub(super) fn gateway(raw: &RawGateway, checked: &mut Checked<'_>) -> Option<Gateway> {
    let id = checked.parse("id", raw.id.as_ref(), NAME_HELP, GatewayId::new);
    let clock = match &raw.clock {
        None => Some(Trust::default()),
        Some(word) => checked.parse("clock", Some(word), "\"kernel\" or \"trusted\"", |word| match word {
            "kernel" => Ok(Trust::Kernel),
            "trusted" => Ok(Trust::Trusted),
            _ => Err("not a clock that can be trusted"),
        }),
    };
    let data_dir = match &raw.data_dir {
        None => Some(checked.base.join(store::DATA_DIR)),
        Some(path) => folder("data_dir", path, checked),
    };
    let models_dir = match &raw.models_dir {
        None => data_dir.as_ref().map(|data_dir| data_dir.join(store::MODELS_DIR)),
        Some(path) => folder("models_dir", path, checked),
    };
    Some(Gateway { id: id?, data_dir: data_dir?, models_dir: models_dir?, clock: clock? })
}

fn folder(key: &str, path: &Spanned<String>, checked: &mut Checked<'_>) -> Option<PathBuf> {
    if path.get_ref().is_empty() {
        let message = format!("`{key}` is empty");
        checked.error(path.span(), "invalid-value", message, "name a directory, such as \"data\"");
        return None;
    }
    let dir = checked.base.join(path.get_ref());
    if dir.exists() && !dir.is_dir() {
        let message = format!("`{key}`: {} is not a directory", dir.display());
        checked.error(path.span(), "invalid-value", message, "name a directory; it is made when it is not there");
        return None;
    }
    Some(dir)
}

/// `[cloud]`.
pub(super) fn cloud(raw: &RawCloud, checked: &mut Checked<'_>) -> Option<Cloud> {
    let help = "mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS";
    let broker = checked.parse("broker", raw.broker.as_ref(), help, BrokerAddress::from_str);
    if broker.as_ref().is_some_and(|broker| !broker.tls) {
        for (key, value) in [("ca_file", &raw.ca_file), ("cert_file", &raw.cert_file), ("key_file", &raw.key_file)] {
            if let Some(value) = value {
                let message = format!("`{key}` is of no use: with mqtt:// nothing is encrypted");
                checked.error(value.span(), "needs-tls", message, "write mqtts:// in `broker`, or remove this key");
            }
        }
    }
    let password_file = secret("password_file", &raw.password_file, checked);
    if let (Some(broker), Some(value)) = (&broker, &raw.password_file)
        && !broker.tls
        && !broker.is_local()
    {
        let message = format!("the password travels to {} in the clear", broker.host);
        checked.warning(value.span(), "password-in-clear", message, "write mqtts:// in `broker`");
    }
    let ca_file = file("ca_file", &raw.ca_file, checked);
    let identity = identity(&raw.cert_file, &raw.key_file, checked);
    let username = raw.username.as_ref().map(|name| name.get_ref().clone());
    let trial =
        checked.parse("trial", raw.trial.as_ref(), units::DURATION_HELP, |text| match units::parse_duration(text) {
            Ok(trial) if (Duration::from_secs(2)..=Duration::from_secs(600)).contains(&trial) => Ok(trial),
            Ok(_) => Err("must be from 2s to 10min".to_owned()),
            Err(error) => Err(error.to_string()),
        });
    let trial = trial.unwrap_or(store::CLOUD_TRIAL);
    let (backfill_per_s, encoding) = (backfill(raw, checked), encoding(raw, checked));
    Some(Cloud { broker: broker?, username, password_file, ca_file, identity, trial, backfill_per_s, encoding })
}

fn backfill(raw: &RawCloud, checked: &mut Checked<'_>) -> NonZeroU32 {
    let most = store::CLOUD_BACKFILL_MOST_PER_S;
    let rate = |text: &str| {
        let per_s = units::parse_rate(text).map_err(|error| error.to_string())?;
        let per_s = u32::try_from(per_s).ok().filter(|per_s| *per_s <= most).and_then(NonZeroU32::new);
        per_s.ok_or_else(|| format!("must be from 1/s to {most}/s"))
    };
    let parsed = checked.parse("backfill", raw.backfill.as_ref(), units::RATE_HELP, rate);
    parsed.unwrap_or(store::CLOUD_BACKFILL_PER_S)
}

fn encoding(raw: &RawCloud, checked: &mut Checked<'_>) -> Encoding {
    let word = |word: &str| Encoding::parse(word).ok_or("not a way that messages travel");
    checked.parse("encoding", raw.encoding.as_ref(), "\"json\" or \"zstd\"", word).unwrap_or_default()
}

/// `[console]`.
pub(super) fn console(raw: &RawConsole, at: &Span, checked: &mut Checked<'_>) -> Option<Console> {
    let help = "an IP address and a port, such as \"127.0.0.1:8480\"";
    let (listen, span) = match &raw.listen {
        None => (store::CONSOLE_LISTEN.parse().ok(), at.clone()),
        Some(text) => {
            let address = |text: &str| text.parse::<SocketAddr>().map_err(|_| "not an address to listen at");
            (checked.parse("listen", Some(text), help, address), text.span())
        }
    };
    let identity = identity(&raw.cert_file, &raw.key_file, checked);
    server(identity.as_ref(), &raw.cert_file, checked);
    let users_file = secret("users_file", &raw.users_file, checked);
    users(users_file.as_deref(), &raw.users_file, checked);
    let listen = listen?;
    let needed = [("cert_file", &raw.cert_file), ("key_file", &raw.key_file), ("users_file", &raw.users_file)];
    let absent: Vec<&str> = needed.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| *key).collect();
    if !listen.ip().is_loopback() && !absent.is_empty() {
        let message = format!("the console would be open to the network at {listen}: {} missing", absent.join(", "));
        let help = "add cert_file, key_file and users_file, or listen at \"127.0.0.1:8480\"";
        checked.error(span, "console-open", message, help);
    }
    Some(Console { listen, identity, users_file })
}

/// The certificate must be one that a listener can use.
fn server(identity: Option<&TlsIdentity>, written: &Text, checked: &mut Checked<'_>) {
    let (Some(TlsIdentity { cert_file, key_file }), Some(written)) = (identity, written) else { return };
    if let Err(error) = TlsServer::from_files(cert_file, key_file) {
        let help =
            "PEM files: the certificate and its chain in cert_file, the private key that belongs to it in key_file";
        checked.error(written.span(), "certificate", format!("`cert_file`: {error}"), help);
    }
}

/// The users must be readable, and one of them must be able to change something.
fn users(file: Option<&Path>, written: &Text, checked: &mut Checked<'_>) {
    let (Some(file), Some(written)) = (file, written) else { return };
    let help = "make each line with `smartstore user add`";
    let read = std::fs::read_to_string(file).map_err(|error| error.to_string());
    match read.and_then(|text| User::parse_all(&text).map_err(|mistake| mistake.to_string())) {
        Err(why) => {
            checked.error(written.span(), "users-file", format!("`users_file`: {}: {why}", file.display()), help);
        }
        Ok(users) if users.iter().all(|user| user.role != UserRole::Admin) => {
            let message = format!("`users_file`: no user in {} is an admin", file.display());
            checked.warning(written.span(), "no-admin", message, "nobody can change the configuration at the console");
        }
        Ok(_) => {}
    }
}

/// A certificate and its key: both or none.
fn identity(cert: &Text, key: &Text, checked: &mut Checked<'_>) -> Option<TlsIdentity> {
    for (value, other, alone, absent) in [(cert, key, "cert_file", "key_file"), (key, cert, "key_file", "cert_file")] {
        if let (Some(value), None) = (value, other) {
            let message = format!("`{alone}` without `{absent}`");
            checked.error(
                value.span(),
                "missing-key",
                message,
                format!("add `{absent}`: a certificate and its key go together"),
            );
        }
    }
    let cert_file = file("cert_file", cert, checked);
    let key_file = secret("key_file", key, checked);
    Some(TlsIdentity { cert_file: cert_file?, key_file: key_file? })
}

/// A file that must be there.
fn file(key: &str, value: &Text, checked: &mut Checked<'_>) -> Option<PathBuf> {
    let value = value.as_ref()?;
    let path = checked.base.join(value.get_ref());
    match std::fs::File::open(&path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_dir() => {
            let message = format!("`{key}`: {} is a directory", path.display());
            checked.error(value.span(), "file-unreadable", message, "name the file in it");
            None
        }
        Ok(_) => Some(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = format!("`{key}`: there is no file {}", path.display());
            checked.error(value.span(), "file-missing", message, "put the file there, or correct the path");
            None
        }
        Err(error) => {
            let message = format!("`{key}`: {} cannot be read: {error}", path.display());
            checked.error(value.span(), "file-unreadable", message, "check the file's owner and permissions");
            None
        }
    }
}

/// A file that must be there, and that not everybody should read.
fn secret(key: &str, value: &Text, checked: &mut Checked<'_>) -> Option<PathBuf> {
    let path = file(key, value, checked)?;
    let mode = std::fs::metadata(&path).map_or(0, |metadata| metadata.permissions().mode());
    if let Some(value) = value.as_ref().filter(|_| mode & 0o007 != 0) {
        let message = format!("`{key}`: everybody on this machine can read {}", path.display());
        checked.warning(value.span(), "secret-open", message, format!("chmod o= {}", path.display()));
    }
    Some(path)
}

/// `[journal]`.
pub(super) fn journal(raw: &RawJournal, checked: &mut Checked<'_>) -> Journal {
    let default = Journal::default();
    let size = |text: &str| match units::parse_size(text) {
        Ok(bytes) if bytes < store::JOURNAL_MIN_SIZE => Err("a journal of less than 1MiB holds nothing".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(error.to_string()),
    };
    let keep = |text: &str| match units::parse_duration(text) {
        Ok(keep) if keep > Duration::from_secs(3650 * 86_400) => Err("longer than ten years".to_owned()),
        Ok(keep) => Ok(keep),
        Err(error) => Err(error.to_string()),
    };
    let max_size = checked.parse("max_size", raw.max_size.as_ref(), units::SIZE_HELP, size);
    let keep_confirmed = checked.parse("keep_confirmed", raw.keep_confirmed.as_ref(), units::DURATION_HELP, keep);
    Journal {
        max_size: max_size.unwrap_or(default.max_size),
        keep_confirmed: keep_confirmed.unwrap_or(default.keep_confirmed),
    }
}

/// `[content]`.
pub(super) fn content(raw: &RawContent, checked: &mut Checked<'_>) -> Content {
    let size = |text: &str| units::parse_size(text).map_err(|error| error.to_string());
    let max_size = checked.parse("max_size", raw.max_size.as_ref(), units::SIZE_HELP, size);
    let mut keys = BTreeMap::new();
    for (name, text) in raw.keys.iter().flatten() {
        let help = "32 bytes in Base64url, as `smartstore content key` prints them";
        let key = checked.parse(name, Some(text), help, public_key);
        match (KeyId::new(name), key) {
            (Ok(name), Some(key)) => drop(keys.insert(name, key)),
            (Ok(_), None) => {}
            (Err(error), _) => {
                let help = "a key's name is 1 to 64 visible ASCII characters";
                checked.error(text.span(), "invalid-value", format!("a key's name {error}"), help);
            }
        }
    }
    Content { keys, max_size: max_size.unwrap_or(store::CONTENT_MAX_SIZE) }
}

fn public_key(text: &str) -> Result<[u8; 32], &'static str> {
    base64url_decode(text).and_then(|key| key.try_into().ok()).ok_or("is no public key")
}

/// `[members]`. A list for which the network is not good enough is refused.
pub(super) fn members(raw: &RawMembers, at: &Span, checked: &mut Checked<'_>) -> Members {
    let key_file = raw.key_file.as_ref().map(|path| checked.base.join(path.get_ref()));
    if let Some(path) = raw.key_file.as_ref().filter(|path| path.get_ref().is_empty()) {
        checked.error(
            path.span(),
            "invalid-value",
            "`key_file` is empty",
            "name a file; it is made when it is not there",
        );
    }
    let (at_most, at) = match &raw.at_most {
        Some(at_most) => (*at_most.get_ref() as usize, at_most.span()),
        None => (store::MEMBERS_AT_MOST, at.clone()),
    };
    let cards = built_in().unwrap_or_default();
    let card = cards.iter().find(|card| card.role == Role::Embedder);
    let allowed = card.map_or(0, Card::members_at_most);
    if at_most == 0 {
        checked.error(at, "out-of-range", "`at_most` is 0", "leave [members] out: nobody is enrolled then");
    } else if at_most > allowed {
        let one_in = card.and_then(|card| card.thresholds.false_accepts.last()).map_or(1, |rate| rate.one_in);
        let wrong = 100.0 * (1.0 - (1.0 - 1.0 / f64::from(one_in)).powf(at_most as f64));
        let name = card.map_or("the network", |card| card.name.as_str());
        let message = format!(
            "`at_most` is {at_most}: {name} takes one stranger in {one_in} for a member, so that with {at_most} \
             members up to {wrong:.0} of 100 strangers would be called by somebody's name"
        );
        checked.error(at, "out-of-range", message, format!("at most {allowed}: one stranger in a hundred"));
    }
    Members { key_file, at_most }
}

/// `[codes]`.
pub(super) fn codes(raw: &RawCodes, checked: &mut Checked<'_>) -> CodeGrammars {
    let mut grammar = |key, value: &Text| checked.parse(key, value.as_ref(), "such as \"^M[0-9]{8,}$\"", compile);
    CodeGrammars {
        member: grammar("member", &raw.member),
        clerk: grammar("clerk", &raw.clerk),
        pickup: grammar("pickup", &raw.pickup),
    }
}

/// The last line of the crate's message names the fault; the lines before it draw it.
fn compile(text: &str) -> Result<Regex, String> {
    let regex = RegexBuilder::new(text).size_limit(limits::REGEX_BYTES).build().map_err(|error| {
        let message = error.to_string();
        let last = message.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("not a regular expression: {last}")
    })?;
    if regex.is_match("") {
        return Err("this matches an empty text, and so every code".to_owned());
    }
    Ok(regex)
}
