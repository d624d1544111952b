//! The line to the cloud, and changing where it leads.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::fleet::House;
use super::{Ended, tell_stuck, told};
use crate::config;
use crate::flow::{Ask, Asking};
use crate::observe::Gauges;
use crate::router::Payments;
use crate::supervise::{Circle, Ending, supervise_reader};
use crate::types::{Class, Condition, GatewayId, PaymentCode, StoreId};
use crate::uplink::{Authorisations, ConfigExchange, Progress, Uplink};
use crate::wire::cloud::{Authorise, AuthoriseWhat};

/// How long the uplink may take to say goodbye, and a little more.
const UPLINK_STOP: Duration = Duration::from_secs(5);

/// What an uplink says of a broker; it goes when the broker is another.
const CONDITIONS: [Condition; 4] =
    [Condition::CloudAway, Condition::CloudRefused, Condition::CloudTls, Condition::CloudQuota];

/// Where the uplink's progress can be seen, whichever uplink it is now.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Option<watch::Receiver<Progress>>>>);

impl Seen {
    pub(super) fn progress(&self) -> Option<Progress> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref().map(|progress| *progress.borrow())
    }

    pub(super) fn gauges(&self) -> Gauges {
        self.progress().as_ref().map(gauges).unwrap_or_default()
    }
}

/// The uplink that runs, if any.
pub(super) struct Line {
    house: House,
    name: (StoreId, GatewayId),
    exchange: ConfigExchange,
    seen: Seen,
    authorisations: Authorisations,
    cloud: Option<config::Cloud>,
    stop: CancellationToken,
    uplink: Circle<Ended>,
}

impl Line {
    /// That leads nowhere yet.
    pub(super) fn new(house: House, name: (StoreId, GatewayId), exchange: ConfigExchange, seen: Seen) -> Self {
        let (stop, uplink) = (CancellationToken::new(), Circle::default());
        let authorisations = Authorisations::default();
        Self { house, name, exchange, seen, authorisations, cloud: None, stop, uplink }
    }

    /// The payment side at the other end of it, wherever it leads.
    pub(super) fn payments(&self) -> Arc<dyn Payments> {
        Arc::new(CloudPayments { authorisations: self.authorisations.clone(), seen: self.seen.clone() })
    }

    /// Leads the line to another broker; `false`: it leads there already, by the same means.
    pub(super) async fn change_to(&mut self, cloud: Option<&config::Cloud>) -> bool {
        if self.cloud.as_ref() == cloud {
            return false;
        }
        self.tear_down().await;
        for condition in CONDITIONS {
            self.house.conditions.set(condition, None, false, None);
        }
        self.cloud = cloud.cloned();
        let Some(cloud) = cloud else { return true };
        let House { clock, journal, conditions, .. } = self.house.clone();
        let settings = uplink_settings(&self.name.0, &self.name.1, cloud);
        let uplink = Uplink::with_exchange(settings, journal, conditions, clock, self.exchange.clone());
        let uplink = uplink.asking(self.authorisations.clone());
        *self.seen.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(uplink.progress());
        self.stop = CancellationToken::new();
        let stop = self.stop.clone();
        let clock = self.house.clock.clone();
        self.uplink.spawn("uplink", async move {
            told(supervise_reader("uplink", &clock, || uplink.run(stop.clone()))).await
        });
        true
    }

    /// Whether it carries both ways now.
    pub(super) fn carries(&self) -> bool {
        self.seen.progress().is_some_and(|progress| progress.connected && progress.listening)
    }

    /// What keeps it from carrying.
    pub(super) fn trouble(&self) -> Option<(Condition, String)> {
        let standing = self.house.conditions.standing();
        let own = standing.into_iter().find(|entry| CONDITIONS.contains(&entry.condition))?;
        Some((own.condition, own.detail.unwrap_or_default()))
    }

    /// The uplink's end, which may not come before it is told to. Cancel-safe.
    pub(super) async fn failed(&mut self) -> (String, Ending<Ended>) {
        self.uplink.next().await
    }

    /// Says goodbye.
    pub(super) async fn tear_down(&mut self) {
        self.stop.cancel();
        tell_stuck(self.uplink.drain(UPLINK_STOP).await);
        *self.seen.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Payments by the cloud, over whichever line there is.
struct CloudPayments {
    authorisations: Authorisations,
    seen: Seen,
}

impl Payments for CloudPayments {
    fn connection(&self) -> Option<u64> {
        self.seen.progress().filter(|progress| progress.connected && progress.listening).map(|seen| seen.connections)
    }

    fn ask(&self, ask: Ask, code: Option<PaymentCode>) {
        let Ask { sale, what, amount, currency, not_after } = ask;
        let what = match what {
            Asking::Authorise(_) => AuthoriseWhat::Promise,
            Asking::Query => AuthoriseWhat::Query,
            Asking::Cancel => AuthoriseWhat::Cancel,
        };
        if self.connection().is_some() {
            self.authorisations.ask(Authorise { sale, what, amount, currency, code, not_after });
        }
    }
}

/// How the gateway presents itself to the broker.
pub fn uplink_settings(store: &StoreId, gateway: &GatewayId, cloud: &config::Cloud) -> crate::uplink::Settings {
    let version = env!("CARGO_PKG_VERSION");
    let mut settings = crate::uplink::Settings::new(cloud.broker.clone(), store.clone(), gateway.clone(), version);
    settings.username.clone_from(&cloud.username);
    settings.password_file.clone_from(&cloud.password_file);
    settings.ca_file.clone_from(&cloud.ca_file);
    settings.cert_file = cloud.identity.as_ref().map(|identity| identity.cert_file.clone());
    settings.key_file = cloud.identity.as_ref().map(|identity| identity.key_file.clone());
    settings.encoding = cloud.encoding;
    settings.pace.backfill_per_s = cloud.backfill_per_s;
    settings
}

fn gauges(progress: &Progress) -> Gauges {
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let mut gauges = vec![
        ("uplink_connected".to_owned(), i64::from(progress.connected)),
        ("uplink_listening".to_owned(), i64::from(progress.listening)),
        ("uplink_connections".to_owned(), whole(progress.connections)),
        ("uplink_refusals".to_owned(), whole(progress.refusals)),
        ("uplink_given_up".to_owned(), whole(progress.given_up)),
        ("uplink_commands".to_owned(), whole(progress.commands)),
        ("uplink_commands_unreadable".to_owned(), whole(progress.commands_unreadable)),
        ("uplink_repeats".to_owned(), whole(progress.repeats)),
        ("uplink_bytes_up".to_owned(), whole(progress.usage.up_bytes)),
        ("uplink_bytes_down".to_owned(), whole(progress.usage.down_bytes)),
        ("uplink_bytes_up_today".to_owned(), whole(progress.usage_today.up_bytes)),
        ("uplink_bytes_down_today".to_owned(), whole(progress.usage_today.down_bytes)),
    ];
    for class in Class::ALL {
        gauges.push((format!("uplink_delivered_{}", class.as_str()), whole(progress.delivered(class))));
        gauges.push((format!("uplink_backlog_{}", class.as_str()), whole(progress.backlog(class))));
    }
    gauges
}
