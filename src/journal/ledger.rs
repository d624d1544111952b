//! The command ledger: accepted, dispatched, ended; one end for each, for ever.

use rusqlite::{Connection, OptionalExtension, params};

use super::group;
use super::limits;
use super::stored;
use super::{Intake, JournalError};
use crate::types::{Command, CommandId, CommandState, DeviceId, Draft, Ended, Event, Origin, Reason, Timestamp};

type Result<T> = std::result::Result<T, JournalError>;

const ACCEPTED: i64 = 0;
const DISPATCHED: i64 = 1;
const ENDED: i64 = 2;

/// Whether the command is known and not over.
pub(super) fn is_open(conn: &Connection, id: &CommandId) -> Result<bool> {
    let state: Option<i64> = conn
        .prepare_cached("SELECT state FROM command WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([id.as_str()], |row| row.get(0)).optional())
        .map_err(JournalError::write)?;
    Ok(state.is_some_and(|state| state < ENDED))
}

/// What is known of a command: nothing, that it is open, or its recorded end (which may be unreadable).
pub(super) fn seen(conn: &Connection, id: &CommandId) -> Result<Option<Result<Option<Box<Event>>>>> {
    let row: Option<(i64, Option<Vec<u8>>)> = conn
        .prepare_cached("SELECT state, ended FROM command WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(JournalError::write)?;
    Ok(row.map(|(state, ended)| match ended {
        _ if state < ENDED => Ok(None),
        Some(bytes) => match stored::decode_single(&bytes) {
            Ok(event) => Ok(Some(Box::new(event))),
            Err(_) => Err(JournalError::Outcome(id.clone())),
        },
        None => Err(JournalError::Outcome(id.clone())),
    }))
}

/// How far a command has come, if it is known.
pub(super) fn state(conn: &Connection, id: &CommandId) -> Result<Option<CommandState>> {
    let unreadable = || CommandState::Ended(Ended::Indeterminate(Reason::new("unreadable")));
    let state: Option<i64> = conn
        .prepare_cached("SELECT state FROM command WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([id.as_str()], |row| row.get(0)).optional())
        .map_err(JournalError::read)?;
    Ok(match state {
        None => None,
        Some(ACCEPTED) => Some(CommandState::Accepted),
        Some(DISPATCHED) => Some(CommandState::Dispatched),
        Some(_) => Some(match seen(conn, id) {
            Ok(Some(Ok(Some(event)))) => {
                group::ending(&event.draft).map_or_else(unreadable, |outcome| CommandState::Ended(outcome.ended))
            }
            _ => unreadable(),
        }),
    })
}

/// Files a command as accepted.
pub(super) fn insert(conn: &Connection, intake: &Intake, now: Timestamp) -> Result<()> {
    let (device, (action, args), not_after, origin) = match intake {
        Intake::Command(command) => (
            command.device.as_ref().map(DeviceId::as_str),
            stored::encode_action(&command.action),
            command.not_after,
            command.origin,
        ),
        Intake::Refused { .. } => (None, ("", String::new()), now, Origin::Cloud),
    };
    let values = params![
        intake.id().as_str(),
        device,
        action,
        args,
        not_after.unix_ms(),
        origin.as_str(),
        ACCEPTED,
        now.unix_ms()
    ];
    conn.prepare_cached(
        "INSERT INTO command (id, device, action, args, not_after_ms, origin, state, changed_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .and_then(|mut statement| statement.execute(values))
    .map_err(JournalError::write)
    .map(drop)
}

/// Marks an accepted command as dispatched; `false` when it is not in that state.
pub(super) fn dispatch(conn: &Connection, id: &CommandId, now: Timestamp) -> Result<bool> {
    conn.prepare_cached("UPDATE command SET state = ?2, changed_ms = ?3 WHERE id = ?1 AND state = ?4")
        .and_then(|mut statement| statement.execute(params![id.as_str(), DISPATCHED, now.unix_ms(), ACCEPTED]))
        .map_err(JournalError::write)
        .map(|changed| changed == 1)
}

/// Records how an open command ended, with the event that says so.
pub(super) fn end(conn: &Connection, id: &CommandId, event: &Event, now: Timestamp) -> Result<()> {
    // What was asked about a member is needed no more, and nobody shall find it: not in the page either.
    if names_a_member(conn, id).map_err(JournalError::write)? {
        overwrite_deleted(conn, true).map_err(JournalError::write)?;
    }
    conn.prepare_cached(
        "UPDATE command SET state = ?2, changed_ms = ?3, ended = ?4,
         args = CASE WHEN action LIKE 'member.%' THEN '{}' ELSE args END WHERE id = ?1",
    )
    .and_then(|mut statement| {
        statement.execute(params![id.as_str(), ENDED, now.unix_ms(), stored::encode_single(event)])
    })
    .map_err(JournalError::write)
    .map(drop)
}

fn names_a_member(conn: &Connection, id: &CommandId) -> rusqlite::Result<bool> {
    let mut statement = conn.prepare_cached("SELECT action LIKE 'member.%' FROM command WHERE id = ?1")?;
    Ok(statement.query_row([id.as_str()], |row| row.get(0)).optional()?.unwrap_or(false))
}

/// Whether what is deleted or replaced is overwritten from now on; it may change within a transaction.
pub(super) fn overwrite_deleted(conn: &Connection, on: bool) -> rusqlite::Result<()> {
    conn.pragma_update_and_check(None, "secure_delete", on, |_| Ok(()))
}

/// Files an open command of a damaged journal, in the state it had; one that is known stays as it is.
pub(super) fn restore(conn: &Connection, command: &Command, state: &CommandState, now: Timestamp) -> Result<()> {
    if seen(conn, &command.id)?.is_some() {
        return Ok(());
    }
    insert(conn, &Intake::Command(command.clone()), now)?;
    if *state == CommandState::Dispatched {
        dispatch(conn, &command.id, now)?;
    }
    Ok(())
}

/// The events that ended the newest commands of a damaged journal, oldest first, as far as they can be read.
pub(super) fn newest_outcomes(conn: &Connection) -> Vec<Draft> {
    let read = || -> rusqlite::Result<Vec<Vec<u8>>> {
        let mut statement =
            conn.prepare("SELECT ended FROM command WHERE ended IS NOT NULL ORDER BY n DESC LIMIT ?1")?;
        let rows = statement.query_map([limits::SALVAGED_OUTCOMES], |row| row.get::<_, Vec<u8>>(0))?;
        Ok(rows.map_while(rusqlite::Result::ok).collect())
    };
    let stored = read().unwrap_or_default();
    stored.iter().rev().filter_map(|bytes| Some(stored::decode_single(bytes).ok()?.draft)).collect()
}

/// How many commands are open.
pub(super) fn open_count(conn: &Connection) -> Result<usize> {
    let count: i64 = conn
        .prepare_cached("SELECT count(*) FROM command WHERE state < 2")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(JournalError::read)?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The open commands in order of acceptance. A row that cannot be read is left out and counted in the second part.
pub(super) fn open_commands(conn: &Connection) -> Result<(Vec<(Command, CommandState)>, usize)> {
    let read = || {
        let mut statement = conn.prepare_cached(
            "SELECT id, device, action, args, not_after_ms, origin, state FROM command WHERE state < 2
             ORDER BY n LIMIT ?1",
        )?;
        let limit = i64::try_from(limits::OPEN_COMMANDS).unwrap_or(i64::MAX);
        let rows = statement.query_map([limit], |row| {
            let text = |place| row.get::<_, String>(place);
            let open = Stored {
                id: text(0)?,
                device: row.get(1)?,
                action: text(2)?,
                args: text(3)?,
                not_after_ms: row.get(4)?,
                origin: text(5)?,
            };
            Ok((open, row.get::<_, i64>(6)?))
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    let rows = read().map_err(JournalError::read)?;
    let found = rows.len();
    let commands: Vec<_> =
        rows.into_iter().filter_map(|(stored, state)| Some((stored.command()?, open(state)))).collect();
    let unreadable = found - commands.len();
    Ok((commands, unreadable))
}

fn open(state: i64) -> CommandState {
    if state == DISPATCHED { CommandState::Dispatched } else { CommandState::Accepted }
}

/// A command's columns.
struct Stored {
    id: String,
    device: Option<String>,
    action: String,
    args: String,
    not_after_ms: i64,
    origin: String,
}

impl Stored {
    fn command(self) -> Option<Command> {
        let device = match self.device {
            None => None,
            Some(device) => Some(DeviceId::new(&device).ok()?),
        };
        Some(Command {
            id: CommandId::new(&self.id).ok()?,
            device,
            action: stored::decode_action(&self.action, &self.args)?,
            not_after: Timestamp::from_unix_ms(self.not_after_ms),
            origin: Origin::parse(&self.origin)?,
        })
    }
}

/// Forgets ended commands beyond the newest [`limits::ENDED_COMMANDS`] and, with a clock that can be believed, those
/// older than [`limits::ENDED_AGE`]; how many went.
pub(super) fn purge(conn: &Connection, now: Option<Timestamp>) -> rusqlite::Result<usize> {
    let too_old = now.map_or(i64::MIN, |now| {
        now.unix_ms().saturating_sub(i64::try_from(limits::ENDED_AGE.as_millis()).unwrap_or(i64::MAX))
    });
    conn.prepare_cached(
        "DELETE FROM command WHERE n IN (SELECT n FROM command WHERE state = 2
         AND (n <= (SELECT max(n) FROM command) - ?1 OR changed_ms < ?2) ORDER BY n LIMIT ?3)",
    )?
    .execute(params![limits::ENDED_COMMANDS, too_old, limits::PURGE_ROWS])
}
