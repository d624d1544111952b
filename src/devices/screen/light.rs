//! When a panel was dark, and what that leaves of a play. Pure: what the kernel says is an argument.
//!
//! Limits: the last [`SPANS`] times that it was dark are remembered, in memory. A play that its page kept for longer,
//! or over a restart of the gateway, is believed.

use std::collections::VecDeque;

use crate::transport::panel::Panel;
use crate::types::{PlayResult, ScreenPlay, Timestamp};
use crate::wire::screen::limits;

const SPANS: usize = 256;

/// The dark times of one panel.
#[derive(Debug, Default)]
pub(super) struct Light {
    /// From when until when; the last one may go on still.
    dark: VecDeque<(Timestamp, Option<Timestamp>)>,
}

impl Light {
    /// What the kernel says now.
    pub(super) fn note(&mut self, panel: Panel, now: Timestamp) {
        match (panel.is_dark(), self.dark.back_mut()) {
            (true, None | Some((_, Some(_)))) => self.dark.push_back((now, None)),
            (false, Some((_, end @ None))) => *end = Some(now),
            _ => {}
        }
        if self.dark.len() > SPANS {
            self.dark.pop_front();
        }
    }

    /// Whether it is dark now.
    pub(super) fn is_dark(&self) -> bool {
        self.dark.back().is_some_and(|(_, end)| end.is_none())
    }

    /// What nobody could see was not shown: takes off the part of a play's time for which the panel was dark.
    pub(super) fn judge(&self, mut play: ScreenPlay) -> ScreenPlay {
        let whole = play.end.since(play.start).as_millis();
        let in_the_dark = self.dark.iter().map(|(from, until)| {
            let until = until.map_or(play.end, |until| until.min(play.end));
            until.since((*from).max(play.start)).as_millis()
        });
        let in_the_dark: u128 = in_the_dark.sum();
        if whole == 0 || in_the_dark == 0 {
            return play;
        }
        // Rounded up: a moment of darkness is one percent.
        let percent = (in_the_dark * 100).div_ceil(whole).min(100);
        let seen = 100 - u8::try_from(percent).unwrap_or(100);
        play.visible_percent = play.visible_percent.min(seen);
        if play.result == PlayResult::Complete && play.visible_percent < limits::SHOWN_PERCENT {
            play.result = PlayResult::Cut;
        }
        play
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{SceneId, ZoneId};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_763_776_800_000 + seconds * 1000)
    }

    fn play(from: i64, to: i64) -> ScreenPlay {
        ScreenPlay {
            play: uuid::Uuid::from_u128(1),
            zone: ZoneId::new("main").unwrap(),
            item: SceneId::new("a").unwrap(),
            sha256: None,
            rev: 1,
            start: at(from),
            end: at(to),
            shown_ms: 10_000,
            result: PlayResult::Complete,
            visible_percent: 100,
            trigger: None,
            overridden: false,
        }
    }

    #[test]
    fn what_was_played_in_the_dark_was_not_seen() {
        let mut light = Light::default();
        light.note(Panel::Unknown, at(0));
        light.note(Panel::On, at(1));
        assert!(!light.is_dark());
        assert_eq!(light.judge(play(0, 10)).result, PlayResult::Complete);
        light.note(Panel::Off, at(100));
        light.note(Panel::Unplugged, at(110));
        assert!(light.is_dark());
        // Before it, into it, within it.
        for (span, percent, result) in [
            ((80, 90), 100, PlayResult::Complete),
            ((80, 101), 95, PlayResult::Complete),
            ((90, 110), 50, PlayResult::Cut),
            ((105, 115), 0, PlayResult::Cut),
        ] {
            let judged = light.judge(play(span.0, span.1));
            assert_eq!((judged.visible_percent, judged.result), (percent, result), "{span:?}");
        }
        light.note(Panel::On, at(120));
        assert!(!light.is_dark());
        assert_eq!(light.judge(play(115, 125)).visible_percent, 50);
        assert_eq!(light.judge(play(120, 130)).result, PlayResult::Complete, "it is light again");
        for hour in (0_i64..).take(2 * SPANS) {
            light.note(Panel::Off, at(3600 * hour + 200));
            light.note(Panel::On, at(3600 * hour + 300));
        }
        assert_eq!(light.dark.len(), SPANS);
    }
}
