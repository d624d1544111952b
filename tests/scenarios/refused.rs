//! A broker that does not let the gateway in: one named condition with what to do, in `/health`, in the doctor's answer
//! and in the log, once however often it is tried, until it is over.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rumqttc::PubAckReason;
use serde_json::Value;
use smartstore::clock::{Clock, Trust};
use smartstore::sim::broker::{Broker, Limits, Refusal};

use super::broker::Mosquitto;
use super::daemon::Shop;
use super::wait_until;

const ARRIVES: Duration = Duration::from_secs(120);
/// Attempts that must go by without saying it again.
const ATTEMPTS: usize = 4;

fn run(program: &str, arguments: &[&str], folder: &Path) {
    let made = Command::new(program).args(arguments).current_dir(folder).output().expect("`make test` installs it");
    assert!(made.status.success(), "{program}: {}", String::from_utf8_lossy(&made.stderr));
}

/// A daemon that logs each attempt.
fn started(shop: &mut Shop) {
    shop.spawn_with(&["--log", "smartstore=debug"]);
    shop.wait_held();
}

fn standing(shop: &Shop, code: &str) -> Vec<Value> {
    let health: Value = serde_json::from_str(&shop.get("/health").expect("the console answers")).unwrap();
    let conditions = health["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().filter(|condition| condition["code"] == code).collect()
}

fn said(shop: &Shop, code: &str, level: &str) -> usize {
    let log = shop.whole_log();
    log.lines().filter(|line| line.contains(&format!("code=\"{code}\"")) && line.contains(level)).count()
}

fn events(shop: &Shop, code: &str, raised: bool) -> usize {
    let events = shop.tool(&["events", "--type", "device.health", "--json"]);
    let lines = String::from_utf8_lossy(&events.stdout).into_owned();
    let is = |line: &&str| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["data"]["code"] == code && event["data"]["raised"] == raised
    };
    lines.lines().filter(is).count()
}

/// It is there once, everywhere, and stays so over further attempts.
fn is_said_once(shop: &Shop, code: &str, advice: &str) {
    wait_until("the condition is shown", ARRIVES, || standing(shop, code).len() == 1);
    let attempts = || shop.whole_log().matches("no connection for events").count();
    let begun = attempts();
    wait_until("further attempts", ARRIVES, || attempts() >= begun + ATTEMPTS);
    let shown = standing(shop, code);
    assert_eq!(shown.len(), 1, "{shown:?}");
    let text = format!("{} {}", shown[0]["text"].as_str().unwrap(), shown[0]["help"].as_str().unwrap());
    assert!(text.contains(advice), "{text}");
    assert_eq!((said(shop, code, "ERROR"), events(shop, code, true)), (1, 1), "{}", shop.log_tail());
    let doctor = shop.tool(&["doctor", "--json"]);
    let findings: Vec<Value> = serde_json::from_slice(&doctor.stdout).unwrap();
    let broker = findings.iter().find(|finding| finding["check"] == "broker").unwrap();
    assert!(broker["result"] == "fail" && broker["message"].as_str().unwrap().contains(code), "{broker}");
    assert_eq!(doctor.status.code(), Some(1));
}

/// What only the running daemon can know is in the doctor's answer as well.
fn the_doctor_repeats(shop: &Shop, code: &str, result: &str) {
    let doctor = shop.tool(&["doctor", "--json"]);
    let findings: Vec<Value> = serde_json::from_slice(&doctor.stdout).unwrap();
    let health: Vec<_> = findings.iter().filter(|finding| finding["check"] == "health").collect();
    let is = |finding: &&&Value| finding["message"].as_str().unwrap().starts_with(code);
    let found: Vec<_> = health.iter().filter(is).collect();
    assert!(found.len() == 1 && found[0]["result"] == result, "{health:?}");
    assert!(!found[0]["help"].as_str().unwrap().is_empty());
}

fn is_over(shop: &Shop, code: &str) {
    wait_until("the condition goes", ARRIVES, || standing(shop, code).is_empty());
    wait_until("its end is an event", ARRIVES, || events(shop, code, false) == 1);
    assert_eq!(said(shop, code, "over:"), 1, "{}", shop.log_tail());
}

#[test]
fn a_password_that_mosquitto_refuses_is_one_condition_until_it_is_mended() {
    let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run("mosquitto_passwd", &["-b", "-c", "logins", "gw", "right"], folder.path());
    let mut broker = Mosquitto::started(folder.path());
    broker.ask_for(&format!("allow_anonymous false\npassword_file {}", folder.path().join("logins").display()));
    let mut shop = Shop::new(home, "scanner/generic-serial", Some(&broker.url()));
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "wrong").unwrap();
    let login = format!("[cloud]\nusername = \"gw\"\npassword_file = \"{}\"\n", secret.display());
    shop.reconfigure("[cloud]\n", &login);
    started(&mut shop);
    is_said_once(&shop, "cloud.refused", "password_file");
    the_doctor_repeats(&shop, "cloud.refused", "fail");
    std::fs::write(&secret, "right").unwrap();
    is_over(&shop, "cloud.refused");
}

#[test]
fn a_certificate_that_has_expired_is_one_condition_until_it_is_renewed() {
    let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let make = |from: &str, days: &str| {
        let mut openssl = vec![from, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"];
        openssl.extend(["ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj"]);
        openssl.extend(["/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", days]);
        // Without it openssl makes an authority of it, which no client takes for a broker.
        openssl.extend(["-addext", "basicConstraints=critical,CA:FALSE"]);
        run("faketime", &openssl, folder.path());
    };
    make("2020-01-01 00:00:00", "10");
    let mut broker = Mosquitto::started(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    broker.ask_for(&format!("certfile {}\nkeyfile {}", at("cert.pem"), at("key.pem")));
    let mut shop = Shop::new(home, "scanner/generic-serial", Some(&broker.url()));
    let url = format!("broker = \"mqtts://localhost:{}\"\nca_file = \"{}\"\n", broker.port(), at("cert.pem"));
    shop.reconfigure(&format!("broker = \"{}\"\n", broker.url()), &url);
    started(&mut shop);
    is_said_once(&shop, "cloud.tls", "has expired");
    let findings = shop.tool(&["doctor"]).stdout;
    let findings = String::from_utf8_lossy(&findings).into_owned();
    assert!(findings.contains("FAIL  certificate") && findings.contains("has expired on 2020-01-11"), "{findings}");

    make("2026-01-01 00:00:00", "3650");
    broker.stop();
    broker.start();
    is_over(&shop, "cloud.tls");
    let findings = shop.tool(&["doctor"]).stdout;
    let findings = String::from_utf8_lossy(&findings).into_owned();
    assert!(findings.contains("ok    certificate") && findings.contains("more days"), "{findings}");
}

/// No setting makes mosquitto say that a quota is used up: the broker is our own here.
#[test]
fn a_quota_that_is_used_up_is_one_condition_until_it_is_lifted() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let address = "127.0.0.1:0".parse().unwrap();
    let broker = Broker::bind(address, Limits::default(), Clock::system(Trust::Trusted));
    let broker = runtime.block_on(broker).unwrap();
    let filter = "+/+/+/+/events/#".to_owned();
    let refusal = Refusal { filter, containing: Vec::new(), reason: PubAckReason::QuotaExceeded };
    broker.tune(|knobs| knobs.refuse_publish = vec![refusal]);
    let mut shop = Shop::new(tempfile::tempdir().unwrap(), "scanner/generic-serial", Some(&broker.url()));
    started(&mut shop);
    shop.line.type_code("M12345678");
    wait_until("the condition is shown", ARRIVES, || standing(&shop, "cloud.quota").len() == 1);
    wait_until("it is an event", ARRIVES, || events(&shop, "cloud.quota", true) >= 1);
    wait_until("more refusals", ARRIVES, || broker.counts().publishes_refused >= ATTEMPTS as u64);
    assert_eq!((said(&shop, "cloud.quota", "WARN"), events(&shop, "cloud.quota", true)), (1, 1), "{}", shop.log_tail());
    the_doctor_repeats(&shop, "cloud.quota", "warn");
    broker.tune(|knobs| knobs.refuse_publish.clear());
    is_over(&shop, "cloud.quota");
}
