//! Screens: the signed manifest of what they show, when it is shown, and what a page and the gateway tell each other.
//!
//! | file | what |
//! |---|---|
//! | `signed` | a manifest travels as a JWS (RFC 7515, RFC 8037): what was signed are the bytes themselves |
//! | `manifest` | layouts with zones, items, playlists, triggers, products; everything that is wrong is named at once |
//! | `schedule` | what is on when: dayparts in the store's time zone, priorities, slots by the wall clock |
//! | `program` | what one screen's page is given |
//! | `mirror` | pictures with their points to a mirror's page, and its wishes |
//! | `page` | heartbeats, plays and actions as pages post them; what pages are told |
//!
//! A slot is found from the wall clock alone: the items of a playlist repeat from 1970-01-01T00:00:00Z on, so that two
//! screens with one clock show the same item at the same moment without talking to each other.
//!
//! What is absent: no file, no clock, no network. Digests of the assets are compared by whoever fetches them.
//!
//! Limits: see `limits.rs`.

pub mod limits;
mod manifest;
mod mirror;
mod page;
mod program;
mod schedule;
mod signed;
#[cfg(test)]
mod tests;

pub use manifest::{
    Asset, EVERY, FORMAT, FacePart, Item, ItemKind, Manifest, Mistakes, Playlist, Product, Shade, Stocked, TYPES,
    Transition, Trigger, When, Words, Zone,
};
pub use mirror::{Measured, Note, Shot, SkinV1, Wish, Worn};
pub use page::{Beat, Misread, Shown, read_actions, read_beat, read_plays, read_sessions, read_shown};
pub use program::{Override, Place, program};
pub use schedule::{Segment, Slot, showings, slot_at, slots, timetable};
pub use signed::{Signed, SignedError, seal};
