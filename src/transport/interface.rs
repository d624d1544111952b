//! Network interfaces by their names: index, link type, up or down.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `ARPHRD_IEEE80211`: frames of 802.11 without a header in front.
const LINK_BARE: u16 = 801;
/// `ARPHRD_IEEE80211_RADIOTAP`: with a radiotap header in front, as monitor interfaces have it.
pub(super) const LINK_RADIOTAP: u16 = 803;

/// What stands in front of the frames of a monitor interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorLink {
    /// Nothing.
    Bare,
    /// A radiotap header.
    Radiotap,
}

/// An interface as ioctl(2) knows it: by its name.
#[derive(Debug)]
pub(super) struct Interface {
    socket: OwnedFd,
    name: [libc::c_char; libc::IFNAMSIZ],
}

impl Interface {
    pub(super) fn named(name: &str) -> io::Result<Self> {
        Ok(Self { socket: any_socket()?, name: name_field(name)? })
    }

    /// Its number. Another one each time that an interface of this name comes.
    pub(super) fn index(&self) -> io::Result<i32> {
        let request = self.ask(libc::SIOCGIFINDEX)?;
        #[expect(unsafe_code, reason = "ifreq is a union")]
        // SAFETY: SIOCGIFINDEX fills this arm of the union, and all its bits are valid.
        Ok(unsafe { request.ifr_ifru.ifru_ifindex })
    }

    pub(super) fn is_up(&self) -> io::Result<bool> {
        Ok(self.flags()? & libc::IFF_UP != 0)
    }

    /// What stands in front of its frames; `None`: it is no monitor interface, its link type is the number.
    pub(super) fn link(&self) -> io::Result<Result<MonitorLink, u16>> {
        let request = self.ask(libc::SIOCGIFHWADDR)?;
        #[expect(unsafe_code, reason = "ifreq is a union")]
        // SAFETY: SIOCGIFHWADDR fills this arm of the union, and all its bits are valid.
        let family = unsafe { request.ifr_ifru.ifru_hwaddr.sa_family };
        Ok(match family {
            LINK_BARE => Ok(MonitorLink::Bare),
            LINK_RADIOTAP => Ok(MonitorLink::Radiotap),
            other => Err(other),
        })
    }

    /// Brings it up or takes it down; needs `CAP_NET_ADMIN`.
    pub(super) fn set_up(&self, up: bool) -> io::Result<()> {
        let flags = self.flags()?;
        let wanted = if up { flags | libc::IFF_UP } else { flags & !libc::IFF_UP };
        let mut request = self.request();
        request.ifr_ifru.ifru_flags = libc::c_short::try_from(wanted & 0x7fff).unwrap_or(0);
        ioctl(&self.socket, libc::SIOCSIFFLAGS, &mut request)
    }

    fn flags(&self) -> io::Result<libc::c_int> {
        let request = self.ask(libc::SIOCGIFFLAGS)?;
        #[expect(unsafe_code, reason = "ifreq is a union")]
        // SAFETY: SIOCGIFFLAGS fills this arm of the union, and all its bits are valid.
        Ok(libc::c_int::from(unsafe { request.ifr_ifru.ifru_flags }))
    }

    fn ask(&self, what: libc::Ioctl) -> io::Result<libc::ifreq> {
        let mut request = self.request();
        ioctl(&self.socket, what, &mut request)?;
        Ok(request)
    }

    pub(super) fn request(&self) -> libc::ifreq {
        empty_request(self.name)
    }
}

/// A request about an interface with nothing in it but the name.
pub(super) fn empty_request(name: [libc::c_char; libc::IFNAMSIZ]) -> libc::ifreq {
    #[expect(unsafe_code, reason = "ifreq is a union")]
    // SAFETY: it is plain integers, for which all zeros is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name = name;
    request
}

/// A name as the kernel takes it: 1 to 15 bytes and a zero.
pub(super) fn name_field(name: &str) -> io::Result<[libc::c_char; libc::IFNAMSIZ]> {
    let mut field = [0; libc::IFNAMSIZ];
    if name.is_empty() || name.len() >= field.len() || name.bytes().any(|byte| matches!(byte, 0 | b'/' | b' ')) {
        let message = "an interface's name has 1 to 15 characters, no blank and no slash";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    for (to, byte) in field.iter_mut().zip(name.bytes()) {
        *to = byte.cast_signed() as libc::c_char;
    }
    Ok(field)
}

/// A socket that only carries such requests.
#[expect(unsafe_code, reason = "rustix's sockets are behind a feature that nothing else needs")]
fn any_socket() -> io::Result<OwnedFd> {
    // SAFETY: no pointer is passed.
    let descriptor = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was opened in this moment, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

#[expect(unsafe_code, reason = "no kept crate wraps these requests")]
pub(super) fn ioctl(on: &OwnedFd, what: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: every request made here takes a pointer to an `ifreq`, and this one is live.
    match unsafe { libc::ioctl(on.as_raw_fd(), what, std::ptr::from_mut(request)) } {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_up_and_no_monitor() {
        let loopback = Interface::named("lo").unwrap();
        assert!(loopback.index().unwrap() > 0);
        assert_eq!(loopback.link().unwrap(), Err(772));
        assert!(loopback.is_up().is_ok());
    }

    #[test]
    fn names_that_cannot_be_and_interfaces_that_are_not_there_are_refused() {
        for name in ["", "a/b", "sixteen-letters-", "a b"] {
            assert_eq!(Interface::named(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
        let absent = Interface::named("no-such-if0").unwrap();
        assert_eq!(absent.index().unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }
}
