//! What a technician may try on a device, and what became of it.
//!
//! A request becomes a command of the ledger like one of the cloud, with the origin `local`; nothing here reaches a
//! driver. It is good for 30 s: a technician who stands before the machine does not want to be surprised later.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Inside;
use super::gate::{need, refuse};
use super::overview::OFFERED;
use super::session::Known;
use crate::observe::DeviceState;
use crate::types::{Action, Chain, Command, CommandId, CommandState, Condition, DeviceId, Origin, Payment, UserRole};
use crate::wire::cloud::parse_command;

const GOOD_FOR: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    device: String,
    action: String,
    #[serde(default)]
    args: Option<Box<RawValue>>,
}

/// As the cloud would write it: one reader for both.
#[derive(Serialize)]
struct Written<'a> {
    id: &'a str,
    device: &'a str,
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<&'a RawValue>,
    not_after: String,
}

#[derive(Serialize)]
struct Filed {
    id: String,
}

/// `POST /api/v1/commands`.
pub(super) async fn ask(
    State(inside): State<Arc<Inside>>,
    Extension(known): Extension<Known>,
    Json(asked): Json<Asked>,
) -> Response {
    if let Err(refusal) = need(&known, UserRole::Technician) {
        return *refusal;
    }
    let command = match inside.command(&asked) {
        Ok(command) => command,
        Err(refusal) => return *refusal,
    };
    let id = command.id.to_string();
    let args = asked.args.as_ref().map_or("", |args| args.get());
    let what = format!("{} {} {args}", asked.action, asked.device);
    match inside.audit.file(&known.name, what.trim(), command).await {
        Ok(_) => (StatusCode::ACCEPTED, Json(Filed { id })).into_response(),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, "journal", &Chain(&error).to_string()),
    }
}

impl Inside {
    /// A new command's id and until when it is good.
    pub(super) fn new_command(&self) -> Option<(CommandId, crate::types::Timestamp)> {
        let clock = &self.shown.clock;
        let id = CommandId::new(&format!("console.{}", clock.random_uuid())).ok()?;
        Some((id, clock.wall().0.plus(GOOD_FOR)))
    }

    fn command(&self, asked: &Asked) -> Result<Command, Box<Response>> {
        let bad = |message: &str| Box::new(refuse(StatusCode::UNPROCESSABLE_ENTITY, "command", message));
        let (id, not_after) = self.new_command().ok_or_else(|| bad("no id could be made"))?;
        let written = Written {
            id: id.as_str(),
            device: &asked.device,
            action: &asked.action,
            args: asked.args.as_deref(),
            not_after: not_after.to_string(),
        };
        let text = serde_json::to_vec(&written).map_err(|error| bad(&error.to_string()))?;
        let command = parse_command(&text).map_err(|error| bad(&error.to_string()))?;
        let kind = command.action.kind();
        let Some(device) = command.device.clone().filter(|_| OFFERED.contains(&kind)) else {
            return Err(bad("the console asks nothing of this kind"));
        };
        self.is_ready(&device, kind)?;
        match &command.action {
            Action::Dispense(order) if order.payment != Payment::Free => Err(bad("a test is never paid for")),
            _ => Ok(Command { origin: Origin::Local, ..command }),
        }
    }

    /// Whether a device is there and can do it; to start a device anew it need not be.
    fn is_ready(&self, device: &DeviceId, kind: crate::types::ActionKind) -> Result<(), Box<Response>> {
        let refusal = |error, message: &str| Err(Box::new(refuse(StatusCode::CONFLICT, error, message)));
        if !self.shown.gateway.can(device).contains(&kind) {
            return refusal("unsupported", &format!("{device} cannot be asked {}", kind.as_str()));
        }
        let needs_it = kind.executor() == crate::types::Executor::Driver;
        let silent = self
            .shown
            .conditions
            .standing()
            .into_iter()
            .any(|entry| entry.condition == Condition::DeviceSilent && entry.device.as_ref() == Some(device));
        match self.shown.board.state(device) {
            Some(DeviceState::Running) if !(silent && needs_it) => Ok(()),
            Some(_) if !needs_it => Ok(()),
            _ => refusal("offline", &format!("{device} does not run or does not answer: nothing is sent to it")),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Which {
    id: String,
}

#[derive(Serialize)]
struct Stands {
    id: String,
    /// `accepted`, `dispatched` or `ended`.
    state: &'static str,
    ended: Option<&'static str>,
    reason: Option<String>,
}

/// `GET /api/v1/commands?id=…`.
pub(super) async fn stands(State(inside): State<Arc<Inside>>, Query(which): Query<Which>) -> Response {
    let Ok(id) = CommandId::new(&which.id) else {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "command", "this is no command's id");
    };
    match inside.shown.journal.command(&id).await {
        Ok(None) => refuse(StatusCode::NOT_FOUND, "command", "no such command is known"),
        Ok(Some(state)) => Json(stand(which.id, &state)).into_response(),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, "journal", &Chain(&error).to_string()),
    }
}

fn stand(id: String, state: &CommandState) -> Stands {
    let (state, ended) = match state {
        CommandState::Accepted => ("accepted", None),
        CommandState::Dispatched => ("dispatched", None),
        CommandState::Ended(ended) => ("ended", Some(ended)),
    };
    let reason = ended.and_then(|ended| ended.reason()).map(ToString::to_string);
    Stands { id, state, ended: ended.map(|ended| ended.as_str()), reason }
}
