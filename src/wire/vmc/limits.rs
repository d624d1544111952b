//! Every bound of the dialect.

use std::time::Duration;

/// Longest payload that a length byte can say.
pub(super) const PAYLOAD_BYTES: usize = 255;
/// Longest payload of a message whose form is known; the documents' longest, the machine status, has 41.
pub(super) const KNOWN_PAYLOAD_BYTES: usize = 64;
/// Longest frame: header, command, length, payload, check.
pub const FRAME_BYTES: usize = 2 + 1 + 1 + PAYLOAD_BYTES + 1;
/// Commands of ours that wait for the machine's next poll.
pub(super) const WAITING: usize = 16;
/// How often a command is sent again under its number (V3.2.11, 4.3: at most five times).
pub const RESENDS: u32 = 5;
/// After so many polls' time without a poll the machine may have been restarted, and have forgotten which numbers it
/// has seen: a motor command is not sent again then.
pub(super) const RESTART_POLLS: u32 = 5;
/// So long a poll waits for the record that the motor is about to be told; then it is answered without, and the motor
/// is told at the next one. An answer is due within 100 ms.
pub(super) const RECORD_WITHIN: Duration = Duration::from_millis(60);
/// How often the gateway asks for the lane reports again when none came.
pub(super) const SYNCS: u32 = 3;
/// How long the lane reports may take to begin.
pub(super) const SYNC_WITHIN: Duration = Duration::from_secs(5);
