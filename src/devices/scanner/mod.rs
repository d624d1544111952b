//! Bar code and QR scanners: `scanner.serial` on serial lines, `scanner.hid` as keyboards.
//!
//! A code becomes [`Observation::Code`](crate::types::Observation::Code) with its kind. What a payment code holds in
//! full ends here: what goes on is masked, the rest is overwritten, because nothing takes payments yet.
//!
//! What is absent: the protocol (it is in `wire::scan`), verification of coupons, cameras as scanners.
//!
//! Invariants: a device's run builds its own state; a line that hangs up ends the run with `Closed`; nothing waits for
//! a scanner that does not answer.

mod driver;
mod profile;

use schemars::schema_for;

use crate::device::{Device, DeviceKind, RawDevice, Schemas};
use crate::types::Diagnostic;

use driver::{HidDevice, SerialDevice};
use profile::{RawHidFacts, RawHidSettings, RawSerialFacts, RawSerialSettings};

/// `scanner.serial`.
pub(crate) static SERIAL: SerialKind = SerialKind;
/// `scanner.hid`.
pub(crate) static HID: HidKind = HidKind;

/// Scanners on serial lines.
#[derive(Debug)]
pub(crate) struct SerialKind;

/// Scanners that type.
#[derive(Debug)]
pub(crate) struct HidKind;

impl DeviceKind for SerialKind {
    fn name(&self) -> &'static str {
        "scanner.serial"
    }

    fn schemas(&self) -> Schemas {
        Schemas { facts: schema_for!(RawSerialFacts), settings: schema_for!(RawSerialSettings) }
    }

    fn profiles(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("scanner/generic-serial", include_str!("../../../device-profiles/scanner/generic-serial.toml")),
            ("scanner/gm65", include_str!("../../../device-profiles/scanner/gm65.toml")),
        ]
    }

    fn configure(&self, raw: RawDevice<'_>) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
        let profile = profile::serial(&raw)?;
        Ok(Box::new(SerialDevice::new(raw.id, raw.endpoint, profile, raw.codes.clone())))
    }
}

impl DeviceKind for HidKind {
    fn name(&self) -> &'static str {
        "scanner.hid"
    }

    fn schemas(&self) -> Schemas {
        Schemas { facts: schema_for!(RawHidFacts), settings: schema_for!(RawHidSettings) }
    }

    fn profiles(&self) -> &'static [(&'static str, &'static str)] {
        &[("scanner/hid-keyboard", include_str!("../../../device-profiles/scanner/hid-keyboard.toml"))]
    }

    fn configure(&self, raw: RawDevice<'_>) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
        let profile = profile::hid(&raw)?;
        Ok(Box::new(HidDevice::new(raw.id, raw.endpoint, profile, raw.codes.clone())))
    }
}

#[cfg(test)]
mod tests;
