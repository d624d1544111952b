//! What stands in the way, said once per change and not once per attempt.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::fault::Fault;
use crate::observe::Conditions;
use crate::types::{Class, Condition};

/// The part of the uplink that something stands in the way of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// The connection for events.
    Events,
    /// The connection for commands.
    Commands,
    /// The broker's quota.
    Quota,
    /// The topic of the status.
    Status,
    /// The topics of the configuration.
    Configuration,
    /// The topic of questions about money.
    Authorise,
    /// The topic of one class.
    Topic(Class),
    /// Certificates or a password that were renewed and do not work.
    Renewal,
}

/// The uplink's own conditions.
const CONDITIONS: [Condition; 4] =
    [Condition::CloudAway, Condition::CloudRefused, Condition::CloudTls, Condition::CloudQuota];

/// Joins what the parts report into the gateway's conditions.
#[derive(Debug)]
pub(super) struct Health {
    conditions: Conditions,
    given: Mutex<BTreeMap<Part, (Condition, String)>>,
}

impl Health {
    pub(super) fn new(conditions: Conditions) -> Self {
        Self { conditions, given: Mutex::default() }
    }

    /// Something stands in the way of a part.
    pub(super) fn raise(&self, part: Part, condition: Condition, detail: &str) {
        self.change(part, Some((condition, detail.to_owned())));
    }

    /// A part has no connection.
    pub(super) fn fault(&self, part: Part, fault: &Fault) {
        if !(fault.wordless && self.given(part) == Some(Condition::CloudTls)) {
            self.raise(part, fault.condition, &fault.detail);
        }
    }

    fn given(&self, part: Part) -> Option<Condition> {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.get(&part).map(|(condition, _)| *condition)
    }

    /// Nothing stands in the way of a part any more.
    pub(super) fn clear(&self, part: Part) {
        self.change(part, None);
    }

    fn change(&self, part: Part, now: Option<(Condition, String)>) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let before = given.remove(&part).map(|(condition, _)| condition);
        let now = now.map(|now| &*given.entry(part).or_insert(now));
        match (before, now) {
            (None, None) => return,
            (Some(before), Some((condition, _))) if before == *condition => {}
            (_, Some((condition, detail))) => {
                tracing::debug!(code = condition.code(), ?part, detail, "{}", condition.text());
            }
            (Some(before), None) => tracing::debug!(code = before.code(), ?part, "the uplink goes on"),
        }
        for condition in CONDITIONS {
            let detail = given.values().find(|(is, _)| *is == condition).map(|(_, detail)| detail.clone());
            self.conditions.set(condition, None, detail.is_some(), detail);
        }
    }
}
