//! Blocks as they are on the bus of a vending machine, and what a cashless device's say (MDB/ICP 4.2, chapter 7).
//!
//! An adapter keeps the bus' timing and its mode bits; what reaches the gateway are whole blocks, in hexadecimal.

/// Longest block, its check included.
pub const BLOCK_BYTES: usize = 36;

/// Why bytes are no block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Nothing, or more than a block may hold.
    #[error("a block of {0} bytes")]
    Length(usize),
    /// The sum does not fit.
    #[error("the check is {found:02x} and should be {expected:02x}")]
    Check {
        /// What stands there.
        found: u8,
        /// The sum of what stands before it.
        expected: u8,
    },
}

/// The sum of all bytes before it.
pub fn check(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// Takes a block's check off.
pub fn open(block: &[u8]) -> Result<&[u8], BlockError> {
    let Some((found, body)) = block.split_last() else { return Err(BlockError::Length(0)) };
    if body.is_empty() || block.len() > BLOCK_BYTES {
        return Err(BlockError::Length(block.len()));
    }
    let expected = check(body);
    if *found == expected { Ok(body) } else { Err(BlockError::Check { found: *found, expected }) }
}

/// Puts a block's check on. A body that is too long is cut.
pub fn seal(body: &[u8]) -> Vec<u8> {
    let body = &body[..body.len().min(BLOCK_BYTES - 1)];
    let mut block = body.to_vec();
    block.push(check(body));
    block
}

/// What the machine asks of a cashless device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// 0: start anew.
    Reset,
    /// 1, 00: what the machine can show.
    Config {
        /// Feature level.
        level: u8,
        /// Columns, rows and kind of its display.
        display: [u8; 3],
    },
    /// 1, 01: its dearest and cheapest product.
    Prices {
        /// In units; FFFF not known.
        highest: u16,
        /// In units; 0000 not known.
        lowest: u16,
    },
    /// 2: anything new?
    Poll,
    /// 3, 00: may this be sold?
    VendRequest {
        /// In units.
        price: u16,
        /// FFFF not known.
        item: u16,
    },
    /// 3, 01: never mind.
    VendCancel,
    /// 3, 02: the product is out.
    VendSuccess {
        /// FFFF not known.
        item: u16,
    },
    /// 3, 03: it is not: give the money back.
    VendFailure,
    /// 3, 04: the shopper is done.
    SessionComplete,
    /// 3, 05: sold for cash.
    CashSale {
        /// In units.
        price: u16,
        /// FFFF not known.
        item: u16,
    },
    /// 3, 06: the machine takes something back and gives credit (level 3).
    NegativeVend {
        /// In units.
        price: u16,
        /// FFFF not known.
        item: u16,
    },
    /// 4, 00 and 01: whether to take cards.
    Enable(bool),
    /// 4, 02: stop what you are doing.
    Cancel,
    /// 7, 00: who are you?
    Identify,
    /// 7, 04: use these options.
    Options(
        /// b0 file transport, b1 money of 32 bits, b2 several currencies, b3 negative vend, b4 data entry, b5 always
        /// idle.
        u32,
    ),
    /// Anything else.
    Other,
}

impl Ask {
    /// Reads a block's body: the first byte is the device's address (10 or 60) and the command.
    pub fn read(body: &[u8]) -> Self {
        let [head, rest @ ..] = body else { return Self::Other };
        match (head & 0b111, rest) {
            (0, []) => Self::Reset,
            (1, [0x00, level, display @ ..]) if display.len() >= 3 => {
                Self::Config { level: *level, display: [display[0], display[1], display[2]] }
            }
            (1, [0x01, a, b, c, d]) => Self::Prices { highest: word(*a, *b), lowest: word(*c, *d) },
            (2, []) => Self::Poll,
            (3, [0x00, a, b, c, d]) => Self::VendRequest { price: word(*a, *b), item: word(*c, *d) },
            (3, [0x01]) => Self::VendCancel,
            (3, [0x02, a, b]) => Self::VendSuccess { item: word(*a, *b) },
            (3, [0x03]) => Self::VendFailure,
            (3, [0x04]) => Self::SessionComplete,
            (3, [0x05, a, b, c, d]) => Self::CashSale { price: word(*a, *b), item: word(*c, *d) },
            (3, [0x06, a, b, c, d]) => Self::NegativeVend { price: word(*a, *b), item: word(*c, *d) },
            (4, [0x00]) => Self::Enable(false),
            (4, [0x01]) => Self::Enable(true),
            (4, [0x02]) => Self::Cancel,
            (7, [0x00, ..]) => Self::Identify,
            (7, [0x04, a, b, c, d]) => Self::Options(u32::from_be_bytes([*a, *b, *c, *d])),
            _ => Self::Other,
        }
    }
}

/// What a cashless device says when it is polled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Say {
    /// 00.
    JustReset,
    /// 01: what it is.
    Config {
        /// Feature level.
        level: u8,
        /// Country or currency, BCD: 1978 is the euro.
        currency: u16,
        /// A price is units × scale.
        scale: u8,
        /// Decimal places.
        decimals: u8,
        /// Its longest time to answer, in seconds.
        response_s: u8,
        /// b0 refunds, b1 several vends, b2 a display, b3 cash sales.
        options: u8,
    },
    /// 03: somebody wants to buy; FFFF not known how much there is.
    BeginSession {
        /// In units.
        funds: u16,
    },
    /// 04: it wants the session to end.
    SessionCancelRequest,
    /// 05: sell it.
    Approved {
        /// In units.
        amount: u16,
    },
    /// 06: do not sell it.
    Denied,
    /// 07.
    EndSession,
    /// 08.
    Cancelled,
    /// 0A: something is broken. Cx: a refund failed, the credit is lost.
    Malfunction(u8),
    /// 0B: the machine must reset it.
    OutOfSequence,
    /// Anything else; what follows it cannot be told apart.
    Other(u8),
}

impl Say {
    /// Reads a block's body: a device may say several things at once.
    pub fn read_all(body: &[u8]) -> Vec<Self> {
        let mut said = Vec::new();
        let mut rest = body;
        while let [head, tail @ ..] = rest {
            let (say, taken) = Self::read(*head, tail);
            let unknown = matches!(say, Self::Other(_));
            said.push(say);
            if unknown {
                break;
            }
            rest = tail.get(taken..).unwrap_or_default();
        }
        said
    }

    /// One message, and how many bytes of the tail are its own.
    fn read(head: u8, tail: &[u8]) -> (Self, usize) {
        match (head, tail) {
            (0x00, _) => (Self::JustReset, 0),
            (0x01, [level, high, low, scale, decimals, response_s, options, ..]) => {
                let (level, scale, decimals) = (*level, *scale, *decimals);
                let (currency, response_s, options) = (word(*high, *low), *response_s, *options);
                (Self::Config { level, currency, scale, decimals, response_s, options }, 7)
            }
            (0x03, [high, low, rest @ ..]) => {
                // Levels 2 and 3 add seven bytes about the card: they are skipped, and never kept.
                let card = if rest.len() >= 7 { 7 } else { 0 };
                (Self::BeginSession { funds: word(*high, *low) }, 2 + card)
            }
            (0x04, _) => (Self::SessionCancelRequest, 0),
            (0x05, [high, low, ..]) => (Self::Approved { amount: word(*high, *low) }, 2),
            (0x06, _) => (Self::Denied, 0),
            (0x07, _) => (Self::EndSession, 0),
            (0x08, _) => (Self::Cancelled, 0),
            (0x0a, [code, ..]) => (Self::Malfunction(*code), 1),
            (0x0b, _) => (Self::OutOfSequence, 0),
            (other, _) => (Self::Other(other), 0),
        }
    }
}

fn word(high: u8, low: u8) -> u16 {
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests;
