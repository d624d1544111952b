//! The demo's screens: our own drawings, signed and given out by a small web server; a shelf that feels what is lifted;
//! pages without a browser, which prove what they play until somebody opens a real one.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::cli::content::pack::{self, pack};
use crate::cli::coupon::key::{PrivateKey, make_key};
use crate::clock::Clock;
use crate::journal::{Intake, Journal};
use crate::sim::screen::{ScreenPage, Truth};
use crate::sim::web::Files;
use crate::transport::Web;
use crate::types::{Action, Command, CommandId, ContentSource, IssuerId, KeyId, Origin};
use crate::wire::coupon::base64url_encode;

/// Between two things that happen at the shelf.
const LIFT_EVERY: Duration = Duration::from_secs(3);
/// How long a push may take.
const PUSH_WITHIN: Duration = Duration::from_secs(2);
/// How long the content may take to be in force.
const PUT_WITHIN: Duration = Duration::from_secs(60);
/// Places of the shelf.
const PLACES: [&str; 3] = ["A1", "A4", "A2"];

/// What is shown, by the names of the files.
const CONTENT: [(&str, &[u8]); 10] = [
    ("content.json", include_bytes!("../../../demo/content/content.json")),
    ("welcome.svg", include_bytes!("../../../demo/content/welcome.svg")),
    ("autumn.svg", include_bytes!("../../../demo/content/autumn.svg")),
    ("evening.svg", include_bytes!("../../../demo/content/evening.svg")),
    ("tea.svg", include_bytes!("../../../demo/content/tea.svg")),
    ("lipstick.svg", include_bytes!("../../../demo/content/lipstick.svg")),
    ("scarf.svg", include_bytes!("../../../demo/content/scarf.svg")),
    ("mug.svg", include_bytes!("../../../demo/content/mug.svg")),
    ("soap.svg", include_bytes!("../../../demo/content/soap.svg")),
    ("lamp.svg", include_bytes!("../../../demo/content/lamp.svg")),
];

/// Everything that the screens need.
pub(super) struct Showcase {
    files: Files,
    source: ContentSource,
    public: [u8; 32],
    sensor: SocketAddr,
}

impl Showcase {
    /// Signs the content and lays it out to be fetched.
    pub(super) async fn prepare(directory: &Path) -> anyhow::Result<Self> {
        let (sources, www) = (directory.join("content"), directory.join("www"));
        std::fs::create_dir_all(&sources).with_context(|| format!("cannot make {}", sources.display()))?;
        for (name, bytes) in CONTENT {
            let file = sources.join(name);
            std::fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
        }
        // A directory that was used before has a key of its own, which its journal does not know of.
        let key_file = directory.join("content.jwk");
        let _ = std::fs::remove_file(&key_file);
        let public = make_key(&IssuerId::new("demo")?, &KeyId::new("demo")?, &key_file)?;
        let packed = pack(&sources, &www, None, &PrivateKey::read(&key_file)?)?;
        let mut files = BTreeMap::new();
        let mut take = |name: String| -> anyhow::Result<()> {
            files.insert(format!("/{name}"), std::fs::read(www.join(&name))?);
            Ok(())
        };
        take(pack::SIGNED.to_owned())?;
        packed.manifest.files().try_for_each(|(digest, _)| take(format!("assets/{digest}")))?;
        let files = Files::bind(files).await.context("cannot give the content out")?;
        let url = format!("{}/{}", files.url()?, pack::SIGNED);
        let sensor = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())?;
        Ok(Self { files, source: ContentSource { url, sha256: packed.sha256 }, public, sensor })
    }

    /// What the configuration needs for it.
    pub(super) fn configuration(&self) -> String {
        format!(
            "[content]\nkeys = {{ demo = \"{}\" }}\n\n\
             [[device]]\nid = \"screen-1\"\nprofile = \"screen/signage\"\nendpoint = \"screen:\"\n\n\
             [[device]]\nid = \"shelf-1\"\nprofile = \"screen/shelf\"\nendpoint = \"screen:\"\n\n\
             [[device]]\nid = \"lift-1\"\nprofile = \"sensor/lift-http\"\nendpoint = \"post:{}/lift\"\n\n\
             [[station]]\nid = \"shelf\"\nflow = \"shelf\"\nscreen = \"shelf-1\"\nsensor = \"lift-1\"\n\n",
            base64url_encode(&self.public),
            self.sensor
        )
    }

    /// Brings the content, lifts things, and plays both screens, until `stop`; what the pages proved.
    pub(super) async fn run(
        self,
        console: Option<SocketAddr>,
        journal: Journal,
        clock: Clock,
        stop: CancellationToken,
    ) -> anyhow::Result<Truth> {
        let Self { files, source, sensor, .. } = self;
        let Some(console) = console else { return Ok(Truth::default()) };
        let not_after = clock.wall().0.plus(PUT_WITHIN);
        let id = CommandId::new(&format!("demo-{}", clock.random_uuid()))?;
        let action = Action::ContentPut(source);
        let command = Command { id, device: None, action, not_after, origin: Origin::Local };
        journal.accept(Intake::Command(command)).await?;
        let page = |name: &str| ScreenPage::new(&format!("http://{console}/s/{name}"), clock.clone());
        let (mut signage, mut shelf) = (page("screen-1")?, page("shelf-1")?);
        tokio::select! {
            () = stop.cancelled() => {}
            () = files.run(stop.clone()) => {}
            () = signage.play() => {}
            () = shelf.play() => {}
            lifted = lift(sensor) => lifted?,
        }
        let (one, other) = (signage.truth(), shelf.truth());
        Ok(Truth {
            plays: one.plays + other.plays,
            taken: one.taken + other.taken,
            refused: one.refused + other.refused,
            shows: one.shows + other.shows,
        })
    }
}

/// Somebody takes one thing after the other off the shelf, and puts it back.
async fn lift(sensor: SocketAddr) -> anyhow::Result<()> {
    let web = Web::new()?;
    let mut every = tokio::time::interval(LIFT_EVERY);
    for place in PLACES.iter().cycle() {
        for lifted in [true, false] {
            every.tick().await;
            let body = format!("{{\"facing\":\"{place}\",\"lifted\":{lifted}}}");
            // A gateway that is not there yet misses it.
            let _ = web.post(&format!("http://{sensor}/lift"), body, PUSH_WITHIN).await;
        }
    }
    Ok(())
}
