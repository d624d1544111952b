//! Members who consented to be recognised, as the cameras see them: the newest list, in RAM only.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::sense::vision::gallery::{Gallery, MatchSettings};
use crate::types::{ConsentId, MemberKey};

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

/// The newest list. Cheap to clone; nobody is in it until somebody has consented.
#[derive(Debug, Clone)]
pub struct Members(watch::Receiver<Arc<Roster>>);

impl Default for Members {
    fn default() -> Self {
        Self(watch::channel(Arc::default()).1)
    }
}

impl Members {
    /// The list that `newest` brings.
    pub fn new(newest: watch::Receiver<Arc<Roster>>) -> Self {
        Self(newest)
    }

    /// The list now.
    pub fn now(&self) -> Arc<Roster> {
        Arc::clone(&self.0.borrow())
    }

    /// The list, if it is another than the one this clone has been given last.
    pub fn newer(&mut self) -> Option<Arc<Roster>> {
        // A sender that is gone leaves the last list, which has been seen then.
        let is_newer = self.0.has_changed().unwrap_or(false);
        is_newer.then(|| Arc::clone(&self.0.borrow_and_update()))
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
}
