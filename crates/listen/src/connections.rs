//! The tasks of all connections of one listener: count them, drop those that take nothing, end them.
//!
//! Who says nothing must not keep others out. A connection is *silent* until its client is known: the
//! handshake is done, and the login; where nobody must log in, the first request. Silent ones have half of
//! the places, and where those are taken, or all are, a new connection takes the place of the oldest silent
//! one of the address that has most of them.
//!
//! It refuses to know a protocol: what a connection does is the task's own matter. A panic costs the
//! connection it happened in and is counted.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use metrics::{counter, gauge};
use tokio::{
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, timeout},
};
use tracing::error;

use crate::{
    room::{BYTES_PER_SECOND_PRESSED, STALL_PRESSED},
    socket::Pending,
};

/// Silent connections have at least as many places as this, if there are as many at all: clients that
/// come back together after a restart are silent together for a moment.
const SILENT_MIN: usize = 64;

/// The names of a listener's metrics of connections.
#[derive(Clone, Copy)]
pub(crate) struct Meters {
    /// Open connections.
    pub(crate) open: &'static str,
    /// Connections that ended in a panic.
    pub(crate) panics: &'static str,
    /// Readers that were dropped because they took nothing.
    pub(crate) stalled: &'static str,
    /// Silent connections that were closed for newer ones.
    pub(crate) displaced: &'static str,
}

/// The tasks, each with what tells whether its reader is stalled.
pub(crate) struct Connections {
    tasks: JoinSet<()>,
    watched: HashMap<Id, Watched>,
    connections_max: usize,
    accepted: u64,
    epoch: Instant,
    stall: Duration,
    meters: Meters,
}

struct Watched {
    task: AbortHandle,
    pending: Arc<Pending>,
    peer: IpAddr,
    /// Which connection it is, counted from the first.
    number: u64,
    /// Since when its reader has been behind at every look, and what it had taken then.
    behind: Option<(Duration, u64)>,
}

impl Connections {
    /// None yet, and at most `connections_max`, which the listener keeps to. Stalls are measured from
    /// `epoch` on, as the sockets do.
    pub(crate) fn new(
        epoch: Instant,
        stall: Duration,
        connections_max: usize,
        meters: Meters,
    ) -> Self {
        let (tasks, watched) = (JoinSet::new(), HashMap::new());
        Self { tasks, watched, connections_max, accepted: 0, epoch, stall, meters }
    }

    /// Connections that hold a place.
    pub(crate) fn len(&self) -> usize {
        self.watched.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Runs a connection of `peer`; its socket tells `Pending` when it waits for the reader.
    pub(crate) fn spawn<F>(&mut self, peer: IpAddr, connection: impl FnOnce(Arc<Pending>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let pending = Arc::new(Pending::default());
        let task = self.tasks.spawn(connection(Arc::clone(&pending)));
        self.accepted += 1;
        let (number, peer) = (self.accepted, peer.to_canonical());
        self.watched.insert(task.id(), Watched { task, pending, peer, number, behind: None });
        gauge!(self.meters.open).set(self.watched.len() as f64);
    }

    /// Makes room for one connection more, if a silent one can be given up for it. To be called before
    /// a connection is taken.
    pub(crate) fn make_room(&mut self) {
        let silent_max = (self.connections_max / 2).max(SILENT_MIN).min(self.connections_max);
        // With fewer connections than that, silent ones have room whatever they do.
        if self.watched.len() < silent_max {
            return;
        }
        let mut by_peer: HashMap<IpAddr, (usize, u64, Id)> = HashMap::new();
        let mut silent = 0;
        for (id, watched) in self.watched.iter().filter(|(_, it)| !it.pending.is_known()) {
            silent += 1;
            let (count, oldest, oldest_id) =
                by_peer.entry(watched.peer).or_insert((0, watched.number, *id));
            *count += 1;
            if watched.number < *oldest {
                (*oldest, *oldest_id) = (watched.number, *id);
            }
        }
        if silent < silent_max && self.watched.len() < self.connections_max {
            return;
        }
        // Of two addresses with as many, the one that has waited longer.
        let most =
            by_peer.into_values().max_by_key(|(count, oldest, _)| (*count, u64::MAX - oldest));
        if let Some(displaced) = most.and_then(|(_, _, id)| self.watched.remove(&id)) {
            displaced.task.abort();
            counter!(self.meters.displaced).increment(1);
        }
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
        for Watched { task, pending, .. } in self.watched.values() {
            if pending.is_stalled(now, self.stall) {
                counter!(self.meters.stalled).increment(1);
                task.abort();
            }
        }
    }

    /// The same while others wait for what they hold: sooner, and also those that take very little. To
    /// be called again and again meanwhile.
    pub(crate) fn drop_pressed(&mut self) {
        let now = self.epoch.elapsed();
        let limit = STALL_PRESSED.min(self.stall);
        for Watched { task, pending, behind, .. } in self.watched.values_mut() {
            let taken = pending.taken();
            let (since, before) = *behind.get_or_insert((now, taken));
            let is_slow = match now.saturating_sub(since) {
                _ if !pending.is_waiting() => {
                    *behind = None;
                    false
                }
                passed if passed < limit => false,
                passed => {
                    *behind = Some((now, taken));
                    let rate = taken.saturating_sub(before) as f64 / passed.as_secs_f64();
                    rate < BYTES_PER_SECOND_PRESSED
                }
            };
            if is_slow || pending.is_stalled(now, limit) {
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
        gauge!(self.meters.open).set(self.watched.len() as f64);
    }
}
