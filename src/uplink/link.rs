//! One connection to the broker: made, used and thrown away. A new connection gets a new client.

use std::time::Duration;

use rumqttc::{AsyncClient, ConnAck, ConnectionError, Event, EventLoop, MqttOptions, Packet};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::fault::{Fault, is_wordless};
use super::limits;

/// What comes from a connection.
#[derive(Debug)]
pub(super) enum Signal {
    /// A packet; the answers to publishes come by their notices instead.
    Incoming(Box<Packet>),
    /// It is over.
    Ended(Box<ConnectionError>),
}

/// One connection. Dropping it closes the socket.
#[derive(Debug)]
pub(super) struct Link {
    /// Hands requests over. There is room for `capacity` of them.
    pub client: AsyncClient,
    /// Largest packet the broker takes, if it said so.
    pub packet_bytes: Option<u32>,
    signals: mpsc::Receiver<Signal>,
    /// Polls the client's event loop without ever being cancelled half-way, which it does not bear.
    _driver: JoinSet<()>,
}

impl Link {
    /// Connects, to the point where the broker has accepted us.
    pub(super) async fn open(options: MqttOptions, capacity: usize) -> Result<Self, Fault> {
        let (client, eventloop) = AsyncClient::builder(options).capacity(capacity).build();
        let (sender, mut signals) = mpsc::channel(limits::SIGNALS);
        let mut driver = JoinSet::new();
        driver.spawn(drive(eventloop, sender));
        let patience = limits::CONNECT + Duration::from_secs(1);
        let packet_bytes = match timeout(patience, signals.recv()).await {
            Ok(Some(Signal::Incoming(packet))) => match &*packet {
                Packet::ConnAck(ack) => most(ack),
                other => return Err(Fault::away(format!("the broker began with {:?}", other.packet_type()))),
            },
            Ok(Some(Signal::Ended(error))) => {
                return Err(Fault { wordless: is_wordless(&error), ..Fault::from(&*error) });
            }
            Ok(None) => return Err(Fault::away("the connection ended without a word")),
            Err(_) => return Err(Fault::away("the broker did not answer the connection in time")),
        };
        Ok(Self { client, packet_bytes, signals, _driver: driver })
    }

    /// Takes leave: nothing that is on its way is waited for.
    pub(super) async fn leave(&mut self) {
        if self.client.try_disconnect().is_ok() {
            let ended = async { while let Signal::Incoming(_) = self.next().await {} };
            let _ = timeout(Duration::from_secs(1), ended).await;
        }
    }

    /// The next that comes. Safe to cancel.
    pub(super) async fn next(&mut self) -> Signal {
        self.signals.recv().await.unwrap_or(Signal::Ended(Box::new(ConnectionError::RequestsDone)))
    }
}

fn most(ack: &ConnAck) -> Option<u32> {
    ack.properties.as_ref().and_then(|properties| properties.max_packet_size)
}

async fn drive(mut eventloop: EventLoop, signals: mpsc::Sender<Signal>) {
    loop {
        let signal = match eventloop.poll().await {
            Ok(Event::Incoming(Packet::PubAck(_))) => continue,
            Ok(Event::Incoming(packet)) => Signal::Incoming(Box::new(packet)),
            Ok(_) => continue,
            Err(error) => {
                let _ = signals.send(Signal::Ended(Box::new(error))).await;
                return;
            }
        };
        if signals.send(signal).await.is_err() {
            return;
        }
    }
}
