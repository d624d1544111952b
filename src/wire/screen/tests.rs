//! Manifests, times and messages, without a file or a clock.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};

use super::*;
use crate::types::{KeyId, PlayResult, SessionChange, SessionEnd, Timestamp, Verb};

/// SHA-256 of "abc" (FIPS 180-2, appendix B.1).
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn sample() -> Value {
    json!({
        "format": "smartstore-content/1", "rev": 7,
        "assets": { ABC: { "bytes": 3, "type": "image/svg+xml" } },
        "layouts": { "full": [{ "id": "main", "x": 0, "y": 0, "w": 1, "h": 1 }] },
        "screens": { "*": "full" },
        "items": {
            "a": { "kind": "image", "asset": ABC, "dur_ms": 10_000 },
            "b": { "kind": "image", "asset": ABC, "dur_ms": 5_000 },
            "sale": { "kind": "text", "dur_ms": 30_000, "text": { "zh-CN": "特卖", "en": "Sale" } },
            "page": { "kind": "product", "sku": "LIP-204", "dur_ms": 12_000 },
        },
        "playlists": [
            { "id": "always", "zone": "main", "items": ["a", "b"] },
            { "id": "evening", "zone": "main", "prio": 5, "items": ["sale"],
              "when": [{ "dow": [5], "from": "22:00", "to": "02:00" }] },
        ],
        "triggers": [{ "id": "lift-a3", "on": "facing:A3", "show": "page", "for_ms": 8000 }],
        "products": [{ "sku": "LIP-204", "gtin": "6291041500213", "name": { "zh-CN": "唇膏", "en": "Lipstick" },
            "price_minor": 19900, "currency": "CNY", "asset": ABC, "facing": "A3" }],
    })
}

fn read(value: &Value) -> Result<Manifest, Mistakes> {
    Manifest::read(&serde_json::to_vec(value).unwrap())
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn segments(manifest: &Manifest, timezone: &str, from: &str, hours: u64) -> Vec<Segment> {
    timetable(manifest, ("screen-1", "main"), &zone(timezone), time(from), Duration::from_secs(hours * 3600))
}

fn shown(segments: &[Segment]) -> Vec<(String, String, String)> {
    let at = |ms| Timestamp::from_unix_ms(ms).to_string()[..16].to_owned();
    segments.iter().map(|one| (at(one.from_ms), at(one.to_ms), one.items.join(" "))).collect()
}

#[test]
fn every_mistake_of_a_manifest_is_named() {
    assert!(read(&sample()).is_ok(), "{:?}", read(&sample()));
    for (place, value, words) in [
        ("/format", json!("smartstore-content/2"), "not \"smartstore-content/1\""),
        ("/rev", json!(-1), "invalid value"),
        ("/items/a/asset", json!("../../etc/passwd"), "needs an `asset`"),
        ("/items/a/dur_ms", json!(0), "dur_ms is 0"),
        ("/items/page/sku", json!("LIP-205"), "needs the `sku`"),
        ("/items/a/kind", json!("page"), "unknown variant"),
        ("/playlists/0/items/0", json!("c"), "there is no item \"c\""),
        ("/playlists/0/items", json!([]), "0 items"),
        ("/playlists/0/zone", json!("left"), "no layout has a zone"),
        ("/playlists/1/when/0/from", json!("22:60"), "\"22:60\" is no time"),
        ("/playlists/1/when/0/from", json!("9:00"), "\"9:00\" is no time"),
        ("/playlists/1/when/0/dow", json!([0]), "days of the week"),
        ("/triggers/0/show", json!("c"), "there is no item"),
        ("/triggers/0/for_ms", json!(1), "for_ms is 1"),
        ("/products/0/gtin", json!("6291041500214"), "gtin"),
        ("/products/0/currency", json!("yuan"), "no currency"),
        ("/screens/*", json!("half"), "which there is not"),
        ("/layouts/full/0/w", json!(1.5), "not within the screen"),
        ("/layouts/full/0/id", json!("Main"), "no name of a zone"),
        ("/assets", json!({ "abc": { "bytes": 3, "type": "image/png" } }), "not named by a SHA-256"),
        ("/assets", json!({ ABC: { "bytes": 3, "type": "text/html" } }), "can be shown"),
        ("/assets", json!({ ABC: { "bytes": 1_u64 << 40, "type": "image/png" } }), "bytes"),
    ] {
        let mut manifest = sample();
        *manifest.pointer_mut(place).unwrap() = value;
        let mistakes = read(&manifest).unwrap_err().to_string();
        assert!(mistakes.contains(words), "{place}: {mistakes}");
    }
    let mut several = sample();
    (several["items"]["a"]["dur_ms"], several["triggers"][0]["show"]) = (json!(1), json!("c"));
    assert_eq!(read(&several).unwrap_err().0.len(), 2);
    several["surprise"] = json!(1);
    assert!(read(&several).unwrap_err().to_string().contains("surprise"));
}

#[test]
fn an_evening_over_midnight_comes_before_the_day_and_ends_by_the_shops_clock() {
    let manifest = read(&sample()).unwrap();
    // 27 November 2026 is a Friday. 22:00 in Shanghai is 14:00 UTC; no summer time there.
    let expected = [
        ("2026-11-27T00:00", "2026-11-27T14:00", "a b"),
        ("2026-11-27T14:00", "2026-11-27T18:00", "sale"),
        ("2026-11-27T18:00", "2026-11-29T00:00", "a b"),
    ];
    let expected = expected.map(|(from, to, items)| (from.to_owned(), to.to_owned(), items.to_owned()));
    assert_eq!(shown(&segments(&manifest, "Asia/Shanghai", "2026-11-27T00:00:00Z", 48)), expected);
    // Asked in the middle of it, on the day after it began.
    let late = segments(&manifest, "Asia/Shanghai", "2026-11-27T17:00:00Z", 2);
    assert_eq!(late.iter().map(|segment| segment.items.join(" ")).collect::<Vec<_>>(), ["sale", "a b"]);
}

#[test]
fn the_hour_that_summer_time_skips_or_repeats_is_the_clocks_own() {
    let mut value = sample();
    value["playlists"][1]["when"] = json!([{ "from": "01:00", "to": "04:00" }]);
    let manifest = read(&value).unwrap();
    // In Berlin 29 March 2026 has no 2 o'clock (01:00 UTC), 25 October 2026 has it twice.
    let spring = segments(&manifest, "Europe/Berlin", "2026-03-28T23:00:00Z", 6);
    assert_eq!(shown(&spring)[1], ("2026-03-29T00:00".into(), "2026-03-29T02:00".into(), "sale".into()));
    let autumn = segments(&manifest, "Europe/Berlin", "2026-10-24T22:00:00Z", 8);
    assert_eq!(shown(&autumn)[1], ("2026-10-24T23:00".into(), "2026-10-25T03:00".into(), "sale".into()));
}

#[test]
fn playlists_of_one_rank_follow_each_other_and_days_have_ends() {
    let mut value = sample();
    value["playlists"] = json!([
        { "id": "one", "zone": "main", "items": ["a"] },
        { "id": "two", "zone": "main", "items": ["b"], "when": [{ "first": "2026-11-24", "last": "2026-11-24" }] },
        { "id": "elsewhere", "zone": "main", "prio": 9, "items": ["sale"], "screens": ["screen-2"] },
    ]);
    value["valid_to"] = json!("2026-11-25T12:00:00Z");
    let manifest = read(&value).unwrap();
    let shown: Vec<_> =
        segments(&manifest, "UTC", "2026-11-23T00:00:00Z", 72).into_iter().map(|one| one.items.join(" ")).collect();
    assert_eq!(shown, ["a", "a b", "a", ""]);
    let there = timetable(&manifest, ("screen-2", "main"), &TimeZone::UTC, time("2026-11-23T00:00:00Z"), limits::AHEAD);
    assert_eq!(there[0].items, ["sale"]);
}

#[test]
fn a_slot_follows_from_the_clock_alone() {
    let manifest = read(&sample()).unwrap();
    let segment = Segment { from_ms: 0, to_ms: i64::MAX, items: vec!["a".into(), "b".into()] };
    // a: 10 s, b: 5 s, since 1970: at 15 s the round begins anew.
    for (at, item, from, to) in [(0, "a", 0, 10_000), (9_999, "a", 0, 10_000), (10_000, "b", 10_000, 15_000)] {
        for round in [0, 1, 117_000_000] {
            let slot = slot_at(&manifest, &segment, at + round * 15_000).unwrap();
            let expected = Slot { item: item.into(), from_ms: from + round * 15_000, to_ms: to + round * 15_000 };
            assert_eq!(slot, expected);
        }
    }
}

#[test]
fn three_days_hold_as_many_showings_as_fit_into_them() {
    let manifest = read(&sample()).unwrap();
    let segments = segments(&manifest, "Asia/Shanghai", "2026-11-26T16:00:00Z", 72);
    let shown: Vec<_> = slots(&manifest, &segments).collect();
    // 72 h less the 4 h of Friday's evening, two showings in 15 s; 480 showings of 30 s in the evening.
    assert_eq!(shown.len(), 68 * 3600 / 15 * 2 + 4 * 3600 / 30);
    assert!(shown.windows(2).all(|pair| pair[0].to_ms == pair[1].from_ms), "without a gap");
}

proptest! {
    /// Whatever the moment: segments cover the span without a gap, and two that look at different moments agree.
    #[test]
    fn timetables_agree_with_each_other(start in 1_700_000_000_000_i64..1_900_000_000_000, later in 0_i64..86_400_000) {
        let manifest = read(&sample()).unwrap();
        let (place, shanghai) = (("s", "main"), zone("Asia/Shanghai"));
        let of = |from| timetable(&manifest, place, &shanghai, Timestamp::from_unix_ms(from), limits::AHEAD);
        let (early, late) = (of(start), of(start + later));
        prop_assert_eq!(early[0].from_ms, start);
        prop_assert!(early.windows(2).all(|pair| pair[0].to_ms == pair[1].from_ms));
        let at = start + later;
        let on = early.iter().find(|segment| segment.from_ms <= at && at < segment.to_ms).unwrap();
        prop_assert_eq!(slot_at(&manifest, on, at), slot_at(&manifest, &late[0], at));
    }

    /// Counting by arithmetic is counting one by one.
    #[test]
    fn showings_are_counted_as_they_follow_each_other(
        start in 1_700_000_000_000_i64..1_900_000_000_000,
        from in -200_000_i64..90_000_000,
        length in 0_i64..90_000_000,
    ) {
        let manifest = read(&sample()).unwrap();
        let ahead = Duration::from_secs(24 * 3600);
        let at = Timestamp::from_unix_ms(start);
        let segments = timetable(&manifest, ("s", "main"), &zone("Asia/Shanghai"), at, ahead);
        let span = start + from..start + from + length;
        let is_within = |slot: &Slot| slot.from_ms >= span.start && slot.to_ms <= span.end;
        let one_by_one = slots(&manifest, &segments).filter(is_within).count();
        let counted: u64 = segments.iter().map(|segment| showings(&manifest, segment, &span)).sum();
        prop_assert_eq!(counted, one_by_one as u64);
    }

    #[test]
    fn a_time_of_day_is_read_as_it_is_written(minutes in 0_u16..24 * 60) {
        let text = format!("{:02}:{:02}", minutes / 60, minutes % 60);
        prop_assert_eq!(super::manifest::minutes(&text), Some(minutes));
    }

    #[test]
    fn nothing_that_is_posted_breaks_anything(body in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,200}") {
        let now = Timestamp::from_unix_ms(0);
        for body in [&body[..], text.as_bytes()] {
            let _ = (read_beat(body), read_plays(body, now), read_actions(body, now), read_shown(body));
            let _ = read_sessions(body, now);
            let _ = (Signed::read(body), Manifest::read(body));
        }
    }
}

/// The key of RFC 8037, appendix A.1: its seed, and the public half of appendix A.2.
fn key() -> (Ed25519KeyPair, [u8; 32]) {
    let part = |text: &str| crate::wire::coupon::base64url_decode(text).unwrap();
    let seed = part("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let public = part("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &public).unwrap();
    (pair, public.try_into().unwrap())
}

fn sealed(text: &[u8]) -> String {
    let sign = |bytes: &[u8]| key().0.sign(bytes).as_ref().try_into().unwrap();
    seal(&KeyId::new("content-1").unwrap(), text, sign)
}

#[test]
fn what_was_signed_is_what_comes_out_and_nothing_else_does() {
    let (text, (_, public)) = (sealed(b"{\"rev\":1}"), key());
    let signed = Signed::read(format!("{text}\n").as_bytes()).unwrap();
    assert_eq!(signed.key().as_str(), "content-1");
    assert_eq!(signed.open(&public), Ok(b"{\"rev\":1}".to_vec()));
    let mut other = public;
    other[0] ^= 1;
    assert_eq!(Signed::read(text.as_bytes()).unwrap().open(&other), Err(SignedError::Forged));
    for at in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let opened = Signed::read(&changed).and_then(|signed| signed.open(&public));
        assert!(opened.is_err(), "byte {at}");
        assert!(Signed::read(&text.as_bytes()[..at]).and_then(|signed| signed.open(&public)).is_err(), "{at} bytes");
    }
}

#[test]
fn a_signature_of_another_algorithm_or_purpose_is_none() {
    let part = |text: &str| crate::wire::coupon::base64url_encode(text.as_bytes());
    let signature = "A".repeat(86);
    for header in [
        "{\"alg\":\"none\",\"kid\":\"k\",\"typ\":\"smartstore-content\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"k\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"k\",\"typ\":\"JWT\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"k\",\"typ\":\"smartstore-content\",\"jwk\":{}}",
        "{\"alg\":\"EdDSA\",\"kid\":\"\",\"typ\":\"smartstore-content\"}",
    ] {
        let text = format!("{}.{}.{signature}", part(header), part("{}"));
        assert!(matches!(Signed::read(text.as_bytes()), Err(SignedError::Malformed(_))), "{header}");
    }
    assert!(Signed::read(&vec![b'A'; limits::SIGNED_BYTES + 1]).is_err());
}

fn play(change: impl FnOnce(&mut Value)) -> Result<crate::types::ScreenPlay, Misread> {
    let mut play = json!({
        "play_id": "019aa95e-0c80-7000-8000-00000000a001", "zone": "main", "item": "a", "sha256": ABC, "rev": 7,
        "t0": 1_000_000, "t1": 1_010_000, "mono_ms": 9_990, "result": "complete", "visible_ratio": 0.995,
    });
    change(&mut play);
    let body = serde_json::to_vec(&json!({ "plays": [play] })).unwrap();
    read_plays(&body, Timestamp::from_unix_ms(1_010_000)).map(|mut plays| plays.remove(0))
}

#[test]
fn a_play_counts_only_if_it_was_painted_for_its_time() {
    let result = |change: fn(&mut Value)| play(change).unwrap().result;
    assert_eq!(result(|_| ()), PlayResult::Complete);
    assert_eq!(play(|_| ()).unwrap().visible_percent, 99);
    assert_eq!(result(|play| play["visible_ratio"] = json!(0.94)), PlayResult::Cut);
    assert_eq!(result(|play| play["mono_ms"] = json!(9_499)), PlayResult::Cut);
    assert_eq!(result(|play| play["mono_ms"] = json!(9_500)), PlayResult::Complete);
    assert_eq!(result(|play| play["result"] = json!("error")), PlayResult::Error);
    for (name, value, words) in [
        ("play_id", json!("1"), "play_id"),
        ("t1", json!(999_999), "before t0"),
        ("t1", json!(9_000_000), "hours after"),
        ("visible_ratio", json!(1.1), "visible_ratio"),
        ("zone", json!("Main zone"), "zone"),
        ("sha256", json!("abc"), "sha256"),
        ("result", json!("done"), "result"),
        ("more", json!(1), "unknown field"),
    ] {
        let why = play(|play| play[name] = value).unwrap_err().to_string();
        assert!(why.contains(words), "{name}: {why}");
    }
    let future = play(|play| (play["t0"], play["t1"]) = (json!(40_000_000_000_i64), json!(40_000_010_000_i64)));
    assert!(future.unwrap_err().to_string().contains("future"));
    let many = json!({ "plays": vec![json!({}); 101] });
    assert!(read_plays(&serde_json::to_vec(&many).unwrap(), Timestamp::from_unix_ms(0)).is_err());
}

#[test]
fn an_action_is_one_of_the_platforms_words() {
    let read = |action: &str, sku: &str| {
        let one = json!({ "action": action, "op_time": 5, "outer_biz_id": "019aa95e-0c80-7000-8000-00000000b001",
            "sku": sku, "session": null });
        read_actions(&serde_json::to_vec(&json!({ "actions": [one] })).unwrap(), Timestamp::from_unix_ms(9))
    };
    assert_eq!(read("ITEM_CLICK", "LIP-204").unwrap()[0].verb, Verb::ItemClick);
    assert!(read("item_click", "LIP-204").unwrap_err().to_string().contains("action 0: there is no action"));
    assert!(read("ITEM_CLICK", "lip stick").is_err());
}

#[test]
fn a_page_says_how_a_session_ended_and_not_that_another_member_came() {
    let read = |how: &str, ended: i64| {
        let one = json!({ "session": "019aa95e-0c80-7000-8000-00000000c001", "ended": ended, "how": how });
        read_sessions(&serde_json::to_vec(&json!({ "sessions": [one] })).unwrap(), Timestamp::from_unix_ms(9))
    };
    let (ended, how) = (Timestamp::from_unix_ms(5), SessionEnd::Idle);
    assert_eq!(read("idle", 5).unwrap()[0].change, SessionChange::Ended { ended, how });
    assert!(read("closed", 5).is_ok());
    assert!(read("other-member", 5).unwrap_err().to_string().contains("session 0: how is idle or closed"));
    assert!(read("idle", 40_000_000_000).is_err() && read("idle", -1).is_err());
}

#[test]
fn a_program_holds_what_its_screen_needs_and_without_content_nothing() {
    let manifest = read(&sample()).unwrap();
    let timezone = zone("Asia/Shanghai");
    let stock = BTreeMap::from([("LIP-204".to_owned(), 3)]);
    let place = Place { screen: "screen-1", kind: "shelf", timezone: &timezone, overriding: None, stock: &stock };
    let at = time("2026-11-27T13:00:00Z");
    let value: Value = serde_json::from_str(&program(Some(&manifest), &place, at)).unwrap();
    assert_eq!((&value["rev"], &value["tz"], &value["kind"]), (&json!(7), &json!("Asia/Shanghai"), &json!("shelf")));
    assert_eq!(value["zones"][0]["segments"][1]["items"], json!(["sale"]));
    assert_eq!((&value["assets"][ABC], &value["stock"]["LIP-204"]), (&json!("image/svg+xml"), &json!(3)));
    let over = Override { text: "leave".into(), until_ms: None };
    let nothing = Place { overriding: Some(&over), ..place };
    let value: Value = serde_json::from_str(&program(None, &nothing, at)).unwrap();
    assert_eq!((&value["rev"], &value["override"]["text"]), (&json!(0), &json!("leave")));
    assert_eq!(value["zones"][0]["segments"][0]["items"], json!([]));
}
