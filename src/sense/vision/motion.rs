//! Whether anything moves in front of the camera: a reason to look for faces.

use super::Frame;

/// The picture is judged in so many columns and rows.
const COLUMNS: usize = 32;
const ROWS: usize = 24;
/// A cell has changed when its brightness differs by so much from what it is used to, of 255.
const CHANGE: f32 = 6.0;
/// How fast what has changed becomes usual, for each picture.
const LEARNING: f32 = 0.05;

/// Remembers how bright each part of the picture usually is: 768 numbers, nothing that shows a person.
#[derive(Debug, Default)]
pub struct MotionGate {
    usual: Vec<f32>,
}

impl MotionGate {
    /// What part of the picture differs from what is usual, 0 to 1; all of it for the first picture.
    pub fn look(&mut self, frame: &Frame) -> f32 {
        let now = brightness(frame);
        if self.usual.len() != now.len() {
            self.usual = now;
            return 1.0;
        }
        // A lamp that is switched on changes everything alike, and nobody has moved.
        let all: f32 = now.iter().zip(&self.usual).map(|(now, usual)| now - usual).sum::<f32>() / now.len() as f32;
        let mut changed = 0_u16;
        for (usual, now) in self.usual.iter_mut().zip(&now) {
            changed += u16::from((now - *usual - all).abs() > CHANGE);
            *usual += (now - *usual) * LEARNING;
        }
        f32::from(changed) / (COLUMNS * ROWS) as f32
    }
}

/// The green of a grid of cells, sixteen pixels of each: nearly brightness, and cheap.
fn brightness(frame: &Frame) -> Vec<f32> {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let mut cells = Vec::with_capacity(COLUMNS * ROWS);
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let mut sum = 0_u32;
            for part in 0..16 {
                let x = (column * 4 + part % 4) * width / (COLUMNS * 4);
                let y = (row * 4 + part / 4) * height / (ROWS * 4);
                sum += u32::from(frame.rgb()[(y * width + x) * 3 + 1]);
            }
            cells.push(sum as f32 / 16.0);
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(level: u8, person_at: Option<usize>) -> Frame {
        let (width, height) = (64, 48);
        let mut rgb = vec![level; width * height * 3];
        if let Some(left) = person_at {
            for y in 10..40 {
                rgb[(y * width + left) * 3..(y * width + left + 12) * 3].fill(200);
            }
        }
        Frame::new(64, 48, rgb).unwrap()
    }

    #[test]
    fn a_person_moves_and_a_lamp_does_not() {
        let mut gate = MotionGate::default();
        assert!(gate.look(&grey(50, None)) > 0.99, "nothing is usual yet");
        assert!(gate.look(&grey(50, None)) < 0.001);
        assert!(gate.look(&grey(90, None)) < 0.001, "a lamp");
        let mut gate = MotionGate::default();
        gate.look(&grey(50, None));
        assert!(gate.look(&grey(50, Some(20))) > 0.05, "somebody came in");
        for _ in 0..200 {
            gate.look(&grey(50, Some(20)));
        }
        assert!(gate.look(&grey(50, Some(20))) < 0.01, "a shelf that was moved becomes usual");
    }
}
