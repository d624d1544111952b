//! The pages of screens, their content and their messages.
//!
//! | address | what |
//! |---|---|
//! | `GET /s/{screen}` | the page: black, the picture that is on now, and its program; works before its scripts do |
//! | `GET /s/{screen}/app/{file}` | the page's own files |
//! | `GET /cas/{sha256}` | a file of the content in force, whole or in parts |
//! | `GET /api/v1/screens/{screen}/program` | what it shows for the next two days |
//! | `GET /api/v1/screens/{screen}/events` | what it is told, as server-sent events |
//! | `POST /api/v1/screens/{screen}/{heartbeat,plays,actions,shown}` | what it says; 2xx: it is on disk |
//! | `GET /api/v1/screens` | what every screen last said of itself and has played today, for the console |
//! | `GET /api/v1/wall/{screen}/picture` | what a screen shows now, as a JPEG, for the console; never of a mirror |
//! | `GET /api/v1/screens/{screen}/mirror` | a mirror's pictures and what is wished of them, as a WebSocket |
//! | `POST /api/v1/screens/{screen}/handoff`, `GET /h/{token}` | a product onto a shopper's phone, once |
//!
//! What is absent: no file outside the content is ever opened, no name of a file comes out of a URL (64 hexadecimal
//! digits, or one of a closed list), no address elsewhere is in any page.
//!
//! A browser on this machine needs nothing; any other one shows the screen's token once (`?token=`) and gets a cookie.

mod events;
mod files;
mod gate;
mod hand;
mod mirror;
mod page;
mod plays;
mod post;
mod range;
mod wall;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::content::Content;
use crate::journal::Journal;
use crate::transport::{Mirrors, Seats};
use crate::types::Timestamp;
use crate::wire::screen::{Override, Place, limits, program};

pub(super) use gate::Gate;

const HOUR_MS: i64 = 3_600_000;

/// Counts in stock by product; asked for whenever a program is.
pub type Stock = Arc<dyn Fn() -> BTreeMap<String, u32> + Send + Sync>;

/// What the pages show and whom they talk to.
#[derive(Clone)]
pub struct Screens {
    /// Where their drivers sit.
    pub seats: Seats,
    /// What mirrors' cameras see.
    pub mirrors: Mirrors,
    /// What is in force.
    pub content: Content,
    /// The store's time zone.
    pub timezone: TimeZone,
    /// The time.
    pub clock: Clock,
    /// Counts in stock.
    pub stock: Stock,
    /// Ends what would go on for ever.
    pub ending: CancellationToken,
    /// Whether it is all behind TLS.
    pub is_tls: bool,
    /// Where phones in the shop reach the console, if it listens at one address that is not only this machine's.
    pub phones: Option<SocketAddr>,
    /// Products on their way to phones.
    pub hands: hand::Hands,
    /// What screens last said of themselves.
    pub wall: wall::Wall,
    /// Where plays are.
    pub journal: Journal,
    /// Those of today.
    pub plays: plays::Plays,
}

pub use hand::Hands;
pub use plays::Plays;
pub use wall::Wall;

/// The routes, all behind the gate.
pub(super) fn routes(screens: Screens) -> Router {
    let gate = Gate::new(screens.seats.clone());
    Router::new()
        .route("/s/{screen}", get(page::page))
        .route("/s/{screen}/app/{file}", get(page::file))
        .route("/cas/{sha256}", get(files::cas))
        .route("/api/v1/screens/{screen}/program", get(page::program))
        .route("/api/v1/screens/{screen}/events", get(events::events))
        .route("/api/v1/screens/{screen}/mirror", get(mirror::reflect))
        .route("/api/v1/screens/{screen}/handoff", post(hand::make))
        .route("/api/v1/screens/{screen}/{what}", post(post::post))
        .route("/h/{token}", get(hand::open))
        .layer(DefaultBodyLimit::max(limits::POST_BYTES))
        .layer(axum::middleware::from_fn_with_state(gate, gate::check))
        .with_state(screens)
}

/// What the console asks of the screens; behind its login, not behind the screens' tokens.
pub(super) fn console_routes(screens: Screens) -> Router {
    let router = Router::new().route("/api/v1/screens", get(wall::wall));
    router.route("/api/v1/wall/{screen}/picture", get(wall::picture)).with_state(screens)
}

impl Screens {
    /// The program of a screen around a moment. It begins at a whole hour that is over, so that two pages that ask at
    /// different moments cut their slots alike.
    fn program(&self, screen: &str, kind: &str, at: Timestamp) -> String {
        let at = Timestamp::from_unix_ms((at.unix_ms().div_euclid(HOUR_MS) - 1) * HOUR_MS);
        let (active, overriding) = (self.content.active(), self.overriding());
        let stock = (self.stock)();
        let place = Place { screen, kind, timezone: &self.timezone, overriding: overriding.as_ref(), stock: &stock };
        program(active.manifest.as_ref(), &place, at)
    }

    /// What comes before everything else, unless its time is over.
    fn overriding(&self) -> Option<Override> {
        let (now, _) = self.clock.wall();
        let said = self.content.overriding().borrow().clone()?;
        let until_ms = said.until.map(Timestamp::unix_ms);
        let is_over = said.until.is_some_and(|until| until <= now);
        (!is_over).then_some(Override { text: said.text, until_ms })
    }
}
