//! The local HTTP side: health, metrics, devices and events for people and programs on the box.
//!
//! [`screens`] serves the pages of screens beside it.
//!
//! What is absent: nothing here but what screens say changes anything, nothing reads a path from a URL, and nothing
//! listens elsewhere than on loopback (the configuration refuses it). A request whose `Host` is not ours is turned
//! away, so that a web page cannot reach the gateway by pointing a name of its own at 127.0.0.1 (DNS rebinding).
//!
//! Limits: 1,000 events a request; request bodies are not read but those of screens; 64 connections' worth of work at a
//! time is the listener's backlog, each answered from memory or one bounded journal read.

mod answers;
mod host;
mod page;
mod screens;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;

pub use answers::journal_gauges;
pub use screens::{Hands, Screens, Stock};

use crate::clock::Clock;
use crate::journal::Journal;
use crate::observe::{Board, Conditions, Gauges, Metrics};
use crate::wire::cloud::Source;

/// What the console shows.
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
    /// Values of the parts that this module does not know, such as the uplink.
    pub gauges: Arc<dyn Fn() -> Gauges + Send + Sync>,
    /// The pages of screens.
    pub screens: Screens,
    /// Makes a diagnostics bundle: a JSON document.
    pub diagnostics: Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>,
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
    let allowed = host::Allowed::of(listener.local_addr()?);
    let (screens, ending) = (shown.screens.clone(), shown.screens.ending.clone());
    let router = Router::new()
        .route("/", get(page::index))
        .route("/health", get(answers::health))
        .route("/metrics", get(answers::metrics))
        .route("/api/v1/devices", get(answers::devices))
        .route("/api/v1/events", get(answers::events))
        .route("/api/v1/diagnostics", get(answers::diagnostics))
        .with_state(shown)
        .merge(screens::routes(screens))
        .layer(axum::middleware::from_fn_with_state(allowed, host::check));
    // Lines to pages go on for ever: they are ended, so that going down in order has an end.
    let stop = async move {
        stop.await;
        ending.cancel();
    };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}
