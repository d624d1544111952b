//! The connection for commands: on disk first, then acknowledged.

use rumqttc::{Packet, Publish, QoS, SubAck, SubscribeFilterInput};
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::connect;
use super::fault::Fault;
use super::health::Part;
use super::limits;
use super::link::{Link, Signal};
use super::{Shared, UplinkError};
use crate::backoff::Backoff;
use crate::journal::{Accepted, Intake, JournalError};
use crate::types::{Condition, Event};
use crate::wire::cloud::{Unparsed, parse_command, parse_desired};

/// Connects, again and again, until told to stop.
pub(super) async fn run(
    shared: &Shared,
    repeats: mpsc::Sender<Event>,
    stop: &CancellationToken,
) -> Result<(), UplinkError> {
    let mut backoff = Backoff::new(shared.settings.pace.backoff, shared.settings.pace.backoff_cap);
    loop {
        let (begun, filed) = (shared.clock.now(), shared.meter.subscribe().borrow().commands);
        let fault = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            ended = connection(shared, &repeats) => match ended {
                Err(End::Journal(JournalError::Closed)) => return Err(UplinkError::Journal(JournalError::Closed)),
                Err(End::Journal(error)) => Fault::away(format!("a command cannot be filed: {error}")),
                Err(End::Fault(fault)) => fault,
                // With renewed files, at once.
                Ok(()) => {
                    shared.meter.note(|progress| progress.listening = false);
                    continue;
                }
            },
        };
        shared.meter.note(|progress| progress.listening = false);
        shared.health.fault(Part::Commands, &fault);
        let moved = shared.meter.subscribe().borrow().commands > filed;
        let lasted = shared.clock.now().saturating_duration_since(begun);
        if lasted >= limits::HEALTHY || (moved && fault.condition == Condition::CloudAway) {
            backoff.reset();
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(backoff.next(&shared.clock)) => {}
        }
    }
}

enum End {
    Fault(Fault),
    Journal(JournalError),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// `Ok` when it is to come again with renewed files.
async fn connection(shared: &Shared, repeats: &mpsc::Sender<Event>) -> Result<(), End> {
    let mut renewed = shared.renewed.subscribe();
    let mut options = connect::for_commands(&shared.settings).await?;
    connect::counted(&mut options, &shared.traffic);
    let mut link = Link::open(options, usize::from(limits::COMMANDS_IN_FLIGHT) * 2).await?;
    // At every connection: a session may have been kept without the subscription, by a broker that was killed or by us.
    let topics = [shared.topics.commands(), shared.topics.config_desired()];
    let filters = topics.map(|topic| SubscribeFilterInput::new(topic, QoS::AtLeastOnce));
    let subscribed = link.client.try_subscribe_many(filters);
    subscribed.map_err(|error| Fault::away(format!("cannot subscribe to commands: {error}")))?;
    let mut heard = shared.clock.now();
    loop {
        let silence = heard + shared.settings.pace.silence;
        tokio::select! {
            signal = link.next() => match signal {
                Signal::Incoming(packet) => match &*packet {
                    Packet::Publish(publish) => command(shared, &link, publish, repeats).await?,
                    Packet::SubAck(ack) => subscription(shared, ack)?,
                    _ => {}
                },
                Signal::Ended(error) => return Err(Fault::from(&*error).into()),
            },
            Ok(()) = renewed.changed() => {
                link.leave().await;
                return Ok(());
            }
            () = sleep_until(silence.into()) => {
                let silence = shared.settings.pace.silence;
                return Err(Fault::away(format!("nothing has come from the broker for {silence:?}")).into());
            }
        }
        heard = shared.clock.now();
    }
}

fn subscription(shared: &Shared, ack: &SubAck) -> Result<(), Fault> {
    use rumqttc::SubscribeReasonCode::Success;
    match ack.return_codes.get(1) {
        None | Some(Success(_)) => shared.health.clear(Part::Configuration),
        Some(refused) => {
            let detail = format!("the broker refuses the subscription to config/desired with {refused:?}");
            shared.health.raise(Part::Configuration, Condition::CloudRefused, &detail);
        }
    }
    match ack.return_codes.first() {
        Some(Success(_)) => {
            shared.health.clear(Part::Commands);
            shared.meter.note(|progress| progress.listening = true);
            Ok(())
        }
        refused => {
            let detail = format!("the broker refuses the subscription to commands with {refused:?}");
            Err(Fault::new(Condition::CloudRefused, detail))
        }
    }
}

/// One message: on disk first, then acknowledged. What is not on disk is not acknowledged, and comes again.
async fn command(shared: &Shared, link: &Link, publish: &Publish, repeats: &mpsc::Sender<Event>) -> Result<(), End> {
    if publish.topic == shared.topics.commands() {
        match parse_command(&publish.payload) {
            Ok(command) => file(shared, Intake::Command(command), repeats).await?,
            Err(Unparsed { id: Some(id), reason, detail }) => {
                tracing::warn!(command = %id, %reason, detail, "a command cannot be read and is refused");
                shared.meter.note(|progress| progress.commands_unreadable += 1);
                file(shared, Intake::Refused { id, reason }, repeats).await?;
            }
            Err(Unparsed { id: None, reason, detail }) => {
                let bytes = publish.payload.len();
                tracing::warn!(%reason, detail, bytes, "a message on the command topic is no command");
                shared.meter.note(|progress| progress.commands_unreadable += 1);
            }
        }
    }
    // No topic of its own in a ledger: what is wanted is retained by the broker and offered at every connection, and
    // what is tried is on disk before anything is done.
    if publish.topic == shared.topics.config_desired() && !publish.payload.is_empty() {
        shared.exchange.want(parse_desired(&publish.payload));
    }
    let acknowledged = link.client.try_ack(publish);
    acknowledged.map_err(|error| Fault::away(format!("cannot acknowledge a command: {error}")).into())
}

async fn file(shared: &Shared, intake: Intake, repeats: &mpsc::Sender<Event>) -> Result<(), End> {
    match shared.journal.accept(intake).await {
        Ok(Accepted::New) => shared.meter.note(|progress| progress.commands += 1),
        Ok(Accepted::Seen(None)) => {}
        Ok(Accepted::Seen(Some(event))) => {
            let sent = timeout(limits::ACKNOWLEDGEMENT, repeats.send(*event)).await;
            if !matches!(sent, Ok(Ok(()))) {
                return Err(
                    Fault::away("an outcome cannot be sent again while there is no connection for events").into()
                );
            }
        }
        // It was done and how it ended is lost: the same answer for ever, so it is not asked for again.
        Err(error @ JournalError::Outcome(_)) => tracing::error!(%error, "a command came again"),
        Err(error) => return Err(End::Journal(error)),
    }
    Ok(())
}
