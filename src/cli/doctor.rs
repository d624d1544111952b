//! `smartstore doctor`: tries everything that a gateway needs, and says what to do about what is not there.
//!
//! It may run beside the daemon: no line is opened (that would take bytes from it), the broker is spoken to under a
//! client id of its own, and the journal is only read.

use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use rustix::fs::{Access, access, statvfs};
use serde::{Deserialize, Serialize};

use super::exit::{Exit, answer, tell};
use super::until_told::{Told, until_told};
use super::{bundle, cameras};
use crate::app::uplink_settings;
use crate::clock::{Clock, Trust};
use crate::config::{self, Store};
use crate::journal::ReadOnly;
use crate::transport;
use crate::types::{Chain, Condition, Endpoint, Level, Timestamp};
use crate::uplink::{Validity, brokers_validity, probe, validities};

/// Bytes of journal that a busy shop fills in an hour: 7,200 events of 400 bytes.
const BYTES_AN_HOUR: u64 = 7_200 * 400;
/// Less room than for so many hours is a warning: a long weekend.
const HOURS_ENOUGH: u64 = 72;

/// Where a daemon gives its bundle.
const DIAGNOSTICS: &str = "/api/v1/diagnostics";
/// A certificate that is good for fewer days is a warning.
const DAYS_ENOUGH: u64 = 30;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: std::path::PathBuf,
    /// Where to look for device profiles first.
    #[arg(long, value_name = "DIR")]
    profiles: Option<std::path::PathBuf>,
    /// Print the findings as one JSON array.
    #[arg(long)]
    json: bool,
    /// Write what a helper far away needs to see into this file: findings, versions, configuration without secrets and,
    /// from a running daemon, health, counters, last log lines and last frames of each line.
    #[arg(long, value_name = "FILE")]
    bundle: Option<std::path::PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// What a daemon answers to `/health`.
#[derive(Debug, Deserialize)]
struct Health {
    conditions: Vec<Standing>,
}

#[derive(Debug, Deserialize)]
struct Standing {
    code: String,
    severity: String,
    device: Option<String>,
    text: String,
    help: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Finding {
    check: &'static str,
    target: String,
    result: Verdict,
    message: String,
    help: String,
}

pub(super) fn finding(
    check: &'static str,
    target: impl Into<String>,
    result: Verdict,
    message: &str,
    help: &str,
) -> Finding {
    Finding { check, target: target.into(), result, message: message.to_owned(), help: help.to_owned() }
}

pub(super) fn run(args: &Args) -> ExitCode {
    let store = match super::check::load_or_tell(&args.config, args.profiles.as_deref()) {
        Ok(loaded) => loaded.store,
        Err(exit) => return exit.into(),
    };
    let examined = until_told(async |_| {
        let findings = examine(&store).await;
        let daemon = match &args.bundle {
            Some(_) => bundle::ask_daemon(&store, DIAGNOSTICS).await,
            None => Err(String::new()),
        };
        (findings, daemon)
    });
    let (findings, daemon) = match examined {
        Ok(Told::Ended(examined)) => examined,
        Ok(Told::Twice) => return Exit::Failed.into(),
        Err(error) => {
            tell(&error);
            return Exit::Failed.into();
        }
    };
    if let Err(error) = show(&findings, args.json) {
        tell(&error);
        return Exit::Failed.into();
    }
    if let Some(file) = &args.bundle {
        if let Err(error) = bundle::write(file, &store, &findings, daemon) {
            tell(&error);
            return Exit::Failed.into();
        }
        eprintln!("smartstore: wrote {}", file.display());
    }
    let fails = findings.iter().any(|finding| finding.result == Verdict::Fail);
    if fails { Exit::Failed.into() } else { ExitCode::SUCCESS }
}

fn show(findings: &[Finding], json: bool) -> Result<(), serde_json::Error> {
    if json {
        answer(&(serde_json::to_string_pretty(findings)? + "\n"));
        return Ok(());
    }
    for Finding { check, target, result, message, help } in findings {
        let word = match result {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        answer(&format!("{word}  {check}  {target}: {message}\n"));
        if *result != Verdict::Ok {
            answer(&format!("      {help}\n"));
        }
    }
    Ok(())
}

async fn examine(store: &Store) -> Vec<Finding> {
    let data_dir = store.gateway.data_dir.as_path();
    let mut findings =
        vec![writable(data_dir), room(data_dir, store.journal.max_size), journal(data_dir), clock(store)];
    findings.extend(store.devices.iter().filter_map(|device| endpoint(device.id().as_str(), device.endpoint())));
    if store.devices.iter().any(|device| cameras::is_camera(device.endpoint())) {
        findings.extend(cameras::networks(&store.gateway.models_dir));
    }
    if let Some(cloud) = &store.cloud {
        findings.push(broker(store, cloud).await);
        findings.extend(certificates(store, cloud).await);
    }
    findings.extend(standing(store).await);
    findings
}

/// The conditions of a running daemon: what only shows while it works, such as a quota or a topic that is refused.
async fn standing(store: &Store) -> Vec<Finding> {
    let Ok(answer) = bundle::ask_daemon(store, "/health").await else { return Vec::new() };
    let Ok(Health { conditions }) = serde_json::from_str::<Health>(&answer) else { return Vec::new() };
    let found = conditions.into_iter().map(|Standing { code, severity, device, text, help }| {
        let result = if severity == Level::Error.as_str() { Verdict::Fail } else { Verdict::Warn };
        let target = device.unwrap_or_else(|| "gateway".to_owned());
        finding("health", target, result, &format!("{code} {text}"), &help)
    });
    found.collect()
}

/// The certificates in our files, and the one that the broker shows.
async fn certificates(store: &Store, cloud: &config::Cloud) -> Vec<Finding> {
    let (now, _) = wall(store);
    let identity = cloud.identity.as_ref();
    let files = [("cert_file", identity.map(|identity| &identity.cert_file)), ("ca_file", cloud.ca_file.as_ref())];
    let mut findings = Vec::new();
    for (key, file) in files.into_iter().filter_map(|(key, file)| Some((key, file?))) {
        let target = format!("{key} {}", file.display());
        findings.push(match validities(file) {
            // A chain is as good as the first of it that ends.
            Ok(validities) => days_left(target, &soonest(&validities), now, key == "ca_file" && validities.len() > 1),
            Err(why) => finding("certificate", target, Verdict::Fail, &why, Condition::CloudTls.help()),
        });
    }
    let settings = uplink_settings(&store.id, &store.gateway.id, cloud);
    let shown = brokers_validity(&settings).await;
    findings.extend(shown.map(|validity| days_left(format!("{} shows", cloud.broker), &validity, now, false)));
    findings
}

fn soonest(validities: &[Validity]) -> Validity {
    let first = validities.iter().min_by_key(|validity| validity.until.unix_ms());
    first.copied().unwrap_or(Validity { from: Timestamp::from_unix_ms(0), until: Timestamp::from_unix_ms(0) })
}

/// `of_many`: of several authorities one may have ended without harm.
fn days_left(target: String, validity: &Validity, now: Timestamp, of_many: bool) -> Finding {
    const DAY: u64 = 24 * 3600;
    let Validity { from, until } = validity;
    let help = "Renew it in good time: a running gateway takes a renewed file up by itself.";
    if now < *from {
        let message = format!("is not valid before {from}, and the clock says {now}");
        return finding("certificate", target, Verdict::Fail, &message, Condition::CloudTls.help());
    }
    if now > *until {
        let result = if of_many { Verdict::Warn } else { Verdict::Fail };
        return finding("certificate", target, result, &format!("has expired on {until}"), help);
    }
    let days = until.since(now).as_secs() / DAY;
    let result = if days < DAYS_ENOUGH { Verdict::Warn } else { Verdict::Ok };
    finding("certificate", target, result, &format!("is good for {days} more days, until {until}"), help)
}

/// Makes a file and takes it away again. A directory that is not there yet is made at the first start.
fn writable(data_dir: &Path) -> Finding {
    let target = data_dir.display().to_string();
    if !data_dir.exists() {
        return finding("data_dir", target, Verdict::Warn, "is not there yet", "It is made at the first start.");
    }
    match tempfile::tempfile_in(data_dir) {
        Ok(_) => finding("data_dir", target, Verdict::Ok, "can be written", ""),
        Err(error) => {
            let help = "Give the daemon's user this directory, and see that its file system is not read-only.";
            finding("data_dir", target, Verdict::Fail, &format!("cannot be written: {error}"), help)
        }
    }
}

fn room(data_dir: &Path, max_size: u64) -> Finding {
    let there = data_dir.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    let target = there.display().to_string();
    let help = "Free space on this file system, or enlarge [journal] max_size.";
    match statvfs(there) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let hours = free.min(max_size) / BYTES_AN_HOUR;
            let message = format!("{} MiB free, room for {hours} hours of a busy shop without a cloud", free >> 20);
            let result = match hours {
                0 => Verdict::Fail,
                hours if hours < HOURS_ENOUGH => Verdict::Warn,
                _ => Verdict::Ok,
            };
            finding("disk", target, result, &message, help)
        }
        Err(error) => finding("disk", target, Verdict::Fail, &error.to_string(), help),
    }
}

fn journal(data_dir: &Path) -> Finding {
    let target = data_dir.display().to_string();
    match ReadOnly::open(data_dir).and_then(|journal| journal.stats()) {
        Ok(stats) => {
            let unsent: u64 = stats.classes.iter().map(|class| class.unsent).sum();
            let message = format!("{} events, {unsent} of them not yet with the cloud", stats.stored());
            finding("journal", target, Verdict::Ok, &message, "")
        }
        Err(error) => {
            let help = "There is none before the first start; else see `smartstore journal verify`.";
            finding("journal", target, Verdict::Warn, &Chain(&error).to_string(), help)
        }
    }
}

fn wall(store: &Store) -> (Timestamp, bool) {
    let trust = match store.gateway.clock {
        config::Trust::Kernel => Trust::Kernel,
        config::Trust::Trusted => Trust::Trusted,
    };
    Clock::system(trust).wall()
}

fn clock(store: &Store) -> Finding {
    let (wall, synced) = wall(store);
    let result = if synced { Verdict::Ok } else { Verdict::Warn };
    let message = format!("{wall}, {}", if synced { "synchronised" } else { "not synchronised" });
    finding("clock", "system", result, &message, Condition::ClockUnsynced.help())
}

/// Whether the endpoint's node is there and may be used, and who holds it. `None`: it has no node.
fn endpoint(device: &str, endpoint: &Endpoint) -> Option<Finding> {
    let target = format!("{device} at {endpoint}");
    if let Some(finding) = cameras::camera(&target, endpoint) {
        return Some(finding);
    }
    let path = match endpoint {
        Endpoint::Serial(path) | Endpoint::Evdev(path) => path,
        Endpoint::Wifi(name) => return Some(radio(name, target)),
        Endpoint::Gpio(place) => return transport::GpioPlace::parse(place).map(|place| gpio(&place, target)),
        _ => return None,
    };
    let Ok(node) = path.canonicalize() else {
        let help = Condition::TtyMissing.help();
        return Some(finding("device", target, Verdict::Fail, "is not there", help));
    };
    if let Err(error) = access(&node, Access::READ_OK | Access::WRITE_OK) {
        let help = "Put the daemon's user into the node's group: dialout or input.";
        return Some(finding("device", target, Verdict::Fail, &format!("may not be used: {error}"), help));
    }
    let others: Vec<String> = holders(&node).into_iter().filter(|name| name != "smartstore").collect();
    Some(if others.is_empty() {
        finding("device", target, Verdict::Ok, "is there and may be used", "")
    } else {
        let message = format!("is held by {}", others.join(", "));
        finding("device", target, Verdict::Warn, &message, "End that program: two readers take each other's bytes.")
    })
}

/// Looks only: a line that the daemon holds stays its.
fn gpio(place: &transport::GpioPlace, target: String) -> Finding {
    match transport::gpio_chip(place) {
        Ok(label) => finding("device", target, Verdict::Ok, &format!("is a line of the chip {label}"), ""),
        Err(error) => {
            let help = "`gpioinfo` lists chips and lines; put the daemon's user into the node's group: gpio.";
            finding("device", target, Verdict::Fail, &error.to_string(), help)
        }
    }
}

/// A second listener takes nothing away from the daemon's.
fn radio(name: &str, target: String) -> Finding {
    let Err(error) = transport::Monitor::open(name) else {
        return finding("device", target, Verdict::Ok, "is in monitor mode and may be listened to", "");
    };
    let message = error.to_string();
    match error.kind() {
        ErrorKind::Unsupported | ErrorKind::NetworkDown => {
            let help = "A daemon with CAP_NET_ADMIN sets it when it starts; otherwise set it with `iw` and `ip`.";
            finding("device", target, Verdict::Warn, &message, help)
        }
        ErrorKind::PermissionDenied => {
            finding("device", target, Verdict::Fail, &message, "Listening takes CAP_NET_RAW: see systemd/capture.conf.")
        }
        _ => finding("device", target, Verdict::Fail, &message, Condition::RadioMissing.help()),
    }
}

/// The names of the processes that have the node open, as far as we may see.
fn holders(node: &Path) -> Vec<String> {
    let entries = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let holds =
        |process: &Path| entries(&process.join("fd")).any(|fd| std::fs::read_link(fd).is_ok_and(|to| to == node));
    let processes = entries(Path::new("/proc")).filter(|process| holds(process));
    let names = processes.filter_map(|process| std::fs::read_to_string(process.join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect()
}

async fn broker(store: &Store, cloud: &config::Cloud) -> Finding {
    let target = cloud.broker.to_string();
    match probe(&uplink_settings(&store.id, &store.gateway.id, cloud)).await {
        Ok(()) => finding("broker", target, Verdict::Ok, "lets this gateway in", ""),
        Err((condition, detail)) => {
            let message = format!("{} {}: {detail}", condition.code(), condition.text());
            finding("broker", target, Verdict::Fail, &message, condition.help())
        }
    }
}
