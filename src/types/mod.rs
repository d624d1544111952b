//! The vocabulary: plain data, no I/O, no clock.
//!
//! Four nouns, never mixed: an [`Observation`] is what a driver says; an [`Event`] is an observation (or a
//! [`Notice`] of the gateway itself) that the journal has stamped; a [`Command`] is what may be asked; an
//! [`Outcome`] is how it ended.
//!
//! What is absent: nothing here reads a clock, a file or a socket, nothing derives `Serialize` (the cloud's and
//! the journal's forms are hand-written counterparts elsewhere, so a rename here breaks neither), and nothing
//! here knows which device exists.

mod broker;
mod chain;
mod code;
mod command;
mod coupon;
mod desired;
mod diagnostic;
mod digest;
mod dwell;
mod endpoint;
mod entitlement;
mod event;
mod face;
mod footfall;
mod health;
mod id;
mod machine;
mod money;
mod observation;
mod payment_code;
mod sale;
mod screen;
mod session;
mod tally;
mod time;
pub mod units;
mod user;
mod wipe;

pub use broker::{BrokerAddress, BrokerAddressError, Encoding};
pub use chain::Chain;
pub use code::{CodeGrammars, CodeKind, CodeScanned, Gtin, Symbology};
pub use command::{
    Action, ActionKind, Assigned, Command, CommandState, Ended, Executor, Origin, Outcome, PaymentAnswer, Reason,
    Resolution, Said,
};
pub use coupon::{
    Counter, CouponClaims, CouponClock, CouponKeys, CouponKind, CouponRefusal, CouponValue, IssuerKey, KeyRing,
    Redemption, Verdict,
};
pub use desired::{ConfigError, ConfigReport, ConfigState, ConfigVersion, DesiredConfig};
pub use diagnostic::{Diagnostic, Severity, Span, nearest};
pub use digest::{Sha256, Sha256Error};
pub use dwell::Dwell;
pub use endpoint::{CameraUrl, Endpoint, EndpointError};
pub use entitlement::SampleRuling;
pub use event::{Body, Cause, Class, Draft, DropReason, Event, Notice, OpenReason};
pub use face::{DistanceBand, Enrolment, FaceMember, FaceVisit, FaceWindow, ImageSource, Likeness, SimilarityBand};
pub use footfall::{FootfallBreakdown, FootfallCell, FootfallWindow, Tenths};
pub use health::{Condition, HealthChange, Level};
pub use id::{
    BootId, CommandId, ConsentId, CouponId, DeviceId, Epoch, EventId, FacingId, GatewayId, IssuerId, KeyId, MemberKey,
    NameError, Row, SaleId, SceneId, Seq, Sku, StationId, StoreId, ZoneId,
};
pub use machine::{Cash, CashKind, Climate, LaneStatus, MachineStatus, PartState, Selection, Stock, StockSource};
pub use money::{Currency, Minor};
pub use observation::Observation;
pub use payment_code::PaymentCode;
pub use sale::{Order, Payment, SaleStep, Slot, Step};
pub use screen::{ContentSource, PageKind, PlayResult, ScreenAction, ScreenOverride, ScreenPlay, Show, Verb};
pub use session::{SessionChange, SessionEnd, StationSession};
pub use tally::Tally;
pub use time::{Stamp, Timestamp, TimestampError};
pub use user::{PinHash, User, UserMistake, UserRole};
pub use wipe::wipe;
