//! The body that every dialect's machine is fuzzed with.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{Dispense, Heard, VendAction};
use crate::types::CommandId;
use crate::wire::{Input, Machine, Output};

/// Drives a machine: each chunk's first byte says how long it is and what happens after it. Asserts what holds
/// whatever the bytes are: no dispense ends twice, none ends that was not asked for. Returns how many things were
/// heard.
pub(crate) fn drive<M>(mut machine: M, start: Instant, data: &[u8]) -> usize
where
    M: Machine<Action = VendAction, Observation = Heard>,
{
    let mut now = start;
    let mut rest = data;
    let (mut heard, mut number) = (0, 0_u32);
    let mut open = BTreeSet::new();
    while let [head, tail @ ..] = rest {
        let (chunk, after) = tail.split_at(tail.len().min(usize::from(head >> 2)));
        rest = after;
        let _ = machine.handle(now, Input::Bytes(chunk));
        match head & 0b11 {
            0b01 => now += Duration::from_millis(20),
            0b11 => now += Duration::from_millis(u64::from(*head) * 40),
            0b10 if !machine.in_flight() => {
                number += 1;
                if let Some(action) = action(number, u16::from(*head >> 2), now) {
                    open.insert(action.command().clone());
                    let _ = machine.handle(now, Input::Action(action));
                }
            }
            _ => {}
        }
        if machine.deadline().is_some_and(|at| at <= now) {
            let _ = machine.handle(now, Input::Tick);
        }
        // The disk takes its time, now and then.
        if machine.awaits_storage() && head & 0b100 == 0 {
            machine.stored(now);
        }
        while let Some(output) = machine.poll() {
            heard += usize::from(matches!(output, Output::Observe(_)));
            if let Output::Observe(Heard::Dispensed(dispensed)) = output {
                assert!(open.remove(&dispensed.command), "{} was not asked for, or ended twice", dispensed.command);
            } else if let Output::Observe(Heard::Ended(outcome)) = output {
                assert!(open.remove(&outcome.command), "{} was not asked for, or ended twice", outcome.command);
            }
        }
    }
    heard
}

/// One of every kind in turn.
fn action(number: u32, slot: u16, now: Instant) -> Option<VendAction> {
    let command = CommandId::new(&format!("fuzz-{number}")).ok()?;
    Some(match number % 9 {
        0 => VendAction::Recover { command, slot },
        1 => VendAction::ClearJam { command },
        2 => VendAction::Decline { command },
        3 => VendAction::WriteStock { command, slot, count: 5 },
        4 => VendAction::Charge { command, slot, price_minor: 120 },
        5 => VendAction::EndCharge { command, dispensed: slot.is_multiple_of(2) },
        _ => {
            let until = now + Duration::from_secs(10);
            let asked = Dispense { command, slot, price_minor: 100, drop_sensor: true, until };
            if number % 9 == 6 { VendAction::Approve(asked) } else { VendAction::Dispense(asked) }
        }
    })
}

/// Random and mutated bytes for the long run: pieces of good frames, broken and whole, among noise.
#[cfg(test)]
pub(crate) fn long_run(name: &str, good: &[&[u8]], body: impl Fn(&[u8]) -> usize) {
    use crate::wire::scan::splitmix;

    #[expect(clippy::disallowed_methods, reason = "the long run is asked for from outside")]
    let asked = std::env::var("SMARTSTORE_FUZZ_BYTES").ok().and_then(|bytes| bytes.parse().ok());
    let most: u64 = asked.unwrap_or(200_000);
    let mut state = 0x5eed;
    let (mut fed, mut heard) = (0_u64, 0_usize);
    while fed < most {
        let mut data = Vec::with_capacity(4096);
        while data.len() < 3000 {
            let word = splitmix(&mut state);
            let mut piece = match word % 4 {
                0 => word.to_le_bytes().to_vec(),
                _ => good[usize::try_from(word >> 8).unwrap_or(0) % good.len()].to_vec(),
            };
            if word % 5 == 1 && !piece.is_empty() {
                let at = usize::try_from(word >> 16).unwrap_or(0) % piece.len();
                piece[at] ^= 1 << ((word >> 40) % 8);
            }
            piece.truncate(63);
            let length = u8::try_from(piece.len()).unwrap_or(0);
            data.push((length << 2) | u8::try_from((word >> 50) & 0b11).unwrap_or(0));
            data.extend(piece);
        }
        fed += data.len() as u64;
        heard += body(&data);
    }
    println!("{name}: {fed} bytes, {heard} things heard");
    assert!(heard > 0);
}

/// Runs a body on every file of the dialect's kept corpus and on every truncation of it.
#[cfg(test)]
pub(crate) fn corpus(dialect: &str, body: impl Fn(&[u8]) -> usize) -> usize {
    let folder = format!("{}/tests/corpus/{dialect}", env!("CARGO_MANIFEST_DIR"));
    let mut results = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            let data = std::fs::read(path).unwrap();
            results += (0..=data.len()).map(|end| body(&data[..end])).sum::<usize>();
        }
    }
    results
}
