//! The diagnostics bundle, by the technician's hand and by the cloud's command: it shows the gateway and nothing that
//! is somebody's.

use std::time::Duration;

use serde_json::Value;

use super::broker::Mosquitto;
use super::daemon::Shop;
use super::subscriber::{Received, Subscriber, publish};
use super::wait_until;

const ARRIVES: Duration = Duration::from_secs(60);

/// What went in: codes of every kind and what hides in a configuration. Parts of them count, too.
const CODES: [&str; 7] = [
    "M4820193756",
    "134820193756482019",
    "https://coupon.example/r/Zx81QwLpTk",
    "AA:1B:CC:2D:EE:3F",
    "6901234567892",
    "SSID-of-somebody",
    "COUPON.eyJqdGkiOiJhYmMifQ.c2lnbmF0dXJl",
];
const PASSWORD: &str = "open-sesame-7391";
const LOGIN: &str = "gateway-login-5528";
const PARTS: [&str; 8] =
    ["4820193756", "48201937", "Zx81QwLpTk", "1B:CC:2D", "690123456", "somebody", "eyJqdGki", "7391"];

struct Diagnosed {
    shop: Shop,
    subscriber: Subscriber,
    broker: Mosquitto,
    folder: tempfile::TempDir,
}

impl Diagnosed {
    /// A shop that has read every code, with a password that its broker does not ask for.
    fn after_codes() -> Self {
        let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let broker = Mosquitto::started(folder.path());
        let subscriber = Subscriber::started(broker.port());
        let secret = folder.path().join("password");
        std::fs::write(&secret, PASSWORD).unwrap();
        let mut shop = Shop::new(home, "scanner/generic-serial", Some(&broker.url()));
        let login = format!("[cloud]\nusername = \"{LOGIN}\"\npassword_file = \"{}\"\n", secret.display());
        shop.reconfigure("[cloud]\n", &login);
        shop.spawn_with(&["--log", "smartstore=debug"]);
        shop.wait_held();
        for code in CODES {
            shop.line.type_code(code);
        }
        wait_until("the cloud has every code", ARRIVES, || {
            subscriber.look(|got| got.of_type("scan.code.v1").count() == CODES.len())
        });
        Self { shop, subscriber, broker, folder }
    }
}

fn shows_nothing_of_anybody(bundle: &str) {
    let lower = bundle.to_lowercase();
    let secrets = CODES.iter().chain(&PARTS).chain([&PASSWORD, &LOGIN]);
    for secret in secrets {
        assert!(!lower.contains(&secret.to_lowercase()), "the bundle holds {secret}");
    }
}

/// What a bundle of a running daemon has to show.
fn shows_the_gateway(daemon: &Value) {
    assert_eq!(daemon["versions"]["smartstore"], env!("CARGO_PKG_VERSION"));
    assert_eq!(daemon["gateway"], "hz-wulin-001/gw-1");
    assert!(daemon["health"].is_array());
    let config = daemon["config"].as_str().unwrap();
    assert!(config.contains("mqtt://127.0.0.1:") && config.contains("username = \"***\""), "{config}");
    let log = daemon["log"].as_array().unwrap();
    assert!(log.iter().any(|line| line.as_str().unwrap().contains("ready")), "{log:?}");
    let device = &daemon["devices"][0];
    assert_eq!((device["id"].as_str(), device["state"].as_str()), (Some("scanner-1"), Some("running")));
    let frames = device["frames"].as_array().unwrap();
    let shapes: Vec<_> = frames.iter().map(|frame| frame.as_str().unwrap()).collect();
    assert!(shapes.iter().any(|frame| frame.contains("from device") && frame.contains("A9999")), "{shapes:?}");
    let counters = daemon["counters"].as_array().unwrap();
    assert!(counters.iter().any(|line| line.as_str().unwrap().contains("journal_stored_record")));
}

#[test]
fn a_bundle_by_the_doctor_shows_the_gateway_and_nothing_that_is_somebodys() {
    let mut diagnosed = Diagnosed::after_codes();
    let file = diagnosed.folder.path().join("bundle.json");
    let output = diagnosed.shop.tool(&["doctor", "--bundle", file.to_str().unwrap()]);
    let bundle = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{output:?}"));
    shows_nothing_of_anybody(&bundle);
    let read: Value = serde_json::from_str(&bundle).unwrap();
    shows_the_gateway(&read["daemon"]);
    assert!(read["findings"].as_array().unwrap().iter().any(|finding| finding["check"] == "broker"));

    diagnosed.shop.stop();
    diagnosed.shop.tool(&["doctor", "--bundle", file.to_str().unwrap()]);
    let bundle = std::fs::read_to_string(&file).unwrap();
    shows_nothing_of_anybody(&bundle);
    let read: Value = serde_json::from_str(&bundle).unwrap();
    assert!(read["daemon"].is_null() && read["no_daemon"].as_str().unwrap().contains("no daemon answers"), "{bundle}");
    assert!(read["config"].as_str().unwrap().contains("scanner/generic-serial"));
}

fn chunks<'a>(got: &'a Received, id: &'a str) -> Vec<&'a Value> {
    let mut chunks: Vec<_> = got.of_type("diagnostics.chunk.v1").filter(|event| event["cause"] == id).collect();
    chunks.sort_by_key(|event| event["data"]["part"].as_u64());
    chunks
}

#[test]
fn a_bundle_by_command_comes_in_parts_and_shows_nothing_that_is_somebodys() {
    let diagnosed = Diagnosed::after_codes();
    let command = r#"{"id":"diag-1","action":"diagnostics","args":{},"not_after":"2099-01-01T00:00:00Z"}"#;
    publish(diagnosed.broker.port(), "smartstore/v1/hz-wulin-001/gw-1/commands", command);
    wait_until("the command ends", ARRIVES, || {
        diagnosed.subscriber.look(|got| got.of_type("command.ended.v1").any(|end| end["data"]["command"] == "diag-1"))
    });
    wait_until("every part comes", ARRIVES, || {
        diagnosed.subscriber.look(|got| {
            let chunks = chunks(got, "diag-1");
            chunks.first().is_some_and(|first| first["data"]["of"].as_u64() == Some(chunks.len() as u64))
        })
    });
    let received = diagnosed.subscriber.received();
    let end = received.of_type("command.ended.v1").find(|end| end["data"]["command"] == "diag-1").unwrap();
    assert_eq!(end["data"]["ended"], "done");
    let parts = chunks(&received, "diag-1");
    assert!(parts.iter().all(|part| part["data"]["bundle"] == parts[0]["data"]["bundle"]));
    let text: String = parts.iter().map(|part| part["data"]["text"].as_str().unwrap()).collect();
    shows_nothing_of_anybody(&text);
    shows_the_gateway(&serde_json::from_str(&text).unwrap());
    assert_eq!(received.numbering_problems(), Vec::<String>::new());
}
