//! Screens: a page in a browser that connects to us.
//!
//! The page is served by the console; between it and the driver is a seat (`transport::Seats`). The driver lets plays
//! and actions in, each once and durably before the page hears that they are; carries out `show` and answers when the
//! page says that it is painted; and watches the page's heartbeats, which come after painted pictures and not from a
//! process.
//!
//! What is absent: no content and no schedule (the page has its program from the console), no HTTP server, no journal.
//!
//! Invariants: a page is answered 2xx only after what it posted is on disk; a browser is not started anew more than
//! `restarts` times a boot of the gateway.

mod driver;
mod eye;
mod light;
mod profile;
mod watch;

use schemars::schema_for;

use crate::device::{Device, DeviceKind, RawDevice, Schemas};
use crate::types::Diagnostic;

use driver::Screen;
use profile::{RawChoices, RawFacts};

/// `screen.page`.
pub(crate) static PAGE: PageDevice = PageDevice;

/// A screen with a page of ours.
#[derive(Debug)]
pub(crate) struct PageDevice;

impl DeviceKind for PageDevice {
    fn name(&self) -> &'static str {
        "screen.page"
    }

    fn schemas(&self) -> Schemas {
        Schemas { facts: schema_for!(RawFacts), settings: schema_for!(RawChoices) }
    }

    fn profiles(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("screen/mirror", include_str!("../../../device-profiles/screen/mirror.toml")),
            ("screen/shelf", include_str!("../../../device-profiles/screen/shelf.toml")),
            ("screen/signage", include_str!("../../../device-profiles/screen/signage.toml")),
        ]
    }

    fn configure(&self, raw: RawDevice<'_>) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
        let profile = profile::read(&raw)?;
        Ok(Box::new(Screen::new(raw.id, raw.endpoint, profile)))
    }
}

#[cfg(test)]
mod tests;
