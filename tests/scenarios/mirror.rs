//! A mirror in a real browser: what is painted and where, the photo that goes to a phone, and that nothing of anybody
//! is left when they have gone. Without networks, photographs or a browser a test says so and is skipped.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, replace, resize};
use image::{ExtendedColorType, RgbImage};
use serde_json::Value;

use super::browser::{self, Browser, base64};
use super::console::request;
use super::content::Gallery;
use super::footfall::{all_files, memory};
use super::screens::{actions, judged_by_axe};
use super::studio::demo_content;
use super::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);
const IS_SEEN: &str =
    "window.__state && __state.mirror && __state.mirror.last && __state.mirror.last.points.length === 468";

/// The glass's pixels before and after a shade, against the contours of the lips in the same picture: how much of what
/// changed by half of what the lips' middle did lies within them, over both together; and how much changed at most that
/// is far outside.
const OVERLAP: &str = "(async () => { const { LIPS_OUTER, LIPS_INNER } = await import('/s/mirror-1/app/glass.js');
    const { points, size: [width, height] } = __state.mirror.last;
    const copy = document.createElement('canvas'); Object.assign(copy, { width, height });
    const pen = copy.getContext('2d'); pen.drawImage(document.querySelector('.glass'), 0, 0);
    const after = pen.getImageData(0, 0, width, height).data; const before = window.plain;
    const path = new Path2D(); for (const ring of [LIPS_OUTER, LIPS_INNER]) {
      ring.forEach((n, at) => path[at ? 'lineTo' : 'moveTo'](...points[n])); path.closePath(); }
    const near = new Path2D(); const mouth = Math.hypot(points[61][0] - points[291][0], points[61][1] - points[291][1]);
    const moved = (at) => Math.abs(after[at] - before[at]) + Math.abs(after[at + 1] - before[at + 1])
      + Math.abs(after[at + 2] - before[at + 2]);
    const inside = []; for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1)
      if (pen.isPointInPath(path, x + 0.5, y + 0.5, 'evenodd')) inside.push(moved(4 * (y * width + x)));
    inside.sort((a, b) => a - b); const half = inside[inside.length >> 1] / 2;
    let both = 0; let either = 0; let beside = 0; pen.lineWidth = mouth * 0.2;
    for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) { const at = 4 * (y * width + x);
      const lip = pen.isPointInPath(path, x + 0.5, y + 0.5, 'evenodd'); const painted = moved(at) >= half;
      both += lip && painted; either += lip || painted;
      if (!lip && moved(at) > beside && !pen.isPointInStroke(path, x + 0.5, y + 0.5)) beside = moved(at); }
    return { overlap: both / either, beside, lips: inside.length }; })()";
const KEEP_PLAIN: &str = "(() => { const { size: [width, height] } = __state.mirror.last;
    const copy = document.createElement('canvas'); Object.assign(copy, { width, height });
    const pen = copy.getContext('2d'); pen.drawImage(document.querySelector('.glass'), 0, 0);
    window.plain = pen.getImageData(0, 0, width, height).data; return true; })()";

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = picture.dimensions();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    encoder.encode(picture.as_raw(), width, height, ExtendedColorType::Rgb8).unwrap();
    bytes
}

/// Somebody as a mirror's camera sees them: 640 x 480, their face a good part of it.
fn before_the_mirror(photograph: &[u8]) -> RgbImage {
    let photograph = image::load_from_memory(photograph).unwrap().into_rgb8();
    let mut picture = nobody();
    replace(&mut picture, &resize(&photograph, 480, 480, FilterType::Triangle), 80, 0);
    picture
}

fn nobody() -> RgbImage {
    RgbImage::from_pixel(640, 480, image::Rgb([120, 124, 128]))
}

/// A shop with a mirror whose camera plays ten pictures over and over; what is in them can be exchanged.
struct Corner {
    gallery: Gallery,
    film: tempfile::TempDir,
}

impl Corner {
    /// Nothing, when something is not there that it takes.
    fn open() -> Option<(Self, RgbImage)> {
        let (models, photograph) = (super::members::models(), super::members::photograph("Abdullah_Gul_0013.jpg"));
        let (Some(models), Some(photograph), true) = (models, photograph, browser::is_there()) else { return None };
        let film = tempfile::tempdir().unwrap();
        let somebody = before_the_mirror(&photograph);
        play(film.path(), &somebody);
        let camera = format!(
            "\n[[device]]\nid = \"camera-1\"\nprofile = \"camera/frames\"\nendpoint = \"frames:{}\"\n\
             [device.settings]\nrepeat = true\n\n[[station]]\nid = \"mirror-corner\"\nflow = \"mirror\"\n\
             camera = \"camera-1\"\nscreen = \"mirror-1\"\n",
            film.path().display()
        );
        let mut gallery = Gallery::open_with(&[("mirror-1", "mirror", "")], &camera);
        gallery.shop.stop();
        let place = format!("data_dir = \"data\"\nmodels_dir = \"{}\"", models.display());
        gallery.shop.reconfigure("data_dir = \"data\"", &place);
        gallery.shop.start();
        gallery.put(&demo_content(), 1);
        Some((Self { gallery, film }, somebody))
    }

    fn page(&self, query: &str) -> Browser {
        let mut page = Browser::open(&self.gallery.shop.url(&format!("/s/mirror-1{query}")), "1280,720");
        page.wait_for(IS_SEEN, PATIENCE);
        page
    }
}

/// The camera sees this from now on.
fn play(film: &std::path::Path, picture: &RgbImage) {
    let bytes = jpeg(picture);
    for number in 0..10 {
        let new = film.join("new");
        std::fs::write(&new, &bytes).unwrap();
        std::fs::rename(&new, film.join(format!("{number}.jpg"))).unwrap();
    }
}

/// Waits until so many more pictures have been painted.
fn pass(page: &mut Browser, frames: u64) {
    let painted = page.value("__state.mirror.frames").as_u64().unwrap();
    page.wait_for(&format!("__state.mirror.frames >= {}", painted + frames), PATIENCE);
}

/// A mirror before a photograph: a shade colours the lips and nothing but the lips, and the skin test says what it can.
/// Then without WebGL: the gateway paints.
#[test]
fn a_mirror_paints_lips_where_they_are_with_and_without_webgl() {
    let Some((corner, _)) = Corner::open() else { return };
    for query in ["", "?webgl=no&lang=en"] {
        let mut page = corner.page(query);
        // The points have settled.
        pass(&mut page, 20);
        assert_eq!(page.value(KEEP_PLAIN), true);
        page.click(".swatch[data-sku='LIP-01']");
        page.wait_for("__state.mirror.worn.lips === 'LIP-01'", PATIENCE);
        pass(&mut page, 5);
        let found = page.value(OVERLAP);
        let webgl = page.value("__state.mirror.webgl");
        eprintln!("WebGL {webgl}: {found}");
        assert!(found["lips"].as_u64() > Some(300), "{found}");
        assert!(found["overlap"].as_f64() >= Some(0.9), "{query}: {found}");
        assert!(found["beside"].as_u64() <= Some(3), "{query}: {found}");
        let began = page.value("[__state.mirror.frames, performance.now()]");
        pass(&mut page, 15);
        let ended = page.value("[__state.mirror.frames, performance.now()]");
        let number = |value: &Value, at: usize| value[at].as_f64().unwrap();
        let seconds = (number(&ended, 1) - number(&began, 1)) / 1000.0;
        let fps = (number(&ended, 0) - number(&began, 0)) / seconds;
        eprintln!("WebGL {webgl}: {fps:.1} pictures a second without a graphics processor");
        page.click("[data-does='skin']");
        page.wait_for("__state.mirror.results", PATIENCE);
        page.keep_shot(if query.is_empty() { "mirror-zh" } else { "mirror-en-plain" });
        judged_by_axe(&mut page);
        // A page that goes at once takes with it what it had still to say.
        page.wait_for("__state.plays.waiting === 0", PATIENCE);
    }
    wait_until("the tries are told", PATIENCE, || {
        actions(&corner.gallery, "mirror-1").iter().filter(|action| *action == "SKU_CLICK").count() == 2
    });
}

/// The status that only asking whether something is there is answered with.
fn head(port: u16, path: &str) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.write_all(request("HEAD", path, &format!("127.0.0.1:{port}"), &[], None).as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

/// Whether each piece is somewhere in the daemon's memory.
fn are_in_memory(pid: u32, pieces: &[Vec<u8>]) -> Vec<bool> {
    let memory = memory(pid);
    let holds = |bytes: &[u8], piece: &[u8]| {
        let mut places = bytes.iter().enumerate().filter(|(_, byte)| **byte == piece[0]);
        places.any(|(at, _)| bytes[at..].starts_with(piece))
    };
    pieces.iter().map(|piece| memory.iter().any(|(_, bytes)| holds(bytes, piece))).collect()
}

/// The photo is to be taken along: where a phone is sent by the code.
fn offered(page: &mut Browser) -> String {
    page.click("[data-does='take']");
    page.wait_for("__state.mirror.hand", PATIENCE);
    let url = page.value("__state.mirror.hand.url");
    format!("/h/{}", url.as_str().unwrap().split_once("/h/").unwrap().1)
}

/// Somebody tries a shade, has a photo taken and takes it along: it is theirs once, made up, and nowhere on the gateway
/// any more. When they have gone for ten seconds, nothing of them is in its memory, and nothing ever was on its disk.
#[test]
fn a_photo_goes_to_the_phone_that_scans_and_nothing_is_left_of_whom_it_shows() {
    let Some((corner, somebody)) = Corner::open() else { return };
    let mut page = corner.page("");
    page.click(".swatch[data-sku='LIP-01']");
    page.wait_for("__state.mirror.worn.lips === 'LIP-01'", PATIENCE);
    page.click("[data-does='photo']");
    page.wait_for("document.querySelector('.count').textContent === '2'", PATIENCE);
    page.keep_shot("mirror-counts");
    page.wait_for("__state.mirror.photo", PATIENCE);
    page.keep_shot("mirror-photo-zh");
    judged_by_axe(&mut page);
    let path = offered(&mut page);
    page.keep_shot("mirror-photo-hand");
    judged_by_axe(&mut page);
    let shop = &corner.gallery.shop;
    assert_eq!(head(shop.console(), &path), "200", "who only asks has not scanned");
    assert_eq!(page.value("__state.mirror.hand.scanned || false"), false);
    let given = shop.get(&path).unwrap();
    page.wait_for("__state.mirror.hand.scanned", PATIENCE);
    page.keep_shot("mirror-photo-scanned");
    assert_eq!(shop.status_of(&path), Some(410), "once");
    let photo = base64(given.split_once("src=\"data:image/jpeg;base64,").unwrap().1.split('"').next().unwrap());
    let picture = image::load_from_memory(&photo).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), (640, 480));
    let lip = page.value("[17, 14].map((n) => __state.mirror.last.points[n])");
    let middle = |at: usize| (lip[0][at].as_f64().unwrap() + lip[1][at].as_f64().unwrap()) / 2.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the picture")]
    let (x, y) = (middle(0) as u32, middle(1) as u32);
    let red = |picture: &RgbImage| i32::from(picture.get_pixel(x, y).0[0]) - i32::from(picture.get_pixel(x, y).0[1]);
    assert!(red(&picture) > red(&somebody) + 20, "{} {}", red(&picture), red(&somebody));

    // What is looked for: the photo, the camera's picture as it came and as it was decoded, the points of the face.
    let camera = jpeg(&somebody);
    let pixels = image::load_from_memory(&camera).unwrap().into_rgb8().into_raw();
    let middle = |bytes: &[u8], length: usize| bytes[bytes.len() / 2..][..length].to_vec();
    // Of the row in the middle, where the face is.
    let face = pixels[(240 * 640 + 300) * 3..][..96].to_vec();
    let points = page.value("__state.mirror.last.points.slice(0, 8)");
    let sixteenths = points.as_array().unwrap().iter().flat_map(|point| [&point[0], &point[1]]).flat_map(|at| {
        #[expect(clippy::cast_possible_truncation, reason = "it was a whole number of sixteenths")]
        let part = (at.as_f64().unwrap() * 16.0) as i16;
        part.to_le_bytes()
    });
    let pieces = [middle(&photo, 32), middle(&camera, 32), face, sixteenths.collect()];
    wait_until("the search finds who is there", PATIENCE, || are_in_memory(shop.pid(), &pieces)[2..] == [true, true]);
    play(corner.film.path(), &nobody());
    page.wait_for("__state.mirror.session === null", PATIENCE);
    let mut left = Vec::new();
    wait_until("nothing is left in memory", PATIENCE, || {
        let now = are_in_memory(shop.pid(), &pieces);
        if now != left {
            eprintln!("photo, as it came, decoded, points: {now:?}");
            left.clone_from(&now);
        }
        !now.contains(&true)
    });
    for (name, bytes) in all_files(shop.config().parent().unwrap()) {
        let holds = pieces.iter().any(|piece| bytes.windows(piece.len()).any(|window| window == piece));
        assert!(!holds, "{name} holds a piece of them");
    }
    let told = actions(&corner.gallery, "mirror-1");
    let expected = ["BODY_SENSOR", "SKU_CLICK", "PHOTO_CLICK", "GET_PHOTO"];
    assert_eq!(told.iter().filter(|action| expected.contains(&action.as_str())).count(), 4, "{told:?}");
}

/// Somebody who goes before they scanned leaves no photo behind.
#[test]
fn a_photo_that_nobody_fetched_goes_with_whom_it_shows() {
    let Some((corner, _)) = Corner::open() else { return };
    let mut page = corner.page("?lang=en");
    page.click("[data-does='photo']");
    page.wait_for("__state.mirror.photo", PATIENCE);
    page.keep_shot("mirror-photo-en");
    let path = offered(&mut page);
    play(corner.film.path(), &nobody());
    page.wait_for("__state.mirror.session === null && __state.mirror.photo === null", PATIENCE);
    wait_until("the photo is gone", PATIENCE, || corner.gallery.shop.status_of(&path) == Some(410));
}

/// A member's session at a mirror is in what they do at it, and ends with their face.
#[test]
fn a_member_at_a_mirror_is_nobody_again_when_their_face_has_gone() {
    let Some((mut corner, _)) = Corner::open() else { return };
    corner.gallery.shop.stop();
    corner.gallery.shop.reconfigure("camera = \"camera-1\"\n", "camera = \"camera-1\"\nscanner = \"scanner-1\"\n");
    corner.gallery.shop.reconfigure("[console]\n", "[codes]\nmember = \"^M[0-9]{8,}$\"\n\n[console]\n");
    corner.gallery.shop.start();
    corner.gallery.shop.wait_held();
    let mut page = corner.page("");
    corner.gallery.shop.line.write(b"M00012345\r");
    page.wait_for("__state.member && document.querySelector('.member[role=status] button')", PATIENCE);
    page.keep_shot("mirror-member");
    let session = page.value("__state.member");
    page.click(".swatch[data-sku='LIP-01']");
    page.wait_for("__state.mirror.worn.lips === 'LIP-01'", PATIENCE);
    play(corner.film.path(), &nobody());
    page.wait_for("__state.member === null && __state.mirror.session === null", PATIENCE);
    let said = |corner: &Corner| {
        corner.gallery.subscriber.look(|got| {
            let mut found: Vec<_> = got.of_type("station.session.v1").cloned().collect();
            found.sort_by_key(|event| event["seq"].as_u64());
            found.into_iter().map(|event| event["data"].clone()).collect::<Vec<_>>()
        })
    };
    wait_until("its end is at the cloud", PATIENCE, || said(&corner).len() >= 2);
    let [bound, ended] = &said(&corner)[..] else { panic!("{:?}", said(&corner)) };
    assert_eq!((&bound["session"], &bound["station"]), (&session, &Value::from("mirror-corner")));
    assert_eq!((&ended["session"], &ended["how"]), (&session, &Value::from("idle")));
    let tried = corner.gallery.subscriber.look(|got| {
        let tries = got.of_type("screen.action.v1").filter(|event| event["data"]["action"] == "SKU_CLICK");
        tries.map(|event| event["data"]["session"].clone()).collect::<Vec<_>>()
    });
    assert_eq!(tried, [session]);
}
