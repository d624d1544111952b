//! Conversations in the bytes of a public operator's code (laoapps/vending-server, venders/api/vending.express.ts),
//! CRC checked. The state codes are not public: those in use here are the default profile's.

use std::time::Duration;

use super::*;
use crate::types::{CommandId, Condition, MachineStatus};
use crate::wire::scan::test_start;
use crate::wire::vend::Dispensed;
use crate::wire::zdm8::crc;

const READ_HARDWARE: &str = "01030001000295cb";
const READ_SOFTWARE: &str = "01030002000265cb";
const READ_STATE: &str = "010300030001740a";
const READ_CLIMATE: &str = "01030004000285ca";
const READ_DOOR: &str = "010300050001940b";
const IDLE: &str = "0103020000b844";
const LANE_16: &str = "0110200100020410010100ff32";
const TAKEN: &str = "0110200100021bc8";
/// Exception 4: the request came garbled.
const GARBLED: &str = "01860443a3";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn sealed(body: &[u8]) -> Vec<u8> {
    [body, &crc(body).to_le_bytes()].concat()
}

fn state(doing: u8, fault: u8) -> Vec<u8> {
    sealed(&[1, 3, 2, doing, fault])
}

fn exception(code: u8) -> Vec<u8> {
    sealed(&[1, 0x86, code])
}

const BUSY: u8 = 1;
const SUCCESS: u8 = 2;
const FAILED: u8 = 3;

/// The machine under test and a hand that plays the board.
struct Hand {
    now: Instant,
    zdm8: Zdm8Machine,
    sent: VecDeque<Vec<u8>>,
    heard: Vec<Heard>,
    silent: bool,
    orders: usize,
    disk_is_slow: bool,
}

impl Hand {
    fn new() -> Self {
        let now = test_start();
        let zdm8 = Zdm8Machine::new(Zdm8Settings::default(), now);
        let (sent, heard) = (VecDeque::new(), Vec::new());
        let mut hand = Self { now, zdm8, sent, heard, silent: false, orders: 0, disk_is_slow: false };
        hand.collect();
        hand
    }

    /// One that has asked all it wants to know.
    fn ready() -> Self {
        let mut hand = Self::new();
        hand.answers(READ_HARDWARE, &hex("01030420020a0ad694"));
        hand.answers(READ_SOFTWARE, &hex("01030420200220f081"));
        hand.answers(READ_STATE, &hex(IDLE));
        hand.answers(READ_CLIMATE, &hex("01030400d20226dab0"));
        hand.answers(READ_DOOR, &hex("0103020100b9d4"));
        hand
    }

    fn collect(&mut self) {
        while let Some(output) = self.zdm8.poll() {
            match output {
                Output::Send(bytes) => {
                    self.orders += usize::from(bytes[1] == 0x10);
                    self.sent.push_back(bytes);
                }
                Output::Observe(heard) => self.heard.push(heard),
                Output::Health(Condition::DeviceSilent, silent) => self.silent = silent,
                Output::Health(..) | Output::Count(..) => {}
            }
        }
        if self.zdm8.awaits_storage() && !self.disk_is_slow {
            self.zdm8.stored(self.now);
            self.collect();
        }
    }

    /// The next question, when its time has come.
    fn question(&mut self) -> Vec<u8> {
        for _ in 0..100 {
            if let Some(question) = self.sent.pop_front() {
                assert!(self.sent.is_empty(), "one question at a time");
                return question;
            }
            self.now = self.now.max(self.zdm8.deadline().unwrap());
            self.zdm8.handle(self.now, Input::Tick).unwrap();
            self.collect();
        }
        panic!("it asks nothing any more")
    }

    /// The next question is this, and it is answered so.
    fn answers(&mut self, question: &str, answer: &[u8]) {
        assert_eq!(self.question(), hex(question));
        self.now += Duration::from_millis(20);
        self.zdm8.handle(self.now, Input::Bytes(answer)).unwrap();
        self.collect();
    }

    /// The next question is this, and its answer never comes.
    fn loses(&mut self, question: &str) {
        self.answers(question, &[]);
    }

    fn dispense(&mut self, slot: u16, drop_sensor: bool) {
        let until = self.now + Duration::from_secs(30);
        let command = CommandId::new("sale-1").unwrap();
        let asked = Dispense { command, slot, price_minor: 350, drop_sensor, until };
        self.heard.clear();
        self.orders = 0;
        self.zdm8.handle(self.now, Input::Action(VendAction::Dispense(asked))).unwrap();
        self.collect();
    }

    fn recover(&mut self) {
        let command = CommandId::new("sale-1").unwrap();
        self.zdm8.handle(self.now, Input::Action(VendAction::Recover { command, slot: 16 })).unwrap();
        self.collect();
    }

    /// One dispense has ended, and the board has been ordered so often.
    fn ended(&mut self) -> (Ended, usize) {
        let ended: Vec<Dispensed> = std::mem::take(&mut self.heard).into_iter().filter_map(dispensed).collect();
        let [dispensed] = &ended[..] else { panic!("one dispense has ended: {ended:?}") };
        (dispensed.ended.clone(), self.orders)
    }

    fn status(&self) -> MachineStatus {
        let of = |heard: &Heard| if let Heard::Machine(status) = heard { Some((**status).clone()) } else { None };
        self.heard.iter().rev().find_map(of).unwrap()
    }
}

fn dispensed(heard: Heard) -> Option<Dispensed> {
    if let Heard::Dispensed(dispensed) = heard { Some(dispensed) } else { None }
}

fn failed(why: &str) -> Ended {
    Ended::Failed(Reason::new(why))
}

fn refused(why: &str) -> Ended {
    Ended::Refused(Reason::new(why))
}

fn unknown(why: &str) -> Ended {
    Ended::Indeterminate(Reason::new(why))
}

#[test]
fn a_board_is_asked_who_and_how_it_is() {
    let status = Hand::ready().status();
    assert_eq!(status.serial.as_deref(), Some("20-02, 10 x 10 lanes"));
    assert_eq!(status.firmware.as_deref(), Some("2020-02-20"));
    assert_eq!(status.climate, [Climate { temperature_dc: Some(210), humidity_dpct: Some(550) }]);
    assert_eq!((status.door_open, status.board), (Some(true), Some(PartState::Works)));
}

#[test]
fn a_dispense_is_ordered_once_and_its_result_is_read_once() {
    let mut hand = Hand::ready();
    hand.dispense(16, true);
    hand.answers(READ_STATE, &hex(IDLE));
    hand.answers(LANE_16, &hex(TAKEN));
    hand.answers(READ_STATE, &state(BUSY, 0));
    assert!(hand.heard.iter().all(|heard| !matches!(heard, Heard::Dispensed(_))));
    hand.answers(READ_STATE, &state(SUCCESS, 0));
    let seen = hand.heard.iter().find_map(|heard| dispensed(heard.clone())).unwrap().dropped;
    assert_eq!((hand.ended(), seen), ((Ended::Done, 1), Some(true)));
    // The reading itself has put the board back to idle.
    hand.answers(READ_STATE, &hex(IDLE));
    assert!(hand.heard.is_empty() && !hand.zdm8.in_flight());
}

#[test]
fn lanes_and_sensor_stand_in_the_order_as_they_were_asked() {
    for (slot, drop_sensor, order) in
        [(20, false, "0110200100020414010000ff92"), (0, true, "0110200100020400010100fbf2")]
    {
        let mut hand = Hand::ready();
        hand.dispense(slot, drop_sensor);
        hand.answers(READ_STATE, &hex(IDLE));
        hand.answers(order, &hex(TAKEN));
        hand.answers(READ_STATE, &state(FAILED, 9));
        assert_eq!(hand.ended(), (failed("board-fault-9"), 1));
    }
    let mut hand = Hand::ready();
    hand.dispense(100, true);
    assert_eq!(hand.ended(), (refused("no-such-slot"), 0));
}

#[test]
fn an_order_that_came_garbled_is_given_again_and_not_for_ever() {
    let mut hand = Hand::ready();
    hand.dispense(16, true);
    hand.answers(READ_STATE, &hex(IDLE));
    hand.answers(LANE_16, &hex(GARBLED));
    hand.answers(LANE_16, &hex(TAKEN));
    hand.answers(READ_STATE, &state(SUCCESS, 0));
    assert_eq!(hand.ended(), (Ended::Done, 2), "the board itself said that the first had not been read");

    hand.dispense(16, true);
    hand.answers(READ_STATE, &hex(IDLE));
    for _ in 0..3 {
        hand.answers(LANE_16, &hex(GARBLED));
    }
    assert_eq!(hand.ended(), (refused("board-crc"), 3));
}

#[test]
fn exceptions_that_say_no_refuse_and_those_that_say_maybe_do_not() {
    for (code, why) in
        [(1, "board-function"), (2, "board-address"), (3, "board-value"), (6, "board-busy"), (7, "board-fault")]
    {
        let mut hand = Hand::ready();
        hand.dispense(16, true);
        hand.answers(READ_STATE, &hex(IDLE));
        hand.answers(LANE_16, &exception(code));
        assert_eq!(hand.ended(), (refused(why), 1));
    }
    let mut hand = Hand::ready();
    hand.dispense(16, true);
    hand.answers(READ_STATE, &hex(IDLE));
    hand.answers(LANE_16, &exception(8));
    hand.answers(READ_STATE, &exception(6));
    hand.answers(READ_STATE, &state(SUCCESS, 0));
    assert_eq!(hand.ended(), (Ended::Done, 1), "it was at it");
}

#[test]
fn a_busy_board_is_not_ordered_and_an_old_result_does_not_pass_for_ours() {
    let mut hand = Hand::ready();
    hand.dispense(16, true);
    hand.answers(READ_STATE, &state(BUSY, 0));
    assert_eq!(hand.ended(), (refused("board-busy"), 0));

    hand.dispense(16, true);
    hand.answers(READ_STATE, &state(SUCCESS, 0));
    hand.answers(READ_STATE, &hex(IDLE));
    hand.answers(LANE_16, &hex(TAKEN));
    hand.answers(READ_STATE, &state(FAILED, 7));
    assert_eq!(hand.ended(), (failed("board-fault-7"), 1));
}

#[test]
fn an_answer_whose_crc_is_wrong_is_no_answer_and_the_order_is_not_repeated() {
    let mut hand = Hand::ready();
    hand.dispense(16, true);
    hand.answers(READ_STATE, &hex(IDLE));
    let mut broken = hex(TAKEN);
    broken[7] ^= 1;
    hand.answers(LANE_16, &broken);
    hand.answers(READ_STATE, &state(BUSY, 0));
    hand.answers(READ_STATE, &state(SUCCESS, 0));
    assert_eq!(hand.ended(), (Ended::Done, 1));
}

#[test]
fn a_final_state_that_is_lost_on_the_line_is_lost_unless_the_fault_stays() {
    for (fault, end) in [(0, unknown("result-lost")), (5, failed("board-fault-5"))] {
        let mut hand = Hand::ready();
        hand.dispense(16, true);
        hand.answers(READ_STATE, &hex(IDLE));
        hand.answers(LANE_16, &hex(TAKEN));
        hand.loses(READ_STATE);
        hand.answers(READ_STATE, &state(0, fault));
        assert_eq!(hand.ended(), (end, 1));
    }
}

#[test]
fn a_board_that_is_silent_before_the_order_is_not_ordered_and_after_it_nobody_knows() {
    let mut hand = Hand::ready();
    hand.dispense(16, true);
    for _ in 0..3 {
        hand.loses(READ_STATE);
    }
    hand.sent.clear();
    while hand.zdm8.in_flight() {
        hand.now = hand.zdm8.deadline().unwrap();
        hand.zdm8.handle(hand.now, Input::Tick).unwrap();
        hand.collect();
    }
    assert!(hand.silent);
    assert_eq!(hand.ended(), (refused("no-answer"), 0));

    let mut hand = Hand::ready();
    hand.dispense(16, true);
    hand.answers(READ_STATE, &hex(IDLE));
    hand.loses(LANE_16);
    while hand.zdm8.in_flight() {
        hand.sent.clear();
        hand.now = hand.zdm8.deadline().unwrap();
        hand.zdm8.handle(hand.now, Input::Tick).unwrap();
        hand.collect();
    }
    assert_eq!(hand.ended(), (unknown("no-result"), 1));
}

#[test]
fn a_new_process_reads_what_the_board_has_kept_and_orders_nothing() {
    let mut hand = Hand::new();
    hand.answers(READ_HARDWARE, &hex("01030420020a0ad694"));
    hand.recover();
    hand.answers(READ_STATE, &state(BUSY, 0));
    hand.answers(READ_STATE, &state(SUCCESS, 0));
    assert_eq!(hand.ended(), (Ended::Done, 0));

    let mut hand = Hand::new();
    hand.answers(READ_HARDWARE, &hex("01030420020a0ad694"));
    hand.answers(READ_SOFTWARE, &hex("01030420200220f081"));
    hand.answers(READ_STATE, &state(FAILED, 7));
    hand.recover();
    assert_eq!(hand.ended(), (failed("board-fault-7"), 0), "it was read at the start and kept for whoever asks");
}

#[test]
fn the_board_is_ordered_when_it_is_on_disk_that_it_will_be_and_not_before() {
    let mut hand = Hand::ready();
    hand.disk_is_slow = true;
    hand.dispense(16, true);
    hand.answers(READ_STATE, &hex(IDLE));
    assert_eq!(hand.heard, [Heard::Driving(CommandId::new("sale-1").unwrap())]);
    hand.now += Duration::from_secs(3);
    hand.zdm8.handle(hand.now, Input::Tick).unwrap();
    hand.collect();
    assert_eq!((hand.orders, hand.zdm8.awaits_storage()), (0, true));
    hand.disk_is_slow = false;
    hand.collect();
    hand.answers(LANE_16, &hex(TAKEN));
    hand.answers(READ_STATE, &state(SUCCESS, 0));
    assert_eq!(hand.ended(), (Ended::Done, 1));

    let mut hand = Hand::ready();
    hand.disk_is_slow = true;
    hand.dispense(16, true);
    hand.answers(READ_STATE, &hex(IDLE));
    hand.now += Duration::from_secs(31);
    hand.disk_is_slow = false;
    hand.collect();
    assert_eq!(hand.ended(), (Ended::Expired, 0), "what was written too late is not done any more");
}

impl Hand {
    /// The next question is this, and its answer comes only when it has been given up, before the next is asked.
    fn answers_late(&mut self, question: &str, answer: &[u8]) {
        assert_eq!(self.question(), hex(question));
        self.now += Zdm8Settings::default().reply_timeout;
        self.zdm8.handle(self.now, Input::Tick).unwrap();
        self.collect();
        self.now += Duration::from_millis(10);
        self.zdm8.handle(self.now, Input::Bytes(answer)).unwrap();
        self.collect();
    }
}

#[test]
fn an_answer_that_comes_late_counts_because_a_final_state_is_said_once() {
    let mut hand = Hand::ready();
    hand.dispense(16, true);
    hand.answers(READ_STATE, &hex(IDLE));
    hand.answers(LANE_16, &hex(TAKEN));
    hand.answers_late(READ_STATE, &state(SUCCESS, 0));
    assert_eq!(hand.ended(), (Ended::Done, 1));

    // The next question was on its way already: both answers come, one behind the other.
    let mut hand = Hand::ready();
    hand.dispense(16, true);
    hand.answers(READ_STATE, &hex(IDLE));
    hand.answers(LANE_16, &hex(TAKEN));
    hand.loses(READ_STATE);
    hand.answers(READ_STATE, &[state(BUSY, 0), state(FAILED, 7)].concat());
    assert_eq!(hand.ended(), (failed("board-fault-7"), 1));

    // The order's own answer: a board that has taken it is not one that never began.
    let mut hand = Hand::ready();
    hand.dispense(16, true);
    hand.answers(READ_STATE, &hex(IDLE));
    hand.answers_late(LANE_16, &hex(TAKEN));
    hand.answers(READ_STATE, &hex(IDLE));
    hand.now += Duration::from_secs(2);
    hand.answers(READ_STATE, &hex(IDLE));
    assert_eq!(hand.ended(), (unknown("result-lost"), 1));
}

#[test]
fn what_was_asked_before_an_order_says_nothing_of_it() {
    let mut hand = Hand::ready();
    hand.dispense(16, true);
    hand.loses(READ_STATE);
    hand.answers(READ_STATE, &hex(IDLE));
    assert_eq!(hand.question(), hex(LANE_16));
    hand.zdm8.handle(hand.now, Input::Bytes(&state(SUCCESS, 0))).unwrap();
    hand.collect();
    assert!(hand.zdm8.in_flight(), "a result that is older than the order does not end it");
    hand.zdm8.handle(hand.now, Input::Bytes(&hex(TAKEN))).unwrap();
    hand.collect();
    hand.answers(READ_STATE, &state(FAILED, 7));
    assert_eq!(hand.ended(), (failed("board-fault-7"), 1));
}
