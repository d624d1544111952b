//! What an ordinary camera can honestly say of a skin.
//!
//! Tone as the individual typology angle (Chardon et al. 1991), redness and shine relative to the same face, visible
//! spots, and how lined the skin beside the eyes is, for comparing with the same person later. Without a colour chart
//! all of it is approximate. Moisture, sebum, acne and sensitivity cannot be seen by a camera and are not computed.

use super::colour::Lab;
use super::contour::{BRIDGE, CHEEKS, CHIN, FOREHEAD, POINTS, SIDES, TEMPLES};
use crate::sense::vision::{Frame, Point};

/// More clipped pixels than this spoil a measurement.
const CLIPPED: f32 = 0.02;
/// So much lightness between left and right is light from one side.
const UNEVEN: f32 = 8.0;
/// A face this dark or bright on the average shows nothing.
const DARK: f32 = 25.0;
/// Faces narrower than this, in pixels, have no spots or lines to measure.
const DETAIL: f32 = 220.0;
/// Radius of a patch of skin, in widths of the face.
const PATCH: f32 = 0.07;
/// How much darker than around it a spot is, in steps of lightness.
const SPOT: f32 = 4.0;

/// Whether the light allows a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Light {
    /// It does.
    Good,
    /// More than 2 % of the skin is clipped.
    Clipped,
    /// One side of the face is much lighter.
    Uneven,
    /// There is too little.
    Dark,
}

/// Classes of tone by the individual typology angle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// More than 55 degrees.
    VeryLight,
    /// More than 41.
    Light,
    /// More than 28.
    Intermediate,
    /// More than 10.
    Tan,
    /// More than -30.
    Brown,
    /// The rest.
    Dark,
}

/// What was measured. Approximate, and no diagnosis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Skin {
    /// Individual typology angle, degrees.
    pub ita_degrees: f32,
    /// Its class.
    pub tone: Tone,
    /// How much redder the cheeks are than the forehead, in CIELAB's a.
    pub redness: f32,
    /// Part of forehead and nose that gleams, percent.
    pub shine_percent: f32,
    /// Part of the cheeks that is in visible dark spots, percent; `None`: the face is too small in the picture.
    pub spots_percent: Option<f32>,
    /// How lined the skin beside the eyes is; only to be compared with the same person's. `None` as above.
    pub lines: Option<f32>,
}

impl Tone {
    /// The class of an angle.
    #[must_use]
    pub fn of(ita_degrees: f32) -> Self {
        match ita_degrees {
            ita if ita > 55.0 => Self::VeryLight,
            ita if ita > 41.0 => Self::Light,
            ita if ita > 28.0 => Self::Intermediate,
            ita if ita > 10.0 => Self::Tan,
            ita if ita > -30.0 => Self::Brown,
            _ => Self::Dark,
        }
    }
}

/// A round patch of skin.
struct Patch {
    colours: Vec<Lab>,
    clipped: usize,
}

impl Patch {
    fn mean(&self, of: fn(&Lab) -> f32) -> f32 {
        self.colours.iter().map(of).sum::<f32>() / self.colours.len().max(1) as f32
    }
}

fn patch(frame: &Frame, middle: Point, radius: f32) -> Option<Patch> {
    let mut patch = Patch { colours: Vec::new(), clipped: 0 };
    for (column, row) in around(frame, middle, radius)? {
        let pixel = frame.pixel(column, row);
        patch.clipped += usize::from(pixel.iter().any(|byte| *byte >= 254) || pixel.iter().all(|byte| *byte <= 3));
        patch.colours.push(Lab::of(pixel));
    }
    Some(patch)
}

/// The pixels of a disc; `None`: it is not wholly in the picture, or is none.
fn around(frame: &Frame, middle: Point, radius: f32) -> Option<Vec<(usize, usize)>> {
    let (columns, rows) = (frame.width() as f32, frame.height() as f32);
    let inside = middle.x - radius >= 0.0 && middle.y - radius >= 0.0;
    if !inside || middle.x + radius >= columns || middle.y + radius >= rows || radius < 1.0 {
        return None;
    }
    let span = |at: f32| whole((at - radius).ceil())..=whole((at + radius).floor());
    let is_near = |column: usize, row: usize| Point { x: column as f32, y: row as f32 }.distance(middle) <= radius;
    let row = |row: usize| span(middle.x).filter(move |column| is_near(*column, row)).map(move |column| (column, row));
    Some(span(middle.y).flat_map(row).collect())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside the picture, and `as` saturates")]
fn whole(at: f32) -> usize {
    at as usize
}

/// Measures the face whose points these are; why not, if the light does not allow it. `None`: not enough of a face is
/// in the picture.
#[must_use]
pub fn measure(frame: &Frame, points: &[Point]) -> Option<Result<Skin, Light>> {
    if points.len() != POINTS {
        return None;
    }
    let across = points[SIDES[0]].distance(points[SIDES[1]]);
    let radius = PATCH * across;
    let cheeks = [patch(frame, points[CHEEKS[0]], radius)?, patch(frame, points[CHEEKS[1]], radius)?];
    let (forehead, nose) = (patch(frame, points[FOREHEAD], radius)?, patch(frame, points[BRIDGE], radius / 2.0)?);
    let light = light(&[&cheeks[0], &cheeks[1], &forehead, &nose]);
    if light != Light::Good {
        return Some(Err(light));
    }
    let mean = |of: fn(&Lab) -> f32| (cheeks[0].mean(of) + cheeks[1].mean(of) + forehead.mean(of)) / 3.0;
    let ita_degrees = (mean(|lab| lab.l) - 50.0).atan2(mean(|lab| lab.b)).to_degrees();
    let has_detail = across >= DETAIL;
    let tall = points[FOREHEAD].distance(points[CHIN]);
    Some(Ok(Skin {
        ita_degrees,
        tone: Tone::of(ita_degrees),
        redness: (cheeks[0].mean(|lab| lab.a) + cheeks[1].mean(|lab| lab.a)) / 2.0 - forehead.mean(|lab| lab.a),
        shine_percent: shine(&forehead, &nose),
        spots_percent: has_detail.then(|| spots(frame, points, radius)).flatten(),
        lines: has_detail.then(|| lines(frame, points, tall * 0.06)).flatten(),
    }))
}

fn light(patches: &[&Patch; 4]) -> Light {
    let all: usize = patches.iter().map(|patch| patch.colours.len()).sum();
    let clipped: usize = patches.iter().map(|patch| patch.clipped).sum();
    let lightness = |patch: &Patch| patch.mean(|lab| lab.l);
    match () {
        () if clipped as f32 > CLIPPED * all as f32 => Light::Clipped,
        () if (lightness(patches[0]) - lightness(patches[1])).abs() > UNEVEN => Light::Uneven,
        () if lightness(patches[2]) < DARK => Light::Dark,
        () => Light::Good,
    }
}

/// Desaturated and much lighter than the patch: the lamp's colour, not the skin's.
fn shine(forehead: &Patch, nose: &Patch) -> f32 {
    let gleams = |patch: &Patch| {
        let (l, chroma) = (patch.mean(|lab| lab.l), patch.mean(|lab| lab.chroma()));
        patch.colours.iter().filter(|lab| lab.l > l + 10.0 && lab.chroma() < 0.7 * chroma).count()
    };
    let all = forehead.colours.len() + nose.colours.len();
    (gleams(forehead) + gleams(nose)) as f32 / all as f32 * 100.0
}

/// Pixels of the cheeks that are darker than their surroundings.
fn spots(frame: &Frame, points: &[Point], radius: f32) -> Option<f32> {
    let reach = whole((radius * 0.4).max(2.0));
    let (right, bottom) = (frame.width() as usize - 1, frame.height() as usize - 1);
    let lightness = |column: usize, row: usize| Lab::of(frame.pixel(column.min(right), row.min(bottom))).l;
    let (mut dark, mut all) = (0_usize, 0_usize);
    for cheek in CHEEKS {
        for (column, row) in around(frame, points[cheek], radius)? {
            let across = lightness(column + reach, row) + lightness(column.saturating_sub(reach), row);
            let down = lightness(column, row + reach) + lightness(column, row.saturating_sub(reach));
            dark += usize::from(lightness(column, row) < (across + down) / 4.0 - SPOT);
            all += 1;
        }
    }
    Some(dark as f32 / all.max(1) as f32 * 100.0)
}

/// How much lightness changes from row to row beside the eyes, where lines run across, for each step of lightness.
fn lines(frame: &Frame, points: &[Point], radius: f32) -> Option<f32> {
    let (mut change, mut lightness, mut all) = (0.0, 0.0, 0.0);
    for temple in TEMPLES {
        for (column, row) in around(frame, points[temple], radius)? {
            let below = (row + 1).min(frame.height() as usize - 1);
            let (here, next) = (Lab::of(frame.pixel(column, row)).l, Lab::of(frame.pixel(column, below)).l);
            change += (here - next).abs();
            lightness += here;
            all += 1.0;
        }
    }
    (all > 0.0 && lightness > 0.0).then(|| change / lightness * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (u32, u32) = (640, 480);

    fn points() -> Vec<Point> {
        let mut points = vec![Point { x: 320.0, y: 240.0 }; POINTS];
        for (number, x, y) in [
            (SIDES[0], 180.0, 240.0),
            (SIDES[1], 460.0, 240.0),
            (CHEEKS[0], 240.0, 290.0),
            (CHEEKS[1], 400.0, 290.0),
            (FOREHEAD, 320.0, 120.0),
            (BRIDGE, 320.0, 220.0),
            (CHIN, 320.0, 400.0),
            (TEMPLES[0], 190.0, 200.0),
            (TEMPLES[1], 450.0, 200.0),
        ] {
            points[number] = Point { x, y };
        }
        points
    }

    fn face(colour: impl Fn(u32, u32) -> Lab) -> Frame {
        let pixels = (0..SIZE.1).flat_map(|row| (0..SIZE.0).map(move |column| (column, row)));
        Frame::new(SIZE.0, SIZE.1, pixels.flat_map(|(column, row)| colour(column, row).pixel()).collect()).unwrap()
    }

    const SKIN: Lab = Lab { l: 65.0, a: 12.0, b: 18.0 };

    #[test]
    fn tone_and_redness_are_what_was_painted() {
        let red = |column: u32, row: u32| {
            let is_cheek = row > 260 && !(280..=360).contains(&column);
            Lab { a: if is_cheek { 17.0 } else { 12.0 }, ..SKIN }
        };
        let skin = measure(&face(red), &points()).unwrap().unwrap();
        // arctan((65 - 50) / 18) = 39.8 degrees: between 28 and 41.
        assert!((skin.ita_degrees - 39.8).abs() < 0.7 && skin.tone == Tone::Intermediate, "{skin:?}");
        assert!((skin.redness - 5.0).abs() < 0.3, "{skin:?}");
        assert!(skin.shine_percent < 0.1 && skin.spots_percent.unwrap() < 0.1 && skin.lines.unwrap() < 0.1, "{skin:?}");
        assert_eq!(
            [56.0, 50.0, 30.0, 20.0, 0.0, -40.0].map(Tone::of),
            [Tone::VeryLight, Tone::Light, Tone::Intermediate, Tone::Tan, Tone::Brown, Tone::Dark]
        );
    }

    #[test]
    fn spots_lines_and_shine_are_seen_where_they_are() {
        let marked = |column: u32, row: u32| match () {
            // A ninth of the cheeks, in spots of three by three.
            () if row > 260 && column % 9 < 3 && row % 9 < 3 => Lab { l: 55.0, ..SKIN },
            // The upper third of the forehead's patch gleams.
            () if row < 114 => Lab { l: 88.0, a: 2.0, b: 3.0 },
            () if (150..240).contains(&row) && row.is_multiple_of(4) => Lab { l: 58.0, ..SKIN },
            () => SKIN,
        };
        let plain = measure(&face(|_, _| SKIN), &points()).unwrap().unwrap();
        let skin = measure(&face(marked), &points()).unwrap().unwrap();
        assert!((3.0..20.0).contains(&skin.spots_percent.unwrap()), "{skin:?}");
        assert!(skin.lines.unwrap() > plain.lines.unwrap() + 2.0, "{skin:?}");
        assert!((15.0..45.0).contains(&skin.shine_percent), "{skin:?}");
    }

    #[test]
    fn bad_light_is_named_and_half_a_face_is_none() {
        let lit =
            |side: f32| move |column: u32, _: u32| Lab { l: if column < 320 { 60.0 } else { 60.0 + side }, ..SKIN };
        assert_eq!(measure(&face(lit(12.0)), &points()), Some(Err(Light::Uneven)));
        assert_eq!(measure(&face(|_, _| Lab { l: 18.0, ..SKIN }), &points()), Some(Err(Light::Dark)));
        let white = Lab { l: 100.0, a: 0.0, b: 0.0 };
        assert_eq!(measure(&face(|_, _| white), &points()), Some(Err(Light::Clipped)));
        let mut outside = points();
        outside[FOREHEAD].y = 3.0;
        assert_eq!(measure(&face(|_, _| SKIN), &outside), None);
        assert_eq!(measure(&face(|_, _| SKIN), &[]), None);
    }
}
