//! The console on the store's network: TLS, a login, roles. The other end is openssl's own client.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::console::{Answer, request};
use super::daemon::{Shop, smartstore};
use super::wait_until;

const BOUND: Duration = Duration::from_secs(60);
const PIN: &str = "482913";

fn openssl(folder: &Path, arguments: &str) {
    let made = Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// A user by the tool that makes users; the PIN comes over its standard input.
fn add_user(file: &Path, name: &str, role: &str, pin: &str) -> bool {
    let mut tool = smartstore(&["user", "add", name, "--role", role, "--file"]);
    tool.arg(file).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut tool = tool.spawn().unwrap();
    writeln!(tool.stdin.take().unwrap(), "{pin}").unwrap();
    tool.wait().unwrap().success()
}

/// A shop whose console is open to the network.
struct Open {
    shop: Shop,
}

impl Open {
    fn new() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("SKIPPED: openssl is not installed (Debian: openssl)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        openssl(
            folder.path(),
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem \
             -subj /CN=gateway.store -days 2 -addext subjectAltName=DNS:gateway.store,IP:127.0.0.1",
        );
        let users = folder.path().join("users.txt");
        for (name, role) in [("Anna", "viewer"), ("Li Wei", "technician"), ("王芳", "admin")] {
            assert!(add_user(&users, name, role, PIN));
        }
        assert!(!add_user(&users, "Short", "admin", "12345"));
        let text = std::fs::read_to_string(&users).unwrap();
        assert!(text.lines().count() == 3 && !text.contains(PIN), "{text}");
        let shop = Shop::new(folder, "scanner/generic-serial", None);
        let files = "cert_file = \"cert.pem\"\nkey_file = \"key.pem\"\nusers_file = \"users.txt\"\n";
        shop.reconfigure("listen = \"127.0.0.1:", &format!("{files}listen = \"0.0.0.0:"));
        Some(Self { shop })
    }

    fn start(&mut self) {
        self.shop.spawn();
        wait_until("somebody speaks TLS", BOUND, || self.send("GET", "/login", &[], None).is_some());
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.shop.console())
    }

    /// Over TLS, the certificate being checked; `None`: nobody answers.
    fn send(&self, method: &str, path: &str, headers: &[&str], body: Option<&Value>) -> Option<Answer> {
        self.send_to(&self.host(), method, path, headers, body)
    }

    fn send_to(&self, host: &str, method: &str, path: &str, headers: &[&str], body: Option<&Value>) -> Option<Answer> {
        let ca = self.shop.config().with_file_name("cert.pem");
        let mut client = Command::new("openssl");
        client.args(["s_client", "-quiet", "-verify_return_error", "-connect", &self.host(), "-CAfile"]).arg(ca);
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut client = client.spawn().unwrap();
        let mut stdin = client.stdin.take().unwrap();
        let _gone = stdin.write_all(request(method, path, host, headers, body).as_bytes());
        let output = client.wait_with_output().unwrap();
        drop(stdin);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.contains("\r\n\r\n").then(|| Answer::of(&text))
    }

    fn post(&self, path: &str, cookie: &str, body: &Value) -> Answer {
        let (origin, cookie) = (format!("Origin: https://{}", self.host()), format!("Cookie: {cookie}"));
        self.send("POST", path, &[&origin, &cookie], Some(body)).unwrap()
    }

    fn log_in(&self, name: &str, pin: &str) -> Answer {
        self.post("/api/v1/login", "", &json!({ "name": name, "pin": pin }))
    }

    /// The cookie of somebody who has logged in.
    fn session(&self, name: &str) -> String {
        let answer = self.log_in(name, PIN);
        assert_eq!(answer.status, 204, "{}", answer.body);
        let cookie = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        for mark in ["; httponly", "; samesite=strict", "; secure", "; path=/"] {
            assert!(cookie.contains(mark), "{cookie}");
        }
        cookie.split(';').next().unwrap().to_owned()
    }

    fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send("GET", path, &[&format!("Cookie: {cookie}")], None).unwrap()
    }
}

#[test]
fn on_the_network_there_is_tls_a_login_and_a_role_for_everything() {
    let Some(mut open) = Open::new() else { return };
    open.start();
    assert_eq!(open.shop.get("/health").as_deref().unwrap_or(""), "", "nothing is said in the clear");
    for path in ["/health", "/metrics", "/api/v1/console", "/api/v1/events", "/api/v1/diagnostics", "/api/v1/config"] {
        assert_eq!(open.get(path, "").status, 401, "{path}");
    }
    assert_eq!(open.get("/", "").status, 303, "a person is shown the login");
    let page = open.get("/login", "");
    assert!(page.status == 200 && !page.body.contains("hz-wulin-001"), "who is not known learns no name");
    assert_eq!(open.get("/console/login.js", "").status, 200);

    let (viewer, technician, admin) = (open.session("Anna"), open.session("Li Wei"), open.session("王芳"));
    assert_eq!(open.get("/api/v1/console", &viewer).json()["user"]["role"], "viewer");
    assert_eq!(open.get("/api/v1/console", "smartstore=0000").status, 401);
    let restart = json!({ "device": "scanner-1", "action": "device.restart" });
    let apply = json!({ "text": "" });
    let resolve = json!({ "sale": "s", "as": "refunded" });
    for (path, body, statuses) in [
        ("/api/v1/commands", &restart, [403, 202, 202]),
        ("/api/v1/sales/resolve", &resolve, [403, 409, 409]),
        ("/api/v1/config/check", &apply, [403, 200, 200]),
        ("/api/v1/config/apply", &apply, [403, 403, 202]),
    ] {
        for (cookie, status) in [&viewer, &technician, &admin].into_iter().zip(statuses) {
            assert_eq!(open.post(path, cookie, body).status, status, "{path}");
        }
    }
    let clear = format!("Origin: http://{}", open.host());
    let forged = open.send("POST", "/api/v1/commands", &[&clear, &format!("Cookie: {admin}")], Some(&restart)).unwrap();
    assert_eq!(forged.status, 403, "another origin, even with the cookie");
    let rows = open.get("/api/v1/audit", &viewer).json();
    let who: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["who"].as_str().unwrap().to_owned()).collect();
    assert_eq!(who, ["王芳", "王芳", "Li Wei", "王芳", "Li Wei", "Anna"], "{rows}");

    assert_eq!(open.post("/api/v1/logout", &technician, &json!({})).status, 204);
    assert_eq!(open.get("/api/v1/console", &technician).status, 401);
}

#[test]
fn a_wrong_pin_opens_nothing_and_guessing_has_to_wait() {
    let Some(mut open) = Open::new() else { return };
    open.start();
    assert_eq!(open.log_in("Nobody", PIN).status, 403);
    for attempt in 0..7 {
        let answer = open.log_in("Anna", &format!("48291{attempt}"));
        let wanted = if attempt == 3 {
            204
        } else if attempt < 3 {
            403
        } else {
            0
        };
        if wanted != 0 {
            assert_eq!(answer.status, wanted, "{attempt}");
        }
    }
    for attempt in 0..6 {
        let answer = open.log_in("Li Wei", "000000");
        let (status, word) = if attempt < 5 { (403, "pin") } else { (429, "wait") };
        assert_eq!((answer.status, &answer.json()["error"]), (status, &json!(word)), "{attempt}");
    }
    assert_eq!(open.log_in("Li Wei", PIN).status, 429, "the right one, too, has to wait");
    assert_eq!(open.log_in("王芳", PIN).status, 204, "others need not");
}

#[test]
fn changed_users_and_another_certificate_count_without_a_restart() {
    let Some(mut open) = Open::new() else { return };
    open.start();
    let beside = |open: &Open, name: &str| open.shop.config().with_file_name(name);
    let (viewer, admin) = (open.session("Anna"), open.session("王芳"));
    let users = beside(&open, "users.txt");
    let text = std::fs::read_to_string(&users).unwrap();
    std::fs::write(&users, text.lines().filter(|line| !line.starts_with("Anna:")).collect::<Vec<_>>().join("\n"))
        .unwrap();
    assert!(add_user(&users, "Zhao", "technician", PIN));
    assert_eq!(open.log_in("Zhao", PIN).status, 204, "at once");
    assert_eq!(open.get("/api/v1/console", &viewer).status, 401, "who is gone is logged out");
    assert_eq!(open.log_in("Anna", PIN).status, 403);
    assert_eq!(open.get("/api/v1/console", &admin).status, 200);
    // What would lock everybody out does not count.
    std::fs::write(&users, "nonsense\n").unwrap();
    assert_eq!(open.log_in("王芳", PIN).status, 204);

    openssl(
        open.shop.config().parent().unwrap(),
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem \
         -subj /CN=gateway.store -days 2 -addext subjectAltName=DNS:other.store,IP:127.0.0.1",
    );
    // The client trusts the new one alone.
    wait_until("the new certificate is shown", BOUND, || open.send("GET", "/login", &[], None).is_some());
    let host = format!("other.store:{}", open.shop.console());
    assert_eq!(open.send_to(&host, "GET", "/login", &[], None).unwrap().status, 200);
    assert_eq!(open.get("/api/v1/console", &admin).status, 200, "who is logged in stays so");
}

#[test]
fn only_names_that_the_certificate_bears_are_ours() {
    let Some(mut open) = Open::new() else { return };
    open.start();
    let port = open.shop.console();
    let status = |host: &str| open.send_to(host, "GET", "/login", &[], None).unwrap().status;
    assert_eq!(status(&format!("gateway.store:{port}")), 200);
    assert_eq!(status(&format!("192.168.7.7:{port}")), 200, "an address is no name that somebody could point here");
    for host in [format!("evil.example:{port}"), "gateway.store".to_owned(), format!("gateway.store:{}", port ^ 1)] {
        assert_eq!(status(&host), 421, "{host}");
    }
}

#[test]
fn check_says_what_is_wrong_with_certificate_key_and_users() {
    let Some(open) = Open::new() else { return };
    let beside = |name: &str| open.shop.config().with_file_name(name);
    let codes = || -> Vec<String> {
        let said = smartstore(&["check", "--json"]).arg(open.shop.config()).output().unwrap();
        let said: Value = serde_json::from_slice(&said.stdout).unwrap();
        said.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect()
    };
    assert!(
        !codes().iter().any(|code| ["certificate", "users-file", "no-admin", "console-open"].contains(&code.as_str()))
    );
    let (key, users) = (std::fs::read(beside("key.pem")).unwrap(), std::fs::read(beside("users.txt")).unwrap());
    std::fs::write(beside("key.pem"), "no key").unwrap();
    assert!(codes().contains(&"certificate".to_owned()));
    openssl(open.shop.config().parent().unwrap(), "ecparam -name prime256v1 -genkey -noout -out key.pem");
    assert!(codes().contains(&"certificate".to_owned()), "another certificate's key");
    std::fs::write(beside("key.pem"), key).unwrap();
    std::fs::write(beside("users.txt"), "root:admin:plain:1:2:3\n").unwrap();
    assert!(codes().contains(&"users-file".to_owned()));
    let text = String::from_utf8(users).unwrap();
    std::fs::write(beside("users.txt"), text.replace(":admin:", ":viewer:")).unwrap();
    assert!(codes().contains(&"no-admin".to_owned()));
    open.shop.reconfigure("users_file = \"users.txt\"\n", "");
    assert!(codes().contains(&"console-open".to_owned()));
}
