//! What may be asked of the gateway and its devices, and how it ends.

use std::fmt;

use super::{
    CommandId, ContentSource, CouponKeys, DeviceId, Enrolment, MemberKey, Order, SaleId, ScreenOverride, Show, Slot,
    Timestamp,
};

/// A short machine-readable reason: `[a-z0-9-]{1,64}`, such as `unknown-device`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// Longest reason, in bytes.
    pub const LIMIT: usize = 64;

    /// Keeps `[a-z0-9-]`, turns everything else into `-`, and cuts at the limit, so that text from outside can
    /// become a reason without carrying anything else along.
    pub fn new(text: &str) -> Self {
        let kept = |c: char| match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') => c,
            _ => '-',
        };
        Self(text.chars().take(Self::LIMIT).map(kept).collect())
    }

    /// The reason as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start or stop reading, of a scanner in command mode.
    ScanTrigger {
        /// `true`: read now; `false`: stop.
        on: bool,
    },
    /// Close the device's line and start its driver anew.
    DeviceRestart,
    /// Send a diagnostics bundle; asked of the gateway itself.
    Diagnostics,
    /// Let a machine give something out.
    Dispense(Order),
    /// Let a machine, whose card reader the gateway is, give out what the shopper chose at it.
    Approve(Order),
    /// Tell a machine, whose card reader the gateway is, that the shopper may not have what they chose.
    Deny {
        /// The sale that the driver's `requested` began.
        sale: SaleId,
        /// Why.
        reason: Reason,
    },
    /// Find out what became of an order that an earlier process, or an earlier run of the driver, had handed to the
    /// machine. Nothing may move for it. It is never filed: the router puts it in the place of a [`Action::Dispense`]
    /// or [`Action::Approve`], with the same command, for a driver that can do it; the driver answers like to the order
    /// itself. Such a driver says [`Step::Dispatched`](super::Step::Dispatched) of an order before the machine is made
    /// to move, and waits until that is on disk: without it the order has moved nothing and may be begun again.
    Recover(Order),
    /// Take the order's price by a card reader that the gateway is the machine of.
    Charge(Order),
    /// Keep what a card reader has taken (the product fell), or give it back.
    ChargeEnd {
        /// The sale.
        sale: SaleId,
        /// Whether the product fell.
        dispensed: bool,
    },
    /// Tell a machine that a lane's jam is gone.
    JamClear {
        /// The lane.
        slot: Slot,
    },
    /// Tell a machine how many are in a lane.
    StockWrite {
        /// The lane.
        slot: Slot,
        /// How many.
        count: u16,
    },
    /// A technician has counted or filled a lane.
    StockSet {
        /// The lane.
        slot: Slot,
        /// How many are in it now.
        count: u16,
    },
    /// A technician has cleared a lane: it is sold from again.
    LaneClear {
        /// The lane.
        slot: Slot,
    },
    /// Keys that an issuer signs coupons with.
    CouponKeys(CouponKeys),
    /// A member consents to be recognised.
    MemberEnrol(Box<Enrolment>),
    /// A member is to be forgotten, everywhere on this box.
    MemberForget {
        /// Who.
        member: MemberKey,
    },
    /// Show something on a screen. Done when its page has painted it.
    Show(Show),
    /// Get new content, and show it once all of it is here.
    ContentPut(ContentSource),
    /// Say something on every screen before everything else, or call it off.
    ScreenOverride(ScreenOverride),
    /// What the payment side says of a sale.
    Answer(PaymentAnswer),
    /// A person has looked and says what became of a sale that nobody else could know of.
    SaleResolve {
        /// The sale.
        sale: SaleId,
        /// What became of it.
        resolution: Resolution,
        /// Who says so, 1 to 64 characters.
        by: String,
    },
}

/// What the payment side says of a sale. The first that says something final counts; what comes later changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentAnswer {
    /// The sale.
    pub sale: SaleId,
    /// What is said.
    pub said: Said,
    /// Why, where there is a why.
    pub reason: Option<Reason>,
    /// What the payment provider calls it, at most 128 characters.
    pub provider_ref: Option<String>,
}

/// See [`PaymentAnswer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Whether the money is promised.
    Authorised(bool),
    /// To a query: whether it is paid; `None`: not known yet.
    Queried(Option<bool>),
    /// To a cancellation: whether it is undone for good, closed if it was not paid and given back if it was.
    Cancelled(bool),
}

/// What a person says became of a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resolution {
    /// The shopper has the product: the money is kept.
    Dispensed,
    /// The shopper has no product: the money goes back.
    Refunded,
}

impl Resolution {
    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dispensed => "dispensed",
            Self::Refunded => "refunded",
        }
    }

    /// The resolution the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Dispensed, Self::Refunded].into_iter().find(|resolution| resolution.as_str() == word)
    }
}

/// Who carries an action out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executor {
    /// The device's driver.
    Driver,
    /// The gateway itself, with the device's driver where it is about one.
    Gateway,
    /// A flow over the journal: a machine's ledger or a station.
    Flow,
}

macro_rules! actions {
    ($($name:ident = $word:literal, $executor:ident, idempotent: $idempotent:literal, offered: $offered:literal;)*) => {
        /// The name of an action, without its arguments: what a device says it can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ActionKind {
            $(#[doc = concat!("`", $word, "`: see [`Action`].")] $name,)*
        }

        impl ActionKind {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The contract's word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Whether doing it twice does no more than doing it once. Only such an action may be repeated when it is
            /// not known whether it happened.
            pub const fn idempotent(self) -> bool {
                match self { $(Self::$name => $idempotent,)* }
            }

            /// Whether the contract offers it to the cloud; the others are the house's own.
            pub const fn offered(self) -> bool {
                match self { $(Self::$name => $offered,)* }
            }

            /// Who carries it out.
            pub const fn executor(self) -> Executor {
                match self { $(Self::$name => Executor::$executor,)* }
            }
        }
    };
}

actions! {
    ScanTrigger = "scan.trigger", Driver, idempotent: true, offered: true;
    DeviceRestart = "device.restart", Gateway, idempotent: true, offered: true;
    Diagnostics = "diagnostics", Gateway, idempotent: true, offered: true;
    Dispense = "dispense", Driver, idempotent: false, offered: true;
    Approve = "vend.approve", Driver, idempotent: false, offered: false;
    Deny = "vend.deny", Driver, idempotent: true, offered: false;
    Recover = "vend.recover", Driver, idempotent: true, offered: false;
    Charge = "charge", Driver, idempotent: false, offered: false;
    ChargeEnd = "charge.end", Driver, idempotent: false, offered: false;
    JamClear = "jam.clear", Driver, idempotent: true, offered: false;
    StockWrite = "stock.write", Driver, idempotent: true, offered: false;
    StockSet = "stock.set", Flow, idempotent: true, offered: true;
    LaneClear = "lane.clear", Flow, idempotent: true, offered: true;
    CouponKeys = "coupon.keys", Gateway, idempotent: true, offered: true;
    MemberEnrol = "member.enrol", Gateway, idempotent: true, offered: true;
    MemberForget = "member.forget", Gateway, idempotent: true, offered: true;
    Show = "show", Driver, idempotent: true, offered: true;
    ContentPut = "content.put", Gateway, idempotent: true, offered: true;
    ScreenOverride = "screen.override", Gateway, idempotent: true, offered: true;
    SaleAuthorised = "sale.authorised", Flow, idempotent: true, offered: true;
    SaleQueried = "sale.queried", Flow, idempotent: true, offered: true;
    SaleCancelled = "sale.cancelled", Flow, idempotent: true, offered: true;
    SaleResolve = "sale.resolve", Flow, idempotent: true, offered: false;
}

impl ActionKind {
    /// The action the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }
}

impl Action {
    /// Which action this is.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::ScanTrigger { .. } => ActionKind::ScanTrigger,
            Self::DeviceRestart => ActionKind::DeviceRestart,
            Self::Diagnostics => ActionKind::Diagnostics,
            Self::Dispense(_) => ActionKind::Dispense,
            Self::Approve(_) => ActionKind::Approve,
            Self::Deny { .. } => ActionKind::Deny,
            Self::Recover(_) => ActionKind::Recover,
            Self::Charge(_) => ActionKind::Charge,
            Self::ChargeEnd { .. } => ActionKind::ChargeEnd,
            Self::JamClear { .. } => ActionKind::JamClear,
            Self::StockWrite { .. } => ActionKind::StockWrite,
            Self::StockSet { .. } => ActionKind::StockSet,
            Self::LaneClear { .. } => ActionKind::LaneClear,
            Self::CouponKeys(_) => ActionKind::CouponKeys,
            Self::MemberEnrol(_) => ActionKind::MemberEnrol,
            Self::MemberForget { .. } => ActionKind::MemberForget,
            Self::Show(_) => ActionKind::Show,
            Self::ContentPut(_) => ActionKind::ContentPut,
            Self::ScreenOverride(_) => ActionKind::ScreenOverride,
            Self::Answer(answer) => match answer.said {
                Said::Authorised(_) => ActionKind::SaleAuthorised,
                Said::Queried(_) => ActionKind::SaleQueried,
                Said::Cancelled(_) => ActionKind::SaleCancelled,
            },
            Self::SaleResolve { .. } => ActionKind::SaleResolve,
        }
    }

    /// The order that it hands to a machine, when it does.
    pub const fn order(&self) -> Option<&Order> {
        match self {
            Self::Dispense(order) | Self::Approve(order) | Self::Recover(order) => Some(order),
            _ => None,
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The cloud, over MQTT.
    Cloud,
    /// Somebody at the box: the console or the command line.
    Local,
    /// A station's flow.
    Flow,
}

impl Origin {
    /// Its stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Local => "local",
            Self::Flow => "flow",
        }
    }

    /// The origin a stored word names.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Cloud, Self::Local, Self::Flow].into_iter().find(|origin| origin.as_str() == word)
    }
}

/// Something asked, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Chosen by whoever asks; the same id never acts twice.
    pub id: CommandId,
    /// Whom it is for; `None`: the gateway itself.
    pub device: Option<DeviceId>,
    /// What is asked.
    pub action: Action,
    /// Wall time after which it must not be done any more.
    pub not_after: Timestamp,
    /// Who asks.
    pub origin: Origin,
}

/// How far a command has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandState {
    /// On disk, nothing done.
    Accepted,
    /// Recorded as handed to its device, of an order: as what the machine is about to be driven for. After a power cut
    /// nobody knows whether it was done.
    Dispatched,
    /// Over, for ever.
    Ended(Ended),
}

/// How a command ended. There is exactly one end for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was done.
    Done,
    /// It was not begun.
    Refused(Reason),
    /// It was begun and is known not to have worked.
    Failed(Reason),
    /// Its time was over before it was begun.
    Expired,
    /// Nobody can know whether it was done. Never retried on a guess.
    Indeterminate(Reason),
}

impl Ended {
    /// The contract's word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
            Self::Expired => "expired",
            Self::Indeterminate(_) => "indeterminate",
        }
    }

    /// Why, where there is a why.
    pub const fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Refused(reason) | Self::Failed(reason) | Self::Indeterminate(reason) => Some(reason),
            Self::Done | Self::Expired => None,
        }
    }

    /// From the contract's word and reason.
    pub fn parse(word: &str, reason: Option<&str>) -> Option<Self> {
        let reason = || Reason::new(reason.unwrap_or("unspecified"));
        Some(match word {
            "done" => Self::Done,
            "refused" => Self::Refused(reason()),
            "failed" => Self::Failed(reason()),
            "expired" => Self::Expired,
            "indeterminate" => Self::Indeterminate(reason()),
            _ => return None,
        })
    }
}

/// The end of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Which command.
    pub command: CommandId,
    /// How it ended.
    pub ended: Ended,
}

/// An action on its way into a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The command it carries out; the driver's outcome names it.
    pub command: CommandId,
    /// What to do.
    pub action: Action,
    /// Elapsed-time deadline: a queue can outlive its purpose.
    pub deadline: std::time::Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_carries_nothing_but_its_alphabet() {
        assert_eq!(Reason::new("Unknown device: \"x\"").as_str(), "unknown-device---x-");
        assert_eq!(Reason::new(&"é".repeat(99)).as_str().len(), 64);
    }

    #[test]
    fn every_end_survives_its_word() {
        let reason = Reason::new("why-not");
        let ends = [
            Ended::Done,
            Ended::Refused(reason.clone()),
            Ended::Failed(reason.clone()),
            Ended::Expired,
            Ended::Indeterminate(reason),
        ];
        for end in ends {
            assert_eq!(Ended::parse(end.as_str(), end.reason().map(Reason::as_str)), Some(end));
        }
        assert_eq!(Ended::parse("perhaps", None), None);
    }
}
