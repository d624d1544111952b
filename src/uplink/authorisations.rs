//! Questions about money that wait for the connection. They live in RAM only, and not for long: whoever asks asks
//! again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::limits;
use crate::wire::cloud::Authorise;

/// Cheap to clone; every clone is the same, so that it outlives an uplink.
#[derive(Debug, Clone, Default)]
pub struct Authorisations {
    waiting: Arc<Mutex<VecDeque<Authorise>>>,
    asked: Arc<Notify>,
}

impl Authorisations {
    /// Sends a question as soon as there is a connection; of too many the oldest is dropped.
    pub fn ask(&self, question: Authorise) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= limits::AUTHORISATIONS {
            waiting.pop_front();
        }
        waiting.push_back(question);
        drop(waiting);
        self.asked.notify_one();
    }

    /// The next question. Cancel-safe.
    pub(super) async fn next(&self) -> Authorise {
        loop {
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match next {
                Some(question) => return question,
                None => self.asked.notified().await,
            }
        }
    }

    /// A connection begins: what was asked before it was lost with the one before.
    pub(super) fn clear(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
