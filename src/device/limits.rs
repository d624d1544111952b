//! Every bound of the device layer.

use std::time::Duration;

/// Observations of one device that wait for the journal.
pub const OBSERVATIONS: usize = 64;
/// Observations of one device that wait for room in that queue before its line is no longer read; one reading of the
/// line may add to them.
pub const OBSERVATIONS_BEHIND: usize = 64;
/// Actions that wait for one device.
pub const ACTIONS: usize = 4;
/// Bytes read from a line at once.
pub const READ_BYTES: usize = 4096;
/// Bytes that may wait to be written to a line.
pub const OUTGOING_BYTES: usize = 16 * 1024;
/// How long a line may take no byte before it is given up.
pub const WRITE_STALL: Duration = Duration::from_secs(5);
/// How often a line that is not there is looked for.
pub const ATTACH_INTERVAL: Duration = Duration::from_millis(200);
/// Mistakes of form (wrong types, values that cannot be, unknown keys of inner tables) looked for in one table of a
/// configuration or profile.
pub const SECTION_ROUNDS: usize = 64;
/// Ids of plays and actions of screens that are known to have been let in.
pub const ONCE: usize = 50_000;
/// How long a scanned payment code may lie in RAM.
pub const VAULT: Duration = Duration::from_secs(60);
/// Payment codes in RAM at once; the oldest goes first.
pub const VAULT_CODES: usize = 16;
/// How long a driver that has failed may take to come back and find out what became of an order.
pub const RECOVER: Duration = Duration::from_secs(24 * 3600);
