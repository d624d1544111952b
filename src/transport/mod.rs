//! Lines to devices: serial ports, input devices, monitor interfaces, cameras; files of networks. Bytes only, no
//! meaning.
//!
//! Reading and writing go through the raw descriptor with `O_NONBLOCK` under tokio, because the serial port crate's
//! own blocking `write` hangs for ever on a line whose other end does not read (measured: a 4096-byte write with a
//! 50 ms timeout never returned). The crate still opens, locks and configures the port, and lists the ports.
//!
//! What is absent: no protocol, no device, no retry. A line that fails stays failed; whoever holds it opens it anew.

#[cfg(feature = "device-camera")]
mod body;
pub mod browser;
mod descriptor;
mod download;
mod evdev;
mod gpio;
mod http;
mod interface;
mod memory;
mod mirror;
mod network_file;
mod packet;
pub mod panel;
mod post;
mod radio;
#[cfg(feature = "device-camera")]
mod rtsp;
mod seat;
mod tap;
mod tls;
mod tty;
mod v4l2;
mod wait;

#[cfg(feature = "device-camera")]
pub use body::{HttpBody, Login, http_body};
pub use descriptor::Line;
pub use download::{DownloadError, Downloads};
pub use evdev::{Keyboard, keyboards, open_keyboard};
pub use gpio::{Bias, GPIO_LINES, GpioEdge, GpioLines, GpioPlace, GpioWish, gpio_chip};
pub use http::{FetchError, failed, fetch, http_client};
pub use interface::MonitorLink;
pub use memory::{give_back_freed_memory, keep_freed_memory};
pub use mirror::{Glass, Mirrors, Reflection, Viewer, WISH_BYTES};
pub use network_file::{NetworkFileError, network_file, read_network};
pub use packet::Monitor;
pub use post::{Stream, Web};
pub use radio::{Wireless, monitor_channels, wireless};
#[cfg(feature = "device-camera")]
pub use rtsp::{AccessUnit, RtspStream, rtsp_stream};
pub use seat::{Chair, Facts, Follower, PostKind, Posted, Reply, Seat, Seats, Still, Told, Wish};
pub use tap::Tap;
pub use tls::{FileMark, TlsFilesError, TlsServer, file_mark};
pub use tty::{FoundTty, Parity, StopBits, Tty, TtySettings, open_tty, open_tty_here, ttys};
pub use v4l2::{Camera, CameraFormat, CameraWish, FoundCamera, Pixels, Taken, camera_name, cameras};
pub use wait::{Door, Knocker, WAITED_FOR, Waited, door};
