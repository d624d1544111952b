//! What the kinds have in common: reading a profile and its settings, naming every mistake, making the device.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, schema_for};
use serde::de::DeserializeOwned;

use super::driver::Sensor;
use super::profile::{RawChoices, RawFacts, calibration_file, manner};
use super::source::Plan;
use crate::device::{Checks, Device, DeviceKind, RawDevice, Schemas};
use crate::types::Diagnostic;

/// What every sensor's profile has.
pub(crate) trait CommonFacts {
    /// Borrowed from the kind's own.
    fn counting(&self) -> RawFacts<'_>;
}

/// What every sensor's settings may have.
pub(crate) trait CommonChoices {
    /// Borrowed from the kind's own.
    fn common(&self) -> RawChoices<'_>;
}

/// A kind's facts and settings, and what they mean.
pub(crate) trait Dialect {
    /// The profile's `[facts]`.
    type Facts: DeserializeOwned + JsonSchema + CommonFacts;
    /// `[device.settings]`.
    type Choices: DeserializeOwned + JsonSchema + CommonChoices;
    /// The name that profiles use as `kind`.
    const KIND: &'static str;
    /// The profile that is part of the binary: its name and its text.
    const PROFILES: &'static [(&'static str, &'static str)];

    /// Where it hears, checked.
    fn plan(checks: &mut Checks, raw: &RawDevice<'_>, facts: &Self::Facts, choices: &Self::Choices) -> Option<Plan>;
}

/// The kind of a dialect.
pub(crate) struct FootfallKind<D>(PhantomData<fn() -> D>);

impl<D> FootfallKind<D> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<D: Dialect> fmt::Debug for FootfallKind<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(D::KIND)
    }
}

impl<D: Dialect> DeviceKind for FootfallKind<D> {
    fn name(&self) -> &'static str {
        D::KIND
    }

    fn schemas(&self) -> Schemas {
        Schemas { facts: schema_for!(D::Facts), settings: schema_for!(D::Choices) }
    }

    fn profiles(&self) -> &'static [(&'static str, &'static str)] {
        D::PROFILES
    }

    fn configure(&self, raw: RawDevice<'_>) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
        let mut checks = Checks::default();
        let facts: Option<D::Facts> = checks.read(&raw.facts);
        let choices: Option<D::Choices> = checks.read(&raw.settings);
        let (Some(facts), Some(choices)) = (facts, choices) else { return Err(checks.mistakes()) };
        let plan = D::plan(&mut checks, &raw, &facts, &choices);
        let manner = manner(&mut checks, &raw, &facts.counting(), &choices.common());
        let calibration = calibration_file(&raw, &choices.common());
        match plan {
            Some(plan) if checks.passed() => Ok(Box::new(Sensor::new(raw.id, raw.endpoint, plan, manner, calibration))),
            _ => Err(checks.mistakes()),
        }
    }
}
