//! Forgetting a member: what names them is taken out of every event, sent or not, and nothing of what stood there is
//! left in the file, in its log, or in files that were set aside as damaged.
//!
//! For that the file overwrites what it deletes (`secure_delete`) as long as members may be enrolled: a member's event
//! that retention deleted long ago must not be found in a free page. What a disk keeps behind the file system's back is
//! not reached.

use rusqlite::Connection;

use super::lane;
use super::store::Store;
use super::stored::{self, Batch};
use super::{Effects, JournalError, open};
use crate::types::{Class, MemberKey, Row, Seq};

type Result<T> = std::result::Result<T, JournalError>;

/// Classes whose events can name a member.
const NAMING: [Class; 2] = [Class::Record, Class::Money];

impl Store {
    /// One transaction, then the log is emptied. How many events were changed.
    pub(super) fn forget(&mut self, owner: &str, member: &MemberKey, effects: &Effects) -> Result<u64> {
        let mut changed = 0;
        self.overwrite_deleted(true)?;
        self.transaction_with_confirmed(|group| {
            for class in NAMING {
                changed += take_out(group.conn, class, member)?;
            }
            group.keep_effects(owner, effects).map(drop)
        })?;
        open::discard_set_aside(&self.path);
        Ok(changed)
    }
}

fn take_out(conn: &Connection, class: Class, member: &MemberKey) -> Result<u64> {
    let mut changed = 0;
    for row in lane::naming(conn, class, member.as_str()).map_err(JournalError::read)? {
        let before = Row(row.0.saturating_sub(1));
        let Some(batch) = lane::next(conn, class, before).map_err(JournalError::read)? else { continue };
        // A batch that cannot be read is announced as dropped, and emptied, by whoever reads it next.
        let Ok(entries) = batch.entries() else { continue };
        let mut anew = Batch::new(batch.heading.first_seq);
        let mut found = 0;
        for (row, seq, range) in entries {
            let bytes = batch.body.get(range).unwrap_or_default();
            match without(row, seq, bytes, member) {
                Some(bytes) => {
                    anew.push(row, &bytes);
                    found += 1;
                }
                None => anew.push(row, bytes),
            }
        }
        if found > 0 {
            lane::replace(conn, class, &anew, batch.heading.at).map_err(JournalError::write)?;
            changed += found;
        }
    }
    Ok(changed)
}

/// The stored form of an event without a member who was in it.
fn without(row: Row, seq: Seq, bytes: &[u8], member: &MemberKey) -> Option<Vec<u8>> {
    let mut event = stored::decode_event(row, seq, bytes).ok()?;
    let mut without = Vec::new();
    event.draft.body.forget(member).then(|| stored::encode_event(&event.draft, &mut without))?;
    Some(without)
}
