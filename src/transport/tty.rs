//! Serial ports.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::termios::{LocalModes, QueueSelector, tcflush, tcgetattr};
use serialport::{DataBits, FlowControl, SerialPortType, TTYPort};

use super::Line;
use super::descriptor::set_nonblocking;

/// Parity of a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parity {
    /// No parity bit.
    #[default]
    None,
    /// Even parity.
    Even,
    /// Odd parity.
    Odd,
}

/// Stop bits of a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StopBits {
    /// One.
    #[default]
    One,
    /// Two.
    Two,
}

/// How a serial line is set. Eight data bits, no flow control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TtySettings {
    /// Baud.
    pub baud: u32,
    /// Parity.
    pub parity: Parity,
    /// Stop bits.
    pub stop_bits: StopBits,
}

/// An open serial port; gives up its exclusive hold when dropped.
#[derive(Debug)]
pub struct Tty {
    port: TTYPort,
    waited_bytes: usize,
}

impl Tty {
    /// How many bytes had come while nobody held the line. They are the first that will be read.
    pub const fn waited_bytes(&self) -> usize {
        self.waited_bytes
    }
}

impl AsRawFd for Tty {
    fn as_raw_fd(&self) -> RawFd {
        self.port.as_raw_fd()
    }
}

impl AsFd for Tty {
    #[expect(unsafe_code, reason = "the serial port crate gives only the raw descriptor")]
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the port keeps its descriptor open as long as it lives, and the borrow ends before it does.
        unsafe { BorrowedFd::borrow_raw(self.port.as_raw_fd()) }
    }
}

/// Opens a serial port for ourselves alone (`TIOCEXCL` and `flock`), raw, with nothing left over to be sent.
///
/// What came while nobody held the line is left there, and [`Tty::waited_bytes`] says how much it is. Flushing it
/// would cut the message that is just coming in two, and its tail would pass for a message of its own; `tcflush` does
/// not even reach what the kernel still holds behind the line's own 4095 bytes. It is counted *before* the lock is
/// taken, so that from the moment others see the line taken, no byte passes for one that waited.
///
/// The path may be a symlink; it is resolved at every open. Errors are the operating system's: `NotFound` for a
/// port that is not there, `PermissionDenied`, and `ResourceBusy` for one that another process holds.
pub async fn open_tty(path: &Path, settings: TtySettings) -> io::Result<Line<Tty>> {
    let path = path.to_owned();
    // A dying USB adapter can hold an open or a tcsetattr for seconds: not on the runtime's own threads.
    let opened = tokio::task::spawn_blocking(move || open_blocking(&path, settings)).await;
    Line::new(opened.map_err(io::Error::other)??)
}

fn open_blocking(path: &Path, settings: TtySettings) -> io::Result<Tty> {
    let path = path.to_str().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8"))?;
    let builder = serialport::new(path, settings.baud)
        .data_bits(DataBits::Eight)
        .flow_control(FlowControl::None)
        .parity(match settings.parity {
            Parity::None => serialport::Parity::None,
            Parity::Even => serialport::Parity::Even,
            Parity::Odd => serialport::Parity::Odd,
        })
        .stop_bits(match settings.stop_bits {
            StopBits::One => serialport::StopBits::One,
            StopBits::Two => serialport::StopBits::Two,
        })
        .timeout(Duration::ZERO);
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let before = rustix::fs::open(path, flags, Mode::empty())?;
    let mut waited = rustix::io::ioctl_fionread(&before)?;
    let by_lines = tcgetattr(&before)?.local_modes.contains(LocalModes::ICANON);
    let port = TTYPort::open(&builder).map_err(open_error)?;
    let mut tty = Tty { port, waited_bytes: 0 };
    if by_lines {
        // A terminal that still edits lines does not count the unfinished one.
        waited = rustix::io::ioctl_fionread(&tty)?;
    }
    tty.waited_bytes = usize::try_from(waited).unwrap_or(usize::MAX);
    tcflush(&tty, QueueSelector::OFlush)?;
    Ok(tty)
}

/// [`open_tty`] for a thread of one's own: reads give what is there, or `WouldBlock`.
pub fn open_tty_here(path: &Path, settings: TtySettings) -> io::Result<Tty> {
    let tty = open_blocking(path, settings)?;
    set_nonblocking(tty.as_fd())?;
    Ok(tty)
}

fn open_error(error: serialport::Error) -> io::Error {
    if error.kind == serialport::ErrorKind::NoDevice && error.description.contains("lock") {
        return io::Error::new(io::ErrorKind::ResourceBusy, "another process holds the port");
    }
    error.into()
}

/// A serial port that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTty {
    /// Its most stable path: `/dev/serial/by-id/…` where there is one.
    pub path: PathBuf,
    /// What it says of itself, when it is a USB device.
    pub description: Option<String>,
}

/// The serial ports of this machine, by their most stable path. On-board ports that have no hardware behind them
/// are left out as far as the kernel tells.
pub fn ttys() -> io::Result<Vec<FoundTty>> {
    let found = serialport::available_ports()?;
    let mut ttys: Vec<_> = found
        .into_iter()
        .map(|port| FoundTty { path: stable_path(Path::new(&port.port_name)), description: describe(port.port_type) })
        .collect();
    ttys.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(ttys)
}

fn describe(kind: SerialPortType) -> Option<String> {
    match kind {
        SerialPortType::UsbPort(usb) => {
            let words = [usb.manufacturer, usb.product, usb.serial_number];
            let words: Vec<_> = words.into_iter().flatten().collect();
            Some(format!("USB {:04x}:{:04x} {}", usb.vid, usb.pid, words.join(" ")).trim_end().to_owned())
        }
        SerialPortType::BluetoothPort => Some("Bluetooth".to_owned()),
        SerialPortType::PciPort | SerialPortType::Unknown => None,
    }
}

/// The `by-id`, else the `by-path` link that points to this node: those survive a reboot and another USB port.
fn stable_path(node: &Path) -> PathBuf {
    for folder in ["/dev/serial/by-id", "/dev/serial/by-path"] {
        let links = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut matching: Vec<_> =
            links.filter(|link| link.canonicalize().is_ok_and(|target| target == node)).collect();
        matching.sort();
        if let Some(link) = matching.into_iter().next() {
            return link;
        }
    }
    node.to_owned()
}

#[cfg(test)]
#[path = "tty_tests.rs"]
mod tests;
