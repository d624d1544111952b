//! Radios: which interfaces can monitor, monitor mode, channels; through nl80211 (generic netlink). Changing anything
//! needs `CAP_NET_ADMIN`.
//!
//! The netlink crate wants its connection polled beside every request: each function here does that itself and leaves
//! nothing running.

use std::io;
use std::path::Path;
use std::time::Duration;

use futures_util::TryStreamExt;
use wl_nl80211::{
    Nl80211Attr, Nl80211Channel, Nl80211ChannelWidth, Nl80211Error, Nl80211Handle, Nl80211HtWiphyChannelType,
    Nl80211IfMode, Nl80211Interface, Nl80211InterfaceType, new_connection,
};

use super::interface::Interface;

/// How long the kernel may take for an answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How often it is looked whether the interface is still the one that was set.
const LOOK: Duration = Duration::from_secs(5);

/// A wireless interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wireless {
    /// Its name.
    pub name: String,
    /// Whether it is in monitor mode now.
    pub monitors: bool,
    /// Whether its radio can be set to monitor mode, as far as its driver says.
    pub can_monitor: Option<bool>,
}

fn failed(error: Nl80211Error) -> io::Error {
    match error {
        Nl80211Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other.to_string()),
    }
}

fn too_late<E>(_: E) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the kernel does not answer")
}

/// Asks with a connection of its own, which ends with the answer.
async fn ask<T>(question: impl AsyncFnOnce(&Nl80211Handle) -> Result<T, Nl80211Error>) -> io::Result<T> {
    let (connection, handle, _others) = new_connection()?;
    let answered = async {
        tokio::select! {
            answer = question(&handle) => answer.map_err(failed),
            () = connection => Err(io::Error::other("the netlink connection ended")),
        }
    };
    tokio::time::timeout(ANSWER, answered).await.map_err(too_late)?
}

/// The wireless interfaces of this machine, by name.
pub async fn wireless() -> io::Result<Vec<Wireless>> {
    let mut found = if has_wireless() { known_to_nl80211().await? } else { Vec::new() };
    found.extend(by_link_type().filter(|one| !found.iter().any(|known| known.name == one.name)).collect::<Vec<_>>());
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Whether the kernel has any wireless at all: without, nl80211 is no family that could be asked.
fn has_wireless() -> bool {
    Path::new("/sys/class/ieee80211").exists()
}

async fn known_to_nl80211() -> io::Result<Vec<Wireless>> {
    let mut found = Vec::new();
    for attributes in interfaces().await? {
        let (mut name, mut index, mut monitors) = (None, None, false);
        for attribute in attributes {
            match attribute {
                Nl80211Attr::IfName(text) => name = Some(text),
                Nl80211Attr::IfIndex(number) => index = Some(number),
                Nl80211Attr::IfType(kind) => monitors = kind == Nl80211InterfaceType::Monitor,
                _ => {}
            }
        }
        if let (Some(name), Some(index)) = (name, index) {
            found.push(Wireless { name, monitors, can_monitor: can_monitor(index).await });
        }
    }
    Ok(found)
}

/// What nl80211 says of each interface.
async fn interfaces() -> io::Result<Vec<Vec<Nl80211Attr>>> {
    let all = ask(async |handle| handle.interface().get(Vec::new()).execute().await.try_collect::<Vec<_>>().await);
    Ok(all.await?.into_iter().map(|message| message.payload.attributes).collect())
}

/// Interfaces that are monitors by their link type, whatever nl80211 knows of them.
fn by_link_type() -> impl Iterator<Item = Wireless> {
    let entries = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let monitors =
        names.filter(|name| Interface::named(name).and_then(|one| one.link()).is_ok_and(|link| link.is_ok()));
    monitors.map(|name| Wireless { name, monitors: true, can_monitor: Some(true) })
}

/// Whether a radio can monitor; `None`: its driver does not say.
async fn can_monitor(index: u32) -> Option<bool> {
    let radio = ask(async |handle| {
        let asked = handle.wireless_physic().get().if_index(index);
        asked.execute().await.try_collect::<Vec<_>>().await
    });
    let attributes = radio.await.ok()?.into_iter().flat_map(|message| message.payload.attributes);
    let modes = attributes.filter_map(|attribute| match attribute {
        Nl80211Attr::SupportedIftypes(modes) => Some(modes),
        _ => None,
    });
    let modes: Vec<Nl80211IfMode> = modes.flatten().collect();
    (!modes.is_empty()).then(|| modes.contains(&Nl80211IfMode::Monitor))
}

/// Sets an interface to monitor mode, brings it up, and listens to each of these channels (their middles, in MHz) in
/// turn; with one it stays there, with none it stays where it is. Ends only when that does not work (any more): the
/// interface is gone or another one, or nobody allows it.
pub async fn monitor_channels(name: &str, channels_mhz: &[u16], dwell: Duration) -> io::Error {
    match set_and_hop(name, channels_mhz, dwell).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn set_and_hop(name: &str, channels_mhz: &[u16], dwell: Duration) -> io::Result<std::convert::Infallible> {
    let interface = Interface::named(name)?;
    let index = u32::try_from(interface.index()?).map_err(io::Error::other)?;
    if !is_monitor(index).await? {
        // A radio that is up does not change its mode.
        interface.set_up(false)?;
        let monitor = Nl80211Interface::new(index).interface_type(Nl80211InterfaceType::Monitor).build();
        ask(async |handle| handle.interface().set(monitor).execute().await.try_collect::<Vec<_>>().await).await?;
    }
    if !interface.is_up()? {
        interface.set_up(true)?;
    }
    let (connection, handle, _others) = new_connection()?;
    let hopping = async {
        loop {
            for mhz in channels_mhz {
                tokio::time::timeout(ANSWER, tune(&handle, index, *mhz)).await.map_err(too_late)??;
                if channels_mhz.len() > 1 {
                    tokio::time::sleep(dwell).await;
                }
            }
            if channels_mhz.len() <= 1 {
                tokio::time::sleep(LOOK).await;
            }
            if u32::try_from(interface.index()?).ok() != Some(index) {
                return Err(io::Error::new(io::ErrorKind::NotFound, format!("{name} is another interface now")));
            }
        }
    };
    tokio::select! {
        ended = hopping => ended,
        () = connection => Err(io::Error::other("the netlink connection ended")),
    }
}

async fn is_monitor(index: u32) -> io::Result<bool> {
    let all = if has_wireless() { interfaces().await? } else { Vec::new() };
    let own = all.into_iter().find(|attributes| attributes.contains(&Nl80211Attr::IfIndex(index)));
    let own = own.ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, "it is no wireless interface"))?;
    Ok(own.contains(&Nl80211Attr::IfType(Nl80211InterfaceType::Monitor)))
}

async fn tune(handle: &Nl80211Handle, index: u32, mhz: u16) -> io::Result<()> {
    let channel = Nl80211Channel::new(index)
        .frequency(u32::from(mhz))
        .channel_width(Nl80211ChannelWidth::NoHt20)
        .channel_type(Nl80211HtWiphyChannelType::NoHt)
        .center_frequency(u32::from(mhz))
        .build();
    let set = handle.wireless_physic().set(channel).execute().await.try_collect::<Vec<_>>().await;
    set.map(drop).map_err(failed)
}
