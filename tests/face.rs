//! Faces in photographs, by the built binary and the real networks. Without them, or without the photographs, a test
//! says so and is skipped: `smartstore models fetch` brings the networks, `$SMARTSTORE_DATA` names the photographs.
#![cfg(feature = "onnx")]
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests fail loudly")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The folder of the networks: `make test` fetches them there.
fn models() -> Option<PathBuf> {
    let folder = std::env::var_os("SMARTSTORE_MODELS").map_or_else(|| PathBuf::from("models"), PathBuf::from);
    if folder.join("yunet-2023mar.onnx").is_file() && folder.join("sface-2021dec.onnx").is_file() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no networks in {}; fetch them with `smartstore models fetch`", folder.display());
    None
}

fn photographs() -> Option<PathBuf> {
    let folder = std::env::var_os("SMARTSTORE_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let faces = folder.join("faces");
    if faces.is_dir() {
        return Some(faces);
    }
    eprintln!("SKIPPED: no photographs at {}; set SMARTSTORE_DATA", faces.display());
    None
}

fn smartstore(models: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smartstore"));
    command.args(arguments).arg("--models").arg(models).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Faces in each photograph by `OpenCV` 4.11's own `FaceDetectorYN` with the published network: 640 x 640, letterboxed
/// at the top left, score 0.6, overlap 0.3.
const CROWDS: [(&str, usize); 12] = [
    ("scene_01.jpg", 52),
    ("scene_03.jpg", 26),
    ("scene_05.jpg", 2),
    ("scene_07.jpg", 9),
    ("scene_09.jpg", 6),
    ("scene_11.jpg", 4),
    ("scene_13.jpg", 5),
    ("scene_15.jpg", 3),
    ("scene_17.jpg", 139),
    ("scene_19.jpg", 102),
    ("scene_21.jpg", 1),
    ("scene_23.jpg", 71),
];

#[test]
fn a_crowd_has_as_many_faces_as_another_engine_finds_with_the_published_network() {
    let (Some(models), Some(photographs)) = (models(), photographs()) else { return };
    let paths: Vec<String> =
        CROWDS.iter().map(|(name, _)| photographs.join("scenes").join(name).display().to_string()).collect();
    let mut arguments = vec!["face", "detect", "--json"];
    arguments.extend(paths.iter().map(String::as_str));
    let output = smartstore(&models, &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut found, mut expected) = (0, 0);
    for (line, (name, faces)) in lines(&output).iter().zip(CROWDS) {
        let here = line["faces"].as_array().unwrap().len();
        assert!(here.abs_diff(faces) * 20 <= faces.max(19), "{name}: {here} of {faces}");
        found += here;
        expected += faces;
    }
    assert!(found.abs_diff(expected) * 100 <= expected * 3, "{found} of {expected}");
}

/// So many pairs of one person and of two; the similarity from which on they are one is the card's.
const PAIRS: usize = 30;
const ONE_PERSON: f64 = 0.363;

#[test]
fn two_photographs_of_one_person_are_alike_and_of_two_people_are_not() {
    let (Some(models), Some(photographs)) = (models(), photographs()) else { return };
    let table = std::fs::read_to_string(photographs.join("lfw-dev/pairs.csv")).unwrap();
    let of = |same: &'static str| table.lines().filter(move |line| line.ends_with(same)).take(PAIRS);
    let mut pairs = String::from("a,b,same\n");
    for line in of(",1").chain(of(",0")) {
        let mut cells = line.split(',').map(|cell| photographs.join("lfw-dev").join(cell).display().to_string());
        pairs.push_str(&format!("{},{},-\n", cells.next().unwrap(), cells.next().unwrap()));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pairs.csv");
    std::fs::write(&file, pairs).unwrap();
    let output = smartstore(&models, &["face", "compare", "--json", "--pairs", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let similar: Vec<bool> =
        lines(&output).iter().map(|line| line["similarity"].as_f64().unwrap() >= ONE_PERSON).collect();
    assert_eq!(similar.len(), 2 * PAIRS);
    let right = similar.iter().enumerate().filter(|(at, similar)| **similar == (*at < PAIRS)).count();
    assert!(right >= 2 * PAIRS - 2, "{right} of {} are right", 2 * PAIRS);
}

#[test]
fn who_walks_by_is_one_visit_and_a_member_only_if_enrolled() {
    let (Some(models), Some(photographs)) = (models(), photographs()) else { return };
    let (enrolled, shown) = ("Abdullah_Gul_0013.jpg", "Abdullah_Gul_0014.jpg");
    let photograph = |name: &str| image::open(photographs.join("lfw-dev").join(name)).unwrap().into_rgb8();
    let folder = tempfile::tempdir().unwrap();
    let (frames, gallery, tracks) =
        (folder.path().join("frames"), folder.path().join("gallery"), folder.path().join("tracks.csv"));
    std::fs::create_dir(&frames).unwrap();
    std::fs::create_dir(&gallery).unwrap();
    photograph(enrolled).save(gallery.join("m-0017.jpg")).unwrap();
    for step in 0..20_u8 {
        let mut frame = image::RgbImage::from_pixel(640, 360, image::Rgb([110, 115, 120]));
        image::imageops::overlay(&mut frame, &photograph(shown), 60 + i64::from(step) * 12, 50);
        frame.save(frames.join(format!("{step:03}.png"))).unwrap();
    }
    let paths = [&frames, &gallery, &tracks].map(|path| path.to_str().unwrap().to_owned());
    let replay = ["face", "replay", &paths[0], "--fps", "10", "--json"];
    let strangers = lines(&smartstore(&models, &replay));
    let with_gallery = [&replay[..], &["--gallery", &paths[1], "--tracks", &paths[2]]].concat();
    let members = lines(&smartstore(&models, &with_gallery));
    let visits = |lines: &[Value]| -> Vec<Value> {
        lines.iter().filter(|line| line["type"] == "visit").map(|line| line["member"].clone()).collect()
    };
    assert_eq!(visits(&strangers), [Value::Null], "{strangers:?}");
    assert_eq!(visits(&members), ["m-0017"], "{members:?}");
    let summary = members.last().unwrap();
    assert_eq!((summary["frames"].as_u64(), summary["visits"].as_u64()), (Some(20), Some(1)), "{summary}");
    let table = std::fs::read_to_string(&tracks).unwrap();
    assert_eq!(table.lines().next(), Some("frame,track,x,y,w,h,member"));
    assert!(table.lines().count() >= 20, "{table}");
}

#[test]
fn a_network_whose_bytes_are_not_its_cards_is_never_loaded() {
    let Some(models) = models() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("yunet-2023mar.onnx");
    let mut bytes = std::fs::read(models.join("yunet-2023mar.onnx")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let refused = smartstore(folder.path(), &["face", "detect", "x.jpg"]);
    let words = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(69), "{words}");
    assert!(words.contains("yunet-2023mar.onnx has SHA-256") && words.contains("models fetch"), "{words}");
    assert_eq!(smartstore(folder.path(), &["models", "verify"]).status.code(), Some(1));
    assert!(smartstore(&models, &["models", "verify"]).status.success());
}

#[test]
fn pairs_that_are_none_are_refused_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pairs.csv");
    for (text, words) in [("x,y\n1,2\n", "line 1: no column `a`"), ("a,b\nonly\n", "line 2: two paths are expected")] {
        std::fs::write(&file, text).unwrap();
        let refused = smartstore(folder.path(), &["face", "compare", "--pairs", file.to_str().unwrap()]);
        assert_eq!(refused.status.code(), Some(64));
        assert!(String::from_utf8_lossy(&refused.stderr).contains(words));
    }
}

/// What `TensorFlow` Lite's own interpreter (ai-edge-litert 2.x) answers to a picture whose value number i, rows before
/// columns before colours, is (7919 i mod 256) / 255: the first and the last of the 468 points, and its doubt.
#[test]
fn the_mesh_says_what_the_published_network_says() {
    let Some(models) = models() else { return };
    let Ok(network) = std::fs::read(models.join("facemesh-468.onnx")) else {
        eprintln!("SKIPPED: no facemesh-468 in {}", models.display());
        return;
    };
    const SIDE: usize = 192;
    let mut input = vec![0.0; 3 * SIDE * SIDE];
    for number in 0..input.len() {
        let (pixel, colour) = (number / 3, number % 3);
        input[colour * SIDE * SIDE + pixel] = (number * 7919 % 256) as f32 / 255.0;
    }
    let mut network =
        smartstore::sense::vision::Network::load(&network, [1, 3, SIDE, SIDE], &["conv2d_20", "conv2d_30"]).unwrap();
    let (points, sure) = network.run(&input, |outputs| (outputs[0].to_vec(), outputs[1].to_vec())).unwrap();
    let first = [92.157_34, 121.997_18, -9.735_026, 94.808_334, 108.983_604, -24.986_284];
    let last = [139.190_34, 73.413_96, 5.168_67];
    let near = |found: &[f32], expected: &[f32]| found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3);
    assert_eq!((points.len(), sure.len()), (468 * 3, 1));
    assert!(near(&points[..6], &first), "{:?}", &points[..6]);
    assert!(near(&points[1401..], &last) && near(&sure, &[-9.640_011]), "{:?} {sure:?}", &points[1401..]);
}
