//! What a mirror does with a face: keeps its points steady, paints its lips and cheeks, and measures its skin.
//!
//! ```text
//! points of a mesh ─▶ Steady (One-Euro) ─▶ Mask of lips and cheeks ─▶ make up the frame in CIELAB
//!                                      └─▶ skin: what an RGB camera can honestly say
//! ```
//!
//! Points are those of the 468-point mesh (`sense::vision::mesh`), by number; a point is a place in the picture, in
//! pixels. Colours are CIELAB under D65 (CIE 15:2018).
//!
//! What is absent: a camera, a page, a clock: each picture comes with its time. Nothing is kept of a picture.
//!
//! Invariants: pixels outside a mask stay what they were, byte for byte; teeth and the inside of the mouth are outside.

mod colour;
mod contour;
mod makeup;
mod mask;
mod skin;
mod steady;

pub use colour::Lab;
pub use contour::{CHEEKS, LIPS_INNER, LIPS_OUTER, POINTS};
pub use makeup::{Finish, Look, Paint, apply};
pub use mask::Mask;
pub use skin::{Light, Skin, Tone, measure};
pub use steady::Steady;
