//! Lines of a GPIO chip as inputs, by the kernel's character device (its second form, Linux 5.10 and later; times by
//! the wall clock, 5.11).
//!
//! The kernel sets the pull resistors, takes out the bounce of contacts, and keeps what changed until it is read, with
//! the time it changed at. Nothing here blocks. A chip that is unplugged is told by the error of the next read.
//!
//! Source of numbers and layouts: the kernel's `include/uapi/linux/gpio.h`.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::ioctl::{Getter, Opcode, Updater, ioctl, opcode};
use tokio::io::AsyncReadExt;

use super::Line;
use crate::types::Timestamp;

/// Most lines of one request: the kernel keeps their values in 64 bits.
pub const GPIO_LINES: usize = 64;
/// Changes that are read at once.
const AT_ONCE: usize = 16;
/// Our name, for whoever asks who holds a line.
const CONSUMER: &[u8] = b"smartstore";
/// Folder of the chips' nodes.
const NODES: &str = "/dev";

const FLAG_USED: u64 = 1;
const FLAG_ACTIVE_LOW: u64 = 1 << 1;
const FLAG_INPUT: u64 = 1 << 2;
const FLAG_BOTH_EDGES: u64 = 1 << 4 | 1 << 5;
const FLAG_PULL_UP: u64 = 1 << 8;
const FLAG_PULL_DOWN: u64 = 1 << 9;
const FLAG_NO_BIAS: u64 = 1 << 10;
const FLAG_WALL_CLOCK: u64 = 1 << 11;
const ATTRIBUTE_DEBOUNCE: u32 = 3;
const EDGE_TO_ACTIVE: u32 = 1;

/// Where a line is: `CHIP/LINE`, as in `gpiochip0/17` or, by the chip's label, `pinctrl-bcm2711/17`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpioPlace {
    /// The chip's node or its label, 1 to 31 bytes.
    pub chip: String,
    /// The line, from 0.
    pub line: u32,
}

impl GpioPlace {
    /// Reads what stands behind `gpio:`.
    pub fn parse(text: &str) -> Option<Self> {
        let (chip, line) = text.split_once('/')?;
        let is_name = (1..32).contains(&chip.len()) && !chip.chars().any(char::is_control);
        Some(Self { chip: chip.to_owned(), line: line.parse().ok()? }).filter(|_| is_name)
    }
}

/// What holds a line when nothing drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bias {
    /// Whatever is set already.
    AsIs,
    /// Nothing.
    None,
    /// A resistor to the supply.
    PullUp,
    /// A resistor to ground.
    PullDown,
}

/// What is asked of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpioWish {
    /// A line is active when it is low.
    pub active_low: bool,
    /// What holds them.
    pub bias: Bias,
    /// A change counts when it has stood for so long; zero: at once.
    pub debounce: Duration,
}

/// A line has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpioEdge {
    /// Which.
    pub line: u32,
    /// Whether it is active now.
    pub active: bool,
    /// When, by the kernel's wall clock.
    pub at: Timestamp,
    /// 1, 2, 3 …, of the whole request: what is missing between two was lost.
    pub number: u32,
}

/// Lines that are held.
#[derive(Debug)]
pub struct GpioLines {
    held: Line<OwnedFd>,
    lines: Vec<u32>,
}

impl GpioLines {
    /// Takes lines of a chip as inputs. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// `NotFound`: there is no such chip. `InvalidInput`: it has no such line. `ResourceBusy`: somebody holds the line.
    /// Else the operating system's.
    pub fn open(chip: &str, lines: &[u32], wish: GpioWish) -> io::Result<Self> {
        let node = open_chip(chip)?;
        let count = chip_info(&node)?.lines;
        for line in lines {
            let place = GpioPlace { chip: chip.to_owned(), line: *line };
            if let Some(by) = holder(&node, count, &place)? {
                return Err(busy(&place, &by));
            }
        }
        let mut request = request(lines, wish)?;
        GET_LINE.on(&node, &mut request)?;
        let held = Line::new(owned(request.fd)?)?;
        Ok(Self { held, lines: lines.to_vec() })
    }

    /// Which of the lines are active now, in the order they were asked for.
    ///
    /// # Errors
    ///
    /// When the chip is gone.
    pub fn active(&self) -> io::Result<Vec<(u32, bool)>> {
        let mut values = LineValues { bits: 0, mask: mask(self.lines.len()) };
        GET_VALUES.on(self.held.opened(), &mut values)?;
        let numbered = self.lines.iter().enumerate();
        Ok(numbered.map(|(at, line)| (*line, values.bits >> at & 1 == 1)).collect())
    }

    /// What has changed, oldest first. Cancel-safe.
    ///
    /// # Errors
    ///
    /// When the chip is gone.
    pub async fn edges(&mut self) -> io::Result<Vec<GpioEdge>> {
        let mut buffer = [0; AT_ONCE * EVENT_BYTES];
        match self.held.read(&mut buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => Ok(read_edges(&buffer[..count])),
        }
    }
}

/// Whether a line could be held now, by us or still by us; the chip's label. Nothing is taken.
///
/// # Errors
///
/// As [`GpioLines::open`].
pub fn gpio_chip(place: &GpioPlace) -> io::Result<String> {
    let node = open_chip(&place.chip)?;
    let info = chip_info(&node)?;
    match holder(&node, info.lines, place)? {
        Some(by) if by.as_bytes() != CONSUMER => Err(busy(place, &by)),
        _ => Ok(text(&info.label)),
    }
}

/// Who holds a line of a chip that has so many.
fn holder(node: &File, count: u32, GpioPlace { chip, line }: &GpioPlace) -> io::Result<Option<String>> {
    if *line >= count {
        let words = format!("{chip} has {count} lines, from 0: there is no line {line}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
    }
    let info = line_info(node, *line)?;
    Ok((info.flags & FLAG_USED != 0).then(|| text(&info.consumer)))
}

fn busy(GpioPlace { chip, line }: &GpioPlace, by: &str) -> io::Error {
    let by = if by.is_empty() { "in use".to_owned() } else { format!("held by {by}") };
    io::Error::new(io::ErrorKind::ResourceBusy, format!("line {line} of {chip} is {by}"))
}

fn mask(lines: usize) -> u64 {
    u32::try_from(64_usize.saturating_sub(lines)).map_or(0, |spare| u64::MAX.checked_shr(spare).unwrap_or(0))
}

/// By its node, or else by its label: nodes may be numbered otherwise after the next start.
fn open_chip(chip: &str) -> io::Result<File> {
    let open = |path: PathBuf| File::options().read(true).write(true).open(path);
    let missing = |words: String| io::Error::new(io::ErrorKind::NotFound, words);
    if chip.starts_with("gpiochip") {
        return open(PathBuf::from(NODES).join(chip)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => missing(format!("there is no chip {chip}")),
            _ => error,
        });
    }
    let entries = std::fs::read_dir(NODES).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_chip =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"gpiochip"));
    for path in entries.filter(is_chip) {
        let Ok(node) = open(path) else { continue };
        if chip_info(&node).is_ok_and(|info| text(&info.label) == chip) {
            return Ok(node);
        }
    }
    Err(missing(format!("no chip that may be opened has the label {chip}")))
}

/// A text that ends with its first zero.
fn text(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn request(lines: &[u32], wish: GpioWish) -> io::Result<LineRequest> {
    let mut request = LineRequest::default();
    if lines.is_empty() || lines.len() > GPIO_LINES {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "1 to 64 lines can be asked for"));
    }
    request.offsets[..lines.len()].copy_from_slice(lines);
    request.consumer[..CONSUMER.len()].copy_from_slice(CONSUMER);
    request.count = u32::try_from(lines.len()).map_err(io::Error::other)?;
    let bias = match wish.bias {
        Bias::AsIs => 0,
        Bias::None => FLAG_NO_BIAS,
        Bias::PullUp => FLAG_PULL_UP,
        Bias::PullDown => FLAG_PULL_DOWN,
    };
    let low = if wish.active_low { FLAG_ACTIVE_LOW } else { 0 };
    request.config.flags = FLAG_INPUT | FLAG_BOTH_EDGES | FLAG_WALL_CLOCK | bias | low;
    if !wish.debounce.is_zero() {
        let debounce = u32::try_from(wish.debounce.as_micros()).map_err(io::Error::other)?;
        request.config.count = 1;
        request.config.attributes[0] =
            ConfigAttribute { id: ATTRIBUTE_DEBOUNCE, debounce, mask: mask(lines.len()), ..ConfigAttribute::default() };
    }
    Ok(request)
}

/// Whole events; the kernel gives no parts.
fn read_edges(bytes: &[u8]) -> Vec<GpioEdge> {
    let (events, _) = bytes.as_chunks::<EVENT_BYTES>();
    let edge = |event: &[u8; EVENT_BYTES]| {
        let word = |at: usize| event[at..].first_chunk().copied().map_or(0, u32::from_ne_bytes);
        let nanoseconds = event.first_chunk().copied().map_or(0, u64::from_ne_bytes);
        let at = Timestamp::from_unix_ms(i64::try_from(nanoseconds / 1_000_000).unwrap_or(i64::MAX));
        GpioEdge { line: word(12), active: word(8) == EDGE_TO_ACTIVE, at, number: word(16) }
    };
    events.iter().map(edge).collect()
}

/// Bytes of `struct gpio_v2_line_event`: time, id, line, number, number of the line's own, room for more.
const EVENT_BYTES: usize = 48;

/// `struct gpiochip_info`.
#[repr(C)]
struct ChipInfo {
    name: [u8; 32],
    label: [u8; 32],
    lines: u32,
}

/// `struct gpio_v2_line_info`. Of the attributes nothing is read.
#[repr(C)]
struct LineInfo {
    name: [u8; 32],
    consumer: [u8; 32],
    line: u32,
    count: u32,
    flags: u64,
    attributes: [u64; 20],
    padding: [u32; 4],
}

/// `struct gpio_v2_line_config_attribute` with the `debounce_period_us` of its union.
#[repr(C)]
#[derive(Default, Clone, Copy)]
struct ConfigAttribute {
    id: u32,
    padding: u32,
    debounce: u32,
    rest: u32,
    mask: u64,
}

/// `struct gpio_v2_line_config`.
#[repr(C)]
#[derive(Default)]
struct LineConfig {
    flags: u64,
    count: u32,
    padding: [u32; 5],
    attributes: [ConfigAttribute; 10],
}

/// `struct gpio_v2_line_request`.
#[repr(C)]
struct LineRequest {
    offsets: [u32; GPIO_LINES],
    consumer: [u8; 32],
    config: LineConfig,
    count: u32,
    buffer: u32,
    padding: [u32; 5],
    fd: i32,
}

impl Default for LineRequest {
    fn default() -> Self {
        let config = LineConfig::default();
        Self { offsets: [0; GPIO_LINES], consumer: [0; 32], config, count: 0, buffer: 0, padding: [0; 5], fd: -1 }
    }
}

/// `struct gpio_v2_line_values`.
#[repr(C)]
struct LineValues {
    bits: u64,
    mask: u64,
}

const CHIP_INFO: Opcode = opcode::read::<ChipInfo>(0xb4, 1);
const LINE_INFO: Call<LineInfo, { opcode::read_write::<LineInfo>(0xb4, 5) }> = Call(std::marker::PhantomData);
const GET_LINE: Call<LineRequest, { opcode::read_write::<LineRequest>(0xb4, 7) }> = Call(std::marker::PhantomData);
const GET_VALUES: Call<LineValues, { opcode::read_write::<LineValues>(0xb4, 14) }> = Call(std::marker::PhantomData);

/// A call that reads and writes a `T`; its number carries the size of it.
struct Call<T, const NUMBER: Opcode>(std::marker::PhantomData<fn(&mut T)>);

impl<T, const NUMBER: Opcode> Call<T, NUMBER> {
    #[expect(unsafe_code, reason = "no crate in the tree wraps the GPIO character device")]
    fn on(&self, node: &impl AsFd, value: &mut T) -> io::Result<()> {
        // SAFETY: `NUMBER` is made of the size of `T`, which is laid out as the kernel's struct (a test compares sizes
        // and places), so that the kernel reads and writes within `value`, which lives and is ours alone.
        Ok(unsafe { ioctl(node, Updater::<NUMBER, T>::new(value)) }?)
    }
}

#[expect(unsafe_code, reason = "no crate in the tree wraps the GPIO character device")]
fn chip_info(node: &File) -> io::Result<ChipInfo> {
    // SAFETY: the number carries the size of `ChipInfo`, which is laid out as the kernel's struct and for which every
    // pattern of bits is a value.
    let info = unsafe { ioctl(node, Getter::<CHIP_INFO, ChipInfo>::new()) };
    info.map_err(|error| match error {
        rustix::io::Errno::NOTTY | rustix::io::Errno::INVAL => {
            io::Error::new(io::ErrorKind::Unsupported, "this node is no GPIO chip")
        }
        _ => error.into(),
    })
}

fn line_info(node: &File, line: u32) -> io::Result<LineInfo> {
    let (name, consumer) = ([0; 32], [0; 32]);
    let mut info = LineInfo { name, consumer, line, count: 0, flags: 0, attributes: [0; 20], padding: [0; 4] };
    LINE_INFO.on(node, &mut info)?;
    Ok(info)
}

#[expect(unsafe_code, reason = "the kernel gives the descriptor as a number")]
fn owned(fd: i32) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::other("the kernel gave no descriptor for the lines"));
    }
    // SAFETY: the kernel has just opened this descriptor for us, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::mem::offset_of;

    use super::*;

    /// As a C compiler makes them of the kernel's header; the structs are the same on every machine.
    #[test]
    fn numbers_sizes_and_places_are_the_kernels() {
        assert_eq!(opcode::read::<ChipInfo>(0xb4, 1), 0x8044_b401);
        assert_eq!(opcode::read_write::<LineInfo>(0xb4, 5), 0xc100_b405);
        assert_eq!(opcode::read_write::<LineRequest>(0xb4, 7), 0xc250_b407);
        assert_eq!(opcode::read_write::<LineValues>(0xb4, 14), 0xc010_b40e);
        assert_eq!((size_of::<LineConfig>(), offset_of!(LineConfig, attributes)), (272, 32));
        assert_eq!((offset_of!(ConfigAttribute, debounce), offset_of!(ConfigAttribute, mask)), (8, 16));
        assert_eq!((offset_of!(LineInfo, consumer), offset_of!(LineInfo, flags)), (32, 72));
        let places = [offset_of!(LineRequest, consumer), offset_of!(LineRequest, config)];
        assert_eq!((places, offset_of!(LineRequest, count)), ([256, 288], 560));
        assert_eq!(offset_of!(LineRequest, fd), 588);
    }

    #[test]
    fn a_wish_becomes_the_kernels_flags() {
        let wish = GpioWish { active_low: true, bias: Bias::PullUp, debounce: Duration::from_millis(10) };
        let asked = request(&[17, 27], wish).unwrap();
        assert_eq!(
            (asked.count, &asked.offsets[..3], &asked.consumer[..11]),
            (2, &[17, 27, 0][..], &b"smartstore\0"[..])
        );
        // USED 0, ACTIVE_LOW 1, INPUT 2, EDGE_RISING 4, EDGE_FALLING 5, BIAS_PULL_UP 8, EVENT_CLOCK_REALTIME 11.
        assert_eq!(asked.config.flags, 0b1001_0011_0110);
        let attribute = asked.config.attributes[0];
        assert_eq!((asked.config.count, attribute.id, attribute.debounce, attribute.mask), (1, 3, 10_000, 0b11));
        let plain = GpioWish { active_low: false, bias: Bias::AsIs, debounce: Duration::ZERO };
        assert_eq!(request(&[0], plain).unwrap().config.count, 0);
        assert!(request(&[], plain).is_err() && request(&[1; 65], plain).is_err());
        assert_eq!([mask(0), mask(1), mask(64)], [0, 1, u64::MAX]);
    }

    #[test]
    fn places_are_a_chip_and_a_line() {
        let place = |chip: &str, line| Some(GpioPlace { chip: chip.to_owned(), line });
        assert_eq!(GpioPlace::parse("gpiochip0/17"), place("gpiochip0", 17));
        assert_eq!(GpioPlace::parse("INT34C5:00/0"), place("INT34C5:00", 0));
        for wrong in ["gpiochip0", "/17", "gpiochip0/", "gpiochip0/-1", "gpiochip0/a", "gpiochip0/1/2", "a\u{7}/1"] {
            assert_eq!(GpioPlace::parse(wrong), None, "{wrong:?}");
        }
        assert_eq!(GpioPlace::parse(&format!("{}/1", "c".repeat(32))), None);
    }

    #[test]
    fn what_is_no_chip_is_refused_with_a_reason() {
        let wish = GpioWish { active_low: false, bias: Bias::AsIs, debounce: Duration::ZERO };
        let refusal = |chip: &str| GpioLines::open(chip, &[1], wish).err().unwrap();
        assert_eq!(refusal("gpiochip-none").to_string(), "there is no chip gpiochip-none");
        assert_eq!(refusal("no-such-label").kind(), io::ErrorKind::NotFound);
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        assert_eq!(chip_info(&null).err().unwrap().to_string(), "this node is no GPIO chip");
    }

    /// An event as the kernel writes it, in this machine's order of bytes.
    fn event(ns: u64, id: u32, line: u32, number: u32) -> [u8; EVENT_BYTES] {
        let mut bytes = [0; EVENT_BYTES];
        bytes[..8].copy_from_slice(&ns.to_ne_bytes());
        for (at, word) in [(8, id), (12, line), (16, number), (20, number)] {
            bytes[at..at + 4].copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    #[tokio::test]
    async fn what_the_kernel_wrote_is_read_in_order_and_an_end_is_an_end() {
        let (near, mut far) = std::io::pipe().unwrap();
        let mut lines = GpioLines { held: Line::new(OwnedFd::from(near)).unwrap(), lines: vec![17, 27] };
        let two = [event(1_763_776_800_123_456_789, 1, 17, 1), event(1_763_776_800_200_000_000, 2, 27, 2)].concat();
        far.write_all(&two).unwrap();
        let at = Timestamp::from_unix_ms;
        let up = GpioEdge { line: 17, active: true, at: at(1_763_776_800_123), number: 1 };
        let down = GpioEdge { line: 27, active: false, at: at(1_763_776_800_200), number: 2 };
        assert_eq!(lines.edges().await.unwrap(), [up, down]);
        drop(far);
        assert_eq!(lines.edges().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(lines.active().is_err(), "a pipe has no values");
    }
}
