//! A coupon at the till: reading it, its key, its signature, whether it was redeemed. The limit in the same run is the
//! bare signature check of the library.

use std::path::PathBuf;
use std::time::Duration;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::Serialize;

use crate::cli::until_told::{Told, until_told};
use crate::clock::{Clock, Trust};
use crate::flow::redeem::keep_keys;
use crate::journal::bench::{Percentiles, load, percentiles};
use crate::journal::{Change, Effects, Journal, Settings};
use crate::types::{
    Counter, CouponClaims, CouponClock, CouponId, CouponKeys, CouponKind, CouponValue, GatewayId, IssuerId, IssuerKey,
    KeyId, KeyRing, StoreId,
};
use crate::wire::coupon::{issue_cose, issue_jws, verify};

/// Whose state the seen-set of the measurement is.
const OWNER: &str = "coupon";
/// Keys written to the seen-set in one transaction.
const SLICE: u64 = 512;
/// How long the measured coupons are valid.
const VALID: Duration = Duration::from_secs(24 * 3600);

/// Arguments of `bench coupon`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Coupons to verify, of each form.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(10..=1_000_000))]
    coupons: u64,
    /// Redeemed coupons in the seen-set.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    seen: u64,
    /// A directory on the disk to measure; the system's temporary one without it.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Answer as one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Answer {
    coupons: u64,
    seen: u64,
    /// The library's check of one signature, nothing else.
    bare_ed25519_us: Percentiles,
    /// Reading and judging a JWS.
    verify_jws_us: Percentiles,
    /// Reading and judging Base45 and COSE.
    verify_base45_us: Percentiles,
    /// Asking the journal for the key and for the seen-set.
    lookups_us: Percentiles,
    /// A JWS and both questions: all that the shopper waits for before the verdict is written.
    verify_and_lookups_us: Percentiles,
    /// Load averages of 1, 5 and 15 minutes.
    load: String,
}

/// What is measured.
struct Bench {
    clock: Clock,
    journal: Journal,
    pair: Ed25519KeyPair,
    ring: KeyRing,
    counter: Counter,
    issuer: IssuerId,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let directory = super::working_directory(args.dir.as_deref())?;
    let measured = until_told(async |stop| {
        tokio::select! {
            answer = measure(args, directory.path()) => Some(answer),
            () = stop.cancelled() => None,
        }
    });
    let Told::Ended(Some(answer)) = measured? else { anyhow::bail!("interrupted") };
    show(&answer?, args.json)
}

async fn measure(args: &Args, directory: &std::path::Path) -> anyhow::Result<Answer> {
    let clock = Clock::system(Trust::Trusted);
    let load = load();
    let (journal, _) = Journal::open(Settings::new(directory), clock.clone())?;
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).map_err(|error| anyhow::anyhow!("no key: {error}"))?;
    let issuer = IssuerId::new("bench")?;
    let (now, _) = clock.wall();
    let key = IssuerKey {
        id: KeyId::new("k1")?,
        ed25519: pair.public_key().as_ref().try_into()?,
        from: now,
        until: now.plus(VALID),
    };
    let keys = CouponKeys { issuer: issuer.clone(), keys: vec![key] };
    let mut ring = KeyRing::default();
    ring.add(keys.clone());
    let counter = Counter { store: StoreId::new("bench")?, gateway: GatewayId::new("gw-1")? };
    let bench = Bench { clock, journal, pair, ring, counter, issuer };
    bench.fill(args.seen, &keys).await?;

    let (jws, base45) = (bench.coupons(args.coupons, true)?, bench.coupons(args.coupons, false)?);
    let answer = Answer {
        coupons: args.coupons,
        seen: args.seen,
        bare_ed25519_us: bench.bare(args.coupons)?,
        verify_jws_us: bench.verified(&jws)?,
        verify_base45_us: bench.verified(&base45)?,
        lookups_us: bench.looked_up(args.coupons).await?,
        verify_and_lookups_us: bench.both(&jws).await?,
        load,
    };
    bench.journal.close().await?;
    Ok(answer)
}

impl Bench {
    /// Puts the key and the redeemed coupons into the journal's state.
    async fn fill(&self, seen: u64, keys: &CouponKeys) -> anyhow::Result<()> {
        let until = self.clock.wall().0.plus(VALID);
        let known = keep_keys(keys).into_iter();
        let known = known.map(|keep| Change { key: keep.name, value: Some(keep.value), expires: Some(keep.until) });
        let redeemed = (0..seen).map(|number| {
            let key = format!("seen {} used-{number}", self.issuer);
            Change { key, value: Some(vec![0; 16]), expires: Some(until) }
        });
        let mut all = known.chain(redeemed);
        loop {
            let state: Vec<_> = all.by_ref().take(usize::try_from(SLICE)?).collect();
            if state.is_empty() {
                return Ok(());
            }
            self.journal.keep(OWNER, Effects { state, ..Effects::default() }).await?;
        }
    }

    fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(bytes).as_ref());
        signature
    }

    fn coupons(&self, count: u64, jws: bool) -> anyhow::Result<Vec<String>> {
        let (now, _) = self.clock.wall();
        let mut coupons = Vec::new();
        for number in 0..count {
            let claims = CouponClaims {
                issuer: self.issuer.clone(),
                key: KeyId::new("k1")?,
                id: CouponId::new(&format!("c-{number}"))?,
                audience: vec!["bench/gw-1".to_owned()],
                not_before: now,
                expires: now.plus(VALID),
                kind: CouponKind::Coupon,
                value: CouponValue::Minor(500),
            };
            let sign = |bytes: &[u8]| self.sign(bytes);
            coupons.push(if jws { issue_jws(&claims, sign) } else { issue_cose(&claims, sign) });
        }
        Ok(coupons)
    }

    fn bare(&self, count: u64) -> anyhow::Result<Percentiles> {
        let message = [7; 180];
        let signature = self.sign(&message);
        let key = UnparsedPublicKey::new(&ED25519, self.pair.public_key().as_ref());
        let mut spans = Vec::new();
        for _ in 0..count {
            let begun = self.clock.now();
            let good = key.verify(&message, &signature).is_ok();
            spans.push(self.clock.now() - begun);
            anyhow::ensure!(good, "the library refuses its own signature");
        }
        Ok(percentiles(spans))
    }

    fn verify(&self, coupon: &str) -> anyhow::Result<()> {
        let clock = CouponClock { now: self.clock.wall().0, synced: true, unsynced_allowed: false };
        let verdict = verify(coupon, &self.ring, &self.counter, clock);
        verdict.map(drop).map_err(|refused| anyhow::anyhow!("a good coupon is refused: {}", refused.reason))
    }

    fn verified(&self, coupons: &[String]) -> anyhow::Result<Percentiles> {
        let mut spans = Vec::new();
        for coupon in coupons {
            let begun = self.clock.now();
            self.verify(coupon)?;
            spans.push(self.clock.now() - begun);
        }
        Ok(percentiles(spans))
    }

    /// The key is there, the coupon is not in the seen-set: what a good coupon costs.
    async fn look_up(&self, number: u64) -> anyhow::Result<()> {
        let key = self.journal.state(OWNER, &format!("key {} k1", self.issuer)).await?;
        let seen = self.journal.state(OWNER, &format!("seen {} c-{number}", self.issuer)).await?;
        anyhow::ensure!(key.is_some() && seen.is_none(), "the journal does not hold what was put there");
        Ok(())
    }

    async fn looked_up(&self, count: u64) -> anyhow::Result<Percentiles> {
        let mut spans = Vec::new();
        for number in 0..count {
            let begun = self.clock.now();
            self.look_up(number).await?;
            spans.push(self.clock.now() - begun);
        }
        Ok(percentiles(spans))
    }

    async fn both(&self, coupons: &[String]) -> anyhow::Result<Percentiles> {
        let mut spans = Vec::new();
        for (number, coupon) in (0..).zip(coupons) {
            let begun = self.clock.now();
            self.verify(coupon)?;
            self.look_up(number).await?;
            spans.push(self.clock.now() - begun);
        }
        Ok(percentiles(spans))
    }
}

fn show(answer: &Answer, json: bool) -> anyhow::Result<()> {
    if json {
        say!("{}", serde_json::to_string_pretty(answer)?);
        return Ok(());
    }
    say!("{} coupons of each form, {} redeemed before, load {}", answer.coupons, answer.seen, answer.load);
    let rows = [
        ("bare Ed25519", &answer.bare_ed25519_us),
        ("verify JWS", &answer.verify_jws_us),
        ("verify Base45", &answer.verify_base45_us),
        ("key and seen-set", &answer.lookups_us),
        ("verify and look up", &answer.verify_and_lookups_us),
    ];
    for (what, percentiles) in rows {
        say!("{what:<20} p50 {} us, p99 {} us", percentiles.p50, percentiles.p99);
    }
    Ok(())
}
