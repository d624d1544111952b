//! Pictures of what a screen shows, for whoever stands at the console.
//!
//! One is taken at a time, over the browser's debugging port; who wishes for one meanwhile gets the same. The last one
//! is kept for some seconds, in memory only. Of a mirror there is none, whoever asks.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use crate::clock::Clock;
use crate::transport::browser::{self, BrowserError, PageName};
use crate::transport::{Still, Wish};
use crate::types::{Chain, CommandId};

/// A picture that is younger than this is as good as a new one.
const FRESH: Duration = Duration::from_secs(3);
/// Who may wait for one picture.
const WAITING: usize = 16;

/// Who wants a picture.
pub(super) enum For {
    /// A command, which ends with it.
    Command(CommandId),
    /// Somebody at the console.
    Wish(Wish),
}

/// Takes pictures, or says why not.
pub(super) struct Eye {
    from: Result<(SocketAddr, PageName), &'static str>,
    clock: Clock,
    /// At most one.
    pub(super) taking: FuturesUnordered<BoxFuture<'static, Result<Still, &'static str>>>,
    waiting: Vec<For>,
    last: Option<(Instant, Still)>,
}

impl Eye {
    pub(super) fn new(from: Result<(SocketAddr, PageName), &'static str>, clock: Clock) -> Self {
        Self { from, clock, taking: FuturesUnordered::new(), waiting: Vec::new(), last: None }
    }

    /// Somebody wants a picture. More than [`WAITING`] are not heard.
    pub(super) fn wish(&mut self, who: For) {
        let now = self.clock.now();
        self.last.take_if(|(at, _)| now.saturating_duration_since(*at) >= FRESH);
        let known = match (&self.from, &self.last) {
            (Err(why), _) => Some(Err(*why)),
            (Ok(_), Some((_, still))) => Some(Ok(still.clone())),
            (Ok(_), None) => None,
        };
        match (who, known) {
            // Whoever has gone away does not hear it.
            (For::Wish(wish), Some(known)) => drop(wish.send(known)),
            (who, _) if self.waiting.len() < WAITING => self.waiting.push(who),
            _ => {}
        }
        if let (Ok((address, page)), false, true) = (&self.from, self.waiting.is_empty(), self.taking.is_empty()) {
            self.taking.push(take(*address, page.clone(), self.clock.clone()).boxed());
        }
    }

    /// A picture is taken, or not: the commands that end with it.
    pub(super) fn taken(&mut self, taken: &Result<Still, &'static str>) -> Vec<CommandId> {
        if let Ok(still) = taken {
            self.last = Some((self.clock.now(), still.clone()));
        }
        let mut commands = Vec::new();
        for who in self.waiting.drain(..) {
            match who {
                For::Command(command) => commands.push(command),
                For::Wish(wish) => drop(wish.send(taken.clone())),
            }
        }
        commands
    }
}

async fn take(address: SocketAddr, page: PageName, clock: Clock) -> Result<Still, &'static str> {
    let jpeg = browser::picture(address, &page).await.map_err(|error| {
        tracing::debug!(page = page.path, error = %Chain(&error), "no picture");
        match error {
            BrowserError::Away(_) => "browser-away",
            BrowserError::NoPage => "no-page",
            BrowserError::OtherPage => "another-page",
            BrowserError::Broken(_) | BrowserError::NoPicture => "no-picture",
        }
    })?;
    let (at, _) = clock.wall();
    Ok(Still { at, jpeg })
}
