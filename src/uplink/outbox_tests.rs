use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::types::{
    Body, CodeKind, CodeScanned, CommandId, DeviceId, Draft, Ended, Epoch, GatewayId, Observation, Outcome, StoreId,
    Timestamp,
};
use crate::wire::cloud::read_batch;

fn clock() -> Clock {
    Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 1)
}

fn source() -> Source {
    Source::new(&StoreId::new("s").unwrap(), &GatewayId::new("g").unwrap(), Epoch(uuid::Uuid::nil()))
}

fn event(class: Class, number: u64, value: &str, clock: &Clock) -> Event {
    let body = match class {
        Class::Money => Observation::Ended(Outcome { command: CommandId::new(value).unwrap(), ended: Ended::Done }),
        // There is no telemetry in the vocabulary yet; the outbox goes by the lane, not by the body.
        Class::Record | Class::Telemetry => Observation::Code(CodeScanned {
            kind: CodeKind::Unknown,
            symbology: None,
            value: value.to_owned(),
            gtin: None,
            ai: BTreeMap::new(),
        }),
    };
    let draft = Draft {
        id: clock.event_id(),
        device: Some(DeviceId::new("d").unwrap()),
        at: clock.stamp(),
        cause: None,
        body: Body::Observed(body),
    };
    Event { row: Row(i64::try_from(number).unwrap()), seq: Seq(number), draft }
}

fn events(class: Class, numbers: std::ops::RangeInclusive<u64>, clock: &Clock) -> Vec<Event> {
    numbers.map(|number| event(class, number, &format!("v{number}"), clock)).collect()
}

const ROOM: Room = Room { batch: limits::MESSAGE_BYTES, event: limits::EVENT_BYTES };

fn pace() -> Pace {
    Pace { backoff: Duration::from_millis(10), backoff_cap: Duration::from_millis(100), ..Pace::default() }
}

fn outbox(pace: &Pace) -> Outbox {
    Outbox::new([Row(0); 3], ROOM, pace, clock().now())
}

/// Hands everything over that may be.
fn hand_over(outbox: &mut Outbox, clock: &Clock, careful: &Careful) -> Vec<(Class, u64, Vec<u64>)> {
    let next = || outbox.next(&source(), clock, careful, 0);
    let numbers = |payload: &[u8]| read_batch(payload).unwrap().iter().map(|head| head.seq).collect();
    std::iter::from_fn(next).map(|(class, out)| (class, out.id, numbers(&out.payload))).collect()
}

#[test]
fn what_has_its_turn_still_to_come_is_known_from_what_was_confirmed_before() {
    let clock = clock();
    let mut outbox = Outbox::new([Row(2), Row(0), Row(0)], ROOM, &pace(), clock.now());
    let comes = |outbox: &Outbox| -> Vec<bool> {
        (1..=5).map(|row| outbox.comes_to(&event(Class::Money, row, "v", &clock))).collect()
    };
    assert_eq!(comes(&outbox), [false, false, true, true, true]);
    outbox.filled(Class::Money, events(Class::Money, 3..=4, &clock), Row(4));
    assert!(outbox.comes_to(&event(Class::Money, 3, "v", &clock)), "read, and not handed over");
    assert_eq!(hand_over(&mut outbox, &clock, &Careful::default()).len(), 1);
    assert_eq!(comes(&outbox), [false, false, false, false, true]);
}

#[tokio::test(start_paused = true)]
async fn money_goes_first_and_slots_are_kept_for_it() {
    let (clock, careful) = (clock(), Careful::default());
    let mut outbox = outbox(&Pace { batch_events: 1, ..pace() });
    outbox.filled(Class::Telemetry, events(Class::Telemetry, 1..=50, &clock), Row(50));
    let sent = hand_over(&mut outbox, &clock, &careful);
    assert_eq!(sent.len(), 12, "telemetry leaves four slots");
    outbox.filled(Class::Record, events(Class::Record, 1..=50, &clock), Row(50));
    let sent = hand_over(&mut outbox, &clock, &careful);
    assert_eq!(sent.len(), 2, "records leave two");
    assert!(sent.iter().all(|(class, ..)| *class == Class::Record));
    outbox.filled(Class::Money, events(Class::Money, 1..=50, &clock), Row(50));
    let sent = hand_over(&mut outbox, &clock, &careful);
    assert_eq!(sent.iter().map(|(class, ..)| *class).collect::<Vec<_>>(), [Class::Money; 2]);
    let fresh = Outbox::new([Row(0); 3], ROOM, &pace(), clock.now());
    assert_eq!(fresh.wants(|_| Row(99)), Some((Class::Money, Row(0))), "money is read first");
}

#[tokio::test(start_paused = true)]
async fn other_bytes_on_the_way_are_bounded_and_money_does_not_count() {
    let (clock, careful) = (clock(), Careful::default());
    let mut outbox = outbox(&pace());
    let large = "x".repeat(60_000);
    let large = (1..=20).map(|number| event(Class::Record, number, &large, &clock)).collect();
    outbox.filled(Class::Record, large, Row(20));
    assert_eq!(hand_over(&mut outbox, &clock, &careful).len(), 5, "at 300,000 bytes it is enough");
    outbox.filled(Class::Money, events(Class::Money, 1..=100, &clock), Row(100));
    assert_eq!(hand_over(&mut outbox, &clock, &careful).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn answers_out_of_order_settle_in_order() {
    let (clock, mut careful) = (clock(), Careful::default());
    let mut outbox = outbox(&Pace { batch_events: 10, ..pace() });
    outbox.filled(Class::Record, events(Class::Record, 1..=30, &clock), Row(30));
    let ids: Vec<_> = hand_over(&mut outbox, &clock, &careful).into_iter().map(|(_, id, _)| id).collect();
    outbox.taken(Class::Record, ids[2], &mut careful);
    outbox.taken(Class::Record, ids[1], &mut careful);
    assert_eq!(outbox.settle(), None, "the first is not answered");
    outbox.taken(Class::Record, ids[0], &mut careful);
    assert_eq!(outbox.settle(), Some((Class::Record, Settled { row: Row(30), seq: Seq(30), delivered: 30 })));
    assert_eq!(outbox.settle(), None);
}

#[tokio::test(start_paused = true)]
async fn a_class_that_is_not_allowed_waits_alone_and_longer_each_time() {
    let (clock, mut careful) = (clock(), Careful::default());
    let mut outbox = outbox(&pace());
    for class in [Class::Record, Class::Telemetry] {
        outbox.filled(class, events(class, 1..=3, &clock), Row(3));
    }
    let sent = hand_over(&mut outbox, &clock, &careful);
    assert_eq!(outbox.refused(Class::Record, sent[0].1, PubAckReason::NotAuthorized, &clock), Verdict::Topic);
    outbox.taken(Class::Telemetry, sent[1].1, &mut careful);
    assert!(outbox.is_refused(Class::Record) && !outbox.is_refused(Class::Telemetry));
    let due = outbox.deadline(Duration::from_secs(30), clock.now()).unwrap();
    assert!(due <= clock.now() + Duration::from_millis(10));
    tokio::time::advance(Duration::from_millis(11)).await;
    let again = hand_over(&mut outbox, &clock, &careful);
    assert_eq!(again, [(Class::Record, sent[0].1, vec![1, 2, 3])], "the same, whole");
    outbox.taken(Class::Record, again[0].1, &mut careful);
    assert!(!outbox.is_refused(Class::Record));
}

#[tokio::test(start_paused = true)]
async fn a_used_up_quota_stops_every_class_for_a_while() {
    let (clock, mut careful) = (clock(), Careful::default());
    let mut outbox = outbox(&pace());
    outbox.filled(Class::Record, events(Class::Record, 1..=3, &clock), Row(3));
    let sent = hand_over(&mut outbox, &clock, &careful);
    assert_eq!(outbox.refused(Class::Record, sent[0].1, PubAckReason::QuotaExceeded, &clock), Verdict::Quota);
    outbox.filled(Class::Money, events(Class::Money, 1..=3, &clock), Row(3));
    assert_eq!(hand_over(&mut outbox, &clock, &careful), []);
    assert!(!outbox.quota_is_back());
    tokio::time::advance(Duration::from_millis(11)).await;
    let classes: Vec<_> = hand_over(&mut outbox, &clock, &careful).into_iter().map(|(class, ..)| class).collect();
    assert_eq!(classes, [Class::Money, Class::Record]);
    outbox.taken(Class::Record, sent[0].1, &mut careful);
    assert!(outbox.quota_is_back());
}

/// A broker that ends the connection whenever a message holds the poison.
#[tokio::test(start_paused = true)]
async fn an_event_that_ends_connections_is_found_alone_before_it_is_given_up() {
    let (clock, mut careful) = (clock(), Careful::default());
    let (poison, last) = (137, 300);
    let (mut confirmed, mut given_up, mut ends, mut alone) = (0, Vec::new(), 0, 0);
    while confirmed < last {
        let mut outbox =
            Outbox::new([Row(0), Row(i64::try_from(confirmed).unwrap()), Row(0)], ROOM, &pace(), clock.now());
        outbox.filled(Class::Record, events(Class::Record, confirmed + 1..=last, &clock), Row(300));
        'connection: loop {
            while let Some(hopeless) = outbox.hopeless() {
                given_up.push((hopeless.seq.0, hopeless.reason));
                outbox.buried(hopeless, &mut careful);
            }
            let sent = hand_over(&mut outbox, &clock, &careful);
            if sent.is_empty() && outbox.hopeless().is_none() && outbox.on_the_way().0 == 0 {
                break;
            }
            for (class, id, numbers) in sent {
                if numbers.contains(&poison) {
                    alone += usize::from(numbers == [poison]);
                    outbox.ended_over_a_packet(&mut careful);
                    ends += 1;
                    break 'connection;
                }
                outbox.taken(class, id, &mut careful);
            }
            confirmed = outbox.settle().map_or(confirmed, |(_, settled)| settled.seq.0);
        }
        confirmed = outbox.settle().map_or(confirmed, |(_, settled)| settled.seq.0);
        assert!(ends < 20, "it goes on for ever");
    }
    assert_eq!(given_up, [(poison, DropReason::Refused)]);
    assert_eq!(alone, 3, "it was alone as often as it must be");
}

/// What a broker may answer.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Take,
    Reason(PubAckReason),
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        6 => Just(Answer::Take),
        1 => Just(Answer::Reason(PubAckReason::QuotaExceeded)),
        1 => Just(Answer::Reason(PubAckReason::NotAuthorized)),
        1 => Just(Answer::Reason(PubAckReason::UnspecifiedError)),
        1 => Just(Answer::Reason(PubAckReason::PayloadFormatInvalid)),
    ]
}

proptest! {
    /// Whatever is answered in whatever order: what is settled has been taken or given up, once; and it ends.
    #[test]
    fn nothing_is_settled_that_was_not_taken_or_announced(
        answers in proptest::collection::vec((answer(), any::<prop::sample::Index>()), 0..300),
        batch_events in 1..20_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (clock, mut careful) = (clock(), Careful::default());
            let mut outbox = outbox(&Pace { batch_events, ..pace() });
            let last = 60_u64;
            for class in Class::ALL {
                outbox.filled(class, events(class, 1..=last, &clock), Row(60));
            }
            let mut open: Vec<(Class, u64, Vec<u64>)> = Vec::new();
            let mut over: BTreeSet<(Class, u64)> = BTreeSet::new();
            let mut settled = BTreeMap::from(Class::ALL.map(|class| (class, 0)));
            let mut blamed: BTreeSet<(Class, u64)> = BTreeSet::new();
            let mut answers = answers.into_iter();
            for round in 0.. {
                open.extend(hand_over(&mut outbox, &clock, &careful));
                let next = answers.next();
                let answer = next.as_ref().map_or(Answer::Take, |(answer, _)| *answer);
                if !open.is_empty() {
                    let at = next.map_or(0, |(_, which)| which.index(open.len()));
                    let (class, id, numbers) = open.remove(at);
                    match answer {
                        Answer::Take => {
                            for number in numbers {
                                assert!(over.insert((class, number)), "{class:?} {number} is sent again");
                            }
                            outbox.taken(class, id, &mut careful);
                        }
                        Answer::Reason(reason) => {
                            outbox.refused(class, id, reason, &clock);
                            blamed.extend(numbers.into_iter().map(|number| (class, number)));
                        }
                    }
                }
                while let Some(hopeless) = outbox.hopeless() {
                    let event = (hopeless.class, hopeless.seq.0);
                    assert!(blamed.contains(&event) && over.insert(event));
                    outbox.buried(hopeless, &mut careful);
                }
                while let Some((class, now)) = outbox.settle() {
                    settled.insert(class, now.seq.0);
                }
                for class in Class::ALL {
                    let mut numbers = 1..=settled[&class];
                    assert!(numbers.all(|number| over.contains(&(class, number))), "{class:?} {settled:?}");
                }
                if settled.values().all(|number| *number == last) {
                    break;
                }
                assert!(round < 5_000, "it does not end: {settled:?}");
                tokio::time::advance(Duration::from_millis(20)).await;
            }
            assert_eq!(over.len(), 180);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn what_happens_now_goes_before_the_backlog_of_other_classes_and_the_backlog_at_its_rate() {
    let clock = clock();
    let pace = Pace { backfill_per_s: std::num::NonZeroU32::new(1_000).unwrap(), batch_events: 10, ..pace() };
    let mut outbox = Outbox::new([Row(0); 3], ROOM, &pace, clock.now());
    let mut careful = Careful::default();
    let old = events(Class::Record, 1..=5_000, &clock);
    clock.pass(Duration::from_secs(61));
    let begun = clock.now();
    let (mut fed, mut sent, mut live) = (old.into_iter(), 0_u64, 0_u64);
    for step in 1..=2_000_u64 {
        let head = |class| if class == Class::Record { Row(5_000) } else { Row(0) };
        if let Some((class, _)) = outbox.wants(head) {
            outbox.filled(class, fed.by_ref().take(10).collect(), Row(5_000));
        }
        if step % 100 == 0 {
            live += 1;
            outbox.filled(Class::Telemetry, events(Class::Telemetry, live..=live, &clock), Row(0));
            outbox.filled(Class::Money, events(Class::Money, live..=live, &clock), Row(0));
        }
        let handed = hand_over(&mut outbox, &clock, &careful);
        if step % 100 == 0 {
            let classes: Vec<_> = handed.iter().take(2).map(|(class, ..)| *class).collect();
            assert_eq!(classes, [Class::Money, Class::Telemetry], "step {step}: before any backlog");
        }
        for (class, id, numbers) in handed {
            sent += if class == Class::Record { numbers.len() as u64 } else { 0 };
            outbox.taken(class, id, &mut careful);
        }
        while outbox.settle().is_some() {}
        clock.pass(Duration::from_millis(1));
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let promised = u64::try_from((clock.now() - begun).as_millis()).unwrap();
    assert!((promised - 100..=promised + 200).contains(&sent), "{sent} of {promised}");
}
