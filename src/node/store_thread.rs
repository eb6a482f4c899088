//! The store's place: a thread of its own for a durable one, the driver's own for one in memory.
//!
//! The thread takes every operation that waits and applies them as one batch, so that many commits share one write and
//! one sync. A store in memory answers in less time than it takes to wake a thread, so it is asked in passing.

use std::sync::Arc;

use crosscast_core::Input;
use crosscast_port::{OpId, Recovered, StoreError, StoreOp};
use crosscast_store::{MemoryStore, Store};
use tokio::sync::oneshot;

use crate::StartError;
use crate::intake::Intake;
use crate::work::WorkQueue;

/// Makes a store, on the store's thread: opening one may take as long as reading one.
pub(crate) type OpenStore = Box<dyn FnOnce() -> Result<Box<dyn Store>, StoreError> + Send>;

/// Where the store is to come from.
pub(crate) enum StoreSource {
    /// Kept in memory.
    Memory(MemoryStore),
    /// Kept elsewhere.
    Open(OpenStore),
}

/// The driver's hand on the store.
#[derive(Debug)]
pub(crate) enum StoreHand {
    /// In memory, on the driver's own thread.
    Here(MemoryStore),
    /// On a thread of its own.
    Thread { queue: Arc<WorkQueue<(OpId, StoreOp)>>, under_way: usize, ended: oneshot::Receiver<()> },
}

impl StoreHand {
    /// Opens a store and reads what it holds.
    pub(crate) async fn start(source: StoreSource, intake: Arc<Intake>) -> Result<(Self, Recovered), StartError> {
        match source {
            StoreSource::Memory(mut store) => {
                let recovered = store.recover().map_err(StartError::Store)?;
                Ok((Self::Here(store), recovered))
            }
            StoreSource::Open(open) => {
                let queue = Arc::new(WorkQueue::default());
                let (to, recovered) = oneshot::channel();
                let (end, ended) = oneshot::channel();
                let theirs = Arc::clone(&queue);
                std::thread::Builder::new()
                    .name("crosscast-store".to_owned())
                    .spawn(move || {
                        keep(open, &theirs, &intake, to);
                        // Nobody may be left to hear it.
                        let _ = end.send(());
                    })
                    .map_err(|error| StartError::System(format!("a thread for the store: {error}")))?;
                let recovered = recovered.await.map_err(|_| StartError::Stopped)?.map_err(StartError::Store)?;
                Ok((Self::Thread { queue, under_way: 0, ended }, recovered))
            }
        }
    }

    /// Whether operations are under way.
    pub(crate) const fn is_busy(&self) -> bool {
        match self {
            Self::Here(_) => false,
            Self::Thread { under_way, .. } => *under_way > 0,
        }
    }

    /// Says that so many operations were answered.
    pub(crate) const fn answered(&mut self, ops: usize) {
        if let Self::Thread { under_way, .. } = self {
            *under_way = under_way.saturating_sub(ops);
        }
    }

    /// Does what is asked; the answers of a store in memory come back at once.
    pub(crate) fn submit(&mut self, ops: &mut Vec<(OpId, StoreOp)>) -> Vec<Input> {
        match self {
            Self::Here(store) if !ops.is_empty() => {
                store.apply(std::mem::take(ops)).into_iter().map(|(op, outcome)| Input::Stored(op, outcome)).collect()
            }
            Self::Here(_) => Vec::new(),
            Self::Thread { queue, under_way, .. } => {
                *under_way = under_way.saturating_add(ops.len());
                queue.push_all(ops);
                Vec::new()
            }
        }
    }

    /// Ends the store; returns when everything is written and its files are closed.
    pub(crate) async fn close(&mut self) {
        if let Self::Thread { queue, ended, .. } = self {
            queue.close();
            // An error means that the thread is gone, which is what is waited for.
            let _ = ended.await;
        }
    }
}

impl Drop for StoreHand {
    fn drop(&mut self) {
        if let Self::Thread { queue, .. } = self {
            queue.close();
        }
    }
}

fn keep(
    open: OpenStore,
    queue: &WorkQueue<(OpId, StoreOp)>,
    intake: &Intake,
    to: oneshot::Sender<Result<Recovered, StoreError>>,
) {
    let opened = open().and_then(|mut store| store.recover().map(|recovered| (store, recovered)));
    let mut store = match opened {
        Ok((store, recovered)) => {
            if to.send(Ok(recovered)).is_err() {
                return;
            }
            store
        }
        Err(error) => {
            // Nobody may be left to hear it.
            let _ = to.send(Err(error));
            return;
        }
    };
    let mut ops = Vec::new();
    while queue.take_all(&mut ops) {
        let answers = store.apply(std::mem::take(&mut ops));
        let mut answers = answers.into_iter().map(|(op, outcome)| Input::Stored(op, outcome)).collect();
        intake.results(&mut answers);
    }
}

/// A store's failure in words, after "the store".
pub(crate) fn store_words(error: &StoreError) -> String {
    match error {
        StoreError::Full => "has no room left: free space on its disk or raise its quota".to_owned(),
        StoreError::Io(words) => format!("cannot be read or written: {words}"),
        StoreError::Corrupt(words) => format!("is damaged: {words}"),
        StoreError::Locked => "is in use by another process".to_owned(),
        // The port's enum may grow; the words for what it gains come with it.
        _ => "failed".to_owned(),
    }
}
