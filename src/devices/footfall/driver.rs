//! The sensor's side of the house: starts the thread that hears, says what it reports.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::{self, Receiver};

use super::ears::{Counted, Ears, Report};
use super::hall::Halls;
use super::manner::Manner;
use super::profile::read_calibration;
use super::source::{Channels, Plan};
use crate::device::{Device, DriverError, Port, Speaker};
use crate::observe::DeviceState;
use crate::transport::{Knocker, door, monitor_channels};
use crate::types::{ActionKind, Condition, DeviceId, Endpoint, FootfallWindow, Observation, Tally, units};

/// Reports that wait for the driver.
const REPORTS: usize = 64;
/// After this long without a missed frame the box keeps up again.
const KEEPS_UP: Duration = Duration::from_secs(60);
/// A radio that cannot be tuned is tried again after so long.
const RETUNE: Duration = Duration::from_secs(1);
/// A thread that was told to end has this long for what it still has to say.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Windows of this length are what people are shown; the shortest, if there is none.
const SHOWN_S: u64 = 60;

/// A footfall sensor.
#[derive(Debug)]
pub(super) struct Sensor {
    id: DeviceId,
    endpoint: Endpoint,
    plan: Plan,
    manner: Manner,
    calibration: Option<PathBuf>,
}

/// The thread, until it is told to end.
struct Hearing {
    knocker: Knocker,
    reports: Receiver<Report>,
    thread: JoinHandle<()>,
}

impl Sensor {
    pub(super) fn new(
        id: DeviceId,
        endpoint: Endpoint,
        plan: Plan,
        manner: Manner,
        calibration: Option<PathBuf>,
    ) -> Self {
        Self { id, endpoint, plan, manner, calibration }
    }

    fn start(&self, port: &Port) -> Result<Hearing, DriverError> {
        let failed = |source| DriverError::Transport { step: "opening", source };
        let mut manner = self.manner.clone();
        manner.calibration = self.calibration.as_ref().and_then(|file| match read_calibration(file) {
            Ok(calibration) => Some(calibration),
            Err(reason) => {
                tracing::warn!(device = %self.id, file = %file.display(), reason, "counts without its calibration");
                None
            }
        });
        let (knocker, door) = door().map_err(failed)?;
        let (sender, reports) = mpsc::channel(REPORTS);
        let halls = port.commons.of::<Halls>();
        let ears = Ears::new(&self.id, self.plan.clone(), manner, port.clock.clone(), &halls, sender);
        let thread = std::thread::Builder::new().name(format!("ears-{}", self.id));
        let thread = thread.spawn(move || ears.run(&door)).map_err(failed)?;
        Ok(Hearing { knocker, reports, thread })
    }

    async fn drive(&self, port: &mut Port) -> Result<(), DriverError> {
        let missing = self.plan.missing();
        for condition in [missing, Condition::DeviceSilent, Condition::RadioDrops] {
            port.scope.condition(condition, false, None);
        }
        port.scope.state(DeviceState::Waiting);
        let mut hearing = self.start(port)?;
        if let Some(by) = &self.manner.counted_by {
            port.scope.evidence(&format!("hears for {}, which counts", by.device));
        }
        let mut missed_at: Option<Instant> = None;
        let mut radio = std::pin::pin!(self.keep_tuned());
        let ended = loop {
            let stop = port.stop.clone();
            let recovers = missed_at.map(|at| at + KEEPS_UP);
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                report = hearing.reports.recv() => match report {
                    Some(report) => self.say(report, &mut missed_at, port).await?,
                    None => break Err(ended_by_itself()),
                },
                never = &mut radio => match never {},
                () = sleep_until(recovers), if recovers.is_some() => {
                    missed_at = None;
                    port.scope.condition(Condition::RadioDrops, false, None);
                }
            }
        };
        let rest = hearing.end().await;
        for window in rest {
            port.observe(Observation::Footfall(Box::new(window))).await?;
        }
        ended
    }

    /// Keeps the radio in monitor mode and on its channels, if that is the gateway's to do. What stands in the way is
    /// told once per change: whoever set the interface up may have done without us.
    async fn keep_tuned(&self) -> Infallible {
        let Plan::Radio { interface, channels: Channels { numbers, dwell, is_ours: true } } = &self.plan else {
            return std::future::pending().await;
        };
        let channels_mhz: Vec<u16> = numbers.iter().map(|number| middle_mhz(*number)).collect();
        let mut told = String::new();
        loop {
            let error = monitor_channels(interface, &channels_mhz, *dwell).await;
            let words = error.to_string();
            if words != told && error.kind() == ErrorKind::PermissionDenied {
                tracing::warn!(device = %self.id, reason = %words, "the radio's mode and channel are left as they are");
            } else if words != told {
                tracing::debug!(device = %self.id, reason = %words, "the radio is not tuned");
            }
            told = words;
            tokio::time::sleep(RETUNE).await;
        }
    }

    async fn say(&self, report: Report, missed_at: &mut Option<Instant>, port: &mut Port) -> Result<(), DriverError> {
        match report {
            Report::Window(window) => {
                self.show(&window, port);
                port.observe(Observation::Footfall(Box::new(window))).await?;
            }
            Report::Away(why) => {
                let state = if why.is_some() { DeviceState::Waiting } else { DeviceState::Running };
                port.scope.condition(self.plan.missing(), why.is_some(), why);
                port.scope.state(state);
            }
            Report::Silent(is_silent) => port.scope.condition(Condition::DeviceSilent, is_silent, None),
            Report::Counted(counted) => {
                if counted.missed > 0 {
                    *missed_at = Some(port.clock.now());
                    port.scope.condition(Condition::RadioDrops, true, None);
                }
                count(&counted, port);
            }
        }
        Ok(())
    }

    fn show(&self, window: &FootfallWindow, port: &Port) {
        let length = window.end.since(window.start);
        let shown = self.manner.settings.windows.iter().find(|length| length.as_secs() == SHOWN_S);
        if shown.or(self.manner.settings.windows.iter().min()) == Some(&length) {
            let FootfallWindow { devices, passed, visited, stayed, .. } = window;
            let length = units::format_duration(length);
            port.scope.evidence(&format!(
                "{devices} devices in the last {length}: {passed} passed, {visited} visited, {stayed} stayed"
            ));
        }
    }
}

/// A thread that ends before it is told to has panicked, or cannot wait any more.
fn ended_by_itself() -> DriverError {
    let source = std::io::Error::other("the thread that hears has ended by itself");
    DriverError::Transport { step: "hearing", source }
}

/// The middle of a channel (IEEE 802.11-2020, annex E).
fn middle_mhz(channel: u32) -> u16 {
    let mhz = match channel {
        14 => 2484,
        1..=13 => 2407 + 5 * channel,
        _ => 5000 + 5 * channel,
    };
    u16::try_from(mhz).unwrap_or(0)
}

fn count(counted: &Counted, port: &Port) {
    let Counted { bytes, good, malformed, foreign, missed } = *counted;
    port.scope.seen(usize::try_from(bytes).unwrap_or(usize::MAX));
    let tallies = [
        (Tally::FramesGood, good),
        (Tally::FramesMalformed, malformed),
        (Tally::FramesForeign, foreign),
        (Tally::FramesMissed, missed),
    ];
    for (tally, count) in tallies {
        if count > 0 {
            port.scope.count(tally, count);
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

impl Hearing {
    /// Tells the thread to end, and waits for it: its socket and its key are gone then. The windows that it had open.
    async fn end(self) -> Vec<FootfallWindow> {
        let Self { mut knocker, mut reports, thread } = self;
        knocker.knock();
        let mut rest = Vec::new();
        // It ends by itself now; one that does not ends when nobody takes its reports.
        while let Ok(Some(report)) = tokio::time::timeout(LAST_WORDS, reports.recv()).await {
            if let Report::Window(window) = report {
                rest.push(window);
            }
        }
        drop(reports);
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        rest
    }
}

impl Device for Sensor {
    fn id(&self) -> &DeviceId {
        &self.id
    }

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn speaker(&self) -> Option<Speaker<'_>> {
        let by = self.manner.counted_by.as_ref()?;
        Some(Speaker { device: &by.device, span: by.span.clone() })
    }

    fn can(&self) -> &'static [ActionKind] {
        &[]
    }

    fn run<'a>(&'a self, port: &'a mut Port) -> BoxFuture<'a, Result<(), DriverError>> {
        self.drive(port).boxed()
    }
}
