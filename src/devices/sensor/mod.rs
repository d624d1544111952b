//! Lift sensors of a smart shelf: `sensor.lift-serial` on serial lines, `sensor.lift-http` that push,
//! `sensor.lift-gpio` on GPIO lines of the box itself.
//!
//! What was lifted or put back becomes a [`ScreenAction`](crate::types::ScreenAction) with the verb `ITEM_SENSOR`;
//! which screen answers is the station's affair. A state that is said again is nothing new.
//!
//! What is absent: no screen, no content.
//!
//! Limits: 8 connections, 2 s each; 256 places are remembered; 64 GPIO lines of one chip.

mod driver;
mod profile;

use schemars::schema_for;

use crate::device::{Device, DeviceKind, RawDevice, Schemas};
use crate::types::Diagnostic;

use driver::LiftSensor;
use profile::{RawGpioFacts, RawGpioSettings, RawHttpFacts, RawNothing, RawSerialFacts};

/// `sensor.lift-serial`.
pub(crate) static SERIAL: SerialKind = SerialKind;
/// `sensor.lift-http`.
pub(crate) static HTTP: HttpKind = HttpKind;

/// `sensor.lift-gpio`.
pub(crate) static GPIO: GpioKind = GpioKind;

/// On GPIO lines.
#[derive(Debug)]
pub(crate) struct GpioKind;

/// On a serial line.
#[derive(Debug)]
pub(crate) struct SerialKind;

/// That push.
#[derive(Debug)]
pub(crate) struct HttpKind;

impl DeviceKind for SerialKind {
    fn name(&self) -> &'static str {
        "sensor.lift-serial"
    }

    fn schemas(&self) -> Schemas {
        Schemas { facts: schema_for!(RawSerialFacts), settings: schema_for!(RawNothing) }
    }

    fn profiles(&self) -> &'static [(&'static str, &'static str)] {
        &[("sensor/lift-serial", include_str!("../../../device-profiles/sensor/lift-serial.toml"))]
    }

    fn configure(&self, raw: RawDevice<'_>) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
        let source = profile::serial(&raw)?;
        Ok(Box::new(LiftSensor::new(raw.id, raw.endpoint, source)))
    }
}

impl DeviceKind for HttpKind {
    fn name(&self) -> &'static str {
        "sensor.lift-http"
    }

    fn schemas(&self) -> Schemas {
        Schemas { facts: schema_for!(RawHttpFacts), settings: schema_for!(RawNothing) }
    }

    fn profiles(&self) -> &'static [(&'static str, &'static str)] {
        &[("sensor/lift-http", include_str!("../../../device-profiles/sensor/lift-http.toml"))]
    }

    fn configure(&self, raw: RawDevice<'_>) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
        let source = profile::http(&raw)?;
        Ok(Box::new(LiftSensor::new(raw.id, raw.endpoint, source)))
    }
}

impl DeviceKind for GpioKind {
    fn name(&self) -> &'static str {
        "sensor.lift-gpio"
    }

    fn schemas(&self) -> Schemas {
        Schemas { facts: schema_for!(RawGpioFacts), settings: schema_for!(RawGpioSettings) }
    }

    fn profiles(&self) -> &'static [(&'static str, &'static str)] {
        &[("sensor/lift-gpio", include_str!("../../../device-profiles/sensor/lift-gpio.toml"))]
    }

    fn configure(&self, raw: RawDevice<'_>) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
        let source = profile::gpio(&raw)?;
        Ok(Box::new(LiftSensor::new(raw.id, raw.endpoint, source)))
    }
}

#[cfg(test)]
mod tests;
