//! What the kinds have in common: reading a profile and its settings, naming every mistake, making the device.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, schema_for};
use serde::de::DeserializeOwned;
use toml::Spanned;

use super::driver::{Profile, Speech, VendingDevice};
use super::interpreter::Shop;
use super::settings::{currency, line};
use crate::device::{Checks, Device, DeviceKind, RawDevice, Schemas, Section};
use crate::types::Diagnostic;

/// A dialect's facts and settings, and what they mean.
pub(crate) trait Dialect {
    /// The profile's `[facts]`.
    type Facts: DeserializeOwned + JsonSchema;
    /// `[device.settings]`.
    type Settings: DeserializeOwned + JsonSchema;
    /// The name that profiles use as `kind`.
    const KIND: &'static str;
    /// The profile that is part of the binary: its name and its text.
    const PROFILE: &'static [(&'static str, &'static str)];

    /// Names what cannot be, beyond wrong types and unknown keys.
    fn check_facts(checks: &mut Checks, section: &Section<'_>, facts: &Self::Facts);
    /// The same of the settings; their currency is looked at elsewhere.
    fn check_settings(checks: &mut Checks, section: &Section<'_>, settings: &Self::Settings);
    /// The currency, as it was written.
    fn currency(settings: &Self::Settings) -> &Spanned<String>;
    /// The line's speed.
    fn baud(facts: &Self::Facts) -> &Spanned<u32>;
    /// Whether an order that does not say watches the drop sensor.
    fn drop_sensor(facts: &Self::Facts, settings: &Self::Settings) -> bool;
    /// The protocol's machine, settled.
    fn speech(facts: &Self::Facts, settings: &Self::Settings) -> Speech;
}

/// The kind of a dialect.
pub(crate) struct VendingKind<D>(PhantomData<fn() -> D>);

impl<D> VendingKind<D> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<D: Dialect> fmt::Debug for VendingKind<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(D::KIND)
    }
}

impl<D: Dialect> DeviceKind for VendingKind<D> {
    fn name(&self) -> &'static str {
        D::KIND
    }

    fn schemas(&self) -> Schemas {
        Schemas { facts: schema_for!(D::Facts), settings: schema_for!(D::Settings) }
    }

    fn profiles(&self) -> &'static [(&'static str, &'static str)] {
        D::PROFILE
    }

    fn configure(&self, raw: RawDevice<'_>) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
        let profile = profile::<D>(&raw)?;
        Ok(Box::new(VendingDevice::new(raw.id, raw.endpoint, profile)))
    }
}

fn profile<D: Dialect>(raw: &RawDevice<'_>) -> Result<Profile, Vec<Diagnostic>> {
    let mut checks = Checks::default();
    let path = checks.path(raw, "serial");
    let facts: Option<D::Facts> = checks.read(&raw.facts);
    let settings: Option<D::Settings> = checks.read(&raw.settings);
    if let Some(facts) = &facts {
        D::check_facts(&mut checks, &raw.facts, facts);
    }
    let currency = settings.as_ref().and_then(|settings| {
        D::check_settings(&mut checks, &raw.settings, settings);
        currency(&mut checks, &raw.settings, D::currency(settings))
    });
    match (path, facts, settings, currency) {
        (Some(path), Some(facts), Some(settings), Some(currency)) if checks.passed() => Ok(Profile {
            path,
            line: line(D::baud(&facts)),
            speech: D::speech(&facts, &settings),
            shop: Shop { currency, drop_sensor: D::drop_sensor(&facts, &settings) },
        }),
        _ => Err(checks.mistakes()),
    }
}
