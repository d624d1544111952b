//! A network interface whose other end is this process, with the link type of a monitor interface: what is written here
//! is heard there. What a radio would hear can be played to the gateway's own packet socket without any radio.
//!
//! Needs `CAP_NET_ADMIN` and `/dev/net/tun`. The interface is gone when it is dropped.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use super::interface::{Interface, LINK_RADIOTAP, empty_request, ioctl, name_field};

/// The playing end.
#[derive(Debug)]
pub struct Tap {
    descriptor: OwnedFd,
    interface: Interface,
}

impl Tap {
    /// Makes an interface of that name, of link type 803, and brings it up.
    pub fn create(name: &str) -> io::Result<Self> {
        let descriptor = rustix::fs::open("/dev/net/tun", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        let mut request = empty_request(name_field(name)?);
        request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_TAP | libc::IFF_NO_PI).unwrap_or(0);
        ioctl(&descriptor, libc::TUNSETIFF, &mut request)?;
        // It must be down for this.
        set_link_type(&descriptor, LINK_RADIOTAP)?;
        let interface = Interface::named(name)?;
        interface.set_up(true)?;
        Ok(Self { descriptor, interface })
    }

    /// Plays one frame, radiotap header first; 14 to 4096 bytes. `NetworkDown` becomes `Ok`: nobody hears it.
    pub fn play(&self, frame: &[u8]) -> io::Result<()> {
        match rustix::io::write(&self.descriptor, frame) {
            Ok(_) => Ok(()),
            Err(rustix::io::Errno::IO) if !self.interface.is_up()? => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes it down or brings it up, as somebody would who pulls a radio and puts it back.
    pub fn set_up(&self, up: bool) -> io::Result<()> {
        self.interface.set_up(up)
    }
}

#[expect(unsafe_code, reason = "no kept crate wraps TUNSETLINK")]
fn set_link_type(descriptor: &OwnedFd, link: u16) -> io::Result<()> {
    // SAFETY: the request takes a number, no pointer.
    match unsafe { libc::ioctl(descriptor.as_raw_fd(), libc::TUNSETLINK, libc::c_long::from(link)) } {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
