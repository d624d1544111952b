//! The wire is cut at seeded places, in the middle of packets; sessions are kept or lost.

use std::ops::RangeInclusive;
use std::time::Duration;

use smartstore::sim::broker::{Broker, Cut};
use smartstore::uplink::Pace;

use crate::shop::{Oracle, Shop, broker, compare, complete, pace};

struct Row {
    cuts: u64,
    duplicates: u64,
    messages: u64,
    connections: u64,
    seconds: f64,
}

/// Sends `events` through a wire that is cut, and proves that all arrive and that nothing else is believed.
async fn through_a_cut_wire(events: usize, batch: usize, cut: Cut, forgetful: bool, seed: u64) -> Row {
    let broker = broker().await;
    broker.tune(|knobs| {
        (knobs.cut, knobs.forgetful, knobs.seed) = (Some(cut), forgetful, seed);
    });
    let mut shop = Shop::new(&broker.url(), Pace { batch_events: batch, ..pace() });
    shop.scan(events).await;
    let begun = shop.clock.now();
    shop.open();
    let mut oracle = Oracle::default();
    watch(&shop, &broker, &mut oracle).await;
    let seconds = (shop.clock.now() - begun).as_secs_f64();
    broker.tune(|knobs| knobs.cut = None);
    let progress = shop.drained().await;
    shop.close().await;
    oracle.read(&broker.received());
    complete(&compare(&shop, &oracle).await, events + 1);
    let row = Row {
        cuts: broker.counts().cuts,
        duplicates: oracle.duplicates(),
        messages: oracle.messages,
        connections: progress.connections,
        seconds,
    };
    assert!(row.cuts > 0, "the wire was cut (seed {seed})");
    row
}

/// While it runs: whatever is confirmed has arrived before.
async fn watch(shop: &Shop, broker: &Broker, oracle: &mut Oracle) {
    let drained = shop.drained();
    tokio::pin!(drained);
    loop {
        tokio::select! {
            _ = &mut drained => return,
            // waits: the interval at which the drain is looked at
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                let confirmed = shop.journal.confirmed(smartstore::types::Class::Record).await.unwrap();
                oracle.read(&broker.received());
                let number = u64::try_from(confirmed.0).unwrap();
                let seen = oracle.taken.values().filter(|(seq, _)| *seq <= number).count() as u64;
                assert_eq!(seen, number, "confirmed up to {number}, and the broker has {seen} of them");
            }
        }
    }
}

const FEW: RangeInclusive<u64> = 20..=60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_events_through_a_wire_cut_every_few_publishes_all_arrive_once_by_id() {
    for seed in 1..=4 {
        for forgetful in [false, true] {
            through_a_cut_wire(1_500, 1, Cut::Publishes(FEW), forgetful, seed).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_through_a_wire_cut_in_the_middle_of_packets_all_arrive_once_by_id() {
    for seed in 1..=6 {
        // From the handshake's first bytes to a few hundred kilobytes.
        through_a_cut_wire(4_000, 100, Cut::Bytes(1..=400_000), seed % 2 == 0, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wire_cut_within_the_first_packets_loses_nothing() {
    let broker = broker().await;
    let mut shop = Shop::new(&broker.url(), pace());
    shop.scan(5).await;
    shop.open();
    let mut oracle = Oracle::default();
    // Every byte of CONNECT, CONNACK, the status, one message and their answers, on the way there and back.
    for bytes in (1..2_400).step_by(37) {
        let before = broker.counts().cuts;
        broker.tune(|knobs| knobs.cut = Some(Cut::Bytes(bytes..=bytes)));
        shop.scan(1).await;
        let cut = async {
            while broker.counts().cuts < before + 2 {
                // waits: the interval at which the level is looked at
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        // Where the cut falls behind all there is to say, there is none.
        let _ = tokio::time::timeout(Duration::from_millis(300), cut).await;
        oracle.read(&broker.received());
    }
    broker.tune(|knobs| knobs.cut = None);
    shop.drained().await;
    shop.close().await;
    oracle.read(&broker.received());
    let stored = 1 + 5 + (1..2_400).step_by(37).count();
    complete(&compare(&shop, &oracle).await, stored);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_uplink_killed_at_any_moment_goes_on_where_the_journal_says() {
    let broker = broker().await;
    let mut shop = Shop::new(&broker.url(), Pace { batch_events: 3, ..pace() });
    shop.scan(3_000).await;
    let mut oracle = Oracle::default();
    for round in 0..25_u64 {
        shop.open();
        // waits: the moment of the kill is the subject
        tokio::time::sleep(Duration::from_millis(3 + round * 7 % 23)).await;
        shop.kill().await;
        oracle.read(&broker.received());
        let outcome = compare(&shop, &oracle).await;
        assert_eq!(outcome.wrongly_confirmed, 0, "after kill {round}");
    }
    shop.open();
    shop.drained().await;
    shop.close().await;
    oracle.read(&broker.received());
    complete(&compare(&shop, &oracle).await, 3_001);
}

/// The table of `docs/decisions/2026-11-22-mqtt-client.md`: `SMARTSTORE_CUT_WIRE=20000 cargo test --test faults table
/// -- --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_of_the_cut_wire() {
    #[expect(clippy::disallowed_methods, reason = "a test's size, for measuring by hand")]
    let asked = std::env::var("SMARTSTORE_CUT_WIRE").ok().and_then(|events| events.parse().ok());
    let events = asked.unwrap_or(2_000);
    eprintln!("| events | per message | session | cuts | messages taken | duplicates | connections | seconds |");
    eprintln!("|---|---|---|---|---|---|---|---|");
    for (batch, cut) in [(1, Cut::Publishes(250..=750)), (100, Cut::Publishes(2..=8)), (100, Cut::Bytes(1..=300_000))] {
        for forgetful in [false, true] {
            let row = through_a_cut_wire(events, batch, cut.clone(), forgetful, 20_261_122).await;
            let session = if forgetful { "lost" } else { "kept" };
            eprintln!(
                "| {events} | {batch} ({cut:?}) | {session} | {} | {} | {} | {} | {:.1} |",
                row.cuts, row.messages, row.duplicates, row.connections, row.seconds
            );
        }
    }
    if asked.is_some() {
        for forgetful in [false, true] {
            let (arrived, wrongly) = the_usual_way(events, forgetful).await;
            let session = if forgetful { "lost" } else { "kept" };
            eprintln!("the client's own reconnection, session {session}: {arrived} arrived, {wrongly} wrongly deleted");
        }
    }
}

/// How the client crate is commonly used: one client that reconnects by itself, acknowledgements matched to rows first
/// in, first out. Measured for comparison only; how many arrived, and how many rows would have been deleted unsent.
async fn the_usual_way(events: usize, forgetful: bool) -> (usize, usize) {
    use rumqttc::{AsyncClient, Event, MqttOptions, Packet, PublishOptions, SessionMode};
    let broker = broker().await;
    broker.tune(|knobs| {
        (knobs.cut, knobs.forgetful, knobs.seed) = (Some(Cut::Publishes(250..=750)), forgetful, 20_261_122);
    });
    let mut options = MqttOptions::new("usual", ("127.0.0.1", broker.address().port()));
    options.set_session_mode(SessionMode::Persistent).set_outgoing_inflight_upper_limit(100);
    let (client, mut connection) = AsyncClient::builder(options).capacity(100).build();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        for n in 0..events {
            let _ = client.publish("t", n.to_string().into_bytes(), PublishOptions::at_least_once()).await;
        }
        std::future::pending::<()>().await;
    });
    let mut acknowledged = 0;
    let quiet = Duration::from_secs(3);
    while let Ok(polled) = tokio::time::timeout(quiet, connection.poll()).await {
        if matches!(polled, Ok(Event::Incoming(Packet::PubAck(_)))) {
            acknowledged += 1;
        }
    }
    let arrived: std::collections::BTreeSet<usize> =
        broker.received().iter().map(|m| String::from_utf8_lossy(&m.payload).parse().unwrap()).collect();
    let wrongly = (0..acknowledged.min(events)).filter(|n| !arrived.contains(n)).count();
    (arrived.len(), wrongly)
}
