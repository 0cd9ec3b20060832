//! What all listeners of one process have together.
//!
//! Two listeners of one kind are two doors to one house: a consumer group is the same whichever it comes
//! through, and what is counted is counted once. Bounds of memory, places and the budgets of clients are not
//! here: each listener has its own, so that nobody at one door takes what is kept for the other.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use pluvio_log::{LogHandle, ReadError};
use tokio::sync::OnceCell;

use crate::groups::Coordinator;

/// Shared state of all listeners on one log; clones are the same.
#[derive(Clone, Default)]
pub struct Shared(Arc<Inner>);

#[derive(Default)]
struct Inner {
    groups: OnceCell<Arc<Coordinator>>,
    watches: AtomicUsize,
}

impl Shared {
    /// The consumer groups of `log`, which are read out of it by the first who asks.
    ///
    /// # Errors
    ///
    /// What was committed cannot be read; who asks next tries again.
    pub(crate) async fn groups(&self, log: &LogHandle) -> Result<Arc<Coordinator>, ReadError> {
        let load = async || Coordinator::load(log.clone()).await.map(Arc::new);
        self.0.groups.get_or_try_init(load).await.cloned()
    }

    /// How many watches are open.
    pub(crate) fn watches(&self) -> usize {
        self.0.watches.load(Ordering::Relaxed)
    }

    /// A watch begins.
    pub(crate) fn watch_opened(&self) {
        self.0.watches.fetch_add(1, Ordering::Relaxed);
    }

    /// A watch ended.
    pub(crate) fn watch_closed(&self) {
        self.0.watches.fetch_sub(1, Ordering::Relaxed);
    }
}
