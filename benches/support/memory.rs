//! Counts what is allocated, to tell how much memory one step needs at most.
#![expect(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::GlobalAlloc;
use std::alloc::Layout;
use std::alloc::System;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// The system's allocator with a counter, for `#[global_allocator]`.
pub(crate) struct Counting;

static HELD_BYTES: AtomicUsize = AtomicUsize::new(0);
static PEAK_BYTES: AtomicUsize = AtomicUsize::new(0);

/// What a step allocated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocated {
    /// The most at one time, above what was there before.
    pub(crate) peak_bytes: usize,
    /// What is left with the result.
    pub(crate) held_bytes: usize,
}

pub(crate) fn measured<T>(step: impl FnOnce() -> T) -> (T, Allocated) {
    let before = HELD_BYTES.load(Ordering::Relaxed);
    PEAK_BYTES.store(before, Ordering::Relaxed);
    let result = step();
    let peak_bytes = PEAK_BYTES.load(Ordering::Relaxed).saturating_sub(before);
    let held_bytes = HELD_BYTES.load(Ordering::Relaxed).saturating_sub(before);
    (result, Allocated { peak_bytes, held_bytes })
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD_BYTES.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK_BYTES.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}
