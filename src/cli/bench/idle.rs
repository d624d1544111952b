//! What the daemon costs when nothing happens: start to ready, memory, processor.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::Serialize;

use crate::clock::Clock;

/// A daemon that is not ready by then never will be.
const READY_BOUND: Duration = Duration::from_secs(20);

/// An idle daemon in figures.
#[derive(Debug, Serialize)]
pub(super) struct Idle {
    /// From `exec` to `READY=1`, on a journal that exists.
    pub(super) start_to_ready_ms: f64,
    /// Resident memory after the idle time.
    pub(super) rss_kib: u64,
    /// Of it, anonymous: heap and stacks, without the binary's own pages.
    pub(super) rss_anonymous_kib: u64,
    /// Share of one core over the idle time.
    pub(super) cpu_percent: f64,
    /// How long it was watched.
    pub(super) idle_s: u64,
}

/// A started daemon, killed when dropped.
pub(super) struct Daemon(pub(super) Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts this very binary as `run --config CONFIG` and watches it do nothing.
pub(super) fn measure(config: &Path, idle: Duration, clock: &Clock) -> std::io::Result<Idle> {
    // The first start makes the journal; the second is the one that counts.
    start(config, clock)?;
    let (daemon, start_to_ready) = start(config, clock)?;
    let before = cpu_ticks(daemon.0.id())?;
    std::thread::sleep(idle);
    let ticks = cpu_ticks(daemon.0.id())? - before;
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.0.id()))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    let per_second = rustix::param::clock_ticks_per_second();
    #[expect(clippy::cast_precision_loss, reason = "ticks are few")]
    let cpu_percent = 100.0 * ticks as f64 / (per_second as f64 * idle.as_secs_f64());
    Ok(Idle {
        start_to_ready_ms: start_to_ready.as_secs_f64() * 1000.0,
        rss_kib: field("VmRSS:"),
        rss_anonymous_kib: field("RssAnon:"),
        cpu_percent,
        idle_s: idle.as_secs(),
    })
}

/// Starts this very binary as `run --config CONFIG`, and says how long it took to be ready.
pub(super) fn start(config: &Path, clock: &Clock) -> std::io::Result<(Daemon, Duration)> {
    let directory = config.parent().unwrap_or_else(|| Path::new("."));
    let socket_path = directory.join("notify.sock");
    let _ = std::fs::remove_file(&socket_path);
    let socket = UnixDatagram::bind(&socket_path)?;
    socket.set_read_timeout(Some(READY_BOUND))?;
    let began = clock.now();
    let child = Command::new(std::env::current_exe()?)
        .args(["run", "--log", "error", "--config"])
        .arg(config)
        .env("NOTIFY_SOCKET", &socket_path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let daemon = Daemon(child);
    let mut message = [0; 256];
    loop {
        let count = socket.recv(&mut message)?;
        if message[..count].split(|b| *b == b'\n').any(|line| line == b"READY=1") {
            return Ok((daemon, clock.now() - began));
        }
    }
}

/// User and system time of a process, in ticks (proc(5), fields 14 and 15 of `stat`).
fn cpu_ticks(pid: u32) -> std::io::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Ok(field(11) + field(12))
}
