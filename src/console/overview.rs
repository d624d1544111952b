//! `GET /api/v1/console`: all that the console shows at a glance, in one answer.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;

use super::Inside;
use super::answers::{ConditionAnswer, state_word};
use super::gate::refuse;
use super::gateway::RunningConfiguration;
use super::rates::Buffer;
use super::session::Known;
use crate::journal::JournalError;
use crate::observe::{DeviceState, DeviceStatus, Standing};
use crate::types::{ActionKind, Chain, DeviceId, Level};

/// What a person may be offered to do with a device, where the device can do it.
pub(super) const OFFERED: [ActionKind; 6] = [
    ActionKind::DeviceRestart,
    ActionKind::ScanTrigger,
    ActionKind::Show,
    ActionKind::Dispense,
    ActionKind::StockSet,
    ActionKind::LaneClear,
];

/// The whole of it.
#[derive(Serialize)]
pub(super) struct Overview {
    pub(super) name: String,
    pub(super) state: &'static str,
    pub(super) now: String,
    synced: bool,
    version: &'static str,
    boot: String,
    up_s: u64,
    user: User,
    /// Whether there are screens whose wall can be asked for.
    screens: bool,
    /// `None`: the store has no cloud.
    connected: Option<bool>,
    pub(super) conditions: Vec<ConditionAnswer>,
    pub(super) devices: Vec<DeviceRow>,
    buffer: Buffer,
    config: RunningConfiguration,
}

#[derive(Serialize)]
struct User {
    name: String,
    role: &'static str,
    /// Whether they have logged in, and so may log out.
    session: bool,
}

/// One device, the one with most trouble first.
#[derive(Serialize)]
pub(super) struct DeviceRow {
    pub(super) id: String,
    pub(super) profile: String,
    /// The board's word, or `silent` for a device that runs and does not answer.
    pub(super) state: &'static str,
    /// `error`, `warning`, `info` or `ok`.
    pub(super) trouble: &'static str,
    pub(super) last_seen: Option<String>,
    pub(super) evidence: String,
    /// What stands against it, in the condition's words.
    pub(super) conditions: Vec<ConditionAnswer>,
    /// What it can be asked.
    can: Vec<&'static str>,
}

impl Inside {
    /// Everything, for somebody.
    pub(super) async fn overview(&self, known: &Known) -> Result<Overview, JournalError> {
        let stats = self.shown.journal.stats().await?;
        let clock = &self.shown.clock;
        let (now, synced) = clock.wall();
        let standing = self.shown.conditions.standing();
        Ok(Overview {
            name: self.shown.name.clone(),
            state: state_word(&standing),
            now: now.to_string(),
            synced,
            version: env!("CARGO_PKG_VERSION"),
            boot: clock.boot().to_string(),
            up_s: clock.now().saturating_duration_since(self.began).as_secs(),
            user: User { name: known.name.clone(), role: known.role.as_str(), session: self.sessions.is_some() },
            screens: !self.shown.screens.seats.list().is_empty(),
            connected: self.shown.gateway.connected(),
            devices: self.devices(&standing),
            conditions: standing.into_iter().map(ConditionAnswer::from).collect(),
            buffer: self.rates.buffer(&stats, clock.now()),
            config: self.shown.gateway.running(),
        })
    }

    fn devices(&self, standing: &[Standing]) -> Vec<DeviceRow> {
        let rows = self.shown.board.list().into_iter().map(|(id, status)| {
            let own: Vec<_> = standing.iter().filter(|entry| entry.device.as_ref() == Some(&id)).cloned().collect();
            (rank(&status, &own), self.device(&id, status, own))
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by(|(a, row), (b, other)| (Reverse(a), &row.id).cmp(&(Reverse(b), &other.id)));
        rows.into_iter().map(|(_, row)| row).collect()
    }

    fn device(&self, id: &DeviceId, status: DeviceStatus, own: Vec<Standing>) -> DeviceRow {
        let level = own.iter().map(|entry| entry.condition.level()).max();
        let can = self.shown.gateway.can(id);
        DeviceRow {
            id: id.to_string(),
            profile: status.profile,
            state: word(status.state, &own),
            trouble: level.map_or(trouble(status.state), Level::as_str),
            last_seen: status.last_seen.map(|at| at.to_string()),
            evidence: status.evidence,
            conditions: own.into_iter().map(ConditionAnswer::from).collect(),
            can: OFFERED.iter().filter(|kind| can.contains(kind)).map(|kind| kind.as_str()).collect(),
        }
    }
}

/// A line that is open proves nothing of who is at its other end.
fn word(state: DeviceState, own: &[Standing]) -> &'static str {
    let is_silent = own.iter().any(|entry| entry.condition == crate::types::Condition::DeviceSilent);
    if state == DeviceState::Running && is_silent { "silent" } else { state.as_str() }
}

/// What a state alone amounts to.
fn trouble(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Running => "ok",
        DeviceState::Idle => "info",
        DeviceState::Waiting | DeviceState::BackingOff | DeviceState::Stopped => "warning",
    }
}

/// How much trouble a device is in: the more, the higher in the list.
fn rank(status: &DeviceStatus, own: &[Standing]) -> (Option<Level>, u8) {
    let state = match status.state {
        DeviceState::BackingOff => 4,
        DeviceState::Waiting => 3,
        DeviceState::Stopped => 2,
        DeviceState::Idle => 1,
        DeviceState::Running => 0,
    };
    (own.iter().map(|entry| entry.condition.level()).max(), state)
}

pub(super) async fn answer(State(inside): State<Arc<Inside>>, Extension(known): Extension<Known>) -> Response {
    match inside.overview(&known).await {
        Ok(overview) => Json(overview).into_response(),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, "journal", &Chain(&error).to_string()),
    }
}
