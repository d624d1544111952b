//! USB cameras by the kernel's own interface (Video4Linux2, streaming by memory mapping).
//!
//! Nothing here blocks: the node is opened without blocking, and whoever reads waits with a bound. A camera that
//! stalls is told by the bound, one that is unplugged by the error of the next call. Pictures are cut to `bytesused`.
//!
//! Source of numbers and layouts: the kernel's `include/uapi/linux/videodev2.h`.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Buffers that the kernel fills in turn.
const BUFFERS: u32 = 4;
/// Longest buffer that is mapped: 4K with two bytes a pixel, twice.
const BUFFER_BYTES: u32 = 64 << 20;
/// Formats of one camera that are looked at.
const FORMATS: u32 = 64;

const CAPTURE: u32 = 1;
const MMAP: u32 = 1;
const FIELD_NONE: u32 = 1;
const CAP_CAPTURE: u32 = 0x1;
const CAP_STREAMING: u32 = 0x0400_0000;
const CAP_DEVICE_CAPS: u32 = 0x8000_0000;
const BUFFER_ERROR: u32 = 0x40;
const TIME_PER_FRAME: u32 = 0x1000;

/// How pixels lie in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pixels {
    /// Y0 U Y1 V: two bytes a pixel.
    Yuyv,
    /// A JPEG each.
    Mjpeg,
}

impl Pixels {
    const fn fourcc(self) -> u32 {
        match self {
            Self::Yuyv => u32::from_le_bytes(*b"YUYV"),
            Self::Mjpeg => u32::from_le_bytes(*b"MJPG"),
        }
    }
}

/// What is asked of a camera. It gives what it can that is nearest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraWish {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Pictures a second.
    pub fps: u32,
    /// In this order; the first that the camera can do.
    pub pixels: Vec<Pixels>,
}

/// What a camera gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CameraFormat {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from one row to the next; 0 for a JPEG.
    pub stride: u32,
    /// How pixels lie.
    pub pixels: Pixels,
}

/// What came of a look at the filled buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Buffers that were filled.
    pub filled: u32,
    /// Of them those that the driver says are broken.
    pub broken: u32,
}

/// A camera that streams.
#[derive(Debug)]
pub struct Camera {
    file: File,
    buffers: Vec<Mapped>,
    format: CameraFormat,
}

/// A camera that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundCamera {
    /// The most stable path there is.
    pub path: PathBuf,
    /// As the driver calls it.
    pub card: String,
}

impl Camera {
    /// Opens the node, agrees on a format and starts the stream. A symlink is resolved now.
    ///
    /// # Errors
    ///
    /// The operating system's; `Unsupported` when the node is no camera or has none of the wanted formats.
    pub fn open(path: &Path, wish: &CameraWish) -> io::Result<Self> {
        let file = open_node(path)?;
        capability(&file)?;
        let pixels = choose(&file, &wish.pixels)?;
        let format = agree(&file, wish, pixels)?;
        let buffers = map_buffers(&file)?;
        let mut camera = Self { file, buffers, format };
        for index in 0..camera.buffers.len() {
            camera.give_back(u32::try_from(index).unwrap_or(0))?;
        }
        let mut kind = CAPTURE;
        STREAM_ON.on(&camera.file, &mut kind)?;
        Ok(camera)
    }

    /// What it gives.
    #[must_use]
    pub fn format(&self) -> CameraFormat {
        self.format
    }

    /// Takes what has been filled and gives each picture's bytes, oldest first.
    ///
    /// # Errors
    ///
    /// When the camera is gone or its stream has failed.
    pub fn take(&mut self, mut picture: impl FnMut(&[u8])) -> io::Result<Taken> {
        let mut taken = Taken::default();
        // At most once round: a camera that is faster than we are shall not hold us.
        for _ in 0..self.buffers.len() {
            let mut buffer = Buffer::asked(0);
            match DEQUEUE.on(&self.file, &mut buffer) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            taken.filled += 1;
            let mapped = self.buffers.get(buffer.index as usize);
            let bytes = mapped.map(|mapped| &mapped.bytes()[..mapped.length.min(buffer.bytesused as usize)]);
            match bytes.filter(|bytes| buffer.flags & BUFFER_ERROR == 0 && !bytes.is_empty()) {
                Some(bytes) => picture(bytes),
                None => taken.broken += 1,
            }
            self.give_back(buffer.index)?;
        }
        Ok(taken)
    }

    fn give_back(&mut self, index: u32) -> io::Result<()> {
        ENQUEUE.on(&self.file, &mut Buffer::asked(index))
    }
}

impl AsFd for Camera {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let mut kind = CAPTURE;
        // A camera that has gone cannot be stopped, and need not.
        let _ = STREAM_OFF.on(&self.file, &mut kind);
    }
}

/// The cameras of this machine: nodes that capture, by their most stable names.
#[must_use]
pub fn cameras() -> Vec<FoundCamera> {
    let stable: Vec<PathBuf> = ["/dev/v4l/by-id", "/dev/v4l/by-path"].iter().flat_map(|folder| nodes(folder)).collect();
    let plain = nodes("/dev")
        .into_iter()
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("video")));
    let found = plain.filter_map(|node| {
        let card = capability(&open_node(&node).ok()?).ok()?;
        let same = |path: &&PathBuf| path.canonicalize().is_ok_and(|target| target == node);
        let path = stable.iter().find(same).cloned().unwrap_or(node);
        Some(FoundCamera { path, card })
    });
    found.collect()
}

/// Whether a node is a camera that can be opened now; its name. Nothing is started.
///
/// # Errors
///
/// As [`Camera::open`].
pub fn camera_name(path: &Path) -> io::Result<String> {
    capability(&open_node(path)?)
}

fn nodes(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

fn open_node(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).write(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path)?;
    if !file.metadata()?.file_type().is_char_device() {
        return Err(unsupported("this is no device node"));
    }
    Ok(file)
}

fn unsupported(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, what)
}

/// The driver's name of the camera.
fn capability(file: &File) -> io::Result<String> {
    let mut capability = Capability::default();
    QUERY_CAPABILITY.on(file, &mut capability).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOTTY | libc::EINVAL) => unsupported("this device is no camera"),
        _ => error,
    })?;
    let own = match capability.capabilities & CAP_DEVICE_CAPS {
        0 => capability.capabilities,
        _ => capability.device_caps,
    };
    if own & CAP_CAPTURE == 0 || own & CAP_STREAMING == 0 {
        return Err(unsupported("this node gives no pictures; a camera often has a second node that does"));
    }
    let name = capability.card.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}

/// The first wanted format that the camera has.
fn choose(file: &File, wanted: &[Pixels]) -> io::Result<Pixels> {
    let mut offered = Vec::new();
    for index in 0..FORMATS {
        let mut described = FormatDescription { index, kind: CAPTURE, ..FormatDescription::default() };
        if ENUMERATE_FORMATS.on(file, &mut described).is_err() {
            break;
        }
        offered.push(described.pixels);
    }
    let chosen = wanted.iter().find(|pixels| offered.contains(&pixels.fourcc())).copied();
    chosen.ok_or_else(|| {
        let names = offered.iter().map(|code| String::from_utf8_lossy(&code.to_le_bytes()).into_owned());
        let names: Vec<String> = names.collect();
        unsupported(&format!("the camera offers {}, and none of them is wanted", names.join(", ")))
    })
}

/// Sets size and rate; the driver makes of them what it can.
fn agree(file: &File, wish: &CameraWish, pixels: Pixels) -> io::Result<CameraFormat> {
    let mut format = Format { kind: CAPTURE, ..Format::default() };
    format.pix.width = wish.width;
    format.pix.height = wish.height;
    format.pix.pixels = pixels.fourcc();
    format.pix.field = FIELD_NONE;
    SET_FORMAT.on(file, &mut format)?;
    let Picture { width, height, stride, pixels: got, .. } = format.pix;
    if got != pixels.fourcc() || width == 0 || height == 0 {
        return Err(unsupported("the camera offers a format and then refuses it"));
    }
    let mut rate = Rate { kind: CAPTURE, ..Rate::default() };
    (rate.numerator, rate.denominator) = (1, wish.fps);
    // Many cameras know one rate and refuse the call. Pictures that come too often are left out by whoever takes them.
    let asked = GET_RATE.on(file, &mut rate).is_ok() && rate.capability & TIME_PER_FRAME != 0;
    if asked {
        (rate.numerator, rate.denominator) = (1, wish.fps);
        let _ = SET_RATE.on(file, &mut rate);
    }
    let stride = if pixels == Pixels::Mjpeg { 0 } else { stride.max(width.saturating_mul(2)) };
    Ok(CameraFormat { width, height, stride, pixels })
}

fn map_buffers(file: &File) -> io::Result<Vec<Mapped>> {
    let mut request = Request { count: BUFFERS, kind: CAPTURE, memory: MMAP, ..Request::default() };
    REQUEST_BUFFERS.on(file, &mut request)?;
    if request.count == 0 {
        return Err(unsupported("the camera has no buffers"));
    }
    let mapped = (0..request.count.min(2 * BUFFERS)).map(|index| {
        let mut buffer = Buffer::asked(index);
        QUERY_BUFFER.on(file, &mut buffer)?;
        if buffer.length > BUFFER_BYTES {
            return Err(unsupported("the camera's pictures are larger than 64 MiB"));
        }
        Mapped::new(file, buffer.offset, buffer.length as usize)
    });
    mapped.collect()
}

/// A buffer of the kernel in our memory.
#[derive(Debug)]
struct Mapped {
    address: std::ptr::NonNull<libc::c_void>,
    length: usize,
}

// SAFETY: the mapping belongs to this value alone and is only read; which thread does that does not matter.
#[expect(unsafe_code, reason = "a pointer to memory that only this value knows")]
unsafe impl Send for Mapped {}

impl Mapped {
    #[expect(unsafe_code, reason = "rustix's mmap is behind a feature that nothing else needs")]
    fn new(file: &File, offset: usize, length: usize) -> io::Result<Self> {
        let place = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        let (protection, flags) = (libc::PROT_READ, libc::MAP_SHARED);
        // SAFETY: a new mapping anywhere, of a descriptor that lives; its result is checked before it is used.
        let address = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, file.as_raw_fd(), place) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let address = std::ptr::NonNull::new(address).ok_or_else(|| io::Error::other("a mapping at nothing"))?;
        Ok(Self { address, length })
    }

    #[expect(unsafe_code, reason = "the view of a mapping")]
    fn bytes(&self) -> &[u8] {
        // SAFETY: address and length are those of a live mapping, which goes only with `self`; while the buffer is
        // dequeued the driver does not write to it.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr().cast::<u8>(), self.length) }
    }
}

impl Drop for Mapped {
    #[expect(unsafe_code, reason = "the end of a mapping")]
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this address and length, and nobody else has it.
        let _ = unsafe { libc::munmap(self.address.as_ptr(), self.length) };
    }
}

/// `struct v4l2_capability`.
#[repr(C)]
#[derive(Default)]
struct Capability {
    driver: [u8; 16],
    card: [u8; 32],
    bus: [u8; 32],
    version: u32,
    capabilities: u32,
    device_caps: u32,
    reserved: [u32; 3],
}

/// `struct v4l2_fmtdesc`.
#[repr(C)]
#[derive(Default)]
struct FormatDescription {
    index: u32,
    kind: u32,
    flags: u32,
    description: [u8; 32],
    pixels: u32,
    bus_code: u32,
    reserved: [u32; 3],
}

/// `struct v4l2_pix_format`.
#[repr(C)]
#[derive(Default, Clone, Copy)]
struct Picture {
    width: u32,
    height: u32,
    pixels: u32,
    field: u32,
    stride: u32,
    size: u32,
    colours: u32,
    private: u32,
    flags: u32,
    encoding: u32,
    quantisation: u32,
    transfer: u32,
}

/// `struct v4l2_format`: the union begins where a pointer may stand and has 200 bytes.
#[repr(C)]
struct Format {
    kind: u32,
    _align: [usize; 0],
    pix: Picture,
    rest: [u8; 200 - size_of::<Picture>()],
}

impl Default for Format {
    fn default() -> Self {
        Self { kind: 0, _align: [], pix: Picture::default(), rest: [0; 200 - size_of::<Picture>()] }
    }
}

/// `struct v4l2_streamparm` with the `v4l2_captureparm` of its union, which has 200 bytes.
#[repr(C)]
struct Rate {
    kind: u32,
    capability: u32,
    mode: u32,
    numerator: u32,
    denominator: u32,
    extended: u32,
    buffers: u32,
    rest: [u8; 176],
}

impl Default for Rate {
    fn default() -> Self {
        Self { kind: 0, capability: 0, mode: 0, numerator: 0, denominator: 0, extended: 0, buffers: 0, rest: [0; 176] }
    }
}

/// `struct v4l2_requestbuffers`.
#[repr(C)]
#[derive(Default)]
struct Request {
    count: u32,
    kind: u32,
    memory: u32,
    capabilities: u32,
    flags: u8,
    reserved: [u8; 3],
}

/// `struct v4l2_buffer`.
#[repr(C)]
struct Buffer {
    index: u32,
    kind: u32,
    bytesused: u32,
    flags: u32,
    field: u32,
    timestamp: libc::timeval,
    timecode: [u32; 4],
    sequence: u32,
    memory: u32,
    /// A union as wide as a pointer: for memory mapping a 32-bit offset, in its first four bytes.
    offset: usize,
    length: u32,
    reserved: u32,
    request: u32,
}

impl Buffer {
    fn asked(index: u32) -> Self {
        Self {
            index,
            kind: CAPTURE,
            bytesused: 0,
            flags: 0,
            field: 0,
            timestamp: libc::timeval { tv_sec: 0, tv_usec: 0 },
            timecode: [0; 4],
            sequence: 0,
            memory: MMAP,
            offset: 0,
            length: 0,
            reserved: 0,
            request: 0,
        }
    }
}

/// A call's number and the type it takes: `_IOR`, `_IOW` and `_IOWR` of `asm-generic/ioctl.h`.
struct Call<T>(u32, std::marker::PhantomData<fn(&mut T)>);

impl<T> Call<T> {
    const fn new(direction: u32, number: u32) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "at most 208 bytes")]
        let size = size_of::<T>() as u32;
        Self(direction << 30 | size << 16 | (b'V' as u32) << 8 | number, std::marker::PhantomData)
    }

    /// ioctl(2), again when a signal comes between.
    #[expect(unsafe_code, reason = "no crate in the tree wraps Video4Linux")]
    fn on(&self, file: &File, value: &mut T) -> io::Result<()> {
        loop {
            // SAFETY: the number carries the size of `T`, which is laid out as the kernel's struct (a test compares the
            // numbers), so that the kernel reads and writes within `value`, which lives and is ours alone.
            let result = unsafe { libc::ioctl(file.as_raw_fd(), self.0 as _, std::ptr::from_mut(value)) };
            if result >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

const READ: u32 = 2;
const WRITE: u32 = 1;
const QUERY_CAPABILITY: Call<Capability> = Call::new(READ, 0);
const ENUMERATE_FORMATS: Call<FormatDescription> = Call::new(READ | WRITE, 2);
const SET_FORMAT: Call<Format> = Call::new(READ | WRITE, 5);
const REQUEST_BUFFERS: Call<Request> = Call::new(READ | WRITE, 8);
const QUERY_BUFFER: Call<Buffer> = Call::new(READ | WRITE, 9);
const ENQUEUE: Call<Buffer> = Call::new(READ | WRITE, 15);
const DEQUEUE: Call<Buffer> = Call::new(READ | WRITE, 17);
const STREAM_ON: Call<u32> = Call::new(WRITE, 18);
const STREAM_OFF: Call<u32> = Call::new(WRITE, 19);
const GET_RATE: Call<Rate> = Call::new(READ | WRITE, 21);
const SET_RATE: Call<Rate> = Call::new(READ | WRITE, 22);

#[cfg(test)]
mod tests {
    use super::*;

    /// As a C compiler makes them of the kernel's header on x86-64 and arm64.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn the_numbers_are_the_kernels() {
        assert_eq!(QUERY_CAPABILITY.0, 0x8068_5600);
        assert_eq!(ENUMERATE_FORMATS.0, 0xc040_5602);
        assert_eq!(SET_FORMAT.0, 0xc0d0_5605);
        assert_eq!(REQUEST_BUFFERS.0, 0xc014_5608);
        assert_eq!(QUERY_BUFFER.0, 0xc058_5609);
        assert_eq!(ENQUEUE.0, 0xc058_560f);
        assert_eq!(DEQUEUE.0, 0xc058_5611);
        assert_eq!(STREAM_ON.0, 0x4004_5612);
        assert_eq!(STREAM_OFF.0, 0x4004_5613);
        assert_eq!(GET_RATE.0, 0xc0cc_5615);
        assert_eq!(SET_RATE.0, 0xc0cc_5616);
    }

    #[test]
    fn what_is_no_camera_is_refused_with_a_reason() {
        let wish = CameraWish { width: 640, height: 480, fps: 10, pixels: vec![Pixels::Mjpeg, Pixels::Yuyv] };
        let refusal = |path: &str| Camera::open(Path::new(path), &wish).err().unwrap();
        assert_eq!(refusal("/dev/video-none").kind(), io::ErrorKind::NotFound);
        assert_eq!(refusal("/dev/null").to_string(), "this device is no camera");
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(refusal(file.path().to_str().unwrap()).to_string(), "this is no device node");
    }
}
