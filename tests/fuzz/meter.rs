//! Counts what the running thread allocates, so that an input which makes the compiler take gigabytes is found as a law broken
//! and not as a machine that stands still.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

use mimalloc::MiMalloc;

/// Past this many live bytes of one thread an allocation fails: the process ends, and the round is on standard error.
const MOST: isize = 6 << 30;

struct Metered;

#[global_allocator]
static ALLOCATOR: Metered = Metered;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// Adds to what is live; false if that is too much.
fn count(bytes: isize) -> bool {
    // A thread that is ending has no cells any more; what it does then is not counted.
    let live = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        live.get()
    });
    let Ok(live) = live else { return true };
    if bytes > 0 && live > MOST {
        let _ = LIVE.try_with(|cell| cell.set(live - bytes));
        return false;
    }
    let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live)));
    true
}

// SAFETY: every call goes to mimalloc with the layout it came with; nothing else touches the memory.
unsafe impl GlobalAlloc for Metered {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if count(layout.size() as isize) { unsafe { MiMalloc.alloc(layout) } } else { std::ptr::null_mut() }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if count(layout.size() as isize) { unsafe { MiMalloc.alloc_zeroed(layout) } } else { std::ptr::null_mut() }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { MiMalloc.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !count(size as isize - layout.size() as isize) {
            return std::ptr::null_mut();
        }
        unsafe { MiMalloc.realloc(at, layout, size) }
    }
}

/// Most bytes that this thread held while `work` ran, beyond what it held before.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let out = work();
    (out, (PEAK.get() - before).max(0) as usize)
}
