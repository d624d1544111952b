//! sRGB (IEC 61966-2-1) to CIELAB under D65 and back.

use std::sync::LazyLock;

/// A colour as people see it: lightness 0 to 100, green to red, blue to yellow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lab {
    /// Lightness, 0 to 100.
    pub l: f32,
    /// Green (below zero) to red.
    pub a: f32,
    /// Blue (below zero) to yellow.
    pub b: f32,
}

/// White under D65.
const WHITE: [f32; 3] = [0.950_47, 1.0, 1.088_83];
/// Where the cube root begins (CIE 15:2018), and the slope below.
const EPSILON: f32 = 216.0 / 24_389.0;
const KAPPA: f32 = 24_389.0 / 27.0;

/// Linear light of each sRGB byte.
static LINEAR: LazyLock<[f32; 256]> = LazyLock::new(|| {
    std::array::from_fn(|byte| {
        let value = byte as f32 / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    })
});

fn encoded(linear: f32) -> f32 {
    let linear = linear.clamp(0.0, 1.0);
    if linear <= 0.003_130_8 { linear * 12.92 } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
}

fn root(t: f32) -> f32 {
    if t > EPSILON { t.cbrt() } else { (KAPPA * t + 16.0) / 116.0 }
}

fn cube(f: f32) -> f32 {
    let cube = f * f * f;
    if cube > EPSILON { cube } else { (116.0 * f - 16.0) / KAPPA }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before, and `as` saturates")]
fn byte(value: f32) -> u8 {
    (value * 255.0).round() as u8
}

impl Lab {
    /// Of a pixel.
    #[must_use]
    pub fn of([red, green, blue]: [u8; 3]) -> Self {
        let [r, g, b] = [red, green, blue].map(|byte| LINEAR[usize::from(byte)]);
        let x = 0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b;
        let y = 0.212_672_9 * r + 0.715_152_2 * g + 0.072_175 * b;
        let z = 0.019_333_9 * r + 0.119_192 * g + 0.950_304_1 * b;
        let [x, y, z] = [root(x / WHITE[0]), root(y / WHITE[1]), root(z / WHITE[2])];
        Self { l: 116.0 * y - 16.0, a: 500.0 * (x - y), b: 200.0 * (y - z) }
    }

    /// As a pixel; a colour that a screen cannot show becomes the nearest byte of each channel.
    #[must_use]
    pub fn pixel(self) -> [u8; 3] {
        let y = (self.l + 16.0) / 116.0;
        let (x, z) = (y + self.a / 500.0, y - self.b / 200.0);
        let [x, y, z] = [cube(x) * WHITE[0], cube(y) * WHITE[1], cube(z) * WHITE[2]];
        let r = 3.240_454_2 * x - 1.537_138_5 * y - 0.498_531_4 * z;
        let g = -0.969_266 * x + 1.876_010_8 * y + 0.041_556 * z;
        let b = 0.055_643_4 * x - 0.204_025_9 * y + 1.057_225_2 * z;
        [r, g, b].map(|linear| byte(encoded(linear)))
    }

    /// How colourful.
    #[must_use]
    pub fn chroma(self) -> f32 {
        self.a.hypot(self.b)
    }

    /// How far from another (CIE 1976).
    #[must_use]
    pub fn distance(self, other: Self) -> f32 {
        (self.l - other.l).hypot(self.a - other.a).hypot(self.b - other.b)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Published values of sRGB's primaries under D65 (B. Lindbloom, CIE Color Calculator).
    #[test]
    fn the_primaries_are_where_the_tables_have_them() {
        for (pixel, l, a, b) in [
            ([255, 0, 0], 53.24, 80.09, 67.20),
            ([0, 255, 0], 87.73, -86.18, 83.18),
            ([0, 0, 255], 32.30, 79.19, -107.86),
            ([255, 255, 255], 100.0, 0.0, 0.0),
            ([0, 0, 0], 0.0, 0.0, 0.0),
        ] {
            let found = Lab::of(pixel);
            assert!(found.distance(Lab { l, a, b }) < 0.05, "{pixel:?}: {found:?}");
        }
    }

    proptest! {
        #[test]
        fn every_pixel_comes_back(pixel: [u8; 3]) {
            let back = Lab::of(pixel).pixel();
            prop_assert!(pixel.iter().zip(back).all(|(one, other)| one.abs_diff(other) <= 1), "{pixel:?} {back:?}");
        }
    }
}
