//! A real browser: headless Chromium, driven over its debugging port (Chrome DevTools Protocol) by what a person can
//! do.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::wait_until;

const STARTS_WITHIN: Duration = Duration::from_secs(60);
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    _folder: tempfile::TempDir,
    port: u16,
    socket: TcpStream,
    asked: u64,
}

/// Whether there is a Chromium; without one a test says so and is skipped.
pub(crate) fn is_there() -> bool {
    let found = Command::new("chromium").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = found.is_ok_and(|status| status.success());
    if !there {
        eprintln!("SKIPPED: no chromium; scripts/install-packages test");
    }
    there
}

impl Browser {
    /// Starts one that opens an address.
    pub(crate) fn open(url: &str, size: &str) -> Self {
        Self::open_at(url, size, 0)
    }

    /// The same, with its debugging port at a place that is known before.
    pub(crate) fn open_at(url: &str, size: &str, debugging: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-gpu"])
            .args([&format!("--remote-debugging-port={debugging}"), "--lang=zh-CN", &format!("--window-size={size}")])
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let file = folder.path().join("DevToolsActivePort");
        let mut port = debugging;
        // One that was told its port does not write it down.
        wait_until("the browser is there", STARTS_WITHIN, || {
            if debugging != 0 {
                return TcpStream::connect(("127.0.0.1", debugging)).is_ok();
            }
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            port = text.lines().next().and_then(|line| line.parse().ok()).unwrap_or(0);
            port != 0
        });
        let socket = connected(port);
        let mut browser = Self { child, _folder: folder, port, socket, asked: 0 };
        browser.call("Runtime.enable", &json!({}));
        browser.call("Page.enable", &json!({}));
        browser
    }

    /// Connects to the page anew: after its renderer was another.
    pub(crate) fn reconnect(&mut self) {
        self.socket = connected(self.port);
        self.try_call("Runtime.enable", &json!({}));
    }

    /// One method of the protocol; its result.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|| panic!("{method} is not answered"))
    }

    fn try_call(&mut self, method: &str, params: &Value) -> Option<Value> {
        self.asked += 1;
        let id = self.asked;
        send(&mut self.socket, &json!({ "id": id, "method": method, "params": params }).to_string()).ok()?;
        let started = Instant::now();
        while started.elapsed() < ANSWERS_WITHIN {
            let message: Value = serde_json::from_str(&receive(&mut self.socket).ok()?).unwrap();
            if message["id"] == id {
                // A page whose renderer is dead says so.
                return message.get("result").cloned();
            }
        }
        None
    }

    /// What a piece of script is worth; promises are waited for.
    pub(crate) fn value(&mut self, script: &str) -> Value {
        self.try_value(script).unwrap_or_else(|| panic!("no answer to {script}"))
    }

    /// The same, of a page that may not answer.
    pub(crate) fn try_value(&mut self, script: &str) -> Option<Value> {
        let params = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let result = self.try_call("Runtime.evaluate", &params)?;
        assert!(result["exceptionDetails"].is_null(), "{script}: {}", result["exceptionDetails"]);
        Some(result["result"]["value"].clone())
    }

    /// Waits until a piece of script is true.
    pub(crate) fn wait_for(&mut self, script: &str, bound: Duration) {
        let mut last = Value::Null;
        let started = Instant::now();
        while last != true {
            if started.elapsed() >= bound {
                let state = self.try_value("JSON.stringify(window.__state || null)");
                panic!("waited {bound:?} in vain for {script}: {last}; {state:?}");
            }
            // waits: the interval at which the page is looked at
            std::thread::sleep(Duration::from_millis(20));
            last = self.try_value(&format!("Boolean({script})")).unwrap_or_default();
        }
    }

    /// A finger, or the mouse, on the middle of what a selector finds.
    pub(crate) fn click(&mut self, selector: &str) {
        let script = format!(
            "(() => {{ const box = document.querySelector({}).getBoundingClientRect(); \
             return [box.left + box.width / 2, box.top + box.height / 2]; }})()",
            json!(selector)
        );
        let place = self.value(&script);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// The bytes of a picture of the page (PNG).
    pub(crate) fn screenshot(&mut self) -> Vec<u8> {
        let result = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        base64(result["data"].as_str().unwrap())
    }

    /// Keeps a picture for people to look at, where `SMARTSTORE_SHOTS` says.
    pub(crate) fn keep_shot(&mut self, name: &str) -> Vec<u8> {
        let shot = self.screenshot();
        if let Some(folder) = std::env::var_os("SMARTSTORE_SHOTS") {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(Path::new(&folder).join(format!("{name}.png")), &shot).unwrap();
        }
        shot
    }

    /// `kill -9` of the process that runs the page; whether there was one.
    pub(crate) fn kill_renderer(&self) -> bool {
        let renderers = processes()
            .filter(|(pid, _)| is_below(*pid, self.child.id()))
            .filter(|(_, line)| line.contains("--type=renderer") && !line.contains("--extension-process"));
        let mut killed = false;
        for (pid, _) in renderers {
            killed |= kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).is_ok();
        }
        killed
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every process and its command line.
fn processes() -> impl Iterator<Item = (u32, String)> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some((pid, String::from_utf8_lossy(&line).replace('\0', " ")))
    })
}

fn is_below(pid: u32, top: u32) -> bool {
    let mut at = pid;
    for _ in 0..16 {
        if at == top {
            return true;
        }
        let stat = std::fs::read_to_string(format!("/proc/{at}/stat")).unwrap_or_default();
        let parent =
            stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)).and_then(|text| text.parse().ok());
        let Some(parent) = parent else { return false };
        at = parent;
    }
    false
}

/// A connection to the browser's page.
fn connected(port: u16) -> TcpStream {
    let mut path = None;
    wait_until("the browser has a page", STARTS_WITHIN, || {
        let targets: Value = serde_json::from_str(&get(port, "/json/list")).unwrap_or_default();
        let page = targets.as_array().and_then(|all| all.iter().find(|target| target["type"] == "page"));
        path = page
            .and_then(|page| page["webSocketDebuggerUrl"].as_str()?.split_once("/devtools").map(|(_, p)| p.to_owned()));
        path.is_some()
    });
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(ANSWERS_WITHIN)).unwrap();
    let request = format!(
        "GET /devtools{} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        path.unwrap()
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    socket
}

fn get(port: u16, path: &str) -> String {
    let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)) else { return String::new() };
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    let _ = socket.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    // It keeps the connection: the length says when the answer is whole.
    while let Ok(count @ 1..) = socket.read(&mut piece) {
        answer.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if length.is_some_and(|length: usize| body.len() >= length) {
            return body.to_owned();
        }
    }
    String::new()
}

/// A text frame (RFC 6455, 5.2), masked with zero.
fn send(socket: &mut TcpStream, text: &str) -> std::io::Result<()> {
    let mut frame = vec![0x81];
    match text.len() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    socket.write_all(&frame)
}

/// The next text, of one frame or several.
fn receive(socket: &mut TcpStream) -> std::io::Result<String> {
    let mut text = Vec::new();
    loop {
        let mut head = [0; 2];
        socket.read_exact(&mut head)?;
        let mut length = u64::from(head[1] & 0x7f);
        if length == 126 {
            let mut long = [0; 2];
            socket.read_exact(&mut long)?;
            length = u64::from(u16::from_be_bytes(long));
        } else if length == 127 {
            let mut long = [0; 8];
            socket.read_exact(&mut long)?;
            length = u64::from_be_bytes(long);
        }
        let mut body = vec![0; usize::try_from(length).unwrap()];
        socket.read_exact(&mut body)?;
        match head[0] & 0x0f {
            0 | 1 => text.extend(body),
            8 => return Err(ErrorKind::ConnectionReset.into()),
            _ => continue,
        }
        if head[0] & 0x80 != 0 {
            return Ok(String::from_utf8(text).unwrap());
        }
    }
}

/// RFC 4648, section 4.
pub(crate) fn base64(text: &str) -> Vec<u8> {
    let sextet = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').collect();
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for four in digits.chunks(4) {
        let word = four.iter().fold(0, |word, byte| word << 6 | sextet(*byte)) << (6 * (4 - four.len()));
        bytes.extend(&word.to_be_bytes()[1..four.len()]);
    }
    bytes
}
