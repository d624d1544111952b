//! Every bound of the footfall pipeline, in one place.

use std::time::Duration;

/// Chains of addresses that are remembered. The oldest eighth gives way.
pub(super) const CHAINS: usize = 32_768;
/// Addresses that are remembered.
pub(super) const ADDRESSES: usize = 131_072;
/// Different element fingerprints that are told apart within one key's life. What comes after shares one.
pub(super) const PRINTS: usize = 8_192;
/// Fingerprints remembered of one chain and of one device.
pub(super) const PRINTS_OF_ONE: usize = 8;
/// Devices of one fingerprint that are looked at when a new address has to be placed: the latest ones.
pub(super) const CANDIDATES: usize = 256;
/// How far a frame counter may have run on for its continuity to be looked at.
pub(super) const SEQUENCE_GAP: u16 = 512;
/// After this long a frame counter says nothing any more, in microseconds.
pub(super) const SEQUENCE_MEMORY_US: i64 = 30 * 60 * 1_000_000;
/// Two devices of together more chains than this are not made one.
pub(super) const UNITED: usize = 512;
/// Nameless devices for which a host is sought at a time: the latest ones.
pub(super) const LODGERS: usize = 512;
/// Devices that may be a host: the latest ones.
pub(super) const HOSTS: usize = 512;
/// Windows of one counter.
pub(super) const WINDOWS: usize = 8;
/// The shortest window.
pub(super) const SHORTEST_WINDOW: Duration = Duration::from_secs(1);
/// The longest window, and the longest time of any setting.
pub(super) const LONGEST_WINDOW: Duration = Duration::from_secs(86_400);
/// Closed windows that wait to be fetched. The oldest gives way.
pub(super) const CLOSED_WINDOWS: usize = 4_096;
/// A gap in time that is longer than this has no windows, in microseconds.
pub(super) const GAP_US: i64 = 86_400_000_000;
/// Addresses and element orders that are counted by level.
pub(super) const LEVEL_ENTRIES: usize = 65_536;
/// Counts that one calibration learns from. What comes after is left out.
pub(super) const CALIBRATION_POINTS: usize = 100_000;
