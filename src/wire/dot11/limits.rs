//! How much of a frame is looked at.

/// Presence words of a radiotap header. Real drivers send one per antenna and one in front: 5 at most.
pub(super) const PRESENCE_WORDS: usize = 8;
/// Elements of one probe request. Real phones send 5 to 20.
pub(super) const ELEMENTS: usize = 64;
