//! The whole road with real processes: the built binary, a PTY as the scanner's line, Debian's mosquitto as the broker,
//! and a subscriber of our own that believes nothing.
//!
//! The rule of truth: every code whose terminator was written 100 ms or more before a kill or an unplug, while the
//! daemon held the line, is delivered, once after removing duplicates by `id`; per class `seq` has no gaps; nothing is
//! invented. A failing run prints its seed: `SMARTSTORE_SEED=… cargo test --test scenarios NAME` repeats its choices.
//! `SMARTSTORE_CODES` says how many codes the long story writes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this crate is a test"
)]
#![allow(clippy::disallowed_methods, reason = "it stands outside the process it watches: real time, real environment")]

#[path = "scenarios/broker.rs"]
mod broker;
#[cfg(feature = "device-screen")]
#[path = "scenarios/browser.rs"]
mod browser;
#[path = "scenarios/bundle.rs"]
mod bundle;
#[cfg(feature = "device-camera")]
#[path = "scenarios/camera.rs"]
mod camera;
#[path = "scenarios/cloud.rs"]
mod cloud;
#[path = "scenarios/cloud_configuration.rs"]
mod cloud_configuration;
#[path = "scenarios/configuration.rs"]
mod configuration;
#[path = "scenarios/console.rs"]
mod console;
#[path = "scenarios/console_browser.rs"]
mod console_browser;
#[path = "scenarios/console_login.rs"]
mod console_login;
#[cfg(feature = "device-screen")]
#[path = "scenarios/content.rs"]
mod content;
#[path = "scenarios/coupons.rs"]
mod coupons;
#[path = "scenarios/daemon.rs"]
mod daemon;
#[path = "scenarios/demo.rs"]
mod demo;
#[path = "scenarios/disk.rs"]
mod disk;
#[cfg(feature = "device-screen")]
#[path = "scenarios/films.rs"]
mod films;
#[path = "scenarios/footfall.rs"]
mod footfall;
#[path = "scenarios/line.rs"]
mod line;
#[path = "scenarios/machines.rs"]
mod machines;
#[path = "scenarios/market.rs"]
mod market;
#[cfg(feature = "onnx")]
#[path = "scenarios/members.rs"]
mod members;
#[cfg(feature = "device-camera")]
#[path = "scenarios/mirror.rs"]
mod mirror;
#[path = "scenarios/noise.rs"]
mod noise;
#[path = "scenarios/odd_clock.rs"]
mod odd_clock;
#[path = "common/port.rs"]
mod port;
#[path = "scenarios/refused.rs"]
mod refused;
#[path = "scenarios/road.rs"]
mod road;
#[path = "scenarios/safe_mode.rs"]
mod safe_mode;
#[cfg(feature = "device-screen")]
#[path = "scenarios/screens.rs"]
mod screens;
#[path = "scenarios/simulator.rs"]
mod simulator;
#[cfg(feature = "device-screen")]
#[path = "scenarios/studio.rs"]
mod studio;
#[path = "scenarios/subscriber.rs"]
mod subscriber;
#[path = "scenarios/truth.rs"]
mod truth;
#[path = "scenarios/vending.rs"]
mod vending;
#[path = "scenarios/vending_kills.rs"]
mod vending_kills;
#[cfg(feature = "device-screen")]
#[path = "scenarios/wall.rs"]
mod wall;

use std::time::{Duration, Instant};

/// Waits for a level, with a bound.
fn wait_until(what: &str, bound: Duration, mut reached: impl FnMut() -> bool) {
    let started = Instant::now();
    while !reached() {
        assert!(started.elapsed() < bound, "waited {bound:?} in vain: {what}");
        // waits: the interval at which the level is looked at
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Numbers that a seed repeats (SplitMix64; Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    /// From `SMARTSTORE_SEED`, else new. Printed, so that a failure can be repeated.
    fn thrown(story: &str) -> Self {
        let given = std::env::var("SMARTSTORE_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).unwrap();
            u64::from_ne_bytes(bytes) >> 1
        });
        println!("{story}: SMARTSTORE_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.within(low, high))
    }
}

/// How often the daemon is killed: more when time does not matter.
fn kills_wanted() -> u32 {
    if std::env::var_os("SMARTSTORE_FULL").is_some() { 200 } else { 20 }
}

/// How many codes the long story writes.
fn codes_wanted() -> u64 {
    std::env::var("SMARTSTORE_CODES").ok().and_then(|codes| codes.parse().ok()).unwrap_or(1000)
}
