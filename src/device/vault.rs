//! Payment codes in RAM: for their sale only, once, and not for long.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::limits;
use crate::types::{DeviceId, EventId, PaymentCode};

/// The codes that were scanned in the last minute, by the event that tells of each. Cheap to clone; every clone is the
/// same vault. What is in it is never printed, stored or sent by itself, and is overwritten when it goes.
#[derive(Clone, Default)]
pub struct Vault(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Said by a scanner whose event is not made yet.
    laid: BTreeMap<DeviceId, PaymentCode>,
    kept: BTreeMap<EventId, (Instant, PaymentCode)>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// A driver has read a payment code; the event about it comes next.
    pub fn lay(&self, device: &DeviceId, code: PaymentCode) {
        self.locked(|state| state.laid.insert(device.clone(), code));
    }

    /// The event about the code that this device has laid down.
    pub(super) fn keep(&self, device: &DeviceId, event: EventId, now: Instant) {
        self.locked(|state| {
            state.sweep(now);
            let Some(code) = state.laid.remove(device) else { return };
            while state.kept.len() >= limits::VAULT_CODES {
                let oldest = state.kept.iter().min_by_key(|(_, (until, _))| *until).map(|(event, _)| *event);
                let Some(oldest) = oldest else { break };
                state.kept.remove(&oldest);
            }
            state.kept.insert(event, (now + limits::VAULT, code));
        });
    }

    /// The code of a scan, once.
    pub fn take(&self, event: EventId, now: Instant) -> Option<PaymentCode> {
        self.locked(|state| {
            state.sweep(now);
            state.kept.remove(&event).map(|(_, code)| code)
        })
    }

    /// Overwrites what is too old. Says when to come again.
    pub fn sweep(&self, now: Instant) -> Option<Instant> {
        self.locked(|state| {
            state.sweep(now);
            state.kept.values().map(|(until, _)| *until).min()
        })
    }

    fn locked<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn sweep(&mut self, now: Instant) {
        self.kept.retain(|_, (until, _)| *until > now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;

    fn event(number: u128) -> EventId {
        EventId(Uuid::from_u128(number))
    }

    #[test]
    fn a_code_is_taken_once_by_its_own_event_and_not_after_a_minute() {
        let (vault, scanner) = (Vault::default(), DeviceId::new("scanner-1").unwrap());
        let now = crate::clock::Clock::manual(crate::types::Timestamp::from_unix_ms(0), 1).now();
        vault.lay(&scanner, PaymentCode::new("28763443825664394".to_owned()));
        assert!(vault.take(event(1), now).is_none(), "its event is not made yet");
        vault.keep(&scanner, event(1), now);
        assert!(vault.take(event(2), now).is_none());
        let code = vault.take(event(1), now).unwrap();
        assert!(code.with(|digits| digits.starts_with("2876")));
        assert!(vault.take(event(1), now).is_none(), "once");

        vault.lay(&scanner, PaymentCode::new("28763443825664394".to_owned()));
        vault.keep(&scanner, event(3), now);
        assert_eq!(vault.sweep(now), Some(now + limits::VAULT));
        assert!(vault.take(event(3), now + limits::VAULT).is_none());
        assert_eq!(vault.sweep(now), None);
    }

    #[test]
    fn it_holds_few_and_prints_none() {
        let (vault, scanner) = (Vault::default(), DeviceId::new("scanner-1").unwrap());
        let start = crate::clock::Clock::manual(crate::types::Timestamp::from_unix_ms(0), 1).now();
        for number in 0..100_u32 {
            vault.lay(&scanner, PaymentCode::new(format!("2876344382566{number:04}")));
            vault.keep(&scanner, event(number.into()), start + Duration::from_millis(number.into()));
        }
        let now = start + Duration::from_millis(100);
        let found = (0..100).filter(|number| vault.take(event(*number), now).is_some()).count();
        assert_eq!(found, limits::VAULT_CODES);
        assert_eq!(format!("{vault:?}"), "Vault");
    }
}
