//! From a sensor's words to what happened.

use std::collections::BTreeMap;
use std::io;

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::profile::Source;
use crate::device::{Device, DriverError, Port, attach};
use crate::transport::{GpioEdge, GpioLines, open_tty};
use crate::types::{
    ActionKind, Condition, DeviceId, Endpoint, FacingId, Observation, ScreenAction, Tally, Timestamp, Verb,
};
use crate::wire::lift::{Lift, LiftLine, read_push};
use crate::wire::probebox::request::{CONTINUE, Progress, Status, examine};

/// Connections at a time; more wait.
const CONNECTIONS: usize = 8;
/// Until a request must be whole.
const REQUEST_WITHIN: Duration = Duration::from_secs(2);
/// What the kernel's time of a change and the gateway's may differ by.
const CLOCKS_APART: Duration = Duration::from_secs(10);
/// Places whose state is remembered.
const PLACES: usize = 256;

/// A lift sensor.
#[derive(Debug)]
pub(super) struct LiftSensor {
    id: DeviceId,
    endpoint: Endpoint,
    source: Source,
}

impl LiftSensor {
    pub(super) fn new(id: DeviceId, endpoint: Endpoint, source: Source) -> Self {
        Self { id, endpoint, source }
    }

    async fn drive(&self, port: &mut Port) -> Result<(), DriverError> {
        let mut shelf = Shelf::default();
        port.scope.condition(Condition::DeviceSilent, false, None);
        match &self.source {
            Source::Serial(path, line) => {
                let opened = attach(port, Condition::TtyMissing, || open_tty(path, *line));
                let Some(mut line) = opened.await else { return Ok(()) };
                let (mut sentences, mut buffer) = (LiftLine::default(), [0; 256]);
                loop {
                    let stop = port.stop.clone();
                    let count = tokio::select! {
                        () = stop.cancelled() => return Ok(()),
                        read = line.read(&mut buffer) => read.map_err(|_| DriverError::Closed)?,
                    };
                    if count == 0 {
                        return Err(DriverError::Closed);
                    }
                    port.scope.seen(count);
                    let heard = sentences.take(&buffer[..count]);
                    port.scope.count(Tally::NoiseBytes, heard.noise);
                    shelf.tell(heard.lifts, port.clock.wall().0, port).await?;
                }
            }
            Source::Gpio { chip, lines, wish } => {
                let numbers: Vec<u32> = lines.keys().copied().collect();
                let opened = attach(port, Condition::EndpointMissing, || {
                    std::future::ready(GpioLines::open(chip, &numbers, *wish))
                });
                let Some(held) = opened.await else { return Ok(()) };
                self.watch(held, lines, &mut shelf, port).await
            }
            Source::Http { listen, path, silent_after } => {
                let opened = attach(port, Condition::EndpointMissing, || TcpListener::bind(*listen));
                let Some(listener) = opened.await else { return Ok(()) };
                self.listen(&listener, path, *silent_after, &mut shelf, port).await
            }
        }
    }

    /// What lies on the shelf when the lines are taken is known and not told: nobody has just lifted it.
    async fn watch(
        &self,
        mut held: GpioLines,
        lines: &BTreeMap<u32, FacingId>,
        shelf: &mut Shelf,
        port: &mut Port,
    ) -> Result<(), DriverError> {
        let found = |held: &GpioLines| {
            let found = held.active().map_err(|_| DriverError::Closed)?.into_iter();
            let placed = found.filter_map(|(line, lifted)| Some(Lift { facing: lines.get(&line)?.clone(), lifted }));
            Ok::<_, DriverError>(placed.collect::<Vec<_>>())
        };
        shelf.0.extend(found(&held)?.into_iter().map(|Lift { facing, lifted }| (facing, lifted)));
        let mut last = 0;
        loop {
            let stop = port.stop.clone();
            let edges = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                edges = held.edges() => edges.map_err(|_| DriverError::Closed)?,
            };
            port.scope.seen(edges.len());
            for GpioEdge { line, active, at, number } in edges {
                let lost = number.wrapping_sub(last).wrapping_sub(1);
                last = number;
                if lost > 0 {
                    // The kernel had no room for all of it: what holds now is what counts.
                    port.scope.count(Tally::FramesMissed, u64::from(lost));
                    shelf.tell(found(&held)?, port.clock.wall().0, port).await?;
                }
                let Some(facing) = lines.get(&line) else { continue };
                let now = port.clock.wall().0;
                // Where the kernel's clock is not the gateway's, the gateway's counts.
                let at = if now.since(at).max(at.since(now)) <= CLOCKS_APART { at } else { now };
                shelf.tell(vec![Lift { facing: facing.clone(), lifted: active }], at, port).await?;
            }
        }
    }

    async fn listen(
        &self,
        listener: &TcpListener,
        path: &str,
        silent_after: Duration,
        shelf: &mut Shelf,
        port: &mut Port,
    ) -> Result<(), DriverError> {
        let mut pushes = FuturesUnordered::new();
        loop {
            let stop = port.stop.clone();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                accepted = listener.accept(), if pushes.len() < CONNECTIONS => {
                    if let Ok((line, _)) = accepted {
                        pushes.push(pushed(line, path));
                    }
                }
                Some(push) = pushes.next() => match push {
                    Push::Lifts(lifts, bytes) => {
                        port.scope.seen(bytes);
                        port.scope.condition(Condition::DeviceSilent, false, None);
                        shelf.tell(lifts, port.clock.wall().0, port).await?;
                    }
                    Push::Wrong => port.scope.count(Tally::FramesMalformed, 1),
                    Push::Gone => {}
                },
                () = tokio::time::sleep(silent_after) => port.scope.condition(Condition::DeviceSilent, true, None),
            }
        }
    }
}

impl Device for LiftSensor {
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

/// What lies on the shelf, as far as the sensor has said.
#[derive(Debug, Default)]
struct Shelf(BTreeMap<FacingId, bool>);

impl Shelf {
    /// What has changed is said; what is said again is counted.
    async fn tell(&mut self, lifts: Vec<Lift>, op_time: Timestamp, port: &mut Port) -> Result<(), DriverError> {
        for Lift { facing, lifted } in lifts {
            if self.0.get(&facing) == Some(&lifted) || (self.0.len() >= PLACES && !self.0.contains_key(&facing)) {
                port.scope.count(Tally::RepeatsSuppressed, 1);
                continue;
            }
            self.0.insert(facing.clone(), lifted);
            port.scope.count(Tally::FramesGood, 1);
            port.scope.evidence(&format!("{facing} was {}", if lifted { "lifted" } else { "put back" }));
            let outer_biz_id = port.clock.event_id().0;
            port.observe(Observation::ScreenAction(Box::new(ScreenAction {
                verb: Verb::ItemSensor,
                op_time,
                outer_biz_id,
                item: None,
                sku: None,
                gtin: None,
                facing: Some(facing),
                lifted: Some(lifted),
                session: None,
            })))
            .await?;
        }
        Ok(())
    }
}

/// What became of a connection.
enum Push {
    Lifts(Vec<Lift>, usize),
    Wrong,
    Gone,
}

/// Reads one request and answers it.
async fn pushed(mut line: TcpStream, path: &str) -> Push {
    let read = tokio::time::timeout(REQUEST_WITHIN, request(&mut line, path)).await;
    let (status, push) = match read {
        Ok(Ok(Ok(body))) => match read_push(&body) {
            Some(lifts) => (Status::Ok, Push::Lifts(lifts, body.len())),
            None => (Status::Bad, Push::Wrong),
        },
        Ok(Ok(Err(status))) => (status, Push::Wrong),
        Ok(Err(_)) => return Push::Gone,
        Err(_) => (Status::Timeout, Push::Wrong),
    };
    // Whoever does not wait for the answer does not get it.
    let answered = async {
        line.write_all(status.answer().as_bytes()).await?;
        line.shutdown().await
    };
    let _ = tokio::time::timeout(REQUEST_WITHIN, answered).await;
    push
}

async fn request(line: &mut TcpStream, path: &str) -> io::Result<Result<Vec<u8>, Status>> {
    let (mut bytes, mut has_leave) = (Vec::new(), false);
    loop {
        if line.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match examine(&bytes, path) {
            Progress::Whole(body) => return Ok(Ok(bytes[body].to_vec())),
            Progress::Refused(status) => return Ok(Err(status)),
            Progress::More { waits } if waits && !has_leave => {
                line.write_all(CONTINUE.as_bytes()).await?;
                has_leave = true;
            }
            Progress::More { .. } => {}
        }
    }
}
