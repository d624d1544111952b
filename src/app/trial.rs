//! Configurations of the cloud: checked, tried for a bounded time, kept or taken back.
//!
//! A trial is on disk before anything is changed and is taken from it after the cloud's answer is: a start that finds
//! one knows that the daemon died in it, and goes on with the configuration before. What must not change under a
//! running gateway (who it is, where its data is, what it listens on) is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::build::announce_configuration;
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
/// How often a trial is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long everything must have been well for a trial to be over.
const SETTLED: Duration = Duration::from_secs(2);

/// What a configuration asks for.
pub(super) struct Plan {
    /// Without its devices.
    pub(super) store: Store,
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
        Self { store, devices, kept, shown }
    }
}

/// What a change of plan has touched.
pub(super) struct Changed {
    pub(super) devices: BTreeSet<DeviceId>,
    pub(super) line: bool,
}

/// A configuration of the cloud that runs, and is not yet known to run well.
struct Trial {
    version: ConfigVersion,
    before: Plan,
    changed: Changed,
    began: Instant,
    within: Duration,
    well_since: Option<Instant>,
}

/// What is to be done next.
pub(super) enum Step {
    Consider(Option<Desired>),
    Look,
}

/// Where the cloud's configurations are dealt with, one at a time.
pub(super) struct Desk {
    house: House,
    exchange: ConfigExchange,
    desired: watch::Receiver<Option<Desired>>,
    reported: Option<ConfigReport>,
    last_good: LastGood,
    origin: Origin,
    current: Plan,
    trial: Option<Trial>,
}

impl Desk {
    pub(super) fn new(
        house: House,
        exchange: ConfigExchange,
        reported: Option<ConfigReport>,
        last_good: LastGood,
        origin: Origin,
        current: Plan,
    ) -> Self {
        let desired = exchange.desired();
        Self { house, exchange, desired, reported, last_good, origin, current, trial: None }
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
        if self.desired.changed().await.is_err() {
            return std::future::pending().await;
        }
        Step::Consider(self.desired.borrow_and_update().clone())
    }

    /// Does it.
    pub(super) async fn take(&mut self, step: Step, running: &mut Running) -> Result<(), AppError> {
        match step {
            Step::Consider(None) => {}
            Step::Consider(Some(Err(unread))) => {
                let error = mistake(FILE, (1, 1), "unreadable", &unread.to_string(), "send {\"version\",\"toml\"}");
                self.report(unread.version, ConfigState::Refused, vec![error]);
            }
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
        let version = desired.version.clone();
        match self.plan(&desired) {
            Err(errors) => self.report(Some(version), ConfigState::Refused, errors),
            Ok(plan) => self.try_out(version, plan, running).await,
        }
    }

    fn plan(&self, desired: &DesiredConfig) -> Result<Plan, Vec<ConfigError>> {
        let base = self.origin.file.parent().unwrap_or(Path::new(""));
        let loaded = config::load_text(&desired.toml, Path::new(FILE), base, self.origin.profiles_dir.as_deref());
        let plan = Plan::new(loaded.map_err(|refused| errors(&refused))?, &self.origin, Some(&desired.version));
        let fixed = fixed_parts_that_differ(&self.current.store, &plan.store);
        if !fixed.is_empty() {
            let help = "change it in the file on the gateway, which takes a restart";
            let name = |key: &&str| {
                let message = format!("{key} cannot be changed from the cloud");
                mistake(FILE, place(&desired.toml, key.split(' ').next().unwrap_or(key)), "fixed", &message, help)
            };
            return Err(fixed.iter().map(name).collect());
        }
        if let Err(error) = self.last_good.begin_trial(&plan.kept) {
            let message = format!("it cannot be written to the gateway's disk: {error}");
            return Err(vec![mistake(
                FILE,
                (1, 1),
                "disk",
                &message,
                "free space in data_dir, then send a new version",
            )]);
        }
        Ok(plan)
    }

    async fn try_out(&mut self, version: ConfigVersion, plan: Plan, running: &mut Running) {
        tracing::info!(%version, "trying the configuration that the cloud wants");
        let within = self.current.store.cloud.as_ref().map_or(config::CLOUD_TRIAL, |cloud| cloud.trial);
        let changed = running.change_to(&plan).await;
        let before = std::mem::replace(&mut self.current, plan);
        let began = self.house.clock.now();
        self.trial = Some(Trial { version, before, changed, began, within, well_since: None });
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
            let message = format!("it cannot be written to the gateway's disk: {error}");
            let help = "free space in data_dir, then send a new version";
            self.take_back(vec![mistake(FILE, (1, 1), "disk", &message, help)], running).await;
            return Ok(());
        }
        let Some(trial) = self.trial.take() else { return Ok(()) };
        self.house.conditions.set(Condition::ConfigSafeMode, None, false, None);
        self.report(Some(trial.version), ConfigState::Applied, Vec::new());
        self.end_trial();
        announce_configuration(&self.current, &self.house.journal, &self.house.clock).await
    }

    /// It does not run well: the one before runs again.
    async fn take_back(&mut self, errors: Vec<ConfigError>, running: &mut Running) {
        let Some(trial) = self.trial.take() else { return };
        self.current = trial.before;
        running.change_to(&self.current).await;
        self.report(Some(trial.version), ConfigState::RolledBack, errors);
        self.end_trial();
    }

    fn end_trial(&self) {
        if let Err(error) = self.last_good.end_trial() {
            tracing::warn!(%error, "the end of a trial cannot be noted: the next start takes it for unfinished");
        }
    }

    fn report(&mut self, version: Option<ConfigVersion>, state: ConfigState, errors: Vec<ConfigError>) {
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
    let left = kept.as_ref().and_then(Kept::version).filter(|_| origin.version.is_none());
    let report = match (last_good.trial(), left) {
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
    if let Err(error) = last_good.end_trial() {
        tracing::warn!(%error, "the end of a trial cannot be noted");
    }
    Some(report)
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
fn fixed_parts_that_differ(now: &Store, then: &Store) -> Vec<&'static str> {
    let parts = [
        (now.id == then.id, "[store] id"),
        (now.gateway.id == then.gateway.id, "[gateway] id"),
        (now.gateway.data_dir == then.gateway.data_dir, "[gateway] data_dir"),
        (now.gateway.clock == then.gateway.clock, "[gateway] clock"),
        (now.console == then.console, "[console]"),
        (now.journal == then.journal, "[journal]"),
        (then.cloud.is_some(), "[cloud] as a whole"),
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
