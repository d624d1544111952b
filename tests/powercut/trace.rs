//! What was recorded, and what a disk may hold when the power goes at any place of it.
//!
//! What a file's sync covered stays. Of what was not synced any part may have arrived: each write whole, not at all, or
//! some of its 512-byte sectors; a truncation, a new name or a deleted name done or not done. A new name is safe when
//! its directory or the file itself was synced, a deleted one when its directory was.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The unit that a disk writes or does not write.
const SECTOR: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum File {
    Db,
    Wal,
    Rollback,
    Acks,
    Directory,
}

impl File {
    fn numbered(number: u8) -> Self {
        match number {
            1 => Self::Db,
            2 => Self::Wal,
            3 => Self::Rollback,
            4 => Self::Acks,
            5 => Self::Directory,
            other => panic!("no file has the number {other}"),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Db => "journal.db",
            Self::Wal => "journal.db-wal",
            Self::Rollback => "journal.db-journal",
            Self::Acks => "acks",
            Self::Directory => "",
        }
    }
}

#[derive(Debug, Clone)]
pub enum Op {
    Create,
    Write { offset: usize, data: Vec<u8> },
    Truncate(usize),
    Sync,
    Unlink,
}

/// Reads the shim's records.
pub fn read(path: &Path) -> Vec<(File, Op)> {
    let bytes = fs::read(path).unwrap();
    let (mut rest, mut ops) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        let (head, after) = rest.split_at(16);
        let length = u32::from_le_bytes(head[4..8].try_into().unwrap()) as usize;
        let offset = usize::try_from(u64::from_le_bytes(head[8..].try_into().unwrap())).unwrap();
        let (data, after) = after.split_at(length);
        let op = match head[0] {
            b'C' => Op::Create,
            b'W' => Op::Write { offset, data: data.to_vec() },
            b'T' => Op::Truncate(offset),
            b'S' => Op::Sync,
            b'U' => Op::Unlink,
            other => panic!("the journal does what the disk's model does not know: {:?}", char::from(other)),
        };
        ops.push((File::numbered(head[1]), op));
        rest = after;
    }
    ops
}

/// A seeded sequence (splitmix64, Steele et al. 2014).
pub struct Dice(pub u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn coin(&mut self) -> bool {
        self.roll() & 1 == 1
    }
}

/// The files as they would be found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image(BTreeMap<File, Vec<u8>>);

impl Image {
    fn apply(&mut self, file: File, op: &Op) {
        match op {
            Op::Create => drop(self.0.entry(file).or_default()),
            Op::Unlink => drop(self.0.remove(&file)),
            Op::Write { offset, data } => self.write(file, *offset, data),
            Op::Truncate(length) => {
                if let Some(bytes) = self.0.get_mut(&file) {
                    bytes.resize(*length, 0);
                }
            }
            Op::Sync => {}
        }
    }

    /// A file whose name never reached the disk takes nothing.
    fn write(&mut self, file: File, offset: usize, data: &[u8]) {
        if let Some(bytes) = self.0.get_mut(&file) {
            let end = offset + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[offset..end].copy_from_slice(data);
        }
    }

    /// Some of the sectors; the file's length may have grown all the same.
    fn write_torn(&mut self, file: File, offset: usize, data: &[u8], dice: &mut Dice) {
        let mut at = 0;
        while at < data.len() {
            let end = (at + SECTOR - (offset + at) % SECTOR).min(data.len());
            if dice.coin() {
                self.write(file, offset + at, &data[at..end]);
            }
            at = end;
        }
    }

    /// Puts the files into an empty directory.
    pub fn lay_out(&self, dir: &Path) {
        for (file, bytes) in &self.0 {
            fs::write(dir.join(file.name()), bytes).unwrap();
        }
    }
}

/// A disk with its cache.
#[derive(Debug, Default)]
pub struct Disk {
    synced: Image,
    cached: Image,
    unsynced: Vec<(File, Op)>,
}

impl Disk {
    pub fn take(&mut self, file: File, op: Op) {
        self.cached.apply(file, &op);
        match op {
            Op::Sync if file == File::Directory => self.settle(|_, op| matches!(op, Op::Create | Op::Unlink)),
            Op::Sync => self.settle(|of, _| of == file),
            op => self.unsynced.push((file, op)),
        }
    }

    /// What a sync makes safe.
    fn settle(&mut self, safe: impl Fn(File, &Op) -> bool) {
        for (file, op) in std::mem::take(&mut self.unsynced) {
            if safe(file, &op) {
                self.synced.apply(file, &op);
                if matches!(op, Op::Unlink) {
                    self.unsynced.retain(|(of, _)| *of != file);
                }
            } else {
                self.unsynced.push((file, op));
            }
        }
    }

    pub fn is_settled(&self) -> bool {
        self.unsynced.is_empty()
    }

    /// Everything written has arrived: what a killed process leaves.
    pub const fn written(&self) -> &Image {
        &self.cached
    }

    /// Nothing has arrived that was not synced.
    pub const fn synced(&self) -> &Image {
        &self.synced
    }

    /// Any part of what was not synced has arrived.
    pub fn torn(&self, dice: &mut Dice) -> Image {
        let mut image = self.synced.clone();
        for (file, op) in &self.unsynced {
            match op {
                Op::Write { offset, data } if dice.coin() => image.write_torn(*file, *offset, data, dice),
                op if dice.coin() => image.apply(*file, op),
                _ => {}
            }
        }
        image
    }
}
