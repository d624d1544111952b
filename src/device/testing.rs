//! What the tests of device folders have in common: a device made of the shipped profiles, and the far end of its line.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio_util::sync::CancellationToken;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Device, DeviceKind, Port, PortEnds, RawDevice, Section, port};
use crate::clock::Clock;
use crate::observe::{Board, Conditions, DeviceScope, Metrics};
use crate::types::{Body, CodeGrammars, DeviceId, Diagnostic, Draft, Endpoint, Observation, Timestamp};

/// How long anything may take.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// Does what `config` does with a `[[device]]` and its profile.
pub(crate) fn configure(
    kinds: &[&dyn DeviceKind],
    profile: &str,
    endpoint: &str,
    settings: &str,
) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
    configure_named("device-1", kinds, profile, endpoint, settings)
}

/// The same of a device with this name.
pub(crate) fn configure_named(
    name: &str,
    kinds: &[&dyn DeviceKind],
    profile: &str,
    endpoint: &str,
    settings: &str,
) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
    let mut profile = DeTable::parse(profile).unwrap().into_inner();
    let kind = match profile.get("kind").map(Spanned::get_ref) {
        Some(DeValue::String(name)) => name.to_string(),
        other => panic!("the profile's kind is {other:?}"),
    };
    let facts = profile.remove("facts").map(|facts| {
        let span = facts.span();
        let DeValue::Table(table) = facts.into_inner() else { panic!("facts are a table") };
        Spanned::new(span, table)
    });
    let settings = DeTable::parse(settings).unwrap();
    let models_dir = models_dir();
    kinds.iter().find(|one| one.name() == kind).expect("a kind of this folder").configure(RawDevice {
        id: DeviceId::new(name).unwrap(),
        endpoint: Endpoint::parse(endpoint).unwrap(),
        endpoint_span: 7..9,
        facts: Section { file: Path::new("profile.toml"), span: 0..1, table: facts },
        settings: Section { file: Path::new("store.toml"), span: 0..1, table: Some(settings) },
        codes: &CodeGrammars { member: regex::Regex::new("^M[0-9]{8,}$").ok(), ..CodeGrammars::default() },
        timezone: &jiff::tz::TimeZone::UTC,
        models_dir: &models_dir,
    })
}

/// Where the tests' networks are.
#[expect(clippy::disallowed_methods, reason = "a test's place is told by its environment")]
pub(crate) fn models_dir() -> PathBuf {
    std::env::var("SMARTSTORE_MODELS").map_or_else(|_| PathBuf::from("models"), PathBuf::from)
}

/// Code, file and the text at the span of each mistake.
pub(crate) fn mistakes(
    kinds: &[&dyn DeviceKind],
    profile: &str,
    endpoint: &str,
    settings: &str,
) -> Vec<(&'static str, String, String)> {
    let Err(found) = configure(kinds, profile, endpoint, settings) else { panic!("no mistake was found") };
    let shown = |mistake: Diagnostic| {
        assert!(!mistake.help.is_empty(), "{}", mistake.message);
        let text = if mistake.file == Path::new("profile.toml") { profile } else { settings };
        let span = mistake.span.unwrap();
        (mistake.code, mistake.file.display().to_string(), text.get(span).unwrap_or("").to_owned())
    };
    found.into_iter().map(shown).collect()
}

/// The far end of a line: a PTY's master under a stable name.
pub(crate) struct Far {
    pub(crate) master: File,
    /// Kept open, so that the master outlives a driver that lets go.
    _slave: File,
}

/// Makes a line and puts it under the name.
pub(crate) fn plug(link: &Path) -> Far {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = PathBuf::from(ptsname(&master, Vec::new()).unwrap().into_string().unwrap());
    let slave = File::options().read(true).write(true).open(&path).unwrap();
    let mut raw = rustix::termios::tcgetattr(&slave).unwrap();
    raw.make_raw();
    rustix::termios::tcsetattr(&slave, rustix::termios::OptionalActions::Now, &raw).unwrap();
    let _ = std::fs::remove_file(link);
    std::os::unix::fs::symlink(&path, link).unwrap();
    Far { master: File::from(master), _slave: slave }
}

impl Far {
    /// The next bytes of the gateway are these.
    pub(crate) fn expect(&mut self, bytes: &[u8]) {
        let mut got = vec![0; bytes.len()];
        self.master.read_exact(&mut got).unwrap();
        assert_eq!(got, bytes);
    }

    /// Says something to the gateway.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        self.master.write_all(bytes).unwrap();
    }
}

/// A device and everything around it.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) device: Box<dyn Device>,
    pub(crate) port: Port,
    pub(crate) ends: PortEnds,
    pub(crate) stop: CancellationToken,
    pub(crate) clock: Clock,
}

/// A device on the serial line `tty` of its folder.
pub(crate) fn bench(kinds: &[&dyn DeviceKind], profile: &str, settings: &str) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = format!("serial:{}", folder.path().join("tty").display());
    let device = configure(kinds, profile, &endpoint, settings).unwrap();
    let clock = Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 1);
    let conditions = Conditions::new(clock.clone());
    let scope = DeviceScope::new(device.id().clone(), clock.clone(), conditions, Metrics::default(), Board::default());
    let stop = CancellationToken::new();
    let (port, ends) = port(scope, clock.clone(), stop.clone());
    // A disk that takes no time.
    ends.stored.send_replace(u64::MAX);
    Bench { folder, device, port, ends, stop, clock }
}

/// The next draft of the device.
pub(crate) async fn drafted(ends: &mut PortEnds) -> Draft {
    tokio::time::timeout(BOUND, ends.observed.recv()).await.expect("the driver says it in time").unwrap()
}

/// What the device says next.
pub(crate) async fn said(ends: &mut PortEnds) -> Observation {
    match drafted(ends).await.body {
        Body::Observed(observation) => observation,
        other @ Body::Noticed(_) => panic!("a driver said {other:?}"),
    }
}
