//! The cloud as tasks share it: behind a lock, with a wake-up and a signal to stop.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::cloud::Cloud;

/// What every connection and the ticker hold.
#[derive(Debug)]
pub(crate) struct Shared {
    cloud: Mutex<Cloud>,
    revision: watch::Sender<u64>,
    /// Raised when the simulator stops.
    pub(crate) stop: CancellationToken,
}

impl Shared {
    pub(crate) fn new(cloud: Cloud) -> Self {
        Self {
            revision: watch::Sender::new(cloud.revision),
            cloud: Mutex::new(cloud),
            stop: CancellationToken::new(),
        }
    }

    /// Looks at the cloud or changes it; wakes those who wait if it changed for them.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut Cloud) -> R) -> R {
        let (result, revision) = {
            // A panic while the lock was held cannot leave half a change that matters here.
            let mut cloud = self.cloud.lock().unwrap_or_else(PoisonError::into_inner);
            (act(&mut cloud), cloud.revision)
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
