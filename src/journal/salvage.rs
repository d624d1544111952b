//! What a new epoch takes over from a journal that was set aside, as far as it can be read.
//!
//! Commands first: a command that was carried out must not be carried out again because the file that knew of it is
//! damaged. Then flows' state, then every event that the cloud has not confirmed, with the same ids under new numbers:
//! whoever receives one twice knows it by its id. A page that cannot be read is leapt over. Notices of the old epoch
//! about its own numbers stay behind. Commands and state end at the first thing that cannot be read, and all of it
//! after [`limits::SALVAGE`].

use std::path::Path;
use std::time::Instant;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::group::Group;
use super::store::Store;
use super::{Intake, JournalError, Salvaged, cursor, lane, ledger, limits};
use crate::types::{Body, Class, Draft, Notice, Observation, Reason, Row};

type Result<T> = std::result::Result<T, JournalError>;

/// A connection to a damaged file that changes nothing in it.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(conn)
}

impl Store {
    /// Takes over what can be read of the journal at `path`. What cannot stays there; nothing here is an error of the
    /// new journal.
    pub(super) fn salvage(&mut self, path: &Path) -> Salvaged {
        let mut salvaged = Salvaged::default();
        let Ok(old) = connect(path) else { return salvaged };
        let until = self.clock.now() + limits::SALVAGE;
        let parts = [
            self.take_commands(&old, &mut salvaged),
            self.take_state(&old, &mut salvaged),
            self.take_events(&old, until, &mut salvaged),
            self.take_outcomes(&old, &mut salvaged),
        ];
        for error in parts.into_iter().filter_map(std::result::Result::err) {
            tracing::warn!(%error, path = %path.display(), "a part of the damaged journal cannot be read");
        }
        salvaged
    }

    fn take_commands(&mut self, old: &Connection, salvaged: &mut Salvaged) -> Result<()> {
        let (commands, _) = ledger::open_commands(old)?;
        self.transaction(|group| {
            for (command, state) in &commands {
                ledger::restore(group.conn, command, state, group.clock.wall().0)?;
            }
            Ok(())
        })?;
        salvaged.commands += commands.len() as u64;
        Ok(())
    }

    fn take_state(&mut self, old: &Connection, salvaged: &mut Salvaged) -> Result<()> {
        let state = cursor::all_state(old);
        self.transaction(|group| {
            state
                .iter()
                .try_for_each(|(owner, change)| cursor::put_state(group.conn, owner, change))
                .map_err(JournalError::write)
        })?;
        salvaged.keys += state.len() as u64;
        Ok(())
    }

    fn take_events(&mut self, old: &Connection, until: Instant, salvaged: &mut Salvaged) -> Result<()> {
        let mut outcome = Ok(());
        for class in Class::ALL {
            if let Err(error) = self.take_class(old, class, until, salvaged) {
                outcome = Err(error);
            }
        }
        outcome
    }

    fn take_class(&mut self, old: &Connection, class: Class, until: Instant, salvaged: &mut Salvaged) -> Result<()> {
        let mut at = cursor::get(old, cursor::uplink(class)).unwrap_or(Row(0));
        loop {
            let page = lane::lane(old, class, at, limits::GROUP_EVENTS).or_else(|_| lane::lane(old, class, at, 1));
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    at = beyond(old, class, at).ok_or_else(|| JournalError::read(error))?;
                    continue;
                }
            };
            let Some(last) = page.events.last() else { return Ok(()) };
            at = last.row;
            let drafts: Vec<_> = page.events.into_iter().map(|event| event.draft).collect();
            salvaged.events += self.take_drafts(&drafts)?;
            if self.clock.now() >= until {
                return Ok(());
            }
        }
    }

    fn take_drafts(&mut self, drafts: &[Draft]) -> Result<u64> {
        let mut taken = 0;
        self.transaction(|group| {
            for draft in drafts.iter().filter(|draft| travels(draft)) {
                taken += rescue(group, draft)?;
            }
            Ok(())
        })?;
        Ok(taken)
    }

    /// The ends of the newest commands, so that the same id again repeats its outcome and nothing else.
    fn take_outcomes(&mut self, old: &Connection, salvaged: &mut Salvaged) -> Result<()> {
        let outcomes = ledger::newest_outcomes(old);
        for drafts in outcomes.chunks(limits::GROUP_EVENTS) {
            salvaged.commands += self.take_drafts(drafts)?;
        }
        Ok(())
    }
}

/// The first row behind `at` from which a class can be read on: a damaged page is leapt over, what stands behind it is
/// as good as ever. `None`: nothing within reach can be read.
fn beyond(old: &Connection, class: Class, at: Row) -> Option<Row> {
    let is_readable = |row: i64| lane::lane(old, class, Row(row), 1).is_ok();
    let leaps = (0..limits::SALVAGE_LEAPS).map(|n| 1_i64 << n);
    let leap = leaps.into_iter().find(|leap| is_readable(at.0.saturating_add(*leap)))?;
    let (mut bad, mut good) = (at.0 + leap / 2, at.0 + leap);
    while good - bad > 1 {
        let middle = bad + (good - bad) / 2;
        if is_readable(middle) { good = middle } else { bad = middle }
    }
    Some(Row(good))
}

/// Notices about the old epoch's numbers mean nothing in the new one.
fn travels(draft: &Draft) -> bool {
    !matches!(draft.body, Body::Noticed(Notice::Opened { .. } | Notice::Dropped { .. }))
}

fn rescue(group: &mut Group<'_>, draft: &Draft) -> Result<u64> {
    if let Body::Observed(Observation::Ended(outcome)) = &draft.body
        && ledger::seen(group.conn, &outcome.command)?.is_none()
    {
        // The command itself could not be read; that it has ended is what counts.
        let known = Intake::Refused { id: outcome.command.clone(), reason: Reason::new("salvaged") };
        ledger::insert(group.conn, &known, group.clock.wall().0)?;
    }
    if matches!(draft.body, Body::Observed(Observation::Sale(_))) {
        // Its command ends by the outcome that stands behind it, or has ended above.
        return group.keep(draft).map(|()| 1);
    }
    group.append(std::slice::from_ref(draft)).map(|rows| rows.len() as u64)
}
