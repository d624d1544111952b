//! What a device folder exports, and what it is given to make a device of.

use std::path::Path;

use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;

use super::{DriverError, Port, Section};
use crate::types::{ActionKind, CodeGrammars, Currency, DeviceId, Diagnostic, Endpoint, Span};

/// One kind of device: one `static` per driver, listed in `devices::CATALOGUE`.
pub trait DeviceKind: Sync {
    /// The name that profiles use as `kind`: `scanner.serial`.
    fn name(&self) -> &'static str;

    /// JSON Schemas of the profile's `[facts]` and of the device's `[device.settings]`.
    fn schemas(&self) -> Schemas;

    /// The profiles that are part of the binary: name (`scanner/gm65`) and text.
    fn profiles(&self) -> &'static [(&'static str, &'static str)];

    /// Checks everything that can be checked without touching the device, and reports every mistake at once.
    fn configure(&self, raw: RawDevice<'_>) -> Result<Box<dyn Device>, Vec<Diagnostic>>;
}

/// JSON Schemas of what a kind reads.
#[derive(Debug, Clone)]
pub struct Schemas {
    /// Of the profile's `[facts]`.
    pub facts: schemars::Schema,
    /// Of the device's `[device.settings]`.
    pub settings: schemars::Schema,
}

/// A `[[device]]` as the configuration found it, with its profile.
#[derive(Debug)]
pub struct RawDevice<'a> {
    /// Its checked name.
    pub id: DeviceId,
    /// Its checked endpoint; whether the scheme suits the kind is for the kind to say.
    pub endpoint: Endpoint,
    /// Where the endpoint stands in the configuration, for diagnostics.
    pub endpoint_span: Span,
    /// The profile's `[facts]`: what is true of the hardware.
    pub facts: Section<'a>,
    /// `[device.settings]`: this shop's choices. Empty when the configuration has none.
    pub settings: Section<'a>,
    /// The chain's own code grammars.
    pub codes: &'a CodeGrammars,
    /// The store's time zone: opening hours are local.
    pub timezone: &'a TimeZone,
    /// The folder of the networks.
    pub models_dir: &'a Path,
}

/// Who says what a device observes.
#[derive(Debug)]
pub struct Speaker<'a> {
    /// Which device.
    pub device: &'a DeviceId,
    /// Where the configuration says so.
    pub span: Span,
}

/// What a device has to itself beside its endpoint.
#[derive(Debug)]
pub struct Held {
    /// What, such as `the browser at 127.0.0.1:9222`.
    pub what: String,
    /// Where the configuration says so.
    pub span: Span,
}

/// A configured device that is not running.
///
/// [`Device::run`] may be called again after a failure and builds its own state each time. It borrows the port, so
/// that neither an error nor a panic loses an action that waits in it.
pub trait Device: Send + Sync {
    /// Its name.
    fn id(&self) -> &DeviceId;

    /// Its endpoint: two devices on one are refused.
    fn endpoint(&self) -> &Endpoint;

    /// What can be asked of it.
    fn can(&self) -> &'static [ActionKind];

    /// The device that says what this one observes, if another does: it must be there, of the same family (the part of
    /// a kind's name before the dot), and speak for itself.
    fn speaker(&self) -> Option<Speaker<'_>> {
        None
    }

    /// What else two devices cannot share: the second one of a file is refused.
    fn held(&self) -> Option<Held> {
        None
    }

    /// The currency of its prices, of a device that has prices.
    fn currency(&self) -> Currency {
        Currency::NONE
    }

    /// Drives the device until the port says stop, or until it cannot go on.
    fn run<'a>(&'a self, port: &'a mut Port) -> BoxFuture<'a, Result<(), DriverError>>;
}

impl std::fmt::Debug for dyn Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device({} at {})", self.id(), self.endpoint())
    }
}
