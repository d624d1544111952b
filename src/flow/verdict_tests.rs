use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::*;
use crate::clock::Clock;
use crate::types::{
    Action, Cause, CouponClaims, CouponId, CouponRefusal, CouponValue, Currency, Draft, EventId, IssuerId, KeyId,
    Minor, Origin, Row, SaleId, Seq, Slot, Timestamp,
};

fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

fn station(name: &str) -> StationId {
    StationId::new(name).unwrap()
}

fn flow(about: About) -> VerdictFlow {
    VerdictFlow::new(VerdictSettings { station: station("till-1"), screen: device("screen-1"), about })
}

fn sales(free: bool, scanner: bool) -> VerdictFlow {
    flow(About::Sales { machine: device("vending-1"), free, scanner })
}

fn samples() -> VerdictFlow {
    let (scanner, machine) = (device("scanner-1"), device("vending-1"));
    flow(About::Samples { scanner, machine, campaign: "spring".to_owned() })
}

fn now() -> Clock {
    Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 1)
}

fn event(clock: &Clock, by: &str, cause: Option<Cause>, body: Body) -> Event {
    let (id, at) = (clock.event_id(), clock.stamp());
    Event { row: Row(1), seq: Seq(1), draft: Draft { id, device: Some(device(by)), at, cause, body } }
}

fn step(step: Step, payment: Payment, reason: Option<&str>) -> SaleStep {
    SaleStep {
        sale: SaleId::new("s-1").unwrap(),
        step,
        slot: Some(Slot(3)),
        price: Minor(350),
        currency: Currency::parse("CNY").unwrap(),
        payment,
        dropped: None,
        reason: reason.map(Reason::new),
        provider_ref: None,
        by: None,
    }
}

/// Of a step that followed from a scan.
fn sold(clock: &Clock, step: SaleStep) -> Event {
    let cause = Some(Cause::Event(EventId(Uuid::nil())));
    event(clock, "vending-1", cause, Body::Observed(Observation::Sale(step)))
}

fn shown_at(clock: &Clock, flow: &VerdictFlow, event: &Event) -> Option<String> {
    if !flow.cares(Input::Event(event)) {
        return None;
    }
    let (lanes, recalled) = (|_: &DeviceId, _| None, BTreeMap::new());
    let around = Around { at: clock.stamp(), online: false, lanes: &lanes, recalled: &recalled };
    let mut flow = flow.clone();
    let effects = flow.handle(Input::Event(event), &around);
    assert!(effects.events.is_empty() && effects.state.is_empty() && effects.asks.is_empty(), "it decides nothing");
    let command = effects.commands.into_iter().next()?;
    assert_eq!((command.device, command.origin), (Some(device("screen-1")), Origin::Flow));
    assert_eq!(command.not_after, around.at.wall.plus(limits::SHOW));
    let Action::Show(show) = command.action else { panic!("it shows") };
    assert!((1_000..=30_000).contains(&show.for_ms.unwrap()), "for some seconds");
    Some(show.scene.to_string())
}

fn shown(flow: &VerdictFlow, event: &Event) -> Option<String> {
    shown_at(&now(), flow, event)
}

fn coupon_event(clock: &Clock, at: &str, verdict: Verdict) -> Event {
    let redemption = Redemption { station: station(at), verdict };
    event(clock, "scanner-1", None, Body::Noticed(Notice::Coupon(redemption)))
}

fn redeemed(kind: CouponKind) -> Verdict {
    Verdict::Redeemed(Box::new(CouponClaims {
        issuer: IssuerId::new("brand").unwrap(),
        key: KeyId::new("k1").unwrap(),
        id: CouponId::new("c-1").unwrap(),
        audience: vec!["hz-1".to_owned()],
        not_before: Timestamp::from_unix_ms(0),
        expires: Timestamp::from_unix_ms(1),
        kind,
        value: CouponValue::Minor(500),
    }))
}

fn refused(reason: CouponRefusal) -> Verdict {
    Verdict::Refused { reason, claims: None, redeemed: None }
}

#[test]
fn whoever_shows_a_coupon_is_told_what_became_of_it_and_only_there() {
    let (clock, till) = (now(), flow(About::Coupons));
    let of = |at, verdict| shown(&till, &coupon_event(&clock, at, verdict));
    assert_eq!(of("till-1", redeemed(CouponKind::Coupon)).as_deref(), Some("verdict:coupon-redeemed"));
    assert_eq!(of("till-1", redeemed(CouponKind::Pickup)).as_deref(), Some("verdict:pickup-redeemed"));
    assert_eq!(of("till-1", refused(CouponRefusal::Used)).as_deref(), Some("verdict:coupon-refused:used"));
    assert_eq!(of("till-2", redeemed(CouponKind::Coupon)), None, "another till's");
}

#[test]
fn a_purchase_is_told_step_by_step_and_each_end_has_its_own_word() {
    let clock = now();
    let of = |flow: &VerdictFlow, step| shown(flow, &sold(&clock, step));
    let (cloud, till) = (Payment::Cloud, sales(false, true));
    let table = [
        (step(Step::Requested, cloud, None), Some("verdict:sale-asking")),
        (step(Step::Authorised, cloud, None), Some("verdict:sale-coming")),
        (step(Step::Dispatched, cloud, None), None),
        (step(Step::Dispensed, cloud, None), Some("verdict:sale-dispensed")),
        (step(Step::Settled, cloud, None), None),
        (step(Step::Failed, cloud, Some("jam")), None),
        (step(Step::Refunding, cloud, Some("jam")), Some("verdict:sale-refunding")),
        (step(Step::Refunded, cloud, None), None),
        (step(Step::Refused, cloud, Some("sold-out")), Some("verdict:sale-refused:sold-out")),
        (step(Step::Refused, cloud, None), Some("verdict:sale-refused")),
        (step(Step::Refused, cloud, Some(&"x".repeat(64))), Some("verdict:sale-refused")),
        (step(Step::Indeterminate, cloud, Some("power-lost")), Some("verdict:sale-indeterminate")),
        (step(Step::Failed, Payment::Machine, None), Some("verdict:sale-failed")),
        (step(Step::Authorised, Payment::Free, None), None),
    ];
    for (step, expected) in table {
        let told = format!("{step:?}");
        assert_eq!(of(&till, step).as_deref(), expected, "{told}");
    }
    let nothing_fell = SaleStep { dropped: Some(false), ..step(Step::Dispensed, cloud, None) };
    assert_eq!(of(&till, nothing_fell), None, "that its money goes back is said next");
    let by_hand = SaleStep { by: Some("Li Wei".to_owned()), ..step(Step::Refunding, cloud, None) };
    assert_eq!(of(&till, by_hand), None);
    let free = step(Step::Authorised, Payment::Free, None);
    assert_eq!(of(&sales(true, true), free).as_deref(), Some("verdict:sale-coming"));
    let chosen = Body::Observed(Observation::Sale(step(Step::Requested, cloud, None)));
    let chosen = event(&clock, "vending-1", None, chosen);
    assert_eq!(shown(&till, &chosen).as_deref(), Some("verdict:sale-pay"), "chosen at the machine");
    assert_eq!(shown(&sales(false, false), &chosen).as_deref(), Some("verdict:sale-asking"));
    let elsewhere = Body::Observed(Observation::Sale(step(Step::Authorised, cloud, None)));
    assert_eq!(shown(&till, &event(&clock, "vending-2", None, elsewhere)), None);
}

#[test]
fn a_sample_is_promised_and_then_given_or_refused() {
    let (clock, corner) = (now(), samples());
    let ruled = |campaign: &str, refused: Option<&str>| {
        let ruling = SampleRuling {
            campaign: campaign.to_owned(),
            member: "M12345678".to_owned(),
            sale: None,
            slot: None,
            refused: refused.map(Reason::new),
        };
        shown(&corner, &event(&clock, "scanner-1", None, Body::Noticed(Notice::Sample(Box::new(ruling)))))
    };
    let promised = sold(&clock, step(Step::Authorised, Payment::Free, None));
    assert_eq!(shown(&corner, &promised).as_deref(), Some("verdict:sample-coming"));
    assert_eq!(shown(&corner, &sold(&clock, step(Step::Authorised, Payment::Cloud, None))), None, "a purchase");
    assert_eq!(ruled("spring", None).as_deref(), Some("verdict:sample-given"));
    assert_eq!(ruled("spring", Some("already-given")).as_deref(), Some("verdict:sample-refused:already-given"));
    assert_eq!(ruled("autumn", None), None, "another campaign's");
}

#[test]
fn nothing_old_is_shown() {
    let (clock, till) = (now(), flow(About::Coupons));
    let event = coupon_event(&clock, "till-1", redeemed(CouponKind::Coupon));
    clock.pass(limits::STALE);
    assert!(shown_at(&clock, &till, &event).is_some());
    clock.pass(Duration::from_millis(1));
    assert_eq!(shown_at(&clock, &till, &event), None);
    let after_a_restart = Clock::manual(Timestamp::from_unix_ms(1_763_776_800_500), 2);
    assert_eq!(shown_at(&after_a_restart, &till, &event), None, "of another boot");
}

/// The page's table of words is a part of the same story: whatever can be said has its words in both languages.
#[test]
fn the_page_has_words_in_both_languages_for_every_word() {
    let words = include_str!("../console/screens/app/words.js");
    let (_, table) = words.split_once("const VERDICTS = {").unwrap();
    let (table, _) = table.split_once("\n};").unwrap();
    let entry = |line: &str| {
        let (key, rest) = line.trim().strip_prefix('\'')?.split_once("': [")?;
        let parts: Vec<_> = rest.split('\'').collect();
        let [_, tone, _, zh, _, en, ..] = parts[..] else { panic!("{line}") };
        assert!(["good", "wait", "bad", "ask"].contains(&tone) && !zh.is_ascii() && en.is_ascii(), "{line}");
        Some(key.to_owned())
    };
    let known: BTreeSet<_> = table.lines().filter_map(entry).collect();
    let refusals = CouponRefusal::ALL.map(|reason| format!("coupon-refused:{}", reason.as_str()));
    let plain = "coupon-redeemed pickup-redeemed sale-pay sale-asking sale-coming sale-dispensed sale-refused \
                 sale-refused:sold-out sale-refunding sale-failed sale-indeterminate sample-coming sample-given \
                 sample-refused sample-refused:already-given sample-refused:quota-used sample-refused:sold-out \
                 sample-refused:not-yet sample-refused:campaign-over ask";
    for word in plain.split_whitespace().map(str::to_owned).chain(refusals) {
        assert!(known.contains(&word), "{word} has no words in {known:?}");
    }
}
