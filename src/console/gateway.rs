//! What the console asks of the gateway around it; the composition root answers.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot::Receiver;

use crate::journal::JournalError;
use crate::observe::Gauges;
use crate::types::{ActionKind, ConfigReport, DeviceId, SaleId, SaleStep};

/// The gateway, as far as the console needs it.
pub trait Gateway: Send + Sync {
    /// Values of the parts that the console does not know, such as the uplink.
    fn gauges(&self) -> Gauges;

    /// Whether events can be sent now; `None`: the store has no cloud.
    fn connected(&self) -> Option<bool>;

    /// A diagnostics bundle: a JSON document.
    fn diagnostics(&self) -> BoxFuture<'static, String>;

    /// Lanes of the vending machines, and sales that wait for somebody.
    fn machines(&self) -> BoxFuture<'static, Result<Machines, JournalError>>;

    /// What a device can be asked now.
    fn can(&self, device: &DeviceId) -> Vec<ActionKind>;

    /// What is known of what runs.
    fn running(&self) -> RunningConfiguration;

    /// All that is known of the configuration. Blocks on the disk, for a few small files.
    fn configuration(&self) -> Configuration;

    /// Reads a configuration as if it were to run, and changes nothing. Blocks on the disk, for profiles.
    fn check(&self, draft: Draft) -> Checked;

    /// Lets a configuration run, for a trial; what becomes of it comes later.
    ///
    /// # Errors
    /// Another is being tried, or waits.
    fn apply(&self, draft: Draft) -> Result<Receiver<ConfigReport>, Busy>;

    /// Lets a configuration run again that ran well before, by its number among [`Configuration::revisions`].
    ///
    /// # Errors
    /// There is none of that number, or the gateway is busy with another.
    fn roll_back(&self, revision: usize) -> Result<Receiver<ConfigReport>, Busy>;
}

/// A configuration that somebody is writing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Its text.
    pub text: String,
    /// Profiles that are to count instead of those that run, by name.
    #[serde(default)]
    pub profiles: BTreeMap<String, String>,
}

/// Why a configuration is not taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// Another is being tried.
    #[error("another configuration is being tried: wait for its end")]
    Trying,
    /// There is no such revision.
    #[error("there is no such revision")]
    NoRevision,
}

/// The vending machines.
#[derive(Debug, Default, Serialize)]
pub struct Machines {
    /// Every lane that is known.
    pub lanes: Vec<LaneRow>,
    /// Sales that wait, as `sale list --json` has them.
    pub sales: Vec<WaitingSale>,
}

/// One lane of a machine.
#[derive(Debug, Serialize)]
pub struct LaneRow {
    /// The machine.
    pub machine: String,
    /// The lane, by the machine's own number.
    pub slot: u16,
    /// How many are in it, when that is known.
    pub count: Option<u16>,
    /// How many it can hold, when that is known.
    pub capacity: Option<u16>,
    /// `open`, or why nothing is sold from it.
    pub status: &'static str,
}

/// A sale that waits for a person, or for its money to be back.
#[derive(Debug, Serialize)]
pub struct WaitingSale {
    /// Which.
    pub sale: String,
    /// Where.
    pub machine: String,
    /// `unresolved` or `refunding`.
    pub stage: String,
    /// The lane.
    pub slot: Option<u16>,
    /// The price.
    pub price_minor: i64,
    /// Its currency.
    pub currency: String,
    /// How it is paid.
    pub payment: &'static str,
    /// Why it waits.
    pub reason: Option<String>,
}

impl WaitingSale {
    /// As the ledger of sales has it.
    pub fn new(machine: &DeviceId, (sale, stage, step): (SaleId, String, SaleStep)) -> Self {
        Self {
            sale: sale.to_string(),
            machine: machine.to_string(),
            stage,
            slot: step.slot.map(|slot| slot.0),
            price_minor: step.price.0,
            currency: step.currency.to_string(),
            payment: step.payment.as_str(),
            reason: step.reason.map(|reason| reason.to_string()),
        }
    }
}

/// What is known of the configuration.
#[derive(Debug, Serialize)]
pub struct Configuration {
    /// The file.
    pub file: String,
    /// The text that runs; in safe mode the file's, which is to be mended.
    pub text: String,
    /// The profiles that it uses, by name.
    pub profiles: BTreeMap<String, String>,
    /// Of what runs.
    #[serde(flatten)]
    pub running: RunningConfiguration,
    /// What ran well before, the newest first.
    pub revisions: Vec<Revision>,
}

/// What is known of what runs, without its text.
#[derive(Debug, Clone, Serialize)]
pub struct RunningConfiguration {
    /// Where it comes from.
    pub from: From,
    /// The cloud's or the console's name of it.
    pub version: Option<String>,
    /// Since when it is in force.
    pub since: Option<String>,
    /// Whether the gateway runs on the last good configuration because the file is broken.
    pub safe_mode: bool,
    /// Whether one is being tried now.
    pub trying: bool,
}

/// Where a configuration comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// The file on the gateway.
    File,
    /// The cloud.
    Cloud,
    /// This console.
    Console,
}

/// A configuration that ran well before.
#[derive(Debug, Serialize)]
pub struct Revision {
    /// Its number: 1 is the one before what runs.
    pub revision: usize,
    /// When it came into force.
    pub since: Option<String>,
    /// Its text.
    pub text: String,
    /// The profiles that it used, by name.
    pub profiles: BTreeMap<String, String>,
}

/// What a configuration would do.
#[derive(Debug)]
pub struct Checked {
    /// What `check --json` says of it: a JSON array.
    pub diagnostics: String,
    /// Whether it can be used.
    pub usable: bool,
    /// What would change.
    pub changes: Vec<Change>,
}

/// Something that would change.
#[derive(Debug, Serialize)]
pub struct Change {
    /// What: a device's name, or a section.
    pub what: String,
    /// How.
    pub how: How,
}

/// How something would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It is new.
    New,
    /// It is started anew with other settings.
    Changed,
    /// It is not there any more.
    Gone,
    /// Only a restart can change it: such a configuration is refused.
    Restart,
}
