//! A scanner that pretends to be a keyboard: Linux input events with a US layout.
//!
//! One `struct input_event` (linux/input.h), in the byte order of the machine:
//!
//! ```text
//! 64-bit: seconds 8 · microseconds 8 · type 2 · code 2 · value 4  = 24 bytes
//! 32-bit: seconds 4 · microseconds 4 · type 2 · code 2 · value 4  = 16 bytes
//! ```
//!
//! Scanner and daemon must agree on the US layout: the scanner presses the keys that give the code's characters
//! there. Control characters are the ones Ctrl gives on a terminal (Ctrl+] is GS). A key that stands for no
//! character spoils the code it is pressed in: better no code than a wrong one. What is absent: characters outside
//! ASCII, Alt + number-pad sequences, dead keys.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::frame::{Framing, Terminator};
use super::intake::{Heard, Intake, ScanAction};
use super::machine::refused;
use crate::wire::{Input, Machine, Output};

/// Size of one event: two words of time, then eight bytes.
pub const EVENT_BYTES: usize = 2 * size_of::<usize>() + 8;

const EV_SYN: u16 = 0;
const EV_KEY: u16 = 1;
const SYN_DROPPED: u16 = 3;

const KEY_ENTER: u16 = 28;
const KEY_LEFTCTRL: u16 = 29;
const KEY_LEFTSHIFT: u16 = 42;
const KEY_RIGHTSHIFT: u16 = 54;
const KEY_LEFTALT: u16 = 56;
const KEY_CAPSLOCK: u16 = 58;
const KEY_NUMLOCK: u16 = 69;
const KEY_KPENTER: u16 = 96;
const KEY_RIGHTCTRL: u16 = 97;
const KEY_RIGHTALT: u16 = 100;
const KEY_LEFTMETA: u16 = 125;
const KEY_RIGHTMETA: u16 = 126;

/// Stands in a code for what cannot be: makes it malformed.
const SPOILED: u8 = 0;

/// What a HID scanner's profile says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HidSettings {
    /// A pause between two keys of a code is never this long.
    pub frame_gap: Duration,
    /// Longest code, in bytes.
    pub max_code_bytes: usize,
    /// Shortest code, in bytes.
    pub min_code_bytes: usize,
    /// The same code again within this time is no news.
    pub repeat_window: Duration,
}

/// Keys held down, as bits.
#[derive(Debug, Default)]
struct Held {
    shift: u8,
    ctrl: u8,
    other: u8,
    caps: bool,
}

/// Reads codes from key events.
#[derive(Debug)]
pub struct HidScanner {
    intake: Intake,
    event: Vec<u8>,
    held: Held,
}

impl HidScanner {
    /// Waits for the first key.
    pub fn new(settings: &HidSettings) -> Self {
        let framing = Framing {
            terminator: Terminator::Cr,
            frame_gap: settings.frame_gap,
            max_code_bytes: settings.max_code_bytes,
            min_code_bytes: settings.min_code_bytes,
        };
        let intake = Intake::new(framing, settings.repeat_window);
        Self { intake, event: Vec::with_capacity(EVENT_BYTES), held: Held::default() }
    }

    fn byte(&mut self, now: Instant, byte: u8) {
        self.event.push(byte);
        if self.event.len() == EVENT_BYTES {
            let [.., t0, t1, c0, c1, v0, v1, v2, v3] = self.event[..] else { return };
            self.event.clear();
            let kind = u16::from_ne_bytes([t0, t1]);
            let code = u16::from_ne_bytes([c0, c1]);
            self.event(now, kind, code, i32::from_ne_bytes([v0, v1, v2, v3]));
        }
    }

    fn event(&mut self, now: Instant, kind: u16, code: u16, value: i32) {
        match (kind, code) {
            // The kernel's queue overran: keys are missing, and which modifiers are held is not known.
            (EV_SYN, SYN_DROPPED) => {
                self.held = Held { caps: self.held.caps, ..Held::default() };
                self.intake.byte(now, SPOILED);
            }
            (EV_KEY, _) => self.key(now, code, value),
            _ => {}
        }
    }

    fn key(&mut self, now: Instant, code: u16, value: i32) {
        if self.held.modifier(code, value) || value != 1 {
            return;
        }
        let character = match code {
            KEY_ENTER | KEY_KPENTER => b'\r',
            KEY_NUMLOCK => return,
            _ => self.held.character(code).unwrap_or(SPOILED),
        };
        self.intake.byte(now, character);
    }
}

impl Held {
    /// Whether the key is a modifier; if so, it is noted.
    fn modifier(&mut self, code: u16, value: i32) -> bool {
        let (keys, bit) = match code {
            KEY_LEFTSHIFT => (&mut self.shift, 1),
            KEY_RIGHTSHIFT => (&mut self.shift, 2),
            KEY_LEFTCTRL => (&mut self.ctrl, 1),
            KEY_RIGHTCTRL => (&mut self.ctrl, 2),
            KEY_LEFTALT => (&mut self.other, 1),
            KEY_RIGHTALT => (&mut self.other, 2),
            KEY_LEFTMETA => (&mut self.other, 4),
            KEY_RIGHTMETA => (&mut self.other, 8),
            KEY_CAPSLOCK => {
                self.caps ^= value == 1;
                return true;
            }
            _ => return false,
        };
        *keys = if value == 0 { *keys & !bit } else { *keys | bit };
        true
    }

    fn character(&self, code: u16) -> Option<u8> {
        let (plain, shifted) = us_key(code)?;
        let upper = (self.shift != 0) != (self.caps && plain.is_ascii_alphabetic());
        let character = if upper { shifted } else { plain };
        match (self.other, self.ctrl) {
            (0, 0) => Some(character),
            // Ctrl takes @ A–Z [ \ ] ^ _ to 00–1F, and a letter of either case to the same.
            (0, _) => {
                let upper = character.to_ascii_uppercase();
                (b'@'..=b'_').contains(&upper).then_some(upper & 0x1f)
            }
            _ => None,
        }
    }
}

/// What a key gives without and with Shift (linux/input-event-codes.h, US layout). Number-pad keys give digits:
/// a scanner that uses them means digits, whatever Num Lock says.
fn us_key(code: u16) -> Option<(u8, u8)> {
    /// Runs of neighbouring key codes: first code, characters without Shift, with Shift.
    const RUNS: [(u16, &[u8], &[u8]); 9] = [
        (2, b"1234567890-=", b"!@#$%^&*()_+"),
        (15, b"\t", b"\t"),
        (16, b"qwertyuiop[]", b"QWERTYUIOP{}"),
        (30, b"asdfghjkl;'`", b"ASDFGHJKL:\"~"),
        (43, b"\\zxcvbnm,./", b"|ZXCVBNM<>?"),
        (55, b"*", b"*"),
        (57, b" ", b" "),
        (71, b"789-456+1230.", b"789-456+1230."),
        (98, b"/", b"/"),
    ];
    RUNS.into_iter().find_map(|(first, plain, shifted)| {
        let place = usize::from(code.checked_sub(first)?);
        Some((*plain.get(place)?, *shifted.get(place)?))
    })
}

impl Machine for HidScanner {
    type Action = ScanAction;
    type Observation = Heard;
    type Error = Infallible;

    fn handle(&mut self, now: Instant, input: Input<'_, ScanAction>) -> Result<(), Infallible> {
        match input {
            Input::Bytes(bytes) => {
                for byte in bytes {
                    self.byte(now, *byte);
                }
            }
            Input::Action(action) => self.intake.say(refused(action)),
            Input::Tick => self.intake.tick(now),
        }
        self.intake.settle(now);
        Ok(())
    }

    fn poll(&mut self) -> Option<Output<Heard>> {
        self.intake.poll()
    }

    fn deadline(&self) -> Option<Instant> {
        self.intake.deadline()
    }

    fn in_flight(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
