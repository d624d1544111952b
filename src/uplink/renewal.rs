//! Certificates and passwords that are renewed while the uplink runs: tried on a connection of their own before the
//! connections that stand are given up for them.

use std::convert::Infallible;

use ring::digest::{SHA256, digest};

use super::Shared;
use super::connect;
use super::fault::Fault;
use super::health::Part;
use super::link::Link;
use super::settings::Settings;
use crate::types::Condition;

/// What the files held when they were looked at, by digest; a file that cannot be read has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Files(Vec<Option<Vec<u8>>>);

impl Files {
    pub(super) async fn look(settings: &Settings) -> Self {
        let files = [&settings.ca_file, &settings.cert_file, &settings.key_file, &settings.password_file];
        let mut seen = Vec::with_capacity(files.len());
        for file in files.into_iter().flatten() {
            let read = tokio::fs::read(file).await;
            seen.push(read.ok().map(|bytes| digest(&SHA256, &bytes).as_ref().to_vec()));
        }
        Self(seen)
    }
}

/// Looks, for ever. Without a connection there is nothing to do: the next one reads the files anyway.
pub(super) async fn run(shared: &Shared) -> Infallible {
    let progress = shared.meter.subscribe();
    let mut before = Files::default();
    loop {
        tokio::time::sleep(shared.settings.pace.renewal).await;
        let now = Files::look(&shared.settings).await;
        let settled = now == before;
        before.clone_from(&now);
        if !progress.borrow().connected || now == *shared.files.borrow() {
            shared.health.clear(Part::Renewal);
        } else if settled {
            change_over(shared, now).await;
        }
    }
}

async fn change_over(shared: &Shared, now: Files) {
    match attempt(shared).await {
        Ok(()) => {
            tracing::info!("the broker accepts the renewed certificates or password; the connections change over");
            shared.health.clear(Part::Renewal);
            shared.files.send_replace(now);
            shared.renewed.send_modify(|count| *count = count.wrapping_add(1));
        }
        // Says nothing about the files; the connections that stand notice it themselves.
        Err(Fault { condition: Condition::CloudAway, .. }) => {}
        Err(fault) => {
            let detail = format!("renewed files do not work, the connection with the former goes on: {}", fault.detail);
            shared.health.raise(Part::Renewal, fault.condition, &detail);
        }
    }
}

async fn attempt(shared: &Shared) -> Result<(), Fault> {
    let mut options = connect::for_a_try(&shared.settings, "try").await?;
    connect::counted(&mut options, &shared.traffic);
    Link::open(options, 4).await?.leave().await;
    Ok(())
}
