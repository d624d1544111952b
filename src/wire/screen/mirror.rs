//! What a mirror's camera and its page tell each other.
//!
//! The camera says, over a WebSocket, one binary message for each picture, little-endian:
//!
//! ```text
//! 0  u8   version, 1
//! 1  u8   flags: 1 a face is there, 2 the picture is made up already
//! 2  u16  points of the face: 468, or 0
//! 4  u32  number of the picture
//! 8  f64  when it was taken, milliseconds since 1970
//! 16 u16  columns          18 u16  rows
//! 20 u32  bytes of a note: JSON, or 0
//! 24      points: column and row, i16 each, in sixteenths of a pixel
//!         then the JSON, then the picture: RGB, 8 bits each, rows from the top
//! ```
//!
//! Points and picture are of the same moment: make-up that is painted by them cannot slide. The page says wishes, JSON.

use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;
const HAS_FACE: u8 = 1;
const IS_MADE_UP: u8 = 2;
/// Parts of a pixel.
const PARTS: f32 = 16.0;

/// A picture for the page.
#[derive(Debug)]
pub struct Shot<'a> {
    /// Counts up.
    pub number: u32,
    /// When it was taken, milliseconds since 1970.
    pub at_ms: f64,
    /// Columns and rows.
    pub size: (u32, u32),
    /// Whether it is made up already.
    pub is_made_up: bool,
    /// Column and row of each point of the face, in pixels; none: nobody is there.
    pub points: &'a [(f32, f32)],
    /// What else is to be said.
    pub note: Note,
    /// RGB.
    pub rgb: &'a [u8],
}

/// What is said of a picture because a page wished it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Note {
    /// What was measured of the skin in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// It is kept as the photo of this number, made up as was wished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo: Option<u32>,
}

/// What was measured of a skin, or why not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// `good`, `clipped`, `uneven`, `dark` or `no-face`.
    pub light: &'static str,
    /// The figures, if the light is good. Keys of what a camera cannot see are there and empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skin: Option<SkinV1>,
}

/// Figures of a skin, approximate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SkinV1 {
    /// Individual typology angle, degrees.
    pub ita_degrees: f32,
    /// `very-light`, `light`, `intermediate`, `tan`, `brown`, `dark`.
    pub tone: &'static str,
    /// How much redder the cheeks are than the forehead.
    pub redness: f32,
    /// Part of forehead and nose that gleams, percent.
    pub shine_percent: f32,
    /// Part of the cheeks in visible dark spots, percent; `null`: too far away.
    pub spots_percent: Option<f32>,
    /// How lined the skin beside the eyes is; `null` as above.
    pub lines: Option<f32>,
    /// Cannot be seen by a camera.
    pub moisture: Option<f32>,
    /// Cannot be seen by a camera.
    pub sebum: Option<f32>,
    /// Cannot be told by a camera of ordinary light.
    pub acne: Option<f32>,
    /// Cannot be seen by a camera.
    pub sensitivity: Option<f32>,
}

/// A product on the face.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worn {
    /// Its colour, CIELAB under D65.
    pub lab: [f32; 3],
    /// 0 to 1.
    pub strength: f32,
    /// Whether it gleams.
    #[serde(default)]
    pub gloss: bool,
}

/// What a page wishes.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Wish {
    /// The face wears this, where the camera's side paints.
    Wear {
        /// On the lips.
        #[serde(default)]
        lips: Option<Worn>,
        /// On the cheeks.
        #[serde(default)]
        blush: Option<Worn>,
    },
    /// Whether the camera's side paints: the page cannot.
    Compose {
        /// It does.
        on: bool,
    },
    /// The skin is measured in the next picture.
    Measure,
    /// The next picture with a face is kept as a photo, and wears this.
    Photo {
        /// On the lips.
        #[serde(default)]
        lips: Option<Worn>,
        /// On the cheeks.
        #[serde(default)]
        blush: Option<Worn>,
    },
}

impl Worn {
    fn is_possible(&self) -> bool {
        let [l, a, b] = self.lab;
        let is_colour = (0.0..=100.0).contains(&l) && a.abs() <= 128.0 && b.abs() <= 128.0;
        is_colour && (0.0..=1.0).contains(&self.strength)
    }
}

impl Wish {
    /// Reads a page's words; `None`: they are none, or a colour or strength is impossible.
    #[must_use]
    pub fn read(words: &str) -> Option<Self> {
        let wish: Self = serde_json::from_str(words).ok()?;
        let is_possible = |worn: Option<Worn>| worn.is_none_or(|worn| worn.is_possible());
        match wish {
            Self::Wear { lips, blush } | Self::Photo { lips, blush } if !(is_possible(lips) && is_possible(blush)) => {
                None
            }
            wish => Some(wish),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped, and `as` saturates")]
fn part(place: f32) -> i16 {
    (place * PARTS).round() as i16
}

impl Shot<'_> {
    /// The message.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let is_noted = self.note != Note::default();
        let note = is_noted.then(|| serde_json::to_vec(&self.note).ok()).flatten().unwrap_or_default();
        let mut message = Vec::with_capacity(24 + 4 * self.points.len() + note.len() + self.rgb.len());
        let has_face = if self.points.is_empty() { 0 } else { HAS_FACE };
        message.extend([VERSION, has_face | if self.is_made_up { IS_MADE_UP } else { 0 }]);
        message.extend(u16::try_from(self.points.len()).unwrap_or(0).to_le_bytes());
        message.extend(self.number.to_le_bytes());
        message.extend(self.at_ms.to_le_bytes());
        let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX).to_le_bytes();
        message.extend(side(self.size.0));
        message.extend(side(self.size.1));
        message.extend(u32::try_from(note.len()).unwrap_or(0).to_le_bytes());
        for (column, row) in self.points {
            message.extend(part(*column).to_le_bytes());
            message.extend(part(*row).to_le_bytes());
        }
        message.extend(note);
        message.extend(self.rgb);
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_what_the_table_says() {
        let note = Note { measured: Some(Measured { light: "dark", skin: None }), photo: Some(7) };
        let shot = Shot {
            number: 7,
            at_ms: 1.5,
            size: (2, 1),
            is_made_up: true,
            points: &[(1.5, -0.25), (f32::NAN, 1e9)],
            note,
            rgb: &[1, 2, 3, 4, 5, 6],
        };
        let mut expected = vec![1, 3, 2, 0, 7, 0, 0, 0];
        expected.extend([0, 0, 0, 0, 0, 0, 0xf8, 0x3f]);
        expected.extend([2, 0, 1, 0, 39, 0, 0, 0]);
        expected.extend([24, 0, 0xfc, 0xff, 0, 0, 0xff, 0x7f]);
        expected.extend(b"{\"measured\":{\"light\":\"dark\"},\"photo\":7}");
        expected.extend([1, 2, 3, 4, 5, 6]);
        assert_eq!(shot.message(), expected);
    }

    #[test]
    fn wishes_are_read_and_impossible_ones_are_not() {
        let lips = Some(Worn { lab: [40.0, 50.0, 20.0], strength: 0.8, gloss: true });
        let words = r#"{"do":"wear","lips":{"lab":[40,50,20],"strength":0.8,"gloss":true}}"#;
        assert_eq!(Wish::read(words), Some(Wish::Wear { lips, blush: None }));
        assert_eq!(Wish::read(r#"{"do":"compose","on":true}"#), Some(Wish::Compose { on: true }));
        assert_eq!(Wish::read(r#"{"do":"measure"}"#), Some(Wish::Measure));
        let photo = words.replace("wear", "photo");
        assert_eq!(Wish::read(&photo), Some(Wish::Photo { lips, blush: None }));
        assert_eq!(Wish::read(&photo.replace("0.8", "8")), None);
        for words in [
            "",
            "{}",
            r#"{"do":"fly"}"#,
            r#"{"do":"wear","lips":{"lab":[140,0,0],"strength":0.8}}"#,
            r#"{"do":"wear","blush":{"lab":[50,0,0],"strength":1.8}}"#,
            r#"{"do":"wear","lips":{"lab":[50,0],"strength":0.8}}"#,
        ] {
            assert_eq!(Wish::read(words), None, "{words}");
        }
    }

    #[test]
    fn what_a_camera_cannot_see_is_there_and_empty() {
        let skin = SkinV1 {
            ita_degrees: 31.5,
            tone: "intermediate",
            redness: 2.0,
            shine_percent: 1.0,
            spots_percent: None,
            lines: None,
            moisture: None,
            sebum: None,
            acne: None,
            sensitivity: None,
        };
        let text = serde_json::to_string(&Measured { light: "good", skin: Some(skin) }).unwrap();
        for key in ["moisture", "sebum", "acne", "sensitivity"] {
            assert!(text.contains(&format!("\"{key}\":null")), "{text}");
        }
    }
}
