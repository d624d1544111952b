//! TLS against mosquitto, with certificates made on the spot by openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use smartstore::types::Condition;
use smartstore::uplink::Settings;

use crate::mosquitto::Mosquitto;
use crate::shop::{Shop, pace};

/// An authority in a folder of its own, and the certificates that it has issued; gone when dropped.
struct Authority {
    dir: tempfile::TempDir,
}

const VALID: [&str; 2] = ["20200101000000Z", "20500101000000Z"];
const EXPIRED: [&str; 2] = ["20200101000000Z", "20200201000000Z"];
const NOT_YET: [&str; 2] = ["20490101000000Z", "20500101000000Z"];

impl Authority {
    /// `None`, loudly, without openssl.
    fn new(name: &str) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("SKIPPED: openssl is not installed (Debian: openssl)");
            return None;
        }
        let authority = Self { dir: tempfile::tempdir().unwrap() };
        // openssl-ca(1): the only way of it to set both ends of the validity.
        let config = "[ca]\ndefault_ca=a\n[a]\ndatabase=index\nnew_certs_dir=.\ncertificate=ca.pem\nprivate_key=ca.key\n\
                      default_md=sha256\npolicy=p\nrand_serial=yes\nunique_subject=no\n[p]\ncommonName=supplied\n";
        fs::write(authority.file("ca.cnf"), config).unwrap();
        fs::write(authority.file("index"), "").unwrap();
        authority.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem \
             -subj /CN={name} -days 2"
        ));
        Some(authority)
    }

    fn openssl(&self, arguments: &str) {
        let arguments = arguments.split_whitespace();
        let made = Command::new("openssl").args(arguments).current_dir(self.dir.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // Mosquitto gives up its rights before it reads the key.
        assert!(Command::new("chmod").args(["-R", "a+rX"]).arg(self.dir.path()).status().unwrap().success());
    }

    /// Issues `{name}.pem` with `{name}.key`.
    fn issue(&self, name: &str, subject_alt_name: &str, [from, until]: [&str; 2]) {
        fs::write(self.file("ext"), format!("subjectAltName={subject_alt_name}")).unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -out {name}.csr \
             -subj /CN={name}"
        ));
        self.openssl(&format!(
            "ca -batch -notext -config ca.cnf -in {name}.csr -out {name}.pem -extfile ext -startdate {from} \
             -enddate {until}"
        ));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A broker that shows the certificate of that name.
    fn mosquitto(&self, name: &str, settings: &str) -> Option<Mosquitto> {
        self.mosquitto_with(name, settings, Vec::new())
    }

    fn mosquitto_with(&self, name: &str, settings: &str, environment: Vec<(String, PathBuf)>) -> Option<Mosquitto> {
        let (cert, key) = (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")));
        let settings = format!("certfile {}\nkeyfile {}\n{settings}", cert.display(), key.display());
        Mosquitto::start_with(&settings, environment)
    }

    /// A broker that wants a certificate of this authority, and writes down whose it was; by TLS 1.2 or 1.3 alone.
    fn mosquitto_that_asks(&self, version: &str) -> Option<Mosquitto> {
        let ca = self.file("ca.pem");
        let settings = format!("cafile {}\nrequire_certificate true\nuse_identity_as_username true", ca.display());
        self.mosquitto_with("broker", &settings, only(self, version))
    }

    fn identity(&self, name: &str) -> impl Fn(&mut Settings) {
        let files = ["ca.pem".to_owned(), format!("{name}.pem"), format!("{name}.key")].map(|file| self.file(&file));
        move |settings| {
            let [ca, cert, key] = files.clone().map(Some);
            (settings.ca_file, settings.cert_file, settings.key_file) = (ca, cert, key);
        }
    }
}

/// Lets OpenSSL speak one version only (config(5): `MinProtocol`, `MaxProtocol`).
fn only(authority: &Authority, version: &str) -> Vec<(String, PathBuf)> {
    let file = authority.file(&format!("{version}.cnf"));
    let text = format!(
        "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = default\n[default]\n\
         MinProtocol = {version}\nMaxProtocol = {version}\n"
    );
    fs::write(&file, text).unwrap();
    vec![("OPENSSL_CONF".to_owned(), file)]
}

/// Whether a broker speaks that version, by somebody else's account.
fn speaks(mosquitto: &Mosquitto, version: &str) -> bool {
    let address = format!("localhost:{}", mosquitto.port);
    let mut client = Command::new("openssl");
    client.args(["s_client", "-connect", &address, version]).stdin(std::process::Stdio::null());
    String::from_utf8_lossy(&client.output().unwrap().stdout).contains("BEGIN CERTIFICATE")
}

fn shop(mosquitto: &Mosquitto, change: impl FnOnce(&mut Settings)) -> Shop {
    Shop::with(&format!("mqtts://localhost:{}", mosquitto.port), pace(), change)
}

fn trusting(ca_file: &Path) -> impl FnOnce(&mut Settings) {
    let ca_file = ca_file.to_owned();
    |settings| settings.ca_file = Some(ca_file)
}

/// One condition, once, that says what to do, however often it is tried again.
async fn complains(mut shop: Shop, broker: &Mosquitto, condition: Condition, advice: &str) {
    shop.scan(3).await;
    shop.open();
    let (given, detail) = shop.complaint().await;
    assert!(given == condition && detail.contains(advice), "{given:?} {detail}, and not {advice}");
    let mut news = shop.conditions.settle();
    let attempts = || broker.log().matches("New connection").count();
    let begun = attempts();
    let retried = async {
        while attempts() < begun + 12 {
            // waits: the interval at which the level is looked at
            tokio::time::sleep(Duration::from_millis(10)).await;
            news.extend(shop.conditions.settle());
        }
    };
    // Without a file there is nothing to connect with.
    let bound = if detail.contains("cannot read") { Duration::from_secs(1) } else { crate::shop::BOUND };
    let ended = tokio::time::timeout(bound, retried).await;
    assert!(ended.is_ok() || detail.contains("cannot read"), "{} attempts", attempts());
    assert_eq!(news.len(), 1, "{news:?}");
    assert_eq!(shop.conditions.standing().len(), 1);
    shop.close().await;
}

async fn is_content(mut shop: Shop) {
    shop.scan(100).await;
    shop.open();
    shop.drained().await;
    shop.until("listening", |progress| progress.listening).await;
    assert_eq!(shop.conditions.standing(), []);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_our_authority_vouches_for_gets_the_events_by_tls_1_2_and_1_3() {
    let Some(authority) = Authority::new("ours") else { return };
    authority.issue("broker", "DNS:localhost", VALID);
    for (version, is, is_not) in [("TLSv1.2", "-tls1_2", "-tls1_3"), ("TLSv1.3", "-tls1_3", "-tls1_2")] {
        let Some(mosquitto) = authority.mosquitto_with("broker", "", only(&authority, version)) else { return };
        assert!(speaks(&mosquitto, is) && !speaks(&mosquitto, is_not));
        is_content(shop(&mosquitto, trusting(&authority.file("ca.pem")))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_with_the_brokers_certificate_is_one_condition_that_says_what_to_do() {
    let (Some(ours), Some(theirs)) = (Authority::new("ours"), Authority::new("theirs")) else { return };
    ours.issue("expired", "DNS:localhost", EXPIRED);
    ours.issue("not-yet", "DNS:localhost", NOT_YET);
    ours.issue("elsewhere", "DNS:somewhere-else.example", VALID);
    ours.issue("good", "DNS:localhost", VALID);
    fs::write(ours.file("empty.pem"), "no certificate").unwrap();
    let cases = [
        ("expired", ours.file("ca.pem"), "has expired: renew it there"),
        ("not-yet", ours.file("ca.pem"), "set this gateway's clock"),
        ("elsewhere", ours.file("ca.pem"), "is for another name"),
        ("good", theirs.file("ca.pem"), "no authority in ca_file vouches"),
        ("good", ours.file("not-there.pem"), "cannot read ca_file"),
        ("good", ours.file("empty.pem"), "ca_file holds no certificate"),
    ];
    for (certificate, ca_file, advice) in cases {
        let Some(mosquitto) = ours.mosquitto(certificate, "") else { return };
        complains(shop(&mosquitto, trusting(&ca_file)), &mosquitto, Condition::CloudTls, advice).await;
    }
    let Some(plain) = Mosquitto::start("") else { return };
    let (port, ca_file) = ("look whether the broker speaks TLS at this port", ours.file("ca.pem"));
    complains(shop(&plain, trusting(&ca_file)), &plain, Condition::CloudAway, port).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_wants_our_certificate_gets_it_or_we_say_what_is_wrong_with_it() {
    let (Some(ours), Some(theirs)) = (Authority::new("ours"), Authority::new("theirs")) else { return };
    ours.issue("broker", "DNS:localhost", VALID);
    ours.issue("gateway", "DNS:gateway", VALID);
    ours.issue("expired", "DNS:gateway", EXPIRED);
    theirs.issue("stranger", "DNS:gateway", VALID);
    for name in ["stranger.pem", "stranger.key"] {
        fs::copy(theirs.file(name), ours.file(name)).unwrap();
    }
    fs::copy(ours.file("gateway.pem"), ours.file("mixed.pem")).unwrap();
    fs::copy(ours.file("expired.key"), ours.file("mixed.key")).unwrap();
    for version in ["TLSv1.2", "TLSv1.3"] {
        let Some(mosquitto) = ours.mosquitto_that_asks(version) else { return };
        is_content(shop(&mosquitto, ours.identity("gateway"))).await;
        let missing = shop(&mosquitto, trusting(&ours.file("ca.pem")));
        complains(missing, &mosquitto, Condition::CloudTls, "set cert_file and key_file").await;
        let cases = [
            ("stranger", "does not accept our certificate"),
            ("expired", "renew cert_file"),
            ("not-there", "cannot read cert_file"),
        ];
        for (name, advice) in cases {
            complains(shop(&mosquitto, ours.identity(name)), &mosquitto, Condition::CloudTls, advice).await;
        }
        let mut mixed = shop(&mosquitto, ours.identity("mixed"));
        mixed.open();
        let (condition, detail) = mixed.complaint().await;
        assert!(condition == Condition::CloudTls && detail.contains("key_file is not the key"), "{detail}");
        mixed.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_comes_from_a_file_and_a_wrong_one_is_one_condition() {
    let dir = tempfile::tempdir().unwrap();
    let passwords = dir.path().join("passwords");
    let made = Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(&passwords).args(["gw", "right"]).output();
    let Ok(made) = made else {
        eprintln!("SKIPPED: mosquitto_passwd is not installed (Debian: mosquitto)");
        return;
    };
    assert!(made.status.success());
    assert!(Command::new("chmod").args(["-R", "a+rX"]).arg(dir.path()).status().unwrap().success());
    let settings = format!("allow_anonymous false\npassword_file {}", passwords.display());
    let Some(mosquitto) = Mosquitto::start(&settings) else { return };
    let shop = |text: Option<&str>| {
        let file = dir.path().join("secret");
        let _ = text.map_or_else(|| fs::remove_file(&file), |text| fs::write(&file, text));
        Shop::with(&format!("mqtt://127.0.0.1:{}", mosquitto.port), pace(), |settings| {
            (settings.username, settings.password_file) = (Some("gw".to_owned()), Some(file));
        })
    };
    is_content(shop(Some("right\n"))).await;
    is_content(shop(Some("right"))).await;
    complains(shop(Some("wrong")), &mosquitto, Condition::CloudRefused, "NotAuthorized").await;
    complains(shop(None), &mosquitto, Condition::CloudRefused, "cannot read password_file").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_tried_before_the_connection_with_the_old_one_is_given_up() {
    let (Some(ours), Some(theirs)) = (Authority::new("ours"), Authority::new("theirs")) else { return };
    ours.issue("broker", "DNS:localhost", VALID);
    ours.issue("first", "DNS:gateway", VALID);
    ours.issue("second", "DNS:gateway", VALID);
    theirs.issue("stranger", "DNS:gateway", VALID);
    let install = |authority: &Authority, name: &str| {
        for kind in ["pem", "key"] {
            fs::copy(authority.file(&format!("{name}.{kind}")), ours.file(&format!("used.{kind}"))).unwrap();
        }
    };
    install(&ours, "first");
    let Some(mosquitto) = ours.mosquitto_that_asks("TLSv1.3") else { return };
    let mut shop = shop(&mosquitto, ours.identity("used"));
    shop.open();
    shop.drained().await;
    shop.until("listening", |progress| progress.listening).await;

    install(&theirs, "stranger");
    let (condition, detail) = shop.complaint().await;
    assert!(condition == Condition::CloudTls && detail.contains("renewed files do not work"), "{detail}");
    shop.scan(100).await;
    let progress = shop.drained().await;
    assert_eq!((progress.connections, progress.disconnections), (1, 0), "the old connection still carries");
    assert!(progress.listening);

    install(&ours, "second");
    shop.until("the change", |progress| progress.connections == 2).await;
    shop.cleared(Condition::CloudTls).await;
    shop.scan(100).await;
    let progress = shop.drained().await;
    assert_eq!((progress.connections, progress.disconnections), (2, 0), "in order, and once");
    shop.until("listening", |progress| progress.listening).await;
    shop.close().await;

    let log = mosquitto.log();
    let clients: Vec<&str> = log.lines().filter(|line| line.contains("New client connected")).collect();
    let place = |part: &str, name: &str| {
        let is = |line: &&str| line.contains(&format!("gw-1-{part} ")) && line.contains(&format!("'{name}'"));
        clients.iter().position(is).unwrap_or_else(|| panic!("{part} as {name}: {clients:#?}"))
    };
    assert!(place("up", "first") < place("try", "second") && place("try", "second") < place("up", "second"));
    assert!(place("down", "first") < place("try", "second") && place("try", "second") < place("down", "second"));
    assert!(!log.contains("'stranger'") && clients.len() == 5, "{clients:#?}");
}
