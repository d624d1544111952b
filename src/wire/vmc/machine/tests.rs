use super::*;
use crate::types::{CashKind, LaneStatus, Minor};
use crate::wire::framer::Parsed;
use crate::wire::scan::test_start;
use crate::wire::vend::Dispensed;
use crate::wire::vmc::frame::parse;
use crate::wire::vmc::limits::RESENDS;

/// The machine under test and a hand that plays the other end.
struct Hand {
    now: Instant,
    vmc: VmcMachine,
    sent: Vec<Message>,
    packs: Vec<u8>,
    heard: Vec<Heard>,
    /// Orders that it said the motor is about to be told of.
    driving: Vec<CommandId>,
    counted: std::collections::BTreeMap<Tally, u64>,
    health: Vec<(crate::types::Condition, bool)>,
    /// Whether what is said is on disk at once.
    disk: bool,
}

impl Hand {
    fn new() -> Self {
        let now = test_start();
        let vmc = VmcMachine::new(VmcSettings::default(), 0, now);
        let (sent, packs, heard, driving, counted, health) = Default::default();
        Self { now, vmc, sent, packs, heard, driving, counted, health, disk: true }
    }

    /// One whose greeting is over.
    fn ready() -> Self {
        let mut hand = Self::new();
        for _ in 0..2 {
            hand.poll();
            hand.say(&Message::Ack, 0);
        }
        hand.say(&report(60, 5), 1);
        hand.sent.clear();
        hand.packs.clear();
        hand.heard.clear();
        hand
    }

    fn collect(&mut self) {
        while let Some(output) = self.vmc.poll() {
            match output {
                Output::Send(bytes) => {
                    let Parsed::Whole(frame, _) = parse(&bytes) else { panic!("{bytes:02x?}") };
                    self.sent.push(Message::decode(&frame).unwrap().message);
                    self.packs.extend(frame.pack);
                }
                Output::Observe(Heard::Driving(command)) => self.driving.push(command),
                Output::Observe(heard) => self.heard.push(heard),
                Output::Health(condition, raised) => self.health.push((condition, raised)),
                Output::Count(tally, by) => *self.counted.entry(tally).or_default() += by,
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.vmc.handle(self.now, Input::Bytes(bytes)).unwrap();
        self.collect();
        if self.disk && self.vmc.awaits_storage() {
            self.stored();
        }
    }

    fn stored(&mut self) {
        self.vmc.stored(self.now);
        self.collect();
    }

    fn say(&mut self, message: &Message, pack: u8) {
        self.bytes(&message.frame(pack).encode());
    }

    /// The next poll, at its time; what was answered.
    fn poll(&mut self) -> Message {
        self.now += Duration::from_millis(200);
        self.say(&Message::Poll, 0);
        self.sent.last().unwrap().clone()
    }

    fn act(&mut self, action: VendAction) {
        self.vmc.handle(self.now, Input::Action(action)).unwrap();
        self.collect();
    }

    fn dispense(&mut self, id: &str, slot: u16) {
        let until = self.now + Duration::from_secs(30);
        let command = CommandId::new(id).unwrap();
        self.act(VendAction::Dispense(Dispense { command, slot, price_minor: 350, drop_sensor: true, until }));
    }

    /// As far as the acknowledged motor command.
    fn drive(&mut self, id: &str, slot: u16) {
        self.dispense(id, slot);
        assert_eq!(self.poll(), Message::CheckSlot { slot });
        self.say(&Message::Ack, 0);
        self.say(&Message::SlotState { status: 1, slot }, 101);
        assert_eq!(self.poll(), Message::Drive { drop_sensor: true, lift: false, slot });
        self.say(&Message::Ack, 0);
    }

    /// Lets the clock run without a byte.
    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.vmc.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.vmc.handle(self.now, Input::Tick).unwrap();
            self.collect();
            assert!(self.vmc.deadline() != Some(at), "a deadline that does not move would spin");
        }
        self.now = until;
    }

    fn ends(&self) -> Vec<(String, Ended, Option<bool>)> {
        let ended = self.heard.iter().filter_map(|heard| match heard {
            Heard::Dispensed(Dispensed { command, ended, dropped, .. }) => {
                Some((command.to_string(), ended.clone(), *dropped))
            }
            _ => None,
        });
        ended.collect()
    }
}

fn report(slot: u16, stock: u8) -> Message {
    Message::SlotReport { slot, price: 350, stock, capacity: 8, product: 1, status: 0 }
}

fn dispensing(status: u8, slot: u16) -> Message {
    Message::Dispensing { status, slot, microwave: None }
}

fn indeterminate(why: &str) -> Ended {
    Ended::Indeterminate(Reason::new(why))
}

#[test]
fn it_says_nothing_until_it_is_polled_and_then_greets() {
    let mut hand = Hand::new();
    assert_eq!(hand.sent, []);
    assert_eq!(hand.poll(), Message::Sync);
    hand.say(&Message::Ack, 0);
    assert_eq!(hand.poll(), Message::AskStatus);
    hand.say(&Message::Ack, 0);
    assert_eq!(hand.poll(), Message::Ack);
    assert_eq!(hand.packs, [1, 2]);
}

#[test]
fn the_golden_conversation_of_a_sale() {
    let mut hand = Hand::ready();
    hand.drive("sale-1", 60);
    hand.say(&dispensing(0x01, 60), 102);
    assert!(hand.vmc.in_flight());
    hand.say(&dispensing(0x02, 60), 103);
    assert!(!hand.vmc.in_flight());
    let told = [
        Message::CheckSlot { slot: 60 },
        Message::Ack,
        Message::Drive { drop_sensor: true, lift: false, slot: 60 },
        Message::Ack,
        Message::Ack,
    ];
    assert_eq!(hand.sent, told);
    assert_eq!(hand.packs, [3, 4]);
    assert_eq!(hand.ends(), [("sale-1".to_owned(), Ended::Done, Some(true))]);
}

#[test]
fn a_command_is_repeated_under_its_number_five_times_and_the_next_has_the_next_number() {
    let mut hand = Hand::ready();
    hand.dispense("sale-1", 60);
    for _ in 0..=RESENDS {
        assert_eq!(hand.poll(), Message::CheckSlot { slot: 60 });
    }
    assert_eq!(hand.packs, [3; 6]);
    assert_eq!(hand.poll(), Message::Ack);
    let refused = Ended::Refused(Reason::new("no-answer"));
    assert_eq!(hand.ends(), [("sale-1".to_owned(), refused, None)]);
    assert_eq!(hand.counted[&Tally::Unanswered], 1);
    hand.dispense("sale-2", 61);
    hand.poll();
    assert_eq!(hand.packs.last(), Some(&4));
}

#[test]
fn the_number_goes_from_255_to_1() {
    let mut hand = Hand::ready();
    for number in 3..=260_u32 {
        hand.act(VendAction::ClearJam { command: CommandId::new(&format!("clear-{number}")).unwrap() });
        hand.poll();
        hand.say(&Message::Ack, 0);
        hand.wait(Duration::from_secs(5));
    }
    let around: Vec<u8> = hand.packs.windows(2).filter(|pair| pair[1] < pair[0]).flatten().copied().collect();
    assert_eq!(around, [255, 1]);
}

#[test]
fn a_message_under_the_last_number_is_acknowledged_and_not_counted_twice() {
    let mut hand = Hand::ready();
    let bill = Message::Money { mode: 1, amount: 100_000, card: Default::default() };
    for _ in 0..5 {
        hand.say(&bill, 9);
    }
    assert_eq!(hand.heard, [Heard::Cash { kind: CashKind::Bill, amount_minor: 100_000 }]);
    assert_eq!(hand.sent, vec![Message::Ack; 5]);
    assert_eq!(hand.counted[&Tally::RepeatsSuppressed], 4);
    hand.say(&bill, 10);
    assert_eq!(hand.heard.len(), 2);
}

#[test]
fn swallowed_money_is_no_credit() {
    let mut hand = Hand::ready();
    hand.say(&Message::Money { mode: 8, amount: 100_000, card: Default::default() }, 9);
    assert_eq!(hand.heard, [Heard::Cash { kind: CashKind::Swallowed, amount_minor: 100_000 }]);
}

#[test]
fn a_lane_that_is_not_ready_is_refused_with_its_reason_and_nothing_moves() {
    for (status, why) in [(2, "sold-out"), (3, "no-such-slot"), (4, "slot-paused"), (5, "product-in-lift")] {
        let mut hand = Hand::ready();
        hand.dispense("sale-1", 60);
        hand.poll();
        hand.say(&Message::SlotState { status, slot: 60 }, 101);
        assert_eq!(hand.ends(), [("sale-1".to_owned(), Ended::Refused(Reason::new(why)), None)]);
        for _ in 0..20 {
            assert_eq!(hand.poll(), Message::Ack);
        }
    }
}

#[test]
fn every_final_word_but_two_gives_the_money_back_and_progress_decides_nothing() {
    for status in [0x03, 0x04, 0x06, 0x0a, 0x12, 0x25, 0x32] {
        let mut hand = Hand::ready();
        hand.drive("sale-1", 60);
        hand.say(&dispensing(status, 60), 102);
        assert!(matches!(&hand.ends()[..], [(_, Ended::Failed(_), None)]), "{status:02x}");
    }
    for status in [0x01, 0x10, 0x21, 0x24, 0xff, 0x05, 0x99] {
        let mut hand = Hand::ready();
        hand.drive("sale-1", 60);
        hand.say(&dispensing(status, 60), 102);
        assert_eq!(hand.ends(), [], "{status:02x}");
        hand.wait(Duration::from_secs(61));
        assert_eq!(hand.ends(), [("sale-1".to_owned(), indeterminate("no-result"), None)], "{status:02x}");
    }
}

#[test]
fn heating_extends_the_silence_by_the_seconds_that_the_machine_names() {
    let mut hand = Hand::ready();
    hand.drive("sale-1", 60);
    hand.say(&dispensing(0x23, 90), 102);
    hand.wait(Duration::from_secs(149));
    assert_eq!(hand.ends(), []);
    hand.say(&dispensing(0x02, 60), 103);
    assert!(matches!(&hand.ends()[..], [(_, Ended::Done, Some(true))]));
}

#[test]
fn the_truth_that_comes_late_is_said_and_the_lane_is_not_driven_before_it() {
    let mut hand = Hand::ready();
    hand.drive("sale-1", 60);
    hand.wait(Duration::from_secs(61));
    hand.dispense("sale-2", 60);
    assert_eq!(hand.ends()[1].1, Ended::Refused(Reason::new("slot-unresolved")));
    hand.say(&dispensing(0x02, 60), 102);
    let Some(Heard::Late(late)) = hand.heard.last() else { panic!("{:?}", hand.heard) };
    assert_eq!((late.command.as_str(), &late.ended), ("sale-1", &Ended::Done));
    hand.drive("sale-3", 60);
}

#[test]
fn a_machine_that_was_restarted_is_never_sent_the_motor_command_again() {
    for how in ["it says so", "it was away"] {
        let mut hand = Hand::ready();
        hand.dispense("sale-1", 60);
        hand.poll();
        hand.say(&Message::Ack, 0);
        hand.say(&Message::SlotState { status: 1, slot: 60 }, 101);
        assert!(matches!(hand.poll(), Message::Drive { .. }), "its ACK is lost");
        if how == "it says so" {
            hand.say(&Message::Sync, 1);
        } else {
            hand.wait(Duration::from_millis(1500));
        }
        for _ in 0..50 {
            assert!(!matches!(hand.poll(), Message::Drive { .. }), "{how}");
            hand.say(&Message::Ack, 0);
        }
        hand.wait(Duration::from_secs(61));
        assert_eq!(hand.ends(), [("sale-1".to_owned(), indeterminate("no-result"), None)], "{how}");
    }
}

#[test]
fn a_motor_command_that_was_never_acknowledged_waits_for_the_machines_word() {
    let mut hand = Hand::ready();
    hand.dispense("sale-1", 60);
    hand.poll();
    hand.say(&Message::SlotState { status: 1, slot: 60 }, 101);
    for _ in 0..=RESENDS {
        assert!(matches!(hand.poll(), Message::Drive { .. }));
    }
    assert_eq!(hand.poll(), Message::Ack);
    assert_eq!(hand.packs, [3, 4, 4, 4, 4, 4, 4]);
    hand.say(&dispensing(0x02, 60), 102);
    assert!(matches!(&hand.ends()[..], [(_, Ended::Done, _)]));
}

#[test]
fn an_order_whose_time_is_over_before_the_motor_turns_expires() {
    let mut hand = Hand::ready();
    let until = hand.now + Duration::from_millis(300);
    let command = CommandId::new("sale-1").unwrap();
    hand.act(VendAction::Dispense(Dispense { command, slot: 60, price_minor: 1, drop_sensor: true, until }));
    hand.poll();
    hand.say(&Message::SlotState { status: 1, slot: 60 }, 101);
    assert_eq!(hand.poll(), Message::Ack);
    assert_eq!(hand.ends(), [("sale-1".to_owned(), Ended::Expired, None)]);
}

#[test]
fn what_an_earlier_process_ordered_is_known_from_the_repeated_result_before_or_after_the_question() {
    let recover = VendAction::Recover { command: CommandId::new("sale-1").unwrap(), slot: 60 };
    let mut hand = Hand::new();
    hand.say(&dispensing(0x02, 60), 102);
    hand.act(recover.clone());
    assert!(matches!(&hand.ends()[..], [(_, Ended::Done, None)]));
    let mut hand = Hand::new();
    hand.act(recover.clone());
    hand.say(&dispensing(0x03, 60), 102);
    assert!(matches!(&hand.ends()[..], [(_, Ended::Failed(_), None)]));
    let mut hand = Hand::new();
    hand.act(recover);
    hand.wait(Duration::from_secs(61));
    assert_eq!(hand.ends(), [("sale-1".to_owned(), indeterminate("no-result"), None)]);
    assert!(!hand.sent.iter().any(|message| matches!(message, Message::Drive { .. } | Message::CheckSlot { .. })));
}

#[test]
fn a_result_that_nobody_asked_for_is_the_machines_own_sale() {
    let mut hand = Hand::ready();
    hand.wait(Duration::from_secs(11));
    hand.say(&dispensing(0x02, 7), 102);
    assert_eq!(hand.heard.last(), Some(&Heard::Unasked { slot: Some(7), ended: Ended::Done }));
}

#[test]
fn lanes_machine_and_choices_are_told_in_the_houses_words() {
    let mut hand = Hand::ready();
    hand.say(&report(1, 0), 9);
    let Some(Heard::Stock(stock)) = hand.heard.last() else { panic!("{:?}", hand.heard) };
    assert_eq!(
        (stock.slot.0, stock.count, stock.price, stock.status),
        (1, Some(0), Some(Minor(350)), LaneStatus::Empty)
    );
    hand.say(&Message::Select { slot: 3 }, 10);
    assert_eq!(hand.heard.last(), Some(&Heard::Selection(Some(3))));
    hand.say(&Message::Lift { status: 3 }, 11);
    let Some(Heard::Machine(machine)) = hand.heard.last() else { panic!("{:?}", hand.heard) };
    assert_eq!(machine.lift, Some(crate::types::PartState::Fault(3)));
    hand.say(&Message::Lift { status: 3 }, 12);
    assert_eq!(hand.heard.len(), 3, "what has not changed is not said");
}

#[test]
fn an_unknown_command_is_acknowledged_and_counted_and_a_short_one_too() {
    let mut hand = Hand::ready();
    hand.say(&Message::Unknown { command: 0x99, text: Default::default() }, 9);
    hand.bytes(&Frame { command: 0x04, pack: Some(10), text: vec![2] }.encode());
    assert_eq!(hand.sent, [Message::Ack, Message::Ack]);
    assert_eq!((hand.counted[&Tally::FramesUnknown], hand.counted[&Tally::FramesMalformed]), (1, 1));
}

#[test]
fn of_polls_that_come_at_once_only_the_last_is_answered() {
    let mut hand = Hand::ready();
    hand.dispense("sale-1", 60);
    hand.bytes(&Message::Poll.frame(0).encode().repeat(4));
    assert_eq!(hand.sent, [Message::CheckSlot { slot: 60 }]);
}

#[test]
fn a_jam_is_cleared_when_the_machine_asked_afterwards_knows_of_none() {
    let mut hand = Hand::ready();
    hand.drive("sale-1", 60);
    hand.say(&dispensing(0x03, 60), 102);
    let answer = |operation, text: &[u8]| Message::Menu { answer: true, point: 0x32, operation, text: text.to_vec() };
    for (pack, jammed, ended) in [(110, 1, Ended::Failed(Reason::new("still-jammed"))), (120, 0, Ended::Done)] {
        hand.act(VendAction::ClearJam { command: CommandId::new("clear").unwrap() });
        assert_eq!(hand.poll(), words::jam_menu(1));
        hand.say(&answer(1, &[0]), pack);
        assert_eq!(hand.poll(), words::jam_menu(0));
        hand.say(&answer(0, &[jammed]), pack + 1);
        let Some(Heard::Ended(outcome)) = hand.heard.last() else { panic!("{:?}", hand.heard) };
        assert_eq!(outcome.ended, ended);
    }
}

#[test]
fn a_count_is_written_and_done_when_it_is_acknowledged() {
    let mut hand = Hand::ready();
    hand.act(VendAction::WriteStock { command: CommandId::new("w").unwrap(), slot: 3, count: 9 });
    assert_eq!(hand.poll(), Message::Stock { slot: 3, count: 9 });
    hand.say(&Message::Ack, 0);
    assert!(matches!(hand.heard.last(), Some(Heard::Ended(outcome)) if outcome.ended == Ended::Done));
}

#[test]
fn a_machine_that_does_not_poll_is_silent_and_an_order_for_it_is_refused() {
    use crate::types::Condition;
    let mut hand = Hand::ready();
    hand.wait(Duration::from_secs(4));
    assert_eq!(hand.health, [(Condition::DeviceSilent, true)]);
    hand.dispense("sale-1", 60);
    hand.wait(Duration::from_secs(6));
    assert_eq!(hand.ends(), [("sale-1".to_owned(), Ended::Refused(Reason::new("no-answer")), None)]);
    hand.poll();
    assert_eq!(hand.health.last(), Some(&(Condition::DeviceSilent, false)));
}

#[test]
fn the_lane_reports_are_asked_for_three_times() {
    let mut hand = Hand::new();
    let mut syncs = 0;
    for _ in 0..200 {
        syncs += u32::from(hand.poll() == Message::Sync);
        hand.say(&Message::Ack, 0);
        hand.wait(Duration::from_millis(100));
    }
    assert_eq!(syncs, SYNCS);
}

#[test]
fn a_result_is_acknowledged_when_it_is_on_disk_and_everything_else_at_once() {
    let mut hand = Hand::ready();
    hand.drive("sale-1", 60);
    hand.disk = false;
    hand.sent.clear();
    hand.say(&dispensing(0x01, 60), 102);
    assert_eq!(hand.sent, [Message::Ack], "progress is no result");
    hand.say(&dispensing(0x02, 60), 103);
    assert!(matches!(&hand.heard[..], [Heard::Dispensed(Dispensed { ended: Ended::Done, .. })]), "{:?}", hand.heard);
    hand.say(&dispensing(0x02, 60), 103);
    assert_eq!((hand.sent.len(), hand.heard.len()), (1, 1), "its repetition waits as well and says nothing");
    hand.say(&report(60, 4), 104);
    assert_eq!(hand.sent.len(), 2, "what comes after it is acknowledged");
    assert_eq!(hand.poll(), Message::Ack, "a poll is answered");
    hand.sent.clear();
    hand.stored();
    assert_eq!(hand.sent, [], "nobody waits for it now");
    hand.say(&dispensing(0x02, 60), 105);
    assert_eq!(hand.sent, [Message::Ack], "the machine's next try is acknowledged");
    hand.disk = true;
    hand.drive("sale-2", 60);
    hand.disk = false;
    hand.sent.clear();
    hand.say(&dispensing(0x03, 60), 110);
    assert_eq!(hand.sent, []);
    hand.stored();
    assert_eq!(hand.sent, [Message::Ack], "the machine still waits");
}

#[test]
fn a_lane_is_asked_for_when_the_machine_has_told_all_its_lanes_however_long_that_takes() {
    let mut hand = Hand::ready();
    hand.dispense("a", 60);
    for slot in 1..=60 {
        hand.wait(Duration::from_millis(200));
        hand.say(&report(slot, 5), u8::try_from(slot).unwrap() + 1);
    }
    assert_eq!(hand.ends(), []);
    assert_eq!(hand.poll(), Message::CheckSlot { slot: 60 });

    let mut hand = Hand::ready();
    hand.dispense("b", 60);
    hand.wait(Duration::from_secs(10));
    let refused = Ended::Refused(Reason::new("no-answer"));
    assert_eq!(hand.ends(), [("b".to_owned(), refused, None)], "a silent machine is not waited for");
}

/// As far as the lane's being ready, on a disk that takes its time.
fn ready_to_drive() -> Hand {
    let mut hand = Hand::ready();
    hand.disk = false;
    hand.dispense("sale-1", 60);
    assert_eq!(hand.poll(), Message::CheckSlot { slot: 60 });
    hand.say(&Message::Ack, 0);
    hand.say(&Message::SlotState { status: 1, slot: 60 }, 101);
    assert_eq!(hand.driving, [], "it may have to wait long for its poll");
    hand.sent.clear();
    hand.now += Duration::from_millis(200);
    hand.say(&Message::Poll, 0);
    assert_eq!((&hand.sent[..], hand.driving.len()), (&[][..], 1), "that comes first, the poll waits");
    hand
}

const DRIVE: Message = Message::Drive { drop_sensor: true, lift: false, slot: 60 };

#[test]
fn the_motor_is_told_by_the_poll_that_waits_until_it_is_on_disk_that_it_will_be() {
    let mut hand = ready_to_drive();
    hand.wait(Duration::from_millis(40));
    hand.stored();
    assert_eq!(hand.sent, [DRIVE]);
    hand.stored();
    assert_eq!((hand.sent.len(), hand.driving.len()), (1, 1));
    hand.say(&dispensing(0x02, 60), 102);
    assert_eq!(hand.driving[0].as_str(), hand.ends()[0].0);
}

#[test]
fn a_disk_that_takes_longer_delays_the_motor_and_no_answer() {
    let mut hand = ready_to_drive();
    hand.wait(Duration::from_millis(80));
    assert_eq!(hand.sent, [Message::Ack], "an answer is due within 100 ms");
    assert_eq!(hand.poll(), Message::Ack);
    hand.stored();
    assert_eq!(hand.sent.len(), 2, "nobody waits for it now");
    assert_eq!(hand.poll(), DRIVE);
    assert_eq!(hand.driving.len(), 1);

    // The machine has gone on by itself.
    let mut hand = ready_to_drive();
    hand.say(&report(3, 5), 103);
    assert_eq!(hand.sent, [Message::Ack]);
    hand.stored();
    assert_eq!(hand.sent.len(), 1);
    assert_eq!(hand.poll(), DRIVE);
}

#[test]
fn what_could_not_be_written_in_time_never_turns_the_motor() {
    let mut hand = ready_to_drive();
    for _ in 0..40 {
        assert_eq!(hand.poll(), Message::Ack);
        hand.wait(Duration::from_millis(10));
    }
    assert_eq!(hand.ends(), [("sale-1".to_owned(), Ended::Refused(Reason::new("no-answer")), None)]);
    hand.stored();
    assert_eq!(hand.poll(), Message::Ack);

    // A machine that has started anew meanwhile is asked anew, and nothing is written twice.
    let mut hand = ready_to_drive();
    hand.say(&Message::Sync, 1);
    hand.stored();
    hand.disk = true;
    hand.poll();
    hand.say(&Message::Ack, 0);
    hand.poll();
    hand.say(&Message::Ack, 0);
    assert!(hand.sent.contains(&Message::CheckSlot { slot: 60 }) && !hand.sent.contains(&DRIVE), "{:?}", hand.sent);
    hand.say(&Message::SlotState { status: 1, slot: 60 }, 2);
    assert_eq!(hand.poll(), DRIVE);
    assert_eq!(hand.driving.len(), 1);
}
