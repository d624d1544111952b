//! The life of one device.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::circle::panic_words;
use crate::backoff::Backoff;
use crate::device::{Device, DriverError, Port, limits};
use crate::observe::DeviceState;
use crate::types::{ActionKind, Chain};

/// First and longest wait before a failed driver is started again; full jitter.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_CAP: Duration = Duration::from_secs(60);
/// A run that lasted this long was healthy: waiting begins anew.
const HEALTHY: Duration = Duration::from_secs(300);

/// Asks for a device's driver to be started anew.
pub type Restart = Arc<Notify>;

/// Runs a device until `stop`: a driver that fails or panics is started again after a back-off, for ever, because a
/// cable may be out for days. Actions that a failed driver left open end as indeterminate. Gives the port back.
pub async fn supervise(device: Arc<dyn Device>, mut port: Port, restart: Restart, stop: CancellationToken) -> Port {
    let clock = port.clock.clone();
    let mut backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_CAP);
    let mut trouble = Trouble::default();
    while !stop.is_cancelled() {
        port.stop = stop.child_token();
        let started = clock.now();
        let ended = run_once(&*device, &mut port, &restart).await;
        if port.abandon(device.can().contains(&ActionKind::Recover)).await.is_err() {
            break;
        }
        let wait = match ended {
            Ended::ToldToStop => {
                trouble = Trouble::default();
                continue;
            }
            Ended::Unplugged => {
                trouble.tell(device.id().as_str(), "the line was closed by the other end".to_owned());
                port.scope.state(DeviceState::Waiting);
                limits::ATTACH_INTERVAL
            }
            Ended::Failed(words) => {
                trouble.tell(device.id().as_str(), words);
                port.scope.state(DeviceState::BackingOff);
                if clock.now() - started >= HEALTHY {
                    backoff.reset();
                }
                backoff.next(&clock)
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = restart.notified() => {}
            () = tokio::time::sleep_until((clock.now() + wait).into()) => {}
        }
    }
    port.scope.state(DeviceState::Stopped);
    port
}

/// How one run of a driver ended.
enum Ended {
    /// As it was told.
    ToldToStop,
    /// The other end hung up. Not the driver's failure: the line is looked for again without backing off, so that a
    /// replugged cable works at once however often it was pulled.
    Unplugged,
    /// It failed or panicked, with these words.
    Failed(String),
}

async fn run_once(device: &dyn Device, port: &mut Port, restart: &Restart) -> Ended {
    let stop_run = port.stop.clone();
    let mut run = AssertUnwindSafe(device.run(port)).catch_unwind();
    let ended = tokio::select! {
        ended = &mut run => ended,
        () = restart.notified() => {
            stop_run.cancel();
            run.await
        }
    };
    match ended {
        Ok(Ok(())) => Ended::ToldToStop,
        Ok(Err(DriverError::Closed)) => Ended::Unplugged,
        Ok(Err(error)) => Ended::Failed(Chain(&error).to_string()),
        Err(payload) => Ended::Failed(format!("the driver panicked: {}", panic_words(payload.as_ref()))),
    }
}

/// Logs a device's failure once per change of its words, not once per retry.
#[derive(Debug, Default)]
struct Trouble {
    told: Option<String>,
}

impl Trouble {
    fn tell(&mut self, device: &str, words: String) {
        if self.told.as_ref() != Some(&words) {
            tracing::warn!(device, reason = %words, "driver stopped, it is started again");
            self.told = Some(words);
        }
    }
}

#[cfg(test)]
#[path = "device_tests.rs"]
mod tests;
