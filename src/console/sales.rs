//! Machines and sales: lanes, what waits for a person, and what a person says became of it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::Inside;
use super::gate::{need, refuse};
use super::session::Known;
use crate::types::{Action, Chain, Command, Origin, Resolution, SaleId, User, UserRole};

/// `GET /api/v1/machines`.
pub(super) async fn machines(State(inside): State<Arc<Inside>>) -> Response {
    match inside.shown.gateway.machines().await {
        Ok(machines) => Json(machines).into_response(),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, "journal", &Chain(&error).to_string()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolved {
    sale: String,
    r#as: String,
    /// Who says so; wanted where nobody logs in, the user's own name otherwise.
    #[serde(default)]
    by: Option<String>,
}

#[derive(Serialize)]
struct Filed {
    id: String,
}

/// `POST /api/v1/sales/resolve`: what `sale resolve` does.
pub(super) async fn resolve(
    State(inside): State<Arc<Inside>>,
    Extension(known): Extension<Known>,
    Json(resolved): Json<Resolved>,
) -> Response {
    if let Err(refusal) = need(&known, UserRole::Technician) {
        return *refusal;
    }
    let by = if inside.sessions.is_some() { Some(known.name.clone()) } else { resolved.by };
    let bad = |message| refuse(StatusCode::UNPROCESSABLE_ENTITY, "sale", message);
    let Some(by) = by.filter(|by| User::is_name(by)) else {
        return bad("`by` must say who you are: 1 to 64 characters");
    };
    let Some(resolution) = Resolution::parse(&resolved.r#as) else {
        return bad("`as` must be dispensed or refunded");
    };
    let Ok(sale) = SaleId::new(&resolved.sale) else { return bad("`sale` is no sale's name") };
    match inside.shown.gateway.machines().await {
        Ok(machines) => {
            let waits = machines.sales.iter().any(|one| one.sale == resolved.sale && one.stage == "unresolved");
            if !waits {
                return refuse(StatusCode::CONFLICT, "not-unresolved", "this sale does not wait for a person");
            }
        }
        Err(error) => return refuse(StatusCode::SERVICE_UNAVAILABLE, "journal", &Chain(&error).to_string()),
    }
    let Some((id, not_after)) = inside.new_command() else { return bad("no id could be made") };
    let what = format!("sale.resolve {sale} as {}", resolution.as_str());
    let action = Action::SaleResolve { sale, resolution, by: by.clone() };
    let command = Command { id: id.clone(), device: None, action, not_after, origin: Origin::Local };
    match inside.audit.file(&by, &what, command).await {
        Ok(_) => (StatusCode::ACCEPTED, Json(Filed { id: id.to_string() })).into_response(),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, "journal", &Chain(&error).to_string()),
    }
}
