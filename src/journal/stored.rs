//! The stored form of events: the journal's own counterpart of `types`, so that a rename there breaks no file.
//!
//! An event is a fixed head (id 16 bytes, boot 16 bytes, flags 1 byte, then variable-length integers: wall
//! milliseconds zigzag, uptime nanoseconds) and a JSON tail with short keys: `d` device, `c` cause command, `e` cause
//! event, `b` body. A batch body is a format byte and then, per event, the row's distance from the one before, the
//! length and the event. [`FORMAT`] names the form of both.
//!
//! Rules: a format once written stays readable for ever (a new one gets a new number and a new arm in
//! [`Entries::new`]); a new word in [`StoredBody`] comes with a migration, even an empty one, so that an older binary
//! refuses the file instead of taking the word for damage.

mod action;
mod coupon;
mod face;
mod footfall;
mod screen;
mod vending;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::types::{
    Body, BootId, Cause, Class, CodeKind, CodeScanned, CommandId, Condition, DeviceId, Draft, DropReason, Ended, Epoch,
    Event, EventId, Gtin, HealthChange, Notice, Observation, OpenReason, Outcome, Row, Seq, Stamp, Symbology,
    Timestamp,
};

pub(super) use action::{decode as decode_action, encode as encode_action};

/// The form written today.
pub(super) const FORMAT: u8 = 1;
/// A batch without events: what stood here was damaged and has been announced as dropped.
pub(super) const TOMBSTONE: u8 = 0;

/// Why a stored form could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The checksum does not fit.
    #[error("its checksum does not fit")]
    Checksum,
    /// A format number this version does not know.
    #[error("its format {0} is not known")]
    Format(u8),
    /// It ends too early, or its numbers contradict each other.
    #[error("its framing is broken")]
    Framing,
    /// A word or a value that cannot be.
    #[error("event {0} holds a value that cannot be")]
    Value(Seq),
}

#[derive(Serialize, Deserialize)]
struct Tail<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    d: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    c: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    e: Option<Cow<'a, str>>,
    #[serde(borrow)]
    b: StoredBody<'a>,
}

#[derive(Serialize, Deserialize)]
enum StoredBody<'a> {
    #[serde(rename = "code")]
    Code {
        #[serde(borrow)]
        k: Cow<'a, str>,
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        s: Option<Cow<'a, str>>,
        #[serde(borrow)]
        v: Cow<'a, str>,
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        g: Option<Cow<'a, str>>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        a: BTreeMap<String, String>,
    },
    #[serde(rename = "ended")]
    Ended {
        #[serde(borrow)]
        c: Cow<'a, str>,
        #[serde(borrow)]
        w: Cow<'a, str>,
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        r: Option<Cow<'a, str>>,
    },
    #[serde(rename = "sale")]
    Sale(vending::SaleForm),
    #[serde(rename = "stock")]
    Stock(vending::StockForm),
    #[serde(rename = "machine")]
    Machine(vending::MachineForm),
    #[serde(rename = "selection")]
    Selection(vending::SelectionForm),
    #[serde(rename = "cash")]
    Cash(vending::CashForm),
    #[serde(rename = "footfall")]
    Footfall(footfall::WindowForm),
    #[serde(rename = "visit")]
    FaceVisit(face::VisitForm),
    #[serde(rename = "faces")]
    FaceWindow(face::WindowForm),
    #[serde(rename = "member")]
    FaceMember(face::MemberForm),
    #[serde(rename = "play")]
    ScreenPlay(screen::PlayForm),
    #[serde(rename = "action")]
    ScreenAction(screen::ActionForm),
    #[serde(rename = "session")]
    Session(screen::SessionForm),
    #[serde(rename = "coupon")]
    Coupon(coupon::CouponForm),
    #[serde(rename = "opened")]
    Opened {
        #[serde(borrow)]
        e: Cow<'a, str>,
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        p: Option<Cow<'a, str>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        l: Vec<(String, u64)>,
        #[serde(borrow)]
        r: Cow<'a, str>,
    },
    #[serde(rename = "dropped")]
    Dropped {
        #[serde(borrow)]
        c: Cow<'a, str>,
        f: u64,
        t: u64,
        #[serde(borrow)]
        r: Cow<'a, str>,
    },
    #[serde(rename = "health")]
    Health {
        #[serde(borrow)]
        c: Cow<'a, str>,
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        d: Option<Cow<'a, str>>,
        r: bool,
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        t: Option<Cow<'a, str>>,
    },
    #[serde(rename = "sample")]
    Sample(vending::SampleForm),
    #[serde(rename = "config")]
    Config {
        #[serde(borrow)]
        s: Cow<'a, str>,
        n: u32,
    },
    #[serde(rename = "diag")]
    Diagnostics {
        #[serde(borrow)]
        b: Cow<'a, str>,
        p: u32,
        n: u32,
        #[serde(borrow)]
        t: Cow<'a, str>,
    },
}

impl<'a> StoredBody<'a> {
    fn of(body: &'a Body) -> Self {
        match body {
            Body::Observed(observation) => Self::of_observation(observation),
            Body::Noticed(notice) => Self::of_notice(notice),
        }
    }

    fn of_observation(observation: &'a Observation) -> Self {
        match observation {
            Observation::Code(code) => Self::Code {
                k: code.kind.as_str().into(),
                s: code.symbology.map(|s| s.to_string().into()),
                v: code.value.as_str().into(),
                g: code.gtin.as_ref().map(|g| g.as_str().into()),
                a: code.ai.clone(),
            },
            Observation::Ended(outcome) => Self::Ended {
                c: outcome.command.as_str().into(),
                w: outcome.ended.as_str().into(),
                r: outcome.ended.reason().map(|r| r.as_str().into()),
            },
            Observation::Sale(step) => Self::Sale(step.into()),
            Observation::Stock(stock) => Self::Stock(stock.into()),
            Observation::Machine(status) => Self::Machine((&**status).into()),
            Observation::Selection(selection) => Self::Selection(selection.into()),
            Observation::Cash(cash) => Self::Cash(cash.into()),
            Observation::Footfall(window) => Self::Footfall((&**window).into()),
            Observation::FaceVisit(visit) => Self::FaceVisit((&**visit).into()),
            Observation::FaceWindow(window) => Self::FaceWindow((&**window).into()),
            Observation::FaceMember(seen) => Self::FaceMember(seen.into()),
            Observation::ScreenPlay(play) => Self::ScreenPlay((&**play).into()),
            Observation::ScreenAction(action) => Self::ScreenAction((&**action).into()),
            Observation::Session(said) => Self::Session((&**said).into()),
        }
    }

    fn of_notice(notice: &'a Notice) -> Self {
        match notice {
            Notice::Opened { epoch, previous, last_seq, reason } => Self::Opened {
                e: epoch.to_string().into(),
                p: previous.map(|p| p.to_string().into()),
                l: last_seq.iter().map(|(class, seq)| (class.as_str().to_owned(), seq.0)).collect(),
                r: reason.as_str().into(),
            },
            Notice::Dropped { class, from, to, reason } => {
                Self::Dropped { c: class.as_str().into(), f: from.0, t: to.0, r: reason.as_str().into() }
            }
            Notice::Health(change) => Self::Health {
                c: change.condition.code().into(),
                d: change.device.as_ref().map(|d| d.as_str().into()),
                r: change.raised,
                t: change.detail.as_deref().map(Into::into),
            },
            Notice::ConfigApplied { sha256, devices } => Self::Config { s: sha256.as_str().into(), n: *devices },
            Notice::Diagnostics { bundle, part, of, text } => {
                Self::Diagnostics { b: bundle.to_string().into(), p: *part, n: *of, t: text.as_str().into() }
            }
            Notice::Coupon(redemption) => Self::Coupon(redemption.into()),
            Notice::Sample(ruling) => Self::Sample((&**ruling).into()),
        }
    }

    fn body(self) -> Option<Body> {
        Some(match self {
            Self::Code { k, s, v, g, a } => Body::Observed(Observation::Code(CodeScanned {
                kind: CodeKind::parse(&k)?,
                symbology: read(s, Symbology::parse)?,
                value: v.into_owned(),
                gtin: read(g, Gtin::from_digits)?,
                ai: a,
            })),
            Self::Ended { c, w, r } => Body::Observed(Observation::Ended(Outcome {
                command: CommandId::new(&c).ok()?,
                ended: Ended::parse(&w, r.as_deref())?,
            })),
            Self::Sale(form) => Body::Observed(Observation::Sale(form.read()?)),
            Self::Stock(form) => Body::Observed(Observation::Stock(form.read()?)),
            Self::Machine(form) => Body::Observed(Observation::Machine(Box::new(form.read()?))),
            Self::Selection(form) => Body::Observed(Observation::Selection(form.read())),
            Self::Cash(form) => Body::Observed(Observation::Cash(form.read()?)),
            Self::Footfall(form) => Body::Observed(Observation::Footfall(Box::new(form.read()))),
            Self::FaceVisit(form) => Body::Observed(Observation::FaceVisit(Box::new(form.read()?))),
            Self::FaceWindow(form) => Body::Observed(Observation::FaceWindow(Box::new(form.read()))),
            Self::FaceMember(form) => Body::Observed(Observation::FaceMember(form.read()?)),
            Self::ScreenPlay(form) => Body::Observed(Observation::ScreenPlay(Box::new(form.read()?))),
            Self::ScreenAction(form) => Body::Observed(Observation::ScreenAction(Box::new(form.read()?))),
            Self::Session(form) => Body::Observed(Observation::Session(Box::new(form.read()?))),
            Self::Coupon(form) => Body::Noticed(Notice::Coupon(form.read()?)),
            Self::Opened { e, p, l, r } => Body::Noticed(Notice::Opened {
                epoch: Epoch(Uuid::parse_str(&e).ok()?),
                previous: read(p, |p| Uuid::parse_str(p).ok().map(Epoch))?,
                last_seq: l
                    .iter()
                    .map(|(class, seq)| Some((Class::parse(class)?, Seq(*seq))))
                    .collect::<Option<_>>()?,
                reason: [OpenReason::Created, OpenReason::Damaged].into_iter().find(|reason| reason.as_str() == r)?,
            }),
            Self::Dropped { c, f, t, r } => Body::Noticed(Notice::Dropped {
                class: Class::parse(&c)?,
                from: Seq(f),
                to: Seq(t),
                reason: DropReason::parse(&r)?,
            }),
            Self::Health { c, d, r, t } => Body::Noticed(Notice::Health(HealthChange {
                condition: Condition::parse(&c)?,
                device: read(d, |d| DeviceId::new(d).ok())?,
                raised: r,
                detail: t.map(Cow::into_owned),
            })),
            Self::Sample(form) => Body::Noticed(Notice::Sample(Box::new(form.read()?))),
            Self::Config { s, n } => Body::Noticed(Notice::ConfigApplied { sha256: s.into_owned(), devices: n }),
            Self::Diagnostics { b, p, n, t } => Body::Noticed(Notice::Diagnostics {
                bundle: EventId(Uuid::parse_str(&b).ok()?),
                part: p,
                of: n,
                text: t.into_owned(),
            }),
        })
    }
}

/// `None` stays `None` inside; a text that cannot be read is `None` outside.
#[expect(clippy::option_option, reason = "absent and unreadable are two things")]
fn read<T>(text: Option<Cow<'_, str>>, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => parse(&text).map(Some),
    }
}

/// Appends the stored form of one event.
pub(super) fn encode_event(draft: &Draft, out: &mut Vec<u8>) {
    out.extend_from_slice(draft.id.0.as_bytes());
    out.extend_from_slice(draft.at.boot.0.as_bytes());
    out.push(u8::from(draft.at.synced));
    put_varint(out, zigzag(draft.at.wall.unix_ms()));
    put_varint(out, u64::try_from(draft.at.up.as_nanos()).unwrap_or(u64::MAX));
    let (c, e) = match &draft.cause {
        None => (None, None),
        Some(Cause::Command(command)) => (Some(command.as_str().into()), None),
        Some(Cause::Event(event)) => (None, Some(event.to_string().into())),
    };
    let d = draft.device.as_ref().map(|device| device.as_str().into());
    let tail = Tail { d, c, e, b: StoredBody::of(&draft.body) };
    // Writing plain structs with text keys into memory has no failing case; an unreadable tail would be found by the
    // reader and announced as damaged.
    let _ = serde_json::to_writer(&mut *out, &tail);
}

/// Reads one stored event.
pub(super) fn decode_event(row: Row, seq: Seq, bytes: &[u8]) -> Result<Event, Unreadable> {
    let draft = decode_draft(bytes).ok_or(Unreadable::Value(seq))?;
    Ok(Event { row, seq, draft })
}

fn decode_draft(bytes: &[u8]) -> Option<Draft> {
    let (id, bytes) = bytes.split_first_chunk::<16>()?;
    let (boot, bytes) = bytes.split_first_chunk::<16>()?;
    let (flags, mut bytes) = bytes.split_first()?;
    let wall = Timestamp::from_unix_ms(unzigzag(take_varint(&mut bytes)?));
    let up = Duration::from_nanos(take_varint(&mut bytes)?);
    let tail: Tail<'_> = serde_json::from_slice(bytes).ok()?;
    let cause = match (tail.c, tail.e) {
        (Some(command), _) => Some(Cause::Command(CommandId::new(&command).ok()?)),
        (None, Some(event)) => Some(Cause::Event(EventId(Uuid::parse_str(&event).ok()?))),
        (None, None) => None,
    };
    Some(Draft {
        id: EventId(Uuid::from_bytes(*id)),
        device: read(tail.d, |d| DeviceId::new(d).ok())?,
        at: Stamp { wall, synced: flags & 1 == 1, boot: BootId(Uuid::from_bytes(*boot)), up },
        cause,
        body: tail.b.body()?,
    })
}

/// A batch on its way into its row.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    /// Number of its first event.
    pub(super) first_seq: Seq,
    /// Row of its last event.
    pub(super) last_row: Row,
    /// How many events it holds.
    pub(super) count: u32,
    /// Its stored form.
    pub(super) body: Vec<u8>,
}

impl Batch {
    /// An empty one that will begin with `first_seq`.
    pub(super) fn new(first_seq: Seq) -> Self {
        Self { first_seq, last_row: Row(0), count: 0, body: vec![FORMAT] }
    }

    /// Adds an event's stored form. Rows must rise.
    pub(super) fn push(&mut self, row: Row, event: &[u8]) {
        put_varint(&mut self.body, u64::try_from(row.0.saturating_sub(self.last_row.0)).unwrap_or(0));
        put_varint(&mut self.body, event.len() as u64);
        self.body.extend_from_slice(event);
        self.last_row = row;
        self.count += 1;
    }
}

/// Covers a batch row's every column.
pub(super) fn checksum(last_row: Row, first_seq: Seq, count: u32, at: Timestamp, body: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&last_row.0.to_le_bytes());
    crc.update(&first_seq.0.to_le_bytes());
    crc.update(&count.to_le_bytes());
    crc.update(&at.unix_ms().to_le_bytes());
    crc.update(body);
    crc.finalize()
}

/// The events of a batch body, one after the other, not decoded yet.
pub(super) struct Entries<'a> {
    rest: &'a [u8],
    row: Row,
    seq: Seq,
}

impl<'a> Entries<'a> {
    /// Reads the format byte.
    pub(super) fn new(first_seq: Seq, body: &'a [u8]) -> Result<Self, Unreadable> {
        match body.split_first() {
            Some((&FORMAT, rest)) => Ok(Self { rest, row: Row(0), seq: first_seq }),
            Some((&TOMBSTONE, _)) => Ok(Self { rest: &[], row: Row(0), seq: first_seq }),
            Some((&format, _)) => Err(Unreadable::Format(format)),
            None => Err(Unreadable::Framing),
        }
    }

    fn take(&mut self) -> Option<(Row, Seq, &'a [u8])> {
        let step = i64::try_from(take_varint(&mut self.rest)?).ok()?;
        let length = usize::try_from(take_varint(&mut self.rest)?).ok()?;
        let (event, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        self.row = Row(self.row.0.checked_add(step)?);
        let seq = self.seq;
        self.seq = Seq(seq.0.checked_add(1)?);
        Some((self.row, seq, event))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(Row, Seq, &'a [u8]), Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.take();
        if entry.is_none() {
            self.rest = &[];
        }
        Some(entry.ok_or(Unreadable::Framing))
    }
}

/// One whole event in a form of its own: format byte, row, sequence number, event.
pub(super) fn encode_single(event: &Event) -> Vec<u8> {
    let mut out = vec![FORMAT];
    put_varint(&mut out, zigzag(event.row.0));
    put_varint(&mut out, event.seq.0);
    encode_event(&event.draft, &mut out);
    out
}

/// The counterpart of [`encode_single`].
pub(super) fn decode_single(bytes: &[u8]) -> Result<Event, Unreadable> {
    let (&format, mut rest) = bytes.split_first().ok_or(Unreadable::Framing)?;
    if format != FORMAT {
        return Err(Unreadable::Format(format));
    }
    let row = Row(unzigzag(take_varint(&mut rest).ok_or(Unreadable::Framing)?));
    let seq = Seq(take_varint(&mut rest).ok_or(Unreadable::Framing)?);
    decode_event(row, seq, rest)
}

/// LEB128, as in DWARF and protobuf.
fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return None;
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
