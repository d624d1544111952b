//! Telling the allocator what is worth keeping.

/// What one thread that looks at pictures gives back and takes again with each of them, at most.
#[cfg(target_env = "gnu")]
const KEPT_BYTES: i32 = 64 << 20;
/// From here on a piece is mapped by itself, and given back to the system when it is freed: the most that can be set.
#[cfg(target_env = "gnu")]
const MAPPED_BYTES: i32 = 32 << 20;

/// Lets the allocator keep freed memory for the next picture instead of giving it back to the system in between, where
/// it is taken away, cleared and mapped anew (a fifth of a detector's time). For programs that look at pictures; called
/// again it changes nothing. With another C library than GNU's it does nothing.
#[expect(unsafe_code, reason = "the allocator's own setting")]
pub fn keep_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt(3) takes two numbers and changes settings of the allocator under its own lock.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES);
    }
}

/// Has the allocator give freed memory back to the system now, in whole pages: what somebody else's code left behind in
/// its buffers is gone with it. With another C library than GNU's it does nothing.
#[expect(unsafe_code, reason = "the allocator's own function")]
pub fn give_back_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) takes a number and works under the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
