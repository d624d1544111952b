//! Ids that have been let in: what comes twice is let in once.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use super::limits;

/// The newest ids that were let in, over all devices. Cheap to clone; every clone is the same list. At the start it is
/// filled from the journal, so that it outlives the process together with what was let in.
#[derive(Debug, Clone, Default)]
pub struct Once(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    known: BTreeSet<Uuid>,
    order: VecDeque<Uuid>,
}

impl Once {
    /// Lets an id in; `false`: it was before.
    pub fn first(&self, id: Uuid) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.known.insert(id) {
            return false;
        }
        state.order.push_back(id);
        if state.order.len() > limits::ONCE
            && let Some(oldest) = state.order.pop_front()
        {
            state.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_let_in_once_and_the_list_does_not_grow_for_ever() {
        let once = Once::default();
        let id = |number: usize| Uuid::from_u128(number as u128);
        assert!(once.first(id(0)) && !once.clone().first(id(0)));
        for number in 1..=limits::ONCE {
            assert!(once.first(id(number)));
        }
        assert!(!once.first(id(limits::ONCE)), "the newest is known");
        assert!(once.first(id(0)), "the oldest is not any more");
    }
}
