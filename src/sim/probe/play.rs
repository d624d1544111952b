//! Plays a crowd at a pace.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::crowd::{Crowd, Happening};
use super::outlet::{Outlet, OutletError};
use super::truth::{Totals, Truth};
use crate::clock::Clock;

/// How fast a crowd's time goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// So many times as fast as real time.
    Times(u32),
    /// So many frames a second, whenever the crowd would have sent them, and so many in all. A crowd that ends begins
    /// again.
    Flood {
        /// Frames a second.
        per_s: u32,
        /// Frames in all.
        frames: u64,
    },
    /// As fast as can be written: for files.
    AtOnce,
}

/// What is kept for a list or a datagram goes on its way after so long.
const FLUSH: Duration = Duration::from_millis(500);
/// Stop is looked for this often.
const LOOK: Duration = Duration::from_millis(100);

/// Plays a crowd until its time is over or `stop`; `tell` gets every truth. Needs a tokio runtime.
pub async fn play(
    mut crowd: Crowd,
    outlet: &mut Outlet,
    pace: Pace,
    clock: &Clock,
    stop: &CancellationToken,
    mut tell: impl FnMut(&Truth),
) -> Result<Totals, OutletError> {
    let began = clock.now();
    let (mut frames, mut lost, mut flush_at) = (0, 0, began + FLUSH);
    loop {
        let Some((at_us, happening)) = crowd.next() else {
            if !matches!(pace, Pace::Flood { .. }) || frames == 0 {
                break;
            }
            crowd = crowd.again();
            continue;
        };
        let due = began + due(pace, at_us, frames);
        while !stop.is_cancelled() && clock.now() < due {
            let until = due.min(flush_at).min(clock.now() + LOOK);
            tokio::time::sleep_until(until.into()).await;
            lost += flush(outlet, &mut flush_at, clock.now()).await?;
        }
        let is_over = matches!(pace, Pace::Flood { frames: most, .. } if frames >= most);
        if stop.is_cancelled() || is_over {
            break;
        }
        match happening {
            Happening::Truth(truth) => tell(&truth),
            Happening::Sent(sent) => {
                lost += outlet.send(&sent).await?;
                frames += 1;
            }
        }
        lost += flush(outlet, &mut flush_at, clock.now()).await?;
    }
    lost += outlet.flush().await?;
    Ok(Totals { frames, lost, ..crowd.totals() })
}

async fn flush(outlet: &mut Outlet, flush_at: &mut Instant, now: Instant) -> Result<u64, OutletError> {
    if now < *flush_at {
        return Ok(0);
    }
    *flush_at = now + FLUSH;
    outlet.flush().await
}

fn due(pace: Pace, at_us: i64, frames: u64) -> Duration {
    match pace {
        Pace::Times(times) => Duration::from_micros(u64::try_from(at_us).unwrap_or(0)) / times.max(1),
        Pace::Flood { per_s, .. } => Duration::from_micros(frames * 1_000_000 / u64::from(per_s.max(1))),
        Pace::AtOnce => Duration::ZERO,
    }
}
