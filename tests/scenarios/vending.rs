//! Sales and samples from the scanned code to the last word, with everything real but the cloud's decision. Each story
//! ends with the three books compared: the journal's, the cloud's, and the machine's hidden truth.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::market::{BOUND, LANE, Market, PRICE, SALE, SOLD, count};
use super::simulator::lane;
use super::wait_until;

const XY: &str = "xy-vmc";
const MDB: &str = "mdb-qibixx";
const ZDM8: &str = "zdm8";
/// Few lanes, so that they are told soon.
const FEW: [&str; 2] = ["--lanes", "6"];
/// How long a machine may say nothing of a dispense, where it is waited for.
const TIMEOUT_MS: u64 = 1500;
/// The window in which a payment may be made, and a little more.
const WINDOW: Duration = Duration::from_secs(75);

/// What really fell in the sold lane.
fn fell(market: &mut Market) -> u64 {
    lane(&market.machine.totals(), LANE).1
}

fn turned(market: &mut Market) -> u64 {
    lane(&market.machine.totals(), LANE).0
}

/// A text anywhere in the journal's files, the log, or what the broker kept.
fn is_written_anywhere(market: &Market, text: &str) -> bool {
    let mut folders = vec![market.shop.config().parent().unwrap().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("mosquitto") {
                folders.push(path);
            } else if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                    return true;
                }
            }
        }
    }
    false
}

/// From the scanned code to the settled sale.
fn a_paid_sale(dialect: &str) {
    let mut market = Market::open(dialect, "", SALE, &FEW);
    market.machine.order("shopper 2");
    let ask = market.pay();
    let (sale, code) = (ask["sale"].clone(), ask["auth_code"].as_str().unwrap().to_owned());
    assert_eq!((&ask["amount_minor"], &ask["currency"]), (&json!(PRICE), &json!("CNY")));
    assert_eq!(fell(&mut market), 0, "nothing moves before the money is promised");
    assert_eq!(market.authorise(&sale, true), ("done".to_owned(), Value::Null));
    let settled = market.wait_step(&sale, "settled");
    assert_eq!((&settled["slot"], &settled["price_minor"]), (&json!(LANE), &json!(PRICE)), "{settled}");
    assert_eq!(market.wait_step(&sale, "authorised")["provider_ref"], "alipay-1");
    let dropped = &market.wait_step(&sale, "dispensed")["dropped"];
    assert_eq!(*dropped, if dialect == MDB { Value::Null } else { json!(true) }, "what a sensor saw");

    // The same again: a machine sells more than once.
    market.sell();
    assert_eq!(market.authorise(&sale, true).0, "refused", "a sale that is over is decided");
    let books = market.settled();
    assert_eq!(books.len(), 2);
    assert!(books.values().all(|steps| *steps == SOLD), "{books:?}");
    assert_eq!((turned(&mut market), fell(&mut market)), (2, count(&books, "settled")));
    assert!(!is_written_anywhere(&market, &code), "a payment code is written nowhere");
}

#[test]
fn an_fa_fb_machine_sells_what_a_scanned_code_pays_for() {
    a_paid_sale(XY);
}

#[test]
fn an_mdb_machine_sells_what_a_scanned_code_pays_for() {
    a_paid_sale(MDB);
}

#[test]
fn a_lane_board_sells_what_a_scanned_code_pays_for() {
    a_paid_sale(ZDM8);
}

#[test]
fn what_is_chosen_at_an_mdb_machine_is_paid_by_the_next_code_or_denied() {
    let mut market = Market::open(MDB, "", SALE, &FEW);
    for approved in [true, false] {
        market.machine.order("select 5");
        wait_until("the choice is a sale", BOUND, || {
            market.journal("vend.sale").last().is_some_and(|event| event["data"]["step"] == "requested")
        });
        let ask = market.pay();
        let sale = &ask["sale"];
        assert_eq!(market.wait_step(sale, "requested")["slot"], 5, "the machine says which lane, not the station");
        assert_eq!(market.authorise(sale, approved).0, "done");
        market.wait_step(sale, if approved { "settled" } else { "refused" });
    }
    let books = market.settled();
    let steps: Vec<_> = books.values().map(|steps| steps.join(" ")).collect();
    assert!(steps.contains(&SOLD.join(" ")) && steps.contains(&"requested refused".to_owned()), "{books:?}");
    let totals = market.machine.totals();
    assert_eq!((lane(&totals, 5), lane(&totals, LANE)), ((1, 1, 0), (0, 0, 0)));
}

#[test]
fn a_refused_payment_moves_nothing_and_the_next_shopper_is_served() {
    let mut market = Market::open(XY, "", SALE, &FEW);
    let sale = market.pay()["sale"].clone();
    let args = json!({ "sale": sale, "approved": false, "reason": "balance" });
    assert_eq!(market.commanded("sale.authorised", None, &args).0, "done");
    assert_eq!(market.wait_step(&sale, "refused")["reason"], "balance");
    assert_eq!(turned(&mut market), 0);
    market.sell();
    let books = market.settled();
    assert_eq!(books[sale.as_str().unwrap()], ["requested", "refused"]);
    assert_eq!((turned(&mut market), fell(&mut market)), (1, count(&books, "settled")));
}

#[test]
fn a_jam_gives_the_money_back_and_closes_the_lane_until_a_person_has_cleared_it() {
    let mut market = Market::open(XY, "", SALE, &FEW);
    market.machine.order("jam 2");
    let sale = market.pay()["sale"].clone();
    market.authorise(&sale, true);
    assert_eq!(market.wait_step(&sale, "failed")["reason"], "jam");
    let ask = market.next_ask();
    assert_eq!((&ask["sale"], &ask["ask"], &ask["amount_minor"]), (&sale, &json!("cancel"), &json!(PRICE)));
    wait_until("it is a condition", BOUND, || market.shop.conditions().contains(&"vend.jam".to_owned()));

    // The answer is lost with the connection: the question comes again by itself.
    market.broker.stop();
    market.broker.start();
    let again = market.next_ask();
    assert_eq!((&again["sale"], &again["ask"]), (&sale, &json!("cancel")));
    assert_eq!(market.cancelled(&sale).0, "done");
    market.wait_step(&sale, "refunded");
    assert_eq!(market.cancelled(&sale), ("refused".to_owned(), json!("unknown-sale")), "once is enough");

    // Closed: nobody is even asked for money, also after a restart.
    market.restart();
    let asked = market.subscriber.look(|got| got.asks.len());
    market.forget_asks();
    let code = market.payment_code();
    market.scan(&code);
    let refused = |market: &Market| {
        let sales = market.journal("vend.sale");
        sales.iter().any(|event| event["data"]["step"] == "refused" && event["data"]["reason"] == "lane-jammed")
    };
    wait_until("the next shopper is refused", BOUND, || refused(&market));
    assert_eq!(market.subscriber.look(|got| got.asks.len()), asked, "the code was not even sent");
    let order = json!({ "slot": LANE, "sale": "by-the-cloud" });
    let ended = market.commanded("dispense", Some("vending-1"), &order);
    assert_eq!(ended, ("refused".to_owned(), json!("lane-jammed")));

    market.machine.order("clear 2");
    assert_eq!(market.commanded("lane.clear", Some("vending-1"), &json!({ "slot": LANE })).0, "done");
    wait_until("the condition goes", BOUND, || !market.shop.conditions().contains(&"vend.jam".to_owned()));
    market.sell();
    let books = market.settled();
    let expected = ["requested", "authorised", "dispatched", "failed", "refunding", "refunded"];
    assert_eq!(books[sale.as_str().unwrap()], expected);
    assert_eq!((turned(&mut market), fell(&mut market)), (2, count(&books, "settled")));
    assert_eq!(count(&books, "settled"), 1);
}

#[test]
fn a_payment_that_nobody_knows_of_is_asked_after_and_cancelled_when_its_window_is_over() {
    let mut market = Market::open(XY, "", SALE, &FEW);
    let started = Instant::now();
    let sale = market.pay()["sale"].clone();
    let query = market.next_ask();
    assert_eq!((&query["sale"], &query["ask"], &query["auth_code"]), (&sale, &json!("query"), &Value::Null));
    // Killed in between: the code is gone, the sale is asked after all the same.
    market.restart();
    market.forget_asks();
    let query = market.next_ask();
    assert_eq!((&query["sale"], &query["ask"]), (&sale, &json!("query")));
    for state in ["unknown", "unpaid"] {
        let args = json!({ "sale": sale, "state": state });
        assert_eq!(market.commanded("sale.queried", None, &args).0, "done");
    }
    let busy = market.payment_code();
    market.scan(&busy);
    let over = loop {
        let ask = market.next_ask();
        assert!(started.elapsed() < WINDOW, "the window is never over");
        if ask["ask"] == "cancel" {
            break ask;
        }
        assert_eq!((&ask["sale"], &ask["ask"]), (&sale, &json!("query")), "the next shopper waits: {ask}");
    };
    assert_eq!(over["sale"], sale);
    assert!(started.elapsed() > Duration::from_secs(50), "not before the window is over");
    market.wait_step(&sale, "refunding");
    // The money comes after all: too late, it goes back.
    market.authorise(&sale, true);
    assert_eq!(market.cancelled(&sale).0, "done");
    market.wait_step(&sale, "refunded");
    let books = market.settled();
    assert_eq!(books[sale.as_str().unwrap()], ["requested", "refunding", "refunded"]);
    assert_eq!(books.len(), 2, "{books:?}");
    assert_eq!(turned(&mut market), 0);
}

#[test]
fn a_member_gets_one_sample_without_a_cloud_also_across_kills() {
    let station = "\n[[station]]\nid = \"sampling-1\"\nflow = \"sampling\"\nscanner = \"scanner-1\"\n\
                   machine = \"vending-1\"\n[station.settings]\nslots = [2, 3]\ncampaign = \"spring\"\n";
    let mut market = Market::open(ZDM8, "", station, &FEW);
    market.broker.stop();
    let rulings = |market: &Market, name: &str, member: &str| {
        market.journal(name).iter().filter(|event| event["data"]["member"] == member).count()
    };
    let scanned = |market: &mut Market, member: &str, name: &str, many: usize| {
        market.scan(member);
        wait_until(&format!("{member}: {name}"), BOUND, || rulings(market, name, member) == many);
    };
    scanned(&mut market, "M00000001", "sample.dispensed", 1);
    scanned(&mut market, "M00000002", "sample.dispensed", 1);
    market.shop.kill();
    market.shop.start();
    market.shop.wait_held();
    scanned(&mut market, "M00000001", "sample.refused", 1);
    scanned(&mut market, "M00000003", "sample.dispensed", 1);
    market.shop.kill();
    market.shop.start();
    market.shop.wait_held();
    for member in ["M00000001", "M00000002", "M00000003"] {
        let many = rulings(&market, "sample.refused", member) + 1;
        scanned(&mut market, member, "sample.refused", many);
    }
    market.broker.start();
    let books = market.settled();
    assert!(books.len() == 3 && books.values().all(|steps| *steps == SOLD), "{books:?}");
    let totals = market.machine.totals();
    assert_eq!((lane(&totals, 2), totals["fell"].as_u64()), ((3, 3, 0), Some(3)));
    let received = market.subscriber.received();
    let refused: Vec<_> = received.of_type("sample.refused.v1").map(|event| &event["data"]["reason"]).collect();
    assert_eq!(refused, [&json!("already-given"); 4]);
}

#[test]
fn a_sale_that_nobody_can_know_the_end_of_is_resolved_by_a_person_while_the_gateway_runs() {
    let mut market = Market::open(XY, &format!("dispense_timeout_ms = {TIMEOUT_MS}\n"), SALE, &FEW);
    for (resolution, fell_before) in [("dispensed", 1), ("refunded", 2)] {
        market.machine.order("power-off mid-turn");
        market.forget_asks();
        let sale = market.pay()["sale"].clone();
        market.authorise(&sale, true);
        assert_eq!(market.wait_step(&sale, "indeterminate")["reason"], "no-result");
        assert_eq!(fell(&mut market), fell_before);
        wait_until("a person is called", BOUND, || market.shop.conditions().contains(&"vend.unresolved".to_owned()));
        let list: Value = serde_json::from_slice(&market.shop.tool(&["sale", "list", "--json"]).stdout).unwrap();
        let listed = list.as_array().and_then(|sales| sales.first()).cloned().unwrap_or_default();
        assert_eq!((&listed["sale"], &listed["stage"]), (&sale, &json!("unresolved")), "{list}");
        let sold = market.commanded("dispense", Some("vending-1"), &json!({ "slot": LANE }));
        assert_eq!(sold, ("refused".to_owned(), json!("lane-faulty")), "its lane is closed");

        market.machine.order("power on");
        let arguments = ["sale", "resolve", sale.as_str().unwrap(), "--as", resolution, "--by", "Li Wei"];
        let resolved = market.shop.tool(&arguments);
        assert!(resolved.status.success(), "{}", String::from_utf8_lossy(&resolved.stderr));
        if resolution == "dispensed" {
            assert_eq!(market.wait_step(&sale, "settled")["by"], "Li Wei");
        } else {
            assert_eq!(market.wait_step(&sale, "refunding")["by"], "Li Wei");
            assert_eq!(market.next_ask()["ask"], "cancel");
            market.cancelled(&sale);
            market.wait_step(&sale, "refunded");
        }
        let again = market.shop.tool(&arguments);
        assert_eq!(again.status.code(), Some(1), "nobody decides twice");
        wait_until("nobody is called any more", BOUND, || market.shop.conditions().is_empty());
        // waits: so long the machine's word on the last order could come late, and its lane is not driven
        std::thread::sleep(Duration::from_millis(TIMEOUT_MS));
    }
    market.sell();
    let books = market.settled();
    assert_eq!((count(&books, "settled"), count(&books, "refunded"), count(&books, "indeterminate")), (2, 1, 2));
    assert_eq!((turned(&mut market), fell(&mut market)), (3, 3), "one was given back for a product that fell");
}
