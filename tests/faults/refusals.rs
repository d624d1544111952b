//! The broker refuses, by every reason it has; or it says nothing at all.

use std::time::Duration;

use rumqttc::{ConnectReturnCode, PubAckReason};
use smartstore::clock::{Clock, Trust};
use smartstore::journal::Intake;
use smartstore::sim::broker::{Broker, Limits, Refusal};
use smartstore::types::{Body, Class, CommandId, Condition, DropReason, Notice, Reason, Row, Seq};
use smartstore::uplink::Pace;

use crate::shop::{BOUND, Oracle, Outcome, Shop, broker, compare, complete, health, numbers, pace};

fn refuse(broker: &Broker, filter: &str, containing: &str, reason: PubAckReason) {
    let refusal = Refusal { filter: filter.into(), containing: containing.into(), reason };
    broker.tune(|knobs| knobs.refuse_publish = vec![refusal]);
}

fn lift(broker: &Broker) {
    broker.tune(|knobs| knobs.refuse_publish.clear());
}

/// The ranges that the journal has announced as dropped.
async fn announced(shop: &Shop) -> Vec<(Class, Seq, Seq, DropReason)> {
    let events = shop.journal.unsent(Class::Record, Row(0), 1_000).await.unwrap();
    let dropped = events.into_iter().filter_map(|event| match event.draft.body {
        Body::Noticed(Notice::Dropped { class, from, to, reason }) => Some((class, from, to, reason)),
        _ => None,
    });
    dropped.collect()
}

/// Gives a money event: the end of a command that could not be read.
async fn money(shop: &Shop, id: &str) {
    let refused = Intake::Refused { id: CommandId::new(id).unwrap(), reason: Reason::new("bad-args") };
    shop.journal.accept(refused).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_the_broker_blames_is_found_announced_and_passed() {
    let broker = broker().await;
    refuse(&broker, "#", "poison", PubAckReason::PayloadFormatInvalid);
    let mut shop = Shop::new(&broker.url(), pace());
    shop.scan(250).await;
    shop.journal.append(vec![shop.scanned("the poison event")]).await.unwrap();
    shop.scan(250).await;
    shop.open();
    shop.until("one given up", |progress| progress.given_up == 1).await;
    shop.drained().await;
    shop.close().await;
    // Number 1 is journal.opened, 250 codes follow.
    assert_eq!(announced(&shop).await, [(Class::Record, Seq(252), Seq(252), DropReason::Refused)]);
    let mut oracle = Oracle::default();
    oracle.read(&broker.received());
    let outcome = compare(&shop, &oracle).await;
    assert_eq!(
        outcome,
        Outcome { arrived: 502, lost: 1, wrongly_confirmed: 1, left: 0 },
        "the one, and it is announced"
    );
    assert!(!numbers(&oracle).contains(&252) && numbers(&oracle).contains(&503));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_refused_for_no_reason_is_given_up_only_when_others_are_taken() {
    let broker = broker().await;
    refuse(&broker, "#", "\"scan.code.v1\"", PubAckReason::UnspecifiedError);
    let mut shop = Shop::new(&broker.url(), pace());
    shop.scan(3).await;
    shop.open();
    shop.until("enough refusals for each", |progress| progress.refusals >= 40).await;
    assert_eq!(announced(&shop).await, [], "a broker that takes nothing proves nothing");
    shop.raised(Condition::CloudRefused).await;
    lift(&broker);
    shop.drained().await;
    shop.cleared(Condition::CloudRefused).await;

    refuse(&broker, "#", "poison", PubAckReason::ImplementationSpecificError);
    shop.journal.append(vec![shop.scanned("poison")]).await.unwrap();
    shop.scan(9).await;
    shop.until("enough refusals", |progress| progress.refusals >= 60).await;
    assert_eq!(announced(&shop).await, [], "nine others are not enough");
    // How many of the nine were taken before the event stood alone is chance; ten more are enough in any case.
    shop.scan(10).await;
    shop.until("the event is given up", |progress| progress.given_up == 1).await;
    shop.drained().await;
    shop.close().await;
    assert_eq!(announced(&shop).await, [(Class::Record, Seq(5), Seq(5), DropReason::Refused)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_that_is_used_up_makes_everything_wait_and_nothing_is_given_up() {
    let broker = broker().await;
    refuse(&broker, "+/+/+/+/events/#", "", PubAckReason::QuotaExceeded);
    let mut shop = Shop::new(&broker.url(), pace());
    shop.scan(300).await;
    shop.open();
    shop.until("a few refusals", |progress| progress.refusals >= 5).await;
    assert!(shop.conditions.next_due().is_some(), "cloud.quota stands; it is news after ten seconds");
    lift(&broker);
    let progress = shop.drained().await;
    assert_eq!((progress.given_up, progress.connections), (0, 1), "{progress:?}");
    assert_eq!(shop.conditions.next_due(), None);
    shop.close().await;
    let mut oracle = Oracle::default();
    oracle.read(&broker.received());
    complete(&compare(&shop, &oracle).await, 301);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_not_allowed_waits_and_the_others_go_on() {
    let broker = broker().await;
    refuse(&broker, "+/+/+/+/events/record", "", PubAckReason::NotAuthorized);
    let mut shop = Shop::new(&broker.url(), pace());
    shop.scan(300).await;
    shop.open();
    shop.raised(Condition::CloudRefused).await;
    money(&shop, "c-1").await;
    shop.until("money has arrived", |progress| progress.delivered(Class::Money) == 1).await;
    assert_eq!(shop.uplink.progress().borrow().delivered(Class::Record), 0);
    lift(&broker);
    let progress = shop.drained().await;
    assert_eq!(progress.given_up, 0);
    shop.cleared(Condition::CloudRefused).await;
    shop.close().await;
    let mut oracle = Oracle::default();
    oracle.read(&broker.received());
    complete(&compare(&shop, &oracle).await, 302);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_connection_is_a_condition_until_it_is_accepted() {
    let broker = broker().await;
    broker.tune(|knobs| knobs.refuse_connect = Some(ConnectReturnCode::BadUserNamePassword));
    let mut shop = Shop::new(&broker.url(), pace());
    shop.scan(10).await;
    shop.open();
    shop.raised(Condition::CloudRefused).await;
    let standing = shop.conditions.standing();
    assert_eq!(standing.len(), 1, "{standing:?}");
    assert!(standing[0].detail.as_deref().unwrap().contains("BadUserNamePassword"), "{standing:?}");
    assert!(shop.conditions.settle().iter().any(|change| change.raised));
    broker.tune(|knobs| knobs.refuse_connect = None);
    shop.drained().await;
    shop.cleared(Condition::CloudRefused).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_connection_is_noticed_and_nothing_on_it_is_believed() {
    let broker = broker().await;
    let pace = Pace { silence: Duration::from_millis(1_500), keep_alive_s: 1, ..pace() };
    let mut shop = Shop::new(&broker.url(), pace);
    shop.open();
    shop.drained().await;
    broker.tune(|knobs| knobs.silent = true);
    shop.scan(5_000).await;
    let begun = shop.clock.now();
    shop.until("the silence is noticed", |progress| progress.disconnections == 1).await;
    assert!(shop.clock.now() - begun < Duration::from_secs(3));
    let outcome = compare(&shop, &Oracle::default()).await;
    assert_eq!(outcome.left, 5_000);
    broker.tune(|knobs| knobs.silent = false);
    shop.drained().await;
    shop.close().await;
    let mut oracle = Oracle::default();
    oracle.read(&broker.received());
    complete(&compare(&shop, &oracle).await, 5_001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_takes_but_never_acknowledges_is_not_believed() {
    let broker = broker().await;
    let pace = Pace { acknowledgement: Duration::from_millis(300), ..pace() };
    let mut shop = Shop::new(&broker.url(), pace);
    broker.tune(|knobs| knobs.never_acknowledge = true);
    shop.scan(1_000).await;
    shop.open();
    shop.until("it is given another chance", |progress| progress.disconnections >= 2).await;
    assert_eq!(shop.journal.confirmed(Class::Record).await.unwrap(), Row(0));
    broker.tune(|knobs| knobs.never_acknowledge = false);
    shop.drained().await;
    shop.close().await;
    let mut oracle = Oracle::default();
    oracle.read(&broker.received());
    complete(&compare(&shop, &oracle).await, 1_001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_larger_than_the_brokers_largest_packet_is_never_sent_and_announced() {
    let limits = Limits { packet_bytes: 4_096, record: 10_000, ..Limits::default() };
    let broker = Broker::bind("127.0.0.1:0".parse().unwrap(), limits, Clock::system(Trust::Trusted)).await.unwrap();
    let mut shop = Shop::new(&broker.url(), pace());
    shop.scan(100).await;
    shop.journal.append(vec![shop.scanned(&"x".repeat(5_000))]).await.unwrap();
    shop.scan(100).await;
    shop.open();
    let progress = shop.drained().await;
    shop.close().await;
    assert_eq!((progress.given_up, progress.connections), (1, 1), "found before it was sent");
    assert_eq!(announced(&shop).await, [(Class::Record, Seq(102), Seq(102), DropReason::Oversized)]);
    let received = broker.received();
    let largest = received.iter().map(|message| message.payload.len()).max().unwrap();
    assert!((2_000..4_096).contains(&largest), "the room is used, {largest}");
    let mut oracle = Oracle::default();
    oracle.read(&received);
    assert_eq!(oracle.taken.len(), 202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_event_that_the_broker_takes_goes_alone() {
    let broker = broker().await;
    let mut shop = Shop::new(&broker.url(), pace());
    // With what is around it, more than a message of several may have.
    let large = "x".repeat(65_000);
    shop.journal.append(vec![shop.scanned("before"), shop.scanned(&large), shop.scanned("after")]).await.unwrap();
    shop.open();
    let progress = shop.drained().await;
    shop.close().await;
    assert_eq!(progress.given_up, 0);
    let mut oracle = Oracle::default();
    oracle.read(&broker.received());
    complete(&compare(&shop, &oracle).await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_overtakes_a_backlog() {
    let broker = broker().await;
    let mut shop = Shop::new(&broker.url(), Pace { batch_events: 5, ..pace() });
    shop.scan(40_000).await;
    shop.open();
    shop.until("the backlog has begun to drain", |progress| progress.delivered(Class::Record) > 100).await;
    let left = shop.uplink.progress().borrow().backlog(Class::Record);
    let begun = shop.clock.now();
    money(&shop, "c-1").await;
    let progress = shop.until("money has arrived", |progress| progress.delivered(Class::Money) == 1).await;
    let took = shop.clock.now() - begun;
    assert!(left > 10_000 && progress.backlog(Class::Record) > left / 4, "it was not the last: {left}, {progress:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    shop.drained().await;
    shop.close().await;
    let order: Vec<_> = broker.received().into_iter().map(|message| message.topic).collect();
    let place = order.iter().position(|topic| topic.ends_with("money")).unwrap();
    assert!(place < order.len() / 2, "message {place} of {}", order.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_pulled_away_and_brought_back_gets_everything() {
    let mut broker = broker().await;
    let mut shop = Shop::new(&broker.url(), pace());
    shop.open();
    for _ in 0..5 {
        shop.scan(500).await;
        broker.stop().await;
        shop.until("it is noticed", |progress| !progress.connected).await;
        shop.scan(500).await;
        shop.until("the backlog grows", |progress| progress.backlog_total() >= 500).await;
        broker.start().await.unwrap();
        shop.drained().await;
    }
    shop.close().await;
    let mut oracle = Oracle::default();
    oracle.read(&broker.received());
    complete(&compare(&shop, &oracle).await, 5_001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_says_online_and_offline_whichever_way_it_ends() {
    let mut broker = broker().await;
    let topic = "smartstore/v1/test-store/gw-1/status";
    let status = |broker: &Broker| String::from_utf8(broker.retained(topic).unwrap_or_default()).unwrap();
    let until = async |broker: &Broker, word: &str| {
        let reached = async {
            while !status(broker).contains(word) {
                // waits: the interval at which the level is looked at
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(BOUND, reached).await.unwrap_or_else(|_| panic!("never {word}: {}", status(broker)));
    };
    let mut shop = Shop::new(&broker.url(), pace());
    shop.open();
    until(&broker, r#""state":"online""#).await;
    shop.close().await;
    assert!(status(&broker).contains(r#""state":"offline""#), "said before it leaves");
    shop.open();
    until(&broker, r#""state":"online""#).await;
    shop.kill().await;
    until(&broker, r#""state":"offline""#).await;
    shop.open();
    until(&broker, r#""state":"online""#).await;
    broker.stop().await;
    broker.start().await.unwrap();
    until(&broker, r#""state":"online""#).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_older_than_a_minute_are_marked() {
    let broker = broker().await;
    let mut shop = Shop::new(&broker.url(), pace());
    let mut old = shop.draft(health(true));
    old.at.up = old.at.up.saturating_sub(Duration::from_secs(61));
    shop.journal.append(vec![old, shop.draft(health(false))]).await.unwrap();
    shop.open();
    shop.drained().await;
    shop.close().await;
    let received = broker.received();
    let batches = received.iter().filter(|message| message.topic.ends_with("record"));
    let heads = batches.flat_map(|message| smartstore::wire::cloud::read_batch(&message.payload).unwrap());
    let marked: Vec<_> = heads.filter(|head| head.r#type == "device.health.v1").map(|head| head.historical).collect();
    assert_eq!(marked, [true, false]);
}
