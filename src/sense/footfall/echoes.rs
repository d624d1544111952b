//! Frames that several ears heard: one request in the air is one, however many sensors stand around it.

use super::cells::Ear;
use super::limits::{ECHO_US, ECHOES};

/// The last frames, each in the one place that its hash gives it.
pub(super) struct Echoes(Vec<Heard>);

#[derive(Debug, Clone, Copy)]
struct Heard {
    who: u64,
    sequence: u16,
    ear: Ear,
    at_us: i64,
}

impl Echoes {
    pub(super) fn new() -> Self {
        Self(vec![Heard { who: 0, sequence: 0, ear: Ear::FIRST, at_us: i64::MIN }; ECHOES])
    }

    /// Whether another ear has just heard this frame. `who` is as good as random. The same ear hears a frame twice when
    /// it was sent twice.
    pub(super) fn is_echo(&mut self, who: u64, sequence: u16, ear: Ear, at_us: i64) -> bool {
        let place = usize::try_from((who ^ u64::from(sequence).wrapping_mul(0x9e37_79b9)) % ECHOES as u64);
        let last = &mut self.0[place.unwrap_or(0)];
        let is_same = last.who == who && last.sequence == sequence && at_us.saturating_sub(last.at_us) < ECHO_US;
        if !is_same {
            *last = Heard { who, sequence, ear, at_us };
        }
        is_same && last.ear != ear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_an_echo_if_another_ear_heard_it_and_not_if_the_counter_came_round() {
        let mut echoes = Echoes::new();
        assert!(!echoes.is_echo(7, 100, Ear(0), 0));
        assert!(echoes.is_echo(7, 100, Ear(1), 30_000));
        assert!(echoes.is_echo(7, 100, Ear(2), 40_000), "every further ear hears an echo");
        assert!(!echoes.is_echo(7, 100, Ear(0), 50_000), "sent again");
        assert!(!echoes.is_echo(8, 100, Ear(1), 60_000), "somebody else's");
        assert!(!echoes.is_echo(7, 101, Ear(1), 70_000), "the next one");
        assert!(!echoes.is_echo(7, 100, Ear(1), 90_000_000), "4096 frames later");
    }
}
