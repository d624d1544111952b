//! A member shows their code at a screen's station: from then on the screen is theirs, until they go.
//!
//! ```text
//! member's code ─▶ bound: the screen greets, shows its scene `member`, and names the session in what is done at it
//!                    └─▶ ended: the page says so (idle, closed) · another member's code · the page was never there
//! ```
//!
//! The page is told the session and nothing of the member. What is kept until the session is over is the session and a
//! digest of it with the member's code, to know the same member again. A page that goes without a word is waited for
//! [`limits::SESSION`].

use std::time::Duration;

use uuid::Uuid;

use super::form::{self, SessionForm};
use super::{Around, Deadline, Effects, Flow, Input, derived, derived_command, limits};
use crate::types::{
    Body, Cause, CodeKind, CodeScanned, CommandId, DeviceId, Draft, Ended, Event, EventId, Observation, SceneId,
    SessionChange, SessionEnd, Show, Stamp, StationId, StationSession,
};

/// What a screen shows a member, if its content has a trigger of this name.
const SCENE: &str = "member";
/// The key of what is kept.
const KEY: &str = "a/current";

/// Of one station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSettings {
    /// The station.
    pub station: StationId,
    /// Its screen.
    pub screen: DeviceId,
    /// Its scanner.
    pub scanner: DeviceId,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct SessionFlow {
    settings: SessionSettings,
    name: String,
    current: Option<Current>,
}

#[derive(Debug, Clone)]
struct Current {
    session: Uuid,
    /// Of session and member: the same member again goes on.
    who: Uuid,
    /// The scan that the screen was last told of.
    scan: EventId,
    until: Deadline,
}

impl Current {
    fn command(&self) -> Option<CommandId> {
        derived_command(self.scan, "session")
    }
}

fn digest(session: Uuid, member: &str) -> Uuid {
    derived(&session.to_string(), member)
}

impl SessionFlow {
    /// Where nobody is yet.
    pub fn new(settings: SessionSettings) -> Self {
        let name = format!("session.{}", settings.station);
        Self { settings, name, current: None }
    }

    fn scanned(&mut self, event: &Event, code: &CodeScanned, around: &Around<'_>) -> Effects {
        let mut effects = Effects::default();
        if around.is_stale(event) {
            return effects;
        }
        let (scan, member) = (event.draft.id, code.value.as_str());
        let until = Deadline::after(&around.at, limits::SESSION);
        let again = self.current.as_ref().filter(|current| current.who == digest(current.session, member));
        let session = match again {
            Some(current) => current.session,
            None => {
                self.over(SessionEnd::OtherMember, Cause::Event(scan), around.at, &mut effects);
                let session = derived(&scan.to_string(), "station-session");
                let (station, started) = (self.settings.station.clone(), event.draft.at.wall);
                let bound = SessionChange::Bound { station, member: member.to_owned(), started };
                self.says(StationSession { session, change: bound }, Cause::Event(scan), around.at, &mut effects);
                session
            }
        };
        self.current = Some(Current { session, who: digest(session, member), scan, until });
        self.tell(around.at, &mut effects);
        self.keep(&mut effects);
        effects
    }

    /// The screen is told whose turn it is: by the session's name.
    fn tell(&self, at: Stamp, effects: &mut Effects) {
        let Some(current) = &self.current else { return };
        if let (Ok(scene), Some(id)) = (SceneId::new(SCENE), current.command()) {
            let show = Show { scene, for_ms: None, session: Some(current.session) };
            effects.show(id, &self.settings.screen, show, at);
        }
    }

    /// The end of the session, said by us.
    fn over(&mut self, how: SessionEnd, cause: Cause, at: Stamp, effects: &mut Effects) {
        let Some(Current { session, .. }) = self.current.take() else { return };
        let change = SessionChange::Ended { ended: at.wall, how };
        self.says(StationSession { session, change }, cause, at, effects);
        self.keep(effects);
    }

    fn says(&self, said: StationSession, cause: Cause, at: Stamp, effects: &mut Effects) {
        let what = match said.change {
            SessionChange::Bound { .. } => "bound",
            SessionChange::Ended { .. } => "ended",
        };
        let id = EventId(derived(&said.session.to_string(), what));
        let (device, body) = (Some(self.settings.screen.clone()), Body::Observed(Observation::Session(Box::new(said))));
        effects.events.push(Draft { id, device, at, cause: Some(cause), body });
    }

    fn keep(&self, effects: &mut Effects) {
        let value = self.current.as_ref().and_then(|current| {
            let Current { session, who, scan, until } = current;
            form::write(&SessionForm { session: *session, who: *who, scan: scan.0, until: (*until).into() })
        });
        effects.put(KEY.to_owned(), value);
    }

    /// Whether an event tells that the current session is over; `Some(None)`: it is its end already.
    fn ends(&self, event: &Event) -> Option<Option<SessionEnd>> {
        let current = self.current.as_ref()?;
        match &event.draft.body {
            Body::Observed(Observation::Session(said)) => {
                let is_end = matches!(said.change, SessionChange::Ended { .. });
                (is_end && said.session == current.session).then_some(None)
            }
            Body::Observed(Observation::Ended(outcome)) => {
                let is_untold = outcome.ended != Ended::Done && Some(&outcome.command) == current.command().as_ref();
                is_untold.then_some(Some(SessionEnd::Closed))
            }
            _ => None,
        }
    }

    fn shown_here<'a>(&self, event: &'a Event) -> Option<&'a CodeScanned> {
        let Body::Observed(Observation::Code(code)) = &event.draft.body else { return None };
        let is_here = event.draft.device.as_ref() == Some(&self.settings.scanner);
        (is_here && code.kind == CodeKind::Member).then_some(code)
    }

    fn event(&mut self, event: &Event, around: &Around<'_>) -> Effects {
        let mut effects = Effects::default();
        match (self.shown_here(event), self.ends(event)) {
            (Some(code), _) => return self.scanned(event, code, around),
            (None, Some(Some(how))) => self.over(how, Cause::Event(event.draft.id), around.at, &mut effects),
            (None, Some(None)) => {
                self.current = None;
                self.keep(&mut effects);
            }
            (None, None) => {}
        }
        effects
    }

    /// A page that went without a word.
    fn tick(&mut self, around: &Around<'_>) -> Effects {
        let mut effects = Effects::default();
        if let Some(scan) = self.current.as_ref().filter(|current| current.until.has_come(&around.at)).map(|c| c.scan) {
            self.over(SessionEnd::Closed, Cause::Event(scan), around.at, &mut effects);
        }
        effects
    }
}

impl Flow for SessionFlow {
    fn name(&self) -> &str {
        &self.name
    }

    fn load(&mut self, key: &str, value: &[u8]) {
        if let Some(SessionForm { session, who, scan, until }) = (key == KEY).then(|| form::read(value)).flatten() {
            self.current = Some(Current { session, who, scan: form::seed(scan), until: until.deadline() });
        }
    }

    fn cares(&self, input: Input<'_>) -> bool {
        match input {
            Input::Event(event) => self.shown_here(event).is_some() || self.ends(event).is_some(),
            Input::Tick => self.current.is_some(),
            Input::Asked(_) | Input::Connected => false,
        }
    }

    fn handle(&mut self, input: Input<'_>, around: &Around<'_>) -> Effects {
        match input {
            Input::Event(event) => self.event(event, around),
            Input::Tick => self.tick(around),
            Input::Asked(_) | Input::Connected => Effects::default(),
        }
    }

    fn due(&self, at: &Stamp) -> Option<Duration> {
        self.current.as_ref().map(|current| current.until.due(at))
    }

    fn fork(&self) -> Box<dyn Flow> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
