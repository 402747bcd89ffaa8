//! The threads that kernels run on: rayon's, one per core or as many as `RAYON_NUM_THREADS` says.

/// Makes the calling thread one of them. Said once, at the beginning of a program that trains: where its main thread is none of them, each
/// of a step's loops begins with another thread woken and ends with this one woken, and there are some fifty in a step. Threads that
/// run beside must not wait for kernels of their own while this one waits for them.
///
/// Nothing happens if threads run already.
pub fn join() {
    let _ = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
}
