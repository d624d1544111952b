//! Every bound of the configuration.

/// Longest configuration or profile file, in bytes.
pub const FILE_BYTES: u64 = 1024 * 1024;
/// Most devices of a gateway.
pub const DEVICES: usize = 256;
/// Most stations of a gateway.
pub const STATIONS: usize = 256;
/// Most mistakes shown at once.
pub const DIAGNOSTICS: usize = 200;
/// Largest compiled code grammar, in bytes.
pub const REGEX_BYTES: usize = 1024 * 1024;
/// Longest list of names in a help line.
pub const NAMES: usize = 20;
/// Most profiles listed per directory.
pub const PROFILES: usize = 1024;
