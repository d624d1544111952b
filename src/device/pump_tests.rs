use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::Clock;
use crate::device::{PortEnds, port};
use crate::observe::{Board, Conditions, DeviceScope, Metrics};
use crate::types::{Action, Body, CodeKind, CodeScanned, CommandId, Condition, DeviceId, Ended, Outcome, Timestamp};

/// A protocol of one-byte words: what comes in is said back as a code; an action is written to the line and is in
/// flight until `!` comes back; silence of 15 s after an action ends it as failed.
#[derive(Debug, Default)]
struct Echo {
    outputs: VecDeque<Output<Observation>>,
    flying: Option<(CommandId, Instant)>,
}

impl Echo {
    fn end(&mut self, ended: Ended) {
        if let Some((command, _)) = self.flying.take() {
            self.outputs.push_back(Output::Observe(Observation::Ended(Outcome { command, ended })));
        }
    }
}

impl Machine for Echo {
    type Action = Assigned;
    type Observation = Observation;
    type Error = io::Error;

    fn handle(&mut self, now: Instant, input: Input<'_, Assigned>) -> io::Result<()> {
        match input {
            Input::Bytes(b"X") => return Err(io::Error::other("X is forbidden")),
            Input::Bytes(b"!") => self.end(Ended::Done),
            Input::Bytes(bytes) => self.outputs.push_back(Output::Observe(Observation::Code(CodeScanned {
                kind: CodeKind::Unknown,
                symbology: None,
                value: String::from_utf8_lossy(bytes).into_owned(),
                gtin: None,
                ai: std::collections::BTreeMap::new(),
            }))),
            Input::Action(assigned) => {
                self.outputs.push_back(Output::Send(vec![b'?'; 3]));
                self.flying = Some((assigned.command, now + Duration::from_secs(15)));
            }
            Input::Tick => {
                if self.deadline().is_some_and(|at| at <= now) {
                    self.end(Ended::Failed(crate::types::Reason::new("timeout")));
                    self.outputs.push_back(Output::Health(Condition::DeviceSilent, true));
                }
            }
        }
        Ok(())
    }

    fn poll(&mut self) -> Option<Output<Observation>> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        self.flying.as_ref().map(|(_, at)| *at)
    }

    fn in_flight(&self) -> bool {
        self.flying.is_some()
    }
}

struct Bench {
    stop: CancellationToken,
    clock: Clock,
    conditions: Conditions,
    ends: PortEnds,
    far: DuplexStream,
    running: tokio::task::JoinHandle<Result<(), DriverError>>,
}

/// A pump on one end of a 16-byte pipe; the test holds the other end.
#[expect(clippy::disallowed_methods, reason = "the test owns the handle")]
fn bench() -> Bench {
    let clock = Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 1);
    let conditions = Conditions::new(clock.clone());
    let device = DeviceId::new("echo-1").unwrap();
    let scope = DeviceScope::new(device, clock.clone(), conditions.clone(), Metrics::default(), Board::default());
    let stop = CancellationToken::new();
    let (mut port, ends) = port(scope, clock.clone(), stop.clone());
    let (near, far) = tokio::io::duplex(16);
    let running = tokio::spawn(async move { pump(&mut Echo::default(), near, &mut port).await });
    Bench { stop, clock, conditions, ends, far, running }
}

impl Bench {
    async fn said(&mut self) -> Observation {
        let within = tokio::time::timeout(Duration::from_secs(60), self.ends.observed.recv());
        match within.await.unwrap().unwrap().body {
            Body::Observed(observation) => observation,
            other @ Body::Noticed(_) => panic!("a driver said {other:?}"),
        }
    }

    async fn assign(&self, id: &str, within: Duration) {
        let command = CommandId::new(id).unwrap();
        let assigned = Assigned { command, action: Action::DeviceRestart, deadline: self.clock.now() + within };
        self.ends.assign.send(assigned).await.unwrap();
    }

    async fn finish(self) -> Result<(), DriverError> {
        tokio::time::timeout(Duration::from_secs(60), self.running).await.unwrap().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_become_observations_and_stop_ends_the_loop() {
    let mut bench = bench();
    bench.far.write_all(b"abc").await.unwrap();
    assert!(matches!(bench.said().await, Observation::Code(code) if code.value == "abc"));
    bench.stop.cancel();
    assert!(bench.finish().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_closed_line_is_told_from_a_broken_protocol() {
    let bench = bench();
    let Bench { far, running, .. } = bench;
    drop(far);
    assert!(matches!(running.await.unwrap(), Err(DriverError::Closed)));
    let mut bench = self::bench();
    bench.far.write_all(b"X").await.unwrap();
    assert!(matches!(bench.finish().await, Err(DriverError::Protocol(_))));
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_what_is_in_flight() {
    let mut bench = bench();
    bench.assign("c-1", Duration::from_secs(9)).await;
    let mut sent = [0; 3];
    bench.far.read_exact(&mut sent).await.unwrap();
    assert_eq!(&sent, b"???");
    bench.stop.cancel();
    bench.far.write_all(b"!").await.unwrap();
    assert!(matches!(bench.said().await, Observation::Ended(outcome) if outcome.ended == Ended::Done));
    assert!(bench.finish().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_fifteen_second_timeout_reaches_the_machine_in_paused_time() {
    let mut bench = bench();
    let began = bench.clock.now();
    bench.assign("c-1", Duration::from_secs(9)).await;
    assert!(matches!(bench.said().await, Observation::Ended(outcome) if matches!(outcome.ended, Ended::Failed(_))));
    assert!(bench.clock.now() - began >= Duration::from_secs(15));
    assert!(bench.conditions.next_due().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_action_whose_time_is_over_is_expired_and_not_done() {
    let mut bench = bench();
    bench.assign("c-1", Duration::ZERO).await;
    assert!(matches!(bench.said().await, Observation::Ended(outcome) if outcome.ended == Ended::Expired));
    bench.stop.cancel();
    let mut rest = Vec::new();
    let mut far = std::mem::replace(&mut bench.far, tokio::io::duplex(1).0);
    assert!(bench.finish().await.is_ok());
    far.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"", "nothing was written to the line");
}

#[tokio::test(start_paused = true)]
async fn a_line_that_takes_no_bytes_is_given_up_and_never_hangs() {
    let mut bench = bench();
    for id in 0..8 {
        bench.assign(&format!("c-{id}"), Duration::from_secs(600)).await;
        if bench.running.is_finished() {
            break;
        }
        // The machine takes the next action only when the one before is over; nobody reads the 3 bytes of each.
        if bench.far.write_all(b"!").await.is_err() {
            break;
        }
        tokio::time::timeout(Duration::from_secs(30), bench.ends.observed.recv()).await.ok();
    }
    let ended = bench.finish().await;
    assert!(matches!(ended, Err(DriverError::Transport { step: "writing", .. })), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_line_is_served_while_the_journal_takes_nothing_and_nothing_that_was_said_is_lost() {
    let mut bench = bench();
    let (mut written, mut seen) = (String::new(), String::new());
    loop {
        let text = format!("{:016}", written.len());
        let count = tokio::time::timeout(Duration::from_secs(60), bench.far.write(text.as_bytes())).await;
        let Ok(count) = count else { break };
        written.push_str(&text[..count.unwrap()]);
    }
    assert!(written.len() > 16 * limits::OBSERVATIONS, "the line was read beyond what the queue holds");
    bench.assign("c-1", Duration::from_secs(600)).await;
    let mut sent = [0; 3];
    let began = tokio::time::timeout(Duration::from_secs(60), bench.far.read_exact(&mut sent)).await;
    assert!(began.is_err(), "nothing new begins while something waits for the journal");
    while seen.len() < written.len() {
        let Observation::Code(code) = bench.said().await else { panic!("no code") };
        seen.push_str(&code.value);
    }
    assert_eq!(seen, written);
    bench.far.read_exact(&mut sent).await.unwrap();
}
