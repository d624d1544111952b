//! What the kinds have in common: reading a profile and its settings, naming every mistake, making the device.

use std::fmt;

use schemars::schema_for;

use super::driver::Camera;
use super::profile::{Choices, Facts, Sort, manner, plan};
use crate::device::{Checks, Device, DeviceKind, RawDevice, Schemas};
use crate::types::Diagnostic;

/// One kind of camera.
pub(crate) struct CameraKind(Sort);

impl CameraKind {
    pub(super) const fn new(sort: Sort) -> Self {
        Self(sort)
    }
}

impl fmt::Debug for CameraKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind())
    }
}

impl DeviceKind for CameraKind {
    fn name(&self) -> &'static str {
        self.0.kind()
    }

    fn schemas(&self) -> Schemas {
        Schemas { facts: schema_for!(Facts), settings: schema_for!(Choices) }
    }

    fn profiles(&self) -> &'static [(&'static str, &'static str)] {
        self.0.profiles()
    }

    fn configure(&self, raw: RawDevice<'_>) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
        let mut checks = Checks::default();
        let facts: Option<Facts> = checks.read(&raw.facts);
        let choices: Option<Choices> = checks.read(&raw.settings);
        let (Some(facts), Some(choices)) = (facts, choices) else { return Err(checks.mistakes()) };
        let plan = plan(&mut checks, self.0, &raw, &facts, &choices);
        let manner = manner(&mut checks, &raw, &facts, &choices);
        match plan {
            Some(plan) if checks.passed() => Ok(Box::new(Camera::new(raw.id, raw.endpoint, plan, manner))),
            _ => Err(checks.mistakes()),
        }
    }
}
