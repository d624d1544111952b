//! The gateway's end of the line: the machine polls, we answer.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::code;
use super::frame::{Frame, framer};
use super::job::{Job, Patience, Phase, Record, verdict};
use super::limits::{RECORD_WITHIN, RESTART_POLLS, SYNC_WITHIN, SYNCS};
use super::link::Link;
use super::message::Message;
use super::words;
use crate::types::{CommandId, Ended, Reason, Tally};
use crate::wire::framer::{Framer, Piece};
use crate::wire::vend::{Board, Dispense, Heard, Unclaimed, VendAction};
use crate::wire::{Input, Machine, Output};

/// What the profile of an FA FB machine says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmcSettings {
    /// How often the machine polls.
    pub poll_interval: Duration,
    /// How long a frame may pause in its middle.
    pub frame_gap: Duration,
    /// How long the machine may say nothing before it counts as silent.
    pub silent_after: Duration,
    /// How long it may take to say whether a lane is ready.
    pub check_timeout: Duration,
    /// How long it may say nothing of a dispense before its outcome is unknown.
    pub dispense_timeout: Duration,
    /// How long a dispense may take in all, whatever is said of it.
    pub dispense_limit: Duration,
    /// How often it is asked how it is.
    pub status_interval: Duration,
    /// Whether products come down with a lift.
    pub lift: bool,
}

impl Default for VmcSettings {
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_millis(200),
            frame_gap: Duration::from_millis(50),
            silent_after: Duration::from_secs(3),
            check_timeout: Duration::from_secs(5),
            dispense_timeout: Duration::from_secs(60),
            dispense_limit: Duration::from_secs(600),
            status_interval: Duration::from_secs(60),
            lift: false,
        }
    }
}

/// Which answer the machine waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// To a poll: a command or an ACK.
    Poll,
    /// To a message: an ACK.
    Message,
    /// None: it has acknowledged something.
    Nothing,
}

/// A jam being cleared.
#[derive(Debug)]
struct Clearing {
    command: CommandId,
    until: Instant,
    cleared: bool,
}

/// A machine that speaks FA FB, seen from the gateway.
#[derive(Debug)]
pub struct VmcMachine {
    settings: VmcSettings,
    framer: Framer<Frame>,
    link: Link,
    board: Board,
    job: Option<Job>,
    clearing: Option<Clearing>,
    /// A lane's count on its way to the machine.
    writing: Option<(CommandId, Message)>,
    unclaimed: Unclaimed,
    /// The last dispense that ended as indeterminate, and until when its lane is not sold from.
    unresolved: Option<(Job, Instant)>,
    /// The last numbered message, to know its repetition by.
    last: Option<Frame>,
    /// A result that is acknowledged when it is on disk: until then the machine repeats it, and nothing is lost with
    /// us. `true`: nothing else has come since, so that the machine waits for the acknowledgement.
    holding: Option<(Frame, bool)>,
    last_frame: Instant,
    syncs: u32,
    /// When the lane reports should have begun.
    reports_by: Option<Instant>,
    last_sync: Option<Instant>,
    next_status: Instant,
}

impl VmcMachine {
    /// Says nothing until it is polled. `pack_before`: the packet number before the first; a different one at each
    /// start keeps the machine from taking our first command for a repetition.
    pub fn new(settings: VmcSettings, pack_before: u8, now: Instant) -> Self {
        let mut machine = Self {
            framer: framer(settings.frame_gap, now),
            link: Link::new(pack_before),
            board: Board::default(),
            job: None,
            clearing: None,
            writing: None,
            unclaimed: Unclaimed::new(now),
            unresolved: None,
            last: None,
            holding: None,
            last_frame: now,
            syncs: 0,
            reports_by: None,
            last_sync: None,
            next_status: now + settings.status_interval,
            settings,
        };
        machine.sync();
        machine.link.queue(Message::AskStatus);
        machine
    }

    fn patience(&self) -> Patience {
        Patience { silence: self.settings.dispense_timeout, whole: self.settings.dispense_limit }
    }

    fn sync(&mut self) {
        if self.link.queue(Message::Sync) {
            self.syncs += 1;
        }
    }

    fn act(&mut self, now: Instant, action: VendAction) {
        match action {
            VendAction::Dispense(asked) => self.dispense(now, asked),
            VendAction::Approve(asked) => self.board.dispensed(asked.refused("not-supported")),
            VendAction::Recover { command, slot } => self.recover(now, command, slot),
            VendAction::ClearJam { command } if self.clearing.is_none() => self.clear_jam(now, command),
            VendAction::ClearJam { command } => self.board.refused(command, "busy"),
            VendAction::WriteStock { command, slot, count } => self.write_stock(command, slot, count),
            VendAction::Decline { command }
            | VendAction::Charge { command, .. }
            | VendAction::EndCharge { command, .. } => self.board.refused(command, "not-supported"),
        }
    }

    fn dispense(&mut self, now: Instant, asked: Dispense) {
        let unresolved = self.unresolved.as_ref().is_some_and(|(job, until)| job.slot == asked.slot && now < *until);
        let refusal = match () {
            () if self.job.is_some() => Some("busy"),
            () if unresolved => Some("slot-unresolved"),
            () => None,
        };
        let job = Job::new(asked, now + self.settings.check_timeout);
        match refusal {
            Some(why) => self.board.dispensed(job.end(Ended::Refused(Reason::new(why)))),
            None => {
                self.link.queue_first(Message::CheckSlot { slot: job.slot });
                self.job = Some(job);
            }
        }
    }

    /// The result may have come before the question: a machine that was not answered repeats it.
    fn recover(&mut self, now: Instant, command: CommandId, slot: u16) {
        let mut job = Job::recovered(command, slot, now, self.patience());
        if self.job.is_some() {
            job.phase = Phase::Ready { until: now };
            return self.board.dispensed(job.end(Ended::Indeterminate(Reason::new("busy"))));
        }
        match self.unclaimed.claim(Some(slot)) {
            Some(ended) => self.board.dispensed(job.end(ended)),
            None => self.job = Some(job),
        }
    }

    /// Done when the machine has acknowledged it.
    fn write_stock(&mut self, command: CommandId, slot: u16, count: u16) {
        let Ok(count) = u8::try_from(count) else { return self.board.refused(command, "too-many") };
        if self.writing.is_some() || !self.link.queue(Message::Stock { slot, count }) {
            return self.board.refused(command, "busy");
        }
        self.writing = Some((command, Message::Stock { slot, count }));
    }

    fn written(&mut self, message: &Message, ended: Ended) {
        if let Some((command, _)) = self.writing.take_if(|(_, written)| written == message) {
            self.board.ended(command, ended);
        }
    }

    fn clear_jam(&mut self, now: Instant, command: CommandId) {
        self.link.queue(words::jam_menu(code::MENU_WRITE));
        let until = now + self.settings.check_timeout;
        self.clearing = Some(Clearing { command, until, cleared: false });
    }

    fn piece(&mut self, now: Instant, piece: Piece<Frame>) -> Option<Due> {
        match piece {
            Piece::Noise(bytes) => {
                self.board.noise(now, bytes);
                None
            }
            Piece::Frame(frame) => Some(self.frame(now, frame)),
        }
    }

    fn frame(&mut self, now: Instant, frame: Frame) -> Due {
        self.board.good();
        let gap = now.saturating_duration_since(self.last_frame);
        self.last_frame = now;
        self.holding = self.holding.take().map(|(held, _)| (held, false));
        self.forget_poll();
        if gap >= self.settings.poll_interval * RESTART_POLLS {
            self.perhaps_restarted();
        }
        let decoded = match Message::decode(&frame) {
            Ok(decoded) => decoded,
            Err(_) => {
                self.board.count(Tally::FramesMalformed, 1);
                return Due::Message;
            }
        };
        self.board.count(Tally::FramesOdd, u64::from(decoded.odd));
        match decoded.message {
            Message::Poll => Due::Poll,
            Message::Ack => {
                if let Some(message) = self.link.acknowledged() {
                    self.written(&message, Ended::Done);
                }
                Due::Nothing
            }
            Message::Sync => {
                self.last = Some(frame);
                self.machine_synced(now);
                Due::Message
            }
            message => {
                let again = frame.pack.is_some() && self.last.as_ref() == Some(&frame);
                self.last = Some(frame.clone());
                if again {
                    self.board.count(Tally::RepeatsSuppressed, 1);
                } else {
                    self.message(now, &message);
                }
                match &mut self.holding {
                    Some((held, waits)) if *held == frame => {
                        *waits = true;
                        Due::Nothing
                    }
                    _ => Due::Message,
                }
            }
        }
    }

    fn message(&mut self, now: Instant, message: &Message) {
        match *message {
            Message::SlotState { status, slot } => self.slot_state(status, slot),
            Message::Dispensing { status, slot, .. } => self.dispensing(now, status, slot),
            Message::SlotReport { .. } => {
                self.reports_by = None;
                self.link.answered(|sent| *sent == Message::Sync);
            }
            Message::Status(_) => self.link.answered(|sent| *sent == Message::AskStatus),
            Message::Lift { .. } => self.link.answered(|sent| *sent == Message::AskLift),
            Message::Menu { answer: true, point: code::MENU_JAM, operation, ref text } => {
                self.link.answered(|sent| *sent == words::jam_menu(operation));
                self.jam_answer(operation, text.iter().any(|byte| *byte != 0));
            }
            Message::Unknown { .. } => self.board.count(Tally::FramesUnknown, 1),
            _ => {}
        }
        if let Some(heard) = words::heard(message) {
            self.board.hear(heard);
        }
        self.board.status(|known| words::learn(message, known));
    }

    /// The machine has said that it has just started, or answers our saying so.
    fn machine_synced(&mut self, now: Instant) {
        self.perhaps_restarted();
        let ours_is_recent = self.last_sync.is_some_and(|at| now.saturating_duration_since(at) < SYNC_WITHIN);
        if !ours_is_recent && !self.link.waits(|message| *message == Message::Sync) {
            self.syncs = 0;
            self.sync();
        }
    }

    /// A machine that was restarted has forgotten which numbers it has seen: a motor command sent again under its old
    /// number would turn the motor again. A lane that was ready is asked for anew.
    fn perhaps_restarted(&mut self) {
        self.link.forget(is_drive);
        if let Some(job) = &mut self.job
            && let Phase::Checking { until } | Phase::Ready { until } = job.phase
        {
            job.phase = Phase::Checking { until };
            let check = Message::CheckSlot { slot: job.slot };
            if !self.link.waits(|message| *message == check) {
                self.link.queue_first(check);
            }
        }
    }

    fn slot_state(&mut self, status: u8, slot: u16) {
        self.link.answered(|sent| *sent == Message::CheckSlot { slot });
        let Some(job) = &mut self.job else { return };
        let Phase::Checking { until } = job.phase else { return };
        if job.slot != slot {
            return;
        }
        if status == code::SLOT_READY {
            job.phase = Phase::Ready { until };
            let (drop_sensor, lift) = (job.drop_sensor, self.settings.lift);
            self.link.queue_first(Message::Drive { drop_sensor, lift, slot });
        } else {
            self.end_job(Ended::Refused(Reason::new(code::slot_refusal(status))));
        }
    }

    fn dispensing(&mut self, now: Instant, status: u8, slot: u16) {
        let patience = self.patience();
        if let Some(job) = self.job.as_mut().filter(|job| job.is_about(status, slot)) {
            self.link.forget(is_drive);
            match verdict(status) {
                Some(ended) => {
                    self.end_job(ended);
                    self.hold();
                }
                None => {
                    let seconds = if status == code::SECONDS_LEFT { u64::from(slot) } else { 0 };
                    job.progress(now, patience, Duration::from_secs(seconds));
                }
            }
        } else if let Some(ended) = verdict(status) {
            match self.unresolved.take_if(|(job, _)| job.slot == slot) {
                Some((job, _)) => {
                    self.board.hear(Heard::Late(job.end(ended)));
                    self.hold();
                }
                None => self.unclaimed.offer(now, Some(slot), ended, &mut self.board),
            }
        }
    }

    /// The message at hand is acknowledged when what was said of it is on disk.
    fn hold(&mut self) {
        self.holding = self.last.clone().map(|frame| (frame, true));
    }

    /// Clearing is done when the machine, asked afterwards, knows of no jam.
    fn jam_answer(&mut self, operation: u8, jammed: bool) {
        let Some(clearing) = &mut self.clearing else { return };
        if operation == code::MENU_WRITE && !clearing.cleared {
            clearing.cleared = true;
            self.link.queue(words::jam_menu(code::MENU_READ));
        } else if operation == code::MENU_READ && clearing.cleared {
            let still = Ended::Failed(Reason::new("still-jammed"));
            self.end_clearing(if jammed { still } else { Ended::Done });
        }
    }

    fn end_clearing(&mut self, ended: Ended) {
        let Some(Clearing { command, .. }) = self.clearing.take() else { return };
        self.board.ended(command, ended);
    }

    fn end_job(&mut self, ended: Ended) {
        let Some(job) = self.job.take() else { return };
        self.link.forget(|message| matches!(message, Message::CheckSlot { .. } | Message::Drive { .. }));
        self.board.dispensed(job.end(ended));
    }

    fn answer(&mut self, now: Instant, due: Due) {
        match due {
            Due::Nothing => {}
            Due::Message => self.board.send(Message::Ack.frame(0).encode()),
            Due::Poll => self.answer_poll(now),
        }
    }

    fn answer_poll(&mut self, now: Instant) {
        if let Some(message) = self.link.give_up() {
            self.unanswered(&message);
        }
        let late = self.job.as_ref().is_some_and(|job| !job.is_driving() && now >= job.start_by);
        if late && self.link.next_is(is_drive) {
            self.end_job(Ended::Expired);
        }
        if self.link.next_is(is_drive) && !self.is_recorded(now) {
            return;
        }
        let Some(turn) = self.link.turn() else { return self.board.send(Message::Ack.frame(0).encode()) };
        let patience = self.patience();
        match turn.first {
            Some(Message::Drive { .. }) => {
                if let Some(job) = &mut self.job {
                    job.driven(now, patience);
                }
            }
            Some(Message::Sync) => {
                self.last_sync = Some(now);
                self.reports_by = Some(now + SYNC_WITHIN);
            }
            _ => {}
        }
        self.board.send(turn.bytes);
    }

    /// Whether the motor may be told. If it is not on disk yet that it will be, that is said first, and the poll waits.
    fn is_recorded(&mut self, now: Instant) -> bool {
        let Some(job) = &mut self.job else { return true };
        match job.record {
            Record::Stored => true,
            Record::Missing => {
                job.record = Record::Begun { poll_until: Some(now + RECORD_WITHIN) };
                self.board.hear(Heard::Driving(job.command.clone()));
                false
            }
            Record::Begun { .. } => {
                self.board.send(Message::Ack.frame(0).encode());
                false
            }
        }
    }

    /// It is on disk that the motor is about to be told: by the poll that waits, or by the next one.
    fn recorded(&mut self, now: Instant) {
        let Some(job) = &mut self.job else { return };
        let waits = job.poll_until().is_some();
        if matches!(job.record, Record::Begun { .. }) {
            job.record = Record::Stored;
        }
        if waits {
            self.answer_poll(now);
        }
    }

    /// The machine has gone on: a poll that waited is answered no more.
    fn forget_poll(&mut self) -> bool {
        let Some(Job { record: Record::Begun { poll_until }, .. }) = &mut self.job else { return false };
        poll_until.take().is_some()
    }

    fn unanswered(&mut self, message: &Message) {
        self.board.count(Tally::Unanswered, 1);
        match message {
            Message::CheckSlot { .. } => self.end_job(Ended::Refused(Reason::new("no-answer"))),
            Message::Menu { point: code::MENU_JAM, operation: code::MENU_WRITE, .. } => {
                self.end_clearing(Ended::Indeterminate(Reason::new("no-answer")));
            }
            Message::Stock { .. } => self.written(message, Ended::Indeterminate(Reason::new("no-answer"))),
            // What became of a motor command only the machine's word says, or silence.
            _ => {}
        }
    }

    fn tick(&mut self, now: Instant) {
        self.board.tick(now);
        if self.job.as_ref().and_then(Job::poll_until).is_some_and(|until| now >= until) && self.forget_poll() {
            self.board.send(Message::Ack.frame(0).encode());
        }
        self.unclaimed.tick(now, &mut self.board);
        if self.silent_at().is_some_and(|at| now >= at) {
            self.board.silent(true);
        }
        if self.reports_by.is_some_and(|at| now >= at) {
            self.reports_by = None;
            if self.syncs < SYNCS {
                self.sync();
            }
        }
        if now >= self.next_status {
            self.next_status = now + self.settings.status_interval;
            self.link.queue(Message::AskStatus);
        }
        if self.job.as_ref().is_some_and(|job| now >= job.deadline()) {
            self.overdue(now);
        }
        if let Some(clearing) = self.clearing.as_ref().filter(|clearing| now >= clearing.until) {
            let unknown = Ended::Indeterminate(Reason::new("no-answer"));
            let ended = if clearing.cleared { Ended::Done } else { unknown };
            self.end_clearing(ended);
        }
    }

    /// A machine that says all it has to say about sixty lanes does not poll meanwhile: it has not been asked yet.
    fn waits_for_its_turn(&mut self, now: Instant) -> bool {
        let unsent = self.link.is_unsent(|message| matches!(message, Message::CheckSlot { .. }));
        let busy = unsent && !self.board.is_silent();
        let check_timeout = self.settings.check_timeout;
        match &mut self.job {
            Some(Job { phase: Phase::Checking { until }, start_by, .. }) if busy && now < *start_by => {
                *until = (now + check_timeout).min(*start_by);
                true
            }
            _ => false,
        }
    }

    fn overdue(&mut self, now: Instant) {
        if self.waits_for_its_turn(now) {
            return;
        }
        let Some(job) = self.job.take() else { return };
        self.link.forget(|message| matches!(message, Message::CheckSlot { .. } | Message::Drive { .. }));
        self.board.dispensed(job.end(job.overdue()));
        if job.is_driving() {
            // So long its word may still be on the way; then whoever opens the lane again has looked.
            self.unresolved = Some((job, now + self.settings.dispense_timeout));
        }
    }

    fn silent_at(&self) -> Option<Instant> {
        (!self.board.is_silent()).then(|| self.last_frame + self.settings.silent_after)
    }
}

impl Machine for VmcMachine {
    type Action = VendAction;
    type Observation = Heard;
    type Error = Infallible;

    /// Of several frames that come at once only the last waits for an answer: the machine has given the others up.
    fn handle(&mut self, now: Instant, input: Input<'_, VendAction>) -> Result<(), Infallible> {
        let mut pieces = Vec::new();
        match input {
            Input::Bytes(bytes) => self.framer.push(now, bytes, |piece| pieces.push(piece)),
            Input::Action(action) => self.act(now, action),
            Input::Tick => {
                self.framer.tick(now, |piece| pieces.push(piece));
                self.tick(now);
            }
        }
        let mut due = Due::Nothing;
        for piece in pieces {
            due = self.piece(now, piece).unwrap_or(due);
        }
        self.answer(now, due);
        Ok(())
    }

    fn poll(&mut self) -> Option<Output<Heard>> {
        self.board.poll()
    }

    fn deadline(&self) -> Option<Instant> {
        let job = self.job.as_ref().map(|job| job.deadline().min(job.poll_until().unwrap_or(job.deadline())));
        let clearing = self.clearing.as_ref().map(|clearing| clearing.until);
        let due = [job, clearing, self.reports_by, self.silent_at(), self.framer.deadline()];
        let behind = [self.unclaimed.deadline(), self.board.deadline(), Some(self.next_status)];
        due.into_iter().chain(behind).flatten().min()
    }

    fn in_flight(&self) -> bool {
        self.job.is_some()
    }

    fn awaits_storage(&self) -> bool {
        self.holding.is_some() || self.job.as_ref().is_some_and(|job| matches!(job.record, Record::Begun { .. }))
    }

    fn stored(&mut self, now: Instant) {
        if let Some((_, true)) = self.holding.take() {
            self.answer(now, Due::Message);
        }
        self.recorded(now);
    }
}

const fn is_drive(message: &Message) -> bool {
    matches!(message, Message::Drive { .. })
}

#[cfg(test)]
mod tests;
