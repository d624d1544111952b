//! The console: the local HTTP side for technicians and programs on the box.
//!
//! `screens` serves the pages of screens beside it, which know their own tokens.
//!
//! What is absent: nothing here reaches a driver (what is asked of a device goes into the ledger of commands), nothing
//! reads a path from a URL (every file has a fixed name and is part of the binary), nothing is fetched from elsewhere.
//!
//! Who is let in: a request whose `Host` is not ours is turned away, so that a web page cannot reach the gateway by
//! pointing a name of its own at it (DNS rebinding); what changes something must come from the console's own page and
//! leaves a row in the audit trail. On loopback there is no login; anywhere else there is one, and TLS, which the
//! configuration insists on.
//!
//! Limits: 128 connections; 1,000 events a request; 16 streams of events; a request body of 512 KiB; see `session.rs`
//! for logins and `audit.rs` for the trail.

mod answers;
mod assets;
mod audit;
mod commands;
mod configuration;
mod gate;
mod gateway;
mod host;
mod listener;
mod overview;
mod page;
mod pin;
mod rates;
mod sales;
mod screens;
mod session;
mod stream;
mod words;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

pub use answers::journal_gauges;
pub use gateway::{
    Busy, Change, Checked, Configuration, Draft, From, Gateway, How, LaneRow, Machines, Revision, RunningConfiguration,
    WaitingSale,
};
pub use pin::{ITERATIONS, seal_pin};
pub use screens::{Hands, Plays, Screens, Stock, Wall};
pub use session::Users;

use crate::clock::Clock;
use crate::journal::{Journal, JournalError};
use crate::observe::{Board, Conditions, Metrics};
use crate::transport::TlsServer;
use crate::types::Chain;
use crate::wire::cloud::Source;
use audit::Audit;
use configuration::{Last, Pending};
use rates::Rates;
use session::Sessions;

/// Longest body of a request, in bytes: a configuration as JSON text.
const BODY_BYTES: usize = 512 * 1024;

/// What the console shows, and who may see it.
#[derive(Clone)]
pub struct Shown {
    /// `store/gateway`, for the page's title.
    pub name: String,
    /// Names events as the cloud sees them.
    pub source: Arc<Source>,
    /// The time.
    pub clock: Clock,
    /// Events and their depths.
    pub journal: Journal,
    /// What is wrong.
    pub conditions: Conditions,
    /// Counters.
    pub metrics: Metrics,
    /// The devices.
    pub board: Board,
    /// The pages of screens.
    pub screens: Screens,
    /// The rest of the gateway.
    pub gateway: Arc<dyn Gateway>,
    /// Certificate and key, where there is TLS.
    pub tls: Option<TlsServer>,
    /// Who may log in; `None`: everybody on the box may do everything.
    pub users: Option<Users>,
}

/// What every request is answered from.
struct Inside {
    shown: Shown,
    audit: Audit,
    sessions: Option<Sessions>,
    rates: Rates,
    streams: Arc<Semaphore>,
    pending: mpsc::Sender<Pending>,
    last: Mutex<Option<Last>>,
    began: Instant,
    stop: CancellationToken,
}

impl Inside {
    fn is_tls(&self) -> bool {
        self.shown.tls.is_some()
    }

    /// Looks at the buffer again and again, so that its course can be told.
    async fn watch(&self) -> Result<(), JournalError> {
        loop {
            match self.shown.journal.stats().await {
                Ok(stats) => self.rates.note(&stats, self.shown.clock.now()),
                Err(JournalError::Closed) => return Err(JournalError::Closed),
                Err(error) => tracing::debug!(%error, "the buffer's depth cannot be read"),
            }
            self.shown.screens.count().await;
            self.renew();
            tokio::time::sleep(rates::LOOK).await;
        }
    }

    /// Certificate and users may have been changed on the disk.
    fn renew(&self) {
        if let Some(sessions) = &self.sessions {
            sessions.renew();
        }
        match self.shown.tls.as_ref().map(TlsServer::renew) {
            Some(Ok(true)) => tracing::info!("the console's certificate was read again"),
            Some(Err(error)) => {
                let error = Chain(&error);
                tracing::warn!(%error, "the console's changed certificate cannot be used: the old one stays");
            }
            Some(Ok(false)) | None => {}
        }
    }

    async fn conclude_all(&self, mut pending: mpsc::Receiver<Pending>) -> Result<(), JournalError> {
        while let Some(change) = pending.recv().await {
            self.conclude(change).await?;
        }
        Ok(())
    }
}

/// Binds the listener. Separate from [`serve`], so that a port in use is an error at start and the address is known.
pub async fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(listen).await
}

/// Answers requests until `stop` resolves.
pub async fn serve(
    listener: TcpListener,
    shown: Shown,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let allowed = host::Allowed::of(listener.local_addr()?, shown.tls.clone());
    let (ending, tls) = (shown.screens.ending.clone(), shown.tls.clone());
    let (pending, concluded) = mpsc::channel(configuration::PENDING);
    let inside = Arc::new(Inside {
        audit: Audit::new(shown.journal.clone(), shown.clock.clone()),
        sessions: shown.users.clone().map(|users| Sessions::new(shown.clock.clone(), users)),
        rates: Rates::default(),
        streams: Arc::new(Semaphore::new(stream::STREAMS)),
        pending,
        last: Mutex::new(None),
        began: shown.clock.now(),
        stop: ending.clone(),
        shown,
    });
    let router = router(&inside, allowed);
    let stopped = async move {
        stop.await;
        // Streams have no end of their own, those of screens neither.
        ending.cancel();
    };
    let service = router.into_make_service_with_connect_info::<listener::Peer>();
    let served = axum::serve(listener::Door::new(listener, tls), service).with_graceful_shutdown(stopped);
    let beside = async { tokio::join!(inside.watch(), inside.conclude_all(concluded)) };
    tokio::select! {
        ended = served.into_future() => ended,
        // The journal is closed: the house goes down.
        _ = beside => Ok(()),
    }
}

fn router(inside: &Arc<Inside>, allowed: host::Allowed) -> Router {
    let mut router = Router::new()
        .route("/", get(page::index))
        .route("/login", get(page::login))
        .route("/health", get(answers::health))
        .route("/metrics", get(answers::metrics))
        .route("/api/v1/console", get(overview::answer))
        .route("/api/v1/devices", get(answers::devices))
        .route("/api/v1/events", get(answers::events))
        .route("/api/v1/events/stream", get(stream::events))
        .route("/api/v1/machines", get(sales::machines))
        .route("/api/v1/sales/resolve", post(sales::resolve))
        .route("/api/v1/commands", get(commands::stands).post(commands::ask))
        .route("/api/v1/config", get(configuration::show))
        .route("/api/v1/config/check", post(configuration::check))
        .route("/api/v1/config/apply", post(configuration::apply))
        .route("/api/v1/config/rollback", post(configuration::roll_back))
        .route("/api/v1/audit", get(answers::audit))
        .route("/api/v1/diagnostics", get(answers::diagnostics))
        .route("/api/v1/login", post(gate::login))
        .route("/api/v1/logout", post(gate::logout));
    for asset in &assets::ASSETS {
        router = router.route(asset.path, get(assets::serve));
    }
    let screens = inside.shown.screens.clone();
    router
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(Arc::clone(inside))
        .merge(screens::console_routes(screens.clone()))
        .merge(screens::routes(screens))
        .layer(from_fn_with_state(Arc::clone(inside), gate::guard))
        .layer(from_fn_with_state(allowed, host::check))
}
