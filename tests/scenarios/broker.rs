//! Debian's mosquitto on a free port, with persistence: a broker that nobody here wrote.

pub(crate) use super::port::free_port;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::wait_until;

/// A mosquitto, running or stopped.
pub(crate) struct Mosquitto {
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Mosquitto {
    /// Running, with its files in `folder`. Fails when it is not installed: `make test` installs it.
    pub(crate) fn started(folder: &Path) -> Self {
        let folder = folder.join("mosquitto");
        std::fs::create_dir(&folder).unwrap();
        let port = free_port();
        // `user root` counts only for a root that starts it: it would give up its rights to the folder otherwise.
        let configuration = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location {}/\n\
             max_queued_messages 0\nlog_dest stderr\n",
            folder.display()
        );
        std::fs::write(folder.join("mosquitto.conf"), configuration).unwrap();
        let mut broker = Self { folder, port, child: None };
        broker.start();
        broker
    }

    /// As the configuration names it.
    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Where it listens, when it runs.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again, on the same port and with what it had kept.
    pub(crate) fn start(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let path = format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default());
        let child = Command::new("mosquitto")
            .env("PATH", path)
            .arg("-c")
            .arg(self.folder.join("mosquitto.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("mosquitto is installed (`make test` does that)"));
        let port = self.port;
        wait_until("mosquitto listens", Duration::from_secs(20), || TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    /// Starts it anew with further settings.
    pub(crate) fn ask_for(&mut self, settings: &str) {
        self.stop();
        let file = self.folder.join("mosquitto.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        let text = if settings.contains("allow_anonymous") { text.replace("allow_anonymous true\n", "") } else { text };
        std::fs::write(&file, format!("{text}{settings}\n")).unwrap();
        self.start();
    }

    /// Stops it in good order: what it has acknowledged and not yet handed on is on its disk.
    pub(crate) fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // It listens before it is ready to end: what it is told in between, it forgets. So it is told again.
        wait_until("mosquitto ends", Duration::from_secs(20), || {
            let ended = child.try_wait().unwrap().is_some();
            if !ended {
                kill_process(pid_of(&child), Signal::TERM).unwrap();
            }
            ended
        });
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The process id as system calls want it.
pub(crate) fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}
