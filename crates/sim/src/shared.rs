//! A cloud as tasks share it: behind a lock, with a wake-up and a signal to stop.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A cloud in which things happen by themselves.
pub(crate) trait Living: Send + 'static {
    /// Grows with every change that a client may be waiting for.
    fn revision(&self) -> u64;
    /// How many events the workload makes per second; 0 for none.
    fn events_per_second(&self) -> f64;
    /// Lets the workload make that many events now.
    fn work(&mut self, count: usize);
    /// Does what has become due without the workload, a portion of it; tells whether more is due.
    fn settle(&mut self) -> bool {
        false
    }
}

/// What every connection and the ticker hold.
#[derive(Debug)]
pub(crate) struct Shared<C> {
    cloud: Mutex<C>,
    revision: watch::Sender<u64>,
    /// Raised when the simulator stops.
    pub(crate) stop: CancellationToken,
}

impl<C: Living> Shared<C> {
    pub(crate) fn new(cloud: C) -> Self {
        Self {
            revision: watch::Sender::new(cloud.revision()),
            cloud: Mutex::new(cloud),
            stop: CancellationToken::new(),
        }
    }

    /// Looks at the cloud or changes it; wakes those who wait if it changed for them.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut C) -> R) -> R {
        let (result, revision) = {
            // A panic while the lock was held cannot leave half a change that matters here.
            let mut cloud = self.cloud.lock().unwrap_or_else(PoisonError::into_inner);
            (act(&mut cloud), cloud.revision())
        };
        self.revision.send_if_modified(|last| {
            let newer = revision > *last;
            *last = revision.max(*last);
            newer
        });
        result
    }

    /// Follows the revisions of the cloud.
    pub(crate) fn revisions(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }
}
