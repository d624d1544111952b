//! Facts and settings of footfall sensors: as the files have them, then checked.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Time;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::hours::Hours;
use super::kind::{CommonChoices, CommonFacts, Dialect};
use super::manner::{CountedBy, Manner};
use super::source::{Channels, Plan};
use crate::device::{Checks, RawDevice, Section, milliseconds};
use crate::sense::footfall::{Calibration, Settings};
use crate::transport::{Parity, StopBits, TtySettings};
use crate::types::{DeviceId, Endpoint, units};
use crate::wire::dot11::Address;
use crate::wire::probebox::parse_address;

const SIGNAL_DBM: RangeInclusive<i32> = -128..=0;
const DWELL_MS: RangeInclusive<u32> = 20..=60_000;
const BAUD: RangeInclusive<u32> = 300..=4_000_000;
const TIMES: RangeInclusive<u32> = 1..=10_000;
const SUPPRESS_BELOW: RangeInclusive<u32> = 5..=1000;
const DEFAULT_SUPPRESS_BELOW: u32 = 10;
/// Channels in one plan.
const CHANNELS: usize = 64;
/// Devices and access points of the shop itself.
const OWN: usize = 1024;

/// A duration of a profile or setting: its name, what was written.
type Written<'a> = (&'a str, &'a Spanned<String>);

/// What every sensor's profile says of how it counts.
pub(crate) struct RawFacts<'a> {
    rssi_min_dbm: &'a Spanned<i32>,
    visit_rssi_min_dbm: &'a Spanned<i32>,
    visit_silence: &'a Spanned<String>,
    stay_after: &'a Spanned<String>,
    fixture_after: &'a Spanned<String>,
    windows: &'a [Spanned<String>],
    silent_after: &'a Spanned<String>,
}

/// What a shop may say of every sensor.
pub(crate) struct RawChoices<'a> {
    rssi_min_dbm: Option<&'a Spanned<i32>>,
    visit_rssi_min_dbm: Option<&'a Spanned<i32>>,
    opens: Option<&'a Spanned<String>>,
    closes: Option<&'a Spanned<String>>,
    own_devices: &'a [Spanned<String>],
    own_access_points: &'a [Spanned<String>],
    opt_out: Option<&'a Spanned<String>>,
    calibration: Option<&'a Spanned<String>>,
    suppress_below: Option<&'a Spanned<u32>>,
    counted_by: Option<&'a Spanned<String>>,
}

macro_rules! facts {
    ($(#[$doc:meta])* $name:ident { $($(#[$meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$meta])* $field: $type,)*
            /// What is heard more weakly than this does not count at all, in dBm; -128: everything counts.
            #[schemars(with = "i32", range(min = -128, max = 0))]
            rssi_min_dbm: Spanned<i32>,
            /// A device that is once heard this strongly has come in; one that is not has passed by. In dBm.
            #[schemars(with = "i32", range(min = -128, max = 0))]
            visit_rssi_min_dbm: Spanned<i32>,
            /// A visit ends after this long a silence: "5min".
            #[schemars(with = "String")]
            visit_silence: Spanned<String>,
            /// Who came in and is there for this long has stayed.
            #[schemars(with = "String")]
            stay_after: Spanned<String>,
            /// A device that was heard for this long in all while the shop was closed belongs to it.
            #[schemars(with = "String")]
            fixture_after: Spanned<String>,
            /// Lengths of the windows that are counted: 1 s to 1 day, in whole seconds, at most 8.
            #[schemars(with = "Vec<String>")]
            windows: Vec<Spanned<String>>,
            /// The sensor counts as silent when nothing was heard for this long.
            #[schemars(with = "String")]
            silent_after: Spanned<String>,
        }

        impl CommonFacts for $name {
            fn counting(&self) -> RawFacts<'_> {
                RawFacts {
                    rssi_min_dbm: &self.rssi_min_dbm,
                    visit_rssi_min_dbm: &self.visit_rssi_min_dbm,
                    visit_silence: &self.visit_silence,
                    stay_after: &self.stay_after,
                    fixture_after: &self.fixture_after,
                    windows: &self.windows,
                    silent_after: &self.silent_after,
                }
            }
        }
    };
}

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$meta])* $field: $type,)*
            /// What is heard more weakly than this does not count at all, in dBm, if not as the profile says: set it so
            /// that the street is not counted.
            #[schemars(with = "Option<i32>", range(min = -128, max = 0))]
            rssi_min_dbm: Option<Spanned<i32>>,
            /// A device that is once heard this strongly has come in, if not as the profile says. In dBm.
            #[schemars(with = "Option<i32>", range(min = -128, max = 0))]
            visit_rssi_min_dbm: Option<Spanned<i32>>,
            /// When the shop opens, local time: "10:00". Left out: always open, and nobody is learned to belong to it.
            #[schemars(with = "Option<String>")]
            opens: Option<Spanned<String>>,
            /// When the shop closes, local time: "22:00". All that is known of devices is forgotten then. Default:
            /// "00:00".
            #[schemars(with = "Option<String>")]
            closes: Option<Spanned<String>>,
            /// Addresses of the shop's own devices, which are not counted: "28:6c:07:71:eb:5f".
            #[serde(default)]
            #[schemars(with = "Vec<String>")]
            own_devices: Vec<Spanned<String>>,
            /// Addresses of the shop's own access points: whoever is connected to one (staff, tills) is not counted.
            #[serde(default)]
            #[schemars(with = "Vec<String>")]
            own_access_points: Vec<Spanned<String>>,
            /// The site's list of devices whose owners do not want to be counted, which `smartstore footfall opt-out`
            /// keeps; relative to the configuration. Nothing is counted while it cannot be read.
            #[schemars(with = "Option<String>")]
            opt_out: Option<Spanned<String>>,
            /// A file that `smartstore footfall calibrate` wrote for this place; relative to the configuration.
            #[schemars(with = "Option<String>")]
            calibration: Option<Spanned<String>>,
            /// A published count of a zone and a dwell is left out if it counts fewer devices. Default: 10.
            #[schemars(with = "Option<u32>", range(min = 5, max = 1000))]
            suppress_below: Option<Spanned<u32>>,
            /// Another sensor, which counts what this one hears: who is heard by both is one. Left out: this one counts
            /// for itself.
            #[schemars(with = "Option<String>")]
            counted_by: Option<Spanned<String>>,
        }

        impl CommonChoices for $name {
            fn common(&self) -> RawChoices<'_> {
                RawChoices {
                    rssi_min_dbm: self.rssi_min_dbm.as_ref(),
                    visit_rssi_min_dbm: self.visit_rssi_min_dbm.as_ref(),
                    opens: self.opens.as_ref(),
                    closes: self.closes.as_ref(),
                    own_devices: &self.own_devices,
                    own_access_points: &self.own_access_points,
                    opt_out: self.opt_out.as_ref(),
                    calibration: self.calibration.as_ref(),
                    suppress_below: self.suppress_below.as_ref(),
                    counted_by: self.counted_by.as_ref(),
                }
            }
        }
    };
}

facts! {
    /// Facts of a WiFi interface in monitor mode.
    MonitorFacts {
        /// Channels that are listened to in turn: 1 to 14, 36 to 177. One: it stays there. None: it is not touched.
        #[schemars(with = "Vec<u32>")]
        channels: Vec<Spanned<u32>>,
        /// How long each channel is listened to, in milliseconds.
        #[schemars(with = "u32", range(min = 20, max = 60_000))]
        dwell_ms: Spanned<u32>,
    }
}

choices! {
    /// Settings of a WiFi interface in monitor mode, or of a capture file in its place.
    MonitorChoices {
        /// Channels that are listened to in turn, if not as the profile says.
        #[schemars(with = "Option<Vec<u32>>")]
        channels: Option<Vec<Spanned<u32>>>,
        /// Whether the gateway sets the interface's mode and channel. Default: true. `false`: somebody else does.
        manage: Option<bool>,
        /// How many times as fast as it was recorded a capture file is played. Default: 1.
        #[schemars(with = "Option<u32>", range(min = 1, max = 10_000))]
        replay_times: Option<Spanned<u32>>,
    }
}

facts! {
    /// Facts of an MNCats probe box.
    Tz001Facts {
        /// Speed of the serial line, in baud. Eight data bits, no parity, one stop bit.
        #[schemars(with = "u32", range(min = 300, max = 4_000_000))]
        baud: Spanned<u32>,
        /// Whether each datagram is answered with one byte, as the vendor's server does.
        acknowledges: bool,
    }
}

choices! {
    /// Settings of an MNCats probe box.
    Tz001Choices {
        /// The name in the first line of its datagrams: others are turned away. Left out: any box is heard.
        box_id: Option<String>,
    }
}

facts! {
    /// Facts of a DataSky probe box.
    DataskyFacts {}
}

choices! {
    /// Settings of a DataSky probe box.
    DataskyChoices {
        /// The `id` that it pushes: others are turned away.
        box_id: String,
        /// The `mmac` that it pushes: others are turned away. Left out: it is not looked at.
        #[schemars(with = "Option<String>")]
        box_address: Option<Spanned<String>>,
    }
}

/// WiFi interfaces in monitor mode.
pub(crate) struct Monitor;
/// MNCats boxes.
pub(crate) struct Tz001;
/// DataSky boxes.
pub(crate) struct Datasky;

impl Dialect for Monitor {
    type Facts = MonitorFacts;
    type Choices = MonitorChoices;
    const KIND: &'static str = "footfall.monitor";
    const PROFILES: &'static [(&'static str, &'static str)] =
        &[("footfall/linux-monitor", include_str!("../../../device-profiles/footfall/linux-monitor.toml"))];

    fn plan(checks: &mut Checks, raw: &RawDevice<'_>, facts: &MonitorFacts, choices: &MonitorChoices) -> Option<Plan> {
        checks.range(&raw.facts, "dwell_ms", &facts.dwell_ms, &DWELL_MS);
        let numbers = match &choices.channels {
            Some(channels) => channel_plan(checks, &raw.settings, channels),
            None => channel_plan(checks, &raw.facts, &facts.channels),
        };
        if let Some(times) = &choices.replay_times {
            checks.range(&raw.settings, "replay_times", times, &TIMES);
        }
        let times = choices.replay_times.as_ref().map_or(1, |times| *times.get_ref());
        let is_ours = choices.manage.unwrap_or(true);
        match &raw.endpoint {
            Endpoint::Wifi(interface) => Some(Plan::Radio {
                interface: interface.clone(),
                channels: Channels { numbers, dwell: milliseconds(&facts.dwell_ms), is_ours },
            }),
            Endpoint::Pcap(path) => Some(Plan::Replay { path: path.clone(), times }),
            _ => wrong_endpoint(checks, raw, "wifi:IFACE or pcap:FILE"),
        }
    }
}

impl Dialect for Tz001 {
    type Facts = Tz001Facts;
    type Choices = Tz001Choices;
    const KIND: &'static str = "footfall.tz001";
    const PROFILES: &'static [(&'static str, &'static str)] =
        &[("footfall/mncats-tz001", include_str!("../../../device-profiles/footfall/mncats-tz001.toml"))];

    fn plan(checks: &mut Checks, raw: &RawDevice<'_>, facts: &Tz001Facts, choices: &Tz001Choices) -> Option<Plan> {
        checks.range(&raw.facts, "baud", &facts.baud, &BAUD);
        match &raw.endpoint {
            Endpoint::Serial(path) => {
                let baud = *facts.baud.get_ref();
                let line = TtySettings { baud, parity: Parity::None, stop_bits: StopBits::One };
                Some(Plan::Serial { path: path.clone(), line })
            }
            Endpoint::Udp(address) => {
                let listen = address_of(checks, raw, address)?;
                Some(Plan::Datagrams { listen, id: choices.box_id.clone(), acknowledges: facts.acknowledges })
            }
            _ => wrong_endpoint(checks, raw, "serial:PATH or udp:ADDR:PORT"),
        }
    }
}

impl Dialect for Datasky {
    type Facts = DataskyFacts;
    type Choices = DataskyChoices;
    const KIND: &'static str = "footfall.datasky";
    const PROFILES: &'static [(&'static str, &'static str)] =
        &[("footfall/datasky", include_str!("../../../device-profiles/footfall/datasky.toml"))];

    fn plan(checks: &mut Checks, raw: &RawDevice<'_>, _: &DataskyFacts, choices: &DataskyChoices) -> Option<Plan> {
        let own_address = choices.box_address.as_ref().map(|text| address(checks, &raw.settings, text));
        let Endpoint::Post(place) = &raw.endpoint else {
            return wrong_endpoint(checks, raw, "post:ADDR:PORT/PATH");
        };
        let (listen, path) = place.split_once('/').unwrap_or((place, ""));
        let listen = address_of(checks, raw, listen)?;
        Some(Plan::Push {
            listen,
            path: format!("/{path}"),
            id: choices.box_id.clone(),
            own_address: own_address.flatten(),
        })
    }
}

fn wrong_endpoint(checks: &mut Checks, raw: &RawDevice<'_>, wanted: &str) -> Option<Plan> {
    let message = format!("a device of this profile cannot be at {}:", raw.endpoint.scheme());
    checks.add(&raw.settings, raw.endpoint_span.clone(), "wrong-endpoint", (message, &format!("name {wanted}")));
    None
}

fn address_of(checks: &mut Checks, raw: &RawDevice<'_>, text: &str) -> Option<SocketAddr> {
    let address = text.parse().ok();
    if address.is_none() {
        let message = format!("\"{text}\" is no address to listen at");
        let help = "write an IP address of this box and a port, such as 0.0.0.0:9002";
        checks.add(&raw.settings, raw.endpoint_span.clone(), "invalid-value", (message, help));
    }
    address
}

fn address(checks: &mut Checks, section: &Section<'_>, text: &Spanned<String>) -> Option<Address> {
    let address = parse_address(text.get_ref().as_bytes());
    if address.is_none() {
        let message = format!("\"{}\" is no hardware address", text.get_ref());
        checks.add(section, text.span(), "invalid-value", (message, "write six bytes, as in \"28:6c:07:71:eb:5f\""));
    }
    address
}

fn channel_plan(checks: &mut Checks, section: &Section<'_>, channels: &[Spanned<u32>]) -> Vec<u32> {
    if let Some(first) = channels.get(CHANNELS) {
        let message = format!("{} channels", channels.len());
        checks.add(section, first.span(), "too-many", (message, "at most 64: the shorter the plan, the more is heard"));
    }
    for channel in channels {
        if !matches!(channel.get_ref(), 1..=14 | 36..=177) {
            let message = format!("there is no channel {}", channel.get_ref());
            checks.add(section, channel.span(), "out-of-range", (message, "give channels from 1 to 14 or 36 to 177"));
        }
    }
    channels.iter().map(|channel| *channel.get_ref()).collect()
}

fn signal(checks: &mut Checks, section: &Section<'_>, name: &str, value: &Spanned<i32>) -> i8 {
    if !SIGNAL_DBM.contains(value.get_ref()) {
        let message = format!("{name} is {}", value.get_ref());
        checks.add(section, value.span(), "out-of-range", (message, "give dBm from -128 to 0, such as -75"));
    }
    i8::try_from(*value.get_ref()).unwrap_or(0)
}

fn duration(checks: &mut Checks, section: &Section<'_>, (name, text): Written<'_>) -> Duration {
    match units::parse_duration(text.get_ref()) {
        Ok(time) if !time.is_zero() && time <= Duration::from_secs(24 * 3600) => time,
        Ok(_) => {
            let message = format!("{name} is \"{}\"", text.get_ref());
            checks.add(section, text.span(), "out-of-range", (message, "give a time of up to one day"));
            Duration::from_secs(1)
        }
        Err(error) => {
            checks.add(section, text.span(), "invalid-value", (format!("{name}: {error}"), units::DURATION_HELP));
            Duration::from_secs(1)
        }
    }
}

fn time(checks: &mut Checks, section: &Section<'_>, text: &Spanned<String>) -> Option<Time> {
    let time = Time::strptime("%H:%M", text.get_ref()).ok();
    if time.is_none() {
        let message = format!("\"{}\" is no time of day", text.get_ref());
        checks.add(section, text.span(), "invalid-value", (message, "write hours and minutes, such as \"22:00\""));
    }
    time
}

/// How the sensor counts, checked.
pub(super) fn manner(
    checks: &mut Checks,
    raw: &RawDevice<'_>,
    facts: &RawFacts<'_>,
    choices: &RawChoices<'_>,
) -> Manner {
    let settings = settings(checks, raw, facts, choices);
    let silent_after = duration(checks, &raw.facts, ("silent_after", facts.silent_after));
    let opens = choices.opens.and_then(|text| time(checks, &raw.settings, text));
    let closes = choices.closes.and_then(|text| time(checks, &raw.settings, text)).unwrap_or(Time::midnight());
    let mut own = |texts: &[Spanned<String>]| -> Vec<Address> {
        if let Some(first) = texts.get(OWN) {
            let message = format!("{} addresses", texts.len());
            checks.add(&raw.settings, first.span(), "too-many", (message, "at most 1024 are kept"));
        }
        texts.iter().take(OWN).filter_map(|text| address(checks, &raw.settings, text)).collect()
    };
    let (own_devices, own_access_points) = (own(choices.own_devices), own(choices.own_access_points));
    Manner {
        settings,
        hours: Hours { timezone: raw.timezone.clone(), opens, closes },
        calibration: None,
        own_devices,
        own_access_points,
        opt_out: choices.opt_out.map(|file| beside(raw, file)),
        silent_after,
        least: least(checks, raw, choices),
        counted_by: counted_by(checks, raw, choices),
    }
}

fn least(checks: &mut Checks, raw: &RawDevice<'_>, choices: &RawChoices<'_>) -> u32 {
    let Some(least) = choices.suppress_below else { return DEFAULT_SUPPRESS_BELOW };
    checks.range(&raw.settings, "suppress_below", least, &SUPPRESS_BELOW);
    *least.get_ref()
}

/// The sensor that counts; what only that one can be told is refused here.
fn counted_by(checks: &mut Checks, raw: &RawDevice<'_>, choices: &RawChoices<'_>) -> Option<CountedBy> {
    let text = choices.counted_by?;
    let texts = [
        ("opens", choices.opens),
        ("closes", choices.closes),
        ("opt_out", choices.opt_out),
        ("calibration", choices.calibration),
        ("own_devices", choices.own_devices.first()),
    ];
    let told = texts.into_iter().filter_map(|(name, text)| Some((name, text?.span())));
    let told = told.chain(choices.suppress_below.map(|least| ("suppress_below", least.span())));
    for (name, span) in told {
        let message = format!("{name} has no meaning for a sensor that is counted by another");
        let help = format!("say it of \"{}\", which counts", text.get_ref());
        checks.add(&raw.settings, span, "no-meaning", (message, &help));
    }
    match DeviceId::new(text.get_ref()) {
        Ok(device) => Some(CountedBy { device, span: text.span() }),
        Err(error) => {
            let message = format!("counted_by: {error}");
            checks.add(&raw.settings, text.span(), "invalid-value", (message, "write the id of another sensor"));
            None
        }
    }
}

fn settings(checks: &mut Checks, raw: &RawDevice<'_>, facts: &RawFacts<'_>, choices: &RawChoices<'_>) -> Settings {
    let mut gate = |name: &str, fact: &Spanned<i32>, choice: Option<&Spanned<i32>>| {
        let of_facts = signal(checks, &raw.facts, name, fact);
        choice.map_or(of_facts, |choice| signal(checks, &raw.settings, name, choice))
    };
    let rssi_min_dbm = gate("rssi_min_dbm", facts.rssi_min_dbm, choices.rssi_min_dbm);
    let visit_rssi_min_dbm = gate("visit_rssi_min_dbm", facts.visit_rssi_min_dbm, choices.visit_rssi_min_dbm);
    let mut time = |name, text| duration(checks, &raw.facts, (name, text));
    let visit_silence = time("visit_silence", facts.visit_silence);
    let stay_after = time("stay_after", facts.stay_after);
    let fixture_after = time("fixture_after", facts.fixture_after);
    let windows = facts.windows.iter().map(|window| time("windows", window)).collect();
    let settings = Settings { rssi_min_dbm, visit_rssi_min_dbm, visit_silence, stay_after, windows, fixture_after };
    if let Err(error) = settings.check() {
        let at = facts.windows.first().map_or(raw.facts.span.clone(), Spanned::span);
        checks.add(&raw.facts, at, "out-of-range", (error.to_string(), "see the profiles that come with the gateway"));
    }
    settings
}

/// The file of the site's calibration.
pub(super) fn calibration_file(raw: &RawDevice<'_>, choices: &RawChoices<'_>) -> Option<PathBuf> {
    choices.calibration.map(|file| beside(raw, file))
}

/// A file that the configuration names.
fn beside(raw: &RawDevice<'_>, file: &Spanned<String>) -> PathBuf {
    raw.settings.file.parent().unwrap_or(Path::new("")).join(file.get_ref())
}

/// Reads a site's calibration.
pub(super) fn read_calibration(file: &Path) -> Result<Calibration, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    toml::from_str(&text).map_err(|error| error.message().to_owned())
}
