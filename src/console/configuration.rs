//! The configuration: what runs, what would be wrong with another, letting another run.
//!
//! A configuration that is applied takes the road of the cloud's: checked, tried for a bounded time, kept in the data
//! directory or taken back. The file on the gateway is not touched; whoever edits it has the last word at the next
//! start.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::oneshot::Receiver;

use super::Inside;
use super::gate::{need, refuse};
use super::gateway::{Busy, Change, Draft};
use super::session::Known;
use crate::journal::JournalError;
use crate::types::{Chain, ConfigReport, UserRole};

/// Changes whose end is waited for.
pub(super) const PENDING: usize = 4;

/// A change that was begun: the row of the audit trail that its end belongs into.
pub(super) struct Pending {
    row: Option<u64>,
    report: Receiver<ConfigReport>,
}

/// What became of the last change that was asked for here.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Last {
    who: String,
    state: &'static str,
    errors: Vec<Mistake>,
}

#[derive(Debug, Clone, Serialize)]
struct Mistake {
    file: String,
    line: usize,
    column: usize,
    severity: String,
    code: String,
    message: String,
    help: String,
}

/// `GET /api/v1/config`.
pub(super) async fn show(State(inside): State<Arc<Inside>>, Extension(known): Extension<Known>) -> Response {
    if let Err(refusal) = need(&known, UserRole::Technician) {
        return *refusal;
    }
    #[derive(Serialize)]
    struct Answer {
        #[serde(flatten)]
        configuration: super::gateway::Configuration,
        last: Option<Last>,
    }
    let gateway = Arc::clone(&inside.shown.gateway);
    let last = inside.last.lock().await.clone();
    match tokio::task::spawn_blocking(move || gateway.configuration()).await {
        Ok(configuration) => Json(Answer { configuration, last }).into_response(),
        Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "bug", "the configuration could not be read"),
    }
}

#[derive(Serialize)]
struct DryRun<'a> {
    usable: bool,
    diagnostics: &'a RawValue,
    changes: Vec<Change>,
}

/// `POST /api/v1/config/check`: a dry run. Changes nothing and is in no trail.
pub(super) async fn check(
    State(inside): State<Arc<Inside>>,
    Extension(known): Extension<Known>,
    Json(draft): Json<Draft>,
) -> Response {
    if let Err(refusal) = need(&known, UserRole::Technician) {
        return *refusal;
    }
    let gateway = Arc::clone(&inside.shown.gateway);
    let checked = tokio::task::spawn_blocking(move || gateway.check(draft)).await;
    let answer = checked.ok().and_then(|checked| {
        let diagnostics = serde_json::from_str(&checked.diagnostics).ok()?;
        let dry = DryRun { usable: checked.usable, diagnostics, changes: checked.changes };
        serde_json::to_string(&dry).ok()
    });
    match answer {
        Some(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        None => refuse(StatusCode::INTERNAL_SERVER_ERROR, "bug", "the configuration could not be checked"),
    }
}

/// `POST /api/v1/config/apply`.
pub(super) async fn apply(
    State(inside): State<Arc<Inside>>,
    Extension(known): Extension<Known>,
    Json(draft): Json<Draft>,
) -> Response {
    inside.change(&known, "config.apply", |inside| inside.shown.gateway.apply(draft)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Back {
    revision: usize,
}

/// `POST /api/v1/config/rollback`.
pub(super) async fn roll_back(
    State(inside): State<Arc<Inside>>,
    Extension(known): Extension<Known>,
    Json(Back { revision }): Json<Back>,
) -> Response {
    let what = format!("config.rollback {revision}");
    inside.change(&known, &what, |inside| inside.shown.gateway.roll_back(revision)).await
}

impl Inside {
    async fn change(
        &self,
        known: &Known,
        what: &str,
        begin: impl FnOnce(&Self) -> Result<Receiver<ConfigReport>, Busy>,
    ) -> Response {
        if let Err(refusal) = need(known, UserRole::Admin) {
            return *refusal;
        }
        let Ok(place) = self.pending.try_reserve() else {
            return refuse(StatusCode::CONFLICT, "busy", &Busy::Trying.to_string());
        };
        let report = match begin(self) {
            Ok(report) => report,
            Err(busy @ Busy::Trying) => return refuse(StatusCode::CONFLICT, "busy", &busy.to_string()),
            Err(none @ Busy::NoRevision) => return refuse(StatusCode::NOT_FOUND, "revision", &none.to_string()),
        };
        *self.last.lock().await = Some(Last { who: known.name.clone(), state: "trying", errors: Vec::new() });
        // A full journal is no reason to keep a bad configuration: what cannot be noted is in the log.
        let row = self.audit.note(&known.name, what, "trying").await;
        let row = row.inspect_err(|error| tracing::warn!(%error, what, "could not be noted")).ok();
        place.send(Pending { row, report });
        StatusCode::ACCEPTED.into_response()
    }

    /// Waits for the end of a change and notes it.
    pub(super) async fn conclude(&self, Pending { row, report }: Pending) -> Result<(), JournalError> {
        let Ok(report) = report.await else { return Ok(()) };
        let state = report.state.as_str();
        let why = report.errors.first().map(|error| format!("{state}: {}", error.message));
        let mistakes = report.errors.into_iter().map(|error| Mistake {
            file: error.file,
            line: error.line,
            column: error.column,
            severity: error.severity,
            code: error.code,
            message: error.message,
            help: error.help,
        });
        if let Some(last) = &mut *self.last.lock().await {
            (last.state, last.errors) = (state, mistakes.collect());
        }
        let Some(row) = row else { return Ok(()) };
        match self.audit.conclude(row, why.as_deref().unwrap_or(state)).await {
            Err(JournalError::Closed) => Err(JournalError::Closed),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the end of a change could not be noted");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}
