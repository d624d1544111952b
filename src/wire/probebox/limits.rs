//! Every bound of what probe boxes may say.

/// Longest line of a TZ001; real ones have at most 53 bytes.
pub const LINE_BYTES: usize = 96;
/// Largest datagram of a TZ006: a device id and ten lines make 560 bytes.
pub const DATAGRAM_BYTES: usize = 2048;
/// Lines looked at in one datagram.
pub const DATAGRAM_LINES: usize = 32;
/// Largest request: head and body. A list of two hundred entries as a form field has about 60 KiB.
pub const REQUEST_BYTES: usize = 128 * 1024;
/// Header lines of a request.
pub const HEADERS: usize = 32;
/// Longest head of a request.
pub const HEAD_BYTES: usize = 8 * 1024;
/// Entries looked at in one list.
pub const ENTRIES: usize = 1024;
