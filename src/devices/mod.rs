//! The catalogue of device kinds, and nothing else. A new kind is a new folder and a line here.

#[cfg(feature = "device-camera")]
pub(crate) mod camera;
#[cfg(feature = "device-footfall")]
mod footfall;
#[cfg(feature = "device-scanner")]
mod scanner;
#[cfg(feature = "device-screen")]
mod screen;
#[cfg(feature = "device-sensor")]
mod sensor;
#[cfg(feature = "device-vending")]
mod vending;

use crate::device::DeviceKind;

/// Every kind of device this build can drive.
pub static CATALOGUE: &[&dyn DeviceKind] = &[
    #[cfg(feature = "device-camera")]
    &camera::V4L2,
    #[cfg(feature = "device-camera")]
    &camera::RTSP,
    #[cfg(feature = "device-camera")]
    &camera::MJPEG,
    #[cfg(feature = "device-camera")]
    &camera::FRAMES,
    #[cfg(feature = "device-footfall")]
    &footfall::MONITOR,
    #[cfg(feature = "device-footfall")]
    &footfall::TZ001,
    #[cfg(feature = "device-footfall")]
    &footfall::DATASKY,
    #[cfg(feature = "device-scanner")]
    &scanner::SERIAL,
    #[cfg(feature = "device-scanner")]
    &scanner::HID,
    #[cfg(feature = "device-screen")]
    &screen::PAGE,
    #[cfg(feature = "device-sensor")]
    &sensor::GPIO,
    #[cfg(feature = "device-sensor")]
    &sensor::HTTP,
    #[cfg(feature = "device-sensor")]
    &sensor::SERIAL,
    #[cfg(feature = "device-vending")]
    &vending::VMC,
    #[cfg(feature = "device-vending")]
    &vending::MDB,
    #[cfg(feature = "device-vending")]
    &vending::ZDM8,
];

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static dyn DeviceKind> {
    CATALOGUE.iter().copied().find(|kind| kind.name() == name)
}
