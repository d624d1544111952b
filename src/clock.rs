//! The only reader of wall time, of uptime and of the boot id, and the only maker of event ids.
//!
//! Two clocks, never confused. *Elapsed* time is [`Clock::now`], monotonic, and pausable in tests because it is
//! tokio's; it is passed inward as a plain [`Instant`]. *Wall* time is [`Clock::wall`]: it may be wrong, may jump, and
//! says whether it is synchronised. Deadlines inside the process are elapsed; only what crosses to the cloud is wall.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use uuid::{Builder, Uuid};

use crate::types::{BootId, EventId, Stamp, Timestamp};

/// Which clock the configuration trusts (`[gateway] clock`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// Synchronised unless the kernel says `TIME_ERROR` (adjtimex(2)).
    #[default]
    Kernel,
    /// A battery-backed clock or the host is trusted: always synchronised.
    Trusted,
}

/// Reads the time. Cheap to clone; every clone reads the same clock.
#[derive(Debug, Clone)]
pub struct Clock {
    source: Arc<Source>,
}

#[derive(Debug)]
enum Source {
    System { boot: BootId, trust: Trust },
    Manual { boot: BootId, state: Mutex<Manual> },
}

/// A clock that tests set by hand.
#[derive(Debug)]
struct Manual {
    wall: Timestamp,
    synced: bool,
    up: Duration,
    random: u64,
}

impl Clock {
    /// The machine's own clock.
    pub fn system(trust: Trust) -> Self {
        Self { source: Arc::new(Source::System { boot: kernel_boot_id(), trust }) }
    }

    /// A clock that stands still until it is set, with ids that follow from `seed` alone.
    pub fn manual(wall: Timestamp, seed: u64) -> Self {
        let mut random = seed;
        let boot = BootId(Builder::from_random_bytes(ten_then_six(&mut random)).into_uuid());
        let state = Manual { wall, synced: true, up: Duration::ZERO, random };
        Self { source: Arc::new(Source::Manual { boot, state: Mutex::new(state) }) }
    }

    /// Elapsed time; what deadlines are made of.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads elapsed time")]
    pub fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    /// Wall time, and whether it is synchronised.
    pub fn wall(&self) -> (Timestamp, bool) {
        match &*self.source {
            Source::System { trust, .. } => (system_wall(), *trust == Trust::Trusted || kernel_synchronised()),
            Source::Manual { state, .. } => {
                let state = state.lock().unwrap_or_else(PoisonError::into_inner);
                (state.wall, state.synced)
            }
        }
    }

    /// The boot this process runs in.
    pub fn boot(&self) -> BootId {
        match &*self.source {
            Source::System { boot, .. } | Source::Manual { boot, .. } => *boot,
        }
    }

    /// Time since boot, suspend included.
    pub fn up(&self) -> Duration {
        match &*self.source {
            Source::System { .. } => boottime(),
            Source::Manual { state, .. } => state.lock().unwrap_or_else(PoisonError::into_inner).up,
        }
    }

    /// All of it at once, for an event.
    pub fn stamp(&self) -> Stamp {
        let (wall, synced) = self.wall();
        Stamp { wall, synced, boot: self.boot(), up: self.up() }
    }

    /// A new event id (UUIDv7: wall milliseconds, then 74 random bits).
    pub fn event_id(&self) -> EventId {
        let (wall, _) = self.wall();
        let unix_ms = u64::try_from(wall.unix_ms()).unwrap_or(0);
        EventId(Builder::from_unix_timestamp_millis(unix_ms, &self.random_bytes()).into_uuid())
    }

    /// A random identifier that carries no time (UUIDv4).
    pub fn random_uuid(&self) -> Uuid {
        let [a, b] = [self.random_bytes(), self.random_bytes()];
        let mut bytes = [0; 16];
        bytes[..10].copy_from_slice(&a);
        bytes[10..].copy_from_slice(&b[..6]);
        Builder::from_random_bytes(bytes).into_uuid()
    }

    /// 128 random bits, for a key that lives in memory only.
    pub fn random_key(&self) -> [u8; 16] {
        let [a, b] = [self.random_bytes(), self.random_bytes()];
        std::array::from_fn(|at| if at < 8 { a[at] } else { b[at - 8] })
    }

    /// A random number in `0.0..1.0`, for jitter.
    pub fn random_fraction(&self) -> f64 {
        let bytes = self.random_bytes();
        let mut word = [0; 4];
        word.copy_from_slice(&bytes[..4]);
        f64::from(u32::from_le_bytes(word)) / (f64::from(u32::MAX) + 1.0)
    }

    /// Moves a manual clock; the machine's own clock does not listen.
    pub fn set(&self, wall: Timestamp, synced: bool) {
        if let Source::Manual { state, .. } = &*self.source {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.wall = wall;
            state.synced = synced;
        }
    }

    /// Lets time pass on a manual clock: wall and uptime together.
    pub fn pass(&self, span: Duration) {
        if let Source::Manual { state, .. } = &*self.source {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.wall = state.wall.plus(span);
            state.up += span;
        }
    }

    fn random_bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        match &*self.source {
            Source::System { .. } => {
                // Without the kernel's random numbers an id would repeat: there is no honest way to go on.
                #[expect(clippy::expect_used, reason = "getrandom(2) cannot fail once the kernel has booted")]
                getrandom::fill(&mut bytes).expect("the kernel gives random numbers");
            }
            Source::Manual { state, .. } => {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.copy_from_slice(&ten_then_six(&mut state.random)[..10]);
            }
        }
        bytes
    }
}

/// Sixteen bytes of SplitMix64 (Steele, Lea, Flood 2014): for tests that must be repeatable.
fn ten_then_six(state: &mut u64) -> [u8; 16] {
    let mut next = || {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = *state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)).to_le_bytes()
    };
    let [a, b] = [next(), next()];
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&a);
    bytes[8..].copy_from_slice(&b);
    bytes
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads wall time")]
fn system_wall() -> Timestamp {
    let unix_ms = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    };
    Timestamp::from_unix_ms(unix_ms)
}

fn boottime() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// adjtimex(2) in reading mode; anything but `TIME_ERROR` is a synchronised clock.
#[expect(unsafe_code, reason = "no kept crate wraps reading adjtimex(2)")]
fn kernel_synchronised() -> bool {
    // SAFETY: `timex` is plain integers, for which all zeros is a valid value; `modes` 0 only reads, and the
    // pointer is to a live local of the right type.
    let state = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        libc::adjtimex(&raw mut timex)
    };
    (0..libc::TIME_ERROR).contains(&state)
}

/// The kernel's boot id; without a `/proc` a random one, so that two starts are never taken for one boot.
fn kernel_boot_id() -> BootId {
    let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    let parsed = read.and_then(|text| Uuid::parse_str(text.trim()).ok());
    BootId(parsed.unwrap_or_else(|| {
        let mut bytes = [0; 16];
        let _ = getrandom::fill(&mut bytes);
        Builder::from_random_bytes(bytes).into_uuid()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_gives_the_same_ids_for_the_same_seed() {
        let at = Timestamp::from_unix_ms(1_763_776_800_000);
        let (a, b, c) = (Clock::manual(at, 7), Clock::manual(at, 7), Clock::manual(at, 8));
        let id = a.event_id();
        assert_eq!(id, b.event_id());
        assert_ne!(id, a.event_id());
        assert_ne!(id, c.event_id());
        assert_eq!(id.0.get_version_num(), 7);
    }

    #[test]
    fn the_system_clock_moves_and_knows_its_boot() {
        let clock = Clock::system(Trust::Trusted);
        let first = clock.stamp();
        assert!(first.synced);
        assert!(first.wall > Timestamp::from_unix_ms(1_700_000_000_000));
        assert!(clock.up() >= first.up);
        assert_eq!(clock.boot(), Clock::system(Trust::Kernel).boot());
        assert_ne!(clock.event_id(), clock.event_id());
    }
}
