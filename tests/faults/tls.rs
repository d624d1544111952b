//! TLS against mosquitto, with certificates made on the spot by openssl.

use std::path::{Path, PathBuf};
use std::process::Command;

use smartstore::types::Condition;

use crate::mosquitto::Mosquitto;
use crate::shop::{Shop, pace};

/// An authority and a certificate of its for `localhost`; `None`, loudly, without openssl.
struct Certificates {
    dir: tempfile::TempDir,
}

impl Certificates {
    fn make(subject_alt_name: &str) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("SKIPPED: openssl is not installed (Debian: openssl)");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ext"), format!("subjectAltName={subject_alt_name}")).unwrap();
        let name = subject_alt_name.replace(':', "-");
        let authority =
            format!("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN={name}-authority -days 2");
        let request = "req -newkey rsa:2048 -nodes -keyout key.pem -out csr.pem -subj /CN=broker";
        let signed =
            "x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 -extfile ext";
        for arguments in [&authority, request, signed] {
            let made = Command::new("openssl").args(arguments.split(' ')).current_dir(dir.path()).output().unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        // Mosquitto gives up its rights before it reads the key.
        Command::new("chmod").args(["-R", "a+rX"]).arg(dir.path()).status().unwrap();
        Some(Self { dir })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn mosquitto(&self) -> Option<Mosquitto> {
        let file = |name| self.file(name).display().to_string();
        Mosquitto::start(&format!("certfile {}\nkeyfile {}", file("cert.pem"), file("key.pem")))
    }
}

fn shop(mosquitto: &Mosquitto, ca_file: &Path) -> Shop {
    let url = format!("mqtts://localhost:{}", mosquitto.port);
    Shop::with(&url, pace(), |settings| settings.ca_file = Some(ca_file.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_our_authority_vouches_for_gets_the_events() {
    let Some(certificates) = Certificates::make("DNS:localhost") else { return };
    let Some(mosquitto) = certificates.mosquitto() else { return };
    let mut shop = shop(&mosquitto, &certificates.file("ca.pem"));
    shop.scan(100).await;
    shop.open();
    shop.drained().await;
    shop.until("listening", |progress| progress.listening).await;
    assert_eq!(shop.conditions.standing(), []);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_authority_another_name_and_a_missing_file_are_conditions_that_say_so() {
    let Some(certificates) = Certificates::make("DNS:somewhere-else.example") else { return };
    let Some(other) = Certificates::make("DNS:localhost") else { return };
    let Some(mosquitto) = certificates.mosquitto() else { return };
    let cases = [
        (certificates.file("ca.pem"), "not valid for name"),
        (other.file("ca.pem"), "UnknownIssuer"),
        (other.file("not-there.pem"), "cannot read ca_file"),
    ];
    for (ca_file, said) in cases {
        let mut shop = shop(&mosquitto, &ca_file);
        shop.open();
        shop.raised(Condition::CloudTls).await;
        let standing = shop.conditions.standing();
        let detail = standing[0].detail.clone().unwrap_or_default();
        assert!(standing.len() == 1 && detail.contains(said), "{standing:?}");
        shop.close().await;
    }
}
