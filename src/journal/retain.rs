//! Retention: what is deleted, when, in which order.
//!
//! Confirmed events stay for local readers until they are too old or too many. When the file is nearly full, confirmed
//! ones go first, oldest first; then unconfirmed telemetry; then unconfirmed records. Money never goes before the cloud
//! has it. Unconfirmed events are announced in the transaction that deletes them, and what was announced by records
//! that go is announced again. The newest batch of a class always stays: the numbering follows from it.

use std::collections::BTreeMap;

use super::group::Group;
use super::head::Head;
use super::lane::{self, Heading};
use super::store::Store;
use super::stored;
use super::{JournalError, limits};
use crate::types::{Body, Class, DropReason, Notice, Row, Seq};

type Result<T> = std::result::Result<T, JournalError>;

/// First number, last number, why they went.
type Range = (Seq, Seq, DropReason);

impl Store {
    /// One bounded slice of retention; `true` when there is more to do.
    pub(super) fn retain(&mut self) -> Result<bool> {
        let used = self.used_percent();
        self.evicting = used >= if self.evicting { limits::EVICT_TO } else { limits::EVICT_ABOVE };
        if self.delete_confirmed()? {
            return Ok(true);
        }
        if !self.evicting {
            return Ok(false);
        }
        let dropped = self.drop_unconfirmed(Class::Telemetry)? || self.drop_unconfirmed(Class::Record)?;
        Ok(dropped)
    }

    /// Retention until something fits again, bounded by what there is to delete.
    pub(super) fn make_room(&mut self) {
        self.evicting = true;
        for _ in 0..100 {
            match self.retain() {
                Ok(true) if self.evicting => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, "cannot make room in the journal");
                    return;
                }
            }
        }
    }

    /// Bytes of bodies that one slice may delete: little enough to be quick, and a small part of a small journal.
    fn slice_bytes(&self) -> u64 {
        (self.limit_pages.saturating_mul(limits::PAGE_BYTES) / 20).min(limits::SLICE_BYTES)
    }

    fn delete_confirmed(&mut self) -> Result<bool> {
        let mut cuts = Vec::new();
        for class in Class::ALL {
            let confirmed = self.confirmed[Head::place(class)];
            let oldest = lane::oldest(&self.conn, class).map_err(JournalError::read)?;
            if !oldest.is_some_and(|oldest| self.expendable(class, confirmed, &oldest)) {
                continue;
            }
            let batches = self.deletable(class)?;
            let gone: Vec<_> = batches.iter().take_while(|batch| self.expendable(class, confirmed, batch)).collect();
            if let Some(last) = gone.last() {
                cuts.push((class, last.last_row));
            }
        }
        if cuts.is_empty() {
            return Ok(false);
        }
        self.transaction_with_confirmed(|group| {
            cuts.iter().try_for_each(|(class, row)| lane::delete(group.conn, *class, *row)).map_err(JournalError::write)
        })?;
        Ok(true)
    }

    fn expendable(&self, class: Class, confirmed: Row, batch: &Heading) -> bool {
        let (now, synced) = self.clock.wall();
        let newest = self.head.of(class).seq.0;
        let too_many = batch.last_seq().0.saturating_add(self.settings.keep_confirmed_events) <= newest;
        // A clock that may be wrong is no reason to delete anything.
        let too_old = synced && now.since(batch.at) > self.settings.keep_confirmed;
        batch.last_row <= confirmed && (too_many || too_old || self.evicting)
    }

    /// The oldest batches of a class, as many as one slice may delete; never the newest.
    fn deletable(&self, class: Class) -> Result<Vec<Heading>> {
        let newest = self.head.of(class).row;
        let batches = lane::headings(&self.conn, class, newest, limits::SLICE_BATCHES).map_err(JournalError::read)?;
        let budget = self.slice_bytes();
        let mut bytes = 0;
        let fits = |batch: &Heading| {
            let first = bytes == 0;
            bytes += batch.bytes;
            first || bytes <= budget
        };
        Ok(batches.into_iter().take_while(fits).collect())
    }

    fn drop_unconfirmed(&mut self, class: Class) -> Result<bool> {
        let batches = self.deletable(class)?;
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else { return Ok(false) };
        if batches.iter().map(|batch| batch.bytes).sum::<u64>() < limits::DROP_WORTH_BYTES {
            return Ok(false);
        }
        let (from, to, cut) = (self.first_unsent(class, first)?, last.last_seq(), last.last_row);
        let carried = if class == Class::Record { self.carried(&batches)? } else { Vec::new() };
        self.transaction_with_confirmed(|group| {
            lane::delete(group.conn, class, cut).map_err(JournalError::write)?;
            announce(group, carried, class, from, to)
        })?;
        Ok(true)
    }

    /// Number of the first event at or after a batch's start that the cloud does not have.
    fn first_unsent(&self, class: Class, first: &Heading) -> Result<Seq> {
        let confirmed = self.confirmed[Head::place(class)];
        let Some(batch) = lane::next(&self.conn, class, confirmed).map_err(JournalError::read)? else {
            return Ok(first.first_seq);
        };
        let sent = batch.entries().map_or(0, |entries| entries.iter().filter(|(row, ..)| *row <= confirmed).count());
        Ok(Seq(batch.heading.first_seq.0 + sent as u64).max(first.first_seq))
    }

    /// What the records about to go have announced themselves.
    fn carried(&self, batches: &[Heading]) -> Result<Vec<Notice>> {
        let mut carried = Vec::new();
        for heading in batches {
            let before = Row(heading.last_row.0 - 1);
            let Some(batch) = lane::next(&self.conn, Class::Record, before).map_err(JournalError::read)? else {
                continue;
            };
            let Ok(entries) = batch.entries() else { continue };
            for (row, seq, range) in entries {
                let event = stored::decode_event(row, seq, batch.body.get(range).unwrap_or_default());
                if let Ok(event) = event
                    && row > self.confirmed[Head::place(Class::Record)]
                    && let Body::Noticed(notice @ (Notice::Opened { .. } | Notice::Dropped { .. })) = event.draft.body
                {
                    carried.push(notice);
                }
            }
        }
        Ok(carried)
    }
}

/// Announces what was dropped now and what was announced by that, ranges that touch as one.
fn announce(group: &mut Group<'_>, carried: Vec<Notice>, class: Class, from: Seq, to: Seq) -> Result<()> {
    let mut ranges: BTreeMap<(Class, &'static str), Vec<Range>> = BTreeMap::new();
    let mut add = |class, from, to, reason: DropReason| {
        ranges.entry((class, reason.as_str())).or_default().push((from, to, reason));
    };
    add(class, from, to, DropReason::Space);
    group.counts.dropped_space += (to.0 + 1).saturating_sub(from.0);
    for notice in carried {
        match notice {
            Notice::Dropped { class, from, to, reason } => add(class, from, to, reason),
            other => drop(group.notice(other)?),
        }
    }
    for ((class, _), mut ranges) in ranges {
        ranges.sort_by_key(|(from, ..)| *from);
        for (from, to, reason) in joined(ranges) {
            group.notice(Notice::Dropped { class, from, to, reason })?;
        }
    }
    Ok(())
}

fn joined(sorted: Vec<Range>) -> Vec<Range> {
    let mut joined: Vec<Range> = Vec::new();
    for (from, to, reason) in sorted {
        match joined.last_mut() {
            Some((_, end, _)) if from.0 <= end.0 + 1 => *end = to.max(*end),
            _ => joined.push((from, to, reason)),
        }
    }
    joined
}
