//! One short connection, to see whether the broker serves this gateway.

use super::connect;
use super::link::Link;
use super::settings::Settings;
use crate::types::Condition;

/// Connects as the uplink would (TCP, TLS, login), under a client id of its own (`…-doctor`), publishes nothing and
/// leaves. At most eleven seconds.
///
/// # Errors
/// The condition that would stand, and what exactly is in the way.
pub async fn probe(settings: &Settings) -> Result<(), (Condition, String)> {
    let told = |fault: super::fault::Fault| (fault.condition, fault.detail);
    let options = connect::for_a_try(settings, "doctor").await.map_err(told)?;
    let link = Link::open(options, 4).await.map_err(told)?;
    // It leaves politely if it can; the connection is closed in any case.
    let _ = link.client.try_disconnect();
    Ok(())
}
