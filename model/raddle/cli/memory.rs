//! Memory of the process. Out of memory: a word and exit code 3, as for every other limit, instead of an abort.

use std::alloc::{GlobalAlloc, Layout, System};

use super::out::{complain, mute};

/// The exit code of what is inconclusive.
const INCONCLUSIVE: i32 = 3;

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

/// The system's allocator, whose refusals end the process.
struct Bounded;

/// One heap for all threads: glibc gives each a heap of its own, and what a search has freed there is of no use
/// to the next one, so that the process takes twice what `--max-memory` says.
pub fn share_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code)]
    // SAFETY: it sets a number, before any other thread runs.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

fn given(memory: *mut u8) -> *mut u8 {
    if memory.is_null() {
        // No other process knows why this one is gone.
        mute(false);
        complain("raddle: inconclusive: out of memory; --max-memory says where to stop, --spill uses a disk");
        std::process::exit(INCONCLUSIVE);
    }
    memory
}

// The standard library has no stable hook for this.
#[allow(unsafe_code)]
// SAFETY: it hands on to the system's allocator, and ends the process where that returns null.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's.
        given(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's.
        given(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's.
        given(unsafe { System.realloc(memory, layout, size) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(memory, layout) }
    }
}
