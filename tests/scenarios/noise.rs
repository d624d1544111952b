//! What a line can deliver that is no code: it is counted, it costs no memory, and the next good code is read.

use std::time::Duration;

use super::broker::Mosquitto;
use super::daemon::Shop;
use super::subscriber::Subscriber;
use super::{Dice, wait_until};

/// How much more the daemon may use at its worst than before the noise began.
const GROWTH_KIB: u64 = 8 * 1024;
const MEBI: usize = 1024 * 1024;
const ARRIVES: Duration = Duration::from_secs(60);

struct Noisy {
    shop: Shop,
    subscriber: Subscriber,
    _broker: Mosquitto,
    before_kib: u64,
}

impl Noisy {
    fn begun() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = Mosquitto::started(folder.path());
        let subscriber = Subscriber::started(broker.port());
        let mut shop = Shop::new(folder, "scanner/generic-serial", Some(&broker.url()));
        shop.start();
        shop.wait_held();
        let mut noisy = Self { shop, subscriber, _broker: broker, before_kib: 0 };
        noisy.reads_a_good_code("<before-the-noise>");
        noisy.before_kib = noisy.shop.memory_kib("VmHWM");
        noisy
    }

    /// A terminator closes whatever the noise left open; what follows is whole.
    fn reads_a_good_code(&mut self, code: &str) {
        self.shop.line.write(format!("\r{code}\r").as_bytes());
        self.subscriber.wait_for(code, ARRIVES);
    }

    fn is_bounded(&self) {
        let grown = self.shop.memory_kib("VmHWM").saturating_sub(self.before_kib);
        println!("before {} KiB, at its worst {grown} KiB more", self.before_kib);
        assert!(grown <= GROWTH_KIB, "the noise cost {grown} KiB, at most {GROWTH_KIB}");
    }

    /// The sum of every counter whose name holds `word`.
    fn counted(&self, word: &str) -> f64 {
        let metrics = self.shop.get("/metrics").expect("the console answers");
        let lines = metrics.lines().filter(|line| !line.starts_with('#') && line.contains(word));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    fn ends_well(mut self) {
        self.shop.stop();
        assert!(!self.shop.whole_log().contains("panicked"), "{}", self.shop.log_tail());
        let received = self.subscriber.received();
        assert_eq!(received.numbering_problems(), Vec::<String>::new());
        assert_eq!(received.problems, Vec::<String>::new());
    }
}

#[test]
fn a_megabyte_of_random_bytes_is_survived_and_counted() {
    let mut noisy = Noisy::begun();
    let mut dice = Dice::thrown("random bytes");
    let bytes: Vec<u8> = (0..MEBI).map(|_| dice.next().to_le_bytes()[0]).collect();
    noisy.shop.line.write(&bytes);
    noisy.reads_a_good_code("<after-random-bytes>");
    noisy.is_bounded();
    let counted = noisy.counted("noise");
    println!("counted as noise: {counted}");
    assert!(counted > 0.0, "noise is counted:\n{}", noisy.shop.get("/metrics").unwrap_or_default());
    noisy.ends_well();
}

#[test]
fn frames_without_an_end_cost_no_memory() {
    let mut noisy = Noisy::begun();
    for filler in [b'A', 0x00, 0xFF] {
        noisy.shop.line.write(&vec![filler; 4 * MEBI]);
        noisy.reads_a_good_code(&format!("<after-endless-{filler}>"));
    }
    noisy.is_bounded();
    noisy.ends_well();
}

#[test]
fn a_code_of_a_megabyte_is_refused_whole_and_the_next_one_is_read() {
    let mut noisy = Noisy::begun();
    let mut long = vec![b'B'; MEBI];
    long.push(b'\r');
    noisy.shop.line.write(&long);
    noisy.reads_a_good_code("<after-the-long-one>");
    noisy.is_bounded();
    let pieces = noisy.subscriber.look(|received| received.codes.keys().filter(|code| code.contains("BB")).count());
    assert_eq!(pieces, 0, "no piece of it is passed on as a code");
    noisy.ends_well();
}

#[test]
fn noise_is_a_condition_while_it_lasts() {
    let mut noisy = Noisy::begun();
    let mut dice = Dice::thrown("noise condition");
    wait_until("noise is a condition", Duration::from_secs(30), || {
        let bytes: Vec<u8> = (0..256).map(|_| dice.next().to_le_bytes()[0] | 0x80).collect();
        noisy.shop.line.write(&bytes);
        noisy.shop.line.write(b"\r");
        noisy.shop.conditions().iter().any(|code| code == "scanner.noise")
    });
    noisy.reads_a_good_code("<after-the-condition>");
    noisy.ends_well();
}
