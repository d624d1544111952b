//! A controller that speaks FA FB: it polls, and what it has to say it says instead of a poll.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::lanes::{Mechanics, Turned};
use super::{Do, Setup, Truth};
use crate::wire::framer::{Framer, Piece};
use crate::wire::vmc::{Frame, Message, RESENDS, Status, code, framer};
use crate::wire::{Input, Machine, Output};

/// How often it polls, or says something instead.
const POLL: Duration = Duration::from_millis(200);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_millis(100);
/// How long it takes to start.
const BOOT: Duration = Duration::from_millis(1500);
/// Messages that wait to be said.
const WAITING: usize = 256;
/// Products that a lane can hold; more, when it is filled with more.
const CAPACITY: u8 = 8;

#[derive(Debug)]
struct Said {
    message: Message,
    pack: u8,
    resends: u32,
}

/// The controller.
#[derive(Debug)]
pub struct XySim {
    mechanics: Mechanics,
    framer: Framer<Frame>,
    next_turn: Instant,
    /// When the last poll or message was said, until it is answered.
    unanswered_since: Option<Instant>,
    pack: u8,
    waiting: VecDeque<(Instant, Message)>,
    said: Option<Said>,
    /// Number of the gateway's last command.
    last_pack: Option<u8>,
    /// The motor turns for the shopper's credit, not for the gateway.
    own_sale: bool,
}

impl XySim {
    /// Switched on just now.
    pub fn new(setup: Setup, now: Instant) -> Self {
        let mut sim = Self {
            mechanics: Mechanics::new(setup),
            framer: framer(Duration::from_millis(50), now),
            next_turn: now,
            unanswered_since: None,
            pack: 0,
            waiting: VecDeque::new(),
            said: None,
            last_pack: None,
            own_sale: false,
        };
        sim.boot(now);
        sim
    }

    /// Memory is empty: which numbers it has seen, what it had to say.
    fn boot(&mut self, now: Instant) {
        self.next_turn = now + BOOT;
        self.unanswered_since = None;
        self.pack = 0;
        self.waiting.clear();
        self.said = None;
        self.last_pack = None;
        self.own_sale = false;
        self.say(now, Message::Sync);
    }

    fn say(&mut self, at: Instant, message: Message) {
        if self.waiting.len() < WAITING {
            self.waiting.push_back((at, message));
        }
    }

    fn act(&mut self, now: Instant, action: &Do) {
        let credit = self.mechanics.credit;
        self.mechanics.act(now, action);
        let money = |mode, amount| Message::Money { mode, amount, card: Default::default() };
        match *action {
            Do::PowerOn => self.boot(now),
            Do::Coin(amount) => self.say(now, money(2, amount)),
            Do::Swallow(amount) => self.say(now, money(8, amount)),
            Do::GiveBack if credit > 0 => self.say(now, Message::GiveChange { amount: credit }),
            Do::Choose(slot) => self.chosen(now, slot),
            _ => {}
        }
    }

    /// The machine sells by itself what the credit is enough for.
    fn chosen(&mut self, now: Instant, slot: u16) {
        self.say(now, Message::Select { slot });
        let enough = self.mechanics.credit >= self.mechanics.setup.price_minor;
        if self.mechanics.powered && enough && self.slot_state(slot) == code::SLOT_READY {
            self.own_sale = true;
            self.mechanics.start(now, slot, true);
        }
    }

    fn piece(&mut self, now: Instant, piece: Piece<Frame>) {
        let Piece::Frame(frame) = piece else { return };
        if let Some(since) = self.unanswered_since.take() {
            let after = now.saturating_duration_since(since);
            self.mechanics.truth(if after > ANSWER { Truth::Unanswered } else { Truth::Answered(after) });
        }
        match Message::decode(&frame).map(|decoded| decoded.message) {
            Ok(Message::Ack) => {
                self.said = None;
            }
            Ok(message) => self.command(now, &frame, &message),
            Err(_) => {}
        }
    }

    /// A command under the number of the last one is acknowledged and not carried out again.
    fn command(&mut self, now: Instant, frame: &Frame, message: &Message) {
        self.mechanics.send(Message::Ack.frame(0).encode());
        if self.last_pack == frame.pack && *message != Message::Sync {
            return self.mechanics.truth(Truth::Repeated);
        }
        self.last_pack = frame.pack;
        match *message {
            Message::Sync => self.report_lanes(now),
            Message::CheckSlot { slot } => {
                let status = self.slot_state(slot);
                self.say(now, Message::SlotState { status, slot });
            }
            Message::Drive { slot, drop_sensor, .. } => self.drive(now, slot, drop_sensor),
            Message::AskStatus => self.say(now, self.status()),
            Message::AskLift => self.say(now, Message::Lift { status: 0 }),
            Message::Stock { slot, count } => self.mechanics.act(now, &Do::Fill(slot, count)),
            Message::Menu { answer: false, point: code::MENU_JAM, operation, .. } => self.jam_menu(now, operation),
            _ => {}
        }
    }

    fn drive(&mut self, now: Instant, slot: u16, drop_sensor: bool) {
        if self.mechanics.turning() || !self.mechanics.lanes.contains_key(&slot) {
            return self.say(now, Message::Dispensing { status: 0x06, slot, microwave: None });
        }
        self.mechanics.start(now, slot, drop_sensor);
        self.say(now, Message::Dispensing { status: 0x01, slot, microwave: None });
    }

    fn slot_state(&self, slot: u16) -> u8 {
        match self.mechanics.lanes.get(&slot) {
            None => 0x03,
            Some(_) if self.mechanics.turning() => 0x04,
            Some(lane) if lane.stock == 0 => 0x02,
            Some(_) => code::SLOT_READY,
        }
    }

    fn report_lanes(&mut self, now: Instant) {
        self.waiting.retain(|(_, message)| !matches!(message, Message::SlotReport { .. }));
        let price = self.mechanics.setup.price_minor;
        let capacity = CAPACITY.max(self.mechanics.setup.stock);
        let lanes: Vec<(u16, u8)> = self.mechanics.lanes.iter().map(|(slot, lane)| (*slot, lane.stock)).collect();
        for (slot, stock) in lanes {
            self.say(now, Message::SlotReport { slot, price, stock, capacity, product: slot, status: 0 });
        }
    }

    /// Writing frees what somebody has cleared by hand; what is still stuck stays.
    fn jam_menu(&mut self, now: Instant, operation: u8) {
        let jammed = self.mechanics.lanes.values().any(|lane| lane.jammed);
        let still = u8::from(operation == code::MENU_READ && jammed);
        self.say(now, Message::Menu { answer: true, point: code::MENU_JAM, operation, text: vec![still] });
    }

    fn status(&self) -> Message {
        Message::Status(Status {
            bill: 0,
            coin: 0,
            card: 0,
            temperature_control: 0,
            temperature_c: Some(19),
            door: 0,
            bill_change: 0,
            coin_change: 0,
            id: *b"0000000001",
            cabinets_c: [Some(19), None, None, None, None, None, None, None],
            humidity_percent: None,
        })
    }

    fn turned(&mut self, now: Instant, turned: Turned) {
        let status = if turned.good { 0x02 } else { code::JAM };
        if std::mem::take(&mut self.own_sale) && turned.good {
            let price = self.mechanics.setup.price_minor;
            self.mechanics.credit = self.mechanics.credit.saturating_sub(price);
            self.mechanics.truth(Truth::Kept(price));
        }
        self.say(now + self.mechanics.late, Message::Dispensing { status, slot: turned.slot, microwave: None });
    }

    /// Its turn on the line has come.
    fn turn(&mut self, now: Instant) {
        if self.unanswered_since.take().is_some() {
            self.mechanics.truth(Truth::Unanswered);
        }
        if self.said.take_if(|said| said.resends >= RESENDS).is_some() {
            self.mechanics.truth(Truth::GaveUp);
        }
        let bytes = match &mut self.said {
            Some(said) => {
                said.resends += 1;
                said.message.frame(said.pack).encode()
            }
            None => self.next_message(now),
        };
        self.mechanics.send(bytes);
        if self.mechanics.powered && !self.mechanics.silent {
            self.unanswered_since = Some(now);
        }
    }

    fn next_message(&mut self, now: Instant) -> Vec<u8> {
        let due = self.waiting.iter().position(|(at, _)| *at <= now);
        let Some((_, message)) = due.and_then(|at| self.waiting.remove(at)) else {
            return Message::Poll.frame(0).encode();
        };
        self.pack = if self.pack == u8::MAX { 1 } else { self.pack + 1 };
        let bytes = message.frame(self.pack).encode();
        self.said = Some(Said { message, pack: self.pack, resends: 0 });
        bytes
    }

    fn tick(&mut self, now: Instant) {
        if let Some(turned) = self.mechanics.tick(now) {
            self.turned(now, turned);
        }
        if self.mechanics.powered && now >= self.next_turn {
            self.next_turn = now + POLL;
            self.turn(now);
        }
    }
}

impl Machine for XySim {
    type Action = Do;
    type Observation = Truth;
    type Error = Infallible;

    fn handle(&mut self, now: Instant, input: Input<'_, Do>) -> Result<(), Infallible> {
        let mut pieces = Vec::new();
        match input {
            Input::Bytes(bytes) if self.mechanics.powered => {
                self.framer.push(now, bytes, |piece| pieces.push(piece));
            }
            Input::Bytes(_) => {}
            Input::Action(action) => self.act(now, &action),
            Input::Tick => self.framer.tick(now, |piece| pieces.push(piece)),
        }
        for piece in pieces {
            self.piece(now, piece);
        }
        self.tick(now);
        Ok(())
    }

    fn poll(&mut self) -> Option<Output<Truth>> {
        self.mechanics.poll()
    }

    fn deadline(&self) -> Option<Instant> {
        let turn = self.mechanics.powered.then_some(self.next_turn);
        [turn, self.mechanics.deadline(), self.framer.deadline()].into_iter().flatten().min()
    }

    fn in_flight(&self) -> bool {
        self.mechanics.turning()
    }
}
