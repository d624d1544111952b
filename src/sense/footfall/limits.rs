//! Every bound of the footfall pipeline, in one place.

use std::time::Duration;

/// Addresses that are remembered, each with its track. The quarter that is silent longest gives way.
pub(super) const TRACKS: usize = 65_536;
/// Different element fingerprints that are told apart within one key's life. What comes after shares one.
pub(super) const PRINTS: usize = 8_192;
/// Fingerprints remembered of one track.
pub(super) const PRINTS_OF_ONE: usize = 8;
/// An address that was silent for longer begins a new track, in microseconds.
pub(super) const PAUSE_US: i64 = 20_000_000;
/// The same for an address that is burnt in, under which a device speaks alone.
pub(super) const GLOBAL_PAUSE_US: i64 = 300_000_000;
/// How far a frame counter may have run on for its continuity to be looked at.
pub(super) const SEQUENCE_GAP: u16 = 512;
/// After this long a frame counter says nothing any more, in microseconds.
pub(super) const SEQUENCE_MEMORY_US: i64 = 30 * 60 * 1_000_000;
/// Tracks of the same model that one track may go on from without the counter: the latest ones.
pub(super) const MODEL_CANDIDATES: usize = 12;
/// Tracks without a name of their own (shared addresses) that are open at a time.
pub(super) const NAMELESS: usize = 64;
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
/// Tracks that began longer ago than this stay linked as they are, in microseconds.
pub(super) const SETTLED_US: i64 = 6 * 3_600_000_000;
/// So do all but this many.
pub(super) const YOUNG: usize = 4_096;
/// More than this many are linked in fewer rounds.
pub(super) const MANY: usize = 2_048;
/// A frame of a shared address goes on with a track whose counter is at most this far back,
pub(super) const NAMELESS_GAP: u16 = 32;
/// and that was heard this short a time ago, in microseconds.
pub(super) const NAMELESS_US: i64 = 1_000_000;
/// After this long an address below Android's company identifiers is somebody else's, in microseconds.
pub(super) const LENT_US: i64 = 600_000_000;
/// Devices that only ever spoke weakly for which a host is sought at a time: the latest ones.
pub(super) const LODGERS: usize = 256;
/// Addresses of one scan follow each other within this time, in microseconds,
pub(super) const SCAN_US: i64 = 1_000_000;
/// and the counter has run on by at most so much.
pub(super) const SCAN_GAP: u16 = 24;
/// Sensors that are counted together.
pub(super) const EARS: usize = 8;
/// Frames that are remembered, to know them when another ear hears them.
pub(super) const ECHOES: usize = 4_096;
/// Another ear hears the same frame within this time, in microseconds: as long as a source may keep one.
pub(super) const ECHO_US: i64 = 2_000_000;
/// Devices of one list that are not counted.
pub(super) const LISTED: usize = 100_000;
