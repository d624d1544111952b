//! Configurations that the cloud sends to a daemon that runs: applied with the least disturbance, refused with places,
//! taken back when they do not run well, and none of it twice, whatever happens meanwhile.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::broker::{Mosquitto, free_port};
use super::daemon::Shop;
use super::line::ScannerLine;
use super::subscriber::{Subscriber, publish_retained};
use super::wait_until;

const BOUND: Duration = Duration::from_secs(30);
const DESIRED: &str = "smartstore/v1/hz-wulin-001/gw-1/config/desired";

/// A shop with a cloud that tries configurations for so long.
struct Chain {
    broker: Mosquitto,
    subscriber: Subscriber,
    shop: Shop,
    second: ScannerLine,
    /// The file as it was at first.
    base: String,
    _folder: tempfile::TempDir,
}

impl Chain {
    fn new(trial: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = Mosquitto::started(folder.path());
        let subscriber = Subscriber::started(broker.port());
        let second = ScannerLine::plugged_in(&folder.path().join("second"));
        let mut shop = Shop::new(tempfile::tempdir().unwrap(), "scanner/generic-serial", Some(&broker.url()));
        let text = std::fs::read_to_string(shop.config()).unwrap();
        let base = text.replacen("[cloud]\n", &format!("[cloud]\ntrial = \"{trial}\"\n"), 1);
        std::fs::write(shop.config(), &base).unwrap();
        shop.start();
        shop.wait_held();
        Self { broker, subscriber, shop, second, base, _folder: folder }
    }

    /// The base with a second scanner at `endpoint`.
    fn with_second(&self, endpoint: &Path) -> String {
        let endpoint = endpoint.display();
        format!(
            "{}\n[[device]]\nid = \"scanner-2\"\nprofile = \"scanner/generic-serial\"\n\
             endpoint = \"serial:{endpoint}\"\n",
            self.base
        )
    }

    fn second_link(&self) -> std::path::PathBuf {
        self._folder.path().join("second")
    }

    fn send(&self, version: &Value, toml: &str) {
        let message = json!({ "version": version, "toml": toml }).to_string();
        publish_retained(self.broker.port(), DESIRED, &message);
    }

    /// The last report, once it is about this version.
    fn report_of(&self, version: &Value) -> Value {
        let last = || self.subscriber.look(|received| received.reports.last().cloned().unwrap_or_default());
        wait_until(&format!("a report of {version}"), BOUND, || last()["version"] == *version);
        last()
    }

    fn devices(&self) -> Vec<Value> {
        let devices: Value = serde_json::from_str(&self.shop.get("/api/v1/devices").unwrap()).unwrap();
        devices.as_array().unwrap().clone()
    }

    fn is_running(&self, id: &str) -> bool {
        self.devices().iter().any(|device| device["id"] == id && device["state"] == "running")
    }

    fn data(&self, name: &str) -> std::path::PathBuf {
        self.shop.config().parent().unwrap().join("data/last-good").join(name)
    }
}

#[test]
fn what_runs_well_is_applied_without_disturbing_the_other_devices_and_survives_a_restart() {
    let mut chain = Chain::new("10s");
    chain.shop.line.type_code("before-1");
    chain.subscriber.wait_for("before-1", BOUND);
    let before = chain.devices()[0].clone();
    assert!(before["last_seen"].is_string(), "{before}");
    chain.send(&json!(1), &chain.with_second(&chain.second_link()));
    let report = chain.report_of(&json!(1));
    assert_eq!(report, json!({ "version": 1, "state": "applied", "errors": [] }));
    // A device that is started anew begins with an empty record.
    assert_eq!(chain.devices()[0], before, "the first scanner was left alone");
    chain.second.type_code("from-the-second");
    chain.subscriber.wait_for("from-the-second", BOUND);
    wait_until("the cloud hears of it", BOUND, || {
        chain
            .subscriber
            .look(|received| received.of_type("config.applied.v1").any(|event| event["data"]["devices"] == 2))
    });
    // The same version changes nothing, whatever it says now.
    chain.send(&json!(1), &chain.base);
    chain.send(&json!("2"), "[store");
    assert_eq!(chain.report_of(&json!("2"))["state"], "refused");
    assert!(chain.is_running("scanner-2"));
    // What runs already, under a new name.
    chain.send(&json!(3), &chain.with_second(&chain.second_link()));
    assert_eq!(chain.report_of(&json!(3))["state"], "applied");

    chain.shop.kill();
    chain.shop.start();
    wait_until("the second scanner runs again", BOUND, || chain.is_running("scanner-2"));
    chain.second.type_code("after-the-restart");
    chain.subscriber.wait_for("after-the-restart", BOUND);
    chain.shop.stop();

    // Who edits the file has the last word, and the cloud is told.
    std::fs::write(chain.shop.config(), format!("# by hand\n{}", chain.base)).unwrap();
    let reported = chain.subscriber.look(|received| received.reports.len());
    chain.shop.start();
    wait_until("a report", BOUND, || chain.subscriber.look(|received| received.reports.len() > reported));
    let report = chain.report_of(&json!(3));
    assert_eq!((&report["state"], &report["errors"][0]["code"]), (&json!("rolled-back"), &json!("edited")), "{report}");
    assert_eq!(chain.devices().len(), 1);
    chain.shop.stop();
}

#[test]
fn what_is_wrong_is_refused_with_its_places_and_nothing_is_touched() {
    let mut chain = Chain::new("10s");
    let broken = chain.base.replacen("Asia/Shanghai", "Asia/Shanghigh", 1).replacen("scanner/generic", "scanner/x", 1);
    chain.send(&json!("r-1"), &broken);
    let report = chain.report_of(&json!("r-1"));
    assert_eq!(report["state"], "refused");
    let places: Vec<_> = report["errors"].as_array().unwrap().iter().map(|error| &error["line"]).collect();
    let line_of = |words: &str| broken.lines().position(|line| line.contains(words)).unwrap() + 1;
    assert_eq!(places, [&json!(line_of("Shanghigh")), &json!(line_of("scanner/x"))]);
    let first = &report["errors"][0];
    assert_eq!((&first["file"], &first["column"]), (&json!("config/desired"), &json!(12)), "{first}");
    assert_eq!((&first["severity"], &first["code"]), (&json!("error"), &json!("unknown-timezone")));

    let elsewhere = chain.base.replacen("data_dir = \"data\"", "data_dir = \"elsewhere\"", 1);
    let (before, _) = chain.base.split_once("[cloud]").unwrap();
    let (_, after) = chain.base.split_once("[console]").unwrap();
    let cases = [(elsewhere, "[gateway] data_dir"), (format!("{before}[console]{after}"), "[cloud]")];
    for (n, (text, named)) in cases.iter().enumerate() {
        let version = json!(format!("fixed-{n}"));
        chain.send(&version, text);
        let report = chain.report_of(&version);
        assert_eq!((&report["state"], &report["errors"][0]["code"]), (&json!("refused"), &json!("fixed")));
        assert!(report["errors"][0]["message"].as_str().unwrap().contains(named), "{report}");
    }
    publish_retained(chain.broker.port(), DESIRED, "no JSON");
    wait_until("what cannot be read is answered, too", BOUND, || {
        chain.subscriber.look(|received| received.reports.last().unwrap()["version"].is_null())
    });
    assert!(chain.shop.is_held());
    assert!(!chain.data("trial.toml").exists());
    chain.shop.stop();
}

#[test]
fn what_does_not_run_well_is_taken_back_with_the_reason() {
    let mut chain = Chain::new("3s");
    chain.send(&json!(1), &chain.with_second(Path::new("/dev/no-such-line")));
    let report = chain.report_of(&json!(1));
    assert_eq!(report["state"], "rolled-back");
    assert_eq!(report["errors"][0]["code"], "tty.missing", "{report}");
    assert!(report["errors"][0]["message"].as_str().unwrap().contains("scanner-2"), "{report}");
    assert_eq!(chain.devices().len(), 1);
    assert!(chain.shop.is_held());

    // A broker that is not there: the answer comes over the one before.
    let gone = chain.base.replacen(&chain.broker.url(), &format!("mqtt://127.0.0.1:{}", free_port()), 1);
    chain.send(&json!(2), &gone);
    let report = chain.report_of(&json!(2));
    assert_eq!(report["state"], "rolled-back");
    assert_eq!(report["errors"][0]["code"], "cloud.away", "{report}");
    chain.shop.line.type_code("over-the-old-broker");
    chain.subscriber.wait_for("over-the-old-broker", BOUND);
    chain.shop.stop();
}

#[test]
fn a_daemon_killed_in_a_trial_starts_with_the_configuration_before_and_does_not_try_again() {
    let mut chain = Chain::new("1min");
    for round in 1..=3 {
        chain.send(&json!(round), &chain.with_second(Path::new("/dev/no-such-line")));
        wait_until("the trial is begun", BOUND, || chain.data("trial.toml").exists());
        chain.shop.kill();
        chain.shop.start();
        let report = chain.report_of(&json!(round));
        assert_eq!((&report["state"], &report["errors"][0]["code"]), (&json!("rolled-back"), &json!("interrupted")));
        chain.shop.wait_held();
        // It is still retained: offered again, and left alone.
        chain.shop.line.type_code(&format!("round-{round}"));
        chain.subscriber.wait_for(&format!("round-{round}"), BOUND);
        assert_eq!(chain.devices().len(), 1);
        assert!(!chain.data("trial.toml").exists());
    }
    chain.shop.stop();
}

#[test]
fn the_cloud_can_end_safe_mode() {
    let mut chain = Chain::new("10s");
    chain.shop.stop();
    std::fs::write(chain.shop.config(), "[store\n").unwrap();
    chain.shop.start();
    assert_eq!(chain.shop.status_of("/health"), Some(503));
    chain.send(&json!(1), &chain.base);
    assert_eq!(chain.report_of(&json!(1))["state"], "applied");
    wait_until("safe mode is over", BOUND, || chain.shop.status_of("/health") == Some(200));
    chain.shop.wait_held();
    chain.shop.kill();
    // The broken file is still the same one: the cloud's configuration goes on counting.
    chain.shop.start();
    chain.shop.wait_held();
    assert_eq!(chain.shop.status_of("/health"), Some(200));
    chain.shop.stop();
}
