//! The board's registers and what is in them.

use std::time::Duration;

use super::frame::Request;

/// Hardware version (BCD year, month), rows, columns.
pub const HARDWARE: u16 = 0x0001;
/// Software version: BCD date.
pub const SOFTWARE: u16 = 0x0002;
/// State and fault. Reading a final state puts the board back to idle; the fault stays.
pub const STATE: u16 = 0x0003;
/// Temperature and humidity, in tenths.
pub const CLIMATE: u16 = 0x0004;
/// Cabinet and whether it is open (00) or closed (01).
pub const DOOR: u16 = 0x0005;
/// Dispense: lane, type, drop sensor, lift.
pub const DISPENSE: u16 = 0x2001;

/// How a lane gives its product out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneType {
    /// A spiral on a motor.
    Spring,
    /// A locked door.
    Lock,
    /// A belt.
    Belt,
    /// A motor that turns for a time.
    Timed,
}

impl LaneType {
    /// The board's code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Spring => 1,
            Self::Lock => 2,
            Self::Belt => 3,
            Self::Timed => 4,
        }
    }
}

/// The board's codes of its own state, from its manual's table: they are not public, so that the profile says them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateCodes {
    /// Nothing to do.
    pub idle: u8,
    /// A product is on its way.
    pub busy: u8,
    /// It is out.
    pub success: u8,
    /// It is not.
    pub failed: u8,
}

impl Default for StateCodes {
    fn default() -> Self {
        Self { idle: 0, busy: 1, success: 2, failed: 3 }
    }
}

/// What the profile says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zdm8Settings {
    /// The board's Modbus address.
    pub address: u8,
    /// Its codes.
    pub codes: StateCodes,
    /// Its lanes.
    pub lane_type: LaneType,
    /// Whether products come down with a lift.
    pub lift: bool,
    /// How long a frame may pause in its middle.
    pub frame_gap: Duration,
    /// How long an answer may take.
    pub reply_timeout: Duration,
    /// How long the line rests before the next question, and after a lost answer.
    pub turnaround: Duration,
    /// How often a dispense is looked after.
    pub poll_interval: Duration,
    /// How long a dispense may take to show.
    pub start_timeout: Duration,
    /// How long a dispense may take in all before its outcome is unknown.
    pub dispense_timeout: Duration,
    /// How often door and climate are asked for.
    pub status_interval: Duration,
}

impl Default for Zdm8Settings {
    fn default() -> Self {
        Self {
            address: 1,
            codes: StateCodes::default(),
            lane_type: LaneType::Spring,
            lift: false,
            frame_gap: Duration::from_millis(50),
            reply_timeout: Duration::from_millis(500),
            turnaround: Duration::from_millis(50),
            poll_interval: Duration::from_millis(200),
            start_timeout: Duration::from_secs(1),
            dispense_timeout: Duration::from_secs(60),
            status_interval: Duration::from_secs(30),
        }
    }
}

/// State and fault register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardState {
    /// What it does.
    pub doing: Doing,
    /// 0: none.
    pub fault: u8,
}

/// What the board does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Nothing.
    Idle,
    /// A product is on its way.
    Busy,
    /// It is out. Said once.
    Success,
    /// It is not. Said once.
    Failed,
    /// A code that the profile does not know.
    Unknown,
}

impl BoardState {
    /// Reads the register.
    pub fn read(bytes: &[u8], codes: StateCodes) -> Option<Self> {
        let [state, fault] = bytes else { return None };
        let doing = match *state {
            state if state == codes.idle => Doing::Idle,
            state if state == codes.busy => Doing::Busy,
            state if state == codes.success => Doing::Success,
            state if state == codes.failed => Doing::Failed,
            _ => Doing::Unknown,
        };
        Some(Self { doing, fault: *fault })
    }
}

/// What is asked of the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Hardware,
    Software,
    Climate,
    Door,
    State,
    Dispense { lane: u8, drop_sensor: bool },
}

impl Ask {
    pub(super) fn request(self, settings: &Zdm8Settings) -> Request {
        let read = |register, words| Request::Read { register, words };
        match self {
            Self::Hardware => read(HARDWARE, 2),
            Self::Software => read(SOFTWARE, 2),
            Self::Climate => read(CLIMATE, 2),
            Self::Door => read(DOOR, 1),
            Self::State => read(STATE, 1),
            Self::Dispense { lane, drop_sensor } => Request::Write {
                register: DISPENSE,
                bytes: vec![lane, settings.lane_type.code(), u8::from(drop_sensor), u8::from(settings.lift)],
            },
        }
    }

    /// Bytes of the answer to a reading.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Hardware | Self::Software | Self::Climate => 4,
            Self::State | Self::Door => 2,
            Self::Dispense { .. } => 0,
        }
    }
}

/// Why the board does not do what it was asked.
pub(super) const fn exception(code: u8) -> &'static str {
    match code {
        1 => "board-function",
        2 => "board-address",
        3 => "board-value",
        4 => "board-crc",
        6 => "board-busy",
        7 => "board-fault",
        8 => "board-processing",
        _ => "board-refused",
    }
}
