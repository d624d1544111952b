//! The cloud: topics and payloads, version 1.
//!
//! Hand-written counterparts of the internal types, so that renaming something inside cannot change a byte that
//! crosses to the cloud; the golden files of `tests/contract/v1` hold them still.
//!
//! - Up: a message is a JSON array of 1 to [`BATCH_EVENTS`] [CloudEvents 1.0](https://cloudevents.io) objects of one
//!   class, in `seq` order ([`Source::batch`]); the retained status ([`Source::status`]).
//! - Down: one command per message, at most [`COMMAND_BYTES`] ([`parse_command`]). A field that the envelope of a
//!   command does not know is ignored, because the cloud may be newer than this box; an *argument* that the action
//!   does not know is refused, because it would change what is asked for.
//! - Both ways, retained: the configuration that the cloud wants, at most [`DESIRED_BYTES`] ([`parse_desired`]), and
//!   what became of it ([`reported_message`]).
//!
//! What is absent: no topic or payload is built anywhere else, nothing here knows a broker or a connection, and
//! nothing here decides what is sent when.

mod action;
mod asyncapi;
mod authorise;
mod command;
mod coupon;
mod desired;
mod event;
mod face;
mod footfall;
mod packed;
mod payload;
mod schema;
mod screen;
mod topic;
mod vending;

pub use asyncapi::asyncapi;
pub use authorise::{Authorise, AuthoriseWhat, authorise_message};
pub use command::{COMMAND_BYTES, Unparsed, command_message, parse_command};
pub use coupon::{coupon_keys_json, parse_coupon_keys};
pub use desired::{
    DESIRED_BYTES, REPORTED_ERRORS, UnreadDesired, desired_message, parse_desired, parse_reported, reported_message,
};
pub use event::{
    BATCH_EVENTS, Encoded, EventHead, HISTORICAL_AFTER, Source, State, historical, read_batch, type_and_data,
};
pub use packed::{UNPACKED_BYTES, Unpackable, packed, unpacked};
pub use schema::{commands_schema, events_schema};
pub use topic::Topics;
