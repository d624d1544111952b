//! A payment code in full, which nobody may print, copy or keep.

use super::wipe;

/// A wallet's payment code in full. It cannot be printed, copied or compared, and is overwritten when dropped.
pub struct PaymentCode(Vec<u8>);

impl PaymentCode {
    /// Takes the text over.
    pub fn new(text: String) -> Self {
        Self(text.into_bytes())
    }

    /// Lends the digits.
    pub fn with<R>(&self, look: impl FnOnce(&str) -> R) -> R {
        look(std::str::from_utf8(&self.0).unwrap_or(""))
    }
}

impl Drop for PaymentCode {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}
