use std::collections::BTreeMap;
use std::time::Duration;

use ring::signature::{Ed25519KeyPair, KeyPair};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::Clock;
use crate::flow::redeem::{Redeem, keep_keys, signed_coupon};
use crate::journal::{Effects, Journal, Settings};
use crate::types::{
    CodeKind, CodeScanned, Counter, CouponClaims, CouponId, CouponKeys, CouponKind, CouponRefusal, CouponValue,
    GatewayId, IssuerId, IssuerKey, KeyId, Observation, StationId, StoreId, Timestamp, Verdict,
};

const NOW_MS: i64 = 1_763_776_800_000;

fn signer() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap()
}

fn desks() -> Desks {
    let desk = Redeem {
        station: StationId::new("till-1").unwrap(),
        counter: Counter { store: StoreId::new("s").unwrap(), gateway: GatewayId::new("g").unwrap() },
        unsynced_allowed: false,
    };
    let desks = Desks::default();
    desks.set(BTreeMap::from([(DeviceId::new("scanner-1").unwrap(), desk)]));
    desks
}

fn keys() -> CouponKeys {
    let key = IssuerKey {
        id: KeyId::new("k1").unwrap(),
        ed25519: signer().public_key().as_ref().try_into().unwrap(),
        from: Timestamp::from_unix_ms(0),
        until: Timestamp::from_unix_ms(i64::MAX),
    };
    CouponKeys { issuer: IssuerId::new("brand").unwrap(), keys: vec![key] }
}

fn coupon(id: &str) -> String {
    let claims = CouponClaims {
        issuer: keys().issuer,
        key: KeyId::new("k1").unwrap(),
        id: CouponId::new(id).unwrap(),
        audience: vec!["s".to_owned()],
        not_before: Timestamp::from_unix_ms(0),
        expires: Timestamp::from_unix_ms(NOW_MS).plus(Duration::from_secs(3600)),
        kind: CouponKind::Coupon,
        value: CouponValue::Minor(1),
    };
    signed_coupon(&claims, |bytes| signer().sign(bytes).as_ref().try_into().unwrap())
}

/// A journal on disk, and whoever redeems what is scanned.
struct Till {
    clock: Clock,
    journal: Journal,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<Result<(), JournalError>>,
}

impl Till {
    fn open(directory: &std::path::Path, clock: &Clock) -> Self {
        let journal = Journal::open(Settings::new(directory), clock.clone()).unwrap().0;
        let stop = CancellationToken::new();
        let redeemer = Redeemer::new(journal.clone(), clock.clone(), desks());
        #[expect(clippy::disallowed_methods, reason = "the test owns the handle")]
        let running = tokio::spawn(redeemer.run(stop.clone()));
        Self { clock: clock.clone(), journal, stop, running }
    }

    async fn know_the_keys(&self) {
        let state = keep_keys(&keys()).into_iter().map(change).collect();
        self.journal.keep(OWNER, Effects { state, ..Effects::default() }).await.unwrap();
    }

    async fn scan(&self, scanner: &str, kind: CodeKind, value: &str) {
        let code = CodeScanned { kind, symbology: None, value: value.to_owned(), gtin: None, ai: BTreeMap::new() };
        let draft = Draft {
            id: self.clock.event_id(),
            device: Some(DeviceId::new(scanner).unwrap()),
            at: self.clock.stamp(),
            cause: None,
            body: Body::Observed(Observation::Code(code)),
        };
        self.journal.append(vec![draft]).await.unwrap();
    }

    /// Waits until so many verdicts are stored.
    async fn verdicts(&self, count: usize) -> Vec<(Option<Cause>, Option<CouponRefusal>)> {
        let mut head = self.journal.head();
        let all = async {
            loop {
                let events = self.journal.unsent(Class::Money, Row(0), 1000).await.unwrap();
                let verdicts: Vec<_> = events.into_iter().filter_map(verdict).collect();
                if verdicts.len() >= count {
                    return verdicts;
                }
                head.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.unwrap()
    }

    async fn close(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
        self.journal.close().await.unwrap();
    }
}

fn verdict(event: Event) -> Option<(Option<Cause>, Option<CouponRefusal>)> {
    match event.draft.body {
        Body::Noticed(Notice::Coupon(redemption)) => Some(match redemption.verdict {
            Verdict::Redeemed(_) => (event.draft.cause, None),
            Verdict::Refused { reason, .. } => (event.draft.cause, Some(reason)),
        }),
        _ => None,
    }
}

#[tokio::test]
async fn a_coupon_is_redeemed_once_by_any_number_of_scans_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp::from_unix_ms(NOW_MS), 5);
    let till = Till::open(directory.path(), &clock);
    till.know_the_keys().await;
    for id in ["a", "a", "b", "a"] {
        till.scan("scanner-1", CodeKind::Coupon, &coupon(id)).await;
    }
    let refusals: Vec<_> = till.verdicts(4).await.into_iter().map(|(_, refusal)| refusal).collect();
    assert_eq!(refusals, [None, Some(CouponRefusal::Used), None, Some(CouponRefusal::Used)]);
    till.close().await;

    let till = Till::open(directory.path(), &clock);
    till.scan("scanner-1", CodeKind::Coupon, &coupon("b")).await;
    let verdicts = till.verdicts(5).await;
    assert_eq!((verdicts.len(), verdicts[4].1), (5, Some(CouponRefusal::Used)), "nothing was looked at twice");
    let causes = verdicts.iter().filter(|(cause, _)| matches!(cause, Some(Cause::Event(_))));
    assert_eq!(causes.count(), 5, "each names its scan");
    till.close().await;
}

#[tokio::test]
async fn what_is_shown_elsewhere_or_is_no_coupon_or_waited_too_long_has_no_verdict() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp::from_unix_ms(NOW_MS), 6);
    let till = Till::open(directory.path(), &clock);
    till.know_the_keys().await;
    till.scan("scanner-2", CodeKind::Coupon, &coupon("a")).await;
    till.scan("scanner-1", CodeKind::Unknown, &coupon("a")).await;
    till.close().await;

    // Nobody was there for the scan until long after it.
    let journal = Journal::open(Settings::new(directory.path()), clock.clone()).unwrap().0;
    let stop = CancellationToken::new();
    let late = Till { clock: clock.clone(), journal, stop, running: tokio::task::spawn_blocking(|| Ok(())) };
    late.scan("scanner-1", CodeKind::Coupon, &coupon("a")).await;
    late.close().await;
    clock.pass(Duration::from_secs(31));
    let till = Till::open(directory.path(), &clock);
    till.scan("scanner-1", CodeKind::Coupon, &coupon("a")).await;
    assert_eq!(till.verdicts(1).await.len(), 1);
    till.scan("scanner-1", CodeKind::Coupon, "SC1:BB8").await;
    let refusals: Vec<_> = till.verdicts(2).await.into_iter().map(|(_, refusal)| refusal).collect();
    assert_eq!(refusals, [None, Some(CouponRefusal::Malformed)]);
    till.close().await;
}

#[tokio::test]
async fn the_place_is_stored_now_and_then_though_nothing_follows_from_what_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp::from_unix_ms(NOW_MS), 7);
    let till = Till::open(directory.path(), &clock);
    for _ in 0..1100 {
        till.scan("scanner-1", CodeKind::Unknown, "x").await;
    }
    let moved = async {
        while till.journal.cursor(OWNER).await.unwrap() == Row(0) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), moved).await.unwrap();
    assert!(till.journal.cursor(OWNER).await.unwrap() >= Row(PASSED));
    till.close().await;
}
