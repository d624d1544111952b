//! Against a broker that nobody here wrote: Debian's mosquitto.

use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use smartstore::types::{Class, Condition, DropReason, Encoding, Seq};
use smartstore::uplink::Pace;

use crate::cloud::{Cloud, message};
use crate::shop::{BOUND, Oracle, Shop, compare, complete, pace};

/// A mosquitto of our own on a free port; its sessions survive an orderly stop.
pub struct Mosquitto {
    pub port: u16,
    config: PathBuf,
    environment: Vec<(String, PathBuf)>,
    child: Option<Child>,
    dir: tempfile::TempDir,
}

impl Mosquitto {
    /// `None`, loudly, where it is not installed.
    pub fn start(settings: &str) -> Option<Self> {
        Self::start_with(settings, Vec::new())
    }

    /// With variables in its environment.
    pub fn start_with(settings: &str, environment: Vec<(String, PathBuf)>) -> Option<Self> {
        let Some(binary) = binary() else {
            eprintln!("SKIPPED: mosquitto is not installed (Debian: mosquitto)");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let port = crate::port::free_port();
        let config = dir.path().join("mosquitto.conf");
        let mut file = std::fs::File::create(&config).unwrap();
        let at = dir.path().display();
        let root = if is_root() { "user root\n" } else { "" };
        write!(
            file,
            "listener {port} 127.0.0.1\nallow_anonymous true\n{root}persistence true\npersistence_location {at}/\n\
             max_queued_messages 0\nmax_inflight_messages 100\nlog_dest file {at}/log\nlog_type all\n{settings}\n"
        )
        .unwrap();
        let mut mosquitto = Self { port, config, environment, child: None, dir };
        mosquitto.begin(&binary);
        Some(mosquitto)
    }

    fn begin(&mut self, binary: &str) {
        let mut command = Command::new(binary);
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).arg("-c").arg(&self.config);
        self.child = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let mut looks = 0;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            looks += 1;
            assert!(looks < 1_000, "mosquitto does not listen");
            // waits: the interval at which the level is looked at
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn restart(&mut self) {
        self.begin(&binary().unwrap());
    }

    /// As `systemctl stop` does: it saves its sessions.
    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            child.wait().unwrap();
        }
    }

    /// What it has written into its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn binary() -> Option<String> {
    ["mosquitto", "/usr/sbin/mosquitto"]
        .into_iter()
        .find(|binary| Command::new(binary).arg("-h").output().is_ok())
        .map(str::to_owned)
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// Reads until the oracle has so many events.
async fn read_until(cloud: &mut Cloud, oracle: &mut Oracle, events: usize) {
    let reading = async {
        while oracle.taken.len() < events {
            let message = cloud.next().await;
            oracle.read(&[message]);
        }
    };
    if tokio::time::timeout(BOUND, reading).await.is_err() {
        panic!("{} of {events} events have arrived", oracle.taken.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mosquitto_stopped_and_started_again_gets_every_event_and_the_gateway_every_command() {
    let Some(mut mosquitto) = Mosquitto::start("") else { return };
    let mut cloud = Cloud::connect(mosquitto.port, "cloud").await;
    let mut shop = Shop::new(&mosquitto.url(), Pace { batch_events: 7, ..pace() });
    let mut oracle = Oracle::default();
    shop.open();
    shop.until("listening", |progress| progress.listening).await;
    for round in 0..3 {
        shop.scan(1_000).await;
        cloud.send(message(&format!("c-{round}"))).await;
        mosquitto.stop();
        shop.scan(1_000).await;
        shop.until("it is noticed", |progress| !progress.connected).await;
        mosquitto.restart();
        shop.drained().await;
    }
    shop.until("every command", |progress| progress.commands == 3).await;
    read_until(&mut cloud, &mut oracle, 6_001).await;
    shop.close().await;
    oracle.read(&cloud.received());
    complete(&compare(&shop, &oracle).await, 6_001);
    assert_eq!(shop.journal.open_commands().await.unwrap().len(), 3);
}

/// What a message holds by somebody else's account: the `zstd` of Debian, where it is installed.
fn unpacked_elsewhere(frame: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new("zstd");
    command.args(["-d", "-c", "-q"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("SKIPPED: a comparison with zstd, which is not installed (Debian: zstd)");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(frame).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(output.stdout)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packed_messages_arrive_whole_for_a_fifth_of_the_bytes() {
    let Some(mosquitto) = Mosquitto::start("") else { return };
    let mut carried = Vec::new();
    for encoding in [Encoding::Json, Encoding::Zstd] {
        let mut cloud = Cloud::connect(mosquitto.port, &format!("cloud-{}", encoding.as_str())).await;
        let mut shop = Shop::with(&mosquitto.url(), pace(), |settings| settings.encoding = encoding);
        let mut oracle = Oracle::default();
        shop.scan(2_000).await;
        shop.open();
        shop.drained().await;
        let mut first = Vec::new();
        while oracle.taken.len() < 2_001 {
            let message = cloud.next().await;
            if first.is_empty() {
                first.clone_from(&message.payload);
            }
            oracle.read(&[message]);
        }
        shop.close().await;
        complete(&compare(&shop, &oracle).await, 2_001);
        assert_eq!(first.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]), encoding == Encoding::Zstd);
        if encoding == Encoding::Zstd
            && let Some(text) = unpacked_elsewhere(&first)
        {
            assert_eq!(text, *smartstore::wire::cloud::unpacked(&first).unwrap());
        }
        let days = shop.journal.states(smartstore::uplink::USAGE_OWNER, "").await.unwrap();
        let usage = days.iter().filter_map(|(key, value)| smartstore::uplink::usage_of_day(key, value));
        carried.push(usage.map(|(_, usage)| usage.up_bytes).sum::<u64>());
    }
    eprintln!("bytes to the broker as they are and packed: {carried:?}");
    assert!(carried[0] > 2_000 * 200 && carried[1] * 5 < carried[0], "{carried:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mosquitto_killed_and_a_gateway_killed_lose_nothing_that_was_promised() {
    let Some(mut mosquitto) = Mosquitto::start("autosave_interval 1") else { return };
    let mut shop = Shop::new(&mosquitto.url(), Pace { batch_events: 3, ..pace() });
    // The cloud's client stays connected to what is there, so what it has got is what the broker has passed on.
    let mut oracle = Oracle::default();
    shop.scan(2_000).await;
    for round in 0..3 {
        // A session that the broker happened to save is another client's: a new one is refused by its own library.
        let mut cloud = Cloud::connect(mosquitto.port, &format!("cloud-{round}")).await;
        shop.open();
        shop.scan(500).await;
        shop.drained().await;
        shop.kill().await;
        let number = shop.stored(Class::Record).await.len();
        read_until(&mut cloud, &mut oracle, number).await;
        let mut child = mosquitto.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        mosquitto.restart();
    }
    complete(&compare(&shop, &oracle).await, 3_501);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_mebibytes_on_the_command_topic_of_a_mosquitto_stop_nothing() {
    let Some(mosquitto) = Mosquitto::start("") else { return };
    let mut cloud = Cloud::connect(mosquitto.port, "cloud").await;
    let mut shop = Shop::new(&mosquitto.url(), pace());
    shop.open();
    shop.until("listening", |progress| progress.listening).await;
    cloud.send(vec![b'x'; 10 << 20]).await;
    cloud.send(message("c-1")).await;
    shop.until("the command behind it", |progress| progress.commands == 1).await;
    shop.kill().await;
    cloud.send(vec![b'y'; 10 << 20]).await;
    cloud.send(message("c-2")).await;
    shop.open();
    shop.until("and after a while away", |progress| progress.commands == 2).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mosquitto_that_refuses_large_messages_without_having_said_so_stops_nothing() {
    // It answers with 0x95, which MQTT 5 does not have for a PUBACK: the client crate ends the connection over it.
    let Some(mosquitto) = Mosquitto::start("message_size_limit 3000") else { return };
    let mut cloud = Cloud::connect(mosquitto.port, "cloud").await;
    let mut shop = Shop::new(&mosquitto.url(), pace());
    shop.scan(20).await;
    shop.journal.append(vec![shop.scanned(&"x".repeat(4_000))]).await.unwrap();
    shop.scan(20).await;
    shop.open();
    let progress = shop.until("the event is given up", |progress| progress.given_up > 0).await;
    eprintln!("given up after {} connections", progress.connections);
    shop.drained().await;
    let mut oracle = Oracle::default();
    read_until(&mut cloud, &mut oracle, 42).await;
    shop.close().await;
    assert_eq!(shop.uplink.progress().borrow().given_up, 1);
    let announced = shop.journal.unsent(Class::Record, smartstore::types::Row(0), 100).await.unwrap();
    let dropped = announced.into_iter().find_map(|event| match event.draft.body {
        smartstore::types::Body::Noticed(smartstore::types::Notice::Dropped { from, to, reason, .. }) => {
            Some((from, to, reason))
        }
        _ => None,
    });
    assert_eq!(dropped, Some((Seq(22), Seq(22), DropReason::Refused)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mosquitto_that_announces_its_largest_packet_is_never_sent_a_larger_one() {
    let Some(mosquitto) = Mosquitto::start("max_packet_size 3000") else { return };
    let mut cloud = Cloud::connect(mosquitto.port, "cloud").await;
    let mut shop = Shop::new(&mosquitto.url(), pace());
    shop.scan(100).await;
    shop.journal.append(vec![shop.scanned(&"x".repeat(4_000))]).await.unwrap();
    shop.scan(100).await;
    shop.open();
    shop.drained().await;
    let mut oracle = Oracle::default();
    read_until(&mut cloud, &mut oracle, 202).await;
    shop.close().await;
    let progress = *shop.uplink.progress().borrow();
    assert_eq!((progress.given_up, progress.connections), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mosquitto_that_wants_a_password_is_a_condition() {
    let Some(mosquitto) = Mosquitto::start("allow_anonymous false") else { return };
    let mut shop = Shop::new(&mosquitto.url(), pace());
    shop.open();
    shop.raised(Condition::CloudRefused).await;
    shop.close().await;
}
