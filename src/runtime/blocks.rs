//! Memory for tensors. A training step makes and drops the same large blocks over and over, in several threads: asking the system
//! each time costs page faults, and a general allocator that keeps them per thread holds two or three times what is in use. Here
//! blocks of 64 KiB and more go back to one store for all threads, and are given out again; with what is in use it holds no more
//! than a thirtieth above the most that was in use of late. Between two models all of it goes back ([`give_back`]). Everything smaller
//! is mimalloc's.
//!
//! A program that wants this says `#[global_allocator] static ALLOCATOR: mtlc::runtime::blocks::Blocks = Blocks;`.

use std::alloc::{GlobalAlloc, Layout};

use mimalloc::MiMalloc;

/// The allocator of programs that train.
pub struct Blocks;

/// From here on a block is kept by us.
const LARGE: usize = 64 << 10;
/// Of the start of a block of ours, which begins with a [`Header`].
const ALIGN: usize = 64;

fn ours(layout: Layout) -> bool {
    cfg!(target_os = "linux") && layout.size() >= LARGE && layout.align() <= ALIGN && layout.size() < usize::MAX / 4
}

// SAFETY: a layout alone says who keeps its block, so both sides agree; blocks of ours are aligned, at least as long as asked for,
// and given to one owner at a time.
unsafe impl GlobalAlloc for Blocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = match ours(layout) {
            true => store::take(layout.size()).0,
            // SAFETY: the caller's.
            false => unsafe { MiMalloc.alloc(layout) },
        };
        or_exit(block, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !ours(layout) {
            // SAFETY: the caller's.
            return or_exit(unsafe { MiMalloc.alloc_zeroed(layout) }, layout.size());
        }
        let (block, fresh) = store::take(layout.size());
        if !block.is_null() && !fresh {
            // SAFETY: the block has this many bytes.
            unsafe { block.write_bytes(0, layout.size()) }
        }
        or_exit(block, layout.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match ours(layout) {
            // SAFETY: `alloc` gave it, by the same question.
            true => unsafe { store::give(block) },
            // SAFETY: the caller's.
            false => unsafe { MiMalloc.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if !ours(layout) && !ours(new) {
            // SAFETY: the caller's.
            return or_exit(unsafe { MiMalloc.realloc(block, layout, size) }, size);
        }
        // SAFETY: it is ours, so it has a header.
        if ours(layout) && ours(new) && size <= unsafe { store::room(block) } {
            return block;
        }
        // SAFETY: the new block is another one, and both have as many bytes as are copied.
        unsafe {
            let to = self.alloc(new);
            if !to.is_null() {
                to.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
            to
        }
    }
}

/// Returns the block, if the system provided one. Otherwise ends the process with a message, where the standard library would abort
/// with a stack trace. Most callers cannot continue without the block; `read_to_end` could, but loses its own message.
fn or_exit(block: *mut u8, bytes: usize) -> *mut u8 {
    if block.is_null() && bytes > 0 {
        exhausted(bytes);
    }
    block
}

/// Reports that memory is exhausted, and ends the process with exit code 1. Other threads that run out of memory at the same time wait for
/// the end. A nested call does nothing, so that running out of memory in this function leads to the abort of the standard library.
#[cold]
fn exhausted(bytes: usize) {
    use std::cell::Cell;
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, Ordering};
    static ENDING: AtomicBool = AtomicBool::new(false);
    // Without a destructor, so that reading it allocates nothing.
    thread_local!(static REPORTS: Cell<bool> = const { Cell::new(false) });
    if REPORTS.get() {
        return;
    }
    if ENDING.swap(true, Ordering::Relaxed) {
        // The reporting thread may wait for a lock of this one, so the wait has an end.
        std::thread::sleep(std::time::Duration::from_secs(10));
        return;
    }
    REPORTS.set(true);
    // Standard error is unbuffered, so nothing is allocated.
    let _ = writeln!(
        std::io::stderr(),
        "error: out of memory: {bytes} bytes could not be allocated\n  help: end other programs, raise the limit on this one (`ulimit -v`, the \
         memory of the job), read fewer rows or columns, or make `batch` smaller; checkpoints that were written are kept"
    );
    std::process::exit(1);
}

/// Gives all that nobody uses back to the system; what was in use before no longer counts.
pub fn give_back() {
    store::give_back();
}

/// Sizes of blocks: eight steps from one power of two to the next. A size and its class.
fn class(bytes: usize) -> (usize, usize) {
    let bytes = bytes.max(LARGE);
    let power = bytes.ilog2();
    let step = 1usize << (power - 3);
    let steps = (bytes - (1 << power)).div_ceil(step);
    ((1 << power) + steps * step, (power as usize - 16) * 8 + steps)
}

#[cfg(target_os = "linux")]
mod store {
    use std::ptr::{NonNull, null_mut};
    use std::sync::{Mutex, PoisonError};

    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

    use super::{ALIGN, class};

    /// At the start of every block.
    #[repr(C, align(64))]
    struct Header {
        /// Bytes of the whole block.
        bytes: usize,
        /// The next one in the store.
        next: Option<NonNull<Header>>,
    }

    const CLASSES: usize = 48 * 8;
    /// From here on in pages of 2 MiB where the system likes that.
    const HUGE: usize = 4 << 20;
    /// After so many blocks the most that was in use is looked at anew.
    const WINDOW: u32 = 1 << 16;

    struct Store {
        /// By class, blocks that nobody uses.
        free: [Option<NonNull<Header>>; CLASSES],
        used: usize,
        kept: usize,
        /// The most that was in use in this window, and in the one before.
        peak: [usize; 2],
        /// Blocks given out in this window.
        count: u32,
    }

    // SAFETY: free blocks belong to the store alone.
    unsafe impl Send for Store {}

    static STORE: Mutex<Store> = Mutex::new(Store { free: [None; CLASSES], used: 0, kept: 0, peak: [0; 2], count: 0 });

    fn locked<R>(f: impl FnOnce(&mut Store) -> R) -> R {
        f(&mut STORE.lock().unwrap_or_else(PoisonError::into_inner))
    }

    impl Store {
        /// What may be held altogether, in use and not.
        fn most(&self) -> usize {
            let peak = self.peak[0].max(self.peak[1]);
            peak + peak / 32
        }

        fn pop(&mut self, class: usize) -> Option<NonNull<Header>> {
            let block = self.free[class]?;
            // SAFETY: blocks in the store are there, and have a header.
            let header = unsafe { block.as_ref() };
            self.free[class] = header.next;
            self.kept -= header.bytes;
            Some(block)
        }

        /// Takes unused blocks out, the largest first, until no more than `most` is held; they are to be given to the system.
        fn surplus(&mut self) -> Option<NonNull<Header>> {
            let mut out: Option<NonNull<Header>> = None;
            for class in (0..CLASSES).rev() {
                while self.used + self.kept > self.most() {
                    let Some(mut block) = self.pop(class) else { break };
                    // SAFETY: as in `pop`; the block has no owner but this list.
                    unsafe { block.as_mut() }.next = out;
                    out = Some(block);
                }
            }
            out
        }

        fn use_more(&mut self, bytes: usize) {
            self.used += bytes;
            self.count += 1;
            if self.count == WINDOW {
                (self.count, self.peak) = (0, [self.used, self.peak[0]]);
            }
            self.peak[0] = self.peak[0].max(self.used);
        }
    }

    /// Gives blocks back to the system.
    fn release(mut list: Option<NonNull<Header>>) {
        while let Some(block) = list {
            // SAFETY: the store gave it away, and its memory was mapped in this length.
            unsafe {
                let Header { bytes, next } = block.as_ptr().read();
                list = next;
                // Nothing can be done where it fails; the memory stays.
                let _ = munmap(block.as_ptr().cast(), bytes);
            }
        }
    }

    pub fn give_back() {
        release(locked(|s| {
            s.count = 0;
            // As if nothing had been in use.
            s.peak = [0; 2];
            let all = s.surplus();
            s.peak = [s.used; 2];
            all
        }));
    }

    /// A block of at least that many bytes, and whether it is fresh, which is all zeros. Null where the system has none.
    pub fn take(bytes: usize) -> (*mut u8, bool) {
        let (whole, class) = class(bytes + ALIGN);
        let (found, surplus) = locked(|s| {
            // One that is up to twice as long is better than a fresh one: it is there already.
            let found = (class..(class + 9).min(CLASSES)).find_map(|c| s.pop(c));
            // SAFETY: blocks of the store have a header.
            s.use_more(found.map_or(whole, |b| unsafe { b.as_ref() }.bytes));
            (found, if found.is_none() { s.surplus() } else { None })
        });
        release(surplus);
        let block = found.or_else(|| {
            // SAFETY: a new mapping touches nothing that is there.
            let made =
                unsafe { mmap_anonymous(null_mut(), whole, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) };
            let made = NonNull::new(made.ok()?)?;
            if whole >= HUGE {
                // SAFETY: this mapping alone; a system that has no large pages says no, which changes nothing.
                let _ = unsafe { madvise(made.as_ptr(), whole, Advice::LinuxHugepage) };
            }
            let block = made.cast::<Header>();
            // SAFETY: it has been mapped, and pages are aligned.
            unsafe { block.write(Header { bytes: whole, next: None }) };
            Some(block)
        });
        match block {
            // SAFETY: a block is longer than its header.
            Some(block) => (unsafe { block.as_ptr().cast::<u8>().add(ALIGN) }, found.is_none()),
            None => {
                locked(|s| s.used -= whole);
                (null_mut(), false)
            }
        }
    }

    fn header(block: *mut u8) -> NonNull<Header> {
        // SAFETY: blocks of ours begin with one.
        unsafe { NonNull::new_unchecked(block.sub(ALIGN).cast()) }
    }

    /// # Safety
    /// [`take`] gave it, and nobody uses it.
    pub unsafe fn give(block: *mut u8) {
        let mut block = header(block);
        let surplus = locked(|s| {
            // SAFETY: the caller's.
            let header = unsafe { block.as_mut() };
            let at = class(header.bytes).1;
            header.next = s.free[at];
            s.free[at] = Some(block);
            s.used -= header.bytes;
            s.kept += header.bytes;
            s.surplus()
        });
        release(surplus);
    }

    /// Bytes that its owner may use.
    ///
    /// # Safety
    /// [`take`] gave it.
    pub unsafe fn room(block: *mut u8) -> usize {
        // SAFETY: the caller's.
        unsafe { header(block).as_ref() }.bytes - ALIGN
    }

    /// Bytes in use, and kept beside.
    #[cfg(test)]
    pub fn held() -> (usize, usize) {
        locked(|s| (s.used, s.kept))
    }
}

/// Elsewhere nothing is ours, see [`ours`].
#[cfg(not(target_os = "linux"))]
mod store {
    pub fn take(_: usize) -> (*mut u8, bool) {
        (std::ptr::null_mut(), false)
    }
    pub unsafe fn give(_: *mut u8) {}
    pub fn give_back() {}
    pub unsafe fn room(_: *mut u8) -> usize {
        0
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn classes_grow_by_an_eighth_at_most_and_keep_their_size() {
        let mut last = (0, usize::MAX);
        for bytes in (LARGE..4 << 20).step_by(97).chain([1 << 30, (1 << 40) + 1]) {
            let (whole, at) = class(bytes);
            assert!(whole >= bytes && whole <= bytes + bytes / 8 + 1, "{bytes} bytes in {whole}");
            assert!(whole.is_multiple_of(4096), "{whole} is no number of pages");
            assert_eq!(class(whole), (whole, at), "a block of a class belongs to it");
            assert!(at == last.1 || whole > last.0, "classes in order");
            last = (whole, at);
        }
    }

    /// Every byte of a block belongs to one owner, whoever drops it; what is kept stays under the bound.
    #[test]
    fn blocks_have_one_owner() {
        let layout = |bytes: usize| Layout::from_size_align(bytes, 16).expect("a layout");
        let fill = |block: *mut u8, bytes: usize, with: u8| {
            // SAFETY: the block has that many bytes, and is ours.
            let all = unsafe { std::slice::from_raw_parts_mut(block, bytes) };
            all.fill(with);
        };
        let holds = |block: *mut u8, bytes: usize, with: u8| {
            // SAFETY: as above.
            let all = unsafe { std::slice::from_raw_parts(block, bytes) };
            all.iter().all(|b| *b == with)
        };
        std::thread::scope(|scope| {
            for thread in 0..4u8 {
                scope.spawn(move || {
                    let mut live: Vec<(usize, usize, u8)> = Vec::new();
                    let mut state = u64::from(thread) + 1;
                    for round in 0..2000u64 {
                        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                        let pick = (state >> 33) as usize;
                        if live.len() > 8 || (round > 1900 && !live.is_empty()) {
                            let (block, bytes, with) = live.swap_remove(pick % live.len());
                            assert!(holds(block as *mut u8, bytes, with), "somebody else wrote here");
                            // SAFETY: it was given by `alloc` or `realloc` for this layout.
                            unsafe { Blocks.dealloc(block as *mut u8, layout(bytes)) };
                            continue;
                        }
                        let (bytes, with) = (1000 + pick % 600_000, (pick % 251) as u8);
                        // SAFETY: layouts are not empty.
                        let mut block = unsafe {
                            if pick.is_multiple_of(3) {
                                Blocks.alloc_zeroed(layout(bytes))
                            } else {
                                Blocks.alloc(layout(bytes))
                            }
                        };
                        assert!(!block.is_null() && (block as usize).is_multiple_of(16));
                        assert!(!pick.is_multiple_of(3) || holds(block, bytes, 0), "zeros were asked for");
                        fill(block, bytes, with);
                        let mut size = bytes;
                        if pick.is_multiple_of(5) {
                            size = 1000 + pick % 200_000;
                            // SAFETY: given above for this layout.
                            block = unsafe { Blocks.realloc(block, layout(bytes), size) };
                            assert!(holds(block, size.min(bytes), with), "a longer block begins like the old one");
                            fill(block, size, with);
                        }
                        live.push((block as usize, size, with));
                    }
                    for (block, bytes, _) in live {
                        // SAFETY: as above.
                        unsafe { Blocks.dealloc(block as *mut u8, layout(bytes)) };
                    }
                });
            }
        });
        let (used, kept) = store::held();
        assert_eq!(used, 0, "all was given back");
        assert!(kept <= 36 * 700_000, "{kept} bytes are kept");
    }
}
