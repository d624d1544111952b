//! Conversations as the adapter's documents print them (docs.qibixx.com: cashless device, cashless master, vending
//! sessions), and the rules of MDB/ICP 4.2 on top.

use super::*;
use crate::types::{CommandId, Condition, Ended, Reason};
use crate::wire::scan::test_start;
use crate::wire::vend::{Dispense, Dispensed};

/// The machine under test and a hand that plays the adapter.
struct Hand {
    now: Instant,
    mdb: MdbMachine,
    sent: Vec<String>,
    heard: Vec<Heard>,
    silent: bool,
    disk_is_slow: bool,
}

impl Hand {
    fn new(role: Role) -> Self {
        let now = test_start();
        let mdb = MdbMachine::new(MdbSettings { role, ..MdbSettings::default() }, now);
        let mut hand = Self { now, mdb, sent: Vec::new(), heard: Vec::new(), silent: false, disk_is_slow: false };
        hand.collect();
        hand
    }

    /// A cashless device whose machine takes cards.
    fn enabled() -> Self {
        let mut hand = Self::new(Role::Slave);
        hand.sends(&["C,1"]);
        for line in ["r,ACK", "c,STATUS,INACTIVE", "c,STATUS,DISABLED", "c,STATUS,ENABLED"] {
            hand.says(line);
        }
        hand
    }

    fn collect(&mut self) {
        while let Some(output) = self.mdb.poll() {
            match output {
                Output::Send(bytes) => {
                    let text = String::from_utf8(bytes).unwrap();
                    self.sent.push(text.strip_suffix("\r\n").expect("a line has its end").to_owned());
                }
                Output::Observe(heard) => self.heard.push(heard),
                Output::Health(Condition::DeviceSilent, silent) => self.silent = silent,
                Output::Health(..) | Output::Count(..) => {}
            }
        }
        if self.mdb.awaits_storage() && !self.disk_is_slow {
            self.stored();
        }
    }

    fn stored(&mut self) {
        self.mdb.stored(self.now);
        self.collect();
    }

    fn says(&mut self, line: &str) {
        self.now += Duration::from_millis(10);
        self.mdb.handle(self.now, Input::Bytes(format!("{line}\r\n").as_bytes())).unwrap();
        self.collect();
    }

    fn act(&mut self, action: VendAction) {
        self.mdb.handle(self.now, Input::Action(action)).unwrap();
        self.collect();
    }

    /// Lets time pass.
    fn waits(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.mdb.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.mdb.handle(self.now, Input::Tick).unwrap();
            self.collect();
        }
        self.now = until;
    }

    /// Exactly these lines have been sent since the last look.
    fn sends(&mut self, lines: &[&str]) {
        assert_eq!(std::mem::take(&mut self.sent), lines);
    }

    fn ended(&mut self) -> (Ended, Option<&'static str>) {
        self.heard.retain(|heard| !matches!(heard, Heard::Driving(_)));
        match &std::mem::take(&mut self.heard)[..] {
            [Heard::Dispensed(Dispensed { ended, rule, .. })] => (ended.clone(), *rule),
            other => panic!("one dispense has ended: {other:?}"),
        }
    }

    fn outcome(&mut self) -> Ended {
        match &std::mem::take(&mut self.heard)[..] {
            [Heard::Ended(outcome)] => outcome.ended.clone(),
            other => panic!("one action has ended: {other:?}"),
        }
    }
}

fn paid(hand: &Hand, slot: u16) -> Dispense {
    let until = hand.now + Duration::from_secs(60);
    Dispense { command: command("sale-1"), slot, price_minor: 100, drop_sensor: true, until }
}

fn command(id: &str) -> CommandId {
    CommandId::new(id).unwrap()
}

fn refused(why: &str) -> (Ended, Option<&'static str>) {
    (Ended::Refused(Reason::new(why)), None)
}

#[test]
fn a_paid_item_is_chosen_approved_and_falls() {
    let mut hand = Hand::enabled();
    hand.act(VendAction::Dispense(paid(&hand, 2)));
    hand.sends(&["C,START,1.00"]);
    hand.says("c,STATUS,IDLE,1.00");
    hand.says("c,STATUS,VEND,1.00,2");
    hand.sends(&["C,VEND,1.00"]);
    assert!(hand.mdb.in_flight());
    assert_eq!(std::mem::take(&mut hand.heard), [Heard::Driving(command("sale-1"))]);
    hand.says("r,ACK");
    assert!(hand.heard.is_empty(), "an ACK is no product");
    hand.says("c,VEND,SUCCESS");
    assert_eq!(hand.ended(), (Ended::Done, None));
    hand.says("c,STATUS,IDLE");
    hand.says("c,STATUS,ENABLED");
    assert!(!hand.mdb.in_flight() && hand.heard.is_empty());
    hand.sends(&[]);
}

#[test]
fn what_is_chosen_at_the_machine_waits_for_our_word() {
    let mut hand = Hand::enabled();
    hand.says("c,STATUS,VEND,1.00,2");
    assert_eq!(std::mem::take(&mut hand.heard), [Heard::Chosen { slot: 2, price_minor: 100 }]);
    hand.says("c,STATUS,VEND,1.00,2");
    assert!(hand.heard.is_empty(), "a repetition is no second choice");
    hand.act(VendAction::Approve(paid(&hand, 2)));
    hand.sends(&["C,VEND,1.00"]);
    hand.says("c,STATUS,VEND,1.00,2");
    hand.sends(&[]);
    hand.says("c,VEND,SUCCESS");
    assert_eq!(hand.ended(), (Ended::Done, None));

    hand.says("c,STATUS,VEND,1.00,3");
    hand.heard.clear();
    hand.act(VendAction::Decline { command: command("no") });
    hand.sends(&["C,STOP"]);
    assert_eq!(hand.outcome(), Ended::Done);
}

#[test]
fn a_vend_that_failed_gives_the_money_back() {
    for line in ["c,ERR,VEND 3", "c,ERR,\"VEND 3\""] {
        let mut hand = Hand::enabled();
        hand.says("c,STATUS,VEND,1.00,2");
        hand.heard.clear();
        hand.act(VendAction::Approve(paid(&hand, 2)));
        hand.says(line);
        assert_eq!(hand.ended(), (Ended::Failed(Reason::new("vend-failed")), None));
    }
}

/// MDB/ICP 4.2, 7.4.7.
#[test]
fn a_reset_between_approval_and_success_counts_as_success_and_one_before_it_as_nothing() {
    let mut hand = Hand::enabled();
    hand.says("c,STATUS,VEND,1.00,2");
    hand.heard.clear();
    hand.act(VendAction::Approve(paid(&hand, 2)));
    hand.says("c,STATUS,INACTIVE");
    assert_eq!(hand.ended(), (Ended::Done, Some("mdb-reset")));
    hand.says("c,STATUS,ENABLED");
    assert!(hand.heard.is_empty());

    hand.act(VendAction::Dispense(paid(&hand, 2)));
    hand.says("c,STATUS,IDLE,1.00");
    hand.says("c,STATUS,INACTIVE");
    assert_eq!(hand.ended(), refused("session-ended"));

    hand.says("c,STATUS,VEND,1.00,2");
    hand.heard.clear();
    hand.says("c,STATUS,INACTIVE");
    assert_eq!(hand.heard, [Heard::ChoiceGone]);
}

/// MDB/ICP 4.2, 7.4.6: a cancel comes before the approval, or not at all.
#[test]
fn a_machine_that_cancels_before_the_approval_sells_nothing() {
    let mut hand = Hand::enabled();
    hand.says("c,STATUS,VEND,1.00,2");
    hand.heard.clear();
    hand.says("c,STATUS,ENABLED");
    assert_eq!(std::mem::take(&mut hand.heard), [Heard::ChoiceGone]);
    hand.sent.clear();
    hand.act(VendAction::Approve(paid(&hand, 2)));
    assert_eq!(hand.ended(), refused("no-choice"));
    hand.sends(&[]);

    hand.act(VendAction::Dispense(paid(&hand, 2)));
    hand.says("c,STATUS,IDLE,1.00");
    hand.says("c,STATUS,ENABLED");
    assert_eq!(hand.ended(), refused("session-ended"));
}

#[test]
fn another_item_or_a_dearer_one_than_was_paid_is_not_approved() {
    for other in ["c,STATUS,VEND,1.00,3", "c,STATUS,VEND,1.01,2"] {
        let mut hand = Hand::enabled();
        hand.act(VendAction::Dispense(paid(&hand, 2)));
        hand.says("c,STATUS,IDLE,1.00");
        hand.sent.clear();
        hand.says(other);
        hand.sends(&["C,STOP"]);
        assert_eq!(hand.ended(), refused("other-choice"), "{other}");
    }
}

#[test]
fn results_out_of_sequence_end_nothing_and_turn_nothing() {
    let mut hand = Hand::enabled();
    hand.act(VendAction::Dispense(paid(&hand, 2)));
    hand.says("c,VEND,SUCCESS");
    assert!(hand.heard.is_empty(), "nothing has been approved yet");
    hand.says("c,STATUS,IDLE,1.00");
    hand.says("c,STATUS,VEND,1.00,2");
    hand.says("c,VEND,SUCCESS");
    assert_eq!(hand.ended(), (Ended::Done, None));
    hand.waits(Duration::from_secs(20));
    hand.heard.clear();
    hand.says("c,VEND,SUCCESS");
    assert_eq!(hand.heard, [Heard::Unasked { slot: None, ended: Ended::Done }], "the machine sold by itself");
    hand.sends(&["C,START,1.00", "C,VEND,1.00"]);
}

#[test]
fn silence_after_the_approval_is_indeterminate_and_the_truth_may_come_late() {
    let mut hand = Hand::enabled();
    hand.says("c,STATUS,VEND,1.00,2");
    hand.heard.clear();
    hand.act(VendAction::Approve(paid(&hand, 2)));
    hand.waits(Duration::from_secs(61));
    assert_eq!(hand.ended(), (Ended::Indeterminate(Reason::new("no-result")), None));
    hand.sends(&["C,VEND,1.00"]);
    hand.says("c,VEND,SUCCESS");
    let [Heard::Late(late)] = &hand.heard[..] else { panic!("{:?}", hand.heard) };
    assert_eq!((&late.command, &late.ended), (&command("sale-1"), &Ended::Done));
}

#[test]
fn nobody_waits_for_ever_for_a_choice_or_an_answer() {
    let mut hand = Hand::enabled();
    hand.act(VendAction::Dispense(paid(&hand, 2)));
    hand.says("c,STATUS,IDLE,1.00");
    hand.waits(Duration::from_secs(61));
    hand.sends(&["C,START,1.00", "C,STOP"]);
    assert_eq!(hand.ended(), refused("no-selection"));

    hand.says("c,STATUS,ENABLED");
    hand.says("c,STATUS,VEND,1.00,2");
    hand.heard.clear();
    hand.waits(Duration::from_secs(31));
    hand.sends(&["C,STOP"]);
    assert_eq!(hand.heard, [Heard::ChoiceGone]);
}

#[test]
fn an_adapter_that_says_nothing_is_greeted_again_and_one_that_was_on_already_is_used() {
    let mut hand = Hand::new(Role::Slave);
    hand.act(VendAction::Dispense(paid(&hand, 2)));
    hand.waits(Duration::from_secs(3));
    assert_eq!(hand.ended(), refused("machine-inactive"));
    hand.waits(Duration::from_secs(5));
    assert!(hand.silent);
    hand.sends(&["C,1", "C,1", "C,1"]);
    hand.says("c,ERR,\"cashless is on\"");
    assert!(!hand.silent);
    hand.act(VendAction::Dispense(paid(&hand, 2)));
    hand.sends(&["C,STOP", "C,START,1.00"]);
}

#[test]
fn a_new_process_listens_for_what_became_of_the_approved_sale() {
    let mut hand = Hand::new(Role::Slave);
    hand.says("c,ERR,\"cashless is on\"");
    hand.act(VendAction::Recover { command: command("sale-1"), slot: 2 });
    hand.says("c,ERR,VEND 3");
    assert_eq!(hand.ended(), (Ended::Failed(Reason::new("vend-failed")), None));
    hand.sends(&["C,1"]);

    let mut hand = Hand::new(Role::Slave);
    hand.says("c,VEND,SUCCESS");
    hand.act(VendAction::Recover { command: command("sale-1"), slot: 2 });
    assert_eq!(hand.ended(), (Ended::Done, None), "it came before it was asked for");
}

/// The machine of a reader that is ready.
fn reader() -> Hand {
    let mut hand = Hand::new(Role::Master);
    hand.sends(&["D,2"]);
    hand.says("d,STATUS,RESET");
    hand.says("d,STATUS,INIT,1");
    hand.sends(&["D,READER,1"]);
    hand.says("d,STATUS,IDLE");
    hand
}

fn charge(hand: &mut Hand) {
    hand.act(VendAction::Charge { command: command("charge-1"), slot: 10, price_minor: 120 });
    hand.sends(&["D,REQ,1.20,10"]);
    hand.says("d,STATUS,VEND");
}

#[test]
fn a_reader_is_asked_and_keeps_the_money_or_gives_it_back() {
    for (dispensed, line) in [(true, "D,END"), (false, "D,END,-1")] {
        let mut hand = reader();
        charge(&mut hand);
        hand.says("d,STATUS,RESULT,1,1.20");
        assert_eq!(hand.outcome(), Ended::Done);
        hand.says("d,STATUS,RESULT,1,1.20");
        assert!(hand.heard.is_empty(), "said again");
        hand.act(VendAction::EndCharge { command: command("end-1"), dispensed });
        hand.sends(&[line]);
        hand.says("d,STATUS,IDLE");
        assert_eq!(hand.outcome(), Ended::Done);
    }
}

#[test]
fn a_card_that_is_denied_charges_nothing() {
    let mut hand = reader();
    charge(&mut hand);
    hand.says("d,STATUS,RESULT,-1");
    assert_eq!(hand.outcome(), Ended::Failed(Reason::new("denied")));
    hand.act(VendAction::EndCharge { command: command("end-1"), dispensed: true });
    assert_eq!(hand.outcome(), Ended::Refused(Reason::new("nothing-charged")));
}

#[test]
fn a_reader_that_is_reset_or_silent_leaves_its_answer_open_and_a_late_yes_is_given_back() {
    let mut hand = reader();
    charge(&mut hand);
    hand.says("d,STATUS,RESET");
    assert_eq!(hand.outcome(), Ended::Indeterminate(Reason::new("reader-reset")));

    let mut hand = reader();
    charge(&mut hand);
    hand.waits(Duration::from_secs(61));
    assert_eq!(hand.outcome(), Ended::Indeterminate(Reason::new("no-answer")));
    hand.sends(&["D,STOP"]);
    hand.says("d,STATUS,RESULT,1,1.20");
    hand.sends(&["D,END,-1"]);
    assert!(hand.heard.is_empty());

    let mut hand = Hand::new(Role::Master);
    hand.act(VendAction::Charge { command: command("charge-1"), slot: 10, price_minor: 120 });
    assert_eq!(hand.outcome(), Ended::Refused(Reason::new("reader-away")));
}

#[test]
fn the_machine_is_told_when_it_is_on_disk_that_it_will_be_and_not_before() {
    let chosen = || {
        let mut hand = Hand::enabled();
        hand.disk_is_slow = true;
        hand.says("c,STATUS,VEND,1.00,2");
        hand.heard.clear();
        hand.act(VendAction::Approve(paid(&hand, 2)));
        assert_eq!(hand.heard, [Heard::Driving(command("sale-1"))]);
        hand.waits(Duration::from_secs(3));
        hand.sends(&[]);
        hand
    };
    let mut hand = chosen();
    hand.stored();
    hand.sends(&["C,VEND,1.00"]);
    hand.says("c,VEND,SUCCESS");
    assert_eq!(hand.ended(), (Ended::Done, None));

    // Meanwhile the machine has thought better of it.
    for (line, why) in [("c,STATUS,ENABLED", "session-ended"), ("c,STATUS,VEND,1.00,3", "other-choice")] {
        let mut hand = chosen();
        hand.says(line);
        hand.stored();
        assert!(!hand.sent.iter().any(|line| line.starts_with("C,VEND")), "{line}");
        assert_eq!(hand.ended(), refused(why), "{line}");
    }
    let mut hand = chosen();
    hand.waits(Duration::from_secs(31));
    hand.sends(&["C,STOP"]);
    assert_eq!(hand.ended(), refused("not-recorded"));
}

#[test]
fn a_choice_that_an_earlier_process_left_unanswered_is_ended() {
    let mut hand = Hand::new(Role::Slave);
    hand.says("c,ERR,\"cashless is on\"");
    hand.waits(Duration::from_secs(5));
    hand.sends(&["C,1", "C,STOP"]);
    hand.waits(Duration::from_secs(60));
    hand.sends(&[]);

    // Somebody has paid meanwhile: the session that he needs does not open before.
    let mut hand = Hand::new(Role::Slave);
    hand.says("c,ERR,\"cashless is on\"");
    hand.act(VendAction::Dispense(paid(&hand, 2)));
    hand.sends(&["C,1", "C,STOP", "C,START,1.00"]);

    // An approved sale that is asked after may be going on: nothing is stopped.
    let mut hand = Hand::new(Role::Slave);
    hand.says("c,ERR,\"cashless is on\"");
    hand.act(VendAction::Recover { command: command("sale-1"), slot: 2 });
    hand.waits(Duration::from_secs(5));
    hand.sends(&["C,1"]);

    // The adapter has said where it stands.
    let mut hand = Hand::new(Role::Slave);
    hand.says("c,ERR,\"cashless is on\"");
    hand.says("c,STATUS,IDLE");
    hand.waits(Duration::from_secs(5));
    hand.sends(&["C,1"]);
}

#[test]
fn a_reader_whose_adapter_was_on_already_comes_back_by_itself() {
    let mut hand = Hand::new(Role::Master);
    hand.sends(&["D,2"]);
    hand.says("d,ERR,\"-1\"");
    hand.sends(&["D,0", "D,2"]);
    hand.says("d,ERR,\"-1\"");
    hand.sends(&[]);
    hand.waits(Duration::from_secs(5));
    hand.sends(&["D,0", "D,2"]);
    hand.says("r,ACK");
    hand.says("d,STATUS,RESET");
    hand.says("d,STATUS,INIT,1");
    hand.sends(&["D,READER,1"]);
    hand.says("d,STATUS,IDLE");
    charge(&mut hand);
    hand.says("d,ERR,\"-9\"");
    hand.waits(Duration::from_secs(20));
    hand.sends(&[]);
}

#[test]
fn an_order_for_a_machine_that_takes_cards_in_a_moment_waits_for_it() {
    let mut hand = Hand::new(Role::Slave);
    hand.act(VendAction::Dispense(paid(&hand, 2)));
    hand.says("r,ACK");
    hand.says("c,STATUS,INACTIVE");
    hand.sends(&["C,1"]);
    hand.says("c,STATUS,ENABLED");
    hand.sends(&["C,START,1.00"]);

    let mut hand = Hand::new(Role::Slave);
    hand.act(VendAction::Dispense(paid(&hand, 2)));
    hand.says("c,ERR,\"cashless is on\"");
    hand.sends(&["C,1", "C,STOP", "C,START,1.00"]);

    let mut hand = Hand::enabled();
    hand.says("c,STATUS,DISABLED");
    hand.act(VendAction::Dispense(paid(&hand, 2)));
    hand.waits(Duration::from_secs(3));
    hand.sends(&[]);
    assert_eq!(hand.ended(), refused("machine-disabled"));
}
