//! The file as serde reads it: every value with its position, nothing checked. The doc comments are the descriptions
//! of the JSON Schema and the help lines of missing keys.
//!
//! Every field is an `Option`, also where the schema says `required`: a missing key is found by the section, and the
//! rest of the table is still checked in the same run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

/// Text with its position; `None`: not there, or not text and already reported.
pub(super) type Text = Option<Spanned<String>>;

/// The configuration of one gateway of one store.
#[derive(JsonSchema)]
#[schemars(title = "smartstore configuration", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used: the tables are read one by one, so that all are checked")]
pub(super) struct RawStore {
    /// The store.
    store: RawStoreTable,
    /// This gateway.
    gateway: RawGateway,
    /// The broker. Left out: the store runs on its own and buffers.
    cloud: Option<RawCloud>,
    /// The technician's console. Left out: nothing listens.
    console: Option<RawConsole>,
    /// Bounds of the journal.
    journal: Option<RawJournal>,
    /// What screens may show, and who may sign it.
    content: Option<RawContent>,
    /// Who may be recognised.
    members: Option<RawMembers>,
    /// The chain's own code grammars.
    codes: Option<RawCodes>,
    /// The devices.
    device: Option<Vec<RawDeviceTable>>,
    /// Devices that work together.
    station: Option<Vec<RawStation>>,
}

/// The store.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStoreTable {
    /// The store's name, unique in the chain: 1 to 32 of a-z, 0-9 and -.
    #[schemars(with = "String", extend("pattern" = "^[a-z0-9-]{1,32}$"))]
    pub(super) id: Text,
    /// The store's time zone, an IANA name such as "Asia/Shanghai".
    #[schemars(with = "String")]
    pub(super) timezone: Text,
}

/// This gateway.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGateway {
    /// The gateway's name, unique in its store: 1 to 32 of a-z, 0-9 and -.
    #[schemars(with = "String", extend("pattern" = "^[a-z0-9-]{1,32}$"))]
    pub(super) id: Text,
    /// Where the journal, the last good configuration and caches are; relative to this file. Default: "data".
    #[schemars(with = "Option<String>")]
    pub(super) data_dir: Text,
    /// Where the networks of cameras are; relative to this file. Default: "models" in `data_dir`.
    #[schemars(with = "Option<String>")]
    pub(super) models_dir: Text,
    /// "kernel" (default): the wall clock is synchronised unless the kernel says TIME_ERROR. "trusted": a
    /// battery-backed clock or the host is trusted.
    #[schemars(with = "Option<String>", extend("enum" = ["kernel", "trusted"]))]
    pub(super) clock: Text,
}

/// The broker.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCloud {
    /// mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS. Default ports: 1883 and 8883.
    #[schemars(with = "String")]
    pub(super) broker: Text,
    /// MQTT user name.
    #[schemars(with = "Option<String>")]
    pub(super) username: Text,
    /// File that holds the MQTT password; relative to this file.
    #[schemars(with = "Option<String>")]
    pub(super) password_file: Text,
    /// Certificates (PEM) that the broker's is checked against. Default: the system's.
    #[schemars(with = "Option<String>")]
    pub(super) ca_file: Text,
    /// The gateway's own certificate (PEM), together with key_file.
    #[schemars(with = "Option<String>")]
    pub(super) cert_file: Text,
    /// The private key (PEM) of cert_file.
    #[schemars(with = "Option<String>")]
    pub(super) key_file: Text,
    /// How long a configuration sent by the cloud may take to run well before it is taken back, from "2s" to "10min".
    /// Default: "1min".
    #[schemars(with = "Option<String>")]
    pub(super) trial: Text,
    /// How many events older than a minute are sent in a second, money aside, from "1/s" to "100000/s": so that a
    /// backlog leaves a shared or paid line to others. Default: "25000/s".
    #[schemars(with = "Option<String>")]
    pub(super) backfill: Text,
    /// How messages of events travel. "json" (default): as they are. "zstd": packed, for lines that are paid by the
    /// byte.
    #[schemars(with = "Option<String>", extend("enum" = ["json", "zstd"]))]
    pub(super) encoding: Text,
}

/// The technician's console and the screens' pages.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConsole {
    /// IP address and port. Default: "127.0.0.1:8480". An address other than loopback needs cert_file, key_file and
    /// users_file.
    #[schemars(with = "Option<String>")]
    pub(super) listen: Text,
    /// The console's certificate (PEM), together with key_file.
    #[schemars(with = "Option<String>")]
    pub(super) cert_file: Text,
    /// The private key (PEM) of cert_file.
    #[schemars(with = "Option<String>")]
    pub(super) key_file: Text,
    /// Who may log in.
    #[schemars(with = "Option<String>")]
    pub(super) users_file: Text,
}

/// Bounds of the journal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawJournal {
    /// Largest size of the journal, with its unit: "2GiB". Default: "512MiB".
    #[schemars(with = "Option<String>")]
    pub(super) max_size: Text,
    /// How long events stay after the cloud has confirmed them, with its unit: "7d". Default: "3d".
    #[schemars(with = "Option<String>")]
    pub(super) keep_confirmed: Text,
}

/// What the screens show. Without this section they show nothing that is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawContent {
    /// Who may sign content: Ed25519 public keys by name, 32 bytes in Base64url without padding, as `smartstore content
    /// key` prints them.
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub(super) keys: Option<BTreeMap<String, Spanned<String>>>,
    /// Largest size of all files of one content, with its unit. Default: "4GiB".
    #[schemars(with = "Option<String>")]
    pub(super) max_size: Text,
}

/// Members who consent may be enrolled, and recognised by cameras whose settings say so. Without this section nobody
/// is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMembers {
    /// File of the key that templates are sealed with; relative to this file, made when it is not there, and written
    /// anew whenever somebody is taken out. Default: "members.key" in `data_dir`.
    #[schemars(with = "Option<String>")]
    pub(super) key_file: Text,
    /// Members who can be enrolled at a time: the more there are, the more often a stranger is like one of them.
    /// Default: 30.
    #[schemars(with = "Option<u32>", range(min = 1))]
    pub(super) at_most: Option<Spanned<u32>>,
}

/// The chain's own code grammars: regular expressions, tried after coupon signatures and before the standard kinds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCodes {
    /// Member codes.
    #[schemars(with = "Option<String>")]
    pub(super) member: Text,
    /// Clerks' codes.
    #[schemars(with = "Option<String>")]
    pub(super) clerk: Text,
    /// Pick-up codes.
    #[schemars(with = "Option<String>")]
    pub(super) pickup: Text,
}

/// One device.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDeviceTable {
    /// The device's name, unique on this gateway: 1 to 32 of a-z, 0-9 and -.
    #[schemars(with = "String", extend("pattern" = "^[a-z0-9-]{1,32}$"))]
    pub(super) id: Text,
    /// What it is: the name of a profile, such as "scanner/gm65".
    #[schemars(with = "String", extend("pattern" = "^[a-z0-9-]{1,64}/[a-z0-9-]{1,64}$"))]
    pub(super) profile: Text,
    /// Where it is: such as "serial:/dev/ttyUSB0".
    #[schemars(with = "String")]
    pub(super) endpoint: Text,
    /// This shop's choices; what can be chosen depends on the profile's kind.
    #[expect(dead_code, reason = "taken out before and read by the kind; here for the schema")]
    pub(super) settings: Option<Free>,
}

/// Devices that work together.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStation {
    /// The station's name, unique on this gateway: 1 to 32 of a-z, 0-9 and -.
    #[schemars(with = "String", extend("pattern" = "^[a-z0-9-]{1,32}$"))]
    pub(super) id: Text,
    /// What it is for: "sale", "sampling", "redeem", "mirror", "shelf" or "door".
    #[schemars(
        with = "String",
        extend("enum" = ["sale", "sampling", "redeem", "mirror", "shelf", "door"])
    )]
    pub(super) flow: Text,
    /// The device that dispenses (sale, sampling).
    #[schemars(with = "Option<String>")]
    pub(super) machine: Text,
    /// The device that reads codes (sale, sampling, redeem, mirror, shelf).
    #[schemars(with = "Option<String>")]
    pub(super) scanner: Text,
    /// The device that shows (sale, sampling, redeem, mirror, shelf).
    #[schemars(with = "Option<String>")]
    pub(super) screen: Text,
    /// The device that sees (mirror, door).
    #[schemars(with = "Option<String>")]
    pub(super) camera: Text,
    /// The device that weighs, counts or feels (shelf).
    #[schemars(with = "Option<String>")]
    pub(super) sensor: Text,
    /// The device that hears WiFi probes (door).
    #[schemars(with = "Option<String>")]
    pub(super) probe: Text,
    /// The device that counts people (door).
    #[schemars(with = "Option<String>")]
    pub(super) counter: Text,
    /// Whether coupons are taken while the gateway's clock is not known to be right (redeem): "refuse", unless it says
    /// "accept".
    #[schemars(with = "Option<String>", extend("enum" = ["refuse", "accept"]))]
    pub(super) unsynced: Text,
    /// What it sells or gives (sale, sampling).
    pub(super) settings: Option<RawStationSettings>,
}

/// What a station sells or gives.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStationSettings {
    /// The lanes: of a sale the one that is sold when nothing was chosen at the machine, of a sampling those that hold
    /// the sample, in the order they are used.
    pub(super) slots: Option<Vec<u16>>,
    /// The price in minor units, where the machine does not say it (sale).
    #[schemars(with = "Option<i64>", range(min = 1))]
    pub(super) price_minor: Option<Spanned<i64>>,
    /// How it is paid: "cloud", which is the default, or "free" (sale).
    #[schemars(with = "Option<String>", extend("enum" = ["cloud", "free"]))]
    pub(super) payment: Text,
    /// The campaign's name, 1 to 32 of a-z, 0-9 and -; the station's own name unless it says otherwise. A new one is a
    /// new entitlement for every member (sampling).
    #[schemars(with = "Option<String>", extend("pattern" = "^[a-z0-9-]{1,32}$"))]
    pub(super) campaign: Text,
    /// How many samples the campaign has in all (sampling).
    pub(super) quota: Option<u32>,
    /// When the campaign begins, RFC 3339 (sampling).
    #[schemars(with = "Option<String>")]
    pub(super) from: Text,
    /// When it is over, RFC 3339 (sampling).
    #[schemars(with = "Option<String>")]
    pub(super) until: Text,
}

/// The facts of one hardware model, each taken from its datasheet.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "smartstore device profile")]
pub(super) struct RawProfile {
    /// Which kind of device it is, such as "scanner.serial".
    #[schemars(with = "String")]
    pub(super) kind: Text,
    /// Who makes it.
    #[schemars(with = "Option<String>")]
    #[expect(dead_code, reason = "for readers of the profile")]
    pub(super) vendor: Text,
    /// Its name.
    #[schemars(with = "Option<String>")]
    #[expect(dead_code, reason = "for readers of the profile")]
    pub(super) model: Text,
    /// Where the facts come from: datasheet, manual, measurement.
    #[schemars(with = "Option<String>")]
    #[expect(dead_code, reason = "for readers of the profile")]
    pub(super) datasheet: Text,
    /// What is true of the hardware; which facts there are depends on the kind.
    #[expect(dead_code, reason = "taken out before and read by the kind; here for the schema")]
    pub(super) facts: Option<Free>,
}

/// A table whose keys somebody else knows.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Free(serde::de::IgnoredAny);

impl JsonSchema for Free {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Free".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object" })
    }
}
