//! Reading ahead: while a step runs, the next batches are gathered on threads of their own: pictures are decoded, augmented and
//! encoded there. All that deals batches comes through [`Feed::deal`], or takes a single one with [`Feed::take`].
//!
//! Reader `r` of n gathers batches r, r + n, r + 2n, and hands them over through a channel of its own that holds one: the order is
//! that of the lists, and which thread gathered a batch changes no bit of it, since augmentation is drawn by seed, epoch and row.
//! Kernels run on rayon's threads, which no reader ever takes. A batch that a reader has ready goes over to a GPU while the GPU computes
//! with the one before it.

use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use candle_core::Device;

use super::RunError;
use super::feed::{Fed, Feed};
use crate::data::{Batch, DataError, Drawn, Table};
use crate::ops::send::{Early, early};

/// What is dealt: lists of rows of a table, and what augmentation is drawn by, if this is training.
#[derive(Debug, Clone, Copy)]
pub struct Deal<'a> {
    pub table: &'a Table,
    pub lists: &'a [Vec<u32>],
    pub drawn: Option<Drawn>,
}

/// Bytes of a batch from which on copying it out of memory is left to a reader. Chosen, not measured: less is copied in a small part of
/// a millisecond, and no step on a CPU is near that for so many numbers.
const LEAST: usize = 1 << 20;

/// Bytes of batches that wait or are being gathered, at most; but one reader reads ahead in any case.
const MOST: usize = 512 << 20;

/// Threads that read ahead, unless a deal needs fewer: one per core up to 16, or what `MTLC_READERS` says; 0 reads nothing ahead.
/// It changes how long a run takes, and nothing else.
pub fn readers() -> usize {
    let said = std::env::var("MTLC_READERS").ok().and_then(|v| v.trim().parse::<usize>().ok());
    said.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).min(16)
}

impl Deal<'_> {
    fn gather(&self, rows: &[u32]) -> Result<Batch, DataError> {
        self.table.gather(rows, self.drawn)
    }

    /// How many of `readers` threads pay for this.
    fn threads(&self, readers: usize) -> usize {
        let bytes = self.table.bytes_per_row() * self.lists.first().map_or(0, Vec::len);
        if self.lists.len() < 2 || !(self.table.reads_files() || bytes >= LEAST) {
            return 0;
        }
        // A reader holds a batch, and another one waits in its channel.
        readers.min(self.lists.len()).min((MOST / (2 * bytes).max(1)).max(1))
    }
}

impl Feed {
    /// Hands the batches to `body`, in the order of the lists, as tensors on `device`. Whatever `body` does, the readers have ended
    /// when this returns; what one of them could not read is the error of the batch that it was for.
    pub fn deal<R>(
        &self,
        deal: &Deal,
        device: &Device,
        body: impl FnOnce(&mut Dealer) -> Result<R, RunError>,
    ) -> Result<R, RunError> {
        std::thread::scope(|scope| {
            let threads = deal.threads(self.readers);
            let mut ahead = Vec::with_capacity(threads);
            for r in 0..threads {
                let (send, receive) = sync_channel(1);
                let read = move || {
                    for rows in deal.lists.iter().skip(r).step_by(threads) {
                        let batch = deal.gather(rows);
                        let last = batch.is_err();
                        // Nobody receives when `body` has ended early.
                        if send.send(batch).is_err() || last {
                            break;
                        }
                    }
                };
                match std::thread::Builder::new().name(format!("reader {r}")).spawn_scoped(scope, read) {
                    Ok(_) => ahead.push(receive),
                    // No more threads are to be had: without any it takes longer.
                    Err(_) => {
                        ahead.clear();
                        break;
                    }
                }
            }
            body(&mut Dealer { feed: self, deal, device, at: 0, ahead, next: None })
        })
    }

    /// A single batch as tensors, without augmentation.
    pub fn take(&self, table: &Table, rows: &[u32], device: &Device) -> Result<Fed, RunError> {
        Ok(self.tensors(table, table.gather(rows, None)?, device)?)
    }
}

/// Deals batches one by one.
pub struct Dealer<'a> {
    feed: &'a Feed,
    deal: &'a Deal<'a>,
    device: &'a Device,
    at: usize,
    /// By reader; none if batches are gathered in place.
    ahead: Vec<Receiver<Result<Batch, DataError>>>,
    /// The next batch, where it is on its way already, or why there is none.
    next: Option<Result<Early<Fed>, RunError>>,
}

/// It has panicked, which the scope passes on, or has told of an error before.
fn ended() -> RunError {
    RunError::Device("a thread that reads data has ended".into())
}

impl Dealer<'_> {
    /// The next batch; `None` after the last.
    pub fn batch(&mut self) -> Result<Option<Fed>, RunError> {
        let Some(rows) = self.deal.lists.get(self.at) else { return Ok(None) };
        let fed = match self.next.take() {
            Some(next) => next?.arrived(),
            None => {
                let batch = match self.ahead.len() {
                    0 => self.deal.gather(rows)?,
                    n => self.ahead[self.at % n].recv().map_err(|_| ended())??,
                };
                self.feed.tensors(self.deal.table, batch, self.device)?
            }
        };
        self.at += 1;
        self.next = self.start();
        Ok(Some(fed))
    }

    /// Sends the next batch to a GPU, if a reader has it: nothing waits. What is wrong with it is told when it is asked for.
    fn start(&self) -> Option<Result<Early<Fed>, RunError>> {
        if self.device.is_cpu() || self.ahead.is_empty() || self.at >= self.deal.lists.len() {
            return None;
        }
        let batch = match self.ahead[self.at % self.ahead.len()].try_recv() {
            Ok(Ok(batch)) => batch,
            Ok(Err(e)) => return Some(Err(e.into())),
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => return Some(Err(ended())),
        };
        early(self.device, || self.feed.tensors(self.deal.table, batch, self.device))
            .map_err(RunError::from)
            .transpose()
    }
}
