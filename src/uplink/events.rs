//! The connection for events: status, outbox, outcomes sent once more.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rumqttc::{PublishNoticeError, PublishOptions, PublishResult};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::connect;
use super::fault::Fault;
use super::health::Part;
use super::lane::{Room, Settled};
use super::limits;
use super::link::{Link, Signal};
use super::outbox::{Careful, Hopeless, Outbox, Verdict};
use super::renewal::Files;
use super::{Settings, Shared, UplinkError};
use crate::backoff::Backoff;
use crate::journal::{Head, Journal, JournalError};
use crate::types::{Body, Class, Condition, ConfigReport, Draft, Encoding, Event, Notice, Row};
use crate::wire::cloud::{Authorise, Encoded, Source, State, Topics, authorise_message, packed, reported_message};

/// Fixed header, length of the topic, packet id, properties.
const AROUND_REPORT: usize = 16;

/// Why a connection for events is over.
#[derive(Debug)]
enum End {
    /// Told to stop, or to come again with renewed files; left in order.
    Left,
    /// The network, the broker or our answer to it.
    Fault(Fault),
    /// The journal does not answer.
    Journal(JournalError),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<JournalError> for End {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// Connects, again and again, until told to stop.
pub(super) async fn run(
    shared: &Shared,
    mut repeats: mpsc::Receiver<Event>,
    stop: &CancellationToken,
) -> Result<(), UplinkError> {
    let mut backoff = Backoff::new(shared.settings.pace.backoff, shared.settings.pace.backoff_cap);
    let mut careful = Careful::default();
    loop {
        let begun = shared.clock.now();
        let delivered = shared.meter.subscribe().borrow().delivered_total();
        let end = tokio::select! {
            end = connection(shared, &mut repeats, &mut careful, stop) => end,
            // Not while it takes leave: that is bounded by itself.
            () = stopped_and_late(stop) => End::Left,
        };
        let fault = match end {
            End::Left if stop.is_cancelled() => return Ok(()),
            // With renewed files, at once.
            End::Left => continue,
            End::Journal(JournalError::Closed) => return Err(UplinkError::Journal(JournalError::Closed)),
            End::Journal(error) => Fault::away(format!("the journal does not answer: {error}")),
            End::Fault(fault) => fault,
        };
        shared.health.fault(Part::Events, &fault);
        let lasted = shared.clock.now().saturating_duration_since(begun);
        let moved = shared.meter.subscribe().borrow().delivered_total() > delivered;
        if lasted >= limits::HEALTHY || (moved && fault.condition == Condition::CloudAway) {
            backoff.reset();
        }
        let wait = backoff.next(&shared.clock);
        tracing::debug!(detail = fault.detail, wait_ms = wait.as_millis(), "no connection for events");
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn stopped_and_late(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(limits::FAREWELL).await;
}

async fn connection(
    shared: &Shared,
    repeats: &mut mpsc::Receiver<Event>,
    careful: &mut Careful,
    stop: &CancellationToken,
) -> End {
    let opened = tokio::select! {
        () = stop.cancelled() => return End::Left,
        opened = open(shared) => opened,
    };
    let (link, outbox) = match opened {
        Ok(opened) => opened,
        Err(end) => return end,
    };
    shared.health.clear(Part::Events);
    shared.meter.note(|progress| {
        progress.connected = true;
        progress.connections += 1;
    });
    let mut session = Session::new(shared, link, outbox, careful);
    let end = session.run(repeats, stop).await.err().unwrap_or(End::Left);
    if let End::Fault(Fault { over_a_packet: true, .. }) = end {
        session.outbox.ended_over_a_packet(session.careful);
    }
    shared.health.clear(Part::Quota);
    shared.health.clear(Part::Status);
    for class in Class::ALL {
        shared.health.clear(Part::Topic(class));
    }
    shared.meter.note(|progress| {
        progress.connected = false;
        progress.disconnections += u64::from(!matches!(end, End::Left));
    });
    end
}

async fn open(shared: &Shared) -> Result<(Link, Outbox), End> {
    let mut confirmed = [Row::default(); 3];
    for (confirmed, class) in confirmed.iter_mut().zip(Class::ALL) {
        *confirmed = shared.journal.confirmed(class).await?;
    }
    let files = Files::look(&shared.settings).await;
    let mut options = connect::for_events(&shared.settings, &shared.clock).await?;
    connect::counted(&mut options, &shared.traffic);
    let link = Link::open(options, shared.settings.pace.window + limits::REPEATS + 4).await?;
    let room = room(link.packet_bytes, &shared.topics)?;
    shared.files.send_replace(files);
    Ok((link, Outbox::new(confirmed, room, &shared.settings.pace, shared.clock.now())))
}

/// What the broker's Maximum Packet Size leaves for a payload.
fn room(packet_bytes: Option<u32>, topics: &Topics) -> Result<Room, Fault> {
    let packet_bytes = packet_bytes.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if packet_bytes < limits::LEAST_PACKET_BYTES {
        let detail = format!(
            "the broker takes packets of {packet_bytes} bytes, at least {} are needed",
            limits::LEAST_PACKET_BYTES
        );
        return Err(Fault::new(Condition::CloudRefused, detail));
    }
    // Fixed header, topic with its length, packet id, no properties (MQTT 5, 3.3).
    let around = 5 + 2 + topics.events(Class::Telemetry).len() + 2 + 1;
    let left = packet_bytes - around;
    Ok(Room { batch: left.min(limits::MESSAGE_BYTES), event: left.min(limits::EVENT_BYTES) })
}

/// What a message on its way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Status,
    Reported,
    Repeat,
    Asked,
    Flight(Class, u64),
}

type Noticed = (Token, Result<PublishResult, PublishNoticeError>);

/// What the journal was asked, with its answer.
#[derive(Debug)]
enum Answer {
    Read(Class, Row, Result<Vec<Event>, JournalError>),
    Confirmed(Class, Settled, Result<(), JournalError>),
    Announced(Hopeless, Result<Vec<Row>, JournalError>),
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

struct Session<'a> {
    shared: &'a Shared,
    link: Link,
    outbox: Outbox,
    careful: &'a mut Careful,
    source: Source,
    head: watch::Receiver<Head>,
    renewed: watch::Receiver<u64>,
    reported: watch::Receiver<Option<ConfigReport>>,
    notices: FuturesUnordered<Boxed<Noticed>>,
    /// Messages on their way that are no flights.
    others: usize,
    other_since: Option<Instant>,
    asked: Option<Boxed<Answer>>,
    heard: Instant,
    leave_by: Option<Instant>,
}

impl<'a> Session<'a> {
    fn new(shared: &'a Shared, link: Link, outbox: Outbox, careful: &'a mut Careful) -> Self {
        let source = Source::new(&shared.settings.store, &shared.settings.gateway, shared.journal.epoch());
        let (head, heard, renewed) = (shared.journal.head(), shared.clock.now(), shared.renewed.subscribe());
        let (notices, reported) = (FuturesUnordered::new(), shared.exchange.reported());
        let (others, other_since, asked, leave_by) = (0, None, None, None);
        Self {
            shared,
            link,
            outbox,
            careful,
            source,
            head,
            renewed,
            reported,
            notices,
            others,
            other_since,
            asked,
            heard,
            leave_by,
        }
    }

    /// `Ok` when told to stop or to come again.
    async fn run(&mut self, repeats: &mut mpsc::Receiver<Event>, stop: &CancellationToken) -> Result<(), End> {
        self.say(State::Online)?;
        let shared = self.shared;
        shared.authorisations.clear();
        loop {
            self.hand_over()?;
            self.ask();
            if self.leave_by.is_some_and(|by| self.is_idle() || by <= self.shared.clock.now()) {
                return self.leave().await;
            }
            let deadline = self.deadline();
            let has_room = self.leave_by.is_none() && self.others < limits::REPEATS;
            tokio::select! {
                biased;
                () = stop.cancelled(), if self.leave_by.is_none() => {
                    self.leave_by = Some(self.shared.clock.now() + limits::FAREWELL / 2);
                }
                Some((token, outcome)) = self.notices.next() => self.answered(token, outcome)?,
                signal = self.link.next() => self.signalled(signal)?,
                answer = pending_or(&mut self.asked) => self.told(answer)?,
                Some(event) = repeats.recv(), if has_room => self.repeat(&event)?,
                question = shared.authorisations.next(), if has_room => self.question(&question)?,
                Ok(()) = self.head.changed() => {}
                Ok(()) = self.renewed.changed(), if self.leave_by.is_none() => {
                    self.leave_by = Some(self.shared.clock.now() + limits::FAREWELL / 2);
                }
                Ok(()) = self.reported.changed(), if self.leave_by.is_none() => self.report()?,
                () = sleep_until(deadline.into()) => self.check()?,
            }
        }
    }

    /// Sends what may be sent.
    fn hand_over(&mut self) -> Result<(), Fault> {
        while self.leave_by.is_none() {
            let next = self.outbox.next(&self.source, &self.shared.clock, self.careful, self.others);
            let Some((class, outgoing)) = next else { break };
            let topic = self.shared.topics.events(class);
            let token = Token::Flight(class, outgoing.id);
            let payload = self.encoded(outgoing.payload);
            self.publish(topic, payload, PublishOptions::at_least_once(), token)?;
        }
        Ok(())
    }

    /// A message of events as it travels.
    fn encoded(&self, message: Vec<u8>) -> Vec<u8> {
        match self.shared.settings.encoding {
            Encoding::Json => message,
            Encoding::Zstd => packed(message),
        }
    }

    fn publish(&self, topic: String, payload: Vec<u8>, options: PublishOptions, token: Token) -> Result<(), Fault> {
        let handed = self.link.client.try_publish_tracked(topic, payload, options);
        let notice = handed.map_err(|error| Fault::away(format!("the client takes no more: {error}")))?;
        self.notices.push(Box::pin(async move { (token, notice.wait_async().await) }));
        Ok(())
    }

    fn other(&mut self) {
        self.others += 1;
        self.other_since.get_or_insert(self.shared.clock.now());
    }

    fn say(&mut self, state: State) -> Result<(), Fault> {
        let Settings { version, encoding, .. } = &self.shared.settings;
        let payload = Source::status(state, &self.shared.clock.stamp(), version, *encoding);
        self.other();
        self.publish(self.shared.topics.status(), payload, PublishOptions::at_least_once().retained(), Token::Status)
    }

    /// Says what became of the configuration that the cloud wanted. Of one that is too long for the broker the mistakes
    /// are left out.
    fn report(&mut self) -> Result<(), Fault> {
        let Some(mut report) = self.reported.borrow_and_update().clone() else { return Ok(()) };
        let topic = self.shared.topics.config_reported();
        let mut payload = reported_message(&report);
        let most = self.link.packet_bytes.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if payload.len() + topic.len() + AROUND_REPORT > most {
            report.errors.clear();
            payload = reported_message(&report);
        }
        self.other();
        self.publish(topic, payload, PublishOptions::at_least_once().retained(), Token::Reported)
    }

    /// Says a recorded end again, to whoever sent its command again. One that has not been said yet waits for its turn:
    /// the numbers of a class arrive in their order.
    fn repeat(&mut self, event: &Event) -> Result<(), Fault> {
        if self.outbox.comes_to(event) {
            return Ok(());
        }
        let batch = self.source.batch(std::slice::from_ref(event), &self.shared.clock.stamp(), limits::MESSAGE_BYTES);
        let Encoded::Batch { payload, .. } = batch else { return Ok(()) };
        self.other();
        self.shared.meter.note(|progress| progress.repeats += 1);
        let (topic, payload) = (self.shared.topics.events(event.class()), self.encoded(payload));
        self.publish(topic, payload, PublishOptions::at_least_once(), Token::Repeat)
    }

    /// A question about money goes once; what becomes of it is for whoever asks to find out.
    fn question(&mut self, question: &Authorise) -> Result<(), Fault> {
        self.other();
        let topic = self.shared.topics.authorise();
        self.publish(topic, authorise_message(question), PublishOptions::at_least_once(), Token::Asked)
    }

    /// Asks the journal one thing at a time: announce, confirm, read.
    fn ask(&mut self) {
        if self.asked.is_some() {
            return;
        }
        let journal = self.shared.journal.clone();
        if let Some(hopeless) = self.outbox.hopeless() {
            let draft = self.announcement(hopeless);
            self.asked = Some(Box::pin(async move { Answer::Announced(hopeless, journal.append(vec![draft]).await) }));
        } else if let Some((class, settled)) = self.outbox.settle() {
            self.asked = Some(Box::pin(confirm(journal, class, settled)));
        } else if self.leave_by.is_none() {
            let head = *self.head.borrow();
            let Some((class, after)) = self.outbox.wants(|class| head.of(class).row) else { return };
            self.asked = Some(Box::pin(read(journal, class, after, head.of(class).row)));
        }
    }

    fn announcement(&self, hopeless: Hopeless) -> Draft {
        let Hopeless { class, seq, reason, id: _ } = hopeless;
        tracing::error!(
            class = class.as_str(),
            seq = seq.0,
            reason = reason.as_str(),
            "an event that the broker does not take is given up; it stays in the journal"
        );
        Draft {
            id: self.shared.clock.event_id(),
            device: None,
            at: self.shared.clock.stamp(),
            cause: None,
            body: Body::Noticed(Notice::Dropped { class, from: seq, to: seq, reason }),
        }
    }

    fn told(&mut self, answer: Answer) -> Result<(), End> {
        self.asked = None;
        match answer {
            Answer::Read(class, head, events) => self.outbox.filled(class, events?, head),
            Answer::Confirmed(class, settled, done) => {
                done?;
                self.shared.meter.confirmed(class, settled.seq, settled.delivered);
            }
            Answer::Announced(hopeless, rows) => {
                rows?;
                self.outbox.buried(hopeless, self.careful);
                self.shared.meter.note(|progress| progress.given_up += 1);
            }
        }
        Ok(())
    }

    /// The broker has answered a message.
    fn answered(&mut self, token: Token, outcome: Result<PublishResult, PublishNoticeError>) -> Result<(), Fault> {
        let reason = match outcome {
            Ok(PublishResult::Qos1(ack)) => Ok(ack.reason),
            Ok(other) => return Err(Fault::away(format!("the client confused its answers: {other:?}"))),
            Err(error) => Err(error),
        };
        if matches!(token, Token::Status | Token::Reported | Token::Repeat | Token::Asked) {
            self.others = self.others.saturating_sub(1);
            self.other_since = (self.others > 0).then(|| self.shared.clock.now());
        }
        self.heard = self.shared.clock.now();
        match (token, reason) {
            (Token::Flight(class, id), Ok(reason)) if (reason as u8) < 0x80 => self.taken(class, id),
            (Token::Flight(class, id), Ok(reason)) => return self.refused(class, id, reason),
            (Token::Status, Ok(reason)) if (reason as u8) < 0x80 => self.shared.health.clear(Part::Status),
            (Token::Status, Ok(reason)) => {
                let detail = format!("the broker refuses the status with {reason:?}");
                self.shared.health.raise(Part::Status, Condition::CloudRefused, &detail);
            }
            (Token::Status, Err(PublishNoticeError::RetainNotSupported)) => {
                let detail = "the broker keeps no retained messages, so nobody can see whether this gateway is online";
                self.shared.health.raise(Part::Status, Condition::CloudRefused, detail);
            }
            (Token::Reported, Ok(reason)) if (reason as u8) >= 0x80 => {
                let detail = format!("the broker refuses config/reported with {reason:?}");
                self.shared.health.raise(Part::Configuration, Condition::CloudRefused, &detail);
            }
            (Token::Asked, Ok(reason)) if (reason as u8) >= 0x80 => {
                let detail = format!("the broker refuses authorise with {reason:?}");
                self.shared.health.raise(Part::Authorise, Condition::CloudRefused, &detail);
            }
            (Token::Asked, Ok(_)) => self.shared.health.clear(Part::Authorise),
            (Token::Repeat | Token::Reported, Ok(_)) => {}
            // The connection is over, and says so itself.
            (_, Err(_)) => {}
        }
        Ok(())
    }

    fn taken(&mut self, class: Class, id: u64) {
        self.outbox.taken(class, id, self.careful);
        if !self.outbox.is_refused(class) {
            self.shared.health.clear(Part::Topic(class));
        }
        if self.outbox.quota_is_back() {
            self.shared.health.clear(Part::Quota);
        }
    }

    fn refused(&mut self, class: Class, id: u64, reason: rumqttc::PubAckReason) -> Result<(), Fault> {
        self.shared.meter.note(|progress| progress.refusals += 1);
        let detail = format!("the broker refuses events of class {} with {reason:?}", class.as_str());
        match self.outbox.refused(class, id, reason, &self.shared.clock) {
            Verdict::Quota => self.shared.health.raise(Part::Quota, Condition::CloudQuota, &detail),
            Verdict::Topic => self.shared.health.raise(Part::Topic(class), Condition::CloudRefused, &detail),
            Verdict::Part => tracing::warn!(detail, "a message is refused, looking for the event"),
            Verdict::Confused => return Err(Fault::away(detail)),
        }
        Ok(())
    }

    fn signalled(&mut self, signal: Signal) -> Result<(), Fault> {
        match signal {
            Signal::Incoming(_) => {
                self.heard = self.shared.clock.now();
                Ok(())
            }
            Signal::Ended(error) => Err(Fault::from(&*error)),
        }
    }

    fn deadline(&self) -> Instant {
        let now = self.shared.clock.now();
        let pace = &self.shared.settings.pace;
        let silence = self.heard + pace.silence;
        let outbox = self.outbox.deadline(pace.acknowledgement, now);
        let other = self.other_since.map(|since| since + pace.acknowledgement);
        outbox.into_iter().chain(other).chain(self.leave_by).fold(silence, Instant::min)
    }

    /// Something may be overdue.
    fn check(&self) -> Result<(), Fault> {
        let now = self.shared.clock.now();
        let pace = &self.shared.settings.pace;
        if self.heard + pace.silence <= now {
            return Err(Fault::away(format!("nothing has come from the broker for {:?}", pace.silence)));
        }
        let other = self.other_since.map(|since| since + pace.acknowledgement);
        if self.outbox.overdue(pace.acknowledgement).into_iter().chain(other).any(|by| by <= now) {
            return Err(Fault::away(format!("a message was not acknowledged for {:?}", pace.acknowledgement)));
        }
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.outbox.on_the_way().0 == 0 && self.asked.is_none()
    }

    /// Says goodbye: the status ourselves, since the broker says the last will only for those who do not.
    async fn leave(&mut self) -> Result<(), End> {
        let second = Duration::from_secs(1);
        self.notices = FuturesUnordered::new();
        self.say(State::Offline)?;
        let said = timeout(second, self.notices.next()).await;
        if said.is_ok() {
            self.link.leave().await;
        }
        Ok(())
    }
}

/// The answer to what was asked; never, when nothing was.
async fn pending_or(asked: &mut Option<Boxed<Answer>>) -> Answer {
    match asked {
        Some(asked) => asked.await,
        None => pending().await,
    }
}

async fn read(journal: Journal, class: Class, after: Row, head: Row) -> Answer {
    Answer::Read(class, head, journal.unsent(class, after, limits::READ_EVENTS).await)
}

async fn confirm(journal: Journal, class: Class, settled: Settled) -> Answer {
    Answer::Confirmed(class, settled, journal.confirm(class, settled.row).await)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{GatewayId, StoreId};

    #[test]
    fn the_brokers_limit_leaves_room_for_what_is_around_a_payload() {
        let topics = Topics::new(&StoreId::new("s").unwrap(), &GatewayId::new("g").unwrap());
        let publish = |payload: usize| {
            rumqttc::Publish {
                pkid: 1,
                ..rumqttc::Publish::new(
                    topics.events(Class::Telemetry),
                    rumqttc::QoS::AtLeastOnce,
                    vec![b'x'; payload],
                    None,
                )
            }
            .size()
        };
        for packet_bytes in [1_024, 10_000, 70_000, 600_000] {
            let room = room(Some(packet_bytes), &topics).unwrap();
            assert!(publish(room.event) <= packet_bytes as usize && room.batch <= room.event);
        }
        assert_eq!(room(Some(1_023), &topics).unwrap_err().condition, Condition::CloudRefused);
        assert_eq!(room(None, &topics).unwrap().batch, limits::MESSAGE_BYTES);
    }
}
