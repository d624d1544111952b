//! Overwriting what must not be found in memory afterwards.

use std::sync::atomic::{Ordering, compiler_fence};

/// Overwrites a buffer. The compiler may leave out stores that nobody reads: `black_box` makes it believe that somebody
/// does.
pub fn wipe<T: Default + Copy>(buffer: &mut [T]) {
    buffer.fill(T::default());
    std::hint::black_box(buffer);
    compiler_fence(Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wiping_leaves_nothing() {
        let mut secret = [7_u8, 8, 9];
        wipe(&mut secret);
        assert_eq!(secret, [0, 0, 0]);
    }
}
