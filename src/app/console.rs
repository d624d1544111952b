//! What the console asks of the gateway: answered from what runs, and from the journal.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::oneshot;

use super::diagnostics::Bundler;
use super::fleet::{Described, House, described};
use super::line::Seen;
use super::trial::{Plan, fixed_parts_that_differ, is_local};
use crate::config::{self, LastGood, Origin, Store};
use crate::console::{
    Busy, Change, Checked, Configuration, Draft, From, Gateway, How, LaneRow, Machines, Revision, RunningConfiguration,
    WaitingSale,
};
use crate::flow::Ledger;
use crate::journal::{Journal, JournalError};
use crate::observe::Gauges;
use crate::router::Targets;
use crate::types::{ActionKind, ConfigReport, ConfigVersion, DeviceId};

/// A configuration that somebody at the console wants.
pub(super) struct Wish {
    pub(super) draft: Draft,
    /// Where the answer goes.
    pub(super) answer: oneshot::Sender<ConfigReport>,
}

/// What runs now.
struct Running {
    store: Arc<Store>,
    devices: BTreeMap<DeviceId, Described>,
    text: String,
    /// The profiles that it uses.
    profiles: BTreeMap<String, String>,
    version: Option<ConfigVersion>,
    trying: bool,
    safe_mode: bool,
}

/// Where is noted what runs. Cheap to clone; every clone is the same.
#[derive(Clone)]
pub(super) struct Notes(Arc<Mutex<Running>>);

impl Notes {
    /// Of what the gateway starts with.
    pub(super) fn new(plan: &Plan, safe_mode: bool) -> Self {
        let Plan { store, devices, kept, .. } = plan;
        let (store, devices) = (Arc::clone(store), devices.clone());
        let (text, profiles, version) = (kept.text.clone(), kept.profiles.clone(), kept.version());
        Self(Arc::new(Mutex::new(Running { store, devices, text, profiles, version, trying: false, safe_mode })))
    }

    fn with<T>(&self, look: impl FnOnce(&mut Running) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another plan runs, for good or on trial.
    pub(super) fn runs(&self, plan: &Plan, trying: bool) {
        self.with(|running| {
            running.store = Arc::clone(&plan.store);
            running.devices = plan.devices.clone();
            running.text.clone_from(&plan.kept.text);
            running.profiles.clone_from(&plan.kept.profiles);
            running.version = plan.kept.version();
            running.trying = trying;
        });
    }

    /// A plan runs well that is no more the one for emergencies.
    pub(super) fn is_safe_no_more(&self) {
        self.with(|running| running.safe_mode = false);
    }
}

/// The gateway, for its console.
pub(super) struct Counter {
    pub(super) house: House,
    pub(super) seen: Seen,
    pub(super) bundler: Bundler,
    pub(super) targets: Targets,
    pub(super) last_good: LastGood,
    pub(super) origin: Origin,
    pub(super) notes: Notes,
    pub(super) wishes: mpsc::Sender<Wish>,
}

impl Gateway for Counter {
    fn gauges(&self) -> Gauges {
        self.seen.gauges()
    }

    fn connected(&self) -> Option<bool> {
        let has_cloud = self.notes.with(|running| running.store.cloud.is_some());
        has_cloud.then(|| self.seen.progress().is_some_and(|progress| progress.connected))
    }

    fn diagnostics(&self) -> BoxFuture<'static, String> {
        let bundler = self.bundler.clone();
        async move { bundler.bundle().await }.boxed()
    }

    fn machines(&self) -> BoxFuture<'static, Result<Machines, JournalError>> {
        machines(self.house.journal.clone()).boxed()
    }

    fn can(&self, device: &DeviceId) -> Vec<ActionKind> {
        let Some(can) = self.targets.can(device) else { return Vec::new() };
        let mut all = can.to_vec();
        all.push(ActionKind::DeviceRestart);
        if can.contains(&ActionKind::Dispense) {
            // The machine's ledger does these.
            all.extend([ActionKind::StockSet, ActionKind::LaneClear]);
        }
        all
    }

    fn running(&self) -> RunningConfiguration {
        let (version, trying, safe_mode) =
            self.notes.with(|running| (running.version.clone(), running.trying, running.safe_mode));
        RunningConfiguration {
            from: match &version {
                None => From::File,
                Some(version) if is_local(version) => From::Console,
                Some(_) => From::Cloud,
            },
            version: version.map(|version| version.to_string()),
            since: self.last_good.kept_since().map(said),
            safe_mode,
            trying,
        }
    }

    fn configuration(&self) -> Configuration {
        let (text, profiles, safe_mode) =
            self.notes.with(|running| (running.text.clone(), running.profiles.clone(), running.safe_mode));
        // In safe mode it is the broken file that somebody wants to mend.
        let broken = safe_mode.then(|| std::fs::read_to_string(&self.origin.file).ok()).flatten();
        let before = (1..).zip(self.last_good.before());
        let revision = |(revision, (since, kept)): (_, (Option<_>, config::Kept))| Revision {
            revision,
            since: since.map(said),
            text: kept.text,
            profiles: kept.profiles,
        };
        Configuration {
            file: self.origin.file.display().to_string(),
            text: broken.unwrap_or(text),
            profiles,
            running: self.running(),
            revisions: before.map(revision).collect(),
        }
    }

    fn check(&self, draft: Draft) -> Checked {
        let Draft { text, profiles } = self.whole(draft);
        let (file, profiles_dir) = (&self.origin.file, self.origin.profiles_dir.as_deref());
        let base = file.parent().unwrap_or(Path::new(""));
        match config::load_draft(&text, &profiles, file, base, profiles_dir) {
            Err(refused) => Checked {
                diagnostics: config::json(&refused.diagnostics, &refused.sources).unwrap_or_default(),
                usable: false,
                changes: Vec::new(),
            },
            Ok(mut loaded) => {
                let diagnostics = config::json(&loaded.warnings, &loaded.sources).unwrap_or_default();
                let devices = described(&mut loaded.store);
                let changes = self.notes.with(|running| changes(running, &loaded.store, &devices));
                Checked { diagnostics, usable: true, changes }
            }
        }
    }

    fn apply(&self, draft: Draft) -> Result<oneshot::Receiver<ConfigReport>, Busy> {
        if self.notes.with(|running| running.trying) {
            return Err(Busy::Trying);
        }
        let (answer, report) = oneshot::channel();
        match self.wishes.try_send(Wish { draft: self.whole(draft), answer }) {
            Ok(()) => Ok(report),
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => Err(Busy::Trying),
        }
    }

    fn roll_back(&self, revision: usize) -> Result<oneshot::Receiver<ConfigReport>, Busy> {
        let before = self.last_good.before();
        let kept = revision.checked_sub(1).and_then(|at| before.into_iter().nth(at));
        kept.map_or(Err(Busy::NoRevision), |(_, kept)| self.apply(Draft { text: kept.text, profiles: kept.profiles }))
    }
}

impl Counter {
    /// With the profiles that came with what runs, where that came from the console, too: else a profile that was
    /// mended there would be gone with the next change.
    fn whole(&self, mut draft: Draft) -> Draft {
        let profiles = self.notes.with(|running| {
            let is_ours = running.version.as_ref().is_some_and(is_local);
            is_ours.then(|| running.profiles.clone())
        });
        for (name, text) in profiles.unwrap_or_default() {
            draft.profiles.entry(name).or_insert(text);
        }
        draft
    }
}

fn said(at: crate::types::Timestamp) -> String {
    at.to_string()
}

/// What would change if another configuration ran.
fn changes(running: &Running, then: &Store, devices: &BTreeMap<DeviceId, Described>) -> Vec<Change> {
    let change = |what: &str, how| Change { what: what.to_owned(), how };
    let mut changes: Vec<_> =
        fixed_parts_that_differ(&running.store, then).into_iter().map(|part| change(part, How::Restart)).collect();
    for (id, device) in devices {
        match running.devices.get(id) {
            None => changes.push(change(id.as_str(), How::New)),
            Some(now) if !now.is_same(device) => changes.push(change(id.as_str(), How::Changed)),
            Some(_) => {}
        }
    }
    let gone = running.devices.keys().filter(|id| !devices.contains_key(id));
    changes.extend(gone.map(|id| change(id.as_str(), How::Gone)));
    for (same, name) in [
        (running.store.cloud == then.cloud, "[cloud]"),
        (running.store.stations == then.stations, "[[station]]"),
        (running.store.members == then.members, "[members]"),
        (running.store.content == then.content, "[content]"),
    ] {
        if !same && !changes.iter().any(|change| change.what.starts_with(name)) {
            changes.push(change(name, How::Changed));
        }
    }
    changes
}

/// Lanes and waiting sales of every machine that the journal knows a ledger of.
async fn machines(journal: Journal) -> Result<Machines, JournalError> {
    let mut found = Machines::default();
    for owner in journal.owners().await? {
        let Some(machine) = Ledger::machine_of(&owner) else { continue };
        let mut after = String::new();
        // What begins with `z/` is over.
        while after.as_str() < "b" {
            let page = journal.states(&owner, &after).await?;
            let Some((last, _)) = page.last() else { break };
            after.clone_from(last);
            page.iter().for_each(|(key, value)| note(&machine, key, value, &mut found));
        }
    }
    found.sales.retain(|sale| sale.stage != "dispatched");
    Ok(found)
}

fn note(machine: &DeviceId, key: &str, value: &[u8], found: &mut Machines) {
    if let Some((slot, lane)) = Ledger::lane(key, value) {
        found.lanes.push(LaneRow {
            machine: machine.to_string(),
            slot: slot.0,
            count: lane.count,
            capacity: lane.capacity,
            status: lane.status().as_str(),
        });
    } else if let Some(waiting) = Ledger::waiting(key, value) {
        found.sales.push(WaitingSale::new(machine, waiting));
    }
}
