//! `sim vmc`: the built binary as a machine at the other end of a real line, its truth on its standard output.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::daemon::smartstore;

/// How long the machine may take to say something.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running simulator.
pub(crate) struct Simulator {
    _folder: tempfile::TempDir,
    pub(crate) line: PathBuf,
    child: Child,
    orders: ChildStdin,
    truths: Receiver<Value>,
    /// What it has said and nobody has asked for yet.
    seen: Vec<Value>,
}

impl Simulator {
    pub(crate) fn start(dialect: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("machine");
        let mut command = smartstore(&["sim", "vmc", "--dialect", dialect, "--turn", "400ms", "--link"]);
        command.arg(&link).args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut endpoint = String::new();
        output.read_line(&mut endpoint).unwrap();
        let line = PathBuf::from(endpoint.trim_end().strip_prefix("serial:").expect("the first line is an endpoint"));
        assert_eq!(line, link);
        let (told, truths) = sync_channel(4096);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = told.send(serde_json::from_str(&line).expect("a truth is JSON"));
            }
        });
        let orders = child.stdin.take().unwrap();
        Self { _folder: folder, line, child, orders, truths, seen: Vec::new() }
    }

    /// Carried out when it returns.
    pub(crate) fn order(&mut self, line: &str) {
        writeln!(self.orders, "{line}").unwrap();
        self.totals();
    }

    /// The totals at this moment.
    pub(crate) fn totals(&mut self) -> Value {
        writeln!(self.orders, "truth").unwrap();
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            match self.truths.recv_timeout(Duration::from_millis(100)) {
                Ok(truth) if truth["truth"] == "totals" => return truth["totals"].clone(),
                Ok(truth) => self.seen.push(truth),
                Err(_) => {}
            }
        }
        panic!("no totals: {:?}", self.seen)
    }

    /// What it has said of one kind.
    pub(crate) fn said(&mut self, kind: &str) -> usize {
        self.seen.extend(self.truths.try_iter());
        self.seen.iter().filter(|truth| truth["truth"] == kind).count()
    }

    /// Ends it as a person does; its last line, and what it had to complain about.
    pub(crate) fn end(mut self) -> (Value, String) {
        rustix::process::kill_process(super::broker::pid_of(&self.child), rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        let last = self.truths.iter().last().expect("it ends with its totals");
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert!(!self.line.exists(), "the line's path goes with the machine");
        (last, errors)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the simulator says of one lane: turned, fell, cut off.
pub(crate) fn lane(totals: &Value, slot: u16) -> (u64, u64, u64) {
    let lane = &totals["lanes"][slot.to_string()];
    let count = |name: &str| lane[name].as_u64().unwrap_or_default();
    (count("turned"), count("fell"), count("cut_off"))
}
