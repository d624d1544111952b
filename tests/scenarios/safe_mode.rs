//! A file that breaks under a gateway that had run: the last good configuration carries console and uplink, the devices
//! stand still, and everybody is told what is wrong.

use std::time::Duration;

use serde_json::Value;

use super::broker::Mosquitto;
use super::daemon::{Shop, smartstore};
use super::subscriber::Subscriber;
use super::wait_until;

const BOUND: Duration = Duration::from_secs(20);

fn broken_store(shop: &Shop) {
    let text = std::fs::read_to_string(shop.config()).unwrap();
    std::fs::write(shop.config(), text.replacen("Asia/Shanghai", "Asia/Shanghigh", 1)).unwrap();
}

fn safe_mode_detail(shop: &Shop) -> String {
    let health: Value = serde_json::from_str(&shop.get("/health").unwrap()).unwrap();
    let conditions = health["conditions"].as_array().unwrap();
    let standing = conditions.iter().find(|condition| condition["code"] == "config.safe-mode");
    standing.expect("config.safe-mode stands")["text"].as_str().unwrap().to_owned()
}

#[test]
fn a_broken_file_starts_console_and_uplink_on_the_last_good_configuration_and_no_device() {
    let folder = tempfile::tempdir().unwrap();
    let broker_folder = tempfile::tempdir().unwrap();
    let broker = Mosquitto::started(broker_folder.path());
    let subscriber = Subscriber::started(broker.port());
    // A profile of the shop's own, which is lost together with the file's good form.
    let profiles = folder.path().join("device-profiles/scanner");
    std::fs::create_dir_all(&profiles).unwrap();
    let profile = std::fs::read_to_string("device-profiles/scanner/generic-serial.toml").unwrap();
    std::fs::write(profiles.join("corner-shop.toml"), profile).unwrap();
    let mut shop = Shop::new(folder, "scanner/corner-shop", Some(&broker.url()));
    let good = std::fs::read_to_string(shop.config()).unwrap();
    shop.start();
    shop.wait_held();
    assert_eq!(shop.status_of("/health"), Some(200));
    shop.stop();

    broken_store(&shop);
    std::fs::remove_dir_all(&profiles).unwrap();
    // Twice: a start in safe mode keeps nothing that is not good.
    for _ in 0..2 {
        let online = subscriber.look(|received| received.states.len());
        shop.start();
        assert_eq!(shop.status_of("/health"), Some(503));
        let detail = safe_mode_detail(&shop);
        assert!(detail.contains("store.toml:3:") && detail.contains("Shanghigh"), "{detail}");
        assert_eq!(shop.device_state().as_deref(), Some("stopped"));
        wait_until("the uplink is alive", BOUND, || {
            subscriber.look(|received| received.states.len() > online && received.states.last().unwrap() == "online")
        });
        assert!(!shop.is_held(), "no device is driven");
        shop.stop();
    }
    let told = |received: &super::subscriber::Received| {
        received.of_type("device.health.v1").any(|event| event["data"]["code"] == "config.safe-mode")
    };
    wait_until("the cloud is told", BOUND, || subscriber.look(told));
    let checked = smartstore(&["check"]).arg(shop.config()).output().unwrap();
    assert_eq!(checked.status.code(), Some(78), "`check` says what is so");

    std::fs::create_dir_all(&profiles).unwrap();
    std::fs::copy("device-profiles/scanner/generic-serial.toml", profiles.join("corner-shop.toml")).unwrap();
    std::fs::write(shop.config(), good).unwrap();
    shop.start();
    shop.wait_held();
    assert_eq!(shop.status_of("/health"), Some(200));
    shop.stop();
}

#[test]
fn a_file_that_is_gone_or_no_text_still_finds_the_last_good_one_beside_it() {
    let mut shop = Shop::new(tempfile::tempdir().unwrap(), "scanner/generic-serial", None);
    shop.start();
    shop.kill();
    std::fs::write(shop.config(), [0xFF, 0x00, 0xFE]).unwrap();
    shop.start();
    assert!(safe_mode_detail(&shop).contains("not UTF-8"), "{}", safe_mode_detail(&shop));
    shop.stop();
    std::fs::remove_file(shop.config()).unwrap();
    shop.start();
    assert!(safe_mode_detail(&shop).contains("no such file"), "{}", safe_mode_detail(&shop));
    shop.stop();
}

#[test]
fn the_last_good_configuration_of_another_file_and_a_torn_one_do_not_count() {
    let mut shop = Shop::new(tempfile::tempdir().unwrap(), "scanner/generic-serial", None);
    shop.start();
    shop.stop();
    let folder = shop.config().parent().unwrap().to_owned();
    let other = folder.join("other.toml");
    std::fs::write(&other, "not = [toml").unwrap();
    let run = |file: &std::path::Path| smartstore(&["run", "--config"]).arg(file).output().unwrap().status.code();
    assert_eq!(run(&other), Some(78), "that is another gateway's");
    broken_store(&shop);
    let kept = folder.join("data/last-good/kept.toml");
    let whole = std::fs::read(&kept).unwrap();
    std::fs::write(&kept, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(run(&shop.config()), Some(78), "half a file is none");
}

#[test]
fn data_elsewhere_is_found_by_the_files_own_line_or_by_being_told() {
    let mut shop = Shop::new(tempfile::tempdir().unwrap(), "scanner/generic-serial", None);
    let elsewhere = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(shop.config()).unwrap();
    let line = format!("data_dir = \"{}\"", elsewhere.path().display());
    std::fs::write(shop.config(), text.replacen("data_dir = \"data\"", &line, 1)).unwrap();
    shop.start();
    shop.stop();
    std::fs::write(shop.config(), format!("[store\n{line}\n")).unwrap();
    shop.start();
    assert!(safe_mode_detail(&shop).contains("store.toml:1:"));
    shop.stop();
    std::fs::write(shop.config(), "[store\n").unwrap();
    let told = smartstore(&["run", "--config"]).arg(shop.config()).output().unwrap();
    assert_eq!(told.status.code(), Some(78), "nobody knows where");
    shop.spawn_with(&["--data-dir", elsewhere.path().to_str().unwrap()]);
    wait_until("the console answers", BOUND, || shop.get("/health").is_some());
    assert_eq!(shop.status_of("/health"), Some(503));
    shop.stop();
}
