//! The wall clock is wrong, jumps, and becomes right: made from outside by libfaketime, and by a preloaded adjtimex(2)
//! that says whether the clock is synchronised. Time since boot is left alone, as it is when a real clock is set.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::broker::Mosquitto;
use super::daemon::{Shop, compiled};
use super::subscriber::{Subscriber, publish};
use super::wait_until;

const ARRIVES: Duration = Duration::from_secs(60);
const COMMANDS: &str = "smartstore/v1/hz-wulin-001/gw-1/commands";

/// Debian's faketime; `make test` installs it. `None`, and said so, without it.
fn libfaketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path());
    let found = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
    if found.is_none() {
        eprintln!("SKIPPED: libfaketime is not installed (Debian: faketime)");
    }
    found
}

struct Odd {
    shop: Shop,
    subscriber: Subscriber,
    broker: Mosquitto,
    scanned: Vec<(String, &'static str, bool)>,
}

impl Odd {
    fn begun(at: &str, is_synced: bool) -> Option<Self> {
        let faketime = libfaketime()?;
        let folder = tempfile::tempdir().unwrap();
        let library = compiled("tests/scenarios/faulty.c", folder.path());
        let (time, unsynced) = (folder.path().join("time"), folder.path().join("unsynced"));
        let broker = Mosquitto::started(folder.path());
        let subscriber = Subscriber::started(broker.port());
        let mut shop = Shop::new(folder, "scanner/generic-serial", Some(&broker.url()));
        shop.reconfigure("clock = \"trusted\"", "clock = \"kernel\"");
        shop.with("LD_PRELOAD", format!("{} {}", faketime.display(), library.display()));
        shop.with("FAKETIME_TIMESTAMP_FILE", &time).with("FAKETIME_NO_CACHE", "1").with("TZ", "UTC");
        shop.with("FAKETIME_DONT_FAKE_MONOTONIC", "1").with("FAULT_CLOCK", &unsynced);
        let mut odd = Self { shop, subscriber, broker, scanned: Vec::new() };
        odd.set(at, is_synced);
        odd.shop.start();
        odd.shop.wait_held();
        Some(odd)
    }

    /// Sets the clock; it goes on from there.
    fn set(&mut self, at: &str, is_synced: bool) {
        let folder = self.shop.config().parent().unwrap().to_owned();
        std::fs::write(folder.join("time.new"), format!("@{at}\n")).unwrap();
        std::fs::rename(folder.join("time.new"), folder.join("time")).unwrap();
        if is_synced {
            let _ = std::fs::remove_file(folder.join("unsynced"));
        } else {
            std::fs::write(folder.join("unsynced"), []).unwrap();
        }
    }

    /// Five codes, and the cloud has them.
    fn scan(&mut self, day: &'static str, is_synced: bool) {
        for _ in 0..5 {
            let code = format!("<code-{:03}>", self.scanned.len());
            self.shop.line.write(format!("{code}\r").as_bytes());
            self.subscriber.wait_for(&code, ARRIVES);
            self.scanned.push((code, day, is_synced));
        }
    }

    /// How a command ends whose deadline is then.
    fn ends(&self, id: &str, not_after: &str) -> String {
        let command = format!(
            r#"{{"id":"{id}","device":"scanner-1","action":"device.restart","args":{{}},"not_after":"{not_after}"}}"#
        );
        publish(self.broker.port(), COMMANDS, &command);
        let end = |event: &Value| (event["data"]["command"] == id).then(|| event["data"]["ended"].clone());
        wait_until(&format!("the outcome of {id}"), ARRIVES, || {
            self.subscriber.look(|got| got.of_type("command.ended.v1").any(|event| end(event).is_some()))
        });
        let received = self.subscriber.received();
        let ends: Vec<_> = received.of_type("command.ended.v1").filter_map(end).collect();
        assert_eq!(ends.len(), 1, "{id}: {ends:?}");
        ends[0].as_str().unwrap().to_owned()
    }

    /// Everything once and in order, each with the time and the flag of its moment, nothing called late.
    fn ends_well(mut self) {
        self.shop.stop();
        assert!(!self.shop.whole_log().contains("panicked"), "{}", self.shop.log_tail());
        assert!(self.shop.tool(&["journal", "verify"]).status.success());
        let received = self.subscriber.received();
        assert_eq!(received.numbering_problems(), Vec::<String>::new());
        assert_eq!(received.problems, Vec::<String>::new());
        let mut codes: Vec<_> = received.of_type("scan.code.v1").collect();
        codes.sort_by_key(|event| event["seq"].as_u64());
        let text = |event: &Value| event["data"]["value"].as_str().unwrap().to_owned();
        assert_eq!(codes.len(), self.scanned.len());
        for (event, (code, day, is_synced)) in codes.iter().zip(&self.scanned) {
            assert_eq!(text(event), *code, "the order is that of reading, whatever the clock said");
            let time = event["time"].as_str().unwrap();
            assert!(time.starts_with(day), "{code}: {time}, not {day}");
            assert_eq!(event["synced"], *is_synced, "{code}");
            assert!(!received.historical.contains(event["id"].as_str().unwrap()), "{code} was not late");
        }
        println!("{} codes under {} clocks, lost 0", codes.len(), codes.len() / 5);
    }
}

#[test]
fn a_clock_at_1970_that_leaps_and_jumps_disorders_nothing_and_deadlines_follow_it() {
    let Some(mut odd) = Odd::begun("1970-01-01 00:00:10", false) else { return };
    odd.scan("1970-01-01", false);
    assert_eq!(odd.ends("unsynced-1", "2099-01-01T00:00:00Z"), "refused");
    odd.set("2026-11-22 10:00:00", true);
    odd.scan("2026-11-22T10", true);
    assert_eq!(odd.ends("past-1", "2026-11-22T09:59:00Z"), "expired");
    assert_eq!(odd.ends("ahead-1", "2026-11-22T11:00:00Z"), "done");
    odd.shop.wait_held();
    odd.set("2026-11-22 08:00:00", true);
    odd.scan("2026-11-22T08", true);
    odd.set("2026-11-24 10:00:00", true);
    odd.scan("2026-11-24T10", true);
    assert_eq!(odd.ends("past-2", "2026-11-24T09:59:00Z"), "expired");
    odd.set("2001-01-01 00:00:00", false);
    odd.scan("2001-01-01", false);
    odd.ends_well();
}

#[test]
fn a_daemon_killed_while_its_clock_is_wrong_goes_on_under_a_right_one() {
    let Some(mut odd) = Odd::begun("2031-05-05 12:00:00", true) else { return };
    odd.scan("2031-05-05", true);
    odd.shop.kill();
    odd.set("1970-01-01 00:00:10", false);
    odd.shop.start();
    odd.shop.wait_held();
    odd.scan("1970-01-01", false);
    odd.shop.kill();
    odd.set("2026-11-22 10:00:00", true);
    odd.shop.start();
    odd.shop.wait_held();
    odd.scan("2026-11-22", true);
    odd.ends_well();
}
