//! What a face looks like, as a direction in space: two of one person point the same way.

use crate::types::wipe;

/// 128 numbers of length one. Neither `Debug`, `Clone` nor `Serialize`, and overwritten when it goes: it is personal
/// data of the most protected kind.
pub struct Embedding([f32; Embedding::LEN]);

/// The network gave another number of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongLength(pub usize);

impl Embedding {
    /// How many numbers.
    pub const LEN: usize = 128;

    /// From what the network says, brought to length one.
    ///
    /// # Errors
    ///
    /// When there are not 128 numbers.
    pub fn new(values: &[f32]) -> Result<Self, WrongLength> {
        let values: &[f32; Self::LEN] = values.try_into().map_err(|_| WrongLength(values.len()))?;
        let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
        let scale = if length.is_normal() { 1.0 / length } else { 0.0 };
        Ok(Self(values.map(|value| value * scale)))
    }

    /// How alike two faces are: the cosine of the angle between them, 1 for the same direction.
    #[must_use]
    pub fn similarity(&self, other: &Self) -> f32 {
        self.0.iter().zip(&other.0).map(|(one, other)| one * other).sum()
    }

    /// The numbers, for the gallery that keeps them encrypted.
    #[must_use]
    pub fn values(&self) -> &[f32; Self::LEN] {
        &self.0
    }
}

impl Drop for Embedding {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}
