//! Configurations of the cloud and of the console: checked, tried for a bounded time, kept or taken back.
//!
//! A trial is on disk before anything is changed and is taken from it after the cloud's answer is: a start that finds
//! one knows that the daemon died in it, and goes on with the configuration before. What must not change under a
//! running gateway (who it is, where its data is, what it listens on) is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::build::announce_configuration;
use super::console::{Notes, Wish};
use super::diagnostics;
use super::fleet::{Described, House, described};
use super::{AppError, Running};
use crate::config::{self, Kept, LastGood, Loaded, Origin, Refused, Store};
use crate::types::{
    Condition, ConfigError, ConfigReport, ConfigState, ConfigVersion, DesiredConfig, DeviceId, Severity,
};
use crate::uplink::{ConfigExchange, Desired};
use crate::wire::cloud::{parse_reported, reported_message};

/// The name of the cloud's text in what it is told.
const FILE: &str = "config/desired";
/// Versions of the console begin with this; the cloud is not told of them.
const LOCAL: &str = "console.";
/// How often a trial is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long everything must have been well for a trial to be over.
const SETTLED: Duration = Duration::from_secs(2);

/// What a configuration asks for.
pub(super) struct Plan {
    /// Without its devices.
    pub(super) store: Arc<Store>,
    pub(super) devices: BTreeMap<DeviceId, Described>,
    pub(super) kept: Kept,
    /// All of it, every default filled in, without what is secret.
    pub(super) shown: String,
}

impl Plan {
    pub(super) fn new(loaded: Loaded, origin: &Origin, version: Option<&ConfigVersion>) -> Self {
        let Loaded { mut store, text, .. } = loaded;
        let kept = Kept::new(&origin.file, &origin.file_sha256, version, &text, &store);
        let shown = diagnostics::masked(&store);
        let devices = described(&mut store);
        Self { store: Arc::new(store), devices, kept, shown }
    }
}

/// What a change of plan has touched.
pub(super) struct Changed {
    pub(super) devices: BTreeSet<DeviceId>,
    pub(super) line: bool,
}

/// Whether a version is one of this gateway's console.
pub(super) fn is_local(version: &ConfigVersion) -> bool {
    matches!(version, ConfigVersion::Text(text) if text.starts_with(LOCAL))
}

/// Who wants a configuration, and so is told what became of it.
enum Asker {
    Cloud(Option<ConfigVersion>),
    Console(oneshot::Sender<ConfigReport>),
}

/// A configuration that runs, and is not yet known to run well.
struct Trial {
    asker: Asker,
    before: Plan,
    changed: Changed,
    began: Instant,
    within: Duration,
    well_since: Option<Instant>,
}

/// What is to be done next.
pub(super) enum Step {
    Consider(Option<Desired>),
    Grant(Wish),
    Look,
}

/// Where wanted configurations are dealt with, one at a time.
pub(super) struct Desk {
    house: House,
    exchange: ConfigExchange,
    desired: watch::Receiver<Option<Desired>>,
    wishes: mpsc::Receiver<Wish>,
    notes: Notes,
    reported: Option<ConfigReport>,
    last_good: LastGood,
    origin: Origin,
    current: Plan,
    trial: Option<Trial>,
}

impl Desk {
    pub(super) fn new(
        house: House,
        (exchange, wishes): (ConfigExchange, mpsc::Receiver<Wish>),
        reported: Option<ConfigReport>,
        last_good: LastGood,
        origin: Origin,
        (current, notes): (Plan, Notes),
    ) -> Self {
        let desired = exchange.desired();
        Self { house, exchange, desired, wishes, notes, reported, last_good, origin, current, trial: None }
    }

    /// What runs, or is being tried.
    pub(super) fn current(&self) -> &Plan {
        &self.current
    }

    /// Waits for what is to be done next; during a trial nothing new is begun. Cancel-safe.
    pub(super) async fn next(&mut self) -> Step {
        if self.trial.is_some() {
            tokio::time::sleep(LOOK).await;
            return Step::Look;
        }
        tokio::select! {
            Ok(()) = self.desired.changed() => Step::Consider(self.desired.borrow_and_update().clone()),
            Some(wish) = self.wishes.recv() => Step::Grant(wish),
            else => std::future::pending().await,
        }
    }

    /// Does it.
    pub(super) async fn take(&mut self, step: Step, running: &mut Running) -> Result<(), AppError> {
        match step {
            Step::Consider(None) => {}
            Step::Consider(Some(Err(unread))) => {
                let error = mistake(FILE, (1, 1), "unreadable", &unread.to_string(), "send {\"version\",\"toml\"}");
                self.tell(Asker::Cloud(unread.version), ConfigState::Refused, vec![error]);
            }
            Step::Grant(wish) => self.grant(wish, running).await,
            Step::Consider(Some(Ok(desired))) => self.consider(desired, running).await,
            Step::Look => self.look(running).await?,
        }
        Ok(())
    }

    /// A version that was answered before changes nothing, whatever the answer was.
    async fn consider(&mut self, desired: DesiredConfig, running: &mut Running) {
        let answered = self.reported.as_ref().and_then(|reported| reported.version.as_ref());
        if answered == Some(&desired.version) {
            tracing::debug!(version = %desired.version, "the configuration that the cloud wants is answered already");
            return;
        }
        let DesiredConfig { version, toml } = desired;
        let asker = Asker::Cloud(Some(version.clone()));
        match self.plan((&toml, &BTreeMap::new()), Path::new(FILE), &version) {
            Err(errors) => self.tell(asker, ConfigState::Refused, errors),
            Ok(plan) => self.try_out(asker, plan, running).await,
        }
    }

    /// What somebody at the console wants goes the same way.
    async fn grant(&mut self, Wish { draft, answer }: Wish, running: &mut Running) {
        let (wall, _) = self.house.clock.wall();
        let version = ConfigVersion::Text(format!("{LOCAL}{wall}"));
        let file = self.origin.file.clone();
        match self.plan((&draft.text, &draft.profiles), &file, &version) {
            Err(errors) => self.tell(Asker::Console(answer), ConfigState::Refused, errors),
            Ok(plan) => self.try_out(Asker::Console(answer), plan, running).await,
        }
    }

    /// Of a text and profiles that count before all others. `file`: the name that mistakes are shown under.
    fn plan(
        &self,
        (toml, profiles): (&str, &BTreeMap<String, String>),
        file: &Path,
        version: &ConfigVersion,
    ) -> Result<Plan, Vec<ConfigError>> {
        let base = self.origin.file.parent().unwrap_or(Path::new(""));
        let loaded = config::load_draft(toml, profiles, file, base, self.origin.profiles_dir.as_deref());
        let plan = Plan::new(loaded.map_err(|refused| errors(&refused))?, &self.origin, Some(version));
        let file = file.display().to_string();
        let mut fixed = fixed_parts_that_differ(&self.current.store, &plan.store);
        if !is_local(version) && plan.store.cloud.is_none() {
            fixed.push("[cloud] as a whole");
        }
        if !fixed.is_empty() {
            let help = "change it in the file on the gateway, which takes a restart";
            let name = |key: &&str| {
                let message = if is_local(version) {
                    format!("{key} cannot be changed while the gateway runs")
                } else {
                    format!("{key} cannot be changed from the cloud")
                };
                mistake(&file, place(toml, key.split(' ').next().unwrap_or(key)), "fixed", &message, help)
            };
            return Err(fixed.iter().map(name).collect());
        }
        self.last_good.begin_trial(&plan.kept).map_err(|error| vec![disk(&file, &error)])?;
        Ok(plan)
    }

    async fn try_out(&mut self, asker: Asker, plan: Plan, running: &mut Running) {
        let version = plan.kept.version().map(|version| version.to_string());
        tracing::info!(version, "trying another configuration");
        let within = self.current.store.cloud.as_ref().map_or(config::CLOUD_TRIAL, |cloud| cloud.trial);
        self.notes.runs(&plan, true);
        let mut changed = running.change_to(&plan).await;
        // Without a cloud there is no line that could serve.
        changed.line &= plan.store.cloud.is_some();
        let before = std::mem::replace(&mut self.current, plan);
        let began = self.house.clock.now();
        self.trial = Some(Trial { asker, before, changed, began, within, well_since: None });
    }

    async fn look(&mut self, running: &mut Running) -> Result<(), AppError> {
        let Some(trial) = &mut self.trial else { return Ok(()) };
        let now = self.house.clock.now();
        let wrong = wrong(&trial.changed, &self.current.kept.text, running);
        if wrong.is_empty() {
            let since = *trial.well_since.get_or_insert(now);
            return if now.saturating_duration_since(since) >= SETTLED { self.settle(running).await } else { Ok(()) };
        }
        trial.well_since = None;
        if now.saturating_duration_since(trial.began) >= trial.within {
            self.take_back(wrong, running).await;
        }
        Ok(())
    }

    /// It runs well.
    async fn settle(&mut self, running: &mut Running) -> Result<(), AppError> {
        if let Err(error) = self.last_good.keep(&self.current.kept) {
            self.take_back(vec![disk(FILE, &error)], running).await;
            return Ok(());
        }
        let Some(trial) = self.trial.take() else { return Ok(()) };
        self.house.conditions.set(Condition::ConfigSafeMode, None, false, None);
        self.notes.runs(&self.current, false);
        self.notes.is_safe_no_more();
        self.tell(trial.asker, ConfigState::Applied, Vec::new());
        self.end_trial();
        announce_configuration(&self.current, &self.house.journal, &self.house.clock).await
    }

    /// It does not run well: the one before runs again.
    async fn take_back(&mut self, errors: Vec<ConfigError>, running: &mut Running) {
        let Some(trial) = self.trial.take() else { return };
        self.current = trial.before;
        running.change_to(&self.current).await;
        self.notes.runs(&self.current, false);
        self.tell(trial.asker, ConfigState::RolledBack, errors);
        self.end_trial();
    }

    fn end_trial(&self) {
        if let Err(error) = self.last_good.end_trial() {
            tracing::warn!(%error, "the end of a trial cannot be noted: the next start takes it for unfinished");
        }
    }

    /// Says to whoever wanted a configuration what became of it. The cloud hears of its own only.
    fn tell(&mut self, asker: Asker, state: ConfigState, errors: Vec<ConfigError>) {
        let version = match asker {
            Asker::Cloud(version) => version,
            Asker::Console(answer) => {
                let why = errors.first().map_or("", |error| error.message.as_str());
                tracing::info!(state = state.as_str(), why, "the configuration that the console wants");
                // Whoever wanted it may have gone away.
                let _ = answer.send(ConfigReport { version: None, state, errors });
                return;
            }
        };
        let report = ConfigReport { version, state, errors };
        if self.reported.as_ref() == Some(&report) {
            return;
        }
        write_report(&self.last_good, &report);
        self.exchange.report(report.clone());
        self.reported = Some(report);
    }
}

/// What a start has to say of the configurations of earlier runs: a trial in which the daemon ended is over, and a
/// file that somebody has edited since the cloud's configuration came into force counts more than that one.
pub(super) fn resume(last_good: &LastGood, origin: &Origin) -> Option<ConfigReport> {
    let kept = last_good.kept();
    let left = kept.as_ref().and_then(Kept::version).filter(|left| origin.version.is_none() && !is_local(left));
    let trial = last_good.trial();
    if trial.as_ref().and_then(Kept::version).as_ref().is_some_and(is_local) {
        tracing::warn!("the gateway ended while a configuration of the console was being tried");
        end_left(last_good);
        return last_good.reported().and_then(|report| parse_reported(&report));
    }
    let report = match (trial, left) {
        (Some(trial), None) if kept.as_ref() == Some(&trial) => {
            ConfigReport { version: trial.version(), state: ConfigState::Applied, errors: Vec::new() }
        }
        (Some(trial), _) => {
            let message = "the gateway ended while it was being tried";
            let help = "look into the gateway's log; send a new version to try again";
            let errors = vec![mistake(FILE, (1, 1), "interrupted", message, help)];
            ConfigReport { version: trial.version(), state: ConfigState::RolledBack, errors }
        }
        (None, Some(version)) => {
            let file = origin.file.display().to_string();
            let message = "this file counts until there is a new version: it was edited on the gateway";
            let errors = vec![mistake(&file, (1, 1), "edited", message, "send a new version")];
            ConfigReport { version: Some(version), state: ConfigState::RolledBack, errors }
        }
        (None, None) => return last_good.reported().and_then(|report| parse_reported(&report)),
    };
    write_report(last_good, &report);
    end_left(last_good);
    Some(report)
}

fn end_left(last_good: &LastGood) {
    if let Err(error) = last_good.end_trial() {
        tracing::warn!(%error, "the end of a trial cannot be noted");
    }
}

fn write_report(last_good: &LastGood, report: &ConfigReport) {
    let version = report.version.as_ref().map(ToString::to_string).unwrap_or_default();
    let why = report.errors.first().map_or("", |error| error.message.as_str());
    tracing::info!(version, state = report.state.as_str(), why, "the configuration that the cloud wants");
    if let Err(error) = last_good.report(&reported_message(report)) {
        tracing::warn!(%error, "what the cloud is told of its configuration cannot be written to disk");
    }
}

/// What is not well of that which was changed.
fn wrong(changed: &Changed, text: &str, running: &Running) -> Vec<ConfigError> {
    let devices = running.fleet.not_running(&changed.devices).into_iter().map(|(id, condition, detail)| {
        let code = condition.map_or("device.not-running", Condition::code);
        let help = condition.map_or("Check its endpoint, profile and power.", Condition::help);
        let message = format!("device \"{id}\" does not run{}", because(condition, &detail));
        mistake(FILE, place(text, &format!("\"{id}\"")), code, &message, help)
    });
    let line = (changed.line && !running.line.carries()).then(|| {
        let (condition, detail) = running.line.trouble().unwrap_or((Condition::CloudAway, String::new()));
        let message = format!("the broker does not serve this gateway{}", because(Some(condition), &detail));
        mistake(FILE, place(text, "broker"), condition.code(), &message, condition.help())
    });
    devices.chain(line).collect()
}

fn because(condition: Option<Condition>, detail: &str) -> String {
    match (condition, detail) {
        (None, _) => String::new(),
        (Some(condition), "") => format!(": {}", condition.text()),
        (Some(condition), detail) => format!(": {} ({detail})", condition.text()),
    }
}

/// What only a restart can change, as far as it differs; and the line by which a mistake could be mended.
pub(super) fn fixed_parts_that_differ(now: &Store, then: &Store) -> Vec<&'static str> {
    let parts = [
        (now.id == then.id, "[store] id"),
        (now.gateway.id == then.gateway.id, "[gateway] id"),
        (now.gateway.data_dir == then.gateway.data_dir, "[gateway] data_dir"),
        (now.gateway.clock == then.gateway.clock, "[gateway] clock"),
        (now.console == then.console, "[console]"),
        (now.journal == then.journal, "[journal]"),
    ];
    parts.into_iter().filter(|(same, _)| !same).map(|(_, name)| name).collect()
}

/// Line and column of the first place where the words stand.
fn place(text: &str, words: &str) -> (usize, usize) {
    let before = text.split_once(words).map_or("", |(before, _)| before);
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
    (before.matches('\n').count() + 1, column + 1)
}

fn errors(refused: &Refused) -> Vec<ConfigError> {
    let errors = refused.diagnostics.iter().map(|mistake| {
        let (line, column) = refused.sources.position(&mistake.file, mistake.span.as_ref());
        ConfigError {
            file: mistake.file.display().to_string(),
            line,
            column,
            severity: mistake.severity.as_str().to_owned(),
            code: mistake.code.to_owned(),
            message: mistake.message.clone(),
            help: mistake.help.clone(),
        }
    });
    errors.collect()
}

fn disk(file: &str, error: &std::io::Error) -> ConfigError {
    let message = format!("it cannot be written to the gateway's disk: {error}");
    mistake(file, (1, 1), "disk", &message, "free space in data_dir, then try again")
}

fn mistake(file: &str, (line, column): (usize, usize), code: &str, message: &str, help: &str) -> ConfigError {
    ConfigError {
        file: file.to_owned(),
        line,
        column,
        severity: Severity::Error.as_str().to_owned(),
        code: code.to_owned(),
        message: message.to_owned(),
        help: help.to_owned(),
    }
}
