//! Coupons at a till that asks nobody: keys come down the line once, then every verdict falls in the shop. The coupons
//! are made by the built binary, the scanner is a real terminal line, and the truth is what the cloud receives.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::broker::Mosquitto;
use super::browser::{self, Browser};
use super::daemon::{Shop, smartstore};
use super::screens::judged_by_axe;
use super::subscriber::{Received, Subscriber, publish};
use super::{Dice, wait_until};

const BOUND: Duration = Duration::from_secs(60);
const COMMANDS: &str = "smartstore/v1/hz-wulin-001/gw-1/commands";
/// The scanner's own: the same code again within it is no second scan.
const REPEAT_WINDOW: Duration = Duration::from_millis(1_100);
/// What a shopper may wait for the answer.
const ANSWER_MS: u64 = 300;

/// A shop with a redeem station, a cloud, and an issuer.
struct Till {
    shop: Shop,
    subscriber: Subscriber,
    broker: Mosquitto,
    issuer: tempfile::TempDir,
}

impl Till {
    fn open() -> Self {
        Self::open_with("", "")
    }

    /// The same, with another role of the station, and more devices.
    fn open_with(role: &str, devices: &str) -> Self {
        let (folder, issuer) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let broker = Mosquitto::started(folder.path());
        let subscriber = Subscriber::started(broker.port());
        let mut shop = Shop::new(folder, "scanner/generic-serial", Some(&broker.url()));
        let station = "\n[[station]]\nid = \"till-1\"\nflow = \"redeem\"\nscanner = \"scanner-1\"\n";
        let text = std::fs::read_to_string(shop.config()).unwrap() + devices + station + role;
        std::fs::write(shop.config(), text).unwrap();
        shop.start();
        shop.wait_held();
        Self { shop, subscriber, broker, issuer }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.issuer.path().join(name)
    }

    /// Makes a key of the brand; the arguments of `coupon.keys` that carry it.
    fn key(&self, kid: &str) -> Value {
        let output = smartstore(&["coupon", "key", "--issuer", "brand.example", "--kid", kid])
            .args(["--from", "2026-01-01T00:00:00Z", "--until", "2099-01-01T00:00:00Z", "-o"])
            .arg(self.file(kid))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Sends a `coupon.keys` and waits for its end.
    fn send_keys(&self, id: &str, args: &Value) {
        let command = json!({ "id": id, "action": "coupon.keys", "args": args, "not_after": "2099-01-01T00:00:00Z" });
        publish(self.broker.port(), COMMANDS, &command.to_string());
        let is_end = |event: &&Value| event["data"]["command"] == id;
        wait_until("the keys are kept", BOUND, || {
            self.subscriber.look(|got| got.of_type("command.ended.v1").any(|event| is_end(&event)))
        });
        let received = self.subscriber.received();
        let ends: Vec<_> = received.of_type("command.ended.v1").filter(is_end).map(|event| &event["data"]).collect();
        assert_eq!(ends, [&json!({ "command": id, "ended": "done", "reason": null })]);
    }

    /// Signs a coupon with one of the issuer's keys.
    fn coupon(&self, kid: &str, arguments: &[&str]) -> String {
        let output =
            smartstore(&["coupon", "issue", "--value", "500", "--key"]).arg(self.file(kid)).args(arguments).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
    }

    fn scan(&mut self, coupon: &str) {
        self.shop.line.write(format!("{coupon}\r").as_bytes());
    }

    /// Shows a coupon and waits for the verdict.
    fn show(&mut self, coupon: &str) -> String {
        let before = self.subscriber.look(|got| verdicts(got, coupon).len());
        self.scan(coupon);
        wait_until(&format!("a verdict on {coupon}"), BOUND, || {
            self.subscriber.look(|got| verdicts(got, coupon).len() > before)
        });
        self.subscriber.look(|got| verdicts(got, coupon).pop().unwrap())
    }

    fn settled(mut self) -> Received {
        self.shop.stop();
        let received = self.subscriber.received();
        assert_eq!(received.problems, Vec::<String>::new());
        assert_eq!(received.numbering_problems(), Vec::<String>::new());
        received
    }
}

/// What was said of a coupon, in order: `redeemed`, or the reason of a refusal.
fn verdicts(got: &Received, coupon: &str) -> Vec<String> {
    let scans = got.codes.get(coupon).cloned().unwrap_or_default();
    let of_it = |event: &&Value| event["cause"].as_str().is_some_and(|cause| scans.contains(cause));
    let verdict = |event: &Value| match event["type"].as_str() {
        Some("coupon.redeemed.v1") => Some("redeemed".to_owned()),
        Some("coupon.refused.v1") => event["data"]["reason"].as_str().map(str::to_owned),
        _ => None,
    };
    let mut said: Vec<_> =
        got.events.values().filter(of_it).filter_map(|event| Some((event["seq"].as_u64()?, verdict(event)?))).collect();
    said.sort_unstable();
    said.into_iter().map(|(_, word)| word).collect()
}

fn wait_for_the_repeat_window() {
    // waits: until the same code is a second scan
    std::thread::sleep(REPEAT_WINDOW);
}

#[test]
fn each_refusal_has_its_own_word_and_a_good_coupon_is_redeemed_once() {
    let mut till = Till::open();
    let here = ["--aud", "hz-wulin-001/gw-1"];
    let with = |more: &[&'static str]| [&here[..], more].concat();
    let keys = till.key("k1");
    let early = till.coupon("k1", &here);
    assert_eq!(till.show(&early), "unknown-key", "the gateway has no keys yet");
    till.send_keys("keys-1", &keys);
    till.key("k2");

    let good = till.coupon("k1", &here);
    let base45 = till.coupon("k1", &with(&["--form", "base45", "--kind", "pickup", "--jti", "order-17"]));
    assert!(base45.starts_with("SC1:"));
    assert_eq!(till.show(&good), "redeemed");
    assert_eq!(till.show(&base45), "redeemed");
    wait_for_the_repeat_window();
    assert_eq!(till.show(&early), "redeemed", "it was refused before, not used up");
    let last = good.char_indices().rev().nth(40).unwrap().0;
    let other = if good[last..].starts_with('A') { "B" } else { "A" };
    let forged = format!("{}{other}{}", &good[..last], &good[last + 1..]);
    assert_eq!(till.show(&forged), "forged");
    let coupon = till.coupon("k2", &here);
    assert_eq!(till.show(&coupon), "unknown-key", "its key was never sent");
    let coupon = till.coupon("k1", &["--aud", "hz-other/gw-1"]);
    assert_eq!(till.show(&coupon), "wrong-audience");
    let long_ago = with(&["--from", "2026-02-01T00:00:00Z", "--until", "2026-02-02T00:00:00Z"]);
    let coupon = till.coupon("k1", &long_ago);
    assert_eq!(till.show(&coupon), "expired");
    let far_off = with(&["--from", "2098-02-01T00:00:00Z", "--until", "2098-02-02T00:00:00Z"]);
    let coupon = till.coupon("k1", &far_off);
    assert_eq!(till.show(&coupon), "not-yet");
    assert_eq!(till.show("SC1:BB8"), "malformed");
    wait_for_the_repeat_window();
    assert_eq!(till.show(&good), "used");
    let again = till.coupon("k1", &with(&["--kind", "pickup", "--jti", "order-17"]));
    assert_eq!(till.show(&again), "used", "the same coupon in its other form");

    let received = till.settled();
    let redeemed: Vec<_> = received.of_type("coupon.redeemed.v1").collect();
    assert_eq!(redeemed.len(), 3);
    let pickup = redeemed.iter().find(|event| event["data"]["kind"] == "pickup").unwrap();
    assert_eq!((&pickup["subject"], &pickup["data"]["station"]), (&"scanner-1".into(), &"till-1".into()));
    assert_eq!((&pickup["data"]["jti"], &pickup["data"]["value"]), (&"order-17".into(), &500.into()));
    let used: Vec<_> =
        received.of_type("coupon.refused.v1").filter(|event| event["data"]["reason"] == "used").collect();
    assert!(used.iter().any(|event| event["data"]["redeemed"] == pickup["id"]), "{used:?}");
    is_answered_in_time(&received);
}

/// From the scan's event to the verdict's, by the gateway's own clock. The machine that runs the tests may be busy: one
/// of the answers at least shows what the road itself takes.
fn is_answered_in_time(received: &Received) {
    let verdicts = received.events.values().filter(|event| event["type"].as_str().unwrap().starts_with("coupon."));
    let spans = verdicts.map(|event| {
        let scan = &received.events[event["cause"].as_str().unwrap()];
        event["up_ms"].as_u64().unwrap() - scan["up_ms"].as_u64().unwrap()
    });
    let spans: Vec<_> = spans.collect();
    println!("milliseconds from the scan to the verdict: {spans:?}");
    assert!(spans.iter().any(|span| *span <= ANSWER_MS), "{spans:?}");
}

#[test]
fn a_coupon_replayed_across_kills_is_redeemed_exactly_once() {
    let mut till = Till::open();
    let mut dice = Dice::thrown("coupons and kill -9");
    till.send_keys("keys-1", &till.key("k1"));
    let form = |number: usize| if number.is_multiple_of(2) { "jws" } else { "base45" };
    let coupons: Vec<_> =
        (0..8).map(|number| till.coupon("k1", &["--aud", "hz-wulin-001", "--form", form(number)])).collect();
    for coupon in &coupons {
        // Killed at any moment around the verdict: before it nothing has happened, after it everything has.
        till.scan(coupon);
        let moment = dice.millis(0, 60);
        // waits: the moment of the kill is the subject
        std::thread::sleep(moment);
        till.shop.kill();
        till.shop.start();
        till.shop.wait_held();
        let verdict = till.show(coupon);
        assert!(verdict == "redeemed" || verdict == "used", "{verdict} after a kill at {moment:?}");
        till.shop.kill();
        till.shop.start();
        till.shop.wait_held();
        assert_eq!(till.show(coupon), "used", "redeemed and killed");
    }
    let received = till.settled();
    let jtis = received.of_type("coupon.redeemed.v1").map(|event| event["data"]["jti"].as_str().unwrap());
    let mut redeemed: Vec<_> = jtis.collect();
    assert_eq!(redeemed.len(), coupons.len(), "each is redeemed once: {redeemed:?}");
    redeemed.sort_unstable();
    redeemed.dedup();
    assert_eq!(redeemed.len(), coupons.len());
}

#[test]
fn a_rotated_key_counts_until_its_time_is_over_and_its_keys_survive_a_kill() {
    let mut till = Till::open();
    let here = ["--aud", "gw-1"];
    let (old, new) = (till.key("old"), till.key("new"));
    till.send_keys("keys-1", &old);
    till.send_keys("keys-2", &new);
    till.shop.kill();
    till.shop.start();
    till.shop.wait_held();
    let coupon = till.coupon("old", &here);
    assert_eq!(till.show(&coupon), "redeemed", "new keys push nothing out");
    let coupon = till.coupon("new", &here);
    assert_eq!(till.show(&coupon), "redeemed");
    let mut over = old;
    over["keys"][0]["until"] = "2026-01-02T00:00:00Z".into();
    till.send_keys("keys-3", &over);
    let coupon = till.coupon("old", &here);
    assert_eq!(till.show(&coupon), "unknown-key", "its time is over");
    let coupon = till.coupon("new", &here);
    assert_eq!(till.show(&coupon), "redeemed");
    till.settled();
}

/// What a till's screen says, and in which languages.
const SAYS: &str = "[...document.querySelectorAll('.verdict p')].map((line) => [line.lang, line.textContent])";

fn now_ms() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs_f64() * 1000.0
}

#[test]
fn the_tills_screen_tells_the_shopper_and_goes_back_and_no_coupon_waits_for_it() {
    if !browser::is_there() {
        return;
    }
    let screen = "\n[[device]]\nid = \"screen-1\"\nprofile = \"screen/signage\"\nendpoint = \"screen:\"\n";
    let mut till = Till::open_with("screen = \"screen-1\"\n", screen);
    let keys = till.key("k1");
    till.send_keys("keys-1", &keys);
    let mut page = Browser::open(&till.shop.url("/s/screen-1"), "1280,720");
    page.wait_for("window.__state && __state.connected && __state.frames > 5", BOUND);

    let good = till.coupon("k1", &["--aud", "hz-wulin-001"]);
    let scanned = now_ms();
    till.scan(&good);
    page.wait_for("__state.shows.length === 1 && document.querySelector('.verdict.good[role=status]')", BOUND);
    let says = page.value(SAYS);
    assert_eq!(says, json!([["zh-CN", "优惠券使用成功"], ["en", "Your coupon is accepted"]]));
    let painted = page.value("__state.shows[0].painted").as_f64().unwrap();
    eprintln!("scanned to painted: {:.0} ms", painted - scanned);
    page.keep_shot("verdict-redeemed");
    judged_by_axe(&mut page);
    wait_for_the_repeat_window();
    assert_eq!(till.show(&good), "used");
    page.wait_for("document.querySelector('.verdict.bad[role=alert]')", BOUND);
    let says = page.value(SAYS);
    assert_eq!(says, json!([["zh-CN", "这张券已经用过了"], ["en", "This coupon has been used already"]]));
    page.keep_shot("verdict-used");
    judged_by_axe(&mut page);
    page.wait_for("__state.verdict === null && !document.querySelector('.verdict')", BOUND);

    drop(page);
    let another = till.coupon("k1", &["--aud", "hz-wulin-001"]);
    assert_eq!(till.show(&another), "redeemed", "whether a page is there or not");
    // The show that nobody can see ends, too: refused, and nothing else comes of it.
    let shows = |got: &Received| {
        let of_it = |event: &&Value| event["subject"] == "screen-1";
        got.of_type("command.ended.v1")
            .filter(of_it)
            .map(|event| event["data"]["ended"].to_string())
            .collect::<Vec<_>>()
    };
    wait_until("every show has ended", BOUND, || till.subscriber.look(|got| shows(got).len() >= 3));
    let mut ended = shows(&till.settled());
    ended.sort();
    assert_eq!(ended, ["\"done\"", "\"done\"", "\"refused\""], "one command for each verdict");
}
