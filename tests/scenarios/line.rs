//! The scanner's end of a serial line: a PTY behind a symlink, which can be pulled out and put back in.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// How long a write may take while the daemon reads.
const WRITE_BOUND: Duration = Duration::from_secs(20);

/// A line with the daemon (or nobody) at its other end.
pub(crate) struct ScannerLine {
    link: PathBuf,
    pair: Option<Pair>,
}

struct Pair {
    master: File,
    /// Held open so that the line outlives the daemon: only `unplug` hangs it up.
    _slave: OwnedFd,
    path: PathBuf,
}

impl Pair {
    fn open() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let path = PathBuf::from(OsStr::from_bytes(name.to_bytes()));
        let slave = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        // A new PTY echoes: without this the scanner would hear its own codes.
        let mut settings = tcgetattr(&slave).unwrap();
        settings.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &settings).unwrap();
        let flags = rustix::fs::fcntl_getfl(&master).unwrap();
        rustix::fs::fcntl_setfl(&master, flags | OFlags::NONBLOCK).unwrap();
        Self { master: File::from(master), _slave: slave, path }
    }
}

impl ScannerLine {
    /// Plugged in, at `link`.
    pub(crate) fn plugged_in(link: &Path) -> Self {
        let mut line = Self { link: link.to_owned(), pair: None };
        line.replug();
        line
    }

    /// Pulls the cable: whoever holds the line sees it hung up, and the path leads nowhere.
    pub(crate) fn unplug(&mut self) {
        let _ = std::fs::remove_file(&self.link);
        self.pair = None;
    }

    /// Puts the cable back in; as with USB, it may be another node behind the same name.
    pub(crate) fn replug(&mut self) {
        let pair = Pair::open();
        self.unplug();
        std::os::unix::fs::symlink(&pair.path, &self.link).unwrap();
        self.pair = Some(pair);
    }

    /// The device node at this moment.
    pub(crate) fn node(&self) -> Option<&Path> {
        self.pair.as_ref().map(|pair| pair.path.as_path())
    }

    /// Who has the line open, for a failing test to tell: process id and command.
    pub(crate) fn holders(&self) -> Vec<String> {
        let Some(node) = self.node() else { return Vec::new() };
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
        let has_it_open = |process: &PathBuf| {
            let descriptors = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
            descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|target| target == node)
        };
        let command = |process: PathBuf| {
            let words = std::fs::read_to_string(process.join("cmdline")).unwrap_or_default();
            format!("{}: {}", process.display(), words.replace('\0', " "))
        };
        processes.filter(has_it_open).map(command).collect()
    }

    /// Writes all of it, while somebody reads.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        assert_eq!(self.write_within(bytes, WRITE_BOUND), bytes.len(), "the daemon stopped reading");
    }

    /// Reads a code, as the scanner would.
    pub(crate) fn type_code(&mut self, code: &str) {
        self.write(format!("{code}\r").as_bytes());
    }

    /// Writes what goes in until `bound`, and says how much that was. Throws away what the daemon says.
    pub(crate) fn write_within(&mut self, bytes: &[u8], bound: Duration) -> usize {
        let pair = self.pair.as_mut().expect("the cable is in");
        let started = Instant::now();
        let mut written = 0;
        while written < bytes.len() && (started.elapsed() < bound || written == 0) {
            let _ = pair.master.read(&mut [0; 4096]);
            match pair.master.write(&bytes[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if started.elapsed() >= bound {
                        break;
                    }
                    // waits: the line is full until its other end reads
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("the line's own end failed: {error}"),
            }
        }
        written
    }
}

impl Drop for ScannerLine {
    fn drop(&mut self) {
        self.unplug();
    }
}
