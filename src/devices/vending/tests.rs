use std::time::Duration;

use super::*;
use crate::device::testing::{self, BOUND, Bench, Far, drafted, plug, said};
use crate::device::{Device, DeviceKind, DriverError, Port, PortEnds};
use crate::types::{
    Action, ActionKind, Assigned, Body, CashKind, Cause, CommandId, Currency, Diagnostic, Ended, Minor, Observation,
    Order, Outcome, Payment, Reason, SaleId, SaleStep, Selection, Slot, Step,
};

const XY: &str = include_str!("../../../device-profiles/vending/xy-vmc.toml");
const QIBIXX: &str = include_str!("../../../device-profiles/vending/mdb-qibixx.toml");
const BOARD: &str = include_str!("../../../device-profiles/vending/zdm8.toml");
const KINDS: [&dyn DeviceKind; 3] = [&VMC, &MDB, &ZDM8];
const CNY: &str = "currency = \"CNY\"\n";

fn configure(profile: &str, endpoint: &str, settings: &str) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
    testing::configure(&KINDS, profile, endpoint, settings)
}

#[test]
fn the_shipped_profiles_make_devices_that_can_what_they_say() {
    use ActionKind::{Approve, Charge, ChargeEnd, Deny, Dispense, JamClear, Recover, StockWrite};
    let can = |profile, settings: &str| configure(profile, "serial:/dev/ttyUSB0", settings).unwrap().can();
    assert_eq!(can(XY, CNY), [Dispense, Recover, JamClear, StockWrite]);
    assert_eq!(can(QIBIXX, CNY), [Dispense, Approve, Deny, Recover]);
    assert_eq!(can(QIBIXX, "currency = \"EUR\"\nrole = \"master\"\ndecimals = 0"), [Charge, ChargeEnd]);
    assert_eq!(can(BOARD, CNY), [Dispense, Recover]);
    let settings = "currency = \"EUR\"\nlane_type = \"belt\"\naddress = 7\nlift = true\ndispense_timeout_ms = 9000";
    let board = configure(BOARD, "serial:/dev/ttyUSB0", settings).unwrap();
    assert_eq!(board.currency(), Currency::parse("EUR").unwrap());
}

#[test]
fn every_mistake_is_named_at_once_where_it_stands() {
    let mistakes = |profile: &str, settings| testing::mistakes(&KINDS, profile, "udp:127.0.0.1:1", settings);
    let of = |code, file: &str, text: &str| (code, file.to_owned(), text.to_owned());
    let xy =
        XY.replace("57600", "57").replace("= 5000 ", "= 5 ").replace("check_timeout_ms = 5000", "check_timeout_ms = 5");
    let found = mistakes(&xy, "currency = \"yuan\"\ndispense_timeout_ms = 7");
    for wanted in [
        of("wrong-endpoint", "store.toml", "cy"),
        of("out-of-range", "profile.toml", "57"),
        of("out-of-range", "profile.toml", "5"),
        of("invalid-value", "store.toml", "\"yuan\""),
        of("out-of-range", "store.toml", "7"),
    ] {
        assert!(found.iter().any(|f| f.0 == wanted.0 && f.1 == wanted.1), "{wanted:?}: {found:?}");
    }
    assert_eq!(found.len(), 5, "{found:?}");
    let found = mistakes(&BOARD.replace("busy = 1", "busy = 2"), "currency = \"CNY\"\naddress = 0");
    let codes: Vec<_> = found.iter().map(|found| found.0).collect();
    assert_eq!(codes, ["wrong-endpoint", "invalid-value", "out-of-range"], "{found:?}");
    assert_eq!(mistakes(BOARD, "")[1].0, "missing-key", "the currency is nobody's guess");
    assert_eq!(mistakes(QIBIXX, "currency = \"CNY\"\ndecimals = 9")[1].0, "out-of-range");
}

fn order(sale: &str, slot: u16) -> Order {
    Order {
        sale: SaleId::new(sale).unwrap(),
        slot: Slot(slot),
        price: Minor(350),
        currency: Currency::parse("CNY").unwrap(),
        payment: Payment::Cloud,
        drop_sensor: None,
    }
}

/// Gives the device something to do, from beside it.
fn giver(bench: &Bench) -> impl Fn(&str, Action) + Send + 'static {
    let (assign, clock) = (bench.ends.assign.clone(), bench.clock.clone());
    move |command, action| {
        let deadline = clock.now() + BOUND;
        assign.blocking_send(Assigned { command: CommandId::new(command).unwrap(), action, deadline }).unwrap();
    }
}

/// Runs the device beside its far end until the far end has done its part.
async fn beside(bench: &mut Bench, far: impl FnOnce() -> Far + Send + 'static) -> Result<(), DriverError> {
    let far = tokio::task::spawn_blocking(far);
    let (device, port, stop) = (&bench.device, &mut bench.port, bench.stop.clone());
    let run = run(device.as_ref(), port);
    let ended = tokio::time::timeout(BOUND, async {
        let watched = async {
            let far = far.await.unwrap();
            stop.cancel();
            far
        };
        let (ended, _far) = tokio::join!(run, watched);
        ended
    });
    ended.await.expect("in time")
}

async fn run(device: &dyn Device, port: &mut Port) -> Result<(), DriverError> {
    device.run(port).await
}

async fn sale(ends: &mut PortEnds) -> SaleStep {
    loop {
        match said(ends).await {
            Observation::Sale(step) => return step,
            Observation::Stock(_) | Observation::Machine(_) => {}
            other => panic!("no sale but {other:?}"),
        }
    }
}

const POLL: &[u8] = &[0xfa, 0xfb, 0x41, 0x00, 0x40];
const ACK: &[u8] = &[0xfa, 0xfb, 0x42, 0x00, 0x43];

/// A machine by hand: what it is told, whatever number it comes under.
impl Far {
    /// Polls, as often as a test can, until there is something else than an ACK, and acknowledges it. Command and text.
    fn told(&mut self) -> (u8, Vec<u8>) {
        loop {
            self.say(POLL);
            let (command, text) = self.frame();
            if command != 0x42 {
                self.say(ACK);
                return (command, text);
            }
        }
    }

    fn frame(&mut self) -> (u8, Vec<u8>) {
        use std::io::Read;
        let mut head = [0; 4];
        self.master.read_exact(&mut head).unwrap();
        assert_eq!(head[..2], [0xfa, 0xfb]);
        let mut rest = vec![0; usize::from(head[3]) + 1];
        self.master.read_exact(&mut rest).unwrap();
        rest.pop();
        (head[2], if rest.is_empty() { rest } else { rest.split_off(1) })
    }

    fn report(&mut self, bytes: &[u8]) {
        self.say(bytes);
        self.expect(ACK);
    }

    /// What an FA FB machine hears first.
    fn greeted(&mut self) {
        assert_eq!(self.told(), (0x31, vec![]));
        assert_eq!(self.told(), (0x51, vec![]));
    }
}

/// The frames of lane 60 are those of `CUI-LTC-Back/.../tab1.page.ts`, lines 1648 to 1655 (laoapps/vending-server).
const DISPENSING_60: &[u8] = &[0xfa, 0xfb, 0x04, 0x04, 0xa3, 0x01, 0x00, 0x3c, 0x9f];
const DISPENSED_60: &[u8] = &[0xfa, 0xfb, 0x04, 0x04, 0xa4, 0x02, 0x00, 0x3c, 0x9b];
const JAM_60: &[u8] = &[0xfa, 0xfb, 0x04, 0x04, 0x9e, 0x03, 0x00, 0x3c, 0xa0];
const READY_60: &[u8] = &[0xfa, 0xfb, 0x02, 0x04, 0xa2, 0x01, 0x00, 0x3c, 0x98];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_ends_by_one_step_of_its_sale_and_by_nothing_else() {
    let mut bench = testing::bench(&KINDS, XY, CNY);
    let mut far = plug(&bench.folder.path().join("tty"));
    let give = giver(&bench);
    let ended = beside(&mut bench, move || {
        far.greeted();
        for (command, sale, result) in [("c-1", "s-1", DISPENSED_60), ("c-2", "s-2", JAM_60)] {
            give(command, Action::Dispense(order(sale, 60)));
            assert_eq!(far.told(), (0x01, vec![0, 0x3c]));
            far.report(READY_60);
            assert_eq!(far.told(), (0x06, vec![1, 0, 0, 0x3c]), "the profile watches the drop");
            far.report(DISPENSING_60);
            far.report(result);
        }
        far
    });
    ended.await.unwrap();
    let draft = drafted(&mut bench.ends).await;
    let cause = Some(Cause::Command(CommandId::new("c-1").unwrap()));
    assert_eq!(draft.cause, cause);
    assert_eq!(draft.body, Body::Observed(Observation::Sale(order("s-1", 60).step(Step::Dispatched))));
    let draft = drafted(&mut bench.ends).await;
    assert_eq!(draft.cause, cause);
    assert_eq!(draft.body, Body::Observed(Observation::Sale(order("s-1", 60).dispensed(Some(true)))));
    assert_eq!(sale(&mut bench.ends).await, order("s-2", 60).step(Step::Dispatched));
    assert_eq!(sale(&mut bench.ends).await, order("s-2", 60).failed(Reason::new("jam")));
    assert!(bench.ends.observed.try_recv().is_err(), "nothing else is said of them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_a_broken_run_has_begun_is_found_out_by_the_next_and_never_given_again() {
    let mut bench = testing::bench(&KINDS, XY, CNY);
    let link = bench.folder.path().join("tty");
    let mut far = plug(&link);
    let give = giver(&bench);
    let broken = tokio::task::spawn_blocking(move || {
        far.greeted();
        give("c-1", Action::Dispense(order("s-1", 60)));
        assert_eq!(far.told().0, 0x01);
        far.report(READY_60);
        assert_eq!(far.told().0, 0x06);
    });
    let ended = tokio::time::timeout(BOUND, bench.device.run(&mut bench.port)).await.expect("in time");
    assert!(matches!(ended, Err(DriverError::Closed)), "{ended:?}");
    broken.await.unwrap();
    bench.port.abandon(true).await.unwrap();
    let mut far = plug(&link);
    let ended = beside(&mut bench, move || {
        far.greeted();
        far.report(DISPENSED_60);
        far.say(POLL);
        far.expect(ACK);
        far
    });
    ended.await.unwrap();
    assert_eq!(sale(&mut bench.ends).await.step, Step::Dispatched);
    assert_eq!(sale(&mut bench.ends).await, order("s-1", 60).dispensed(None), "a later run did not ask for the sensor");
    assert!(bench.ends.observed.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_a_broken_run_had_not_driven_the_machine_for_is_begun_by_the_next() {
    let mut bench = testing::bench(&KINDS, XY, CNY);
    let link = bench.folder.path().join("tty");
    let mut far = plug(&link);
    let give = giver(&bench);
    let broken = tokio::task::spawn_blocking(move || {
        far.greeted();
        give("c-1", Action::Dispense(order("s-1", 60)));
        assert_eq!(far.told().0, 0x01);
    });
    let ended = tokio::time::timeout(BOUND, bench.device.run(&mut bench.port)).await.expect("in time");
    assert!(matches!(ended, Err(DriverError::Closed)), "{ended:?}");
    broken.await.unwrap();
    bench.port.abandon(true).await.unwrap();
    assert!(bench.ends.observed.try_recv().is_err(), "nothing is said of it");
    let mut far = plug(&link);
    let ended = beside(&mut bench, move || {
        assert_eq!(far.told().0, 0x31);
        let mut told = far.told();
        while told.0 == 0x51 {
            told = far.told();
        }
        assert_eq!(told, (0x01, vec![0, 0x3c]));
        far.report(READY_60);
        let mut told = far.told();
        while told.0 == 0x51 {
            told = far.told();
        }
        assert_eq!(told.0, 0x06);
        far.report(DISPENSED_60);
        far
    });
    ended.await.unwrap();
    assert_eq!(sale(&mut bench.ends).await, order("s-1", 60).step(Step::Dispatched));
    assert_eq!(sale(&mut bench.ends).await, order("s-1", 60).dispensed(Some(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_motor_is_not_told_before_the_journal_has_that_it_will_be() {
    let mut bench = testing::bench(&KINDS, XY, CNY);
    let mut far = plug(&bench.folder.path().join("tty"));
    let (give, clock) = (giver(&bench), bench.clock.clone());
    let stored = std::mem::replace(&mut bench.ends.stored, tokio::sync::watch::channel(0).0);
    stored.send_replace(0);
    let ended = beside(&mut bench, move || {
        far.greeted();
        give("c-1", Action::Dispense(order("s-1", 60)));
        assert_eq!(far.told().0, 0x01);
        far.report(READY_60);
        let started = clock.now();
        while clock.now() < started + Duration::from_millis(500) {
            far.say(POLL);
            far.expect(ACK);
        }
        stored.send_replace(1);
        assert_eq!(far.told().0, 0x06);
        stored.send_replace(u64::MAX);
        far.report(DISPENSED_60);
        far
    });
    ended.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_machine_does_by_itself_is_told_in_the_houses_words() {
    let mut bench = testing::bench(&KINDS, XY, CNY);
    let mut far = plug(&bench.folder.path().join("tty"));
    // Bill and swallowed coin: tab1.page.ts 1700 to 1723; lane report: venders/test.vmc.ts 181.
    let bill = [0xfa, 0xfb, 0x21, 0x06, 0xd5, 0x01, 0x00, 0x01, 0x86, 0xa0, 0xd5];
    let swallowed = [0xfa, 0xfb, 0x21, 0x06, 0x83, 0x08, 0x00, 0x01, 0x86, 0xa0, 0x8a];
    let lane = [0xfa, 0xfb, 0x11, 0x0c, 0x41, 0x00, 0x01, 0x00, 0x00, 0x26, 0xac, 0x04, 0x04, 0x00, 0x01, 0x03, 0xd4];
    let mut again = lane;
    (again[4], again[16]) = (0x42, 0xd7);
    let ended = beside(&mut bench, move || {
        far.greeted();
        for frame in [&bill[..], &swallowed, &lane, &again] {
            far.report(frame);
        }
        far
    });
    ended.await.unwrap();
    let mut heard = Vec::new();
    while let Ok(draft) = bench.ends.observed.try_recv() {
        heard.push(draft.body);
    }
    let [Body::Observed(Observation::Cash(bill)), Body::Observed(Observation::Cash(swallowed)), lane] = &heard[..]
    else {
        panic!("{heard:?}")
    };
    assert_eq!((bill.kind, bill.amount, bill.currency.as_str()), (CashKind::Bill, Minor(100_000), "CNY"));
    assert_eq!((swallowed.kind, swallowed.amount), (CashKind::Swallowed, Minor(100_000)));
    let Body::Observed(Observation::Stock(lane)) = lane else { panic!("{lane:?}") };
    assert_eq!((lane.slot, lane.price, lane.count, lane.capacity), (Slot(1), Some(Minor(9900)), Some(4), Some(4)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_at_an_mdb_machine_is_a_sale_that_is_approved_or_denied_by_its_name() {
    let mut bench = testing::bench(&KINDS, QIBIXX, CNY);
    let mut far = plug(&bench.folder.path().join("tty"));
    let give = giver(&bench);
    let (tell, told) = std::sync::mpsc::sync_channel::<Observation>(8);
    let mut observed = std::mem::replace(&mut bench.ends.observed, tokio::sync::mpsc::channel(1).1);
    let stop = bench.stop.clone();
    let relay = async {
        let mut rest = Vec::new();
        while let Some(draft) =
            tokio::select! { biased; draft = observed.recv() => draft, () = stop.cancelled() => None }
        {
            match draft.body {
                Body::Observed(said @ Observation::Selection(_)) => tell.send(said).unwrap(),
                Body::Observed(Observation::Sale(step)) if step.step == Step::Requested => {
                    tell.send(Observation::Sale(step)).unwrap();
                }
                Body::Observed(other) => rest.push(other),
                Body::Noticed(other) => panic!("{other:?}"),
            }
        }
        rest
    };
    // Lines as in docs.qibixx.com, "Vending sessions examples".
    let driven = beside(&mut bench, move || {
        far.expect(b"C,1\r\n");
        far.say(b"c,STATUS,ENABLED\r\nc,STATUS,IDLE\r\nc,STATUS,VEND,1.00,2\r\n");
        let Observation::Sale(chosen) = told.recv_timeout(BOUND).unwrap() else { panic!("no choice") };
        assert_eq!((chosen.slot, chosen.price, chosen.currency.as_str()), (Some(Slot(2)), Minor(100), "CNY"));
        let order = Order { sale: chosen.sale, price: chosen.price, ..order("any", 2) };
        give("c-1", Action::Deny { sale: SaleId::new("another").unwrap(), reason: Reason::new("busy") });
        give("c-2", Action::Approve(order));
        far.expect(b"C,VEND,1.00\r\n");
        far.say(b"c,VEND,SUCCESS\r\nc,STATUS,IDLE\r\nc,STATUS,VEND,0.50,3\r\n");
        let Observation::Sale(chosen) = told.recv_timeout(BOUND).unwrap() else { panic!("no choice") };
        give("c-3", Action::Deny { sale: chosen.sale, reason: Reason::new("denied") });
        far.expect(b"C,STOP\r\n");
        far.say(b"c,STATUS,IDLE\r\nc,STATUS,VEND,0.50,3\r\n");
        assert!(matches!(told.recv_timeout(BOUND).unwrap(), Observation::Sale(_)));
        far.say(b"c,STATUS,ENABLED\r\n");
        assert_eq!(told.recv_timeout(BOUND).unwrap(), Observation::Selection(Selection { slot: None }));
        far
    });
    let (ended, rest) = tokio::join!(driven, relay);
    ended.unwrap();
    let outcome = |id: &str, ended| Observation::Ended(Outcome { command: CommandId::new(id).unwrap(), ended });
    assert_eq!(rest[0], outcome("c-1", Ended::Refused(Reason::new("no-choice"))));
    let [_, Observation::Sale(dispatched), Observation::Sale(dispensed), _] = &rest[..] else { panic!("{rest:?}") };
    assert_eq!((dispatched.step, &dispatched.sale), (Step::Dispatched, &dispensed.sale));
    assert_eq!((dispensed.step, dispensed.price, dispensed.dropped), (Step::Dispensed, Minor(100), None));
    assert_eq!(rest[3], outcome("c-3", Ended::Done));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_that_comes_late_still_counts_and_a_sale_nobody_asked_for_is_the_machines_own() {
    let mut bench = testing::bench(&KINDS, XY, "currency = \"CNY\"\ndispense_timeout_ms = 500");
    let mut far = plug(&bench.folder.path().join("tty"));
    let (give, clock) = (giver(&bench), bench.clock.clone());
    let ended = beside(&mut bench, move || {
        far.greeted();
        give("c-1", Action::Dispense(order("s-1", 60)));
        assert_eq!(far.told().0, 0x01);
        far.report(READY_60);
        assert_eq!(far.told().0, 0x06);
        let started = clock.now();
        while clock.now() < started + Duration::from_millis(1500) {
            far.say(POLL);
            far.expect(ACK);
        }
        far.report(DISPENSED_60);
        far
    });
    ended.await.unwrap();
    assert_eq!(sale(&mut bench.ends).await.step, Step::Dispatched);
    assert_eq!(sale(&mut bench.ends).await, order("s-1", 60).indeterminate(Reason::new("no-result")));
    let late = sale(&mut bench.ends).await;
    let expected = SaleStep { reason: Some(Reason::new("late-result")), ..order("s-1", 60).dispensed(Some(true)) };
    assert_eq!(late, expected);
}
