//! Every number of the uplink, in one place.

use std::num::NonZeroU32;
use std::time::Duration;

/// Publishes in flight at once, over all classes.
pub(super) const WINDOW: usize = 16;
/// Of these, how many records leave to money, and telemetry to both: a slot for the more important is always free.
pub(super) const KEPT_FROM_RECORD: usize = 2;
/// See [`KEPT_FROM_RECORD`].
pub(super) const KEPT_FROM_TELEMETRY: usize = 4;
/// See [`KEPT_FROM_RECORD`]; of what is older than a minute, whichever class but money.
pub(super) const KEPT_FROM_BACKFILL: usize = 6;
/// Events older than a minute sent in a second, money aside: more than a small box reads, so a setting and no brake.
pub(super) const BACKFILL_PER_S: NonZeroU32 = NonZeroU32::new(25_000).unwrap();
/// Bytes of records and telemetry in flight: on a line of 1 Mbit/s they are over in two seconds, and so is money's
/// wait.
pub(super) const BULK_BYTES: usize = 256 * 1024;
/// Of these, what is older than a minute leaves one message to what is not.
pub(super) const BACKFILL_BYTES: usize = BULK_BYTES - MESSAGE_BYTES;
/// A message of several events is not larger than this.
pub(super) const MESSAGE_BYTES: usize = 64 * 1024;
/// A message of one event may be as large as this: the journal's largest (64 KiB, escaped) and what is around it.
pub(super) const EVENT_BYTES: usize = 128 * 1024;
/// A broker that takes less than this is asked for more room; nothing is given up for its sake.
pub(super) const LEAST_PACKET_BYTES: usize = 1024;

/// TCP, TLS and CONNACK together.
pub(super) const CONNECT: Duration = Duration::from_secs(10);
/// Addresses of the broker that are tried.
pub(super) const ADDRESSES: usize = 8;
/// What each of them gets over the next.
pub(super) const HEAD_START: Duration = Duration::from_millis(250);
/// The client pings after so long without sending.
pub(super) const KEEP_ALIVE_S: u16 = 10;
/// A connection on which nothing has come for so long is dead, whatever TCP says.
pub(super) const SILENCE: Duration = Duration::from_secs(15);
/// A publish that is not answered for so long ends the connection, even if the broker answers pings.
pub(super) const ACKNOWLEDGEMENT: Duration = Duration::from_secs(30);
/// First and longest wait between two attempts to connect, or to send what was refused; full jitter.
pub(super) const BACKOFF: Duration = Duration::from_secs(1);
/// See [`BACKOFF`].
pub(super) const BACKOFF_CAP: Duration = Duration::from_secs(60);
/// A connection that lasted this long was a good one: the wait begins anew.
pub(super) const HEALTHY: Duration = Duration::from_secs(60);
/// Last batch, status and DISCONNECT together, when told to stop.
pub(super) const FAREWELL: Duration = Duration::from_secs(5);

/// Times that one event is refused for no reason of its own before it is given up.
pub(super) const REFUSALS: u32 = 5;
/// Events that the broker must have taken meanwhile, for every one that it refuses so: else the broker is the reason.
pub(super) const TAKEN_MEANWHILE: u64 = 10;
/// Times that a connection must end over one event, it alone being in flight, before it is given up.
pub(super) const STRIKES: u32 = 3;
/// Acknowledgements without a further incident after which a connection's end is no longer held against an event.
pub(super) const CAREFUL_FLIGHTS: u32 = 100;

/// How often it is looked at what the line has carried.
pub(super) const USAGE_LOOK: Duration = Duration::from_secs(10);
/// How long that may be in memory only.
pub(super) const USAGE_KEPT: Duration = Duration::from_secs(600);
/// How long a day's usage is kept.
pub(super) const USAGE_MEMORY: Duration = Duration::from_secs(32 * 24 * 3600);

/// Outcomes waiting to be sent once more.
pub(super) const REPEATS: usize = 16;
/// Commands taken from the broker and not yet acknowledged to it.
pub(super) const COMMANDS_IN_FLIGHT: u16 = 16;
/// How long the broker keeps commands for a gateway that is away.
pub(super) const COMMANDS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Packets between the connection and whoever uses it.
pub(super) const SIGNALS: usize = 64;
/// Events asked of the journal at once.
pub(super) const READ_EVENTS: usize = 400;
/// How often it is looked whether certificates or the password were renewed; what is renewed counts when two looks in
/// a row saw the same, so that files that are being written are left alone.
pub(super) const RENEWAL: Duration = Duration::from_secs(30);
/// Questions about money that wait for the connection.
pub(super) const AUTHORISATIONS: usize = 16;
