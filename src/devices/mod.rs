//! The catalogue of device kinds, and nothing else. A new kind is a new folder and a line here.

use crate::device::DeviceKind;

/// Every kind of device this build can drive.
pub static CATALOGUE: &[&dyn DeviceKind] = &[];

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static dyn DeviceKind> {
    CATALOGUE.iter().copied().find(|kind| kind.name() == name)
}
