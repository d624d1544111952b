//! A shop in a folder: its configuration, its line, and the built binary running on it.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use super::broker::{free_port, pid_of};
use super::line::ScannerLine;
use super::wait_until;

/// How long the daemon may take to open a line that is there.
const OPEN_BOUND: Duration = Duration::from_secs(20);
/// The unit's `TimeoutStopSec`.
const STOP_BOUND: Duration = Duration::from_secs(45);

/// The built binary with these arguments.
pub(crate) fn smartstore(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smartstore"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A library to preload, compiled from a source of the package into `folder`.
pub(crate) fn compiled(source: &str, folder: &Path) -> PathBuf {
    let library = folder.join("preloaded.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library);
    compiler.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(source)).arg("-ldl");
    assert!(compiler.status().expect("a C compiler is there").success());
    library
}

/// A shop with one scanner. Everything of it is gone when it is dropped.
pub(crate) struct Shop {
    folder: tempfile::TempDir,
    console: u16,
    child: Option<Child>,
    environment: Vec<(&'static str, OsString)>,
    /// The scanner's end.
    pub(crate) line: ScannerLine,
}

impl Shop {
    /// Configured, cable in, daemon not started. `broker`: the URL, if there is a cloud.
    pub(crate) fn new(folder: tempfile::TempDir, profile: &str, broker: Option<&str>) -> Self {
        let link = folder.path().join("scanner");
        let console = free_port();
        let cloud = broker.map_or(String::new(), |url| format!("[cloud]\nbroker = \"{url}\"\n\n"));
        let text = format!(
            "[store]\nid = \"hz-wulin-001\"\ntimezone = \"Asia/Shanghai\"\n\n\
             [gateway]\nid = \"gw-1\"\ndata_dir = \"data\"\nclock = \"trusted\"\n\n{cloud}\
             [console]\nlisten = \"127.0.0.1:{console}\"\n\n\
             [[device]]\nid = \"scanner-1\"\nprofile = \"{profile}\"\nendpoint = \"serial:{}\"\n",
            link.display()
        );
        std::fs::write(folder.path().join("store.toml"), text).unwrap();
        let line = ScannerLine::plugged_in(&link);
        Self { folder, console, child: None, environment: Vec::new(), line }
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("store.toml")
    }

    /// An address at its console.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.console)
    }

    /// Where its journal is.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Adds to the daemon's environment.
    pub(crate) fn with(&mut self, name: &'static str, value: impl AsRef<OsStr>) -> &mut Self {
        self.environment.push((name, value.as_ref().to_owned()));
        self
    }

    /// Replaces a piece of the configuration.
    pub(crate) fn reconfigure(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from));
        std::fs::write(self.config(), text.replace(from, to)).unwrap();
    }

    /// The codes in its journal, in order.
    pub(crate) fn codes(&self) -> Vec<String> {
        let events = self.tool(&["events", "--type", "scan.code", "--json"]);
        let lines = String::from_utf8_lossy(&events.stdout).into_owned();
        let event = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        lines.lines().map(|line| event(line)["data"]["value"].as_str().unwrap().to_owned()).collect()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Starts the daemon and waits until it answers.
    pub(crate) fn start(&mut self) {
        self.spawn();
        wait_until("the console answers", OPEN_BOUND, || self.is_alive() && self.get("/health").is_some());
    }

    /// Starts the daemon and leaves it to itself.
    pub(crate) fn spawn(&mut self) {
        self.spawn_with(&[]);
    }

    /// [`Shop::spawn`] with further arguments.
    pub(crate) fn spawn_with(&mut self, arguments: &[&str]) {
        let log = std::fs::File::options().create(true).append(true).open(self.log()).unwrap();
        let child = smartstore(&["run", "--config"])
            .arg(self.config())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .args(arguments)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        self.child = Some(child);
    }

    /// Fails when the daemon has ended by itself.
    fn is_alive(&mut self) -> bool {
        let ended = self.child.as_mut().expect("started").try_wait().unwrap();
        assert!(ended.is_none(), "the daemon ended by itself: {ended:?}\n{}", self.log_tail());
        true
    }

    /// Waits until the daemon holds the line that is plugged in now.
    pub(crate) fn wait_held(&mut self) {
        wait_until("the daemon holds the line", OPEN_BOUND, || self.is_held());
    }

    /// Whether the daemon holds the line that is plugged in now: it says so, and the kernel agrees.
    pub(crate) fn is_held(&mut self) -> bool {
        self.is_alive() && self.has_node_open() && self.device_state().as_deref() == Some("running")
    }

    fn has_node_open(&self) -> bool {
        let Some(node) = self.line.node() else { return false };
        let folder = format!("/proc/{}/fd", self.pid());
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|target| target == node)
    }

    /// What the daemon says of its first device.
    pub(crate) fn device_state(&self) -> Option<String> {
        let devices: Value = serde_json::from_str(&self.get("/api/v1/devices")?).ok()?;
        Some(devices.get(0)?["state"].as_str()?.to_owned())
    }

    /// The daemon's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("started").id()
    }

    /// `kill -9`, at whatever it is doing.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("started");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to end, and sees that it does so in order.
    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().expect("started");
        kill_process(pid_of(&child), Signal::TERM).unwrap();
        let mut ended = None;
        wait_until("the daemon ends when it is asked to", STOP_BOUND, || {
            ended = child.try_wait().unwrap();
            ended.is_some()
        });
        assert_eq!(ended.and_then(|status| status.code()), Some(0), "an orderly end\n{}", self.log_tail());
    }

    /// The body of an answer, whatever its status; `None` when nobody answers.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        self.get_whole(path)?.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
    }

    /// The status of an answer: 200, 503.
    pub(crate) fn status_of(&self, path: &str) -> Option<u16> {
        self.get_whole(path)?.split(' ').nth(1)?.parse().ok()
    }

    /// The console's port.
    pub(crate) fn console(&self) -> u16 {
        self.console
    }

    fn get_whole(&self, path: &str) -> Option<String> {
        self.get_with(path, "")
    }

    /// The whole answer to a request with further headers, each with its line end.
    pub(crate) fn get_with(&self, path: &str, headers: &str) -> Option<String> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.console)).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let console = self.console;
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{console}\r\n{headers}Connection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// The codes of the conditions that stand now.
    pub(crate) fn conditions(&self) -> Vec<String> {
        let health: Value = serde_json::from_str(&self.get("/health").expect("the console answers")).unwrap();
        let conditions = health["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().filter_map(|condition| Some(condition["code"].as_str()?.to_owned())).collect()
    }

    /// A figure of `/proc/PID/status` in KiB: `VmRSS`, `VmHWM`.
    pub(crate) fn memory_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("the kernel says");
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Runs a subcommand on this shop's configuration.
    pub(crate) fn tool(&self, arguments: &[&str]) -> Output {
        smartstore(arguments).arg("--config").arg(self.config()).output().unwrap()
    }

    /// The last lines the daemon wrote.
    pub(crate) fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Everything the daemon wrote.
    pub(crate) fn whole_log(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the daemon's last words:\n{}", self.log_tail());
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
