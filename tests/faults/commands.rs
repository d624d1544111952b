//! Commands: on disk before they are acknowledged, once by id, whatever comes and goes.

use std::collections::BTreeSet;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet};
use smartstore::clock::{Clock, Trust};
use smartstore::sim::broker::{Broker, Cut, Limits};
use smartstore::types::{Class, CommandState, Row};
use smartstore::wire::cloud::read_batch;

use crate::cloud::{Cloud, message};
use crate::shop::{BOUND, Shop, broker, pace};

const CLIENT: &str = "test-store.gw-1-down";

async fn open_ids(shop: &Shop) -> Vec<String> {
    let open = shop.journal.open_commands().await.unwrap();
    assert!(open.iter().all(|(_, state)| *state == CommandState::Accepted));
    open.into_iter().map(|(command, _)| command.id.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_wait_at_the_broker_for_a_gateway_that_is_away_and_are_filed_in_order() {
    let mut broker = broker().await;
    let mut cloud = Cloud::connect(broker.address().port(), "cloud").await;
    let mut shop = Shop::new(&broker.url(), pace());
    shop.open();
    shop.until("listening", |progress| progress.listening).await;
    cloud.send(message("c-1")).await;
    shop.until("the first", |progress| progress.commands == 1).await;
    shop.kill().await;
    cloud.send(message("c-2")).await;
    broker.stop().await;
    broker.start().await.unwrap();
    cloud.send(message("c-3")).await;
    shop.open();
    shop.until("all three", |progress| progress.commands == 3).await;
    assert_eq!(open_ids(&shop).await, ["c-1", "c-2", "c-3"]);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_kept_without_its_subscription_gets_it() {
    let broker = broker().await;
    let mut options = MqttOptions::new(CLIENT, ("127.0.0.1", broker.address().port()));
    options.set_session_expiry_interval(Some(3_600)).set_clean_start(false);
    let (client, mut connection) = AsyncClient::builder(options).capacity(1).build();
    assert!(matches!(connection.poll().await, Ok(Event::Incoming(Packet::ConnAck(_)))));
    drop((client, connection));
    let mut cloud = Cloud::connect(broker.address().port(), "cloud").await;
    let mut shop = Shop::new(&broker.url(), pace());
    shop.open();
    shop.until("listening", |progress| progress.listening).await;
    cloud.send(message("c-1")).await;
    shop.until("filed", |progress| progress.commands == 1).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_id_again_repeats_the_recorded_end_and_nothing_else() {
    let broker = broker().await;
    let mut cloud = Cloud::connect(broker.address().port(), "cloud").await;
    let mut shop = Shop::new(&broker.url(), pace());
    shop.open();
    shop.until("listening", |progress| progress.listening).await;
    // Open, so there is nothing to repeat yet.
    cloud.send(message("c-open")).await;
    cloud.send(message("c-open")).await;
    // Refused at once: its id is all that can be read.
    let bad = br#"{"id":"c-bad","action":"fly","not_after":"2099-01-01T00:00:00Z"}"#.to_vec();
    let mut ends = Vec::new();
    for _ in 0..3 {
        cloud.send(bad.clone()).await;
        let end = loop {
            let message = cloud.next().await;
            if message.topic.ends_with("/money") {
                break message;
            }
        };
        let text = String::from_utf8(end.payload.clone()).unwrap();
        assert!(text.contains(r#""command":"c-bad","ended":"refused","reason":"unknown-action""#), "{text}");
        let heads = read_batch(&end.payload).unwrap();
        ends.push((heads[0].id.clone(), heads[0].seq));
    }
    assert!(ends.iter().all(|end| *end == ends[0]), "the same id and number each time: {ends:?}");
    let progress = shop.until("repeated", |progress| progress.repeats == 2).await;
    assert_eq!((progress.commands, progress.commands_unreadable), (2, 3));
    assert_eq!(open_ids(&shop).await, ["c-open"]);
    assert_eq!(shop.stored(Class::Money).await.len(), 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_command_is_counted_and_does_not_come_again() {
    let broker = broker().await;
    let mut cloud = Cloud::connect(broker.address().port(), "cloud").await;
    let mut shop = Shop::new(&broker.url(), pace());
    shop.open();
    shop.until("listening", |progress| progress.listening).await;
    let nothing = [&b""[..], b"\xff\xfe", b"{}", b"[1,2,3]", b"{\"id\":\"\"}"];
    for bytes in nothing {
        cloud.send(bytes.to_vec()).await;
    }
    cloud.send(vec![b'x'; 65 * 1024]).await;
    cloud.send(message("c-1")).await;
    shop.until("the command behind them", |progress| progress.commands == 1).await;
    shop.kill().await;
    let unreadable = shop.uplink.progress().borrow().commands_unreadable;
    assert_eq!(unreadable, 6);
    shop.open();
    cloud.send(message("c-2")).await;
    let progress = shop.until("the next", |progress| progress.commands == 2).await;
    assert_eq!(progress.commands_unreadable, unreadable, "they were acknowledged");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_mebibytes_on_the_command_topic_stop_nothing() {
    let limits = Limits { packet_bytes: 16 << 20, queue_bytes: 64 << 20, ..Limits::default() };
    let broker = Broker::bind("127.0.0.1:0".parse().unwrap(), limits, Clock::system(Trust::Trusted)).await.unwrap();
    let mut cloud = Cloud::connect(broker.address().port(), "cloud").await;
    let mut shop = Shop::new(&broker.url(), pace());
    shop.open();
    shop.until("listening", |progress| progress.listening).await;
    cloud.send(vec![b'x'; 10 << 20]).await;
    cloud.send(message("c-1")).await;
    shop.until("the command behind it", |progress| progress.commands == 1).await;
    assert_eq!(broker.counts().undeliverable, 1, "we said how much we take, and the broker keeps to it");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_through_a_cut_wire_are_each_filed_once() {
    let broker = broker().await;
    let mut cloud = Cloud::connect(broker.address().port(), "cloud").await;
    let mut shop = Shop::new(&broker.url(), pace());
    shop.open();
    shop.until("listening", |progress| progress.listening).await;
    // The next connections are cut, the cloud's is there already. Sixteen commands on their way have 3,000 bytes.
    broker.tune(|knobs| (knobs.cut, knobs.seed) = (Some(Cut::Bytes(100..=8_000)), 5));
    shop.kill().await;
    shop.open();
    for n in 0..300 {
        cloud.send(message(&format!("c-{n:03}"))).await;
    }
    let all_filed = async {
        while open_ids(&shop).await.len() < 300 {
            // waits: the interval at which the level is looked at
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(BOUND, all_filed).await.expect("all are filed in time");
    assert!(broker.counts().cuts > 5, "{:?}", broker.counts());
    broker.tune(|knobs| knobs.cut = None);
    let ids: BTreeSet<_> = open_ids(&shop).await.into_iter().collect();
    assert_eq!(ids, (0..300).map(|n| format!("c-{n:03}")).collect());
    shop.close().await;
    assert_eq!(shop.journal.confirmed(Class::Money).await.unwrap(), Row(0));
}
