//! The scanner's side of a USB HID keyboard: writes key reports to a HID gadget (`/dev/hidgN`), as a bar code
//! scanner in keyboard mode sends them to the host.
//!
//! `typist DEVICE STEP…`, each step one of
//!
//! ```text
//! type=TEXT        presses and releases the keys of TEXT on a US keyboard; JSON's escapes: \" \\ \t \u001d
//! tap=NAME         one key: enter, capslock, f1
//! hold=KEY,MS      keeps a key down, so that the kernel repeats it
//! pace=MS          from now on, so long between two reports; at first 10
//! ```
//!
//! A report is 8 bytes: modifiers, 0, six usages of keys held down (USB HID 1.11, appendix B.1). Usages are those of
//! the HID Usage Tables, chapter 10 (Keyboard/Keypad page 07). Control characters are typed as Ctrl + key, the way
//! terminals and scanners do (Ctrl+] is GS). Only the standard library is used: it is built by `rustc` alone.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

const CTRL: u8 = 0x01;
const SHIFT: u8 = 0x02;

/// First usage of a run of keys and what the key caps say, without and with Shift. Between the runs are
/// Enter, Escape, Backspace and a key that a US keyboard does not have.
const CAPS: [(u8, &str, &str); 4] = [
    (0x04, "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    (0x1e, "1234567890", "!@#$%^&*()"),
    (0x2b, "\t -=[]\\", "\t _+{}|"),
    (0x33, ";'`,./", ":\"~<>?"),
];

/// One key with what is held down beside it.
type Stroke = (u8, u8);

fn stroke(character: char) -> Option<Stroke> {
    if character < ' ' && character != '\t' {
        let (modifiers, usage) = stroke(char::from(character as u8 | 0x40).to_ascii_lowercase())?;
        return Some((modifiers | CTRL, usage));
    }
    CAPS.iter().find_map(|(first, plain, shifted)| {
        let at = |caps: &str| caps.chars().position(|c| c == character).map(|place| first + place as u8);
        at(plain).map(|usage| (0, usage)).or_else(|| at(shifted).map(|usage| (SHIFT, usage)))
    })
}

fn named(name: &str) -> Option<Stroke> {
    let usage = match name {
        "enter" => 0x28,
        "capslock" => 0x39,
        "f1" => 0x3a,
        _ => return None,
    };
    Some((0, usage))
}

/// JSON's escapes, as far as ASCII needs them.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        plain.push(match (character, character == '\\') {
            (other, false) => other,
            (_, true) => match rest.next()? {
                'u' => char::from_u32(u32::from_str_radix(&rest.by_ref().take(4).collect::<String>(), 16).ok()?)?,
                't' => '\t',
                other => other,
            },
        });
    }
    Some(plain)
}

/// USB 2.0, 5.7.4: a low-speed interrupt endpoint, as most scanners in keyboard mode have, is asked every 10 ms at
/// most.
const LOW_SPEED_INTERVAL: Duration = Duration::from_millis(10);

struct Keyboard {
    reports: File,
    pace: Duration,
}

impl Keyboard {
    fn report(&mut self, modifiers: u8, usage: u8) -> io::Result<()> {
        self.reports.write_all(&[modifiers, 0, usage, 0, 0, 0, 0, 0])?;
        // waits: the pace of USB is the subject
        std::thread::sleep(self.pace);
        Ok(())
    }

    /// Press, release.
    fn tap(&mut self, (modifiers, usage): Stroke, held: Duration) -> io::Result<()> {
        self.report(modifiers, usage)?;
        // waits: how long a key is held is the subject
        std::thread::sleep(held);
        self.report(0, 0)
    }

    fn step(&mut self, step: &str) -> io::Result<()> {
        let unknown = || io::Error::new(io::ErrorKind::InvalidInput, format!("cannot type {step:?}"));
        let (verb, what) = step.split_once('=').ok_or_else(unknown)?;
        match verb {
            "type" => unescaped(what)
                .ok_or_else(unknown)?
                .chars()
                .try_for_each(|character| self.tap(stroke(character).ok_or_else(unknown)?, Duration::ZERO)),
            "tap" => self.tap(named(what).ok_or_else(unknown)?, Duration::ZERO),
            "hold" => {
                let (key, ms) = what.split_once(',').ok_or_else(unknown)?;
                let key = key.chars().next().and_then(stroke).ok_or_else(unknown)?;
                self.tap(key, Duration::from_millis(ms.parse().map_err(|_| unknown())?))
            }
            "pace" => {
                self.pace = Duration::from_millis(what.parse().map_err(|_| unknown())?);
                Ok(())
            }
            _ => Err(unknown()),
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(device) = arguments.next() else {
        eprintln!("usage: typist DEVICE STEP…");
        return ExitCode::from(64);
    };
    let typed = OpenOptions::new().write(true).open(&device).and_then(|reports| {
        let mut keyboard = Keyboard { reports, pace: LOW_SPEED_INTERVAL };
        arguments.try_for_each(|step| keyboard.step(&step))
    });
    match typed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("typist: {device}: {error}");
            ExitCode::FAILURE
        }
    }
}
