//! Who is logged in, and how often somebody may guess. The file of users is read again when it has changed.
//!
//! Limits: 64 sessions, of 12 hours each and gone with the process; after 5 wrong PINs for a name, or 30 in all,
//! nothing is tried for a minute.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::transport::{FileMark, file_mark};
use crate::types::{Chain, User, UserRole};

/// How long a session lasts.
pub(super) const LASTS: Duration = Duration::from_secs(12 * 3600);
const SESSIONS: usize = 64;
/// Wrong PINs before nothing is tried for a while, of one name and of all.
const WRONG_OF_ONE: u32 = 5;
const WRONG_OF_ALL: u32 = 30;
const PAUSE: Duration = Duration::from_secs(60);

/// Somebody who is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// The name for the audit trail.
    pub(super) name: String,
    pub(super) role: UserRole,
}

struct Session {
    known: Known,
    until: Instant,
}

#[derive(Default)]
struct Attempts {
    wrong: u32,
    since: Option<Instant>,
}

#[derive(Default)]
struct State {
    users: Vec<User>,
    /// Of the file, when it was read last.
    mark: FileMark,
    sessions: BTreeMap<String, Session>,
    by_name: BTreeMap<String, Attempts>,
    all: Attempts,
}

/// Who may log in, and the file that says so.
#[derive(Debug, Clone)]
pub struct Users {
    /// The file.
    pub file: PathBuf,
    /// What it held.
    pub list: Vec<User>,
}

/// The users and their sessions. Cheap to clone.
#[derive(Clone)]
pub(super) struct Sessions {
    clock: Clock,
    file: Arc<PathBuf>,
    state: Arc<Mutex<State>>,
}

impl Attempts {
    /// Begins again when the pause is over.
    fn settle(&mut self, now: Instant) {
        if self.since.is_some_and(|since| now.saturating_duration_since(since) >= PAUSE) {
            *self = Self::default();
        }
    }

    fn note(&mut self, now: Instant) {
        self.wrong += 1;
        self.since = Some(now);
    }
}

impl Sessions {
    pub(super) fn new(clock: Clock, Users { file, list }: Users) -> Self {
        let state = State { users: list, mark: file_mark(&file), ..State::default() };
        Self { clock, file: Arc::new(file), state: Arc::new(Mutex::new(state)) }
    }

    /// Takes what the file of users holds now, if it has changed. Who is not in it any more as they were is logged out.
    /// What cannot be used, or would lock everybody out, changes nothing.
    pub(super) fn renew(&self) {
        let mark = file_mark(&self.file);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.mark == mark {
            return;
        }
        state.mark = mark;
        let read = std::fs::read_to_string(&*self.file).map_err(|error| error.to_string());
        let read = read.and_then(|text| User::parse_all(&text).map_err(|mistake| Chain(&mistake).to_string()));
        let users = match read {
            Ok(users) if !users.is_empty() => users,
            Ok(_) => return tracing::warn!("the changed users_file names nobody: the users stay as they were"),
            Err(why) => {
                return tracing::warn!(why, "the changed users_file cannot be used: the users stay as they were");
            }
        };
        let State { users: before, sessions, .. } = &mut *state;
        sessions.retain(|_, Session { known, .. }| {
            let of = |list: &[User]| list.iter().find(|user| user.name == known.name).cloned();
            of(before).is_some() && of(before) == of(&users)
        });
        tracing::info!(users = users.len(), "the users of the console were read again");
        *before = users;
    }

    /// Whether a name may be tried now. Counts the attempt as wrong until [`Sessions::begin`] says otherwise, so that
    /// many at once are no way around.
    pub(super) fn may_try(&self, name: &str) -> bool {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { by_name, all, .. } = &mut *state;
        by_name.retain(|_, attempts| {
            attempts.settle(now);
            attempts.wrong > 0
        });
        all.settle(now);
        let own = by_name.get(name).map_or(0, |attempts| attempts.wrong);
        let may = all.wrong < WRONG_OF_ALL && own < WRONG_OF_ONE;
        if may {
            all.note(now);
            by_name.entry(name.to_owned()).or_default().note(now);
        }
        may
    }

    /// The user of a name.
    pub(super) fn user(&self, name: &str) -> Option<User> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.users.iter().find(|user| user.name == name).cloned()
    }

    /// Somebody's kept PIN, for comparing when there is no such user: that takes as long.
    pub(super) fn anybody(&self) -> Option<User> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).users.first().cloned()
    }

    /// A session for a user whose PIN was right: its secret.
    pub(super) fn begin(&self, user: &User) -> String {
        let now = self.clock.now();
        let secret: String = [self.clock.random_key(), self.clock.random_key()].concat().iter().map(hex).collect();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.by_name.remove(&user.name);
        state.all.wrong = state.all.wrong.saturating_sub(1);
        state.sessions.retain(|_, session| session.until > now);
        while state.sessions.len() >= SESSIONS {
            let oldest = state.sessions.iter().min_by_key(|(_, session)| session.until);
            let Some(oldest) = oldest.map(|(secret, _)| secret.clone()) else { break };
            state.sessions.remove(&oldest);
        }
        let known = Known { name: user.name.clone(), role: user.role };
        state.sessions.insert(secret.clone(), Session { known, until: now + LASTS });
        secret
    }

    /// Whose session this is.
    pub(super) fn known(&self, secret: &str) -> Option<Known> {
        let now = self.clock.now();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sessions.get(secret).filter(|session| session.until > now).map(|session| session.known.clone())
    }

    /// Ends a session.
    pub(super) fn end(&self, secret: &str) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).sessions.remove(secret);
    }
}

fn hex(byte: &u8) -> String {
    format!("{byte:02x}")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::types::Timestamp;

    fn sessions() -> Sessions {
        let clock = Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 1);
        let pin = super::super::seal_pin("482913", [1; 16], NonZeroU32::MIN).unwrap();
        let list = vec![User { name: "Li Wei".to_owned(), role: UserRole::Technician, pin }];
        Sessions::new(clock, Users { file: PathBuf::new(), list })
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_known_until_it_ends() {
        let sessions = sessions();
        let user = sessions.user("Li Wei").unwrap();
        let (first, second) = (sessions.begin(&user), sessions.begin(&user));
        assert_eq!((first.len(), first == second), (64, false));
        sessions.end(&first);
        assert_eq!(sessions.known(&first), None);
        assert_eq!(sessions.known(&second).map(|known| known.role), Some(UserRole::Technician));
        tokio::time::advance(LASTS).await;
        assert_eq!(sessions.known(&second), None);
    }

    #[tokio::test(start_paused = true)]
    async fn guessing_pauses_and_a_right_pin_forgives() {
        let sessions = sessions();
        for _ in 0..4 {
            assert!(sessions.may_try("Li Wei"));
        }
        sessions.begin(&sessions.user("Li Wei").unwrap());
        for attempt in 0..6 {
            assert_eq!(sessions.may_try("Li Wei"), attempt < 5, "{attempt}");
        }
        assert!(sessions.may_try("another"));
        tokio::time::advance(PAUSE).await;
        assert!(sessions.may_try("Li Wei"));
    }

    #[tokio::test(start_paused = true)]
    async fn many_names_are_no_way_around() {
        let sessions = sessions();
        let tried = (0..100).filter(|number| sessions.may_try(&format!("n{number}"))).count();
        assert_eq!(tried, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_so_many_sessions_and_no_more() {
        let sessions = sessions();
        let user = sessions.user("Li Wei").unwrap();
        let first = sessions.begin(&user);
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 0..SESSIONS {
            sessions.begin(&user);
        }
        assert_eq!(sessions.known(&first), None, "the oldest went");
    }
}
