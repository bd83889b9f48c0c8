//! Keeps glibc from holding on to what was freed.
//!
//! glibc gives threads heaps of their own, and after large blocks were freed it takes the next ones
//! from a heap as well, where they stay. Of twenty archives whose segments are decoded, on threads
//! that come and go, that keeps 111 MB in place of 56 (`docs/performance.md`). Image and packages have
//! glibc as well.

/// Blocks of this size are mapped and unmapped one by one: what a decoder works in is larger, what
/// a listing keeps is smaller. It is glibc's own start value, which is fixed by setting it.
#[cfg(target_env = "gnu")]
const MAPPED_BYTES_MIN: i32 = 128 << 10;

/// To be called before there is a second thread.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "there is no safe way to tell the allocator")]
pub fn tune() {
    // SAFETY: mallopt only writes glibc's own parameters, under its own lock; any value of these
    // three is valid. Refused, they stay as they were.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN);
        libc::mallopt(libc::M_TRIM_THRESHOLD, MAPPED_BYTES_MIN);
    }
}

/// Nothing is to be done with another allocator.
#[cfg(not(target_env = "gnu"))]
pub const fn tune() {}
