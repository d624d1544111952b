//! Phones: what a model puts into its probe requests, and how it makes addresses.

use crate::sim::dice::Dice;

/// How long a phone keeps an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// Burnt in.
    Always,
    /// Made up anew with each scan.
    OneScan,
    /// Made up anew every so many microseconds.
    For(i64),
}

/// A model of phone.
#[derive(Debug)]
pub struct Model {
    /// Its name in the truth.
    pub name: &'static str,
    keeps: Keeps,
    /// Whether the frame counter begins anew with each address.
    counts_anew: bool,
    /// Between two scans, on the average, in microseconds.
    scan_us: f64,
    /// Frames of a scan on each channel.
    each: i64,
    /// Elements behind SSID and channel: id and body.
    elements: &'static [(u8, &'static [u8])],
}

const RATES: (u8, &[u8]) = (1, &[0x02, 0x04, 0x0b, 0x16]);
const MORE_RATES: (u8, &[u8]) = (50, &[0x0c, 0x12, 0x18, 0x24, 0x30, 0x48, 0x60, 0x6c]);
const FOUR_RATES: (u8, &[u8]) = (50, &[0x30, 0x48, 0x60, 0x6c]);
const HT_SMALL: (u8, &[u8]) =
    (45, &[0x2d, 0x40, 0x1b, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const HT_LARGE: (u8, &[u8]) =
    (45, &[0xef, 0x19, 0x17, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

/// The models, none of them a real one.
pub const MODELS: [Model; 6] = [
    Model {
        name: "pear-1",
        keeps: Keeps::OneScan,
        counts_anew: true,
        scan_us: 35e6,
        each: 1,
        elements: &[
            RATES,
            FOUR_RATES,
            HT_SMALL,
            (127, &[0, 0, 8, 0, 0, 0, 0, 0x40]),
            (221, &[0x00, 0x17, 0xf2, 0x0a, 0, 1, 4, 0]),
        ],
    },
    Model {
        name: "pear-2",
        keeps: Keeps::OneScan,
        counts_anew: false,
        scan_us: 50e6,
        each: 2,
        elements: &[
            RATES,
            FOUR_RATES,
            HT_LARGE,
            (127, &[4, 0, 8, 4, 0, 0, 0, 0x40, 0, 0x20]),
            (255, &[35, 1, 8, 8, 0x18]),
        ],
    },
    Model {
        name: "milky-1",
        keeps: Keeps::OneScan,
        counts_anew: false,
        scan_us: 25e6,
        each: 2,
        elements: &[
            RATES,
            MORE_RATES,
            HT_LARGE,
            (127, &[0, 0, 8, 0, 1, 0, 0, 0x40]),
            (191, &[0x32, 0x59, 0x80, 3, 0xfa, 0xff, 0, 0, 0xfa, 0xff, 0, 0]),
        ],
    },
    Model {
        name: "milky-2",
        keeps: Keeps::For(600_000_000),
        counts_anew: false,
        scan_us: 40e6,
        each: 3,
        elements: &[
            RATES,
            MORE_RATES,
            HT_SMALL,
            (127, &[0, 0, 0, 0x80, 1, 0, 0, 0x40]),
            (221, &[0x00, 0x50, 0xf2, 8, 0, 0x23, 0]),
        ],
    },
    Model {
        name: "stone-1",
        keeps: Keeps::Always,
        counts_anew: false,
        scan_us: 60e6,
        each: 2,
        elements: &[RATES, MORE_RATES, HT_SMALL],
    },
    Model {
        name: "stone-2",
        keeps: Keeps::Always,
        counts_anew: false,
        scan_us: 90e6,
        each: 1,
        elements: &[(1, &[0x82, 0x84, 0x8b, 0x96]), FOUR_RATES, (221, &[0x00, 0x90, 0x4c, 4, 8, 0xbf, 0x0c])],
    },
];

/// Channels that are scanned, with their middle in MHz.
const CHANNELS: [(u8, u16); 3] = [(1, 2412), (6, 2437), (11, 2462)];
/// One channel after the other, in microseconds.
const DWELL_US: i64 = 60_000;

/// One frame as it is on the air.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// When, in microseconds since the crowd began.
    pub at_us: i64,
    /// Which phone.
    pub phone: u32,
    /// Under which address.
    pub address: [u8; 6],
    /// Its frame counter.
    pub sequence: u16,
    /// On which channel.
    pub channel: u8,
    /// How strongly it is heard, dBm.
    pub rssi_dbm: i8,
    /// Radiotap header and probe request.
    pub frame: Vec<u8>,
}

/// A phone in somebody's pocket.
#[derive(Debug)]
pub(super) struct Phone {
    pub(super) number: u32,
    model: usize,
    address: [u8; 6],
    made_us: i64,
    sequence: u16,
    /// A network it asks for by name.
    pub(super) ssid: Option<String>,
}

impl Phone {
    pub(super) fn new(number: u32, at_us: i64, dice: &mut Dice) -> Self {
        let model = usize::try_from(dice.below(MODELS.len() as u64)).unwrap_or(0);
        let ssid = (dice.below(4) == 0).then(|| format!("Sim-Home-{:08x}", dice.word() >> 32));
        let mut phone = Self { number, model, address: [0; 6], made_us: at_us, sequence: 0, ssid };
        phone.make_address(at_us, dice);
        phone.sequence = u16::try_from(dice.below(4096)).unwrap_or(0);
        phone
    }

    pub(super) fn model(&self) -> &'static Model {
        &MODELS[self.model]
    }

    pub(super) fn address(&self) -> [u8; 6] {
        self.address
    }

    /// Burnt-in ones never go to a group; made-up ones say so.
    fn make_address(&mut self, at_us: i64, dice: &mut Dice) {
        self.address = dice.octets();
        self.address[0] &= 0xfc;
        if self.model().keeps != Keeps::Always {
            self.address[0] |= 2;
        }
        self.made_us = at_us;
        if self.model().counts_anew {
            self.sequence = u16::try_from(dice.below(4096)).unwrap_or(0);
        }
    }

    pub(super) fn until_scan_us(&self, dice: &mut Dice) -> i64 {
        1_000_000 + dice.until_next_us(self.model().scan_us)
    }

    /// One scan, loud as `rssi` says at each moment; whether a new address was made for it.
    pub(super) fn scan(&mut self, at_us: i64, rssi: impl Fn(i64) -> i64, dice: &mut Dice) -> (Vec<Sent>, bool) {
        let is_old = match self.model().keeps {
            Keeps::Always => false,
            Keeps::OneScan => true,
            Keeps::For(time_us) => at_us - self.made_us > time_us,
        };
        if is_old {
            self.make_address(at_us, dice);
        }
        let mut sent = Vec::new();
        for (place, (channel, mhz)) in (0_i64..).zip(CHANNELS) {
            for number in 0..self.model().each {
                let at_us = at_us + place * DWELL_US + number * 9_000 + dice.within(0, 3_000);
                self.sequence = (self.sequence + 1) & 0xfff;
                let rssi_dbm = i8::try_from((rssi(at_us) + dice.within(-3, 3)).clamp(-99, -20)).unwrap_or(-99);
                let frame = self.frame(rssi_dbm, channel, mhz);
                let (phone, address, sequence) = (self.number, self.address, self.sequence);
                sent.push(Sent { at_us, phone, address, sequence, channel, rssi_dbm, frame });
            }
        }
        (sent, is_old)
    }

    fn frame(&self, rssi_dbm: i8, channel: u8, mhz: u16) -> Vec<u8> {
        let [low, high] = mhz.to_le_bytes();
        // Channel, signal and antenna in 14 bytes.
        let mut frame = vec![0, 0, 14, 0, 0x28, 8, 0, 0, low, high, 0x80, 0, rssi_dbm.cast_unsigned(), 0];
        frame.extend([0x40, 0, 0, 0]);
        frame.extend([0xff; 6]);
        frame.extend(self.address);
        frame.extend([0xff; 6]);
        frame.extend((self.sequence << 4).to_le_bytes());
        let ssid = self.ssid.as_deref().unwrap_or_default().as_bytes();
        let mut element = |id: u8, body: &[u8]| {
            frame.extend([id, u8::try_from(body.len()).unwrap_or(0)]);
            frame.extend(body);
        };
        element(0, ssid);
        for (place, (id, body)) in self.model().elements.iter().enumerate() {
            element(*id, body);
            if place == 1 {
                element(3, &[channel]);
            }
        }
        frame
    }
}
