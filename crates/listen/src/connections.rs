//! The tasks of all connections of one listener: count them, drop those that take nothing, end them.
//!
//! Who says nothing must not keep others out. A connection is *silent* until its client is known: the
//! handshake is done, and the login; where nobody must log in, the first request. Silent ones have half of
//! the places, and where those are taken, or all are, a new connection takes the place of the oldest silent
//! one of the address that has most of them.
//!
//! Who is known must not keep others out either. One client ([`Holder`]) has all places but a sixteenth: what
//! is left is for others, and for probes. That hurts nobody whose readers all come through one proxy, under
//! one name. It is looked at when a connection becomes known, for only then it is said whose it is; until
//! then it is silent. Where a client has its share, the one of its connections that has idled longest gives
//! way, if one has for a while; else the new one is refused ([`Places`]).
//!
//! It refuses to know a protocol: what a connection does is the task's own matter. A panic costs the
//! connection it happened in and is counted.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use metrics::{counter, gauge};
use pluvio_runtime::LineLimit;
use tokio::{
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, timeout},
};
use tracing::{error, warn};

use crate::{
    room::{BYTES_PER_SECOND_PRESSED, STALL_PRESSED},
    socket::Pending,
};

/// Silent connections have at least as many places as this, if there are as many at all: clients that
/// come back together after a restart are silent together for a moment.
const SILENT_MIN: usize = 64;

/// This part of all places is not for a single client.
const RESERVED_PART: usize = 16;

/// Whose a connection is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// A principal that said who it is.
    Principal(String),
    /// Where nobody must: an address. One of IPv6 counts by its network, for a host has all of a /64.
    Address(IpAddr),
}

impl Holder {
    /// Whoever comes from there.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let mut segments = address.segments();
                segments[4..].fill(0);
                Ipv6Addr::from(segments).into()
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal(name) => write!(f, "principal `{name}`"),
            Self::Address(address) => write!(f, "address {address}"),
        }
    }
}

/// The places of a listener's connections, and whose they are.
#[derive(Debug)]
pub(crate) struct Places {
    connections_max: usize,
    epoch: Instant,
    /// A connection gives way to another one of its client when it has idled for so long.
    idle_min: Duration,
    /// Those of each client, by their numbers.
    held: Mutex<HashMap<Holder, HashMap<u64, Arc<Pending>>>>,
    refused: Mutex<LineLimit>,
    displaced: &'static str,
}

/// Whose readers others wait for.
#[derive(Debug, Default)]
pub(crate) enum Pressure {
    /// Nobody's.
    #[default]
    None,
    /// Those of some clients, each of which waits for itself.
    Of(HashSet<Holder>),
    /// Everybody's.
    All,
}

impl Pressure {
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    fn is_on(&self, pending: &Pending) -> bool {
        match self {
            Self::None => false,
            Self::Of(holders) => pending.holder().is_some_and(|holder| holders.contains(holder)),
            Self::All => true,
        }
    }
}

/// A client has as many connections as one may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at most {0} connections of one client at a time; the others are kept for other clients")]
pub(crate) struct ShareFull(usize);

impl Places {
    /// So many, all of them free. Times are counted from `epoch` on, as the sockets do.
    pub(crate) fn new(
        connections_max: usize,
        epoch: Instant,
        idle_min: Duration,
        meters: Meters,
    ) -> Self {
        let (held, refused) = (Mutex::default(), Mutex::default());
        let displaced = meters.displaced;
        Self { connections_max, epoch, idle_min, held, refused, displaced }
    }

    /// How many there are.
    pub(crate) fn max(&self) -> usize {
        self.connections_max
    }

    /// How many one client may have.
    fn share(&self) -> usize {
        (self.connections_max - self.connections_max.div_ceil(RESERVED_PART)).max(1)
    }

    /// Says whose a connection is, from now on; the first word holds.
    pub(crate) fn admit(&self, pending: &Arc<Pending>, holder: Holder) -> Result<(), ShareFull> {
        if pending.is_known() {
            return Ok(());
        }
        let (now, share) = (self.epoch.elapsed(), self.share());
        let mut held = self.lock();
        let own = held.entry(holder.clone()).or_default();
        if own.len() >= share {
            let idle = own.iter().filter_map(|(number, it)| Some((it.idle(now)?, *number)));
            match idle.max().filter(|(idle, _)| *idle >= self.idle_min) {
                Some((_, number)) => {
                    if let Some(displaced) = own.remove(&number) {
                        displaced.displace();
                        counter!(self.displaced).increment(1);
                    }
                }
                None => {
                    drop(held);
                    self.tell(&holder, share);
                    return Err(ShareFull(share));
                }
            }
        }
        own.insert(pending.number(), Arc::clone(pending));
        pending.known(holder);
        Ok(())
    }

    fn tell(&self, holder: &Holder, connections: usize) {
        let count = self.refused.lock().unwrap_or_else(PoisonError::into_inner).count();
        if let Some(count) = count {
            warn!(client = %holder, connections, count, "a client has its share of all connections, refusing more");
        }
    }

    fn leave(&self, pending: &Pending) {
        let Some(holder) = pending.holder() else { return };
        let mut held = self.lock();
        if let Some(own) = held.get_mut(holder) {
            own.remove(&pending.number());
            if own.is_empty() {
                held.remove(holder);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Holder, HashMap<u64, Arc<Pending>>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives a connection's place back, however it ends.
struct Leaving {
    places: Arc<Places>,
    pending: Arc<Pending>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.places.leave(&self.pending);
    }
}

/// The names of a listener's metrics of connections.
#[derive(Clone, Copy)]
pub(crate) struct Meters {
    /// Open connections.
    pub(crate) open: &'static str,
    /// Connections that ended in a panic.
    pub(crate) panics: &'static str,
    /// Readers that were dropped because they took nothing.
    pub(crate) stalled: &'static str,
    /// Silent or idle connections that were closed for newer ones.
    pub(crate) displaced: &'static str,
}

/// The tasks, each with what tells whether its reader is stalled.
pub(crate) struct Connections {
    tasks: JoinSet<()>,
    watched: HashMap<Id, Watched>,
    places: Arc<Places>,
    accepted: u64,
    stall: Duration,
    meters: Meters,
}

struct Watched {
    task: AbortHandle,
    pending: Arc<Pending>,
    peer: IpAddr,
    /// Since when its reader has been behind at every look, and what it had taken then.
    behind: Option<(Duration, u64)>,
}

impl Connections {
    /// None yet, and at most as many as there are places, which the listener keeps to.
    pub(crate) fn new(places: Arc<Places>, stall: Duration, meters: Meters) -> Self {
        let (tasks, watched) = (JoinSet::new(), HashMap::new());
        Self { tasks, watched, places, accepted: 0, stall, meters }
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
        self.accepted += 1;
        let (number, peer) = (self.accepted, peer.to_canonical());
        let pending = Arc::new(Pending::new(number));
        let leaving = Leaving { places: Arc::clone(&self.places), pending: Arc::clone(&pending) };
        let connection = connection(Arc::clone(&pending));
        let task = self.tasks.spawn(async move {
            let _leaving = leaving;
            connection.await;
        });
        self.watched.insert(task.id(), Watched { task, pending, peer, behind: None });
        gauge!(self.meters.open).set(self.watched.len() as f64);
    }

    /// Makes room for one connection more, if a silent one can be given up for it. To be called before
    /// a connection is taken.
    pub(crate) fn make_room(&mut self) {
        let places = self.places.max();
        let silent_max = (places / 2).max(SILENT_MIN).min(places);
        // With fewer connections than that, silent ones have room whatever they do.
        if self.watched.len() < silent_max {
            return;
        }
        let mut by_peer: HashMap<IpAddr, (usize, u64, Id)> = HashMap::new();
        let mut silent = 0;
        for (id, watched) in self.watched.iter().filter(|(_, it)| !it.pending.is_known()) {
            silent += 1;
            let number = watched.pending.number();
            let (count, oldest, oldest_id) =
                by_peer.entry(watched.peer).or_insert((0, number, *id));
            *count += 1;
            if number < *oldest {
                (*oldest, *oldest_id) = (number, *id);
            }
        }
        if silent < silent_max && self.watched.len() < places {
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
        let now = self.places.epoch.elapsed();
        for Watched { task, pending, .. } in self.watched.values() {
            if pending.is_stalled(now, self.stall) {
                counter!(self.meters.stalled).increment(1);
                task.abort();
            }
        }
    }

    /// The same while others wait for what they hold: sooner, and also those that take very little. To
    /// be called again and again meanwhile.
    pub(crate) fn drop_pressed(&mut self, pressure: &Pressure) {
        let now = self.places.epoch.elapsed();
        let limit = STALL_PRESSED.min(self.stall);
        for Watched { task, pending, behind, .. } in self.watched.values_mut() {
            if !pressure.is_on(pending) {
                *behind = None;
                continue;
            }
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
