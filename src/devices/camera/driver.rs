//! The camera's side of the house: starts the two threads, says what they report.

use std::thread::JoinHandle;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::{self, Receiver};
use tokio_util::sync::CancellationToken;

use super::eyes::{Eyes, Manner, Owner, Report};
use super::slot::{News, Slot, SlotCounts};
use super::source::{Lens, Plan};
use crate::device::{Device, DriverError, Port};
use crate::observe::DeviceState;
use crate::transport::keep_freed_memory;
use crate::types::{ActionKind, Condition, DeviceId, Endpoint, Tally};

/// Reports that wait for the driver.
const REPORTS: usize = 64;

/// A camera.
pub(super) struct Camera {
    id: DeviceId,
    endpoint: Endpoint,
    plan: Plan,
    manner: Manner,
}

/// The threads, until they are told to end.
struct Looking {
    stop: CancellationToken,
    reports: Receiver<Report>,
    threads: [JoinHandle<()>; 2],
}

impl Camera {
    pub(super) fn new(id: DeviceId, endpoint: Endpoint, plan: Plan, manner: Manner) -> Self {
        Self { id, endpoint, plan, manner }
    }

    fn start(&self, port: &Port) -> Result<Looking, DriverError> {
        keep_freed_memory();
        let (slot, stop) = (Slot::default(), CancellationToken::new());
        let (sender, reports) = mpsc::channel(REPORTS);
        let lens = Lens::new(self.plan.clone(), self.manner.pace, slot.clone(), port.clock.clone(), stop.clone());
        let owner = Owner {
            clock: port.clock.clone(),
            stop: stop.clone(),
            members: port.members.clone(),
            station: port.station.clone(),
            glass: port.glass.clone(),
            reports: sender,
        };
        let eyes = Eyes::new(self.manner.clone(), slot, owner);
        let lens = self.thread("lens", move || lens.run())?;
        let eyes = self.thread("eyes", move || eyes.run()).inspect_err(|_| stop.cancel())?;
        Ok(Looking { stop, reports, threads: [lens, eyes] })
    }

    fn thread(&self, part: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, DriverError> {
        let thread = std::thread::Builder::new().name(format!("{part}-{}", self.id)).spawn(work);
        thread.map_err(|source| DriverError::Transport { step: "opening", source })
    }

    async fn drive(&self, port: &mut Port) -> Result<(), DriverError> {
        for condition in [Condition::CameraMissing, Condition::CameraStalled, Condition::ModelMissing] {
            port.scope.condition(condition, false, None);
        }
        port.scope.state(DeviceState::Waiting);
        let mut looking = self.start(port)?;
        let ended = loop {
            let stop = port.stop.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                report = looking.reports.recv() => match report {
                    Some(report) => match say(report, port).await {
                        Ok(()) => {}
                        Err(error) => break Err(error),
                    },
                    None => break Err(ended_by_itself()),
                },
            }
        };
        looking.end(port).await;
        ended
    }
}

/// A thread that ends before it is told to has panicked.
fn ended_by_itself() -> DriverError {
    let source = std::io::Error::other("the thread that looks has ended by itself");
    DriverError::Transport { step: "looking", source }
}

async fn say(report: Report, port: &mut Port) -> Result<(), DriverError> {
    match report {
        Report::Said(observation) => port.observe(observation).await?,
        Report::News(news) => tell(&news, port),
        Report::Model(missing) => port.scope.condition(Condition::ModelMissing, missing.is_some(), missing),
        Report::Counted { counts, looked_at, present, size } => {
            count(&counts, port);
            if let Some((width, height)) = size {
                let evidence = format!("{present} in view, {width} x {height}, {looked_at} pictures/s looked at");
                port.scope.evidence(&evidence);
            }
        }
    }
    Ok(())
}

fn tell(news: &News, port: &Port) {
    let (away, stalled) = match news {
        News::Seeing | News::Over => (None, None),
        News::Away(why) => (Some(why.clone()), None),
        News::Stalled(why) => (None, Some(why.clone())),
    };
    let is_there = away.is_none() && stalled.is_none();
    port.scope.condition(Condition::CameraMissing, away.is_some(), away);
    port.scope.condition(Condition::CameraStalled, stalled.is_some(), stalled);
    port.scope.state(if is_there { DeviceState::Running } else { DeviceState::Waiting });
}

fn count(counts: &SlotCounts, port: &Port) {
    let SlotCounts { bytes, pictures, replaced, malformed, oversized } = *counts;
    port.scope.seen(usize::try_from(bytes).unwrap_or(usize::MAX));
    let tallies = [
        (Tally::FramesGood, pictures - replaced.min(pictures)),
        (Tally::FramesReplaced, replaced),
        (Tally::FramesMalformed, malformed),
        (Tally::FramesOversized, oversized),
    ];
    for (tally, count) in tallies {
        if count > 0 {
            port.scope.count(tally, count);
        }
    }
}

impl Looking {
    /// Tells the threads to end and waits for them; what they still have to say is said.
    async fn end(self, port: &mut Port) {
        let Self { stop, mut reports, threads } = self;
        stop.cancel();
        while let Some(report) = reports.recv().await {
            if say(report, port).await.is_err() {
                break;
            }
        }
        drop(reports);
        let _ = tokio::task::spawn_blocking(move || threads.map(JoinHandle::join)).await;
    }
}

impl Device for Camera {
    fn id(&self) -> &DeviceId {
        &self.id
    }

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn can(&self) -> &'static [ActionKind] {
        &[]
    }

    fn run<'a>(&'a self, port: &'a mut Port) -> BoxFuture<'a, Result<(), DriverError>> {
        self.drive(port).boxed()
    }
}
