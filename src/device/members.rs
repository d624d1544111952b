//! Members who consented to be recognised, as the cameras see them: the newest list, in RAM only.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};

use crate::sense::vision::Embedding;
use crate::sense::vision::gallery::{Gallery, MatchSettings};
use crate::types::{ConsentId, MemberKey, StationId};

/// Everybody who may be recognised now.
pub struct Roster {
    /// Their templates; a member's row is their place in `who`.
    pub gallery: Arc<Gallery>,
    /// Who they are, and by which consent they may be recognised.
    pub who: Vec<(MemberKey, ConsentId)>,
    /// From when on a face is a member's: depends on how many there are.
    pub settings: MatchSettings,
}

impl Default for Roster {
    fn default() -> Self {
        // Nobody is like anybody.
        let settings = MatchSettings { similarity: 2.0, margin: 0.0 };
        Self { gallery: Arc::default(), who: Vec::new(), settings }
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roster of {}", self.who.len())
    }
}

/// Likenesses that are wanted of members who consented and stand before a station's camera now. Cheap to clone.
#[derive(Clone, Default)]
pub struct Captures(Arc<Mutex<BTreeMap<StationId, oneshot::Sender<Embedding>>>>);

impl fmt::Debug for Captures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Captures")
    }
}

impl Captures {
    fn all(&self) -> MutexGuard<'_, BTreeMap<StationId, oneshot::Sender<Embedding>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the station's camera for the likeness of whoever stands before it. It is wanted until the receiver is
    /// dropped, or somebody else asks.
    pub fn ask(&self, station: &StationId) -> oneshot::Receiver<Embedding> {
        let (give, likeness) = oneshot::channel();
        self.all().insert(station.clone(), give);
        likeness
    }

    /// Whether the station's camera is asked.
    pub fn is_asked(&self, station: &StationId) -> bool {
        let mut all = self.all();
        all.retain(|_, give| !give.is_closed());
        all.contains_key(station)
    }

    /// Gives what was asked for.
    pub fn give(&self, station: &StationId, likeness: Embedding) {
        let asked = self.all().remove(station);
        if let Some(give) = asked {
            // Nobody wants it any more: it is overwritten where it falls.
            let _ = give.send(likeness);
        }
    }
}

/// The newest list. Cheap to clone; nobody is in it until somebody has consented.
#[derive(Debug, Clone)]
pub struct Members {
    newest: watch::Receiver<Arc<Roster>>,
    /// Likenesses of those who are being enrolled at a station.
    pub captures: Captures,
}

impl Default for Members {
    fn default() -> Self {
        Self::new(watch::channel(Arc::default()).1)
    }
}

impl Members {
    /// The list that `newest` brings.
    pub fn new(newest: watch::Receiver<Arc<Roster>>) -> Self {
        Self { newest, captures: Captures::default() }
    }

    /// The list now.
    pub fn now(&self) -> Arc<Roster> {
        Arc::clone(&self.newest.borrow())
    }

    /// The list, if it is another than the one this clone has been given last.
    pub fn newer(&mut self) -> Option<Arc<Roster>> {
        // A sender that is gone leaves the last list, which has been seen then.
        let is_newer = self.newest.has_changed().unwrap_or(false);
        is_newer.then(|| Arc::clone(&self.newest.borrow_and_update()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_new_once_and_nobody_is_in_the_first_one() {
        let (newest, receiver) = watch::channel(Arc::default());
        let mut members = Members::new(receiver);
        assert!(members.newer().is_none() && members.now().who.is_empty());
        let who = vec![(MemberKey::new("m-1").unwrap(), ConsentId::new("c-1").unwrap())];
        newest.send_replace(Arc::new(Roster { who, ..Roster::default() }));
        assert_eq!(members.newer().map(|roster| roster.who.len()), Some(1));
        assert!(members.newer().is_none());
        drop(newest);
        assert!(members.newer().is_none());
        assert_eq!(members.now().who.len(), 1);
        assert_eq!(format!("{members:?}").find("m-1"), None, "nobody is printed");
    }

    #[test]
    fn a_likeness_is_given_once_to_who_asked_last_and_to_nobody_who_has_gone() {
        let (captures, station) = (Captures::default(), StationId::new("mirror-1").unwrap());
        let likeness = || Embedding::new(&[0.5; Embedding::LEN]).unwrap();
        assert!(!captures.is_asked(&station));
        captures.give(&station, likeness());
        drop(captures.ask(&station));
        assert!(!captures.is_asked(&station), "who asked has gone");
        let (mut first, mut last) = (captures.ask(&station), captures.ask(&station));
        assert!(captures.is_asked(&station));
        captures.give(&station, likeness());
        assert!(first.try_recv().is_err() && last.try_recv().is_ok());
        assert!(!captures.is_asked(&station), "once");
    }
}
