//! Numbers from main memory to a GPU without waiting for it: through page-locked buffers, which a GPU reads by itself whenever it gets
//! there. A copy from other memory returns only when the GPU has reached it.
//!
//! A buffer is written again when the copy out of it has finished, and not before: an event behind the copy tells. (What cudarc keeps for
//! its `PinnedHostSlice` is recorded only where it tracks all memory by events, and `runtime::device` has it track none.) Buffers are
//! a thread's own, as the stream is that candle gives a device, and are kept until the thread ends. Where there is no more page-locked
//! memory, numbers go over from where they are.
//!
//! What is sent within [`ahead`] goes over beside the kernels, by a stream of copies, and what computes waits for it on the GPU.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::{
    CudaContext, CudaEvent, CudaSlice, CudaStream, DeviceRepr, DriverError, result,
};
use candle_core::cuda_backend::{CudaDType, CudaDevice, WrapErr};
use candle_core::op::BackpropOp;
use candle_core::{CudaStorage, Result, Shape, Storage, Tensor, bail};
use rayon::prelude::*;

use super::Gpu;

/// Bytes of page-locked memory, at most: as much as batches that wait take, twice. What finds no room goes the old way.
const MOST: usize = 1 << 30;

/// Buffers of one size, at most: labels and masks of many tasks in two batches. After that the oldest is waited for.
const LONGEST: usize = 256;

/// Bytes that one task copies.
const PART: usize = 1 << 20;

thread_local! {
    /// By number of the GPU.
    static KEPT: RefCell<BTreeMap<usize, Rc<Buffers>>> = RefCell::default();
    /// Whether copies are to go beside the kernels.
    static AHEAD: Cell<bool> = const { Cell::new(false) };
}

/// The buffers that this thread keeps for a GPU.
fn kept(device: &CudaDevice) -> Rc<Buffers> {
    let number = device.cuda_stream().context().ordinal();
    KEPT.with_borrow_mut(|all| all.entry(number).or_insert_with(|| Rc::new(Buffers::new(device, MOST))).clone())
}

/// The numbers on a GPU, there before whatever is asked of it next.
pub fn send<T: DeviceRepr + Copy + Send + Sync + 'static>(gpu: &Gpu, values: &[T]) -> Result<CudaSlice<T>> {
    kept(&gpu.device).send(gpu, values)
}

/// The same as a tensor of a shape of as many numbers.
pub fn sent<T>(gpu: &Gpu, values: &[T], shape: Shape) -> Result<Tensor>
where
    T: CudaDType + DeviceRepr + Copy + Send + Sync + 'static,
{
    if values.len() != shape.elem_count() {
        bail!("{} numbers were given for a tensor {shape:?}", values.len());
    }
    let storage = CudaStorage::wrap_cuda_slice(send(gpu, values)?, gpu.device.clone());
    Ok(Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false))
}

/// Runs `f` with what it sends going over beside the kernels. Whoever gets the tensors drops the [`Arrival`] first, before he reads or
/// drops one of them.
pub fn ahead<R>(device: &CudaDevice, f: impl FnOnce() -> R) -> Result<(Arrival, R)> {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            AHEAD.set(self.0);
        }
    }
    let copies = kept(device).copies()?;
    let arrival = Arrival { stream: device.cuda_stream(), copies };
    let _restore = Restore(AHEAD.replace(true));
    let found = f();
    Ok((arrival, found))
}

/// Dropped, it makes the stream that computes wait for the stream of copies. The processor does not wait.
#[must_use]
pub struct Arrival {
    stream: Arc<CudaStream>,
    copies: Arc<CudaStream>,
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if self.stream.join(&self.copies).is_err() {
            self.copies.context().record_err(self.copies.synchronize());
        }
    }
}

/// Page-locked buffers for one GPU.
pub struct Buffers {
    context: Arc<CudaContext>,
    /// Bytes of all, at most.
    most: usize,
    held: Cell<usize>,
    /// The system gave no more; it is not asked again.
    refused: Cell<bool>,
    /// By bytes, the one that was sent first in front.
    rings: RefCell<BTreeMap<usize, VecDeque<Buffer>>>,
    copies: RefCell<Option<Arc<CudaStream>>>,
}

impl Buffers {
    /// None yet, and never more than `most` bytes.
    pub fn new(device: &CudaDevice, most: usize) -> Buffers {
        Buffers {
            context: device.cuda_stream().context().clone(),
            most,
            held: Cell::new(0),
            refused: Cell::new(false),
            rings: RefCell::default(),
            copies: RefCell::default(),
        }
    }

    /// Bytes of page-locked memory.
    pub fn bytes(&self) -> usize {
        self.held.get()
    }

    /// As [`send`], through these buffers.
    pub fn send<T: DeviceRepr + Copy + Send + Sync + 'static>(&self, gpu: &Gpu, values: &[T]) -> Result<CudaSlice<T>> {
        let sent = self.try_send(gpu, values);
        if sent.is_err() && AHEAD.get() {
            // Memory that a copy still writes is about to be given back.
            self.copies()?.synchronize().w()?;
        }
        sent
    }

    fn try_send<T: DeviceRepr + Copy + Send + Sync + 'static>(&self, gpu: &Gpu, values: &[T]) -> Result<CudaSlice<T>> {
        let stream = gpu.device.cuda_stream();
        let mut there = gpu.buffer::<T>(values.len())?;
        let buffer = match size_of_val(values) {
            0 => None,
            bytes => self.take(room(bytes))?,
        };
        let Some(buffer) = buffer else {
            stream.memcpy_htod(values, &mut there).w()?;
            return Ok(there);
        };
        let by = if AHEAD.get() { self.copies()? } else { stream.clone() };
        if by != stream {
            // The memory may be what kernels before this moment still use.
            by.join(&stream).w()?;
        }
        let held = buffer.write(values);
        by.memcpy_htod(held, &mut there).w()?;
        buffer.sent.record(&by).w()?;
        self.rings.borrow_mut().entry(buffer.bytes).or_default().push_back(buffer);
        Ok(there)
    }

    /// A buffer that no copy reads any more; none if there is no room for one of this size.
    fn take(&self, bytes: usize) -> Result<Option<Buffer>> {
        let mut rings = self.rings.borrow_mut();
        let ring = rings.entry(bytes).or_default();
        if let Some(first) = ring.front()
            && first.sent.try_is_complete().w()?
        {
            return Ok(ring.pop_front());
        }
        if !self.refused.get() && ring.len() < LONGEST && bytes <= self.most - self.held.get() {
            match Buffer::new(&self.context, bytes) {
                Ok(buffer) => {
                    self.held.set(self.held.get() + bytes);
                    return Ok(Some(buffer));
                }
                Err(_) => self.refused.set(true),
            }
        }
        let first = ring.pop_front();
        if let Some(first) = &first {
            first.sent.synchronize().w()?;
        }
        Ok(first)
    }

    /// The stream of copies.
    fn copies(&self) -> Result<Arc<CudaStream>> {
        let mut copies = self.copies.borrow_mut();
        Ok(match &*copies {
            Some(stream) => stream.clone(),
            None => copies.insert(self.context.new_stream().w()?).clone(),
        })
    }
}

/// Bytes of the buffer for so many: few sizes, and no more than a quarter too much, or a page.
fn room(bytes: usize) -> usize {
    bytes.next_multiple_of((bytes.next_power_of_two() / 8).max(4096))
}

/// Page-locked memory.
struct Buffer {
    at: *mut u8,
    bytes: usize,
    /// Behind the last copy out of it.
    sent: CudaEvent,
}

impl Buffer {
    fn new(context: &Arc<CudaContext>, bytes: usize) -> std::result::Result<Buffer, DriverError> {
        let sent = context.new_event(None)?;
        // SAFETY: the context is current, as making the event left it; it is given back once, below.
        let at = unsafe { result::malloc_host(bytes, 0) }?.cast();
        Ok(Buffer { at, bytes, sent })
    }

    /// The values in here, large ones by several threads.
    fn write<T: Copy + Send + Sync>(&self, values: &[T]) -> &[T] {
        assert!(size_of_val(values) <= self.bytes, "the buffer was taken for these values");
        let at = self.at.cast::<MaybeUninit<T>>();
        // SAFETY: pages hold any number where it must lie, nobody else has this buffer, and no copy reads it: it was taken.
        let room = unsafe { slice::from_raw_parts_mut(at, values.len()) };
        let part = (PART / size_of::<T>().max(1)).max(1);
        match values.len() <= part {
            true => room.write_copy_of_slice(values),
            false => {
                room.par_chunks_mut(part).zip(values.par_chunks(part)).for_each(|(to, from)| {
                    to.write_copy_of_slice(from);
                });
                // SAFETY: all was written.
                unsafe { room.assume_init_mut() }
            }
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let context = self.sent.context();
        // All that was asked of the GPU, in case the event could not be recorded.
        context.record_err(context.synchronize());
        // SAFETY: it came from `malloc_host`, and nothing reads it any more.
        context.record_err(unsafe { result::free_host(self.at.cast()) });
    }
}
