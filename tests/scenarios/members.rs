//! Members with a real daemon, the real networks and real photographs: enrolled by the cloud's command, kept over a
//! kill, at rest only sealed, and forgotten so that no file holds them. Without networks or photographs a test says so
//! and is skipped.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use smartstore::sense::vision::yunet::{InputSize, Thresholds};
use smartstore::sense::vision::{Detector, Embedder, picture};

use super::broker::Mosquitto;
use super::daemon::Shop;
use super::subscriber::{Subscriber, publish};
use super::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_secs(5);
const COMMANDS: &str = "smartstore/v1/hz-wulin-001/gw-1/commands";
const MEMBER: &str = "M00012345";
const FOREVER: &str = "2099-01-01T00:00:00Z";

pub(crate) fn models() -> Option<PathBuf> {
    let folder = std::env::var_os("SMARTSTORE_MODELS").map_or_else(|| PathBuf::from("models"), PathBuf::from);
    let there = folder.join("yunet-2023mar.onnx").is_file() && folder.join("sface-2021dec.onnx").is_file();
    if !there {
        eprintln!("SKIPPED: no networks in {}; fetch them with `smartstore models fetch`", folder.display());
    }
    there.then_some(std::path::absolute(folder).unwrap())
}

pub(crate) fn photograph(name: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("SMARTSTORE_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let file = folder.join("faces/lfw-dev").join(name);
    let read = std::fs::read(&file).ok();
    if read.is_none() {
        eprintln!("SKIPPED: no photograph {}; set SMARTSTORE_DATA", file.display());
    }
    read
}

/// A web server that gives what stands under a path, and 404 for the rest.
fn serving(files: Vec<(&'static str, Vec<u8>)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for line in listener.incoming() {
            let mut line = line.unwrap();
            let mut asked = [0; 2048];
            let length = line.read(&mut asked).unwrap_or(0);
            let path = String::from_utf8_lossy(&asked[..length]).split(' ').nth(1).unwrap_or_default().to_owned();
            let body = files.iter().find(|(name, _)| path == format!("/{name}")).map(|(_, body)| body);
            let head = match body {
                Some(body) => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()),
                None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
            };
            let _ = line.write_all(head.as_bytes()).and_then(|()| line.write_all(body.map_or(&[], Vec::as_slice)));
        }
    });
    format!("http://{address}")
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A shop that may enrol two members.
struct Club {
    shop: Shop,
    subscriber: Subscriber,
    broker: Mosquitto,
    web: String,
    asked: u32,
    _folder: tempfile::TempDir,
}

impl Club {
    fn open(models: &Path, files: Vec<(&'static str, Vec<u8>)>) -> Self {
        let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let broker = Mosquitto::started(folder.path());
        let subscriber = Subscriber::started(broker.port());
        let mut shop = Shop::new(home, "scanner/generic-serial", Some(&broker.url()));
        let place = format!("data_dir = \"data\"\nmodels_dir = \"{}\"", models.display());
        shop.reconfigure("data_dir = \"data\"", &place);
        shop.reconfigure("[console]", "[members]\nat_most = 2\n\n[codes]\nmember = \"^M[0-9]{8}$\"\n\n[console]");
        shop.start();
        shop.wait_held();
        Self { shop, subscriber, broker, web: serving(files), asked: 0, _folder: folder }
    }

    /// How a command ended: its word and its reason.
    fn ask(&mut self, action: &str, args: &Value) -> (String, String) {
        self.asked += 1;
        let id = format!("c-{}", self.asked);
        let command = json!({ "id": id, "action": action, "args": args, "not_after": FOREVER });
        let end = || {
            self.subscriber.look(|got| {
                let mut ends = got.of_type("command.ended.v1");
                let end = ends.find(|event| event["data"]["command"] == *id)?["data"].clone();
                let word = |key: &str| end[key].as_str().unwrap_or_default().to_owned();
                Some((word("ended"), word("reason")))
            })
        };
        // The gateway may not have subscribed yet. The same command again never acts again.
        let mut asked = Instant::now();
        publish(self.broker.port(), COMMANDS, &command.to_string());
        wait_until(&format!("the end of {action} {args}"), PATIENCE, || {
            if asked.elapsed() > ASK_AGAIN {
                publish(self.broker.port(), COMMANDS, &command.to_string());
                asked = Instant::now();
            }
            end().is_some()
        });
        end().unwrap()
    }

    fn enrolment(&self, member: &str, file: &str, picture: &[u8], expires: &str) -> Value {
        json!({
            "member": member, "consent": format!("consent-of-{member}"), "purpose": "greeting", "expires": expires,
            "image": { "url": format!("{}/{file}", self.web), "sha256": sha256(picture) },
        })
    }

    fn enrol(&mut self, member: &str, file: &str, picture: &[u8]) -> (String, String) {
        let args = self.enrolment(member, file, picture, FOREVER);
        self.ask("member.enrol", &args)
    }

    fn key(&self) -> Vec<u8> {
        std::fs::read(self.shop.data().join("members.key")).unwrap()[25..].to_vec()
    }

    /// In which files of the gateway something stands.
    fn files_with(&self, what: &[u8]) -> Vec<String> {
        let entries = std::fs::read_dir(self.shop.data()).unwrap().map(|entry| entry.unwrap().path());
        let files = entries.filter(|path| path.is_file()).map(|path| (path.display().to_string(), std::fs::read(path)));
        let found = files.filter(|(_, bytes)| {
            bytes.as_ref().is_ok_and(|bytes| bytes.windows(what.len()).any(|window| window == what))
        });
        found.map(|(name, _)| name).collect()
    }
}

fn word(ended: &str, reason: &str) -> (String, String) {
    (ended.to_owned(), reason.to_owned())
}

/// The template of a picture, as bytes, by the same networks.
fn template(models: &Path, encoded: &[u8]) -> Vec<u8> {
    let network = |name: &str| std::fs::read(models.join(name)).unwrap();
    let (size, thresholds) = (InputSize { width: 640, height: 640 }, Thresholds { score: 0.6, overlap: 0.3 });
    let mut detector = Detector::load(&network("yunet-2023mar.onnx"), size, thresholds).unwrap();
    let mut embedder = Embedder::load(&network("sface-2021dec.onnx")).unwrap();
    let frame = picture::decode(encoded).unwrap();
    let mut faces = detector.faces(&frame).unwrap();
    faces.sort_by(|one, other| (other.place.w * other.place.h).total_cmp(&(one.place.w * one.place.h)));
    let embedding = embedder.embed(&frame, &faces[0]).unwrap().unwrap();
    embedding.values().iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn a_member_is_enrolled_by_consent_survives_a_kill_and_is_forgotten_without_a_trace() {
    let (Some(models), Some(one), Some(other)) =
        (models(), photograph("Abdullah_Gul_0013.jpg"), photograph("Aaron_Guiel_0001.jpg"))
    else {
        return;
    };
    let likeness = template(&models, &one);
    let mut club = Club::open(&models, vec![("one.jpg", one.clone()), ("other.jpg", other.clone())]);
    assert_eq!(club.enrol(MEMBER, "one.jpg", &one), word("done", ""));
    club.shop.line.write(format!("{MEMBER}\r").as_bytes());
    club.subscriber.wait_for(MEMBER, PATIENCE);
    assert_eq!(club.enrol("M00012346", "other.jpg", &other), word("done", ""));
    assert_eq!(club.enrol("M00012347", "other.jpg", &other), word("refused", "gallery-full"));
    assert!(!club.files_with(MEMBER.as_bytes()).is_empty(), "their scan is in the journal: the search finds things");
    for at in (0..likeness.len() - 16).step_by(16) {
        assert_eq!(club.files_with(&likeness[at..at + 16]), Vec::<String>::new(), "a piece of a template in the clear");
    }

    club.shop.kill();
    club.shop.start();
    assert_eq!(club.enrol("M00012347", "other.jpg", &other), word("refused", "gallery-full"), "both are known still");
    let key = club.key();
    assert_eq!(club.ask("member.forget", &json!({ "member": MEMBER })), word("done", ""));
    wait_until("nobody is named in any file", PATIENCE, || club.files_with(MEMBER.as_bytes()).is_empty());
    assert_eq!(club.files_with(b"consent-of-M00012345"), Vec::<String>::new());
    wait_until("the key before is overwritten", PATIENCE, || club.files_with(&key[4..36]).is_empty());
    assert_eq!(club.ask("member.forget", &json!({ "member": MEMBER })), word("done", ""), "once more does no harm");
    assert_eq!(club.enrol("M00012347", "other.jpg", &other), word("done", ""), "there is room again");
    assert!(!club.shop.whole_log().contains(MEMBER), "nobody is named in the log");
    let verified = club.shop.tool(&["journal", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    club.shop.stop();
    let received = club.subscriber.received();
    assert_eq!((received.problems.clone(), received.numbering_problems()), (Vec::new(), Vec::new()));
}

#[test]
fn what_is_no_picture_of_one_person_with_a_consent_is_refused_with_its_reason() {
    let (Some(models), Some(one)) = (models(), photograph("Abdullah_Gul_0013.jpg")) else { return };
    let cut = one[..one.len() / 2].to_vec();
    let mut grey = Vec::new();
    let pixels = vec![120_u8; 300 * 200 * 3];
    let encoder = image::codecs::png::PngEncoder::new(&mut grey);
    image::ImageEncoder::write_image(encoder, &pixels, 300, 200, image::ExtendedColorType::Rgb8).unwrap();
    let files = vec![("one.jpg", one.clone()), ("cut.jpg", cut.clone()), ("grey.png", grey.clone())];
    let mut club = Club::open(&models, files);
    assert_eq!(club.enrol(MEMBER, "one.jpg", &grey), word("refused", "picture-digest"));
    assert_eq!(club.enrol(MEMBER, "cut.jpg", &cut), word("refused", "picture-unreadable"));
    assert_eq!(club.enrol(MEMBER, "grey.png", &grey), word("refused", "no-face"));
    assert_eq!(club.enrol(MEMBER, "nowhere.jpg", &one), word("failed", "picture-unreachable"));
    let expired = club.enrolment(MEMBER, "one.jpg", &one, "2026-01-01T00:00:00Z");
    assert_eq!(club.ask("member.enrol", &expired), word("refused", "consent-expired"));
    let mut inline = club.enrolment(MEMBER, "one.jpg", &one, FOREVER);
    inline["image"] = json!({ "data": "aGVsbG8=" });
    assert_eq!(club.ask("member.enrol", &inline), word("refused", "bad-args"));
    assert!(!club.shop.data().join("members.key").exists(), "nobody was enrolled");
}

#[test]
fn a_consent_ends_by_itself_without_the_cloud() {
    let (Some(models), Some(one)) = (models(), photograph("Abdullah_Gul_0013.jpg")) else { return };
    let mut club = Club::open(&models, vec![("one.jpg", one.clone())]);
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(20);
    let args = club.enrolment(MEMBER, "one.jpg", &one, &soon.to_string());
    assert_eq!(club.ask("member.enrol", &args), word("done", ""));
    let key = club.key();
    drop(std::mem::replace(&mut club.subscriber, Subscriber::started(club.broker.port())));
    club.broker.stop();
    wait_until("the key that the template was sealed with is gone", PATIENCE, || {
        club.files_with(&key[4..36]).is_empty()
    });
    assert!(jiff::Timestamp::now() >= soon, "not before its time");
}

/// The member walks by and is named, with their consent and the camera's station; a stranger walks by and is nobody;
/// when the member has been forgotten they are nobody, too. Nothing that was seen is in any file.
#[test]
fn a_camera_names_the_member_who_consented_and_nobody_else() {
    let (Some(models), Some(one), Some(again), Some(stranger)) = (
        models(),
        photograph("Abdullah_Gul_0013.jpg"),
        photograph("Abdullah_Gul_0014.jpg"),
        photograph("Aaron_Guiel_0001.jpg"),
    ) else {
        return;
    };
    let likeness = template(&models, &again);
    let mut club = Club::open(&models, vec![("one.jpg", one.clone())]);
    assert_eq!(club.enrol(MEMBER, "one.jpg", &one), word("done", ""));
    let (film, empty) = (club.shop.data().join("../film"), nobody());
    std::fs::create_dir_all(&film).unwrap();
    let scenes = [(&again, 30), (&empty, 40), (&stranger, 30), (&empty, 40)];
    let pictures = scenes.iter().flat_map(|(picture, times)| std::iter::repeat_n(*picture, *times));
    for (number, picture) in pictures.enumerate() {
        std::fs::write(film.join(format!("{number:04}")).with_extension("jpg"), picture).unwrap();
    }
    let camera = format!(
        "\n[[device]]\nid = \"camera-1\"\nprofile = \"camera/frames\"\nendpoint = \"frames:{}\"\n[device.settings]\n\
         recognition = true\n\n[[station]]\nid = \"door-1\"\nflow = \"door\"\ncamera = \"camera-1\"\n",
        film.display()
    );
    let watch = |club: &mut Club| {
        let before = club.subscriber.look(|got| got.of_type("face.visit.v1").count());
        club.shop.stop();
        club.shop.start();
        wait_until("two people have walked by", PATIENCE, || {
            club.subscriber.look(|got| got.of_type("face.visit.v1").count()) >= before + 2
        });
        let named = |event: &Value| (event["data"]["member"].clone(), event["data"]["station"].clone());
        club.subscriber.look(|got| got.of_type("face.member.v1").map(named).collect::<Vec<_>>())
    };
    let text = std::fs::read_to_string(club.shop.config()).unwrap();
    std::fs::write(club.shop.config(), text + &camera).unwrap();
    let named = watch(&mut club);
    assert!(!named.is_empty(), "the member is named");
    assert!(named.iter().all(|who| *who == (json!(MEMBER), json!("door-1"))), "{named:?}");
    let consents = |event: &Value| event["data"]["consent"] == "consent-of-M00012345";
    assert!(club.subscriber.look(|got| got.of_type("face.member.v1").all(consents)));
    for at in (0..likeness.len() - 16).step_by(16) {
        assert_eq!(club.files_with(&likeness[at..at + 16]), Vec::<String>::new(), "a piece of a likeness");
    }
    assert_eq!(club.files_with(&again[again.len() / 2..][..64]), Vec::<String>::new(), "a piece of a picture");

    assert_eq!(club.ask("member.forget", &json!({ "member": MEMBER })), word("done", ""));
    assert_eq!(watch(&mut club).len(), named.len(), "nobody is named any more");
    wait_until("nobody is named in any file", PATIENCE, || club.files_with(MEMBER.as_bytes()).is_empty());
}

/// The cloud names a station in the place of a picture. Nobody is enrolled by standing there; the member who scans
/// their code is looked at and named from then on. Somebody else's code enrols nobody.
#[test]
fn a_member_scans_their_code_at_a_station_and_its_camera_learns_them() {
    let (Some(models), Some(one)) = (models(), photograph("Abdullah_Gul_0013.jpg")) else { return };
    let likeness = template(&models, &one);
    let mut club = Club::open(&models, Vec::new());
    let film = club.shop.data().join("../film");
    std::fs::create_dir_all(&film).unwrap();
    for number in 0..10 {
        std::fs::write(film.join(format!("{number}.jpg")), &one).unwrap();
    }
    let place = format!(
        "\n[[device]]\nid = \"camera-1\"\nprofile = \"camera/frames\"\nendpoint = \"frames:{}\"\n[device.settings]\n\
         recognition = true\nrepeat = true\n\n[[station]]\nid = \"door-1\"\nflow = \"door\"\ncamera = \"camera-1\"\n\
         scanner = \"scanner-1\"\n",
        film.display()
    );
    let text = std::fs::read_to_string(club.shop.config()).unwrap();
    std::fs::write(club.shop.config(), text + &place).unwrap();
    club.shop.stop();
    club.shop.start();
    club.shop.wait_held();
    let consent = json!({ "member": MEMBER, "consent": "consent-7", "purpose": "greeting" });
    let at = |station: &str, expires: &str| {
        let mut args = consent.clone();
        (args["station"], args["expires"]) = (json!(station), json!(expires));
        args
    };
    assert_eq!(club.ask("member.enrol", &at("till-9", FOREVER)), word("refused", "no-such-station"));
    assert_eq!(club.ask("member.enrol", &at("door-1", "2026-01-01T00:00:00Z")), word("refused", "consent-expired"));
    let command =
        json!({ "id": "c-station", "action": "member.enrol", "args": at("door-1", FOREVER), "not_after": FOREVER });
    let port = club.broker.port();
    publish(port, COMMANDS, &command.to_string());
    // An answer to the next command says that the one before has been taken up.
    assert_eq!(club.ask("member.enrol", &at("till-9", FOREVER)), word("refused", "no-such-station"));
    let ended = |club: &Club| {
        club.subscriber.look(|got| {
            let mut ends = got.of_type("command.ended.v1");
            ends.find(|event| event["data"]["command"] == "c-station").map(|event| event["data"]["ended"].clone())
        })
    };
    club.shop.line.write(b"M00099999\r");
    club.subscriber.wait_for("M00099999", PATIENCE);
    assert_eq!(ended(&club), None, "somebody else's code");
    // What waits outlives a restart, because the command has not ended.
    club.shop.kill();
    club.shop.start();
    club.shop.wait_held();
    wait_until("the member is learned when they scan", PATIENCE, || {
        club.shop.line.write(format!("{MEMBER}\r").as_bytes());
        let until = Instant::now() + ASK_AGAIN;
        while Instant::now() < until && ended(&club).is_none() {
            std::thread::yield_now();
        }
        ended(&club).is_some()
    });
    assert_eq!(ended(&club), Some(json!("done")));
    let is_named = |event: &Value| event["data"]["member"] == MEMBER && event["data"]["consent"] == "consent-7";
    wait_until("the member is named", PATIENCE, || {
        club.subscriber.look(|got| got.of_type("face.member.v1").any(is_named))
    });
    for at in (0..likeness.len() - 16).step_by(16) {
        assert_eq!(club.files_with(&likeness[at..at + 16]), Vec::<String>::new(), "a piece of a likeness in the clear");
    }
    assert_eq!(club.files_with(&one[one.len() / 2..][..64]), Vec::<String>::new(), "a piece of a picture");
}

/// A picture without anybody, as a JPEG.
fn nobody() -> Vec<u8> {
    let mut jpeg = Vec::new();
    let pixels: Vec<u8> = (0..250 * 250 * 3).map(|at: u32| (at / 750 % 200) as u8).collect();
    let encoder = image::codecs::jpeg::JpegEncoder::new(&mut jpeg);
    image::ImageEncoder::write_image(encoder, &pixels, 250, 250, image::ExtendedColorType::Rgb8).unwrap();
    jpeg
}
