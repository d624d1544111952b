//! Three days without a cloud, and then it is back: the built binary, Debian's mosquitto, and a cloud that counts.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use smartstore::clock::{Clock, Trust};
use smartstore::journal::{Journal, Settings};
use smartstore::types::{Body, CodeKind, CodeScanned, DeviceId, Draft, Observation};
use smartstore::wire::cloud::read_batch;

use crate::cloud::Cloud;
use crate::mosquitto::Mosquitto;

/// Two events a second for 72 hours.
const THREE_DAYS: usize = 520_000;
/// What the ordinary run has time for; all of it with `SMARTSTORE_FULL=1`.
const A_PART: usize = 40_000;
/// The issue's limit for the daemon with its backlog.
const MOST_RSS_KIB: u64 = 24 * 1024;

struct Daemon(Child);

impl Daemon {
    fn start(config: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smartstore"));
        command.args(["run", "--config"]).arg(config).stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.stderr(Stdio::null()).spawn().unwrap())
    }

    /// The most that it has had resident, whole and without the pages of its binary, in KiB (proc_pid_status(5)).
    fn memory_kib(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        (field("VmHWM:"), field("RssAnon:"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Stores that many codes, two minutes old.
async fn fill(data_dir: &Path, events: usize) {
    std::fs::create_dir_all(data_dir).unwrap();
    let clock = Clock::system(Trust::Trusted);
    let (journal, _) = Journal::open(Settings::new(data_dir), clock.clone()).unwrap();
    for first in (0..events).step_by(256) {
        let drafts = (first..events.min(first + 256)).map(|number| old(&clock, number)).collect();
        journal.append(drafts).await.unwrap();
    }
    journal.close().await.unwrap();
}

fn old(clock: &Clock, number: usize) -> Draft {
    let mut at = clock.stamp();
    at.up = at.up.checked_sub(Duration::from_secs(120)).expect("this machine runs for two minutes");
    let value = format!("https://example.com/01/06291041500213/21/{number:08}");
    let ai = std::collections::BTreeMap::new();
    let code = CodeScanned { kind: CodeKind::Product, symbology: None, value, gtin: None, ai };
    let device = DeviceId::new("scanner-1").ok();
    Draft { id: clock.event_id(), device, at, cause: None, body: Body::Observed(Observation::Code(code)) }
}

/// Which numbers of records have come, how often, and how many of them were marked.
#[derive(Default)]
struct Count {
    seen: Vec<bool>,
    different: usize,
    arrivals: usize,
    historical: usize,
}

impl Count {
    fn read(&mut self, payload: &[u8]) {
        for head in read_batch(payload).unwrap() {
            let place = usize::try_from(head.seq).unwrap();
            self.seen.resize(self.seen.len().max(place + 1), false);
            self.different += usize::from(!std::mem::replace(&mut self.seen[place], true));
            self.arrivals += 1;
            self.historical += usize::from(head.historical);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_days_of_backlog_arrive_whole_and_money_overtakes_them_within_two_seconds() {
    #[expect(clippy::disallowed_methods, reason = "the full size is asked for from outside")]
    let full = std::env::var_os("SMARTSTORE_FULL").is_some();
    let events = if full { THREE_DAYS } else { A_PART };
    let Some(mosquitto) = Mosquitto::start("max_queued_bytes 0") else { return };
    let dir = tempfile::tempdir().unwrap();
    fill(&dir.path().join("data"), events).await;
    let config = dir.path().join("store.toml");
    let text = format!(
        "[store]\nid = \"test-store\"\ntimezone = \"UTC\"\n[gateway]\nid = \"gw-1\"\ndata_dir = \"data\"\n\
         clock = \"trusted\"\n[cloud]\nbroker = \"mqtt://127.0.0.1:{}\"\n",
        mosquitto.port
    );
    std::fs::write(&config, text).unwrap();

    let root = "smartstore/v1/test-store/gw-1/events";
    let mut records = Cloud::subscribed(mosquitto.port, "records", &format!("{root}/record")).await;
    let mut money = Cloud::subscribed(mosquitto.port, "money", &format!("{root}/money")).await;
    let clock = Clock::system(Trust::Trusted);
    let daemon = Daemon::start(&config);
    let mut count = Count::default();
    while count.different < events / 5 {
        count.read(&records.next().await.payload);
    }
    let begun = clock.now();
    // A command that cannot be read is refused at once, and a command's end is money.
    money.send(br#"{"id":"c-1","action":"dispense","args":{},"not_after":"2099-01-01T00:00:00Z"}"#.to_vec()).await;
    let overtaken = async {
        loop {
            tokio::select! {
                arrived = money.next() => return arrived,
                arrived = records.next() => count.read(&arrived.payload),
            }
        }
    };
    let arrived = tokio::time::timeout(crate::shop::BOUND, overtaken).await.expect("money arrives");
    let (took, then) = (clock.now() - begun, count.different);
    assert!(String::from_utf8_lossy(&arrived.payload).contains("\"command.ended.v1\""));
    while count.different < events + 1 {
        count.read(&records.next().await.payload);
    }
    let drained = clock.now() - begun;
    let (most_kib, anonymous_kib) = daemon.memory_kib();
    eprintln!(
        "{events} events: money after {took:?} when {then} had arrived, the rest after {drained:?}; {} duplicates; \
         daemon at most {most_kib} KiB resident, {anonymous_kib} KiB anonymous at the end",
        count.arrivals - count.different
    );
    assert!(took <= Duration::from_secs(2), "{took:?}");
    assert!(then < events, "it was not the last: {then} of {events}");
    assert!(count.seen[1..=events].iter().all(|seen| *seen), "nothing is lost");
    assert_eq!(count.historical, events, "all but the one that opened the journal");
    assert_eq!(count.arrivals, count.different, "nothing was cut, so nothing comes twice");
    // A build for tests is larger than what is shipped; what it holds is the same.
    assert!(anonymous_kib <= MOST_RSS_KIB, "{anonymous_kib} KiB");
}
