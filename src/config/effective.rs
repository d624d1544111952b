//! The configuration with every default filled in, as TOML that loads to the same store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::store::{Cloud, ConfiguredDevice, Console, MEMBERS_KEY_FILE, Station, StationSettings, Store};
use crate::types::units;
use crate::wire::coupon::base64url_encode;

/// A table of texts.
type Keys = BTreeMap<&'static str, String>;

#[derive(Serialize)]
struct File {
    store: StoreTable,
    gateway: Gateway,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud: Option<Keys>,
    #[serde(skip_serializing_if = "Option::is_none")]
    console: Option<Keys>,
    journal: Journal,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Members>,
    codes: Keys,
    device: Vec<Device>,
    station: Vec<toml::Table>,
}

#[derive(Serialize)]
struct StoreTable {
    id: String,
    timezone: String,
}

#[derive(Serialize)]
struct Gateway {
    id: String,
    data_dir: String,
    models_dir: String,
    clock: &'static str,
}

#[derive(Serialize)]
struct Journal {
    max_size: String,
    keep_confirmed: String,
}

#[derive(Serialize)]
struct Content {
    max_size: String,
    keys: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Members {
    key_file: String,
    at_most: usize,
}

#[derive(Serialize)]
struct Device {
    id: String,
    profile: String,
    endpoint: String,
    settings: toml::Table,
}

impl Store {
    /// Where the key of members' templates is, or would be.
    pub fn members_key_file(&self) -> PathBuf {
        let said = self.members.as_ref().and_then(|members| members.key_file.clone());
        said.unwrap_or_else(|| self.gateway.data_dir.join(MEMBERS_KEY_FILE))
    }

    /// The configuration with every default filled in and every path resolved, as TOML. Loaded again it describes the
    /// same store.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(&File {
            store: StoreTable {
                id: self.id.to_string(),
                timezone: self.timezone.iana_name().unwrap_or("UTC").to_owned(),
            },
            gateway: Gateway {
                id: self.gateway.id.to_string(),
                data_dir: path(&self.gateway.data_dir),
                models_dir: path(&self.gateway.models_dir),
                clock: self.gateway.clock.as_str(),
            },
            cloud: self.cloud.as_ref().map(cloud),
            console: self.console.as_ref().map(console),
            journal: Journal {
                max_size: units::format_size(self.journal.max_size),
                keep_confirmed: units::format_duration(self.journal.keep_confirmed),
            },
            content: self.content.as_ref().map(content),
            members: self
                .members
                .as_ref()
                .map(|members| Members { key_file: path(&self.members_key_file()), at_most: members.at_most }),
            codes: codes(self),
            device: devices(self),
            station: stations(self),
        })
    }
}

fn content(content: &super::store::Content) -> Content {
    let keys = content.keys.iter().map(|(name, key)| (name.to_string(), base64url_encode(key)));
    Content { max_size: units::format_size(content.max_size), keys: keys.collect() }
}

fn path(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn files<const N: usize>(files: [(&'static str, Option<&Path>); N]) -> impl Iterator<Item = (&'static str, String)> {
    files.into_iter().filter_map(|(key, file)| Some((key, path(file?))))
}

fn cloud(cloud: &Cloud) -> Keys {
    let identity = cloud.identity.as_ref();
    let files = files([
        ("password_file", cloud.password_file.as_deref()),
        ("ca_file", cloud.ca_file.as_deref()),
        ("cert_file", identity.map(|identity| identity.cert_file.as_path())),
        ("key_file", identity.map(|identity| identity.key_file.as_path())),
    ]);
    let username = cloud.username.clone().map(|name| ("username", name));
    let always = [
        ("broker", cloud.broker.to_string()),
        ("trial", units::format_duration(cloud.trial)),
        ("backfill", units::format_rate(cloud.backfill_per_s.get().into())),
        ("encoding", cloud.encoding.as_str().to_owned()),
    ];
    files.chain(always).chain(username).collect()
}

fn console(console: &Console) -> Keys {
    let identity = console.identity.as_ref();
    let files = files([
        ("users_file", console.users_file.as_deref()),
        ("cert_file", identity.map(|identity| identity.cert_file.as_path())),
        ("key_file", identity.map(|identity| identity.key_file.as_path())),
    ]);
    files.chain([("listen", console.listen.to_string())]).collect()
}

fn codes(store: &Store) -> Keys {
    let codes = [("member", &store.codes.member), ("clerk", &store.codes.clerk), ("pickup", &store.codes.pickup)];
    codes.into_iter().filter_map(|(key, regex)| Some((key, regex.as_ref()?.to_string()))).collect()
}

fn devices(store: &Store) -> Vec<Device> {
    let device = |device: &ConfiguredDevice| Device {
        id: device.id().to_string(),
        profile: device.profile.clone(),
        endpoint: device.endpoint().to_string(),
        settings: device.settings.clone(),
    };
    store.devices.iter().map(device).collect()
}

fn stations(store: &Store) -> Vec<toml::Table> {
    let station = |station: &Station| {
        let roles = station.roles.iter().map(|(role, device)| (role.as_str(), device.to_string()));
        let unsynced = station.unsynced_allowed.then(|| ("unsynced", "accept".to_owned()));
        let own = [("id", station.id.to_string()), ("flow", station.flow.as_str().to_owned())];
        let keys = roles.chain(own).chain(unsynced);
        let mut table: toml::Table = keys.map(|(key, value)| (key.to_owned(), value.into())).collect();
        let settings = station_settings(&station.settings);
        if !settings.is_empty() {
            table.insert("settings".to_owned(), settings.into());
        }
        table
    };
    store.stations.iter().map(station).collect()
}

fn station_settings(settings: &StationSettings) -> toml::Table {
    let StationSettings { slots, price, free, campaign, quota, from, until } = settings;
    let slots: Vec<_> = slots.iter().map(|slot| toml::Value::from(i64::from(slot.0))).collect();
    let keys = [
        ("slots", (!slots.is_empty()).then(|| slots.into())),
        ("price_minor", price.map(|price| price.0.into())),
        ("payment", free.then(|| "free".into())),
        ("campaign", campaign.clone().map(Into::into)),
        ("quota", quota.map(|quota| i64::from(quota).into())),
        ("from", from.map(|from| from.to_string().into())),
        ("until", until.map(|until| until.to_string().into())),
    ];
    keys.into_iter().filter_map(|(key, value): (_, Option<toml::Value>)| Some((key.to_owned(), value?))).collect()
}
