//! The composition root: builds the tree, owns it, tears it down in order.
//!
//! Nothing runs before [`App::build`] has succeeded, and everything has an owner: the core circle (journal intake,
//! dispatcher, health, console), the device circle and the uplink's circle. When a task of the core ends before it
//! was told to, the daemon goes down in order and says which one it was; systemd starts it again.
//!
//! Going down, each step with its own bound, 38 s in sum (the unit's `TimeoutStopSec` is 45): devices 20 s, intake
//! 5 s, uplink 5 s, console and dispatcher 3 s, journal 5 s. The code must survive `kill -9` at any line; going
//! down in order is politeness, not correctness.

mod build;
mod health;
mod watchdog;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::console::Shown;
use crate::device::{Device, Port, PortEnds};
use crate::journal::Journal;
use crate::observe::{Board, Conditions, notify_ready, notify_stopping, notify_watchdog, watchdog_within};
use crate::router::{Dispatcher, Target, intake};
use crate::supervise::{Circle, Ending, Restart, supervise, supervise_reader};
use crate::uplink::Uplink;

pub use build::AppError;

/// Bound of each step of going down.
const DEVICES_STOP: Duration = Duration::from_secs(20);
const INTAKE_STOP: Duration = Duration::from_secs(5);
const UPLINK_STOP: Duration = Duration::from_secs(5);
const CORE_STOP: Duration = Duration::from_secs(3);
/// How long the start waits for lines to be looked at.
const LOOK_AT_DEVICES: Duration = Duration::from_millis(100);

/// A gateway that is built and not running yet.
pub struct App {
    clock: Clock,
    journal: Journal,
    conditions: Conditions,
    devices: Vec<Fitted>,
    console: Option<(TcpListener, Shown)>,
    uplink: Option<Uplink>,
    board: Board,
}

/// A device with both sides of its port.
struct Fitted {
    device: Arc<dyn Device>,
    port: Port,
    ends: PortEnds,
    restart: Restart,
}

type Ended = Result<(), String>;

/// The running parts, by what their failure means.
#[derive(Default)]
struct Circles {
    devices: Circle<()>,
    intake: Circle<Ended>,
    uplink: Circle<Ended>,
    core: Circle<Ended>,
}

/// When to stop which part.
#[derive(Default)]
struct Stops {
    devices: CancellationToken,
    uplink: CancellationToken,
    core: CancellationToken,
}

impl App {
    /// Where the console listens, if it does.
    pub fn console_address(&self) -> Option<SocketAddr> {
        self.console.as_ref().and_then(|(listener, _)| listener.local_addr().ok())
    }

    /// The journal, for whoever wants to read along in the same process.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Runs until `stop`, then goes down in order.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), AppError> {
        let journal = self.journal.clone();
        let stops = Stops::default();
        let (console, board) = (self.console.take(), self.board.clone());
        let mut circles = self.start(&stops);
        // Whoever waits for "ready" may count on lines that are there being held. A device whose line takes longer to
        // look at is not waited for: the daemon is ready without it.
        let _slow_devices_follow = tokio::time::timeout(LOOK_AT_DEVICES, board.looked_at()).await;
        if let Some((listener, shown)) = console {
            let serve = crate::console::serve(listener, shown, stops.core.clone().cancelled_owned());
            circles.core.spawn("console", told(serve));
        }
        notify_ready();
        tracing::info!("ready");
        let ended = tokio::select! {
            () = stop.cancelled() => Ok(()),
            failed = first_failure(&mut circles) => Err(failed),
        };
        notify_stopping();
        tracing::info!("going down");
        circles.tear_down(&stops).await;
        if let Err(error) = journal.close().await {
            tracing::warn!(%error, "the journal did not close in order");
        }
        ended
    }

    fn start(self, stops: &Stops) -> Circles {
        let Self { clock, journal, conditions, devices, uplink, .. } = self;
        let uplink_clock = clock.clone();
        let mut circles = Circles::default();
        let mut targets = std::collections::BTreeMap::new();
        for Fitted { device, port, ends, restart } in devices {
            let PortEnds { observed, assign } = ends;
            let id = device.id().clone();
            targets.insert(id.clone(), Target { can: device.can(), assign, restart: restart.clone() });
            let intake = intake(observed, journal.clone(), conditions.clone());
            circles.intake.spawn(&format!("intake of {id}"), told(intake));
            circles.devices.spawn(id.as_str(), supervise(device, port, restart, stops.devices.clone()));
        }
        let dispatcher = Dispatcher::new(journal.clone(), clock.clone(), targets);
        if let Some(within) = watchdog_within() {
            let feed = watchdog::feed(within, journal.clone(), dispatcher.probe(), notify_watchdog, stops.core.clone());
            circles.core.spawn("watchdog", told(feed));
        }
        circles.core.spawn("dispatcher", told(dispatcher.run(stops.devices.clone())));
        let announce = health::announce(conditions, journal, clock, stops.core.clone());
        circles.core.spawn("health", told(announce));
        if let Some(uplink) = uplink {
            let stop = stops.uplink.clone();
            circles.uplink.spawn("uplink", async move {
                told(supervise_reader("uplink", &uplink_clock, || uplink.run(stop.clone()))).await
            });
        }
        circles
    }
}

/// A task's error as words, so that all tasks of a circle return the same.
async fn told<E: std::error::Error>(task: impl Future<Output = Result<(), E>>) -> Ended {
    task.await.map_err(|error| {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            text.push_str(": ");
            text.push_str(&inner.to_string());
            source = inner.source();
        }
        text
    })
}

/// The first task whose end means that the gateway cannot go on.
async fn first_failure(circles: &mut Circles) -> AppError {
    let (part, ending) = tokio::select! {
        ended = circles.core.next() => ended,
        ended = circles.intake.next() => ended,
        ended = circles.uplink.next() => ended,
        (device, ending) = circles.devices.next() => (device, match ending {
            Ending::Panicked(words) => Ending::Panicked(words),
            Ending::Returned(()) | Ending::Aborted => Ending::Returned(Ok(())),
        }),
    };
    let why = match ending {
        Ending::Returned(Ok(())) => "ended before it was told to".to_owned(),
        Ending::Returned(Err(words)) => words,
        Ending::Panicked(words) => format!("panicked: {words}"),
        Ending::Aborted => "was aborted".to_owned(),
    };
    AppError::Core { part, why }
}

impl Circles {
    async fn tear_down(mut self, stops: &Stops) {
        stops.devices.cancel();
        tell_stuck(self.devices.drain(DEVICES_STOP).await);
        tell_stuck(self.intake.drain(INTAKE_STOP).await);
        stops.uplink.cancel();
        tell_stuck(self.uplink.drain(UPLINK_STOP).await);
        stops.core.cancel();
        tell_stuck(self.core.drain(CORE_STOP).await);
    }
}

fn tell_stuck(names: Vec<String>) {
    for name in names {
        tracing::warn!(task = %name, "did not stop in time and was aborted");
    }
}
