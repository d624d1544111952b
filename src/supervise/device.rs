//! The life of one device.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Backoff;
use super::circle::panic_words;
use crate::clock::Clock;
use crate::device::{Device, DriverError, Port};
use crate::observe::DeviceState;

/// Asks for a device's driver to be started anew.
pub type Restart = Arc<Notify>;

/// Runs a device until `stop`: a driver that fails or panics is started again after a back-off, for ever, because a
/// cable may be out for days. Actions that a failed driver left open end as indeterminate.
pub async fn supervise(device: Arc<dyn Device>, mut port: Port, restart: Restart, stop: CancellationToken) {
    let clock = port.clock.clone();
    let mut backoff = Backoff::device();
    let mut trouble = Trouble::default();
    while !stop.is_cancelled() {
        port.stop = stop.child_token();
        let started = clock.now();
        let ended = run_once(&*device, &mut port, &restart).await;
        if port.abandon().await.is_err() {
            break;
        }
        match ended {
            Ok(()) => trouble = Trouble::default(),
            Err(words) => {
                trouble.tell(device.id().as_str(), words);
                port.scope.state(DeviceState::BackingOff);
                let wait = backoff.after(started, &clock);
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = restart.notified() => {}
                    () = sleep(&clock, wait) => {}
                }
            }
        }
    }
    port.scope.state(DeviceState::Stopped);
}

async fn sleep(clock: &Clock, wait: std::time::Duration) {
    tokio::time::sleep_until((clock.now() + wait).into()).await;
}

/// One run of the driver: `Ok` when it was told to stop, the words of its failure otherwise.
async fn run_once(device: &dyn Device, port: &mut Port, restart: &Restart) -> Result<(), String> {
    let stop_run = port.stop.clone();
    port.scope.state(DeviceState::Waiting);
    let mut run = AssertUnwindSafe(device.run(port)).catch_unwind();
    let ended = tokio::select! {
        ended = &mut run => ended,
        () = restart.notified() => {
            stop_run.cancel();
            run.await
        }
    };
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(chain(&error)),
        Err(payload) => Err(format!("the driver panicked: {}", panic_words(payload.as_ref()))),
    }
}

/// An error with its sources, in one line.
fn chain(error: &DriverError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
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
