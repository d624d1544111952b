//! What listens and what it shows beside the console itself: certificate, users, the pages of screens.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::build::AppError;
use super::content_settings;
use super::fleet::House;
use crate::config;
use crate::console::{self, Hands, Plays, Screens, Stock, Users, Wall};
use crate::content::{self, Content};
use crate::device::Once;
use crate::journal::Journal;
use crate::router::Shelf;
use crate::transport::TlsServer;
use crate::types::{Body, Chain, DeviceId, Observation, Row, SessionChange, Slot, User};

/// Events that are looked through at the start for what screens have said.
const KNOWN_ROWS: i64 = 50_000;
/// Of them at once.
const KNOWN_PAGE: usize = 500;

/// A listener, with its certificate and its users where it has them.
pub(super) type Listening = (TcpListener, Option<TlsServer>, Option<Users>);

/// The listener, its certificate and its users. The configuration has been checked, so that none of it should fail.
pub(super) async fn open_console(console: &config::Console) -> Result<Listening, AppError> {
    let listen = console.listen;
    let listener = console::bind(listen).await.map_err(|source| AppError::Listen { listen, source })?;
    let identity = console.identity.as_ref();
    let tls = identity.map(|files| TlsServer::from_files(&files.cert_file, &files.key_file));
    let tls = tls.transpose().map_err(AppError::Certificate)?;
    // On loopback nobody has to log in.
    let users_file = console.users_file.as_ref().filter(|_| !listen.ip().is_loopback());
    let users = users_file.map(|file| {
        let wrong = |why: String| AppError::Users { file: file.clone(), why };
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        let list = User::parse_all(&text).map_err(|mistake| wrong(Chain(&mistake).to_string()))?;
        Ok(Users { file: file.clone(), list })
    });
    Ok((listener, tls, users.transpose()?))
}

/// The content, and where it is kept.
pub(super) fn open_content(store: &config::Store) -> Result<content::Opened, AppError> {
    let opened = content::open(&store.gateway.data_dir.join("content"), &content_settings(store));
    opened.map_err(|error| AppError::DataDir { path: error.path, source: error.source })
}

/// What screens have said lately: it is not let in again, also when the gateway died before it could say so.
pub(super) async fn known(journal: &Journal) -> Result<Once, AppError> {
    let once = Once::default();
    let head = journal.head().borrow().row;
    let mut row = Row(head.0.saturating_sub(KNOWN_ROWS).max(0));
    loop {
        let events = journal.after(row, KNOWN_PAGE).await.map_err(AppError::Journal)?;
        let Some(last) = events.last() else { return Ok(once) };
        row = last.row;
        for event in &events {
            match &event.draft.body {
                Body::Observed(Observation::ScreenPlay(play)) => once.first(play.play),
                Body::Observed(Observation::ScreenAction(action)) => once.first(action.outer_biz_id),
                Body::Observed(Observation::Session(said)) if matches!(said.change, SessionChange::Ended { .. }) => {
                    once.first(said.session)
                }
                _ => true,
            };
        }
    }
}

/// Counts of products that lie in machines.
fn stock(content: Content, shelf: Shelf) -> Stock {
    Arc::new(move || {
        let active = content.active();
        let products = active.manifest.iter().flat_map(|manifest| &manifest.products);
        let counted = products.filter_map(|product| {
            let stocked = product.stock.as_ref()?;
            let lane = shelf.lane(&DeviceId::new(&stocked.machine).ok()?, Slot(stocked.slot))?;
            Some((product.sku.clone(), u32::from(lane.count?)))
        });
        counted.collect()
    })
}

/// What the pages of screens show and whom they talk to.
pub(super) fn screens(house: &House, store: &config::Store, content: Content, shelf: &Shelf) -> Screens {
    let listen = store.console.as_ref().map(|console| console.listen);
    Screens {
        phones: listen.filter(|listen| !listen.ip().is_loopback() && !listen.ip().is_unspecified()),
        seats: house.seats.clone(),
        mirrors: house.mirrors.clone(),
        stock: stock(content.clone(), shelf.clone()),
        content,
        timezone: store.timezone.clone(),
        clock: house.clock.clone(),
        ending: CancellationToken::new(),
        is_tls: store.console.as_ref().is_some_and(|console| console.identity.is_some()),
        hands: Hands::default(),
        wall: Wall::default(),
        journal: house.journal.clone(),
        plays: Plays::default(),
    }
}
