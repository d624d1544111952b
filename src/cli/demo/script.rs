//! What happens in the demo, and when.
//!
//! In shares of its length: the line is disturbed at 15 %, the cable is out from 25 % to 30 %, the broker is away from
//! 40 % to 65 %, the last code is scanned at 85 %. What is left is for the backlog to drain.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Counts, DRAIN, World};
use crate::cli::sim::{SETTLED, code};
use crate::sim::scanner::Do;

/// Between two codes.
const SCAN_EVERY: Duration = Duration::from_millis(200);
/// Longest wait for the gateway to open the line.
const HELD_WITHIN: Duration = Duration::from_secs(15);

/// A thing that happens once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Disturb,
    Unplug,
    Plug,
    BrokerAway,
    BrokerBack,
}

/// When, in percent of the story.
const STORY: [(u32, Turn); 5] =
    [(15, Turn::Disturb), (25, Turn::Unplug), (30, Turn::Plug), (40, Turn::BrokerAway), (65, Turn::BrokerBack)];
const LAST_CODE_PERCENT: u32 = 85;

/// Tells the story and counts until everything has drained or there is no time left.
pub(super) async fn tell_story(
    length: Duration,
    mut world: World<'_>,
    stop: &CancellationToken,
) -> anyhow::Result<Counts> {
    world.wait_until_held().await?;
    let began = world.clock.now();
    let at = |percent: u32| began + length * percent / 100;
    let mut scan = tokio::time::interval(SCAN_EVERY);
    let mut show = tokio::time::interval(Duration::from_secs(1));
    let mut turns = STORY.into_iter().map(|(percent, turn)| (at(percent), turn)).peekable();
    let mut number = 0;
    while !stop.is_cancelled() && world.clock.now() < at(LAST_CODE_PERCENT) {
        let next = turns.peek().map_or(at(100), |(at, _)| *at);
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep_until(next.into()) => if let Some((_, turn)) = turns.next() {
                world.turn(turn).await?;
            },
            _ = show.tick() => {
                world.show(began).await?;
            }
            _ = scan.tick() => if world.scanner.progress().plugged {
                world.scanner.act(Do::Scan(code(number))).await;
                number += 1;
            },
        }
    }
    if !world.broker.running() {
        world.turn(Turn::BrokerBack).await?;
    }
    world.drain(began).await
}

impl World<'_> {
    async fn turn(&mut self, turn: Turn) -> anyhow::Result<()> {
        match turn {
            Turn::Disturb => {
                say!("     -- noise on the scanner's line");
                self.wait_until_quiet().await?;
                let noise = [b"\x00\xff\xfe@\x13garbage\x80\x81".as_slice(), &[0xa5; 200], b"\r"].concat();
                self.scanner.act(Do::Disturb(noise)).await;
            }
            Turn::Unplug => {
                say!("     -- the scanner's cable is pulled");
                self.wait_until_quiet().await?;
                self.scanner.unplug().await;
                self.scanner.wait_until(|progress| !progress.plugged).await;
            }
            Turn::Plug => {
                say!("     -- the cable is back in");
                self.scanner.plug().await;
                self.scanner.wait_until(|progress| progress.plugged).await;
                self.wait_until_held().await?;
            }
            Turn::BrokerAway => {
                say!("     -- the broker is gone");
                self.broker.stop().await;
            }
            Turn::BrokerBack => {
                say!("     -- the broker is back");
                self.broker.start().await?;
            }
        }
        Ok(())
    }

    /// Until the gateway has opened the line and its driver reads: what came before belongs to nobody.
    async fn wait_until_held(&self) -> anyhow::Result<()> {
        let end = self.clock.now() + HELD_WITHIN;
        let mut look = tokio::time::interval(Duration::from_millis(20));
        while self.scanner.line_baud().is_none() {
            anyhow::ensure!(self.clock.now() < end, "the gateway does not open the scanner's line");
            look.tick().await;
        }
        tokio::time::sleep(SETTLED).await;
        Ok(())
    }

    /// Until everything that was scanned has been read by the gateway.
    async fn wait_until_quiet(&mut self) -> anyhow::Result<()> {
        self.scanner.wait_until(|progress| progress.queued == 0).await;
        let end = self.clock.now() + HELD_WITHIN;
        let mut look = tokio::time::interval(Duration::from_millis(20));
        while self.scanner.unread()? > 0 && self.clock.now() < end {
            look.tick().await;
        }
        tokio::time::sleep(SETTLED).await;
        Ok(())
    }

    async fn show(&mut self, began: Instant) -> anyhow::Result<Counts> {
        let counts = self.tally.count(&self.scanner, &self.broker, self.fell.get()).await?;
        let Counts { sent, stored, delivered, backlog, dispensed, .. } = counts;
        let seconds = (self.clock.now() - began).as_secs();
        let broker = if self.broker.running() { "" } else { "   broker away" };
        let cable = if self.scanner.progress().plugged { "" } else { "   cable out" };
        say!(
            "{seconds:>4}s  scanned {sent:>5}   stored {stored:>5}   delivered {delivered:>5}   \
             samples {dispensed:>3}   backlog {backlog:>4}{broker}{cable}"
        );
        Ok(counts)
    }

    async fn drain(&mut self, began: Instant) -> anyhow::Result<Counts> {
        self.wait_until_quiet().await?;
        let end = self.clock.now() + DRAIN;
        let mut look = tokio::time::interval(Duration::from_secs(1));
        loop {
            look.tick().await;
            let counts = self.show(began).await?;
            let arrived = counts.delivered >= counts.stored && counts.stored >= counts.sent;
            let drained = counts.backlog == 0 && arrived && counts.ordered == 0;
            if drained || self.clock.now() > end {
                return Ok(counts);
            }
        }
    }
}
