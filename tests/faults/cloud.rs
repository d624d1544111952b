//! A client that plays the cloud: subscribes to events, sends commands.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, PublishOptions, QoS, SessionMode};
use smartstore::sim::broker::Received;
use smartstore::types::{Action, Command, CommandId, DeviceId, Origin};
use smartstore::wire::cloud::command_message;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::shop::BOUND;

pub const COMMANDS: &str = "smartstore/v1/test-store/gw-1/commands";
pub const EVENTS: &str = "smartstore/v1/test-store/gw-1/events/+";

/// A subscription that is not answered is asked for again after so long.
const ASK_AGAIN: Duration = Duration::from_secs(5);

pub struct Cloud {
    client: AsyncClient,
    received: mpsc::Receiver<Received>,
    acknowledged: mpsc::Receiver<u8>,
    _tasks: JoinSet<()>,
}

impl Cloud {
    /// Connects, reconnects by itself, and has subscribed to the events of the shop.
    pub async fn connect(port: u16, id: &str) -> Self {
        Self::subscribed(port, id, EVENTS).await
    }

    /// The same with other topics.
    pub async fn subscribed(port: u16, id: &str, filter: &str) -> Self {
        let mut options = MqttOptions::new(id, ("127.0.0.1", port));
        options.set_session_mode(SessionMode::Persistent);
        options.set_max_packet_size(Some(32 << 20)).set_keep_alive(5);
        let (client, mut connection) = AsyncClient::builder(options).capacity(100).build();
        let (events, received) = mpsc::channel(100_000);
        let (acks, acknowledged) = mpsc::channel(100_000);
        let (subscribed, mut is_subscribed) = mpsc::channel(100);
        let (failed, failure) = watch::channel(None);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                match connection.poll().await {
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let received = Received {
                            client: String::new(),
                            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                            payload: publish.payload.to_vec(),
                            dup: publish.dup,
                            retain: publish.retain,
                            accepted: true,
                        };
                        events.send(received).await.unwrap();
                    }
                    Ok(Event::Incoming(Packet::PubAck(ack))) => acks.send(ack.reason as u8).await.unwrap(),
                    Ok(Event::Incoming(Packet::SubAck(_))) => subscribed.send(()).await.unwrap(),
                    Ok(_) => {}
                    Err(error) => {
                        failed.send_replace(Some(error));
                        // waits: the broker is away; it is tried again at this interval
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            }
        });
        // A connection that ends between the two does not ask again by itself.
        let asked = async {
            loop {
                client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
                if tokio::time::timeout(ASK_AGAIN, is_subscribed.recv()).await.is_ok() {
                    break;
                }
            }
        };
        let asked = tokio::time::timeout(BOUND, asked).await;
        assert!(asked.is_ok(), "no SUBACK; the connection's last error: {:?}", *failure.borrow());
        Self { client, received, acknowledged, _tasks: tasks }
    }

    /// Publishes something on the command topic, and waits until the broker has it.
    pub async fn send(&mut self, payload: Vec<u8>) {
        self.client.publish(COMMANDS, payload, PublishOptions::at_least_once()).await.unwrap();
        tokio::time::timeout(BOUND, self.acknowledged.recv()).await.expect("a PUBACK").unwrap();
    }

    /// What has come since the last call.
    pub fn received(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.received.try_recv().ok()).collect()
    }

    /// The next message.
    pub async fn next(&mut self) -> Received {
        tokio::time::timeout(BOUND, self.received.recv()).await.expect("a message in time").unwrap()
    }
}

/// A command that a device may be asked.
pub fn command(id: &str) -> Command {
    Command {
        id: CommandId::new(id).unwrap(),
        device: Some(DeviceId::new("scanner-1").unwrap()),
        action: Action::DeviceRestart,
        not_after: "2099-01-01T00:00:00Z".parse().unwrap(),
        origin: Origin::Cloud,
    }
}

pub fn message(id: &str) -> Vec<u8> {
    command_message(&command(id))
}
