//! The valid configuration: checked newtypes, no positions.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::device::Device;
use crate::types::{
    BrokerAddress, CodeGrammars, DeviceId, Encoding, Endpoint, GatewayId, KeyId, Minor, Slot, StationId, StoreId,
    Timestamp,
};

/// Where the console listens when `[console]` does not say.
pub const CONSOLE_LISTEN: &str = "127.0.0.1:8480";
/// Largest journal when `[journal]` does not say, in bytes.
pub const JOURNAL_MAX_SIZE: u64 = 512 << 20;
/// Smallest journal that can be asked for, in bytes.
pub const JOURNAL_MIN_SIZE: u64 = 1 << 20;
/// How long confirmed events stay when `[journal]` does not say.
pub const JOURNAL_KEEP_CONFIRMED: Duration = Duration::from_secs(72 * 3600);
/// How long a configuration of the cloud is tried when `[cloud]` does not say.
pub const CLOUD_TRIAL: Duration = Duration::from_secs(60);
/// Events older than a minute sent in a second when `[cloud]` does not say: more than a small box reads, and so a
/// setting and no brake.
pub const CLOUD_BACKFILL_PER_S: NonZeroU32 = NonZeroU32::new(25_000).unwrap();
/// Most that can be asked for.
pub const CLOUD_BACKFILL_MOST_PER_S: u32 = 100_000;
/// Where journal and caches are when `[gateway]` does not say, relative to the file.
pub const DATA_DIR: &str = "data";

/// Where the networks are when `[gateway]` does not say, in its `data_dir`.
pub const MODELS_DIR: &str = "models";

/// Largest size of all files of one content when `[content]` does not say, in bytes.
pub(super) const CONTENT_MAX_SIZE: u64 = 4 << 30;

/// Members who may be enrolled when `[members]` does not say.
pub const MEMBERS_AT_MOST: usize = 30;
/// Where the key of their templates is when `[members]` does not say, in `data_dir`.
pub const MEMBERS_KEY_FILE: &str = "members.key";

/// A store as its configuration describes it.
#[derive(Debug)]
pub struct Store {
    /// The store's name, unique in the chain.
    pub id: StoreId,
    /// The store's time zone.
    pub timezone: TimeZone,
    /// This gateway.
    pub gateway: Gateway,
    /// The broker; `None`: the store runs on its own and buffers.
    pub cloud: Option<Cloud>,
    /// The console; `None`: nothing listens.
    pub console: Option<Console>,
    /// Bounds of the journal.
    pub journal: Journal,
    /// What screens may show; `None`: nothing that is sent.
    pub content: Option<Content>,
    /// Members may be recognised; `None`: nobody is enrolled, nobody is recognised.
    pub members: Option<Members>,
    /// The chain's own code grammars.
    pub codes: CodeGrammars,
    /// The devices, in the order of the file.
    pub devices: Vec<ConfiguredDevice>,
    /// The stations, in the order of the file.
    pub stations: Vec<Station>,
}

/// `[gateway]`.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// The gateway's name, unique in its store.
    pub id: GatewayId,
    /// Journal, last good configuration, caches. Absolute when the configuration's directory is.
    pub data_dir: PathBuf,
    /// The networks of cameras.
    pub models_dir: PathBuf,
    /// Whose word counts for the wall clock.
    pub clock: Trust,
}

/// Which clock is trusted. The composition root maps it to `clock::Trust`, which this layer may not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// Synchronised unless the kernel says `TIME_ERROR`.
    #[default]
    Kernel,
    /// A battery-backed clock or the host is trusted.
    Trusted,
}

impl Trust {
    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Trusted => "trusted",
        }
    }
}

/// `[cloud]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cloud {
    /// Where the broker is.
    pub broker: BrokerAddress,
    /// MQTT user name.
    pub username: Option<String>,
    /// File that holds the MQTT password.
    pub password_file: Option<PathBuf>,
    /// Certificates (PEM) that the broker's is checked against; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// The gateway's certificate (PEM) and its key, for brokers that ask for one.
    pub identity: Option<TlsIdentity>,
    /// How long a configuration of the cloud may take to run well before it is taken back.
    pub trial: Duration,
    /// Events older than a minute sent in a second, money aside.
    pub backfill_per_s: NonZeroU32,
    /// How messages of events travel.
    pub encoding: Encoding,
}

/// A certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    /// Certificate chain (PEM).
    pub cert_file: PathBuf,
    /// Private key (PEM).
    pub key_file: PathBuf,
}

/// `[console]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Certificate and key; always there when `listen` is not loopback.
    pub identity: Option<TlsIdentity>,
    /// Who may log in; always there when `listen` is not loopback.
    pub users_file: Option<PathBuf>,
}

/// `[journal]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Journal {
    /// Largest size of the journal, in bytes.
    pub max_size: u64,
    /// How long confirmed events stay for local readers.
    pub keep_confirmed: Duration,
}

/// `[content]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Who may sign it: Ed25519 public keys by name.
    pub keys: BTreeMap<KeyId, [u8; 32]>,
    /// Largest size of all files of one content, in bytes.
    pub max_size: u64,
}

/// `[members]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// The key that templates are sealed with; `None`: a file in `data_dir`.
    pub key_file: Option<PathBuf>,
    /// Members, at most.
    pub at_most: usize,
}

impl Default for Journal {
    fn default() -> Self {
        Self { max_size: JOURNAL_MAX_SIZE, keep_confirmed: JOURNAL_KEEP_CONFIRMED }
    }
}

/// A device and what the configuration said of it.
#[derive(Debug)]
pub struct ConfiguredDevice {
    /// The device, not running.
    pub device: Box<dyn Device>,
    /// Its kind: `scanner.serial`.
    pub kind: &'static str,
    /// Its profile: `scanner/gm65`.
    pub profile: String,
    /// Text of the profile.
    pub profile_text: String,
    /// `[device.settings]` as written, with the defaults its kind's schema names.
    pub settings: toml::Table,
}

impl ConfiguredDevice {
    /// Its name.
    pub fn id(&self) -> &DeviceId {
        self.device.id()
    }

    /// Its endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        self.device.endpoint()
    }
}

/// A kind of station.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// A vending machine sells.
    Sale,
    /// A coupon or member code gets a sample.
    Sampling,
    /// A coupon is redeemed at the till.
    Redeem,
    /// A mirror reacts to who stands before it.
    Mirror,
    /// A shelf's screen plays.
    Shelf,
    /// Who comes in is counted.
    Door,
}

impl Flow {
    /// Every flow.
    pub const ALL: [Self; 6] = [Self::Sale, Self::Sampling, Self::Redeem, Self::Mirror, Self::Shelf, Self::Door];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Sampling => "sampling",
            Self::Redeem => "redeem",
            Self::Mirror => "mirror",
            Self::Shelf => "shelf",
            Self::Door => "door",
        }
    }

    /// The flow the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flow| flow.as_str() == word)
    }

    /// The roles that must be filled.
    pub const fn required(self) -> &'static [Role] {
        match self {
            Self::Sale => &[Role::Machine],
            Self::Sampling => &[Role::Scanner, Role::Machine],
            Self::Redeem => &[Role::Scanner],
            Self::Mirror => &[Role::Camera, Role::Screen],
            Self::Shelf => &[Role::Screen],
            Self::Door => &[],
        }
    }

    /// The roles that may be filled.
    pub const fn optional(self) -> &'static [Role] {
        match self {
            Self::Sale => &[Role::Scanner, Role::Screen],
            Self::Sampling | Self::Redeem => &[Role::Screen],
            Self::Mirror => &[Role::Scanner],
            Self::Shelf => &[Role::Sensor, Role::Scanner],
            Self::Door => &[Role::Camera, Role::Probe, Role::Counter, Role::Scanner],
        }
    }

    /// Whether the flow has this role at all.
    pub fn has(self, role: Role) -> bool {
        self.required().contains(&role) || self.optional().contains(&role)
    }
}

/// What a device does in a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Dispenses.
    Machine,
    /// Reads codes.
    Scanner,
    /// Shows.
    Screen,
    /// Sees.
    Camera,
    /// Weighs, counts or feels.
    Sensor,
    /// Hears WiFi probes.
    Probe,
    /// Counts people.
    Counter,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 7] =
        [Self::Machine, Self::Scanner, Self::Screen, Self::Camera, Self::Sensor, Self::Probe, Self::Counter];

    /// The key of a `[[station]]`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Scanner => "scanner",
            Self::Screen => "screen",
            Self::Camera => "camera",
            Self::Sensor => "sensor",
            Self::Probe => "probe",
            Self::Counter => "counter",
        }
    }

    /// The families of profiles (what stands before the slash) that can fill it.
    pub const fn families(self) -> &'static [&'static str] {
        match self {
            Self::Machine => &["vending"],
            Self::Scanner => &["scanner"],
            Self::Screen => &["screen"],
            Self::Camera => &["camera"],
            Self::Sensor => &["sensor"],
            Self::Probe => &["footfall"],
            Self::Counter => &["footfall", "sensor", "counter"],
        }
    }

    /// Whether a device in this role only tells, so that any number of stations can listen to it.
    pub const fn only_tells(self) -> bool {
        matches!(self, Self::Camera | Self::Sensor | Self::Probe | Self::Counter)
    }
}

/// `[[station]]`: devices that work together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// Its name.
    pub id: StationId,
    /// What it is for.
    pub flow: Flow,
    /// Who does what.
    pub roles: BTreeMap<Role, DeviceId>,
    /// Whether coupons are taken while the clock is not known to be right (`unsynced = "accept"`, of `redeem` only).
    pub unsynced_allowed: bool,
    /// What it sells or gives.
    pub settings: StationSettings,
}

/// `[station.settings]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StationSettings {
    /// The lanes, in the order they are used.
    pub slots: Vec<Slot>,
    /// The price, where the machine does not say it.
    pub price: Option<Minor>,
    /// Whether nobody pays.
    pub free: bool,
    /// The campaign.
    pub campaign: Option<String>,
    /// How many samples it has in all.
    pub quota: Option<u32>,
    /// When it begins.
    pub from: Option<Timestamp>,
    /// When it is over.
    pub until: Option<Timestamp>,
}
