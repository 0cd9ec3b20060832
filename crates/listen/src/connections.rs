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
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use metrics::counter;
use pluvio_runtime::LineLimit;
use tokio::{
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, timeout},
};
use tracing::{error, warn};

use crate::{
    holder::Holder,
    pending::{Pending, TlsRoom},
    portion::Portion,
    room::{BYTES_PER_SECOND_PRESSED, STALL_PRESSED},
};

/// Silent connections have at least as many places as this, if there are as many at all: clients that
/// come back together after a restart are silent together for a moment.
const SILENT_MIN: usize = 64;

/// This part of all places is not for a single client.
const RESERVED_PART: usize = 16;

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
pub(crate) struct Pressure {
    /// Everybody's.
    pub(crate) on_all: bool,
    /// Those of some clients, each of which waits for itself.
    pub(crate) on_clients: HashSet<Holder>,
    /// Those that hold room for what known clients send over TLS.
    pub(crate) on_tls: bool,
}

impl Pressure {
    pub(crate) fn is_none(&self) -> bool {
        !self.on_all && !self.on_tls && self.on_clients.is_empty()
    }

    fn is_on(&self, pending: &Pending) -> bool {
        self.on_all
            || pending.holder().is_some_and(|holder| self.on_clients.contains(holder))
            || (self.on_tls && pending.holds_tls_room(TlsRoom::Known))
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
    open: Portion,
    stall: Duration,
    meters: Meters,
}

struct Watched {
    task: AbortHandle,
    pending: Arc<Pending>,
    /// Where it came from.
    peer: Holder,
    /// How its reader stands while others wait for what it holds.
    behind: Option<Behind>,
}

/// How far a reader is behind one that takes [`BYTES_PER_SECOND_PRESSED`]. It is counted from look to look,
/// for the kernel gives and takes in steps: who takes more than that is never far behind, however the steps
/// fall, and nobody gets ahead.
#[derive(Clone, Copy, Debug)]
struct Behind {
    looked: Duration,
    /// All that it had taken then.
    taken: u64,
    bytes: f64,
}

impl Behind {
    fn new(now: Duration, taken: u64) -> Self {
        Self { looked: now, taken, bytes: 0.0 }
    }

    /// Whether it has fallen behind by what such a reader takes in `limit`.
    fn is_far(&mut self, now: Duration, taken: u64, limit: Duration) -> bool {
        let due = BYTES_PER_SECOND_PRESSED * now.saturating_sub(self.looked).as_secs_f64();
        let came = taken.saturating_sub(self.taken) as f64;
        *self = Self { looked: now, taken, bytes: (self.bytes + due - came).max(0.0) };
        self.bytes >= BYTES_PER_SECOND_PRESSED * limit.as_secs_f64()
    }
}

impl Connections {
    /// None yet, and at most as many as there are places, which the listener keeps to.
    pub(crate) fn new(places: Arc<Places>, stall: Duration, meters: Meters) -> Self {
        let (tasks, watched, open) = (JoinSet::new(), HashMap::new(), Portion::of(meters.open));
        Self { tasks, watched, places, accepted: 0, open, stall, meters }
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
        let (number, peer) = (self.accepted, Holder::at(peer));
        let pending = Arc::new(Pending::new(number));
        let leaving = Leaving { places: Arc::clone(&self.places), pending: Arc::clone(&pending) };
        let connection = connection(Arc::clone(&pending));
        let task = self.tasks.spawn(async move {
            let _leaving = leaving;
            connection.await;
        });
        self.watched.insert(task.id(), Watched { task, pending, peer, behind: None });
        self.open.set(self.watched.len());
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
        let silent = self.watched.values().filter(|it| !it.pending.is_known()).count();
        if silent >= silent_max || self.watched.len() >= places {
            self.displace(|_| true);
        }
    }

    /// Makes room for what strangers send over TLS: gives up a silent connection that holds some.
    pub(crate) fn displace_stranger(&mut self) {
        self.displace(|pending| pending.holds_tls_room(TlsRoom::Strangers));
    }

    /// Gives up the oldest silent connection of the address that has most of those that `is_meant`.
    fn displace(&mut self, is_meant: impl Fn(&Pending) -> bool) {
        let mut by_peer: HashMap<&Holder, (usize, u64, Id)> = HashMap::new();
        let is_meant = |watched: &Watched| {
            let pending = &watched.pending;
            !pending.is_known() && is_meant(pending)
        };
        for (id, watched) in self.watched.iter().filter(|(_, watched)| is_meant(watched)) {
            let number = watched.pending.number();
            let (count, oldest, oldest_id) =
                by_peer.entry(&watched.peer).or_insert((0, number, *id));
            *count += 1;
            if number < *oldest {
                (*oldest, *oldest_id) = (number, *id);
            }
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
                continue;
            }
            let is_slow = if pending.is_waiting() {
                let taken = pending.taken();
                behind.get_or_insert(Behind::new(now, taken)).is_far(now, taken, limit)
            } else {
                *behind = None;
                false
            };
            if is_slow || pending.is_stalled(now, limit) {
                counter!(self.meters.stalled).increment(1);
                task.abort();
            }
        }
    }

    /// Forgets how readers stand for whom nobody waits any more.
    pub(crate) fn relieve(&mut self, pressure: &Pressure) {
        for Watched { pending, behind, .. } in self.watched.values_mut() {
            if !pressure.is_on(pending) {
                *behind = None;
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
        self.open.set(self.watched.len());
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future,
        net::{Ipv4Addr, Ipv6Addr},
        sync::Weak,
    };

    use tokio::time::advance;

    use super::*;
    use crate::room::PRESSED_LOOK;

    const METERS: Meters = Meters { open: "o", panics: "p", stalled: "s", displaced: "d" };
    const STALL: Duration = Duration::from_secs(30);

    /// Connections that do nothing by themselves, by their numbers.
    struct Crowd {
        connections: Connections,
        places: Arc<Places>,
        epoch: Instant,
        open: Vec<(Arc<Pending>, Weak<()>)>,
    }

    impl Crowd {
        fn new() -> Self {
            let epoch = Instant::now();
            let places = Arc::new(Places::new(1000, epoch, STALL, METERS));
            let connections = Connections::new(Arc::clone(&places), STALL, METERS);
            Self { connections, places, epoch, open: Vec::new() }
        }

        /// A connection from the address that ends with `host`.
        fn stranger(&mut self, host: u8) -> Arc<Pending> {
            self.stranger_at(Ipv4Addr::new(127, 0, 0, host).into())
        }

        fn stranger_at(&mut self, address: IpAddr) -> Arc<Pending> {
            let (alive, mut kept) = (Arc::new(()), None);
            let open = Arc::downgrade(&alive);
            self.connections.spawn(address, |pending| {
                kept = Some(pending);
                async move {
                    future::pending::<()>().await;
                    drop(alive);
                }
            });
            let pending = kept.unwrap_or_default();
            self.open.push((Arc::clone(&pending), open));
            pending
        }

        /// The same of a client who has said who it is.
        fn known(&mut self, host: u8) -> Arc<Pending> {
            let pending = self.stranger(host);
            let holder = Holder::at(Ipv4Addr::new(127, 0, 0, host).into());
            assert_eq!(self.places.admit(&pending, holder), Ok(()));
            pending
        }

        /// A reader of a known client that is waited for.
        fn reader(&mut self, host: u8) -> Arc<Pending> {
            let pending = self.known(host);
            pending.waits(self.epoch);
            pending
        }

        /// Those that are left, by their numbers, when all that were dropped are gone.
        async fn left(&mut self) -> Vec<u64> {
            tokio::task::yield_now().await;
            let left = self.open.iter().filter(|(_, open)| open.strong_count() > 0);
            left.map(|(pending, _)| pending.number()).collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_that_finds_no_room_costs_the_oldest_one_of_those_who_hold_most_of_it() {
        let mut crowd = Crowd::new();
        let holds = |pending: &Pending| pending.set_tls_room(TlsRoom::Strangers);
        // It took room before it said who it is.
        holds(&crowd.reader(9));
        crowd.reader(8);
        holds(&crowd.stranger(2));
        for _ in 0..2 {
            crowd.stranger(3);
        }
        for _ in 0..2 {
            holds(&crowd.stranger(1));
        }
        assert_eq!(crowd.left().await, [1, 2, 3, 4, 5, 6, 7]);
        crowd.connections.displace_stranger();
        assert_eq!(crowd.left().await, [1, 2, 3, 4, 5, 7]);
        crowd.connections.displace_stranger();
        crowd.connections.displace_stranger();
        assert_eq!(crowd.left().await, [1, 2, 4, 5]);
        crowd.connections.displace_stranger();
        assert_eq!(crowd.left().await, [1, 2, 4, 5], "the others hold nothing of it");
    }

    #[tokio::test(start_paused = true)]
    async fn all_addresses_of_one_network_of_ipv6_are_one_that_holds_most() {
        let mut crowd = Crowd::new();
        let address = |network, host| Ipv6Addr::new(0xfd00, 0, 0, network, 0, 0, 0, host).into();
        let mut holds = |address| crowd.stranger_at(address).set_tls_room(TlsRoom::Strangers);
        (1..=2).for_each(|_| holds(address(1, 1)));
        (1..=3).for_each(|host| holds(address(2, host)));
        crowd.connections.displace_stranger();
        assert_eq!(crowd.left().await, [1, 2, 4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_room_for_records_waits_for_those_who_hold_some_and_nobody_else() {
        let mut crowd = Crowd::new();
        for room in [TlsRoom::None, TlsRoom::Strangers, TlsRoom::Known] {
            crowd.reader(1).set_tls_room(room);
        }
        advance(STALL_PRESSED).await;
        crowd.connections.drop_pressed(&Pressure { on_tls: true, ..Pressure::default() });
        assert_eq!(crowd.left().await, [1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_waits_for_itself_hurries_its_own_readers() {
        let mut crowd = Crowd::new();
        for host in [1, 2] {
            crowd.reader(host);
        }
        advance(STALL_PRESSED).await;
        let on_clients = HashSet::from([Holder::at(Ipv4Addr::new(127, 0, 0, 2).into())]);
        crowd.connections.drop_pressed(&Pressure { on_clients, ..Pressure::default() });
        assert_eq!(crowd.left().await, [1]);
        crowd.connections.drop_pressed(&Pressure { on_all: true, ..Pressure::default() });
        assert!(crowd.left().await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn how_a_reader_stood_is_forgotten_when_nobody_waits_any_more() {
        let mut crowd = Crowd::new();
        let all = Pressure { on_all: true, ..Pressure::default() };
        let reader = crowd.reader(1);
        let mut look = async |pressure: &Pressure| {
            // It takes a little, so that it is slow and not stalled.
            reader.took(1);
            reader.waits(crowd.epoch);
            crowd.connections.drop_pressed(pressure);
            crowd.connections.relieve(pressure);
            advance(STALL_PRESSED - Duration::from_secs(1)).await;
            crowd.left().await
        };
        let none = Pressure::default();
        for pressure in [&all, &none, &all, &all] {
            assert_eq!(look(pressure).await, [1]);
        }
        assert!(look(&all).await.is_empty());
    }

    /// After how many seconds a reader is far behind that takes `step` bytes at a time, so that it is `rate` a
    /// second.
    fn far_after(step: u64, rate: u64, mut behind: Behind) -> Option<u64> {
        let before = behind.taken;
        let mut looks = (1..1200).map(|half_second| {
            let taken = before + half_second * rate / 2 / step * step;
            (
                half_second / 2,
                behind.is_far(PRESSED_LOOK * half_second as u32, taken, STALL_PRESSED),
            )
        });
        looks.find(|(_, is_far)| *is_far).map(|(second, _)| second)
    }

    #[test]
    fn a_reader_that_takes_enough_is_never_behind_however_large_the_steps_are() {
        let begin = Behind::new(Duration::ZERO, 0);
        for step in [1, 1000, 8 << 10, 64 << 10] {
            assert_eq!(far_after(step, 20_000, begin), None, "{step}");
            assert!(far_after(step, 10_000, begin).is_some_and(|after| after < 30), "{step}");
        }
        assert_eq!(far_after(1, 0, begin), Some(5));
        let fast = Behind::new(Duration::ZERO, 1 << 40);
        assert_eq!(far_after(1, 0, fast), Some(5), "nobody gets ahead");
    }
}
