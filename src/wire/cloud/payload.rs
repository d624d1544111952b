//! The payloads, field by field. A field may be added; none may be renamed, removed or change its meaning.

use std::collections::BTreeMap;
use std::fmt::Display;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::coupon::{CouponRedeemedV1, CouponRefusedV1};
use super::face::{FaceMemberV1, FaceVisitV1, FaceWindowV1};
use super::footfall::FootfallWindowV1;
use super::screen::{ScreenActionV1, ScreenPlayV1, StationSessionV1};
use super::vending::{
    self, SampleDispensedV1, SampleRefusedV1, VendCashV1, VendMachineV1, VendSaleV1, VendSelectionV1, VendStockV1,
};
use crate::types::{
    BootId, Cause, Class, CodeKind, CodeScanned, DropReason, Encoding, Epoch, EventId, HealthChange, Level, Notice,
    OpenReason, Outcome, Redemption, Tenths, Timestamp, Verdict,
};

/// Writes what `Display` shows as a JSON string, without a `String` between.
pub(super) fn shown<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// People, kept in tenths, as a number.
pub(super) fn number<S: Serializer>(people: &Tenths, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(people.value())
}

pub(super) fn shown_option<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

fn cause<S: Serializer>(value: &Option<&Cause>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(Cause::Command(id)) => serializer.serialize_str(id.as_str()),
        Some(Cause::Event(id)) => serializer.collect_str(id),
        None => serializer.serialize_none(),
    }
}

/// One event: a CloudEvents 1.0 object with what a store needs to prove that nothing is missing.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "Event")]
pub(super) struct EventV1<'a> {
    /// Version of CloudEvents.
    #[schemars(extend("const" = "1.0"))]
    pub specversion: &'static str,
    /// Unique for ever and the same in every redelivery: de-duplicate on it.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: EventId,
    /// `/smartstore/{store}/{gateway}`.
    pub source: &'a str,
    /// What happened, with the version of `data`.
    pub r#type: &'static str,
    /// The device it is about, or the gateway itself.
    pub subject: &'a str,
    /// When it happened; see `synced`.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// The journal it is in. A new journal starts counting again.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub epoch: Epoch,
    /// 1, 2, 3 … per epoch and class, without gaps.
    #[schemars(range(min = 1))]
    pub seq: u64,
    /// The boot it happened in.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub boot: BootId,
    /// Milliseconds since that boot.
    pub up_ms: u64,
    /// Whether `time` was known to be right.
    pub synced: bool,
    /// Sent later than a minute after it happened.
    pub historical: bool,
    /// The command or the event it follows from.
    #[serde(serialize_with = "cause", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cause: Option<&'a Cause>,
    /// What `type` says.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub data: Data<'a>,
}

/// What the types carry.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Data<'a> {
    ScanCode(ScanCodeV1<'a>),
    CommandEnded(CommandEndedV1<'a>),
    VendSale(VendSaleV1<'a>),
    VendStock(VendStockV1),
    VendMachine(Box<VendMachineV1<'a>>),
    VendSelection(VendSelectionV1),
    VendCash(VendCashV1<'a>),
    CouponRedeemed(Box<CouponRedeemedV1<'a>>),
    CouponRefused(Box<CouponRefusedV1<'a>>),
    SampleDispensed(SampleDispensedV1<'a>),
    SampleRefused(SampleRefusedV1<'a>),
    FootfallWindow(Box<FootfallWindowV1>),
    FaceVisit(Box<FaceVisitV1<'a>>),
    FaceWindow(Box<FaceWindowV1>),
    FaceMember(FaceMemberV1<'a>),
    ScreenPlay(Box<ScreenPlayV1<'a>>),
    ScreenAction(Box<ScreenActionV1<'a>>),
    StationSession(StationSessionV1<'a>),
    DeviceHealth(DeviceHealthV1<'a>),
    JournalOpened(JournalOpenedV1),
    JournalDropped(JournalDroppedV1),
    ConfigApplied(ConfigAppliedV1<'a>),
    DiagnosticsChunk(DiagnosticsChunkV1<'a>),
}

/// `scan.code.v1`: a scanner read a code.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ScanCodeV1<'a> {
    /// What it is for, as far as its own text tells.
    #[schemars(extend("enum" = CodeKind::ALL.map(CodeKind::as_str)))]
    kind: &'static str,
    /// AIM symbology identifier (ISO/IEC 15424), when the scanner said it.
    #[serde(serialize_with = "shown_option")]
    #[schemars(with = "Option<String>", required, extend("type" = ["string", "null"], "examples" = ["]Q1"]))]
    symbology: Option<crate::types::Symbology>,
    /// What was scanned; of a payment code its first two and last four characters with `*` between.
    value: &'a str,
    /// GTIN-14.
    #[serde(serialize_with = "shown_option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("pattern" = "^[0-9]{14}$"))]
    gtin: Option<crate::types::Gtin>,
    /// GS1 application identifiers and their values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ai: &'a BTreeMap<String, String>,
}

impl<'a> From<&'a CodeScanned> for ScanCodeV1<'a> {
    fn from(code: &'a CodeScanned) -> Self {
        let CodeScanned { kind, symbology, value, gtin, ai } = code;
        Self { kind: kind.as_str(), symbology: *symbology, value, gtin: *gtin, ai }
    }
}

/// `command.ended.v1`: how a command ended, once for each command.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CommandEndedV1<'a> {
    /// The command's id.
    command: &'a str,
    /// How it ended. `indeterminate`: nobody can know whether it was done.
    #[schemars(extend("enum" = ["done", "refused", "failed", "expired", "indeterminate"]))]
    ended: &'static str,
    /// Why, in a machine's word.
    #[schemars(required, extend("type" = ["string", "null"]))]
    reason: Option<&'a str>,
}

impl<'a> From<&'a Outcome> for CommandEndedV1<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        let Outcome { command, ended } = outcome;
        let reason = ended.reason().map(crate::types::Reason::as_str);
        Self { command: command.as_str(), ended: ended.as_str(), reason }
    }
}

/// `device.health.v1`: a condition appeared or went.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeviceHealthV1<'a> {
    /// Which condition; the codes are never renamed.
    code: &'static str,
    /// How bad it is.
    #[schemars(extend("enum" = ["info", "warning", "error"]))]
    severity: &'static str,
    /// `true`: it appeared; `false`: it went.
    raised: bool,
    /// What is wrong, in plain words.
    text: &'static str,
    /// What to do about it.
    help: &'static str,
    /// What exactly, where there is more to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl<'a> From<&'a HealthChange> for DeviceHealthV1<'a> {
    fn from(change: &'a HealthChange) -> Self {
        let HealthChange { condition, device: _, raised, detail } = change;
        let level: Level = condition.level();
        Self {
            code: condition.code(),
            severity: level.as_str(),
            raised: *raised,
            text: condition.text(),
            help: condition.help(),
            detail: detail.as_deref(),
        }
    }
}

/// `journal.opened.v1`: a new journal begins; the first event of an epoch.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct JournalOpenedV1 {
    /// The new epoch.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "uuid"))]
    epoch: Epoch,
    /// The epoch before, when it could be read.
    #[serde(serialize_with = "shown_option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "uuid"))]
    previous: Option<Epoch>,
    /// The last `seq` of each class of the epoch before, when it could be read.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    last_seq: BTreeMap<&'static str, u64>,
    /// Why.
    #[schemars(extend("enum" = [OpenReason::Created.as_str(), OpenReason::Damaged.as_str()]))]
    reason: &'static str,
}

/// `journal.dropped.v1`: a range of events that is gone for good.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct JournalDroppedV1 {
    /// Their class.
    #[schemars(extend("enum" = Class::ALL.map(Class::as_str)))]
    class: &'static str,
    /// First `seq` of the range.
    from: u64,
    /// Last `seq` of the range.
    to: u64,
    /// Why.
    #[schemars(extend("enum" = DropReason::ALL.map(DropReason::as_str)))]
    reason: &'static str,
}

/// `config.applied.v1`: a configuration took effect.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ConfigAppliedV1<'a> {
    /// SHA-256 of its text, hexadecimal.
    sha256: &'a str,
    /// How many devices it drives.
    devices: u32,
}

/// `diagnostics.chunk.v1`: a part of a diagnostics bundle that a command asked for.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DiagnosticsChunkV1<'a> {
    /// Which bundle: another one for every time that one is made.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "uuid"))]
    bundle: EventId,
    /// Which part, from 1.
    part: u32,
    /// Of how many.
    of: u32,
    /// The texts of all parts, one after the other, are a JSON document.
    text: &'a str,
}

/// The contract's word for a notice of the gateway, and what it carries.
pub(super) fn notice(notice: &Notice) -> (&'static str, Data<'_>) {
    match notice {
        Notice::Opened { epoch, previous, last_seq, reason } => {
            let last_seq = last_seq.iter().map(|(class, seq)| (class.as_str(), seq.0)).collect();
            let data = JournalOpenedV1 { epoch: *epoch, previous: *previous, last_seq, reason: reason.as_str() };
            ("journal.opened.v1", Data::JournalOpened(data))
        }
        Notice::Dropped { class, from, to, reason } => {
            let data = JournalDroppedV1 { class: class.as_str(), from: from.0, to: to.0, reason: reason.as_str() };
            ("journal.dropped.v1", Data::JournalDropped(data))
        }
        Notice::Health(change) => ("device.health.v1", Data::DeviceHealth(change.into())),
        Notice::ConfigApplied { sha256, devices } => {
            ("config.applied.v1", Data::ConfigApplied(ConfigAppliedV1 { sha256, devices: *devices }))
        }
        Notice::Diagnostics { bundle, part, of, text } => {
            let data = DiagnosticsChunkV1 { bundle: *bundle, part: *part, of: *of, text };
            ("diagnostics.chunk.v1", Data::DiagnosticsChunk(data))
        }
        Notice::Coupon(redemption) => coupon(redemption),
        Notice::Sample(ruling) => vending::sample(ruling),
    }
}

fn coupon(of: &Redemption) -> (&'static str, Data<'_>) {
    let station = of.station.as_str();
    match &of.verdict {
        Verdict::Redeemed(claims) => {
            ("coupon.redeemed.v1", Data::CouponRedeemed(Box::new(CouponRedeemedV1::of(station, claims))))
        }
        Verdict::Refused { reason, claims, redeemed } => {
            let data = CouponRefusedV1::of(station, *reason, claims.as_deref(), *redeemed);
            ("coupon.refused.v1", Data::CouponRefused(Box::new(data)))
        }
    }
}

/// The retained status.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct StatusV1<'a> {
    /// Whether the gateway is connected.
    pub state: &'static str,
    /// `online`: when this connection began. `offline`: when the connection began whose end the broker noticed, or
    /// when the gateway took leave.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// The boot the gateway runs in.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub boot: BootId,
    /// Version of the gateway's software.
    pub version: &'a str,
    /// `zstd`: a message of events that begins with the bytes `28 b5 2f fd` is a Zstandard frame of the JSON array; one
    /// that begins with `[` is the array itself. Left out: there are no frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = [Encoding::Zstd.as_str()]))]
    pub encoding: Option<&'static str>,
}
