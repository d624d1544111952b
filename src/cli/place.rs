//! Finding a gateway's journal by its configuration.

use std::path::PathBuf;

use super::exit::Exit;
use crate::types::{GatewayId, StoreId};

/// How a subcommand is told which gateway it is about.
#[derive(Debug, clap::Args)]
pub(super) struct PlaceArgs {
    /// The gateway's configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where to look for device profiles first.
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
}

/// A gateway and where its journal is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) store: StoreId,
    pub(super) gateway: GatewayId,
    pub(super) data_dir: PathBuf,
}

impl PlaceArgs {
    /// Reads the configuration; mistakes are told.
    pub(super) fn load(&self) -> Result<Place, Exit> {
        let store = super::check::load_or_tell(&self.config, self.profiles.as_deref())?.store;
        Ok(Place { store: store.id, gateway: store.gateway.id, data_dir: store.gateway.data_dir })
    }
}
