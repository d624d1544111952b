use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::*;
use crate::clock::Clock;
use crate::device::{PortEnds, port};
use crate::observe::{Board, Conditions, DeviceScope, Metrics};
use crate::types::{
    Action, ActionKind, Assigned, Body, CommandId, DeviceId, Ended as CommandEnded, Endpoint, Observation, Outcome,
    Timestamp,
};

/// What a driver does in each of its runs, in order; afterwards it waits for its stop.
#[derive(Debug, Clone, Copy)]
enum Run {
    Panic,
    Fail,
    Unplug,
    TakeActionThenPanic,
    CarryOut,
}

struct Scripted {
    id: DeviceId,
    endpoint: Endpoint,
    clock: Clock,
    script: Mutex<Vec<Run>>,
    starts: Mutex<Vec<std::time::Instant>>,
}

impl Device for Scripted {
    fn id(&self) -> &DeviceId {
        &self.id
    }

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn can(&self) -> &'static [ActionKind] {
        &[ActionKind::ScanTrigger]
    }

    fn run<'a>(&'a self, port: &'a mut Port) -> BoxFuture<'a, Result<(), DriverError>> {
        self.starts.lock().unwrap().push(self.clock.now());
        let next = { self.script.lock().unwrap().pop() };
        Box::pin(async move {
            match next {
                Some(Run::Panic) => panic!("a bug in the driver"),
                Some(Run::Fail) => Err(DriverError::Transport { step: "reading", source: std::io::Error::other("x") }),
                Some(Run::Unplug) => Err(DriverError::Closed),
                Some(Run::TakeActionThenPanic) => {
                    port.next_action().await?;
                    panic!("a bug in the middle of an action")
                }
                Some(Run::CarryOut) => {
                    let command = port.next_action().await?.command;
                    port.observe(Observation::Ended(Outcome { command, ended: CommandEnded::Done })).await?;
                    port.stop.cancelled().await;
                    Ok(())
                }
                None => {
                    port.stop.cancelled().await;
                    Ok(())
                }
            }
        })
    }
}

struct Bench {
    device: Arc<Scripted>,
    ends: PortEnds,
    restart: Restart,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

#[expect(clippy::disallowed_methods, reason = "the test owns the handle")]
fn bench(mut script: Vec<Run>) -> Bench {
    script.reverse();
    let clock = Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 5);
    let id = DeviceId::new("scripted-1").unwrap();
    let scope = DeviceScope::new(
        id.clone(),
        clock.clone(),
        Conditions::new(clock.clone()),
        Metrics::default(),
        Board::default(),
    );
    let device = Arc::new(Scripted {
        id,
        endpoint: Endpoint::Screen,
        clock: clock.clone(),
        script: Mutex::new(script),
        starts: Mutex::default(),
    });
    let stop = CancellationToken::new();
    let restart = Restart::default();
    let (port, ends) = port(scope, clock, stop.clone());
    let running = tokio::spawn({
        let (device, restart, stop) = (device.clone(), restart.clone(), stop.clone());
        async move { drop(supervise(device, port, restart, stop).await) }
    });
    Bench { device, ends, restart, stop, running }
}

impl Bench {
    async fn starts(&self, count: usize) -> Vec<std::time::Instant> {
        let reached = async {
            while self.device.starts.lock().unwrap().len() < count {
                // waits: paused time jumps to the supervisor's next deadline
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(3600), reached).await.expect("the driver is started again");
        self.device.starts.lock().unwrap().clone()
    }

    async fn assign(&self, id: &str) {
        let deadline = self.device.clock.now() + Duration::from_secs(3600);
        let action = Action::ScanTrigger { on: true };
        self.ends.assign.send(Assigned { command: CommandId::new(id).unwrap(), action, deadline }).await.unwrap();
    }

    async fn outcome(&mut self) -> Outcome {
        let said = tokio::time::timeout(Duration::from_secs(3600), self.ends.observed.recv()).await.unwrap().unwrap();
        match said.body {
            Body::Observed(Observation::Ended(outcome)) => outcome,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_panics_is_started_again_and_receives_the_action_that_waited() {
    let mut bench = bench(vec![Run::Panic, Run::Fail, Run::CarryOut]);
    bench.assign("c-1").await;
    let outcome = bench.outcome().await;
    assert_eq!((outcome.command.as_str(), outcome.ended), ("c-1", CommandEnded::Done));
    assert_eq!(bench.starts(3).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_action_that_a_driver_had_taken_when_it_panicked_is_indeterminate() {
    let mut bench = bench(vec![Run::TakeActionThenPanic]);
    bench.assign("c-1").await;
    let outcome = bench.outcome().await;
    assert!(matches!(outcome.ended, CommandEnded::Indeterminate(_)), "{outcome:?}");
    assert_eq!(outcome.command.as_str(), "c-1");
}

#[tokio::test(start_paused = true)]
async fn a_cable_pulled_forty_times_never_backs_off() {
    let bench = bench(vec![Run::Unplug; 40]);
    let starts = bench.starts(41).await;
    let longest = starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest <= limits::ATTACH_INTERVAL + Duration::from_millis(20), "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_keeps_failing_is_tried_for_ever_but_ever_more_rarely() {
    let bench = bench(vec![Run::Fail; 30]);
    let starts = bench.starts(30).await;
    let total = starts[29] - starts[0];
    assert!(total > Duration::from_secs(5 * 60), "thirty tries in {total:?}");
    assert!(starts.windows(2).all(|pair| pair[1] - pair[0] <= Duration::from_secs(61)));
}

#[tokio::test(start_paused = true)]
async fn a_restart_starts_the_driver_anew_and_a_stop_ends_it() {
    let bench = bench(vec![]);
    bench.starts(1).await;
    bench.restart.notify_one();
    bench.starts(2).await;
    bench.stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), bench.running).await.unwrap().unwrap();
}
