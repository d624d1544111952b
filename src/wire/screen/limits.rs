//! Every bound of screens and their content, with its reason.

use std::time::Duration;

/// Largest manifest as it travels, in bytes.
pub const SIGNED_BYTES: usize = 2 << 20;
/// Files of one content.
pub const ASSETS: usize = 2_000;
/// Largest file, in bytes: some minutes of film.
pub const ASSET_BYTES: u64 = 512 << 20;
/// Items of one content.
pub const ITEMS: usize = 500;
/// Playlists of one content.
pub const PLAYLISTS: usize = 200;
/// Items of one playlist.
pub const PLAYLIST_ITEMS: usize = 200;
/// Times of one playlist.
pub const WHENS: usize = 50;
/// Layouts of one content, and screens that are named in it.
pub const LAYOUTS: usize = 100;
/// Zones of one layout: each is an element of the page.
pub const ZONES: usize = 8;
/// Triggers of one content.
pub const TRIGGERS: usize = 200;
/// Products of one content.
pub const PRODUCTS: usize = 1_000;
/// Longest text of an item or product, in characters.
pub const WORDS: usize = 600;
/// Mistakes that are named at once.
pub const MISTAKES: usize = 50;
/// Shortest time that an item is shown, in milliseconds: less than this is a flicker.
pub const SHORTEST_MS: u32 = 200;
/// Longest time that an item is shown, in milliseconds.
pub const LONGEST_MS: u32 = 3_600_000;
/// How far ahead a page is told what is on.
pub const AHEAD: Duration = Duration::from_secs(48 * 3600);
/// Changes of one zone that a page is told of.
pub const SEGMENTS: usize = 500;

/// Largest heartbeat or answer of a page, in bytes.
pub const BEAT_BYTES: usize = 4 << 10;
/// Largest message of plays or actions, in bytes.
pub const POST_BYTES: usize = 128 << 10;
/// Plays, or actions, in one message.
pub const POST_ENTRIES: usize = 100;
/// A play that ends later than this after now is none. A page's clock may be wrong by hours, and its plays count all
/// the same: whoever receives them has the event's own time beside it.
pub const AHEAD_OF_NOW: Duration = Duration::from_secs(366 * 86_400);
/// What must have been painted of a play for it to count, in percent of its planned pictures and of its time.
pub const SHOWN_PERCENT: u8 = 95;
