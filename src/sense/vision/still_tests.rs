//! What the detector's and the aligner's arithmetic must give, by hand and by what others computed.

use super::yunet::{self, InputSize, OUTPUTS, Thresholds};
use super::{Frame, Point, align};

const SIZE: InputSize = InputSize { width: 64, height: 32 };

fn outputs() -> Vec<Vec<f32>> {
    let places = [8 * 4, 4 * 2, 2];
    (0..12).map(|at| vec![0.0; places[at % 3] * [1, 1, 4, 10][at / 3]]).collect()
}

fn decode(outputs: &[Vec<f32>], scale: f32) -> Vec<yunet::Face> {
    let views: Vec<&[f32]> = outputs.iter().map(Vec::as_slice).collect();
    let thresholds = Thresholds { score: 0.6, overlap: 0.3 };
    yunet::decode(views.first_chunk().unwrap(), SIZE, scale, thresholds).unwrap()
}

#[test]
fn one_place_of_the_grid_is_a_face_by_the_models_formulas() {
    let mut outputs = outputs();
    // Stride 16, column 2, row 1 of 4 x 2.
    let at = 4 + 2;
    (outputs[1][at], outputs[4][at]) = (0.81, 1.0);
    outputs[7][at * 4..][..4].copy_from_slice(&[0.5, 0.25, 0.0, std::f32::consts::LN_2]);
    outputs[10][at * 10..][..10].copy_from_slice(&[0.0, 0.0, 1.0, 0.0, 0.5, 0.5, 0.0, 1.0, 1.0, 1.0]);
    let faces = decode(&outputs, 0.5);
    assert_eq!(faces.len(), 1);
    let face = faces[0];
    assert!((face.score - 0.9).abs() < 1e-6, "the root of class times objectness");
    let place = face.place;
    // Centre (2.5, 1.25) strides, one stride wide, two high, at half the size: 32 pixels a stride.
    for (value, expected) in [(place.x, 64.0), (place.y, 8.0), (place.w, 32.0), (place.h, 64.0)] {
        assert!((value - expected).abs() < 1e-4, "{place:?}");
    }
    assert_eq!(face.landmarks[1], Point { x: 96.0, y: 32.0 });
}

#[test]
fn of_two_that_overlap_the_surer_stays() {
    let mut outputs = outputs();
    for (at, score) in [(9, 0.7), (10, 0.95), (14, 0.8)] {
        (outputs[0][at], outputs[3][at]) = (score, score);
        outputs[6][at * 4..][..4].copy_from_slice(&[0.5, 0.5, 1.0, 1.0]);
    }
    let scores: Vec<f32> = decode(&outputs, 1.0).iter().map(|face| face.score).collect();
    assert_eq!(scores, [0.95, 0.8]);
}

#[test]
fn an_answer_of_another_network_is_refused_with_its_output() {
    let mut outputs = outputs();
    outputs[8].pop();
    let views: Vec<&[f32]> = outputs.iter().map(Vec::as_slice).collect();
    let thresholds = Thresholds { score: 0.6, overlap: 0.3 };
    let error = yunet::decode(views.first_chunk().unwrap(), SIZE, 1.0, thresholds).unwrap_err();
    assert_eq!(error.to_string(), format!("output {} has 7 numbers, not 8", OUTPUTS[8]));
}

#[test]
fn numbers_that_are_none_make_no_face() {
    let mut outputs = outputs();
    for output in &mut outputs {
        output.fill(f32::NAN);
    }
    assert_eq!(decode(&outputs, 1.0), []);
    for output in &mut outputs {
        output.fill(f32::INFINITY);
    }
    assert_eq!(decode(&outputs, 1.0), []);
}

#[test]
fn a_picture_stands_at_the_top_left_in_blue_green_red() {
    let frame = Frame::new(2, 2, [[10, 20, 30]; 4].concat()).unwrap();
    let mut input = vec![9.0; 3 * 64 * 32];
    yunet::fill(&frame, SIZE, &mut input);
    assert_eq!((input[0], input[64 * 32], input[2 * 64 * 32]), (30.0, 20.0, 10.0));
    assert_eq!((input[31], input[32], input[31 * 64 + 31]), (30.0, 0.0, 30.0), "32 x 32 of it are filled");
}

#[test]
fn a_face_that_is_upright_already_is_only_moved() {
    // A picture whose red is its column and green its row; the landmarks stand where the template wants them, 10 to
    // the right and 20 down.
    let rgb = (0..200_u8).flat_map(|row| (0..200_u8).flat_map(move |column| [column, row, 7])).collect();
    let frame = Frame::new(200, 200, rgb).unwrap();
    let template = [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)];
    let landmarks = template.map(|(x, y)| Point { x: x + 10.0, y: y + 20.0 });
    let mut input = vec![0.0; 3 * align::SIDE * align::SIDE];
    assert!(align::fill(&frame, &landmarks, &mut input));
    let plane = align::SIDE * align::SIDE;
    for (x, y) in [(0, 0), (50, 60), (111, 111)] {
        let at = y * align::SIDE + x;
        assert!((input[at] - (x + 10) as f32).abs() < 0.01, "red {} at {x}", input[at]);
        assert!((input[plane + at] - (y + 20) as f32).abs() < 0.01);
        assert!((input[2 * plane + at] - 7.0).abs() < 0.01);
    }
    assert!(!align::fill(&frame, &[Point { x: 3.0, y: 3.0 }; 5], &mut input));
}
