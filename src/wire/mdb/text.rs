//! The adapter's lines of text ↔ meaning.
//!
//! ```text
//! → C,1                     be a cashless device
//! ← c,STATUS,ENABLED        the machine takes cards
//! ← c,STATUS,VEND,1.00,2    item 2 at 1.00?
//! → C,VEND,1.00             yes
//! ← c,VEND,SUCCESS          it is out
//! ```

use std::time::{Duration, Instant};

/// Longest line, its end not counted.
pub const LINE_BYTES: usize = 128;

/// What the adapter says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// `c,STATUS,…`: as a cashless device.
    Slave(SlaveState),
    /// `c,VEND,SUCCESS`: the product is out.
    VendSuccess,
    /// `c,ERR,VEND 3`: it is not; the money goes back.
    VendFailure,
    /// `c,ERR,…`, everything else.
    SlaveError,
    /// `d,STATUS,…`: as the machine of a card reader.
    Master(MasterState),
    /// `d,ERR,…`.
    MasterError,
    /// `r,ACK`, `m,ACK`, `a,ACK/10`, `p,ACK`: the adapter, or the device on the bus, has understood.
    Ack,
    /// `m,NACK`, `p,NACK`: it has not.
    Nack,
    /// `p,<hex>`: a block from the bus, check included.
    Block(Vec<u8>),
    /// A line of another kind.
    Other,
}

/// A cashless device's state, as the adapter keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlaveState {
    /// The machine has reset the device, or does not talk to it.
    Inactive,
    /// The machine takes no cards now.
    Disabled,
    /// It takes cards; no session is open.
    Enabled,
    /// A session is open.
    Idle,
    /// The machine asks whether it may sell.
    Vend {
        /// In the currency's smallest unit.
        price_minor: u32,
        /// The item.
        item: u16,
    },
}

/// A card reader's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MasterState {
    /// It has been reset.
    Reset,
    /// It has said what it is.
    Init,
    /// It waits for a card.
    Idle,
    /// It asks its bank.
    Vend,
    /// It has an answer.
    Result {
        /// In the currency's smallest unit; `None`: no.
        approved_minor: Option<u32>,
    },
    /// Another.
    Other,
}

impl Said {
    /// Reads a line. `decimals`: how many places the currency has. `None`: no line of this adapter.
    pub fn read(line: &str, decimals: u8) -> Option<Self> {
        let mut words = line.split(',').map(|word| word.trim().trim_matches('"').trim());
        let first = words.next()?;
        let rest: Vec<&str> = words.collect();
        match (first, rest.as_slice()) {
            ("c", ["STATUS", state @ ..]) => Some(Self::Slave(slave_state(state, decimals)?)),
            ("c", ["VEND", "SUCCESS", ..]) => Some(Self::VendSuccess),
            ("c", ["ERR", error, ..]) => {
                let failed = error.strip_prefix("VEND").is_some_and(|code| code.trim() == "3");
                Some(if failed { Self::VendFailure } else { Self::SlaveError })
            }
            ("d", ["STATUS", state @ ..]) => Some(Self::Master(master_state(state, decimals)?)),
            ("d", ["ERR", ..]) => Some(Self::MasterError),
            ("r" | "m" | "a" | "p", ["NACK", ..]) => Some(Self::Nack),
            ("r" | "m" | "a" | "p", [ack, ..]) if ack.split('/').next() == Some("ACK") => Some(Self::Ack),
            ("p", [hex]) => Some(Self::Block(from_hex(hex)?)),
            ("c" | "d" | "r" | "m" | "a" | "p" | "v" | "x", _) => Some(Self::Other),
            _ => None,
        }
    }

    /// The line that says it, for the other end.
    pub fn line(&self, decimals: u8) -> String {
        let money = |minor: &u32| amount(*minor, decimals);
        match self {
            Self::Slave(SlaveState::Inactive) => "c,STATUS,INACTIVE".to_owned(),
            Self::Slave(SlaveState::Disabled) => "c,STATUS,DISABLED".to_owned(),
            Self::Slave(SlaveState::Enabled) => "c,STATUS,ENABLED".to_owned(),
            Self::Slave(SlaveState::Idle) => "c,STATUS,IDLE".to_owned(),
            Self::Slave(SlaveState::Vend { price_minor, item }) => {
                format!("c,STATUS,VEND,{},{item}", money(price_minor))
            }
            Self::VendSuccess => "c,VEND,SUCCESS".to_owned(),
            Self::VendFailure => "c,ERR,VEND 3".to_owned(),
            Self::SlaveError => "c,ERR,\"cashless is on\"".to_owned(),
            Self::Master(MasterState::Reset) => "d,STATUS,RESET".to_owned(),
            Self::Master(MasterState::Init) => "d,STATUS,INIT,1".to_owned(),
            Self::Master(MasterState::Idle) => "d,STATUS,IDLE".to_owned(),
            Self::Master(MasterState::Vend) => "d,STATUS,VEND".to_owned(),
            Self::Master(MasterState::Result { approved_minor: Some(minor) }) => {
                format!("d,STATUS,RESULT,1,{}", money(minor))
            }
            Self::Master(MasterState::Result { approved_minor: None }) => "d,STATUS,RESULT,-1".to_owned(),
            Self::Master(MasterState::Other) => "d,STATUS,CREDIT".to_owned(),
            Self::MasterError => "d,ERR,\"-1\"".to_owned(),
            Self::Ack => "r,ACK".to_owned(),
            Self::Nack => "m,NACK".to_owned(),
            Self::Block(block) => format!("p,{}", block.iter().map(|byte| format!("{byte:02X}")).collect::<String>()),
            Self::Other => "v".to_owned(),
        }
    }
}

fn slave_state(words: &[&str], decimals: u8) -> Option<SlaveState> {
    Some(match words {
        ["INACTIVE", ..] => SlaveState::Inactive,
        ["DISABLED", ..] => SlaveState::Disabled,
        ["ENABLED", ..] => SlaveState::Enabled,
        ["IDLE", ..] => SlaveState::Idle,
        ["VEND", price, item, ..] => {
            SlaveState::Vend { price_minor: minor(price, decimals)?, item: item.parse().ok()? }
        }
        _ => return None,
    })
}

fn master_state(words: &[&str], decimals: u8) -> Option<MasterState> {
    Some(match words {
        ["RESET", ..] => MasterState::Reset,
        ["INIT", ..] => MasterState::Init,
        ["IDLE", ..] => MasterState::Idle,
        ["VEND", ..] => MasterState::Vend,
        ["RESULT", "1", amount, ..] => MasterState::Result { approved_minor: Some(minor(amount, decimals)?) },
        ["RESULT", "-1", ..] => MasterState::Result { approved_minor: None },
        ["RESULT", ..] => return None,
        [_, ..] => MasterState::Other,
        [] => return None,
    })
}

/// An amount as the adapter writes it: `1.20`.
pub fn amount(minor: u32, decimals: u8) -> String {
    let places = usize::from(decimals.min(6));
    let digits = format!("{minor:0>width$}", width = places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    if places == 0 { whole.to_owned() } else { format!("{whole}.{part}") }
}

/// An amount as it reads: fewer places than the currency has are filled up, more are no amount.
pub fn minor(text: &str, decimals: u8) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let places = usize::from(decimals.min(6));
    let numeric = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let kept = part.len().min(places);
    if whole.is_empty() || !numeric(whole) || !numeric(part) || part.bytes().skip(kept).any(|byte| byte != b'0') {
        return None;
    }
    format!("{whole}{:0<places$}", &part[..kept]).parse().ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.chars().filter(|c| *c != ' ').map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    pairs.collect::<Option<Vec<_>>>().filter(|bytes| !bytes.is_empty())
}

/// Cuts the stream into lines. What cannot be a line of text is noise, up to the next line's end.
#[derive(Debug)]
pub struct Lines {
    gap: Duration,
    line: Vec<u8>,
    spoiled: u64,
    last_byte: Instant,
}

/// Something found on the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A line without its end, printable ASCII.
    Line(String),
    /// So many bytes that are no line.
    Noise(u64),
}

impl Lines {
    /// `gap`: how long a line may pause in its middle.
    pub fn new(gap: Duration, now: Instant) -> Self {
        Self { gap, line: Vec::new(), spoiled: 0, last_byte: now }
    }

    /// Takes bytes and gives what they complete.
    pub fn push(&mut self, now: Instant, bytes: &[u8], mut found: impl FnMut(Piece)) {
        if !bytes.is_empty() {
            self.last_byte = now;
        }
        for byte in bytes {
            match byte {
                b'\r' | b'\n' => self.end(&mut found),
                b' '..=b'~' if self.spoiled == 0 && self.line.len() < LINE_BYTES => self.line.push(*byte),
                _ => self.spoil(),
            }
        }
    }

    /// Gives up a line that has not gone on for too long.
    pub fn tick(&mut self, now: Instant, mut found: impl FnMut(Piece)) {
        if self.deadline().is_some_and(|at| now >= at) {
            let noise = std::mem::take(&mut self.spoiled) + self.line.len() as u64;
            self.line.clear();
            found(Piece::Noise(noise));
        }
    }

    /// When [`Lines::tick`] is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        (!self.line.is_empty() || self.spoiled > 0).then(|| self.last_byte + self.gap)
    }

    fn spoil(&mut self) {
        self.spoiled += 1 + self.line.len() as u64;
        self.line.clear();
    }

    fn end(&mut self, found: &mut impl FnMut(Piece)) {
        if self.spoiled > 0 {
            found(Piece::Noise(std::mem::take(&mut self.spoiled) + 1));
        } else if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            found(Piece::Line(line.into_iter().map(char::from).collect()));
        }
    }
}

#[cfg(test)]
mod tests;
