//! What a source gives its finds to.

use std::sync::{Arc, Weak};

use super::ears::Counted;
use super::hall::{Halls, SharedHall, lock};
use super::manner::{CountedBy, Threshold};
use crate::sense::footfall;
use crate::types::DeviceId;
use crate::wire::dot11::{Address, Link, Refused};

/// An ear of a place. Without a place what it hears is missed: the sensor that counts is not there.
pub(super) struct Ear {
    hall: Option<SharedHall>,
    number: footfall::Ear,
    own_access_points: Vec<Address>,
    pub(super) counted: Counted,
}

impl Ear {
    pub(super) fn new(hall: Option<SharedHall>, own_access_points: Vec<Address>) -> Self {
        Self { hall, number: footfall::Ear::FIRST, own_access_points, counted: Counted::default() }
    }

    /// A captured frame, and when.
    pub(super) fn frame(&mut self, at_us: i64, link: Link, bytes: &[u8]) {
        self.counted.bytes += bytes.len() as u64;
        let Some(hall) = &self.hall else {
            self.counted.missed += 1;
            return;
        };
        match lock(hall).frame(at_us, self.number, link, bytes) {
            Ok(()) => self.counted.good += 1,
            // Another kind of frame is none that could not be read.
            Err(Refused::OtherKind) => {}
            Err(_) => self.counted.malformed += 1,
        }
    }

    /// Somebody whom a box heard, and the access point that they are connected to.
    pub(super) fn entry(&mut self, at_us: i64, source: Address, peer: Option<Address>, rssi_dbm: i8) {
        let Some(hall) = &self.hall else {
            self.counted.missed += 1;
            return;
        };
        self.counted.good += 1;
        if !peer.is_some_and(|peer| self.own_access_points.contains(&peer)) {
            lock(hall).entry(at_us, self.number, source, rssi_dbm);
        }
    }

    /// An entry that is understood and does not count: an access point, another kind of frame.
    pub(super) fn passed_over(&mut self) {
        self.counted.good += 1;
    }

    /// Something that could not be read.
    pub(super) fn malformed(&mut self) {
        self.counted.malformed += 1;
        if let Some(hall) = &self.hall {
            lock(hall).unread();
        }
    }

    /// Something from another box than the configured one.
    pub(super) fn foreign(&mut self) {
        self.counted.foreign += 1;
    }

    /// Bytes came.
    pub(super) fn bytes(&mut self, count: usize) {
        self.counted.bytes += count as u64;
    }

    /// The source missed some frames.
    pub(super) fn missed(&mut self, frames: u64) {
        self.counted.missed += frames;
        if let Some(hall) = self.hall.as_ref().filter(|_| frames > 0) {
            lock(hall).missed(frames);
        }
    }

    /// The sensor hears everything from here on.
    pub(super) fn listens(&self, since_us: i64) {
        if let Some(hall) = &self.hall {
            lock(hall).listens(self.number, since_us);
        }
    }
}

/// An ear that is lent to another sensor's place.
pub(super) struct Lent {
    name: DeviceId,
    to: DeviceId,
    hears: Threshold,
    halls: Arc<Halls>,
    /// The place that it was lent to last.
    joined: Weak<std::sync::Mutex<super::hall::Hall>>,
}

impl Lent {
    pub(super) fn new(name: DeviceId, counted_by: &CountedBy, hears: Threshold, halls: Arc<Halls>) -> Self {
        Self { name, to: counted_by.device.clone(), hears, halls, joined: Weak::new() }
    }

    /// Puts the ear to the place, if there is one; whether it is another place than before. It is held while something
    /// is put into it and no longer: it has to end with the sensor that counts.
    pub(super) fn put(&mut self, ear: &mut Ear) -> bool {
        let Some(hall) = self.halls.get(&self.to) else { return false };
        let Some(number) = lock(&hall).join(&self.name, self.hears) else { return false };
        let is_other = !Weak::ptr_eq(&self.joined, &Arc::downgrade(&hall));
        (ear.number, self.joined) = (number, Arc::downgrade(&hall));
        ear.hall = Some(hall);
        is_other
    }

    /// Lets go of it.
    pub(super) fn take(&self, ear: &mut Ear) {
        ear.hall = None;
    }
}
