//! A mirror before photographs, with the real networks: where it paints, and that what is painted goes along with whom
//! it is painted on. Without networks or photographs a test says so and is skipped.

use std::path::PathBuf;
use std::sync::Arc;

use image::imageops::{FilterType, resize};

use super::eyes::INPUT;
use super::networks::{detector, mesh};
use super::reflect::Reflector;
use crate::device::testing::models_dir;
use crate::sense::mirror::{LIPS_INNER, LIPS_OUTER, Mask};
use crate::sense::vision::mesh::Mesh;
use crate::sense::vision::{Detector, Frame, Point, picture};
use crate::transport::{Mirrors, Viewer};
use crate::types::DeviceId;

/// A mirror's picture.
const SIZE: (u32, u32) = (640, 480);
/// Thirty pictures a second.
const STEP_US: i64 = 33_333;
const RED: &str = r#"{"do":"wear","lips":{"lab":[38,52,24],"strength":1,"gloss":false}}"#;

/// Photographs of people, the first so many.
#[expect(clippy::disallowed_methods, reason = "a test's data is told by its environment")]
fn photographs(count: usize) -> Vec<image::RgbImage> {
    let data = std::env::var("SMARTSTORE_DATA").map_or_else(|_| PathBuf::from("../shared/data"), PathBuf::from);
    let mut files: Vec<PathBuf> = std::fs::read_dir(data.join("faces/lfw-dev"))
        .map(|all| all.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "jpg"));
    files.sort();
    if files.is_empty() {
        eprintln!("SKIPPED: no photographs in {}; set SMARTSTORE_DATA", data.display());
    }
    let read = |file: &PathBuf| {
        let frame = picture::decode(&std::fs::read(file).unwrap()).unwrap();
        let photograph = image::RgbImage::from_raw(frame.width(), frame.height(), frame.rgb().to_vec()).unwrap();
        resize(&photograph, SIZE.1, SIZE.1, FilterType::Triangle)
    };
    files.iter().take(count).map(read).collect()
}

/// The photograph in a mirror's picture, so many pixels from its left edge.
fn placed(photograph: &image::RgbImage, left: i64) -> Frame {
    let mut canvas = image::RgbImage::from_pixel(SIZE.0, SIZE.1, image::Rgb([120, 124, 128]));
    image::imageops::replace(&mut canvas, photograph, left, 0);
    Frame::new(SIZE.0, SIZE.1, canvas.into_raw()).unwrap()
}

/// A mirror, and a page that looks at it.
struct Glassed {
    reflector: Reflector,
    page: Viewer,
    detector: Detector,
    mesh: Mesh,
    at_us: i64,
}

/// What the page was shown.
struct Shown {
    points: Vec<Point>,
    rgb: Vec<u8>,
    note: String,
}

impl Glassed {
    fn open() -> Option<Self> {
        let folder = models_dir();
        let Ok((detector, mesh)) = detector(&folder, INPUT).and_then(|found| Ok((found, mesh(&folder)?))) else {
            eprintln!("SKIPPED: no networks in {}; fetch them with `smartstore models fetch`", folder.display());
            return None;
        };
        let (mirrors, screen) = (Mirrors::default(), DeviceId::new("mirror-1").unwrap());
        let mut reflector = Reflector::new(Arc::clone(&mirrors.behind(&screen)));
        let page = mirrors.look(&screen).unwrap();
        reflector.load(&folder).unwrap();
        Some(Self { reflector, page, detector, mesh, at_us: 0 })
    }

    /// The mirror shows a picture.
    fn see(&mut self, mut frame: Frame) -> Shown {
        self.at_us += STEP_US;
        let faces = self.detector.faces(&frame).unwrap();
        self.reflector.reflect(self.at_us, &mut frame, &faces).unwrap();
        let message = futures_util::FutureExt::now_or_never(self.page.next()).unwrap().unwrap();
        read(message.bytes())
    }

    /// The points of the largest face, as they are in this picture alone.
    fn points(&mut self, frame: &Frame) -> Vec<Point> {
        let faces = self.detector.faces(frame).unwrap();
        let face = faces.iter().max_by(|one, other| one.place.area().total_cmp(&other.place.area())).unwrap();
        let points = self.mesh.points(frame, face).unwrap().unwrap_or_default();
        points.iter().map(|point| Point { x: point.x, y: point.y }).collect()
    }
}

/// By the table of `wire::screen::mirror`.
fn read(message: &[u8]) -> Shown {
    let u16_at = |at: usize| usize::from(u16::from_le_bytes([message[at], message[at + 1]]));
    let count = u16_at(2);
    let note = u32::from_le_bytes(message[20..24].try_into().unwrap()) as usize;
    let part = |at: usize| f32::from(i16::from_le_bytes([message[at], message[at + 1]])) / 16.0;
    let points = (0..count).map(|at| Point { x: part(24 + 4 * at), y: part(26 + 4 * at) });
    let after = 24 + 4 * count;
    Shown {
        points: points.collect(),
        rgb: message[after + note..].to_vec(),
        note: String::from_utf8(message[after..after + note].to_vec()).unwrap(),
    }
}

/// Whether a place is inside a closed polygon (even and odd crossings).
fn is_inside(contour: &[Point], x: f32, y: f32) -> bool {
    let edges = contour.iter().zip(contour.iter().cycle().skip(1));
    edges.filter(|(a, b)| (a.y <= y) != (b.y <= y) && x < a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x)).count() % 2 == 1
}

/// Intersection over union of what is painted by some points and what the contours of others enclose.
fn overlap(painted: &[Point], contours: &[Point]) -> f32 {
    let mask = Mask::lips(painted, (SIZE.0 as usize, SIZE.1 as usize));
    let (outer, inner) = (LIPS_OUTER.map(|number| contours[number]), LIPS_INNER.map(|number| contours[number]));
    let (mut both, mut either) = (0_u32, 0_u32);
    for row in 0..SIZE.1 as usize {
        for column in 0..SIZE.0 as usize {
            let (x, y) = (column as f32 + 0.5, row as f32 + 0.5);
            let is_lip = is_inside(&outer, x, y) && !is_inside(&inner, x, y);
            let is_painted = mask.share(column, row) >= 0.5;
            both += u32::from(is_lip && is_painted);
            either += u32::from(is_lip || is_painted);
        }
    }
    both as f32 / either as f32
}

#[test]
fn on_photographs_lips_are_painted_and_nothing_beside_them_changes_by_a_byte() {
    let Some(mut mirror) = Glassed::open() else { return };
    let mut overlaps = Vec::new();
    for photograph in photographs(24) {
        mirror.at_us += 60_000_000;
        let plain = mirror.see(placed(&photograph, 80));
        if plain.points.is_empty() {
            continue;
        }
        mirror.page.wish(RED.to_owned());
        mirror.page.wish(r#"{"do":"compose","on":true}"#.to_owned());
        let painted = mirror.see(placed(&photograph, 80));
        mirror.page.wish(r#"{"do":"compose","on":false}"#.to_owned());
        overlaps.push(overlap(&painted.points, &painted.points));
        let mask = Mask::lips(&painted.points, (SIZE.0 as usize, SIZE.1 as usize));
        let pixels = plain.rgb.chunks_exact(3).zip(painted.rgb.chunks_exact(3));
        let mut changed = 0;
        for (at, (before, after)) in pixels.enumerate() {
            let share = mask.share(at % SIZE.0 as usize, at / SIZE.0 as usize);
            // The points go over the wire in sixteenths of a pixel: the edge may be one pixel further.
            let is_near = || {
                let (column, row) = (at % SIZE.0 as usize, at / SIZE.0 as usize);
                (row.saturating_sub(1)..=row + 1)
                    .any(|row| (column.saturating_sub(1)..=column + 1).any(|column| mask.share(column, row) > 0.0))
            };
            assert!(before == after || share > 0.0 || is_near(), "pixel {at}");
            changed += usize::from(before != after);
        }
        assert!(changed > 100, "{changed} pixels");
    }
    overlaps.sort_by(f32::total_cmp);
    eprintln!("lips painted over lips by the contours: least {:?}, of {}", overlaps.first(), overlaps.len());
    eprintln!("{overlaps:?}");
    assert!(overlaps.iter().all(|overlap| *overlap >= 0.9), "{overlaps:?}");
}

/// Somebody sways before the mirror, as far and as fast as a head does: what is painted stays on the lips. Where the
/// lips are is known: the photograph is moved by whole pixels.
#[test]
fn make_up_goes_along_with_a_face_that_moves() {
    let Some(mut mirror) = Glassed::open() else { return };
    let (mut overlaps, mut strays) = (Vec::new(), Vec::new());
    for photograph in photographs(3) {
        mirror.at_us += 60_000_000;
        let still = mirror.points(&placed(&photograph, 80));
        for number in 0..60_u8 {
            // 60 pixels to each side, once in two seconds: up to 188 pixels a second.
            let turn = f64::from(number) / 60.0 * std::f64::consts::TAU;
            #[expect(clippy::cast_possible_truncation, reason = "within a picture")]
            let moved = (60.0 * turn.sin()).round() as i16;
            let truth: Vec<_> = still.iter().map(|point| Point { x: point.x + f32::from(moved), y: point.y }).collect();
            let shown = mirror.see(placed(&photograph, 80 + i64::from(moved)));
            overlaps.push(overlap(&shown.points, &truth));
            let stray = |number: usize| shown.points[number].x - truth[number].x;
            let eyes = truth[33].distance(truth[263]);
            strays.push((LIPS_OUTER.map(stray).iter().sum::<f32>() / 20.0 / eyes).abs());
        }
    }
    overlaps.sort_by(f32::total_cmp);
    strays.sort_by(f32::total_cmp);
    let at = |sorted: &[f32], percent: usize| sorted[(sorted.len() - 1) * percent / 100];
    let [least, low, middle] = [0, 5, 50].map(|percent| at(&overlaps, percent));
    eprintln!("painted over lips: least {least:.3}, p5 {low:.3}, p50 {middle:.3}");
    let [middle, high, most] = [50, 95, 100].map(|percent| at(&strays, percent));
    eprintln!("lips astray, in eye distances: p50 {middle:.4}, p95 {high:.4}, most {most:.4}");
    assert!(high < 0.02, "make-up slides by {high} eye distances");
    assert!(at(&overlaps, 50) > 0.8, "{overlaps:?}");
}

#[test]
fn a_photo_is_made_up_kept_and_gone_with_the_face() {
    let Some(mut mirror) = Glassed::open() else { return };
    let Some(photograph) = photographs(1).pop() else { return };
    let screen = DeviceId::new("mirror-1").unwrap();
    let mirrors = Mirrors::default();
    mirror.reflector = Reflector::new(mirrors.behind(&screen));
    mirror.page = mirrors.look(&screen).unwrap();
    mirror.reflector.load(&models_dir()).unwrap();
    mirror.page.wish(RED.replace("wear", "photo"));
    let nobody = || Frame::new(SIZE.0, SIZE.1, vec![120; 640 * 480 * 3]).unwrap();
    assert_eq!(mirror.see(nobody()).note, "", "without a face there is no photo");
    let shown = mirror.see(placed(&photograph, 80));
    let note: serde_json::Value = serde_json::from_str(&shown.note).unwrap();
    let number = u32::try_from(note["photo"].as_u64().unwrap()).unwrap();
    assert!(mirrors.has_photo(&screen, number));
    // The page is shown the plain picture, and the photo is made up.
    let photo = mirrors.take_photo(&screen, number).unwrap();
    let photo = picture::decode(photo.bytes()).unwrap();
    let lip = [17, 14].map(|at: usize| shown.points[at]);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the picture")]
    let (column, row) = (((lip[0].x + lip[1].x) / 2.0) as usize, ((lip[0].y + lip[1].y) / 2.0) as usize);
    let red = |[r, g, _]: [u8; 3]| i32::from(r) - i32::from(g);
    let plain = Frame::new(SIZE.0, SIZE.1, shown.rgb).unwrap();
    let (before, after) = (plain.pixel(column, row), photo.pixel(column, row));
    assert!(red(after) > red(before) + 20, "{before:?} {after:?}");

    mirror.page.wish(RED.replace("wear", "photo"));
    let number = number + 1;
    mirror.see(placed(&photograph, 80));
    assert!(mirrors.has_photo(&screen, number));
    for _ in 0..10 {
        mirror.see(nobody());
        mirror.at_us += 900_000;
    }
    assert!(mirrors.has_photo(&screen, number), "nine seconds without a face");
    mirror.at_us += 1_000_000;
    mirror.see(nobody());
    assert!(!mirrors.has_photo(&screen, number), "ten seconds");
}
