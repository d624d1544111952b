use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;
use crate::types::{BootId, CodeScanned, CouponKind, CouponValue, DeviceId, Draft, GatewayId, Row, Seq, StoreId};
use crate::wire::coupon::{issue_cose, issue_jws};

const DAY_MS: i64 = 24 * 3600 * 1000;
/// 2026-11-25T12:00:00Z.
const NOON_MS: i64 = 1_795_608_000_000;

fn signer(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn station() -> Redeem {
    Redeem {
        station: StationId::new("till-1").unwrap(),
        counter: Counter { store: StoreId::new("hz-1").unwrap(), gateway: GatewayId::new("gw-1").unwrap() },
        unsynced_allowed: false,
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

fn claims(id: &str) -> CouponClaims {
    CouponClaims {
        issuer: IssuerId::new("brand").unwrap(),
        key: KeyId::new("k1").unwrap(),
        id: CouponId::new(id).unwrap(),
        audience: vec!["hz-1".to_owned()],
        not_before: at(NOON_MS - DAY_MS),
        expires: at(NOON_MS + DAY_MS),
        kind: CouponKind::Coupon,
        value: CouponValue::Minor(500),
    }
}

fn keys(names: &[&str], seed: u8) -> CouponKeys {
    let key = |name: &&str| IssuerKey {
        id: KeyId::new(name).unwrap(),
        ed25519: signer(seed).public_key().as_ref().try_into().unwrap(),
        from: at(0),
        until: at(NOON_MS + 30 * DAY_MS),
    };
    CouponKeys { issuer: IssuerId::new("brand").unwrap(), keys: names.iter().map(key).collect() }
}

fn signed(claims: &CouponClaims, seed: u8) -> String {
    issue_jws(claims, |bytes| signer(seed).sign(bytes).as_ref().try_into().unwrap())
}

fn stamp(ms: i64, up_ms: u64) -> Stamp {
    Stamp { wall: at(ms), synced: true, boot: BootId(uuid::Uuid::nil()), up: Duration::from_millis(up_ms) }
}

fn scan(kind: CodeKind, value: &str, at: Stamp) -> Event {
    let code = CodeScanned { kind, symbology: None, value: value.to_owned(), gtin: None, ai: BTreeMap::new() };
    let draft = Draft {
        id: EventId(uuid::Uuid::from_u128(1)),
        device: Some(DeviceId::new("scanner-1").unwrap()),
        at,
        cause: None,
        body: Body::Observed(Observation::Code(code)),
    };
    Event { row: Row(1), seq: Seq(1), draft }
}

/// What whoever runs a flow keeps, without a disk.
#[derive(Default)]
struct Kept(BTreeMap<String, Keep>);

impl Kept {
    fn knows(keys: &CouponKeys) -> Self {
        Self(keep_keys(keys).into_iter().map(|keep| (keep.name.clone(), keep)).collect())
    }

    fn value(&self, name: &str, now: Timestamp) -> Option<&[u8]> {
        self.0.get(name).filter(|keep| keep.until > now).map(|keep| keep.value.as_slice())
    }

    /// Shows a coupon; `Ok`: it was redeemed.
    fn show(&mut self, station: &Redeem, text: &str, at: Stamp, event: u128) -> Result<CouponClaims, Verdict> {
        let event = EventId(uuid::Uuid::from_u128(event));
        let redemption = match station.look(&scan(CodeKind::Coupon, text, at), &at) {
            Look::Nothing => panic!("a coupon is something"),
            Look::Decided(redemption) => redemption,
            Look::Asks(question) => {
                let (key, seen) = (self.value(&question.key(), at.wall), self.value(&question.seen(), at.wall));
                let (redemption, keep) = station.answer(*question, key, seen, event);
                self.0.extend(keep.map(|keep| (keep.name.clone(), keep)));
                redemption
            }
        };
        assert_eq!(redemption.station, station.station);
        match redemption.verdict {
            Verdict::Redeemed(claims) => Ok(*claims),
            refused @ Verdict::Refused { .. } => Err(refused),
        }
    }
}

fn reason(shown: Result<CouponClaims, Verdict>) -> CouponRefusal {
    match shown {
        Err(Verdict::Refused { reason, .. }) => reason,
        other => panic!("{other:?} is not refused"),
    }
}

#[test]
fn a_coupon_is_redeemed_once_whatever_its_form_and_station() {
    let mut kept = Kept::knows(&keys(&["k1"], 1));
    let (here, there) = (station(), Redeem { station: StationId::new("till-2").unwrap(), ..station() });
    let jws = signed(&claims("c-1"), 1);
    let cose = issue_cose(&claims("c-1"), |bytes| signer(1).sign(bytes).as_ref().try_into().unwrap());
    assert_eq!(kept.show(&here, &jws, stamp(NOON_MS, 0), 7), Ok(claims("c-1")));
    for (station, text) in [(&here, &jws), (&there, &jws), (&here, &cose)] {
        let used = Verdict::Refused {
            reason: CouponRefusal::Used,
            claims: Some(Box::new(claims("c-1"))),
            redeemed: Some(EventId(uuid::Uuid::from_u128(7))),
        };
        assert_eq!(kept.show(station, text, stamp(NOON_MS + 1000, 1000), 8), Err(used));
    }
    assert_eq!(kept.show(&there, &signed(&claims("c-2"), 1), stamp(NOON_MS, 0), 9), Ok(claims("c-2")));
}

#[test]
fn it_is_remembered_for_longer_than_the_coupon_is_valid() {
    let mut kept = Kept::knows(&keys(&["k1"], 1));
    let text = signed(&claims("c-1"), 1);
    kept.show(&station(), &text, stamp(NOON_MS, 0), 1).unwrap();
    assert_eq!(reason(kept.show(&station(), &text, stamp(NOON_MS + DAY_MS - 1, 0), 2)), CouponRefusal::Used);
    assert_eq!(reason(kept.show(&station(), &text, stamp(NOON_MS + DAY_MS, 0), 2)), CouponRefusal::Expired);
    let seen = kept.0.values().find(|keep| keep.name.starts_with("seen ")).unwrap();
    assert_eq!((seen.name.as_str(), seen.until), ("seen brand c-1", at(NOON_MS + 8 * DAY_MS)));
}

#[test]
fn a_refused_coupon_is_not_used_up() {
    let mut kept = Kept::default();
    let text = signed(&claims("c-1"), 1);
    let elsewhere = Redeem {
        counter: Counter { store: StoreId::new("hz-2").unwrap(), gateway: GatewayId::new("gw-2").unwrap() },
        ..station()
    };
    let unsynced = Stamp { synced: false, ..stamp(NOON_MS, 0) };
    assert_eq!(reason(kept.show(&station(), &text, stamp(NOON_MS, 0), 1)), CouponRefusal::UnknownKey);
    kept = Kept::knows(&keys(&["k1"], 2));
    assert_eq!(reason(kept.show(&station(), &text, stamp(NOON_MS, 0), 1)), CouponRefusal::Forged);
    kept = Kept::knows(&keys(&["k1"], 1));
    assert_eq!(reason(kept.show(&elsewhere, &text, stamp(NOON_MS, 0), 1)), CouponRefusal::WrongAudience);
    assert_eq!(reason(kept.show(&station(), &text, unsynced, 1)), CouponRefusal::ClockUnsynced);
    assert_eq!(reason(kept.show(&station(), &text, stamp(NOON_MS - 2 * DAY_MS, 0), 1)), CouponRefusal::NotYet);
    assert_eq!(reason(kept.show(&station(), "SC1:00", stamp(NOON_MS, 0), 1)), CouponRefusal::Malformed);
    assert_eq!(kept.0.len(), 1, "nothing but the key is kept");
    assert_eq!(kept.show(&station(), &text, stamp(NOON_MS, 0), 1), Ok(claims("c-1")));
}

#[test]
fn a_station_may_take_coupons_without_a_clock_and_still_only_once() {
    let mut kept = Kept::knows(&keys(&["k1"], 1));
    let lenient = Redeem { unsynced_allowed: true, ..station() };
    let text = signed(&claims("c-1"), 1);
    let unsynced = Stamp { synced: false, ..stamp(NOON_MS, 0) };
    assert_eq!(kept.show(&lenient, &text, unsynced, 1), Ok(claims("c-1")));
    assert_eq!(reason(kept.show(&lenient, &text, unsynced, 1)), CouponRefusal::Used);
}

#[test]
fn new_keys_push_nothing_out() {
    let mut kept = Kept::knows(&keys(&["k1"], 1));
    kept.0.extend(Kept::knows(&keys(&["k2"], 2)).0);
    assert!(kept.show(&station(), &signed(&claims("a"), 1), stamp(NOON_MS, 0), 1).is_ok());
    let new = CouponClaims { key: KeyId::new("k2").unwrap(), ..claims("b") };
    assert!(kept.show(&station(), &signed(&new, 2), stamp(NOON_MS, 0), 2).is_ok());
    // The old key's time is over: what it signed does not count any more, valid or not.
    let late = stamp(NOON_MS + 30 * DAY_MS, 0);
    let long = CouponClaims { expires: at(NOON_MS + 60 * DAY_MS), ..claims("c") };
    assert_eq!(reason(kept.show(&station(), &signed(&long, 1), late, 3)), CouponRefusal::UnknownKey);
}

#[test]
fn what_is_no_coupon_or_was_shown_too_long_ago_is_passed_over() {
    let text = signed(&claims("c-1"), 1);
    let looks =
        |kind, shown: Stamp, now: Stamp| !matches!(station().look(&scan(kind, &text, shown), &now), Look::Nothing);
    let shown = stamp(NOON_MS, 5_000);
    assert!(looks(CodeKind::Coupon, shown, stamp(NOON_MS, 35_000)));
    assert!(!looks(CodeKind::Coupon, shown, stamp(NOON_MS, 35_001)));
    assert!(!looks(CodeKind::Unknown, shown, shown));
    // Another boot: only the wall clock can tell, if it was right at both ends.
    let boot = |ms, synced| Stamp { boot: BootId(uuid::Uuid::from_u128(2)), synced, ..stamp(ms, 0) };
    assert!(looks(CodeKind::Coupon, shown, boot(NOON_MS + 30_000, true)));
    assert!(!looks(CodeKind::Coupon, shown, boot(NOON_MS + 30_001, true)));
    assert!(!looks(CodeKind::Coupon, shown, boot(NOON_MS, false)));
}

#[test]
fn a_key_that_cannot_be_read_back_is_none() {
    let key = &keys(&["k1"], 1).keys[0];
    let bytes = write_key(key);
    assert_eq!(read_key(&key.id, &bytes).as_ref(), Some(key));
    for length in 0..bytes.len() {
        assert_eq!(read_key(&key.id, &bytes[..length]), None);
    }
}

#[test]
fn the_longest_names_fit_the_journal() {
    let issuer = IssuerId::new(&"i".repeat(48)).unwrap();
    let names = [
        key_name(&issuer, &KeyId::new(&"k".repeat(64)).unwrap()),
        seen_name(&issuer, &CouponId::new(&"c".repeat(64)).unwrap()),
    ];
    assert!(names.iter().all(|name| name.len() <= 128), "{names:?}");
}

proptest! {
    /// Any sequence of coupons at any of two stations, at any time: each coupon is redeemed at most once, and the first
    /// time it is shown while it is good.
    #[test]
    fn no_sequence_redeems_a_coupon_twice(
        shown in prop::collection::vec((0..5_u8, any::<bool>(), -2..3_i64, any::<bool>()), 1..60),
    ) {
        let mut kept = Kept::knows(&keys(&["k1"], 1));
        let mut redeemed = BTreeSet::new();
        for (event, (coupon, second, day, good)) in (1..).zip(shown) {
            let name = if second { "till-2" } else { "till-1" };
            let station = Redeem { station: StationId::new(name).unwrap(), ..station() };
            let text = signed(&claims(&coupon.to_string()), if good { 1 } else { 2 });
            let in_time = (-1..1).contains(&day);
            let outcome = kept.show(&station, &text, stamp(NOON_MS + day * DAY_MS, 0), event);
            prop_assert_eq!(outcome.is_ok(), good && in_time && !redeemed.contains(&coupon));
            if outcome.is_ok() {
                redeemed.insert(coupon);
            }
        }
    }
}
