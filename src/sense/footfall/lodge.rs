//! Nameless devices find a host.
//!
//! Some radios scan in their sleep with nothing but rates in the request, which say nothing of the model. As long as
//! the frame counter joins such addresses to full ones there is no question. Where it does not, a chain is left over
//! that belongs to one of the devices that were silent meanwhile. Which one is asked again at every
//! [`Devices::settle`], because it takes both ends to tell: the host's counter before and after, how the address was
//! made, and whether the host's model was ever heard to send such requests.

use super::chain::{Manners, Prints, continuity};
use super::devices::Devices;
use super::limits::{HOSTS, LODGERS};
use super::store::Store;

/// A lodger is taken in from this log-ratio on.
const LEAST_SCORE: f64 = -2.5;

/// A time during which something spoke, with its counter at both ends.
#[derive(Clone, Copy)]
struct Stay {
    from_us: i64,
    to_us: i64,
    first: u16,
    last: u16,
}

struct Host {
    device: u32,
    full: Prints,
    weak: Prints,
    weak_manners: Manners,
    /// In the order of time.
    stays: Vec<Stay>,
}

struct Lodger {
    device: u32,
    weak: Prints,
    manners: Manners,
    stay: Stay,
}

impl Devices {
    /// Finds hosts for nameless devices anew.
    pub fn settle(&mut self) {
        let mut hosts = self.hosts();
        let mut lodgers = self.lodgers();
        let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
        for (l, lodger) in lodgers.iter().enumerate() {
            for (h, host) in hosts.iter().enumerate() {
                pairs.extend(score(&self.store, lodger, host).filter(|s| *s >= LEAST_SCORE).map(|s| (s, l, h)));
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut is_housed = vec![false; lodgers.len()];
        for (_, l, h) in pairs {
            if !is_housed[l] && take_in(&mut hosts[h], lodgers[l].stay) {
                is_housed[l] = true;
                self.lodge(lodgers[l].device, hosts[h].device);
            }
        }
        let mut housed = is_housed.into_iter();
        lodgers.retain(|_| !housed.next().unwrap_or(true));
        self.share(&lodgers);
    }

    /// Who found no host: as few devices as can be, so that none speaks in two chains at once.
    fn share(&mut self, lodgers: &[Lodger]) {
        let mut groups: Vec<Host> = Vec::new();
        for lodger in lodgers {
            let fits = |group: &Host| group.weak.meets(&lodger.weak) && group.weak_manners.fits(lodger.manners);
            let group = groups
                .iter_mut()
                .filter(|group| fits(group))
                .find_map(|group| take_in(group, lodger.stay).then_some(group.device));
            match group {
                Some(host) => self.lodge(lodger.device, host),
                None => {
                    self.store.device_mut(lodger.device).host = None;
                    groups.push(Host {
                        device: lodger.device,
                        full: Prints::default(),
                        weak: lodger.weak,
                        weak_manners: lodger.manners,
                        stays: vec![lodger.stay],
                    });
                }
            }
        }
    }

    fn lodge(&mut self, lodger: u32, host: u32) {
        let serial = self.store.device(host).serial;
        self.store.device_mut(lodger).host = Some((host, serial));
    }

    fn hosts(&self) -> Vec<Host> {
        let named = self.latest(|full| !full.is_empty(), HOSTS);
        named.into_iter().filter_map(|at| self.host(at)).collect()
    }

    fn host(&self, at: u32) -> Option<Host> {
        let chains = self.store.chains_of(at)?;
        let mut host = Host {
            device: at,
            full: self.store.device(at).full,
            weak: self.store.device(at).weak,
            weak_manners: Manners::default(),
            stays: Vec::new(),
        };
        for chain in chains.into_iter().rev() {
            host.weak_manners.add(self.store.chain(chain).weak_manners);
            host.stays.push(stay(&self.store, chain));
        }
        Some(host)
    }

    /// In the order of time.
    fn lodgers(&self) -> Vec<Lodger> {
        let nameless = self.latest(Prints::is_empty, LODGERS);
        let mut lodgers: Vec<_> = nameless.into_iter().map(|at| self.lodger(at)).collect();
        lodgers.sort_by_key(|lodger| lodger.stay.from_us);
        lodgers
    }

    fn lodger(&self, at: u32) -> Lodger {
        let device = self.store.device(at);
        let manners = self.store.chain(device.newest).weak_manners;
        Lodger { device: at, weak: device.weak, manners, stay: stay(&self.store, device.newest) }
    }

    /// The devices of a kind that spoke last, at most `most`.
    fn latest(&self, is_kind: impl Fn(&Prints) -> bool, most: usize) -> Vec<u32> {
        let of_kind = (0u32..).zip(&self.store.devices).filter(|(_, device)| device.is_live && is_kind(&device.full));
        let mut found: Vec<(i64, u32)> =
            of_kind.map(|(at, device)| (self.store.chain(device.newest).last_us, at)).collect();
        if found.len() > most {
            let from = found.len() - most;
            found.select_nth_unstable(from);
            found.drain(..from);
        }
        found.into_iter().map(|(_, at)| at).collect()
    }
}

fn stay(store: &Store, chain: u32) -> Stay {
    let chain = store.chain(chain);
    Stay { from_us: chain.first_us, to_us: chain.last_us, first: chain.first_sequence, last: chain.sequence }
}

/// Where in the host's time the stay would be, if it is free then.
fn place(stays: &[Stay], stay: Stay) -> Option<usize> {
    let at = stays.partition_point(|own| own.from_us < stay.from_us);
    let is_free_before = at == 0 || stays[at - 1].to_us < stay.from_us;
    let is_free_after = stays.get(at).is_none_or(|next| stay.to_us < next.from_us);
    (is_free_before && is_free_after).then_some(at)
}

fn take_in(host: &mut Host, stay: Stay) -> bool {
    let place = place(&host.stays, stay);
    if let Some(at) = place {
        host.stays.insert(at, stay);
    }
    place.is_some()
}

/// What speaks for and against, as a logarithm; `None` if the host spoke meanwhile or cannot be the one.
fn score(store: &Store, lodger: &Lodger, host: &Host) -> Option<f64> {
    let at = place(&host.stays, lodger.stay)?;
    let pairs = host.full.all().iter().flat_map(|full| lodger.weak.all().iter().map(|weak| store.mating(*full, *weak)));
    let model = if host.weak.meets(&lodger.weak) { 0.0 } else { pairs.fold(f64::NEG_INFINITY, f64::max) };
    let manner = if host.weak_manners.fits(lodger.manners) { 0.0 } else { -2.0 };
    let step = |before: &Stay, after: &Stay| {
        let gap = after.first.wrapping_sub(before.last) & 0xfff;
        continuity(gap, after.from_us - before.to_us, 0.6, 0.0)
    };
    let before = at.checked_sub(1).map_or(0.0, |before| step(&host.stays[before], &lodger.stay));
    let after = host.stays.get(at).map_or(0.0, |after| step(&lodger.stay, after));
    Some(model + manner + before + after)
}
