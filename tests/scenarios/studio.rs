//! Whoever makes content: the built binary signs it, a web server gives it out.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::daemon::{Shop, smartstore};

/// The demo's content, which is ours.
pub(crate) fn demo_content() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/content")
}

/// A key, and a folder that the web can see.
pub(crate) struct Studio {
    folder: tempfile::TempDir,
    public: String,
    web: String,
}

impl Studio {
    pub(crate) fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = smartstore(&["content", "key", "--kid", "content-1", "--json", "-o"])
            .arg(folder.path().join("content.jwk"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        let www = folder.path().join("www");
        std::fs::create_dir(&www).unwrap();
        let public = made["ed25519"].as_str().unwrap().to_owned();
        Self { web: serving(www), folder, public }
    }

    /// What a configuration needs for it: a section, and screens.
    pub(crate) fn configuration(&self, screens: &[(&str, &str, &str)]) -> String {
        let mut text = format!("[content]\nkeys = {{ content-1 = \"{}\" }}\n\n", self.public);
        for (id, profile, settings) in screens {
            text += &format!("[[device]]\nid = \"{id}\"\nprofile = \"screen/{profile}\"\nendpoint = \"screen:\"\n");
            text += &format!("[device.settings]\n{settings}\n\n");
        }
        text
    }

    /// Packs a folder; the arguments of the command that brings it.
    pub(crate) fn pack(&self, source: &Path, name: &str, rev: u64) -> Value {
        let packed = smartstore(&["content", "pack", "--json", "--rev", &rev.to_string(), "--key"])
            .arg(self.folder.path().join("content.jwk"))
            .arg("-o")
            .arg(self.folder.path().join("www").join(name))
            .arg(source)
            .output()
            .unwrap();
        assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
        let packed: Value = serde_json::from_slice(&packed.stdout).unwrap();
        json!({ "url": format!("{}/{name}/content.jws", self.web), "sha256": packed["sha256"] })
    }

    /// A source of its own: the demo's, with changes.
    pub(crate) fn source(&self, change: impl FnOnce(&mut Value)) -> PathBuf {
        let folder = self.folder.path().join(format!("source-{}", self.folder.path().read_dir().unwrap().count()));
        std::fs::create_dir(&folder).unwrap();
        for entry in demo_content().read_dir().unwrap().flatten() {
            std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        }
        let file = folder.join("content.json");
        let mut content: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        change(&mut content);
        std::fs::write(&file, content.to_string()).unwrap();
        folder
    }
}

/// Puts a piece of configuration before the first device.
pub(crate) fn configure(shop: &Shop, text: &str) {
    shop.reconfigure("[[device]]", &format!("{text}[[device]]"));
}

/// A web server of a folder. It knows ranges that begin somewhere and go on to the end.
fn serving(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for line in listener.incoming() {
            let mut line = line.unwrap();
            let mut asked = [0; 4096];
            let length = line.read(&mut asked).unwrap_or(0);
            let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
            let path = asked.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
            let from = asked
                .to_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok());
            let answer = match std::fs::read(folder.join(path)) {
                Ok(bytes) => part(&bytes, from),
                Err(_) => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
            };
            let _ = line.write_all(&answer);
        }
    });
    format!("http://{address}")
}

fn part(bytes: &[u8], from: Option<usize>) -> Vec<u8> {
    let whole = bytes.len();
    let (head, body) = match from.filter(|from| *from < whole) {
        Some(from) => {
            (format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{whole}", whole - 1), &bytes[from..])
        }
        None => ("200 OK".to_owned(), bytes),
    };
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}
