//! The machine-readable answers. Their shapes are contract; see `docs/contract.md`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Inside;
use crate::observe::{Gauges, Standing};
use crate::types::{Class, Condition, Level, Row};

/// Most events in one answer.
const EVENTS_MOST: usize = 1000;

#[derive(Serialize)]
struct HealthAnswer {
    state: &'static str,
    conditions: Vec<ConditionAnswer>,
}

#[derive(Serialize)]
pub(super) struct ConditionAnswer {
    pub(super) code: &'static str,
    pub(super) severity: &'static str,
    pub(super) device: Option<String>,
    pub(super) since: String,
    pub(super) text: String,
    pub(super) help: &'static str,
    /// The part of the text that is not the code's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
}

impl From<Standing> for ConditionAnswer {
    fn from(standing: Standing) -> Self {
        let Standing { condition, device, since, detail } = standing;
        let text = match &detail {
            Some(detail) => format!("{} ({detail})", condition.text()),
            None => condition.text().to_owned(),
        };
        Self {
            code: condition.code(),
            severity: condition.level().as_str(),
            device: device.map(|device| device.to_string()),
            since: since.to_string(),
            text,
            help: condition.help(),
            detail,
        }
    }
}

/// `ok`, `degraded` (something is wrong, the shop goes on) or `failed` (a part of it stands still).
pub(super) fn state_word(standing: &[Standing]) -> &'static str {
    match standing.iter().map(|entry| entry.condition.level()).max() {
        None | Some(Level::Info) => "ok",
        Some(Level::Warning) => "degraded",
        Some(Level::Error) => "failed",
    }
}

pub(super) async fn health(State(inside): State<Arc<Inside>>) -> Response {
    let standing = inside.shown.conditions.standing();
    let state = state_word(&standing);
    let safe_mode = standing.iter().any(|entry| entry.condition == Condition::ConfigSafeMode);
    let status = if safe_mode { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let conditions = standing.into_iter().map(ConditionAnswer::from).collect();
    (status, Json(HealthAnswer { state, conditions })).into_response()
}

pub(super) async fn metrics(State(inside): State<Arc<Inside>>) -> Response {
    let mut gauges: Gauges = inside.shown.gateway.gauges();
    match inside.shown.journal.stats().await {
        Ok(stats) => gauges.extend(journal_gauges(&stats)),
        Err(error) => return unavailable(&error),
    }
    match inside.shown.metrics.render(gauges) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
            .into_response(),
        Err(error) => unavailable(&error),
    }
}

/// Depths and sizes of the journal, as `/metrics` names them.
pub fn journal_gauges(stats: &crate::journal::Stats) -> Gauges {
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let mut gauges = vec![
        ("journal_file_bytes".to_owned(), whole(stats.file_bytes)),
        ("journal_used_bytes".to_owned(), whole(stats.used_bytes)),
        ("journal_wal_bytes".to_owned(), whole(stats.wal_bytes)),
        ("journal_max_bytes".to_owned(), whole(stats.max_bytes)),
        ("journal_open_commands".to_owned(), whole(stats.open_commands)),
    ];
    for class in Class::ALL {
        let depth = stats.of(class);
        gauges.push((format!("journal_stored_{}", class.as_str()), whole(depth.stored)));
        gauges.push((format!("journal_unsent_{}", class.as_str()), whole(depth.unsent)));
    }
    gauges
}

#[derive(Serialize)]
struct DeviceAnswer {
    id: String,
    profile: String,
    state: &'static str,
    last_seen: Option<String>,
    evidence: String,
}

pub(super) async fn devices(State(inside): State<Arc<Inside>>) -> impl IntoResponse {
    let devices = inside.shown.board.list().into_iter().map(|(id, status)| DeviceAnswer {
        id: id.to_string(),
        profile: status.profile,
        state: status.state.as_str(),
        last_seen: status.last_seen.map(|at| at.to_string()),
        evidence: status.evidence,
    });
    Json(devices.collect::<Vec<_>>())
}

#[derive(Deserialize)]
pub(super) struct EventsQuery {
    /// The row to begin behind; without it, the newest events are meant.
    after: Option<i64>,
    limit: Option<usize>,
}

pub(super) async fn events(State(inside): State<Arc<Inside>>, Query(query): Query<EventsQuery>) -> Response {
    let limit = query.limit.unwrap_or(100).clamp(1, EVENTS_MOST);
    let newest = || inside.shown.journal.head().borrow().row.0.saturating_sub(i64::try_from(limit).unwrap_or(i64::MAX));
    let after = query.after.unwrap_or_else(newest).max(0);
    let events = match inside.shown.journal.after(Row(after), limit).await {
        Ok(events) => events,
        Err(error) => return unavailable(&error),
    };
    let lines: Vec<_> = events.iter().map(|event| inside.shown.source.event_line(event)).collect();
    let body = format!("[{}]", lines.join(","));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

pub(super) async fn diagnostics(State(inside): State<Arc<Inside>>) -> Response {
    let name = format!("attachment; filename=\"{}-diagnostics.json\"", inside.shown.name.replace('/', "-"));
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CONTENT_DISPOSITION, &name)];
    (headers, inside.shown.gateway.diagnostics().await).into_response()
}

#[derive(Deserialize)]
pub(super) struct AuditQuery {
    limit: Option<usize>,
}

pub(super) async fn audit(State(inside): State<Arc<Inside>>, Query(query): Query<AuditQuery>) -> Response {
    match inside.audit.newest(query.limit.unwrap_or(100).clamp(1, EVENTS_MOST)).await {
        Ok(rows) => Json(rows).into_response(),
        Err(error) => unavailable(&error),
    }
}

fn unavailable(error: &dyn std::error::Error) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
}
