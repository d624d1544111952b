use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use tokio_util::sync::CancellationToken;

use super::slot::{News, Slot, SlotCounts};
use super::source::{Lens, Pace, Plan};
use super::*;
use crate::clock::{Clock, Trust};
use crate::device::testing::{BOUND, configure, mistakes, models_dir};
use crate::device::{DeviceKind, Members, Roster, port};
use crate::observe::{Board, Conditions, DeviceScope, Metrics};
use crate::sense::vision::gallery::{Gallery, MatchSettings};
use crate::transport::{CameraWish, Pixels};
use crate::types::{ConsentId, Endpoint, FaceMember, MemberKey, Observation, SimilarityBand};

const KINDS: &[&dyn DeviceKind] = &[&V4L2, &RTSP, &MJPEG, &FRAMES];
const V4L2_TEXT: &str = include_str!("../../../device-profiles/camera/v4l2.toml");
const RTSP_TEXT: &str = include_str!("../../../device-profiles/camera/rtsp.toml");
const MJPEG_TEXT: &str = include_str!("../../../device-profiles/camera/mjpeg.toml");
const FRAMES_TEXT: &str = include_str!("../../../device-profiles/camera/frames.toml");

const PACE: Pace =
    Pace { every: Duration::from_millis(10), stalled_after: Duration::from_secs(1), waits: false, returns: true };

#[test]
fn the_shipped_profiles_make_cameras_at_their_endpoints() {
    let scene = "zones = [{ name = \"shelf\", x = 0.0, y = 0.2, w = 0.4, h = 0.6 }]\n\
                 line = { from = [0.5, 0], to = [0.5, 1] }\nhidden = [{ x = 0.9, y = 0, w = 0.1, h = 1 }]\n\
                 recognition = true\nwindow = \"10s\"\nfps = 5";
    let login = "username = \"admin\"\npassword_file = \"secret\"";
    for (profile, endpoint, settings) in [
        (V4L2_TEXT, "v4l2:/dev/v4l/by-id/usb-camera", "width = 640\nheight = 480"),
        (V4L2_TEXT, "v4l2:/dev/video0", scene),
        (RTSP_TEXT, "rtsp://10.0.0.7/live", login),
        (MJPEG_TEXT, "http://10.0.0.7/live.mjpg", login),
        (FRAMES_TEXT, "frames:/tmp/frames", "repeat = true"),
    ] {
        let device = configure(KINDS, profile, endpoint, settings).unwrap();
        assert_eq!(device.endpoint().to_string(), endpoint);
        assert!(device.can().is_empty(), "nothing is asked of a camera");
    }
}

#[test]
fn mistakes_are_named_together() {
    let settings = "zones = [{ name = \"Shelf 1\", x = 0.0, y = 0.2, w = 0.4, h = 0.6 }]\n\
                    line = { from = [0.5, 0.5], to = [0.5, 0.52] }\nhidden = [{ x = 0.9, y = 0.0, w = 0.2, h = 1.0 }]\n\
                    window = \"7s\"\nfps = 0\nrepeat = true\nusername = \"admin\"\ncolour = 1";
    let mut found: Vec<_> = mistakes(KINDS, RTSP_TEXT, "http://10.0.0.7/", settings);
    found.sort();
    let codes: Vec<_> = found.iter().map(|(code, file, text)| (*code, file.as_str(), text.as_str())).collect();
    for (code, text) in [
        ("invalid-value", "{ name = \"Shelf 1\", x = 0.0, y = 0.2, w = 0.4, h = 0.6 }"),
        ("missing-key", "\"admin\""),
        ("misplaced", "true"),
        ("out-of-range", "\"7s\""),
        ("out-of-range", "0"),
        ("out-of-range", "{ from = [0.5, 0.5], to = [0.5, 0.52] }"),
        ("out-of-range", "{ x = 0.9, y = 0.0, w = 0.2, h = 1.0 }"),
        ("unknown-key", "colour"),
    ] {
        assert!(codes.contains(&(code, "store.toml", text)), "{code} {text}: {codes:?}");
    }
    assert!(codes.iter().any(|(code, ..)| *code == "wrong-endpoint"), "{codes:?}");
    assert_eq!(codes.len(), 9, "{codes:?}");
    let wide = V4L2_TEXT.replace("width = 1280", "width = 9999").replace("\"yuyv\"", "\"rgb\"");
    let found = mistakes(KINDS, &wide, "v4l2:/dev/video0", "");
    assert_eq!(found.iter().map(|one| one.2.as_str()).collect::<Vec<_>>(), ["9999", "\"rgb\""]);
}

/// A picture with its number in its pixels.
fn jpeg(number: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels = vec![number; 64 * 48 * 3];
    JpegEncoder::new(&mut bytes).encode(&pixels, 64, 48, ExtendedColorType::Rgb8).unwrap();
    bytes
}

fn part(bytes: &[u8]) -> Vec<u8> {
    [b"--b\r\nContent-Type: image/jpeg\r\n\r\n", bytes, b"\r\n"].concat()
}

/// A lens that looks at a plan, until the story is over.
fn through(plan: Plan, pace: Pace, story: impl FnOnce(&Slot)) {
    let (slot, stop, clock) = (Slot::default(), CancellationToken::new(), Clock::system(Trust::Trusted));
    let lens = Lens::new(plan, pace, slot.clone(), clock, stop.clone());
    let lens = std::thread::spawn(move || lens.run());
    story(&slot);
    stop.cancel();
    lens.join().unwrap();
    assert!(slot.take(Duration::ZERO).is_none() || slot.is_over());
}

/// The next picture's own number.
fn seen(slot: &Slot) -> u8 {
    let picture = slot.take(BOUND).expect("a picture comes");
    picture.pixels.frame().unwrap().rgb()[0]
}

fn told(slot: &Slot, wanted: impl Fn(&News) -> bool) {
    let mut waited = Duration::ZERO;
    loop {
        match slot.take_news() {
            Some(news) if wanted(&news) => return,
            _ => assert!(waited < BOUND, "the lens tells it in time"),
        }
        let _ = slot.take(Duration::from_millis(5));
        waited += Duration::from_millis(5);
    }
}

/// A camera at an address of its own, and the plan of whoever looks through it.
fn listening() -> (TcpListener, Plan) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/live", listener.local_addr().unwrap());
    let Ok(Endpoint::Http(url)) = Endpoint::parse(&url) else { panic!("it is a URL") };
    (listener, Plan::Mjpeg { url, login: None })
}

/// Lets the next client in, as far as the head of the answer.
fn welcome(listener: &TcpListener) -> TcpStream {
    let (mut client, _) = listener.accept().unwrap();
    let mut request = [0; 1024];
    let length = client.read(&mut request).unwrap();
    assert!(request[..length].starts_with(b"GET /live HTTP/1.1\r\n"));
    client.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n").unwrap();
    client
}

#[test]
fn a_network_camera_that_is_cut_is_looked_for_again() {
    let (listener, plan) = listening();
    through(plan, PACE, |slot| {
        for number in [50, 100, 150] {
            let mut client = welcome(&listener);
            client.write_all(&part(&jpeg(number))).unwrap();
            assert!(seen(slot).abs_diff(number) < 3);
            drop(client);
            told(slot, |news| matches!(news, News::Away(why) if why.contains("ended the stream")));
        }
    });
}

#[test]
fn noise_broken_and_endless_pictures_are_counted_and_the_next_is_seen() {
    let (listener, plan) = listening();
    through(plan, PACE, |slot| {
        let mut client = welcome(&listener);
        client.write_all(&part(&[7; 5000])).unwrap();
        let whole = jpeg(20);
        client.write_all(&part(&whole[..whole.len() - 5])).unwrap();
        client.write_all(&part(&jpeg(200))).unwrap();
        assert!(seen(slot).abs_diff(200) < 3);
        // One that never ends, longer than anything that is held.
        client.write_all(&whole[..whole.len() - 2]).unwrap();
        for _ in 0..=17 {
            client.write_all(&vec![7; 1 << 20]).unwrap();
        }
        client.write_all(&part(&jpeg(120))).unwrap();
        assert!(seen(slot).abs_diff(120) < 3);
        let SlotCounts { malformed, oversized, bytes, .. } = slot.take_counts();
        assert_eq!((malformed, oversized), (1, 1));
        assert!(bytes > 17 << 20);
    });
}

#[test]
fn a_picture_with_a_huge_head_is_refused_before_anything_is_reserved_for_it() {
    let mut huge = jpeg(9);
    let frame = huge.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    huge[frame + 5..frame + 9].copy_from_slice(&[0x4e, 0x20, 0x4e, 0x20]);
    let refused = super::slot::Pixels::Encoded(super::slot::Wiped(huge)).frame().err().unwrap();
    assert!(refused.to_string().contains("20000 x 20000"), "{refused}");
}

#[test]
fn a_network_camera_that_falls_silent_has_stalled_and_is_opened_anew() {
    let (listener, plan) = listening();
    through(plan, PACE, |slot| {
        let mut client = welcome(&listener);
        client.write_all(&part(&jpeg(60))).unwrap();
        assert!(seen(slot).abs_diff(60) < 3);
        told(slot, |news| matches!(news, News::Stalled(why) if why == "no picture for 1 s"));
        let mut again = welcome(&listener);
        again.write_all(&part(&jpeg(90))).unwrap();
        assert!(seen(slot).abs_diff(90) < 3);
        told(slot, |news| *news == News::Seeing);
    });
}

#[test]
fn who_is_not_there_or_is_no_camera_is_named_without_a_login() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (text, words) in [
        (format!("http://admin:secret@{nobody}/live"), "refused"),
        (format!("rtsp://admin:secret@{nobody}/live"), "describe"),
        ("v4l2:/dev/video-none".to_owned(), "No such file"),
        ("frames:/nowhere".to_owned(), "No such file"),
    ] {
        let plan = match Endpoint::parse(&text).unwrap() {
            Endpoint::Http(url) => Plan::Mjpeg { url, login: None },
            Endpoint::Rtsp(url) => Plan::Rtsp { url, login: None },
            Endpoint::V4l2(path) => {
                Plan::Node { path, wish: CameraWish { width: 640, height: 480, fps: 10, pixels: vec![Pixels::Yuyv] } }
            }
            Endpoint::Frames(path) => Plan::Folder { path, fps: 10.0, repeats: false },
            other => panic!("{other:?}"),
        };
        through(plan, PACE, |slot| {
            told(slot, |news| match news {
                News::Away(why) => {
                    assert!(why.contains(words) && !why.contains("secret"), "{text}: {why}");
                    true
                }
                _ => false,
            });
        });
    }
}

#[test]
fn a_folder_is_played_in_order_at_its_pace_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    for number in 1..=5 {
        std::fs::write(folder.path().join(format!("{number}.jpg")), jpeg(number * 40)).unwrap();
    }
    std::fs::write(folder.path().join("notes.txt"), "no picture").unwrap();
    let plan = |repeats| Plan::Folder { path: folder.path().to_owned(), fps: 50.0, repeats };
    let waiting = Pace { every: Duration::ZERO, waits: true, returns: false, ..PACE };
    through(plan(false), waiting, |slot| {
        for number in 1..=5_u8 {
            assert!(seen(slot).abs_diff(number * 40) < 3);
        }
        assert!(slot.take(BOUND).is_none() && slot.is_over());
        assert_eq!(slot.take_news(), Some(News::Over));
    });
    through(plan(true), waiting, |slot| (0..12).for_each(|_| assert!(seen(slot) > 30)));
}

#[test]
fn a_slow_look_leaves_pictures_out_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("1.jpg"), jpeg(40)).unwrap();
    let plan = Plan::Folder { path: Path::new(folder.path()).to_owned(), fps: 60.0, repeats: true };
    through(plan, Pace { every: Duration::ZERO, ..PACE }, |slot| {
        let first = slot.take(BOUND).unwrap().number;
        // waits: a look that takes long is the subject
        std::thread::sleep(Duration::from_millis(500));
        let second = slot.take(BOUND).unwrap().number;
        assert!(second > first + 10, "{first} and {second}");
        assert!(slot.take_counts().replaced >= 10);
    });
}

/// The folder of the networks and one of photographs; without them the test says so.
fn networks_and_photographs() -> Option<(PathBuf, PathBuf)> {
    let models = models_dir();
    #[expect(clippy::disallowed_methods, reason = "a test's place is told by its environment")]
    let data = std::env::var("SMARTSTORE_DATA").map_or_else(|_| PathBuf::from("../shared/data"), PathBuf::from);
    let faces = data.join("faces/lfw-dev");
    if models.join("sface-2021dec.onnx").is_file() && faces.is_dir() {
        return Some((models, faces));
    }
    println!("SKIPPED: no networks in {} or no photographs in {}", models.display(), faces.display());
    None
}

/// A list with one member, known by a photograph.
fn roster(models: &Path, photograph: &Path) -> Roster {
    let frame = crate::sense::vision::picture::decode(&std::fs::read(photograph).unwrap()).unwrap();
    let faces = super::networks::detector(models, INPUT).unwrap().faces(&frame).unwrap();
    let mut gallery = Gallery::default();
    gallery.add(super::networks::embedder(models).unwrap().embed(&frame, &faces[0]).unwrap().unwrap());
    let who = vec![(MemberKey::new("m-1").unwrap(), ConsentId::new("c-1").unwrap())];
    Roster { gallery: gallery.into(), who, settings: MatchSettings { similarity: 0.45, margin: 0.05 } }
}

/// What a camera says of a photograph that it sees for two seconds.
async fn says_of(photograph: &Path, settings: &str, members: Members) -> Vec<Observation> {
    let folder = tempfile::tempdir().unwrap();
    for number in 10..30 {
        std::fs::copy(photograph, folder.path().join(format!("{number}.jpg"))).unwrap();
    }
    let device = configure(KINDS, FRAMES_TEXT, &format!("frames:{}", folder.path().display()), settings).unwrap();
    let (clock, stop) = (Clock::system(Trust::Trusted), CancellationToken::new());
    let conditions = Conditions::new(clock.clone());
    let scope = DeviceScope::new(device.id().clone(), clock.clone(), conditions, Metrics::default(), Board::default());
    let (mut port, mut ends) = port(scope, clock, stop.clone());
    port.members = members;
    let mut said = Vec::new();
    let hearing = async {
        while !said.iter().any(|one| matches!(one, Observation::FaceVisit(_))) {
            said.push(crate::device::testing::said(&mut ends).await);
        }
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(device.run(&mut port), hearing);
    ended.unwrap();
    said
}

/// With two photographs of one person and one of another; recognition off, and nobody in the list, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_consented_is_told_by_name_and_nobody_else() {
    let Some((models, faces)) = networks_and_photographs() else { return };
    let (enrolled, again) = (faces.join("Al_Pacino_0001.jpg"), faces.join("Al_Pacino_0002.jpg"));
    let other = faces.join("AJ_Lamas_0001.jpg");
    let (newest, receiver) = tokio::sync::watch::channel(std::sync::Arc::default());
    let members = Members::new(receiver);
    newest.send_replace(std::sync::Arc::new(roster(&models, &enrolled)));
    let met = |said: &[Observation]| said.iter().filter(|one| matches!(one, Observation::FaceMember(_))).count();
    let on = "recognition = true";
    let said = says_of(&enrolled, on, members.clone()).await;
    let expected = FaceMember {
        member: MemberKey::new("m-1").ok(),
        consent: ConsentId::new("c-1").ok(),
        similarity: SimilarityBand::Sure,
        station: None,
    };
    assert!(said.contains(&Observation::FaceMember(expected)), "{said:?}");
    println!("another photograph of the member: {} times", met(&says_of(&again, on, members.clone()).await));
    assert_eq!(met(&says_of(&other, on, members.clone()).await), 0, "somebody else");
    assert_eq!(met(&says_of(&enrolled, "", members).await), 0, "recognition is off");
    assert_eq!(met(&says_of(&enrolled, on, Members::default()).await), 0, "nobody has consented");
}

/// What a mirror's page is given: its header, and the points.
fn read_shot(message: &[u8]) -> (u32, (u16, u16), Vec<(f32, f32)>) {
    let two = |at: usize| u16::from_le_bytes([message[at], message[at + 1]]);
    let number = u32::from_le_bytes(message[4..8].try_into().unwrap());
    let part = |at: usize| f32::from(two(at).cast_signed()) / 16.0;
    let points = (0..usize::from(two(2))).map(|point| (part(24 + 4 * point), part(26 + 4 * point))).collect();
    (number, (two(16), two(18)), points)
}

/// A folder with twenty times the same photograph.
fn film(photograph: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for number in 10..30 {
        std::fs::write(folder.path().join(format!("{number}.jpg")), photograph).unwrap();
    }
    folder
}

/// The pixel lies within the box around the lips.
fn assert_on_lips(pixel: usize, width: usize, points: &[(f32, f32)]) {
    let (column, row) = ((pixel % width) as f32, (pixel / width) as f32);
    let outer = crate::sense::mirror::LIPS_OUTER.map(|number| points[number]);
    let (left, right) = outer.iter().fold((f32::MAX, 0.0_f32), |(l, r), p| (l.min(p.0), r.max(p.0)));
    let (top, bottom) = outer.iter().fold((f32::MAX, 0.0_f32), |(t, b), p| (t.min(p.1), b.max(p.1)));
    let is_near = column >= left - 2.0 && column <= right + 2.0 && row >= top - 2.0 && row <= bottom + 2.0;
    assert!(is_near, "{column} {row} is outside {left}-{right}, {top}-{bottom}");
}

/// A mirror's page gets each picture with the points that were found in it; made up by the gateway, if it wishes so,
/// with not a byte changed outside lips and cheeks; and when the camera has gone, there is nothing left to get.
#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_shows_pictures_with_their_points_and_forgets_them() {
    let Some((models, faces)) = networks_and_photographs() else { return };
    if !models.join("facemesh-468.onnx").is_file() {
        println!("SKIPPED: no network for points in {}", models.display());
        return;
    }
    let photograph = std::fs::read(faces.join("Al_Pacino_0001.jpg")).unwrap();
    let folder = film(&photograph);
    let original = crate::sense::vision::picture::decode(&photograph).unwrap();
    let face = super::networks::detector(&models, INPUT).unwrap().faces(&original).unwrap()[0];
    let device =
        configure(KINDS, FRAMES_TEXT, &format!("frames:{}", folder.path().display()), "repeat = true").unwrap();
    let (clock, stop) = (Clock::system(Trust::Trusted), CancellationToken::new());
    let conditions = Conditions::new(clock.clone());
    let scope = DeviceScope::new(device.id().clone(), clock.clone(), conditions, Metrics::default(), Board::default());
    let (mut port, _ends) = port(scope, clock, stop.clone());
    let (mirrors, screen) = (crate::transport::Mirrors::default(), crate::types::DeviceId::new("mirror-1").unwrap());
    port.glass = Some(mirrors.behind(&screen));
    let mut page = mirrors.look(&screen).unwrap();
    let story = async {
        let (mut last, mut shown) = (0, Vec::new());
        while shown.len() < 5 {
            let Some(picture) = page.next().await else { continue };
            let (number, size, points) = read_shot(picture.bytes());
            assert!(number > last && (u32::from(size.0), u32::from(size.1)) == (original.width(), original.height()));
            last = number;
            if points.is_empty() {
                continue;
            }
            let rgb = &picture.bytes()[picture.bytes().len() - original.rgb().len()..];
            assert!(rgb == original.rgb(), "the picture is as it was");
            shown.push(points);
        }
        let near = |number: usize, x: f32, y: f32| {
            let (column, row) = shown[4][number];
            assert!((column - x).hypot(row - y) < 0.12 * face.place.w, "{number}: {column} {row} and not {x} {y}");
        };
        // The detector's own landmarks: the tip of the nose, and the corners of the mouth.
        near(1, face.landmarks[2].x, face.landmarks[2].y);
        near(61, face.landmarks[3].x, face.landmarks[3].y);
        near(291, face.landmarks[4].x, face.landmarks[4].y);

        page.wish(r#"{"do":"compose","on":true}"#.to_owned());
        page.wish(r#"{"do":"wear","lips":{"lab":[35,60,30],"strength":1.0}}"#.to_owned());
        let mut changed = Vec::new();
        while changed.is_empty() {
            let Some(picture) = page.next().await else { continue };
            let (_, _, points) = read_shot(picture.bytes());
            let rgb = &picture.bytes()[picture.bytes().len() - original.rgb().len()..];
            let pixels = rgb.chunks(3).zip(original.rgb().chunks(3)).enumerate();
            changed = pixels.filter(|(_, (one, other))| one != other).map(|(at, _)| (at, points.clone())).collect();
        }
        changed.iter().for_each(|(at, points)| assert_on_lips(*at, original.width() as usize, points));
        stop.cancel();
        while page.next().await.is_some() {}
    };
    let both = async { tokio::join!(device.run(&mut port), story) };
    let (ended, ()) = tokio::time::timeout(BOUND * 3, both).await.expect("the mirror shows and forgets");
    ended.unwrap();
}
