//! `smartstore sim vmc`: a vending machine behind a pseudo-terminal, its hidden truth on stdout, its knobs on stdin.

use std::cell::RefCell;
use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Trust};
use crate::sim::vmc::{
    BadOrder, Knobs, MachinePty, MdbSim, ORDERS, Order, Setup, Totals, Truth, VendSim, XySim, Zdm8Sim,
};
use crate::types::units::parse_duration;

/// Orders that wait; then stdin is not read any further.
const WAITING: usize = 64;
/// Longest line of an order.
const LINE_BYTES: u64 = 256;
/// Truths that wait for whoever reads stdout; then they are counted only.
const UNREAD: usize = 4096;
/// How long whoever reads stdout may take for the last lines.
const GOODBYE: Duration = Duration::from_secs(2);

/// Which machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Dialect {
    /// A controller that speaks FA FB: polls every 200 ms, wants its answer within 100 ms.
    XyVmc,
    /// An adapter on an MDB bus, with an existing machine or a card reader behind it.
    MdbQibixx,
    /// A lane board that speaks Modbus-RTU.
    Zdm8,
}

impl Dialect {
    const fn baud(self) -> u32 {
        match self {
            Self::XyVmc => 57_600,
            Self::MdbQibixx => 115_200,
            Self::Zdm8 => 9600,
        }
    }

    fn machine(self, setup: Setup, now: Instant) -> Box<dyn VendSim> {
        match self {
            Self::XyVmc => Box::new(XySim::new(setup, now)),
            Self::MdbQibixx => Box::new(MdbSim::new(setup, now)),
            Self::Zdm8 => Box::new(Zdm8Sim::new(setup, now)),
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = help())]
pub(super) struct Args {
    /// Which machine.
    #[arg(long, value_enum)]
    dialect: Dialect,
    /// Where the line's path shall be (a symlink).
    #[arg(long, value_name = "PATH", default_value = "machine")]
    link: PathBuf,
    /// Seed of its own dice.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Lanes, from 1.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=999))]
    lanes: u16,
    /// Products in each lane at the start.
    #[arg(long, value_name = "N", default_value_t = 8)]
    stock: u8,
    /// What each costs, in the currency's smallest unit.
    #[arg(long, value_name = "AMOUNT", default_value_t = 350)]
    price_minor: u32,
    /// How long a motor turns; the product falls at half of it.
    #[arg(long, value_name = "TIME", default_value = "1500ms", value_parser = parse_duration)]
    turn: Duration,
    /// How fast bytes leave; the dialect's own speed without it.
    #[arg(long, value_parser = clap::value_parser!(u32).range(300..=4_000_000))]
    baud: Option<u32>,
    /// Print each answer to a poll too, not only their sum.
    #[arg(long)]
    polls: bool,
}

fn help() -> String {
    format!(
        "Example: smartstore sim vmc --dialect xy-vmc --link /run/machine-1\n\n\
         Orders, one a line of standard input:\n{ORDERS}"
    )
}

pub(super) async fn run(args: &Args, stop: CancellationToken) -> anyhow::Result<()> {
    let link = std::path::absolute(&args.link).context("the link's path")?;
    let clock = Clock::system(Trust::Trusted);
    let Args { lanes, stock, price_minor, turn, seed, .. } = *args;
    let machine = args.dialect.machine(Setup { lanes, stock, price_minor, turn, seed }, clock.now());
    let baud = args.baud.unwrap_or(args.dialect.baud());
    let (knobs, pty) = MachinePty::new(&link, Some(baud), machine, clock)
        .with_context(|| format!("cannot make the line {}", link.display()))?;
    say!("serial:{}", link.display());
    let (given, orders) = mpsc::channel(WAITING);
    let _listening = tokio::task::spawn_blocking(move || listen(io::stdin().lock(), &given));
    let (telling, told) = sync_channel::<String>(UNREAD);
    let writing = tokio::task::spawn_blocking(move || told.iter().for_each(|line| say!("{line}")));
    let book = Book { totals: RefCell::default(), telling, polls: args.polls };
    let running = async {
        let ran = pty.run(stop.clone(), |truth| book.note(&truth)).await.context("the line failed");
        stop.cancel();
        ran
    };
    let (ran, ()) = tokio::join!(running, obey(orders, knobs, &book, &stop));
    book.tell_totals();
    drop(book);
    let _ = tokio::time::timeout(GOODBYE, writing).await;
    ran
}

/// What has happened, and whoever wants to know.
struct Book {
    totals: RefCell<Totals>,
    telling: SyncSender<String>,
    polls: bool,
}

impl Book {
    /// A reader that is too slow never makes the machine late: what it misses is in the totals.
    fn note(&self, truth: &Truth) {
        self.totals.borrow_mut().add(truth);
        if self.polls || !matches!(truth, Truth::Answered(_)) {
            let _ = self.telling.try_send(truth.json());
        }
    }

    fn tell_totals(&self) {
        let totals = serde_json::json!({ "truth": "totals", "totals": &*self.totals.borrow() });
        let _ = self.telling.try_send(totals.to_string());
    }
}

async fn obey(mut orders: mpsc::Receiver<Order>, knobs: Knobs, book: &Book, stop: &CancellationToken) {
    loop {
        let order = tokio::select! {
            () = stop.cancelled() => return,
            order = orders.recv() => order,
        };
        let goes_on = match order {
            Some(Order::Do(action)) => knobs.act(action).await,
            Some(Order::Truth) => {
                let settled = knobs.settle().await;
                book.tell_totals();
                settled
            }
            None => return,
        };
        if !goes_on {
            return;
        }
    }
}

/// Reads orders until standard input ends, or nobody takes them. A line that is none is told and left out.
fn listen(mut input: impl BufRead, orders: &mpsc::Sender<Order>) {
    while let Some(line) = next_line(&mut input) {
        let gone = match line.and_then(|line| line.parse().map_err(|error: BadOrder| error.to_string())) {
            Ok(order) => orders.blocking_send(order).is_err(),
            Err(why) => {
                eprintln!("smartstore: {why}");
                false
            }
        };
        if gone {
            return;
        }
    }
}

/// The next line that is not empty; `None`: there is none any more.
fn next_line(input: &mut impl BufRead) -> Option<Result<String, String>> {
    loop {
        let mut line = Vec::new();
        let taken = input.take(LINE_BYTES).read_until(b'\n', &mut line).ok()?;
        if taken == 0 {
            return None;
        }
        if taken as u64 == LINE_BYTES && line.last() != Some(&b'\n') {
            skip_line(input);
            return Some(Err(format!("an order is shorter than {LINE_BYTES} bytes")));
        }
        let text = String::from_utf8(line).map_err(|_| "an order is text".to_owned());
        if !text.as_ref().is_ok_and(|text| text.trim().is_empty()) {
            return Some(text);
        }
    }
}

fn skip_line(input: &mut impl BufRead) {
    let mut piece = Vec::new();
    while input.take(LINE_BYTES).read_until(b'\n', &mut piece).is_ok_and(|taken| taken > 0) {
        if piece.last() == Some(&b'\n') {
            return;
        }
        piece.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::vmc::Do;

    fn lines(input: &[u8]) -> Vec<Result<String, String>> {
        let mut input = input;
        std::iter::from_fn(|| next_line(&mut input)).collect()
    }

    #[test]
    fn lines_are_bounded_and_what_is_no_text_spoils_only_itself() {
        let long = vec![b'x'; 10_000];
        let input = [b"jam 1\n\n  \n".as_slice(), &long, b"\ncoin 5\n\xff\nclear 1"].concat();
        let read = lines(&input);
        let good: Vec<&str> = read.iter().flatten().map(|line| line.trim()).collect();
        assert_eq!(good, ["jam 1", "coin 5", "clear 1"]);
        assert_eq!(read.iter().filter(|line| line.is_err()).count(), 2);
    }

    #[test]
    fn a_line_that_is_no_order_stops_nothing() {
        let (given, mut orders) = mpsc::channel(8);
        listen(b"jump\njam 1\njam\ntruth\n".as_slice(), &given);
        drop(given);
        let got: Vec<Order> = std::iter::from_fn(|| orders.try_recv().ok()).collect();
        assert_eq!(got, [Order::Do(Do::Jam(1, true)), Order::Truth]);
    }
}
