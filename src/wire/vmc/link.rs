//! Our side of the packet numbers: one command at a time, repeated under its number until it is answered.

use std::collections::VecDeque;

use super::limits::{RESENDS, WAITING};
use super::message::Message;

#[derive(Debug)]
struct Sent {
    message: Message,
    bytes: Vec<u8>,
    resends: u32,
}

/// What goes to the machine when it polls.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) bytes: Vec<u8>,
    /// The message, when it is sent for the first time.
    pub(super) first: Option<Message>,
}

/// Commands that wait for a poll, and the one that waits for its ACK.
#[derive(Debug)]
pub(super) struct Link {
    /// The number of the last command.
    pack: u8,
    waiting: VecDeque<Message>,
    sent: Option<Sent>,
}

impl Link {
    /// `before`: the number before the first; a machine that remembers an earlier process' last number takes an
    /// equal one for a repetition.
    pub(super) fn new(before: u8) -> Self {
        Self { pack: before, waiting: VecDeque::new(), sent: None }
    }

    /// `false`: too many wait already.
    pub(super) fn queue(&mut self, message: Message) -> bool {
        let room = self.waiting.len() < WAITING;
        if room && !self.waiting.contains(&message) {
            self.waiting.push_back(message);
        }
        room
    }

    /// Before everything else that waits but the synchronisation, which both sides owe each other first.
    pub(super) fn queue_first(&mut self, message: Message) {
        self.waiting.truncate(WAITING - 1);
        let place = usize::from(self.waiting.front() == Some(&Message::Sync));
        self.waiting.insert(place, message);
    }

    pub(super) fn next_is(&self, is: impl Fn(&Message) -> bool) -> bool {
        self.sent.is_none() && self.waiting.front().is_some_and(is)
    }

    /// Whether it has never been sent.
    pub(super) fn is_unsent(&self, is: impl Fn(&Message) -> bool) -> bool {
        self.waiting.iter().any(is)
    }

    pub(super) fn waits(&self, is: impl Fn(&Message) -> bool) -> bool {
        self.waiting.iter().chain(self.sent.as_ref().map(|sent| &sent.message)).any(is)
    }

    /// Takes messages back that have not been answered; they are not sent again.
    pub(super) fn forget(&mut self, is: impl Fn(&Message) -> bool) {
        self.waiting.retain(|message| !is(message));
        if self.sent.as_ref().is_some_and(|sent| is(&sent.message)) {
            self.sent = None;
        }
    }

    /// The machine has answered what was sent, if it is this.
    pub(super) fn answered(&mut self, is: impl Fn(&Message) -> bool) {
        if self.sent.as_ref().is_some_and(|sent| is(&sent.message)) {
            self.sent = None;
        }
    }

    /// The machine has acknowledged what was sent.
    pub(super) fn acknowledged(&mut self) -> Option<Message> {
        self.sent.take().map(|sent| sent.message)
    }

    /// The command that has been sent as often as it may and was never answered.
    pub(super) fn give_up(&mut self) -> Option<Message> {
        let worn = self.sent.as_ref().is_some_and(|sent| sent.resends >= RESENDS);
        worn.then(|| self.sent.take()).flatten().map(|sent| sent.message)
    }

    /// What goes out at this poll; `None`: nothing waits.
    pub(super) fn turn(&mut self) -> Option<Turn> {
        if let Some(sent) = &mut self.sent {
            sent.resends += 1;
            return Some(Turn { bytes: sent.bytes.clone(), first: None });
        }
        let message = self.waiting.pop_front()?;
        self.pack = if self.pack == u8::MAX { 1 } else { self.pack + 1 };
        let bytes = message.frame(self.pack).encode();
        self.sent = Some(Sent { message: message.clone(), bytes: bytes.clone(), resends: 0 });
        Some(Turn { bytes, first: Some(message) })
    }
}
