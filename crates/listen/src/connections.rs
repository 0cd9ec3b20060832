//! The tasks of all connections of one listener: count them, drop those that take nothing, end them.
//!
//! It refuses to know a protocol: what a connection does is the task's own matter. A panic costs the
//! connection it happened in and is counted.

use std::{collections::HashMap, sync::Arc, time::Duration};

use metrics::{counter, gauge};
use tokio::{
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, timeout},
};
use tracing::error;

use crate::socket::Pending;

/// The names of a listener's metrics of connections.
#[derive(Clone, Copy)]
pub(crate) struct Meters {
    /// Open connections.
    pub(crate) open: &'static str,
    /// Connections that ended in a panic.
    pub(crate) panics: &'static str,
    /// Readers that were dropped because they took nothing.
    pub(crate) stalled: &'static str,
}

/// The tasks, each with what tells whether its reader is stalled.
pub(crate) struct Connections {
    tasks: JoinSet<()>,
    watched: HashMap<Id, (AbortHandle, Arc<Pending>)>,
    epoch: Instant,
    stall: Duration,
    meters: Meters,
}

impl Connections {
    /// None yet. Stalls are measured from `epoch` on, as the sockets do.
    pub(crate) fn new(epoch: Instant, stall: Duration, meters: Meters) -> Self {
        Self { tasks: JoinSet::new(), watched: HashMap::new(), epoch, stall, meters }
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Runs a connection; its socket tells `Pending` when it waits for the reader.
    pub(crate) fn spawn<F>(&mut self, connection: impl FnOnce(Arc<Pending>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let pending = Arc::new(Pending::default());
        let task = self.tasks.spawn(connection(Arc::clone(&pending)));
        self.watched.insert(task.id(), (task, pending));
        gauge!(self.meters.open).set(self.tasks.len() as f64);
    }

    /// Waits for the end of any connection; for ever while there is none. May be dropped.
    pub(crate) async fn ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.settle(ended),
            None => std::future::pending().await,
        }
    }

    /// Drops readers that have taken nothing for too long.
    pub(crate) fn drop_stalled(&self) {
        let now = self.epoch.elapsed();
        for (task, pending) in self.watched.values() {
            if pending.is_stalled(now, self.stall) {
                counter!(self.meters.stalled).increment(1);
                task.abort();
            }
        }
    }

    /// Waits until all have ended, at most `rest`; whether they have.
    pub(crate) async fn drain(&mut self, rest: Duration) -> bool {
        let all = async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                self.settle(ended);
            }
        };
        timeout(rest, all).await.is_ok()
    }

    fn settle(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                if error.is_panic() {
                    counter!(self.meters.panics).increment(1);
                    error!("a connection's task panicked; the others go on");
                }
                error.id()
            }
        };
        self.watched.remove(&id);
        gauge!(self.meters.open).set(self.tasks.len() as f64);
    }
}
