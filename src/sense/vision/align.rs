//! A face brought upright: the similarity that takes five landmarks to where a face network expects them.

use super::frame::whole;
use super::{Frame, Point};

/// Side of the upright picture, in pixels.
pub const SIDE: usize = 112;

/// Where the eyes, the nose and the corners of the mouth stand in a picture of 112 × 112: the template that face
/// networks are trained with (Deng et al., "`ArcFace`", 2019; five points of `InsightFace`).
const TEMPLATE: [Point; 5] = [
    Point { x: 38.2946, y: 51.6963 },
    Point { x: 73.5318, y: 51.5014 },
    Point { x: 56.0252, y: 71.7366 },
    Point { x: 41.5493, y: 92.3655 },
    Point { x: 70.7299, y: 92.2041 },
];

/// Scale, turn and shift: (x, y) becomes (a x − b y + tx, b x + a y + ty).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Similarity {
    a: f32,
    b: f32,
    tx: f32,
    ty: f32,
}

impl Similarity {
    /// The one that takes `from` to `to` with the least sum of squares (Umeyama 1991; in the plane it has this closed
    /// form). Nothing when all the points of `from` are one.
    fn least_squares(from: &[Point; 5], to: &[Point; 5]) -> Option<Self> {
        let (f, t) = (middle(from), middle(to));
        let (mut along, mut across, mut spread) = (0.0, 0.0, 0.0);
        for (one, other) in from.iter().zip(to) {
            let (x, y) = (one.x - f.x, one.y - f.y);
            let (u, v) = (other.x - t.x, other.y - t.y);
            along += x * u + y * v;
            across += x * v - y * u;
            spread += x * x + y * y;
        }
        if !spread.is_normal() {
            return None;
        }
        let (a, b) = (along / spread, across / spread);
        Some(Self { a, b, tx: t.x - (a * f.x - b * f.y), ty: t.y - (b * f.x + a * f.y) })
    }

    fn inverse(&self) -> Option<Self> {
        let size = self.a * self.a + self.b * self.b;
        if !size.is_normal() {
            return None;
        }
        let (a, b) = (self.a / size, -self.b / size);
        Some(Self { a, b, tx: -(a * self.tx - b * self.ty), ty: -(b * self.tx + a * self.ty) })
    }

    fn of(&self, at: Point) -> Point {
        Point { x: self.a * at.x - self.b * at.y + self.tx, y: self.b * at.x + self.a * at.y + self.ty }
    }
}

fn middle(points: &[Point; 5]) -> Point {
    let sum = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.x, y + point.y));
    Point { x: sum.0 / 5.0, y: sum.1 / 5.0 }
}

/// Fills `input` (3 × 112 × 112, red, green, blue planes, 0 to 255) with the upright face; black where the picture
/// ends. False when the landmarks are one point, and nothing can be turned.
pub fn fill(frame: &Frame, landmarks: &[Point; 5], input: &mut [f32]) -> bool {
    input.fill(0.0);
    let back = Similarity::least_squares(landmarks, &TEMPLATE).and_then(|there| there.inverse());
    let Some(back) = back else { return false };
    let plane = SIDE * SIDE;
    for y in 0..SIDE {
        for x in 0..SIDE {
            let from = back.of(Point { x: x as f32, y: y as f32 });
            for (channel, value) in sample(frame, from).into_iter().enumerate() {
                input[channel * plane + y * SIDE + x] = value;
            }
        }
    }
    true
}

/// The colour at a place between pixels, from the four around it; what is outside the picture is black.
pub(super) fn sample(frame: &Frame, at: Point) -> [f32; 3] {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let outside = !(at.x > -1.0 && at.y > -1.0 && at.x < width as f32 && at.y < height as f32);
    if outside {
        return [0.0; 3];
    }
    // One to the right and down, so that the truncation of -0.5 is the floor of it.
    let (x, y) = (whole(at.x + 1.0), whole(at.y + 1.0));
    let (right, down) = (at.x + 1.0 - x as f32, at.y + 1.0 - y as f32);
    let pixel = |x: usize, y: usize| {
        let inside = (1..=width).contains(&x) && (1..=height).contains(&y);
        inside.then(|| &frame.rgb()[((y - 1) * width + x - 1) * 3..][..3])
    };
    let corners = [
        (pixel(x, y), (1.0 - right) * (1.0 - down)),
        (pixel(x + 1, y), right * (1.0 - down)),
        (pixel(x, y + 1), (1.0 - right) * down),
        (pixel(x + 1, y + 1), right * down),
    ];
    let mut colour = [0.0; 3];
    for (pixel, weight) in corners {
        for (sum, value) in colour.iter_mut().zip(pixel.into_iter().flatten()) {
            *sum += f32::from(*value) * weight;
        }
    }
    colour
}
