//! What was written into the line, and what must therefore arrive.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::subscriber::{Received, Subscriber};
use super::wait_until;

/// A code whose terminator was written this long before a cut is safe.
const SAFE_BEFORE_A_CUT: Duration = Duration::from_millis(100);

/// One code that was written to its end.
#[derive(Debug, Clone, Copy)]
struct Written {
    at: Instant,
    /// Whether it must arrive; else it may.
    owed: bool,
}

/// Everything that was written.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    written: BTreeMap<String, Written>,
}

impl Truth {
    /// `code` and its terminator have been written; `held`: the daemon held the line.
    pub(crate) fn wrote(&mut self, code: String, held: bool) {
        let before = self.written.insert(code, Written { at: Instant::now(), owed: held });
        assert!(before.is_none(), "each code is written once");
    }

    /// The daemon is about to be killed, or the cable to be pulled. Says which codes are no longer owed.
    pub(crate) fn cut(&mut self) -> usize {
        let now = Instant::now();
        let late = self.written.values_mut().filter(|code| code.owed && now - code.at < SAFE_BEFORE_A_CUT);
        late.map(|code| code.owed = false).count()
    }

    /// How many must arrive.
    pub(crate) fn owed(&self) -> usize {
        self.written.values().filter(|code| code.owed).count()
    }

    fn missing<'a>(&'a self, received: &'a Received) -> impl Iterator<Item = &'a String> {
        let owed = self.written.iter().filter(|(_, written)| written.owed).map(|(code, _)| code);
        owed.filter(|code| !received.codes.contains_key(*code))
    }

    /// Waits until everything that is owed has come, then says what is wrong with what came.
    pub(crate) fn settle(&self, subscriber: &Subscriber, bound: Duration) {
        let started = Instant::now();
        while subscriber.look(|received| self.missing(received).next().is_some()) && started.elapsed() < bound {
            // waits: the interval at which the level is looked at
            std::thread::sleep(Duration::from_millis(20));
        }
        let received = subscriber.received();
        let problems = self.problems(&received);
        println!(
            "written {}, owed {}, delivered {}, duplicates {}, settled in {:?}",
            self.written.len(),
            self.owed(),
            received.codes.len(),
            received.duplicates,
            started.elapsed()
        );
        assert!(problems.is_empty(), "{} problem(s):\n{}", problems.len(), problems.join("\n"));
    }

    fn problems(&self, received: &Received) -> Vec<String> {
        let lost = self.missing(received).map(|code| format!("lost: {code}"));
        let invented = received.codes.keys().filter(|code| !self.written.contains_key(*code));
        let invented = invented.map(|code| format!("invented: {code:?}"));
        let twice = received.codes.iter().filter(|(_, ids)| ids.len() > 1);
        let twice = twice.map(|(code, ids)| format!("delivered {} times: {code}", ids.len()));
        let found = lost.chain(invented).chain(twice).take(20);
        let form = received.form_problems().into_iter().take(20);
        found.chain(received.numbering_problems()).chain(received.problems.iter().cloned()).chain(form).collect()
    }
}

/// Waits until the broker's end has been silent on new codes for good: everything stored has been sent.
pub(crate) fn wait_for_count(subscriber: &Subscriber, codes: usize, bound: Duration) {
    wait_until(&format!("{codes} codes are delivered"), bound, || subscriber.look(|got| got.codes.len() >= codes));
}

#[test]
fn the_truth_tells_lost_invented_and_double() {
    let mut truth = Truth::default();
    truth.wrote("kept".into(), true);
    truth.wrote("lost".into(), true);
    truth.wrote("unheld".into(), false);
    let mut received = Received::default();
    let mut came = |code: &str, id: &str| {
        received.codes.entry(code.to_owned()).or_default().insert(id.to_owned());
    };
    came("kept", "1");
    came("kept", "2");
    came("never", "3");
    let problems = truth.problems(&received);
    assert_eq!(problems, ["lost: lost", "invented: \"never\"", "delivered 2 times: kept"]);
    assert_eq!((truth.cut(), truth.owed()), (2, 0), "what was just written is owed no more after a cut");
}
