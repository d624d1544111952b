use std::process::{Command, Stdio};

use futures_util::{SinkExt, StreamExt};
use rumqttc::{
    AckMode, AsyncClient, Codec, Connect, ConnectAuth, ConnectProperties, ConnectReturnCode, Disconnect,
    DisconnectReasonCode, Event, LastWill, MqttOptions, Packet, PubAck, PubAckReason, Publish, PublishOptions, QoS,
    SessionMode, Subscribe, SubscribeFilter, SubscribeReasonCode,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::codec::Framed;

use super::*;
use crate::clock::Trust;

const BOUND: Duration = Duration::from_secs(10);

async fn broker(limits: Limits) -> Broker {
    Broker::bind("127.0.0.1:0".parse().unwrap(), limits, Clock::system(Trust::Trusted)).await.unwrap()
}

/// A client that sends just what it is told to.
struct Raw(Framed<TcpStream, Codec>);

impl Raw {
    async fn open(broker: &Broker) -> Self {
        let stream = TcpStream::connect(broker.address()).await.unwrap();
        Self(Framed::new(stream, Codec { max_incoming_size: None, max_outgoing_size: None }))
    }

    /// Connects; answers the client and whether its session was present.
    async fn connect(broker: &Broker, id: &str, clean_start: bool, expiry_s: u32) -> (Self, bool) {
        Self::connect_with(broker, id, clean_start, expiry_s, None).await
    }

    async fn connect_with(
        broker: &Broker,
        id: &str,
        clean_start: bool,
        expiry_s: u32,
        will: Option<LastWill>,
    ) -> (Self, bool) {
        let mut raw = Self::open(broker).await;
        raw.send(Packet::Connect(hello(id, clean_start, expiry_s), will, ConnectAuth::None)).await;
        match raw.next().await {
            Some(Packet::ConnAck(ack)) if ack.code == ConnectReturnCode::Success => (raw, ack.session_present),
            other => panic!("no entry: {other:?}"),
        }
    }

    async fn send(&mut self, packet: Packet) {
        self.0.send(packet).await.unwrap();
    }

    async fn next(&mut self) -> Option<Packet> {
        timeout(BOUND, self.0.next()).await.expect("an answer in time").and_then(Result::ok)
    }

    async fn publish(&mut self, pkid: u16, topic: &str, payload: &[u8]) -> PubAckReason {
        self.send(Packet::Publish(message(pkid, topic, payload, false))).await;
        match self.next().await {
            Some(Packet::PubAck(ack)) if ack.pkid == pkid => ack.reason,
            other => panic!("no acknowledgement: {other:?}"),
        }
    }

    async fn subscribe(&mut self, filter: &str) -> SubscribeReasonCode {
        let mut subscribe = Subscribe::new(SubscribeFilter::new(filter, QoS::AtLeastOnce), None);
        subscribe.pkid = 9;
        self.send(Packet::Subscribe(subscribe)).await;
        match self.next().await {
            Some(Packet::SubAck(ack)) => ack.return_codes[0],
            other => panic!("no SUBACK: {other:?}"),
        }
    }

    async fn delivered(&mut self) -> Publish {
        match self.next().await {
            Some(Packet::Publish(publish)) => publish,
            other => panic!("no message: {other:?}"),
        }
    }

    async fn goodbye(&mut self) -> DisconnectReasonCode {
        match self.next().await {
            Some(Packet::Disconnect(disconnect)) => disconnect.reason_code,
            other => panic!("no DISCONNECT: {other:?}"),
        }
    }
}

fn hello(id: &str, clean_start: bool, expiry_s: u32) -> Connect {
    let properties = ConnectProperties { session_expiry_interval: Some(expiry_s), ..ConnectProperties::new() };
    Connect { keep_alive: 30, client_id: id.into(), clean_start, properties: Some(properties) }
}

fn message(pkid: u16, topic: &str, payload: &[u8], retain: bool) -> Publish {
    let qos = if pkid == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    Publish { pkid, retain, ..Publish::new(topic, qos, payload.to_vec(), None) }
}

/// Waits until something is so.
async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let waiting = async {
        while !so() {
            // waits: the interval at which the level is looked at
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(BOUND, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn a_message_reaches_those_who_want_it_and_its_sender_is_told_if_nobody_does() {
    let broker = broker(Limits::default()).await;
    let (mut all, _) = Raw::connect(&broker, "all", true, 0).await;
    let (mut one, _) = Raw::connect(&broker, "one", true, 0).await;
    assert_eq!(all.subscribe("a/#").await, SubscribeReasonCode::Success(QoS::AtLeastOnce));
    assert_eq!(one.subscribe("a/+/c").await, SubscribeReasonCode::Success(QoS::AtLeastOnce));
    let (mut sender, present) = Raw::connect(&broker, "sender", true, 0).await;
    assert!(!present);
    assert_eq!(sender.publish(1, "a/b/c", b"1").await, PubAckReason::Success);
    assert_eq!(sender.publish(2, "a/b", b"2").await, PubAckReason::Success);
    assert_eq!(sender.publish(3, "b", b"3").await, PubAckReason::NoMatchingSubscribers);
    sender.send(Packet::Publish(message(0, "a/x/c", b"4", false))).await;
    for (client, expected) in [(&mut all, vec!["1", "2", "4"]), (&mut one, vec!["1", "4"])] {
        for payload in expected {
            assert_eq!(client.delivered().await.payload, payload);
        }
    }
}

#[tokio::test]
async fn a_session_outlives_its_connection_and_what_was_not_acknowledged_comes_again_marked_so() {
    let mut broker = broker(Limits::default()).await;
    let (mut taker, _) = Raw::connect(&broker, "taker", false, 3_600).await;
    taker.subscribe("t").await;
    let (mut sender, _) = Raw::connect(&broker, "sender", true, 0).await;
    sender.publish(1, "t", b"one").await;
    let first = taker.delivered().await;
    drop(taker);
    until("the taker has gone", || broker.clients() == ["sender"]).await;
    sender.publish(2, "t", b"two").await;
    broker.stop().await;
    assert!(TcpStream::connect(broker.address()).await.is_err(), "a stopped broker refuses");
    broker.start().await.unwrap();

    let (mut taker, present) = Raw::connect(&broker, "taker", false, 3_600).await;
    assert!(present);
    let again = taker.delivered().await;
    assert_eq!((&again.payload, again.pkid, again.dup), (&first.payload, first.pkid, true));
    let second = taker.delivered().await;
    assert_eq!((&second.payload[..], second.dup), (&b"two"[..], false));
    for pkid in [again.pkid, second.pkid] {
        taker.send(Packet::PubAck(PubAck::new(pkid, None))).await;
    }
    taker.send(Packet::PingReq).await;
    assert_eq!(taker.next().await, Some(Packet::PingResp));
    drop(taker);

    let (mut taker, present) = Raw::connect(&broker, "taker", false, 0).await;
    assert!(present);
    taker.send(Packet::PingReq).await;
    assert_eq!(taker.next().await, Some(Packet::PingResp), "what was acknowledged does not come again");
    drop(taker);
    until("the session without expiry has gone", || broker.clients().is_empty()).await;
    assert!(!Raw::connect(&broker, "taker", false, 0).await.1);
}

#[tokio::test]
async fn a_forgetful_broker_has_no_session_and_no_subscription_left() {
    let broker = broker(Limits::default()).await;
    let (mut taker, _) = Raw::connect(&broker, "taker", false, 3_600).await;
    taker.subscribe("t").await;
    broker.forget_sessions();
    assert_eq!(taker.goodbye().await, DisconnectReasonCode::SessionTakenOver);
    assert!(!Raw::connect(&broker, "taker", false, 3_600).await.1);
    broker.tune(|knobs| knobs.forgetful = true);
    assert!(!Raw::connect(&broker, "taker", false, 3_600).await.1);
}

#[tokio::test]
async fn the_will_is_said_for_who_breaks_off_and_not_for_who_takes_leave() {
    let broker = broker(Limits::default()).await;
    let will = || Some(LastWill::new("status", "offline", QoS::AtLeastOnce, true, None));
    let (mut leaver, _) = Raw::connect_with(&broker, "leaver", true, 0, will()).await;
    leaver.send(Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection))).await;
    until("the leaver has gone", || broker.clients().is_empty()).await;
    assert_eq!(broker.retained("status"), None);

    let (first, _) = Raw::connect_with(&broker, "same", true, 0, will()).await;
    let (mut second, _) = Raw::connect_with(&broker, "same", true, 0, will()).await;
    assert_eq!(broker.retained("status").as_deref(), Some(&b"offline"[..]), "taking over ends the first");
    second.send(Packet::Publish(message(1, "status", b"online", true))).await;
    assert!(matches!(second.next().await, Some(Packet::PubAck(_))));
    let mut first = first;
    assert_eq!(first.goodbye().await, DisconnectReasonCode::SessionTakenOver);
    drop(first);
    let (mut reader, _) = Raw::connect(&broker, "reader", true, 0).await;
    reader.subscribe("status").await;
    let retained = reader.delivered().await;
    assert_eq!((&retained.payload[..], retained.retain), (&b"online"[..], true));
    drop(second);
    assert_eq!(reader.delivered().await.payload, "offline");
}

#[tokio::test]
async fn refusals_carry_their_reason_and_reach_nobody() {
    let broker = broker(Limits { record: 10, ..Limits::default() }).await;
    broker.tune(|knobs| {
        knobs.refuse_publish = vec![Refusal {
            filter: "t/#".into(),
            containing: b"poison".to_vec(),
            reason: PubAckReason::PayloadFormatInvalid,
        }];
    });
    let (mut client, _) = Raw::connect(&broker, "c", true, 0).await;
    client.subscribe("t/1").await;
    assert_eq!(client.publish(1, "t/1", b"a poison b").await, PubAckReason::PayloadFormatInvalid);
    client.send(Packet::Publish(message(2, "t/1", b"good", false))).await;
    let mut answers = [client.next().await, client.next().await];
    answers.sort_by_key(|packet| matches!(packet, Some(Packet::Publish(_))));
    assert!(matches!(&answers[0], Some(Packet::PubAck(ack)) if ack.reason == PubAckReason::Success), "{answers:?}");
    assert!(matches!(&answers[1], Some(Packet::Publish(publish)) if publish.payload == "good"), "{answers:?}");
    let accepted: Vec<_> = broker.received().into_iter().map(|received| received.accepted).collect();
    assert_eq!(accepted, [false, true]);

    broker.tune(|knobs| knobs.refuse_connect = Some(ConnectReturnCode::NotAuthorized));
    let mut refused = Raw::open(&broker).await;
    refused.send(Packet::Connect(hello("d", true, 0), None, ConnectAuth::None)).await;
    assert!(matches!(refused.next().await, Some(Packet::ConnAck(ack)) if ack.code == ConnectReturnCode::NotAuthorized));
    assert_eq!(refused.next().await, None);
}

#[tokio::test]
async fn every_limit_has_its_answer() {
    let limits = Limits {
        queue_messages: 2,
        sessions: 3,
        subscriptions: 1,
        retained: 1,
        packet_bytes: 100,
        ..Limits::default()
    };
    let broker = broker(limits).await;
    let (mut taker, _) = Raw::connect(&broker, "taker", false, 3_600).await;
    taker.subscribe("t").await;
    assert_eq!(taker.subscribe("u").await, SubscribeReasonCode::QuotaExceeded);
    assert_eq!(taker.subscribe("a/#/b").await, SubscribeReasonCode::TopicFilterInvalid);
    assert_eq!(taker.subscribe("$share/g/t").await, SubscribeReasonCode::SharedSubscriptionsNotSupported);
    drop(taker);
    until("the taker has gone", || broker.clients().is_empty()).await;
    let (mut sender, _) = Raw::connect(&broker, "sender", true, 0).await;
    assert_eq!(sender.publish(1, "t", b"1").await, PubAckReason::Success);
    assert_eq!(sender.publish(2, "t", b"2").await, PubAckReason::Success);
    assert_eq!(sender.publish(3, "t", b"3").await, PubAckReason::QuotaExceeded);
    sender.send(Packet::Publish(message(4, "r/1", b"x", true))).await;
    assert!(matches!(sender.next().await, Some(Packet::PubAck(ack)) if (ack.reason as u8) < 0x80));
    sender.send(Packet::Publish(message(5, "r/2", b"x", true))).await;
    assert!(matches!(sender.next().await, Some(Packet::PubAck(ack)) if ack.reason == PubAckReason::QuotaExceeded));
    let _third = Raw::connect(&broker, "third", true, 0).await;
    let mut fourth = Raw::open(&broker).await;
    fourth.send(Packet::Connect(hello("fourth", true, 0), None, ConnectAuth::None)).await;
    assert!(matches!(fourth.next().await, Some(Packet::ConnAck(ack)) if ack.code == ConnectReturnCode::QuotaExceeded));
    sender.send(Packet::Publish(message(6, "t", &[0; 200], false))).await;
    assert_eq!(sender.goodbye().await, DisconnectReasonCode::PacketTooLarge);
    assert_eq!(broker.counts().publishes_refused, 2);
}

#[tokio::test]
async fn what_is_no_mqtt_ends_its_connection_and_nothing_else() {
    let broker = broker(Limits::default()).await;
    let (mut good, _) = Raw::connect(&broker, "good", true, 0).await;
    for seed in 0..200_u32 {
        let mut stream = TcpStream::connect(broker.address()).await.unwrap();
        let noise: Vec<u8> =
            (0..64).map(|at: u32| seed.wrapping_mul(2_654_435_761).rotate_left(at).to_le_bytes()[0]).collect();
        let _ = stream.write_all(&noise).await;
    }
    let mut half = Raw::open(&broker).await;
    half.send(Packet::Connect(hello("half", true, 0), None, ConnectAuth::None)).await;
    half.next().await;
    half.0.get_mut().write_all(&[0x30, 0xff, 0xff, 0xff, 0xff]).await.unwrap();
    assert_eq!(half.goodbye().await, DisconnectReasonCode::MalformedPacket);
    good.send(Packet::PingReq).await;
    assert_eq!(good.next().await, Some(Packet::PingResp));
}

#[tokio::test]
async fn a_silent_broker_takes_connections_and_never_answers_until_it_does() {
    let broker = broker(Limits::default()).await;
    let (mut client, _) = Raw::connect(&broker, "c", true, 0).await;
    broker.tune(|knobs| knobs.silent = true);
    client.send(Packet::PingReq).await;
    let mut other = Raw::open(&broker).await;
    other.send(Packet::Connect(hello("d", true, 0), None, ConnectAuth::None)).await;
    for silent in [&mut client, &mut other] {
        assert!(timeout(Duration::from_millis(100), silent.0.next()).await.is_err());
    }
    broker.tune(|knobs| knobs.silent = false);
    assert_eq!(client.next().await, Some(Packet::PingResp));
    assert!(matches!(other.next().await, Some(Packet::ConnAck(_))));
}

#[tokio::test]
async fn the_wire_is_cut_after_so_many_bytes_or_publishes() {
    let broker = broker(Limits { record: 1_000, ..Limits::default() }).await;
    broker.tune(|knobs| knobs.cut = Some(Cut::Publishes(3..=3)));
    let (mut client, _) = Raw::connect(&broker, "c", true, 0).await;
    for pkid in 1..=5 {
        client.0.feed(Packet::Publish(message(pkid, "t", b"x", false))).await.unwrap();
    }
    client.0.flush().await.unwrap();
    let mut acknowledged = 0;
    while let Some(Packet::PubAck(_)) = client.next().await {
        acknowledged += 1;
    }
    assert!(acknowledged < 3, "the last acknowledgements are cut in half, {acknowledged} arrived");
    until("the cut is counted", || broker.counts().cuts == 1).await;
    assert_eq!(broker.received().len(), 3);

    // Both packets and their answers have fewer bytes than that; whatever comes of it, the broker goes on.
    for bytes in 1..80 {
        broker.tune(|knobs| knobs.cut = Some(Cut::Bytes(bytes..=bytes)));
        let mut client = Raw::open(&broker).await;
        let _ = client.0.send(Packet::Connect(hello("c", true, 0), None, ConnectAuth::None)).await;
        let _ = client.0.send(Packet::Publish(message(1, "t", b"0123456789", false))).await;
        let _ = client.0.get_mut().shutdown().await;
        while client.next().await.is_some() {}
    }
    broker.tune(|knobs| knobs.cut = None);
    let (mut client, _) = Raw::connect(&broker, "c", true, 0).await;
    assert_eq!(client.publish(1, "t", b"x").await, PubAckReason::NoMatchingSubscribers);
}

#[tokio::test]
async fn the_client_crate_and_the_broker_understand_each_other() {
    let broker = broker(Limits::default()).await;
    let mut options = MqttOptions::new("crate", ("127.0.0.1", broker.address().port()));
    options.set_session_mode(SessionMode::Persistent).set_ack_mode(AckMode::Automatic);
    let (client, mut connection) = AsyncClient::builder(options).capacity(10).build();
    client.subscribe("t/#", QoS::AtLeastOnce).await.unwrap();
    let (mut delivered, mut acknowledged) = (false, false);
    let both = async {
        while !(delivered && acknowledged) {
            match connection.poll().await.unwrap() {
                // Not before: the client lets a publish overtake a subscribe.
                Event::Incoming(Packet::SubAck(_)) => {
                    client.publish("t/1", b"hello".to_vec(), PublishOptions::at_least_once()).await.unwrap();
                }
                Event::Incoming(Packet::Publish(publish)) => delivered = publish.payload == "hello",
                Event::Incoming(Packet::PubAck(ack)) => acknowledged = ack.reason == PubAckReason::Success,
                _ => {}
            }
        }
    };
    timeout(BOUND, both).await.expect("both in time");
}

#[tokio::test]
async fn the_mosquitto_clients_and_the_broker_understand_each_other() {
    if Command::new("mosquitto_sub").arg("--help").output().is_err() {
        eprintln!("SKIPPED: mosquitto_sub is not installed (Debian: mosquitto-clients)");
        return;
    }
    let broker = broker(Limits::default()).await;
    let port = broker.address().port().to_string();
    let common = ["-V", "5", "-h", "127.0.0.1", "-p", &port, "-q", "1"];
    let mut subscriber = Command::new("mosquitto_sub");
    subscriber.args(common).args(["-i", "msub", "-t", "a/+", "-C", "3", "-W", "10", "-v"]);
    let subscriber = subscriber.stdout(Stdio::piped()).spawn().unwrap();
    until("mosquitto_sub is connected", || broker.clients() == ["msub"]).await;
    let (mut probe, _) = Raw::connect(&broker, "probe", true, 0).await;
    while probe.publish(1, "a/probe", b"").await == PubAckReason::NoMatchingSubscribers {}
    for (topic, payload) in [("a/b", "one"), ("b", "not this"), ("a/c", "two")] {
        let mut publisher = Command::new("mosquitto_pub");
        publisher.args(common).args(["-t", topic, "-m", payload]);
        let done = tokio::task::spawn_blocking(move || publisher.status().unwrap()).await.unwrap();
        assert!(done.success(), "mosquitto_pub said {done}");
    }
    let output = tokio::task::spawn_blocking(move || subscriber.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a/probe (null)\na/b one\na/c two\n");
}
