//! The registry of standing health conditions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::types::{Condition, DeviceId, HealthChange, Timestamp};

/// All conditions of one gateway. Cheap to clone; every clone is the same registry.
#[derive(Debug, Clone)]
pub struct Conditions {
    clock: Clock,
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
}

/// A condition that stands and has stood long enough to be news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which one.
    pub condition: Condition,
    /// Whose; `None`: the gateway's own.
    pub device: Option<DeviceId>,
    /// Since when.
    pub since: Timestamp,
    /// What exactly.
    pub detail: Option<String>,
}

type Key = (Condition, Option<DeviceId>);

#[derive(Debug, Default)]
struct State {
    raised: BTreeMap<Key, Raised>,
    cleared: Vec<Key>,
}

#[derive(Debug)]
struct Raised {
    at: Instant,
    since: Timestamp,
    detail: Option<String>,
    announced: bool,
}

impl Conditions {
    /// An empty registry: everything is well.
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Arc::default(), changed: watch::Sender::new(0) }
    }

    /// Says that a condition is given or not. Saying the same again only refreshes the detail.
    pub fn set(&self, condition: Condition, device: Option<&DeviceId>, raised: bool, detail: Option<String>) {
        let key = (condition, device.cloned());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = if raised { state.raise(key, &self.clock, detail) } else { state.clear(&key) };
        drop(state);
        if changed {
            self.changed.send_modify(|version| *version = version.wrapping_add(1));
        }
    }

    /// Wakes whoever turns changes into events.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The changes that have become news since the last call. A condition that went before it was news is none.
    pub fn settle(&self) -> Vec<HealthChange> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = std::mem::take(&mut state.cleared).into_iter();
        let gone = gone.map(|(condition, device)| HealthChange { condition, device, raised: false, detail: None });
        let mut changes: Vec<_> = gone.collect();
        for ((condition, device), raised) in &mut state.raised {
            if !raised.announced && raised.at + condition.visible_after() <= now {
                raised.announced = true;
                let detail = raised.detail.clone();
                changes.push(HealthChange { condition: *condition, device: device.clone(), raised: true, detail });
            }
        }
        changes
    }

    /// When a condition that stands will become news, if none of them changes before.
    pub fn next_due(&self) -> Option<Instant> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = state.raised.iter().filter(|(_, raised)| !raised.announced);
        waiting.map(|((condition, _), raised)| raised.at + condition.visible_after()).min()
    }

    /// The conditions that stand and are news, worst first.
    pub fn standing(&self) -> Vec<Standing> {
        let now = self.clock.now();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let visible =
            state.raised.iter().filter(|((condition, _), raised)| raised.at + condition.visible_after() <= now);
        let mut standing: Vec<_> = visible
            .map(|((condition, device), raised)| Standing {
                condition: *condition,
                device: device.clone(),
                since: raised.since,
                detail: raised.detail.clone(),
            })
            .collect();
        standing.sort_by_key(|entry| std::cmp::Reverse(entry.condition.level()));
        standing
    }
}

impl State {
    fn raise(&mut self, key: Key, clock: &Clock, detail: Option<String>) -> bool {
        if let Some(raised) = self.raised.get_mut(&key) {
            raised.detail = detail;
            return false;
        }
        let (since, _) = clock.wall();
        self.raised.insert(key, Raised { at: clock.now(), since, detail, announced: false });
        true
    }

    fn clear(&mut self, key: &Key) -> bool {
        let Some(raised) = self.raised.remove(key) else { return false };
        if raised.announced {
            self.cleared.push(key.clone());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn registry() -> Conditions {
        Conditions::new(Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 1))
    }

    #[tokio::test(start_paused = true)]
    async fn a_flap_shorter_than_visible_after_is_no_news() {
        let conditions = registry();
        let device = DeviceId::new("scanner-1").unwrap();
        conditions.set(Condition::DeviceSilent, Some(&device), true, None);
        assert_eq!(conditions.settle(), []);
        assert_eq!(conditions.standing(), []);
        conditions.set(Condition::DeviceSilent, Some(&device), false, None);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(conditions.settle(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_condition_is_announced_once_and_its_end_once() {
        let conditions = registry();
        conditions.set(Condition::CloudAway, None, true, Some("refused".to_owned()));
        let due = conditions.next_due().unwrap();
        tokio::time::advance(Condition::CloudAway.visible_after()).await;
        assert!(due <= conditions.clock.now());
        let news = conditions.settle();
        assert_eq!(news.len(), 1);
        assert!(news[0].raised && news[0].detail.as_deref() == Some("refused"));
        conditions.set(Condition::CloudAway, None, true, None);
        assert_eq!(conditions.settle(), []);
        assert_eq!(conditions.standing().len(), 1);
        conditions.set(Condition::CloudAway, None, false, None);
        assert_eq!(conditions.settle().iter().map(|change| change.raised).collect::<Vec<_>>(), [false]);
        assert_eq!(conditions.settle(), []);
    }
}
