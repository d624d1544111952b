//! Frames from a monitor interface, through a packet socket (packet(7)). Needs `CAP_NET_RAW`.
//!
//! Only probe requests come into the process: a filter in the kernel leaves everything else out, so that what people do
//! in their networks is not even copied. Frames are taken in batches, each with the kernel's time stamp, and their
//! buffers are overwritten before the call returns.
//!
//! Limits: 64 frames of at most 4 KiB a system call; 16 MiB wait in the kernel, which is a second of 20,000 frames.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::interface::{Interface, MonitorLink};
use crate::types::wipe;

/// Frames taken in one system call.
const BATCH: usize = 64;
/// Longest frame; a probe request is below 2 KiB.
const FRAME_BYTES: usize = 4096;
/// Bytes that may wait in the kernel, by its own reckoning.
const WAITING_BYTES: libc::c_int = 16 << 20;
/// Room for one control message that holds a `timespec`.
const CONTROL_BYTES: usize = 64;
/// The first byte of a probe request: version 0, management, subtype 4.
const PROBE_REQUEST: u32 = 0x40;

/// A monitor interface that is listened to.
pub struct Monitor {
    socket: OwnedFd,
    link: MonitorLink,
    frames: Box<[[u8; FRAME_BYTES]]>,
    controls: Box<[Control]>,
}

/// Aligned as a control message must be.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_BYTES]);

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Monitor({:?})", self.link)
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Monitor {
    /// Listens to an interface that is up and in monitor mode. Errors are the operating system's: no such device,
    /// `PermissionDenied`; `NetworkDown` for an interface that is down, `Unsupported` for one that is no monitor.
    pub fn open(name: &str) -> io::Result<Self> {
        let interface = Interface::named(name)?;
        let index = interface.index()?;
        let link = interface.link()?.map_err(|other| {
            let message = format!("{name} is not in monitor mode: its link type is {other}, not 803 or 801");
            io::Error::new(io::ErrorKind::Unsupported, message)
        })?;
        if !interface.is_up()? {
            return Err(io::Error::new(io::ErrorKind::NetworkDown, format!("{name} is down")));
        }
        let socket = packet_socket()?;
        // Before it is bound: no frame comes that the filter has not seen.
        attach_filter(&socket, link)?;
        set(&socket, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, &1_i32).or_else(ignored)?;
        set(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1_i32)?;
        set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &WAITING_BYTES)
            .or_else(|_| set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, &WAITING_BYTES))?;
        bind(&socket, index)?;
        let frames = vec![[0; FRAME_BYTES]; BATCH].into_boxed_slice();
        let controls = vec![Control([0; CONTROL_BYTES]); BATCH].into_boxed_slice();
        Ok(Self { socket, link, frames, controls })
    }

    /// What stands in front of each frame.
    pub fn link(&self) -> MonitorLink {
        self.link
    }

    /// Takes what waits, at most one batch: each frame with its time, in microseconds since 1970-01-01T00:00:00Z (0 if
    /// the kernel gave none), and its bytes. How many there were; 0: nothing waits. The buffers are overwritten.
    ///
    /// An interface that went away is `NetworkDown`, once.
    pub fn take(&mut self, mut each: impl FnMut(i64, &[u8])) -> io::Result<usize> {
        let taken = self.receive()?;
        for ((frame, control), length) in self.frames.iter_mut().zip(&self.controls).zip(taken.lengths()) {
            let frame = &mut frame[..length];
            each(stamp_us(control).unwrap_or(0), frame);
            wipe(frame);
        }
        Ok(taken.count)
    }

    /// How many frames the kernel had no room for since it was last asked.
    pub fn missed(&self) -> io::Result<u64> {
        let mut statistics = Statistics { packets: 0, drops: 0 };
        get(&self.socket, libc::SOL_PACKET, PACKET_STATISTICS, &mut statistics)?;
        Ok(u64::from(statistics.drops))
    }

    #[expect(unsafe_code, reason = "no kept crate wraps recvmmsg(2) with control messages")]
    fn receive(&mut self) -> io::Result<Taken> {
        // SAFETY: they are plain integers and pointers, for which all zeros is a valid value.
        let mut messages: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
        let mut pieces = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
        let buffers = self.frames.iter_mut().zip(self.controls.iter_mut());
        for ((message, piece), (frame, control)) in messages.iter_mut().zip(&mut pieces).zip(buffers) {
            *piece = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: FRAME_BYTES };
            message.msg_hdr.msg_iov = piece;
            message.msg_hdr.msg_iovlen = 1;
            control.0.fill(0);
            message.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            message.msg_hdr.msg_controllen = CONTROL_BYTES as _;
        }
        // SAFETY: each message points to one live piece, one live frame and one live control buffer with their own
        // lengths; none of them moves before the call returns, and no time limit is given.
        let received = unsafe {
            let count = libc::c_uint::try_from(BATCH).unwrap_or(0);
            let flags = libc::MSG_DONTWAIT as _;
            libc::recvmmsg(self.socket.as_raw_fd(), messages.as_mut_ptr(), count, flags, std::ptr::null_mut())
        };
        let Ok(count) = usize::try_from(received) else {
            return match io::Error::last_os_error() {
                error if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    Ok(Taken::nothing())
                }
                error => Err(error),
            };
        };
        let mut taken = Taken { count, bytes: [0; BATCH] };
        for (bytes, message) in taken.bytes.iter_mut().zip(&messages) {
            *bytes = usize::try_from(message.msg_len).unwrap_or(0).min(FRAME_BYTES);
        }
        Ok(taken)
    }
}

/// The lengths of a batch.
struct Taken {
    count: usize,
    bytes: [usize; BATCH],
}

impl Taken {
    fn nothing() -> Self {
        Self { count: 0, bytes: [0; BATCH] }
    }

    fn lengths(&self) -> impl Iterator<Item = usize> {
        self.bytes[..self.count.min(BATCH)].iter().copied()
    }
}

/// The time in a control buffer whose first message is the time stamp: a `cmsghdr`, aligned to a word, and a
/// `timespec`.
fn stamp_us(control: &Control) -> Option<i64> {
    let head = size_of::<libc::cmsghdr>().next_multiple_of(size_of::<usize>());
    let word = |at: usize| {
        let bytes = control.0.get(at..at + size_of::<libc::c_long>())?;
        Some(libc::c_long::from_ne_bytes(bytes.try_into().ok()?))
    };
    let kind_at = size_of::<usize>() + size_of::<libc::c_int>();
    let kind = control.0.get(kind_at..kind_at + size_of::<libc::c_int>())?;
    if libc::c_int::from_ne_bytes(kind.try_into().ok()?) != libc::SO_TIMESTAMPNS {
        return None;
    }
    let (seconds, nanos) = (word(head)?, word(head + size_of::<libc::c_long>())?);
    #[allow(clippy::useless_conversion, reason = "a long has 32 bits on some boxes")]
    let (seconds, nanos) = (i64::from(seconds), i64::from(nanos));
    seconds.checked_mul(1_000_000)?.checked_add(nanos / 1000)
}

/// `PACKET_STATISTICS` and its answer (linux/if_packet.h).
const PACKET_STATISTICS: libc::c_int = 6;
/// Frames that this box sends itself are left out (since Linux 4.20).
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;

#[repr(C)]
struct Statistics {
    packets: libc::c_uint,
    drops: libc::c_uint,
}

/// A kernel that does not know the option does not matter: the filter refuses what this box sends, too.
fn ignored(_: io::Error) -> io::Result<()> {
    Ok(())
}

#[expect(unsafe_code, reason = "rustix knows no packet sockets")]
fn packet_socket() -> io::Result<OwnedFd> {
    // Protocol 0: it hears nothing before it is bound.
    // SAFETY: no pointer is passed.
    let descriptor = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was opened in this moment, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

#[expect(unsafe_code, reason = "rustix knows no packet sockets")]
fn bind(socket: &OwnedFd, index: i32) -> io::Result<()> {
    // SAFETY: it is plain integers, for which all zeros is a valid value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::sa_family_t::try_from(libc::AF_PACKET).unwrap_or(0);
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL).unwrap_or(0).to_be();
    address.sll_ifindex = index;
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or(0);
    // SAFETY: pointer and length are those of one live address of the socket's family.
    match unsafe { libc::bind(socket.as_raw_fd(), std::ptr::from_ref(&address).cast(), length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[expect(unsafe_code, reason = "rustix knows no packet sockets")]
fn set<T>(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0);
    // SAFETY: pointer and length are those of one live value, which the kernel only reads.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, std::ptr::from_ref(value).cast(), length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[expect(unsafe_code, reason = "rustix knows no packet sockets")]
fn get(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: &mut Statistics) -> io::Result<()> {
    let mut length = libc::socklen_t::try_from(size_of::<Statistics>()).unwrap_or(0);
    let value = std::ptr::from_mut(value).cast();
    // SAFETY: pointer and length are those of one live value of plain integers, which the kernel writes within.
    match unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, value, &raw mut length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lets only probe requests through: looks behind the radiotap header, whose length stands in its bytes 2 and 3, little
/// endian (classic BPF, Documentation/networking/filter.rst).
fn attach_filter(socket: &OwnedFd, link: MonitorLink) -> io::Result<()> {
    const LOAD_BYTE: u16 = 0x30;
    const LOAD_BYTE_BEHIND: u16 = 0x50;
    const SHIFT_LEFT: u16 = 0x64;
    const OR_INDEX: u16 = 0x4c;
    const TO_INDEX: u16 = 0x07;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let does = |code, k| libc::sock_filter { code, jt: 0, jf: 0, k };
    let verdict = [
        libc::sock_filter { code: JUMP_IF_EQUAL, jt: 0, jf: 1, k: PROBE_REQUEST },
        does(RETURN, u32::from(u16::MAX)),
        does(RETURN, 0),
    ];
    let behind = [
        does(LOAD_BYTE, 3),
        does(SHIFT_LEFT, 8),
        does(TO_INDEX, 0),
        does(LOAD_BYTE, 2),
        does(OR_INDEX, 0),
        does(TO_INDEX, 0),
        does(LOAD_BYTE_BEHIND, 0),
    ];
    let head: &[_] = match link {
        MonitorLink::Bare => &[does(LOAD_BYTE, 0)],
        MonitorLink::Radiotap => &behind,
    };
    let mut program = [head, &verdict].concat();
    let length = u16::try_from(program.len()).unwrap_or(0);
    let filter = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter)
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
