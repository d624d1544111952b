//! Every number the flows are bounded by.

use std::time::Duration;

/// A scan that is older is not answered any more: the shopper has gone.
pub const STALE: Duration = Duration::from_secs(15);
/// How long a screen may take to show what was lifted.
pub const SHOW: Duration = Duration::from_secs(10);
/// How long a screen says what became of a coupon, a purchase or a sample.
pub const VERDICT: Duration = Duration::from_secs(7);
/// How long it says that something is on its way, at most: the outcome takes its place.
pub const VERDICT_WAIT: Duration = Duration::from_secs(30);
/// How long a page may go on with a member's session without a word of its end.
pub const SESSION: Duration = Duration::from_secs(30 * 60);
/// How long a selection at the machine counts.
pub const SELECTION: Duration = Duration::from_secs(60);
/// How long the money may take to be promised.
pub const WINDOW: Duration = Duration::from_secs(60);
/// How long the answer to the first question may take before it is asked whether it is paid.
pub const ANSWER: Duration = Duration::from_secs(5);
/// How often it is asked whether it is paid (Alipay: every 3 to 5 s).
pub const QUERY: Duration = Duration::from_secs(4);
/// How long a promised sale may wait for its machine.
pub const DISPENSE: Duration = Duration::from_secs(60);
/// How often a cancellation is asked for again: at first, and at last.
pub const CANCEL_FIRST: Duration = Duration::from_secs(5);
/// See [`CANCEL_FIRST`].
pub const CANCEL_LAST: Duration = Duration::from_secs(300);
/// A lane with this many or fewer is low.
pub const LOW: u16 = 2;
/// Lanes of one machine; more are not kept.
pub const LANES: usize = 1000;
/// Sales of one machine that are open at once; an order beyond is refused by the router.
pub const OPEN_SALES: usize = 1000;
/// How long a sale that is over is remembered, so that its id cannot be sold again.
pub const REMEMBER: Duration = Duration::from_secs(30 * 24 * 3600);
