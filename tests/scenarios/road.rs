//! A code is read, stored and delivered: undisturbed, and with each thing that can break on the way broken.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::broker::Mosquitto;
use super::daemon::Shop;
use super::subscriber::Subscriber;
use super::truth::{Truth, wait_for_count};
use super::{Dice, codes_wanted, kills_wanted};

/// How long everything that is owed may take to arrive once nothing is broken any more.
const SETTLE: Duration = Duration::from_secs(120);
/// How long the daemon may take to hold the line again. What is scanned meanwhile fits into the line's buffer.
const HELD_AGAIN: Duration = Duration::from_secs(20);
/// How far apart the codes are written: about as fast as ten tills at Christmas.
const PACE: Duration = Duration::from_millis(4);

/// A shop, its broker, a subscriber, and the truth about what was written.
struct Road {
    shop: Shop,
    subscriber: Subscriber,
    broker: Mosquitto,
    truth: Truth,
    dice: Dice,
    numbered: u64,
}

impl Road {
    fn built(story: &str, profile: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = Mosquitto::started(folder.path());
        let subscriber = Subscriber::started(broker.port());
        let shop = Shop::new(folder, profile, Some(&broker.url()));
        Self { shop, subscriber, broker, truth: Truth::default(), dice: Dice::thrown(story), numbered: 0 }
    }

    fn open(story: &str, profile: &str) -> Self {
        let mut road = Self::built(story, profile);
        road.shop.start();
        road.shop.wait_held();
        road
    }

    /// A code that no other equals and whose fragments are none: its length varies, its end is a check number.
    fn next_code(&mut self) -> String {
        self.numbered += 1;
        let filler = "abcdefghijklmnopqrstuvwxyz-._~:/?#@!$&*,;=%";
        let length = usize::try_from(self.dice.within(0, filler.len() as u64)).unwrap();
        format!("<{:06}{}{:016x}>", self.numbered, &filler[..length], self.dice.next())
    }

    /// Writes one code whole, at the scanner's pace.
    fn scan(&mut self, held: bool) {
        let code = self.next_code();
        self.shop.line.write(format!("{code}\r").as_bytes());
        self.truth.wrote(code, held);
        // waits: the pace at which codes are scanned
        std::thread::sleep(PACE);
    }

    /// Writes one code piece by piece, while nobody may be there to read it.
    fn scan_in_pieces(&mut self) {
        let code = self.next_code();
        let mut rest = format!("{code}\r").into_bytes();
        while !rest.is_empty() {
            let most = usize::try_from(self.dice.within(1, 9)).unwrap().min(rest.len());
            self.shop.line.write(&rest[..most]);
            rest.drain(..most);
            // waits: the pace of a slow line
            std::thread::sleep(Duration::from_millis(1));
        }
        self.truth.wrote(code, false);
    }

    fn scan_many(&mut self, codes: u64) {
        for _ in 0..codes {
            self.scan(true);
        }
    }

    /// Pulls the cable after some bytes of a code, and puts it back in.
    fn pull_the_cable(&mut self) {
        let code = self.next_code();
        let bytes = usize::try_from(self.dice.within(0, code.len() as u64 - 1)).unwrap();
        self.shop.line.write(&code.as_bytes()[..bytes]);
        self.truth.cut();
        self.shop.line.unplug();
        let away = self.dice.millis(0, 600);
        // waits: how long the cable is out
        std::thread::sleep(away);
        self.shop.line.replug();
        self.scan_until_held();
    }

    /// Goes on scanning while the daemon comes up: such a code may arrive or not, but never in part.
    fn scan_until_held(&mut self) {
        let started = Instant::now();
        while !self.shop.is_held() {
            let line = &self.shop.line;
            assert!(started.elapsed() < HELD_AGAIN, "the daemon does not hold the line, but {:?}", line.holders());
            self.scan_in_pieces();
        }
    }

    /// `kill -9`, and start again; scanning goes on.
    fn kill_the_daemon(&mut self) {
        self.truth.cut();
        self.shop.kill();
        self.shop.spawn();
        self.scan_until_held();
    }

    /// Stops the broker, or starts it again.
    fn flip_the_broker(&mut self, is_up: &mut bool) {
        if *is_up {
            self.broker.stop();
        } else {
            self.broker.start();
        }
        *is_up = !*is_up;
    }

    fn is_whole(&self) {
        let verify = self.shop.tool(&["journal", "verify"]);
        assert!(verify.status.success(), "the journal is whole: {}", String::from_utf8_lossy(&verify.stderr));
    }

    fn settle(&mut self) {
        self.truth.settle(&self.subscriber, SETTLE);
        self.shop.stop();
        assert!(!self.shop.whole_log().contains("panicked"), "{}", self.shop.log_tail());
        self.is_whole();
        self.truth.settle(&self.subscriber, Duration::ZERO);
        let received = self.subscriber.received();
        let epochs: BTreeSet<_> = received.seqs.keys().map(|(epoch, _)| epoch).collect();
        assert_eq!(epochs.len(), 1, "no journal was given up");
        assert_eq!(received.of_type("journal.dropped.v1").count(), 0, "nothing was dropped");
    }
}

#[test]
fn every_code_is_delivered_once_and_in_order() {
    let mut road = Road::open("plain road", "scanner/generic-serial");
    road.scan_many(200);
    road.settle();
}

#[test]
fn a_gm65_that_never_answers_its_commands_is_read_all_the_same() {
    let mut road = Road::open("silent gm65", "scanner/gm65");
    road.scan_many(50);
    road.settle();
}

#[test]
fn a_broker_that_comes_and_goes_loses_nothing() {
    let mut road = Road::open("broker restarts", "scanner/generic-serial");
    let mut is_up = true;
    for _ in 0..5 {
        let codes = road.dice.within(5, 80);
        road.scan_many(codes);
        road.flip_the_broker(&mut is_up);
    }
    assert!(!is_up, "an odd number of flips ends without a broker");
    road.scan_many(50);
    road.flip_the_broker(&mut is_up);
    road.settle();
}

#[test]
fn a_line_that_is_pulled_at_any_byte_loses_and_invents_nothing() {
    let mut road = Road::open("cable", "scanner/generic-serial");
    for _ in 0..12 {
        let codes = road.dice.within(1, 120);
        road.scan_many(codes);
        road.pull_the_cable();
    }
    road.scan_many(20);
    road.settle();
}

#[test]
fn a_daemon_killed_at_any_moment_loses_nothing_that_was_read() {
    let mut road = Road::open("kill -9", "scanner/generic-serial");
    for _ in 0..kills_wanted() {
        let codes = road.dice.within(1, 120);
        road.scan_many(codes);
        road.truth.cut();
        road.shop.kill();
        road.is_whole();
        road.shop.spawn();
        road.scan_until_held();
    }
    road.scan_many(20);
    road.settle();
}

#[test]
fn a_daemon_killed_while_it_starts_starts_again_on_the_same_journal() {
    let mut road = Road::open("killed while starting", "scanner/generic-serial");
    road.scan_many(60);
    road.truth.cut();
    road.shop.kill();
    for _ in 0..20 {
        road.shop.spawn();
        let moment = road.dice.millis(0, 150);
        // waits: the moment of the kill is the subject
        std::thread::sleep(moment);
        road.shop.kill();
    }
    road.shop.start();
    road.shop.wait_held();
    road.scan_many(20);
    road.settle();
}

#[test]
fn a_cloud_that_was_never_there_gets_everything_when_it_comes() {
    let mut road = Road::built("late broker", "scanner/generic-serial");
    road.broker.stop();
    road.shop.start();
    road.shop.wait_held();
    road.scan_many(300);
    road.kill_the_daemon();
    road.broker.start();
    road.settle();
}

/// What the long story does next.
#[derive(Clone, Copy)]
enum Blow {
    Cable,
    Kill,
    Broker,
}

#[test]
fn everything_breaks_at_once_and_every_code_still_arrives_once() {
    let mut road = Road::open("the long story", "scanner/generic-serial");
    let (codes, started) = (codes_wanted(), Instant::now());
    let (mut is_up, mut blows) = (true, [0_u32; 3]);
    while road.numbered < codes {
        let burst = road.dice.within(1, 200).min(codes - road.numbered);
        road.scan_many(burst);
        let blow = [Blow::Cable, Blow::Kill, Blow::Broker][usize::try_from(road.dice.within(0, 2)).unwrap()];
        blows[blow as usize] += 1;
        match blow {
            Blow::Cable => road.pull_the_cable(),
            Blow::Kill => road.kill_the_daemon(),
            Blow::Broker => road.flip_the_broker(&mut is_up),
        }
    }
    if !is_up {
        road.flip_the_broker(&mut is_up);
    }
    println!("{codes} codes in {:?}: cable {}, kill {}, broker {}", started.elapsed(), blows[0], blows[1], blows[2]);
    assert!(road.truth.owed() as u64 * 2 > codes, "most codes were owed: {} of {codes}", road.truth.owed());
    road.settle();
}

#[test]
fn a_burst_as_fast_as_the_line_takes_it_is_delivered_whole() {
    let mut road = Road::open("burst", "scanner/generic-serial");
    let started = Instant::now();
    for _ in 0..5000 {
        let code = road.next_code();
        road.shop.line.write(format!("{code}\r").as_bytes());
        road.truth.wrote(code, true);
    }
    let written = started.elapsed();
    wait_for_count(&road.subscriber, 5000, SETTLE);
    println!("5000 codes written in {written:?}, delivered after {:?}", started.elapsed());
    road.settle();
}

#[test]
fn the_journal_tells_what_was_delivered() {
    let mut road = Road::open("stats", "scanner/generic-serial");
    road.scan_many(30);
    wait_for_count(&road.subscriber, 30, SETTLE);
    let events = road.shop.tool(&["events", "--type", "scan.code.v1", "--json"]);
    let lines = String::from_utf8_lossy(&events.stdout).lines().count();
    assert_eq!((events.status.code(), lines), (Some(0), 30), "{}", String::from_utf8_lossy(&events.stderr));
    road.settle();
}
