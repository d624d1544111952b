//! Bodies for fuzzing: run from property tests and on the kept corpus, and by any fuzzer that gives bytes.

/// The header `{"alg":"EdDSA"}`.
const EDDSA: &str = "eyJhbGciOiJFZERTQSJ9";

use super::{base45, base64url, verify};
use crate::types::{Counter, CouponClock, CouponRefusal, GatewayId, KeyRing, StoreId, Timestamp};

/// Reads bytes as a coupon of either form, and as the inside of either. Without a key nothing can be good: says how
/// many were built as a coupon is.
#[doc(hidden)]
pub fn fuzz_coupon(data: &[u8]) -> usize {
    let (Ok(store), Ok(gateway)) = (StoreId::new("s"), GatewayId::new("g")) else { return 0 };
    let counter = Counter { store, gateway };
    let clock = CouponClock { now: Timestamp::from_unix_ms(0), synced: true, unsynced_allowed: false };
    let text = String::from_utf8_lossy(data);
    let split = data.len() / 3;
    let texts = [
        text.clone().into_owned(),
        format!("SC1:{text}"),
        format!("SC1:{}", base45::encode(data)),
        format!("{}.{}.{}", EDDSA, base64url::encode(data), base64url::encode(&[0; 64])),
        format!(
            "{}.{}.{}",
            base64url::encode(&data[..split]),
            base64url::encode(&data[split..]),
            base64url::encode(&[0; 64])
        ),
    ];
    let refused = texts.iter().map(|text| verify(text, &KeyRing::default(), &counter, clock));
    refused
        .filter(|verdict| {
            let reason = verdict.as_ref().map_err(|refused| refused.reason);
            assert!(reason.is_err(), "nothing is signed by nobody");
            reason == Err(CouponRefusal::UnknownKey)
        })
        .count()
}
