//! Which points of the mesh bound what (the published topology of the canonical face model).

/// How many points a face has.
pub const POINTS: usize = 468;

/// Around the lips, from one corner of the mouth along the lower lip to the other and back along the upper.
pub const LIPS_OUTER: [usize; 20] =
    [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185];

/// Around the opening of the mouth, in the same way.
pub const LIPS_INNER: [usize; 20] =
    [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191];

/// The middle of each cheek.
pub const CHEEKS: [usize; 2] = [50, 280];
/// The sides of the face at the height of the ears.
pub(super) const SIDES: [usize; 2] = [234, 454];
/// The outer corners of the eyes.
pub(super) const EYES: [usize; 2] = [33, 263];
/// The middle of the forehead, the bridge and the tip of the nose, the chin.
pub(super) const FOREHEAD: usize = 151;
pub(super) const BRIDGE: usize = 6;
pub(super) const CHIN: usize = 152;
/// Beside the outer corners of the eyes, where crow's feet are.
pub(super) const TEMPLES: [usize; 2] = [226, 446];
