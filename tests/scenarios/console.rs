//! The console over HTTP, with a real daemon: what it shows, what it lets be done, whom it turns away.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::daemon::{Shop, smartstore};
use super::market::{LANE, Market, SALE};
use super::simulator::lane;
use super::wait_until;

const BOUND: Duration = Duration::from_secs(60);
const FEW: [&str; 2] = ["--lanes", "6"];

/// An answer of the console.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a head ends");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A request as text; `headers`: whole lines.
pub(crate) fn request(method: &str, path: &str, host: &str, headers: &[&str], body: Option<&Value>) -> String {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for line in headers {
        text.push_str(&format!("{line}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    }
    text + "\r\n" + &body
}

fn send(port: u16, text: &str) -> Answer {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(BOUND)).unwrap();
    socket.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    Answer::of(&String::from_utf8_lossy(&answer))
}

fn get(shop: &Shop, path: &str, headers: &[&str]) -> Answer {
    let port = shop.console();
    send(port, &request("GET", path, &format!("127.0.0.1:{port}"), headers, None))
}

/// As the console's own page asks.
fn post(shop: &Shop, path: &str, body: &Value) -> Answer {
    let port = shop.console();
    let (host, origin) = (format!("127.0.0.1:{port}"), format!("Origin: http://127.0.0.1:{port}"));
    send(port, &request("POST", path, &host, &[&origin], Some(body)))
}

fn overview(shop: &Shop) -> Value {
    get(shop, "/api/v1/console", &[]).json()
}

/// Waits for the end of a command that the console has filed.
fn ended(shop: &Shop, filed: &Answer) -> Value {
    assert_eq!(filed.status, 202, "{}", filed.body);
    let path = format!("/api/v1/commands?id={}", filed.json()["id"].as_str().unwrap());
    let stands = || get(shop, &path, &[]).json();
    wait_until("the command ends", BOUND, || stands()["state"] == "ended");
    stands()
}

fn trail(shop: &Shop) -> Vec<(String, String)> {
    let rows = get(shop, "/api/v1/audit", &[]).json();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.as_array().unwrap().iter().map(|row| (text(row, "what"), text(row, "outcome"))).collect()
}

#[test]
fn the_page_is_useful_before_its_scripts_and_speaks_the_browsers_language() {
    let mut shop = Shop::new(tempfile::tempdir().unwrap(), "scanner/generic-serial", None);
    shop.start();
    shop.wait_held();
    let english = get(&shop, "/", &["Accept-Language: en-GB,en;q=0.9,zh;q=0.1"]);
    for word in ["hz-wulin-001/gw-1", "scanner-1", "running", "Nothing is wrong.", "lang=\"en\""] {
        assert!(english.body.contains(word), "{word}: {}", english.body);
    }
    let chinese = get(&shop, "/", &["Accept-Language: zh-CN,zh;q=0.9"]);
    assert!(chinese.body.contains("lang=\"zh-CN\"") && chinese.body.contains("运行中"), "{}", chinese.body);
    let dark = get(&shop, "/", &["Accept-Language: zh", "Cookie: lang=en; theme=dark"]);
    assert!(dark.body.contains("lang=\"en\" data-theme=\"dark\""), "what was chosen counts: {}", dark.body);
    assert!(english.head.contains("content-security-policy: default-src 'self';"), "{}", english.head);
    assert!(!english.body.contains("<style") && !english.body.contains("style=") && !english.body.contains(" on"));
    let linked = english.body.split(['"', '#']).filter(|word| word.starts_with("/console/"));
    for path in linked.chain(["/console/words-zh.js"]) {
        let file = get(&shop, path, &["Accept-Encoding: gzip"]);
        assert_eq!((file.status, file.head.contains("content-encoding: gzip")), (200, true), "{path}");
        let tag = file.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
        assert_eq!(get(&shop, path, &[&format!("If-None-Match: {tag}")]).status, 304, "{path}");
    }
    for path in ["/console/", "/console/../Cargo.toml", "/console/%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "/console"]
    {
        assert_eq!(get(&shop, path, &[]).status, 404, "{path}");
    }
}

#[test]
fn the_overview_says_how_devices_and_buffer_are_and_trouble_comes_first() {
    let mut shop = Shop::new(tempfile::tempdir().unwrap(), "scanner/generic-serial", None);
    let gone =
        "\n[[device]]\nid = \"a-scanner\"\nprofile = \"scanner/generic-serial\"\nendpoint = \"serial:/dev/none\"\n";
    let text = std::fs::read_to_string(shop.config()).unwrap();
    std::fs::write(
        shop.config(),
        text.clone() + gone + &gone.replace("a-scanner", "z-scanner").replace("none", "nine"),
    )
    .unwrap();
    shop.start();
    let is_running = || overview(&shop)["devices"].as_array().unwrap().iter().any(|one| one["state"] == "running");
    wait_until("the scanner's line is held", BOUND, is_running);
    wait_until("what is missing is news", BOUND, || shop.conditions().iter().any(|code| code == "tty.missing"));
    shop.line.type_code("4006381333931");
    wait_until("the code is stored", BOUND, || overview(&shop)["buffer"]["unsent"].as_u64() > Some(2));
    let seen = overview(&shop);
    let order: Vec<_> = seen["devices"].as_array().unwrap().iter().map(|device| device["id"].clone()).collect();
    assert_eq!(order, ["a-scanner", "z-scanner", "scanner-1"]);
    let missing = &seen["devices"][0];
    assert_eq!(
        (&missing["state"], &missing["trouble"], &missing["last_seen"]),
        (&json!("waiting"), &json!("error"), &Value::Null)
    );
    assert_eq!(missing["conditions"][0]["code"], "tty.missing");
    let running = &seen["devices"][2];
    assert_eq!((&running["trouble"], &running["can"]), (&json!("ok"), &json!(["device.restart"])));
    assert!(running["last_seen"].is_string(), "{running}");
    assert_eq!(
        (&seen["state"], &seen["connected"], &seen["user"]["role"]),
        (&json!("failed"), &Value::Null, &json!("admin"))
    );
    let buffer = &seen["buffer"];
    assert_eq!(buffer["classes"].as_array().unwrap().len(), 3);
    assert!(buffer["oldest_unsent"].is_string() && buffer["max_bytes"].as_u64() > Some(1 << 20), "{buffer}");
    assert_eq!((&seen["config"]["from"], &seen["config"]["safe_mode"]), (&json!("file"), &json!(false)));
}

#[test]
fn events_stream_on_where_a_browser_was_cut_off() {
    let mut shop = Shop::new(tempfile::tempdir().unwrap(), "scanner/generic-serial", None);
    shop.start();
    shop.wait_held();
    let port = shop.console();
    let open = |headers: &[&str]| {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(BOUND)).unwrap();
        let text = request("GET", "/api/v1/events/stream", &format!("127.0.0.1:{port}"), headers, None);
        socket.write_all(text.as_bytes()).unwrap();
        socket
    };
    let read_until = |socket: &mut TcpStream, words: &str| {
        let (mut heard, mut some) = (String::new(), [0; 4096]);
        while !heard.contains(words) {
            let count = socket.read(&mut some).unwrap();
            assert!(count > 0, "the stream ended: {heard}");
            heard.push_str(&String::from_utf8_lossy(&some[..count]));
        }
        heard
    };
    let mut first = open(&[]);
    let heard = read_until(&mut first, "config.applied");
    assert!(heard.contains("text/event-stream"), "{heard}");
    shop.line.type_code("first-code");
    let heard = read_until(&mut first, "first-code");
    let row: i64 = heard.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().parse().unwrap();
    drop(first);
    shop.line.type_code("second-code");
    let mut second = open(&[&format!("Last-Event-ID: {row}")]);
    let heard = read_until(&mut second, "second-code");
    assert!(!heard.contains("first-code") && !heard.contains("event: gap"), "{heard}");
    // Streams do not hold the house up.
    shop.stop();
}

#[test]
fn what_does_not_come_from_the_own_page_changes_nothing() {
    let mut shop = Shop::new(tempfile::tempdir().unwrap(), "scanner/generic-serial", None);
    shop.start();
    let port = shop.console();
    let host = format!("127.0.0.1:{port}");
    let own = format!("Origin: http://{host}");
    let restart = json!({ "device": "scanner-1", "action": "device.restart" });
    for headers in [
        vec![],
        vec!["Origin: http://evil.example"],
        vec!["Origin: null"],
        vec![own.as_str(), "Sec-Fetch-Site: cross-site"],
        vec!["Origin: http://127.0.0.1:1"],
    ] {
        for path in ["/api/v1/commands", "/api/v1/config/apply", "/api/v1/config/rollback", "/api/v1/sales/resolve"] {
            let answer = send(port, &request("POST", path, &host, &headers, Some(&restart)));
            assert_eq!((answer.status, &answer.json()["error"]), (403, &json!("origin")), "{path} {headers:?}");
        }
    }
    for forged in ["evil.example", "127.0.0.1.evil.example", "localhost:1"] {
        assert_eq!(send(port, &request("GET", "/api/v1/console", forged, &[], None)).status, 421, "{forged}");
        assert_eq!(send(port, &request("POST", "/api/v1/commands", forged, &[&own], Some(&restart))).status, 421);
    }
    let large = json!({ "text": "x".repeat(600 * 1024) });
    assert_eq!(post(&shop, "/api/v1/config/check", &large).status, 413);
    assert_eq!(trail(&shop), [], "nothing was done, nothing is in the trail");
}

#[test]
fn a_technician_tries_a_machine_through_the_ledger_and_the_trail_says_so_after_a_restart() {
    let mut market = Market::open("xy-vmc", "", SALE, &FEW);
    let ask = |market: &Market, action: &str, args: Value| {
        post(&market.shop, "/api/v1/commands", &json!({ "device": "vending-1", "action": action, "args": args }))
    };
    wait_until("the lanes are known", BOUND, || {
        get(&market.shop, "/api/v1/machines", &[]).json()["lanes"].as_array().unwrap().len() >= 6
    });
    let filed = ask(&market, "stock.set", json!({ "slot": LANE, "count": 7 }));
    assert_eq!(ended(&market.shop, &filed)["ended"], "done");
    let lanes = get(&market.shop, "/api/v1/machines", &[]).json()["lanes"].clone();
    let sold = lanes.as_array().unwrap().iter().find(|lane| lane["slot"] == LANE).unwrap();
    assert_eq!((&sold["count"], &sold["status"]), (&json!(7), &json!("open")), "{sold}");
    let filed = ask(&market, "dispense", json!({ "slot": LANE }));
    assert_eq!(ended(&market.shop, &filed)["ended"], "done");
    assert_eq!(lane(&market.machine.totals(), LANE), (1, 1, 0), "turned once, fell once, paid by nobody");
    let filed = ask(&market, "device.restart", json!({}));
    assert_eq!(ended(&market.shop, &filed)["ended"], "done");

    for (action, args, status) in [
        ("dispense", json!({ "slot": LANE, "price_minor": 350 }), 422),
        ("dispense", json!({ "slot": "two" }), 422),
        ("sale.authorised", json!({ "sale": "s", "approved": true }), 422),
        ("member.forget", json!({ "member": "M12345678" }), 422),
        ("scan.trigger", json!({ "on": true }), 409),
        ("jam.clear", json!({ "slot": LANE }), 422),
    ] {
        let refused = ask(&market, action, args);
        assert_eq!(refused.status, status, "{action}: {}", refused.body);
    }
    let unknown = json!({ "device": "nobody", "action": "device.restart" });
    assert_eq!(post(&market.shop, "/api/v1/commands", &unknown).status, 409);
    let before = trail(&market.shop);
    market.restart();
    assert_eq!(trail(&market.shop), before);
    let wanted = ["device.restart vending-1 {}", "dispense vending-1 {\"slot\":2}", "stock.set vending-1"];
    assert_eq!(before.len(), 3, "{before:?}");
    for ((what, outcome), wanted) in before.iter().zip(wanted) {
        assert!(what.starts_with(wanted) && outcome == "done", "{before:?}");
    }
}

#[test]
fn nothing_is_sent_to_a_device_that_is_not_there() {
    let mut market = Market::open("xy-vmc", "", SALE, &FEW);
    let dispense = json!({ "device": "vending-1", "action": "dispense", "args": { "slot": LANE } });
    std::fs::remove_file(&market.machine.line).unwrap();
    let restart = json!({ "device": "vending-1", "action": "device.restart" });
    ended(&market.shop, &post(&market.shop, "/api/v1/commands", &restart));
    let state = |market: &Market| overview(&market.shop)["devices"][0]["state"].as_str().unwrap().to_owned();
    wait_until("the machine is gone", BOUND, || state(&market) != "running");
    let refused = post(&market.shop, "/api/v1/commands", &dispense);
    assert_eq!((refused.status, &refused.json()["error"]), (409, &json!("offline")));
    assert_eq!(lane(&market.machine.totals(), LANE), (0, 0, 0));
}

#[test]
fn a_person_says_at_the_console_what_became_of_a_sale() {
    let mut market = Market::open("xy-vmc", "dispense_timeout_ms = 1500\n", SALE, &FEW);
    market.machine.order("power-off mid-turn");
    let sale = market.pay()["sale"].clone();
    market.authorise(&sale, true);
    market.wait_step(&sale, "indeterminate");
    let waiting = || get(&market.shop, "/api/v1/machines", &[]).json()["sales"].clone();
    wait_until("the sale waits", BOUND, || waiting()[0]["stage"] == "unresolved");
    assert_eq!((&waiting()[0]["sale"], &waiting()[0]["price_minor"]), (&sale, &json!(350)));
    let resolve = |body: Value| post(&market.shop, "/api/v1/sales/resolve", &body);
    for body in [
        json!({ "sale": sale, "as": "refunded" }),
        json!({ "sale": sale, "as": "refunded", "by": " " }),
        json!({ "sale": sale, "as": "lost", "by": "Li Wei" }),
    ] {
        assert_eq!(resolve(body.clone()).status, 422, "{body}");
    }
    assert_eq!(resolve(json!({ "sale": "other", "as": "refunded", "by": "Li Wei" })).status, 409);
    let filed = resolve(json!({ "sale": sale, "as": "dispensed", "by": "Li Wei" }));
    assert_eq!(ended(&market.shop, &filed)["ended"], "done");
    assert_eq!(market.wait_step(&sale, "settled")["by"], "Li Wei");
    assert_eq!(waiting(), json!([]));
    assert_eq!(
        trail(&market.shop),
        [(format!("sale.resolve {} as dispensed", sale.as_str().unwrap()), "done".to_owned())]
    );
}

#[test]
fn mistakes_are_those_of_check_and_what_runs_well_is_applied_and_taken_back() {
    let mut shop = Shop::new(tempfile::tempdir().unwrap(), "scanner/generic-serial", None);
    shop.start();
    shop.wait_held();
    let good = get(&shop, "/api/v1/config", &[]).json()["text"].as_str().unwrap().to_owned();
    assert_eq!(good, std::fs::read_to_string(shop.config()).unwrap());
    let bad = good.replace("Asia/Shanghai", "Asia/Shanghigh").replace("profile =", "profil =") + "\n[nonsense]\n";
    let dry = |text: &str| post(&shop, "/api/v1/config/check", &json!({ "text": text })).json();
    let found = dry(&bad);
    // `check` reads files: the same text under the same name.
    std::fs::write(shop.config(), &bad).unwrap();
    let said = smartstore(&["check", "--json"]).arg(shop.config()).output().unwrap();
    std::fs::write(shop.config(), &good).unwrap();
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert!(said.as_array().unwrap().len() >= 3, "{said}");
    assert_eq!((&found["diagnostics"], &found["usable"]), (&said, &json!(false)));

    let renamed = good.replace("scanner-1", "scanner-2");
    let changes = json!([{ "what": "scanner-2", "how": "new" }, { "what": "scanner-1", "how": "gone" }]);
    assert_eq!((&dry(&renamed)["changes"], &dry(&good)["changes"]), (&changes, &json!([])));
    assert_eq!(dry(&good.replace("gw-1", "gw-2"))["changes"], json!([{ "what": "[gateway] id", "how": "restart" }]));

    let apply = |text: &str| assert_eq!(post(&shop, "/api/v1/config/apply", &json!({ "text": text })).status, 202);
    let last = || get(&shop, "/api/v1/config", &[]).json()["last"].clone();
    let settled = |state: &str| {
        wait_until(&format!("the configuration is {state}"), BOUND * 2, || last()["state"] == state);
        last()
    };
    apply(&bad);
    assert_eq!(settled("refused")["errors"].as_array().unwrap().len(), said.as_array().unwrap().len());
    apply(&good.replace("gw-1", "gw-2"));
    wait_until("what takes a restart is refused", BOUND, || last()["errors"][0]["code"] == "fixed");
    apply(&renamed);
    settled("applied");
    assert_eq!(overview(&shop)["devices"][0]["id"], "scanner-2");
    assert_eq!(overview(&shop)["config"]["from"], "console");
    let revisions = get(&shop, "/api/v1/config", &[]).json()["revisions"].clone();
    assert_eq!(revisions[0]["text"], json!(good));
    assert_eq!(std::fs::read_to_string(shop.config()).unwrap(), good, "the file is nobody's but the technician's");
    shop.stop();
    shop.start();
    assert_eq!(overview(&shop)["devices"][0]["id"], "scanner-2", "it survives a restart");
    assert_eq!(post(&shop, "/api/v1/config/rollback", &json!({ "revision": 9 })).status, 404);
    assert_eq!(post(&shop, "/api/v1/config/rollback", &json!({ "revision": 1 })).status, 202);
    wait_until("the one before runs", BOUND, || overview(&shop)["devices"][0]["id"] == "scanner-1");
    wait_until("it is kept", BOUND, || overview(&shop)["config"]["trying"] == false);
    let rows = trail(&shop);
    let outcomes: Vec<_> = rows.iter().map(|(what, outcome)| (what.as_str(), outcome.as_str())).collect();
    assert_eq!(outcomes[0], ("config.rollback 1", "applied"));
    assert_eq!(outcomes[1], ("config.apply", "applied"));
    assert!(
        outcomes[2].1.starts_with("refused: [gateway] id") && outcomes[3].1.starts_with("refused: "),
        "{outcomes:?}"
    );
}

#[test]
fn a_broken_file_is_mended_at_the_console_in_safe_mode() {
    let mut shop = Shop::new(tempfile::tempdir().unwrap(), "scanner/generic-serial", None);
    shop.start();
    shop.wait_held();
    shop.stop();
    shop.reconfigure("Asia/Shanghai", "Asia/Shanghigh");
    shop.start();
    let seen = get(&shop, "/api/v1/config", &[]).json();
    let text = seen["text"].as_str().unwrap();
    assert!(seen["safe_mode"] == true && text.contains("Shanghigh"), "what is broken is what one mends: {seen}");
    assert_eq!(overview(&shop)["devices"][0]["state"], "stopped");
    assert_eq!(
        post(&shop, "/api/v1/config/apply", &json!({ "text": text.replace("Shanghigh", "Shanghai") })).status,
        202
    );
    wait_until("safe mode is over", BOUND, || overview(&shop)["config"]["safe_mode"] == false);
    shop.wait_held();
    assert_eq!(shop.status_of("/health"), Some(200));
}
