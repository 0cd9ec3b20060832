//! Room for answers that readers have not taken yet, shared by all connections.
//!
//! A reader that stops reading holds what was made for it until it is dropped. By itself that is a page;
//! of thousands it is gigabytes. So what is made is counted until the last byte has gone to the kernel:
//! it carries its [`Held`] place with it. Where there is no room, pages end early, and whoever reads the
//! past waits; the tail, which all watchers share, goes on. While somebody waits, readers that take
//! nothing, or next to nothing, are dropped sooner ([`Room::is_pressed`]).
//!
//! One client has no more than a part of it ([`Parts`]): what it does not take, or makes slowly, keeps out
//! only itself. Who finds no room in its own part says nothing of the room that all share: only readers of
//! that client are dropped sooner.
//!
//! It refuses to count what is small: heads, problems, most documents.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// A reader that takes no byte for this long is dropped while others wait for room: longer than a link
/// that lives is silent.
pub(crate) const STALL_PRESSED: Duration = Duration::from_secs(5);
/// The same for one that takes less than this for as long, in bytes a second: a page of 256 KiB would be
/// held for a quarter of a minute.
pub(crate) const BYTES_PER_SECOND_PRESSED: f64 = 16.0 * 1024.0;
/// How often that is looked for meanwhile.
pub(crate) const PRESSED_LOOK: Duration = Duration::from_millis(500);
/// The unit in which room is given out, in bytes.
const UNIT_BYTES: usize = 1 << 10;

/// So many bytes for all connections of a listener.
#[derive(Debug)]
pub(crate) struct Room {
    units: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Somebody found none, and went on without.
    is_short: AtomicBool,
    pressed: Notify,
}

/// A place for some bytes, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    of_all: OwnedSemaphorePermit,
    /// The same of the client's part.
    of_client: Option<OwnedSemaphorePermit>,
}

/// A part of something for each client: so many permits. It lives as long as one of them is out.
#[derive(Debug)]
pub(crate) struct Shares<K> {
    permits: usize,
    clients: Mutex<HashMap<K, Weak<Semaphore>>>,
}

/// A part of a [`Room`] for each client, and whose part is short.
#[derive(Debug)]
pub(crate) struct Parts<K> {
    units: usize,
    shares: Shares<K>,
    short: Mutex<Short<K>>,
    told: Notify,
}

/// Whose part is short.
#[derive(Debug)]
struct Short<K> {
    /// How many of a client wait for it.
    waiting: HashMap<K, usize>,
    /// Who found it used up since that was asked last, and went on without.
    refused: HashSet<K>,
}

/// The part of one client.
#[derive(Debug)]
pub(crate) struct Part<'p, K> {
    parts: &'p Parts<K>,
    client: &'p K,
}

/// So many clients are looked through for some that have nothing.
const CLIENTS_MANY: usize = 1024;

impl<K: Clone + Eq + Hash> Shares<K> {
    /// Each client may have so many.
    pub(crate) fn new(permits: usize) -> Self {
        Self { permits, clients: Mutex::default() }
    }

    /// The part of `client`.
    pub(crate) fn of(&self, client: &K) -> Arc<Semaphore> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = clients.get(client).and_then(Weak::upgrade) {
            return share;
        }
        if clients.len() >= CLIENTS_MANY {
            clients.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Semaphore::new(self.permits));
        clients.insert(client.clone(), Arc::downgrade(&share));
        share
    }
}

impl<K: Clone + Eq + Hash> Parts<K> {
    /// Each client may have so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let units = bytes / UNIT_BYTES;
        let short = Short { waiting: HashMap::new(), refused: HashSet::new() };
        Self { units, shares: Shares::new(units), short: Mutex::new(short), told: Notify::new() }
    }

    /// The part of `client`.
    pub(crate) fn of<'p>(&'p self, client: &'p K) -> Part<'p, K> {
        Part { parts: self, client }
    }

    /// Waits until somebody finds its client's part used up.
    pub(crate) async fn pressed(&self) {
        self.told.notified().await;
    }

    /// The clients of which somebody waits for the client's part, or found it used up since this was asked
    /// last.
    pub(crate) fn take_pressed(&self) -> HashSet<K> {
        let mut short = self.lock();
        let mut clients = std::mem::take(&mut short.refused);
        clients.extend(short.waiting.keys().cloned());
        clients
    }

    fn lock(&self) -> MutexGuard<'_, Short<K>> {
        self.short.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> Part<'_, K> {
    /// So many bytes of the part, when it is this one's turn; all of it if that is less. `None`: never, as it
    /// was closed.
    pub(crate) async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let (share, units) = (self.share(), self.units(bytes));
        if let Ok(own) = Arc::clone(&share).try_acquire_many_owned(units) {
            return Some(own);
        }
        let _waiting = WaitingFor::new(self);
        share.acquire_many_owned(units).await.ok()
    }

    /// The same, if that much is left.
    fn try_take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let own = self.share().try_acquire_many_owned(self.units(bytes));
        own.inspect_err(|_| self.press()).ok()
    }

    /// How much is left of it, in bytes.
    fn left(&self) -> usize {
        self.share().available_permits() * UNIT_BYTES
    }

    /// Somebody found it used up.
    fn press(&self) {
        self.parts.lock().refused.insert(self.client.clone());
        self.parts.told.notify_one();
    }

    fn share(&self) -> Arc<Semaphore> {
        self.parts.shares.of(self.client)
    }

    fn units(&self, bytes: usize) -> u32 {
        units(bytes).min(u32::try_from(self.parts.units).unwrap_or(u32::MAX))
    }
}

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        let units = Arc::new(Semaphore::new(bytes / UNIT_BYTES));
        Self {
            units,
            waiting: AtomicUsize::new(0),
            is_short: AtomicBool::new(false),
            pressed: Notify::new(),
        }
    }

    /// A place for `bytes`, when it is this one's turn.
    pub(crate) async fn take(&self, bytes: usize) -> Option<Held> {
        if let Some(held) = self.try_take(bytes) {
            return Some(held);
        }
        let _waiting = Waiting::new(&self.waiting);
        let of_all = Arc::clone(&self.units).acquire_many_owned(units(bytes)).await;
        of_all.ok().map(|of_all| Held { of_all, of_client: None })
    }

    /// The same, and clients take turns: `turn` is the one permit of this one's [`Shares`], so that of each
    /// client one waits among the others, and whoever asks for much waits for itself.
    pub(crate) async fn take_in_turn(&self, turn: &Arc<Semaphore>, bytes: usize) -> Option<Held> {
        // Who finds room waits for nobody, and nobody is hurried for it.
        if let Some(held) = self.try_take(bytes) {
            return Some(held);
        }
        let _waiting = Waiting::new(&self.waiting);
        let _turn = turn.acquire().await.ok()?;
        self.take(bytes).await
    }

    /// A place for `bytes`, if there is one.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Held> {
        let of_all = Arc::clone(&self.units).try_acquire_many_owned(units(bytes));
        let of_all = of_all.inspect_err(|_| self.press()).ok()?;
        Some(Held { of_all, of_client: None })
    }

    /// A place for `bytes` in the part of a client, when it is this one's turn within `wait`.
    pub(crate) async fn take_of<K: Clone + Eq + Hash>(
        &self,
        part: &Part<'_, K>,
        bytes: usize,
        wait: Duration,
    ) -> Option<Held> {
        let taken = timeout(wait, async {
            let own = part.take(bytes).await?;
            Some(Held { of_client: Some(own), ..self.take(bytes).await? })
        });
        taken.await.ok().flatten()
    }

    /// The same, if there is one.
    pub(crate) fn try_take_of<K: Clone + Eq + Hash>(
        &self,
        part: &Part<'_, K>,
        bytes: usize,
    ) -> Option<Held> {
        let own = part.try_take(bytes)?;
        Some(Held { of_client: Some(own), ..self.try_take(bytes)? })
    }

    /// A place for `wish` bytes in the part of a client, but for at most half of what is left there and of all
    /// room, so that something is left for whoever comes next. `None` if that is less than `least`: then
    /// nobody is said to be short of anything, for less may do.
    pub(crate) fn try_take_some_of<K: Clone + Eq + Hash>(
        &self,
        part: &Part<'_, K>,
        wish: usize,
        least: usize,
    ) -> Option<Held> {
        let left = part.left().min(self.units.available_permits() * UNIT_BYTES);
        let bytes = wish.min((left / 2).max(least));
        let own = part.share().try_acquire_many_owned(part.units(bytes)).ok()?;
        let of_all = Arc::clone(&self.units).try_acquire_many_owned(units(bytes)).ok()?;
        Some(Held { of_all, of_client: Some(own) })
    }

    /// In how many permits `bytes` are counted.
    pub(crate) fn units(bytes: usize) -> usize {
        units(bytes) as usize
    }

    /// Whether there is less than `bytes` beside what those who wait are owed.
    pub(crate) fn lacks(&self, bytes: usize) -> bool {
        self.units.available_permits() < units(bytes) as usize
    }

    /// Somebody found no room.
    fn press(&self) {
        self.is_short.store(true, Ordering::Relaxed);
        self.pressed.notify_one();
    }

    /// Waits until somebody finds no room.
    pub(crate) async fn pressed(&self) {
        self.pressed.notified().await;
    }

    /// Whether somebody waits for room, or found none since this was asked last.
    pub(crate) fn is_pressed(&self) -> bool {
        self.is_short.swap(false, Ordering::Relaxed) || self.waiting.load(Ordering::Relaxed) > 0
    }
}

impl Held {
    /// Makes the place one for at least `bytes`; whether there is as much room.
    pub(crate) fn grow(&mut self, bytes: usize, room: &Room) -> bool {
        let missing = (units(bytes) as usize).saturating_sub(self.of_all.num_permits());
        if missing == 0 {
            return true;
        }
        room.try_take(missing * UNIT_BYTES).map(|more| self.merge(more)).is_some()
    }

    /// The same of a place in the part of a client.
    pub(crate) fn grow_of<K: Clone + Eq + Hash>(
        &mut self,
        bytes: usize,
        room: &Room,
        part: &Part<'_, K>,
    ) -> bool {
        let missing = (units(bytes) as usize).saturating_sub(self.of_all.num_permits());
        if missing == 0 {
            return true;
        }
        room.try_take_of(part, missing * UNIT_BYTES).map(|more| self.merge(more)).is_some()
    }

    /// Adds another place of the same client to this one.
    pub(crate) fn merge(&mut self, other: Self) {
        self.of_all.merge(other.of_all);
        match (&mut self.of_client, other.of_client) {
            (Some(own), Some(more)) => own.merge(more),
            (own @ None, more) => *own = more,
            (Some(_), None) => {}
        }
    }

    /// How large it is.
    pub(crate) fn bytes(&self) -> usize {
        self.of_all.num_permits() * UNIT_BYTES
    }

    /// The same for `bytes`, if that is less.
    pub(crate) fn shrunk(mut self, bytes: usize) -> Self {
        let excess = self.of_all.num_permits().saturating_sub(units(bytes) as usize);
        drop(self.of_all.split(excess));
        drop(self.of_client.as_mut().and_then(|own| own.split(excess)));
        self
    }

    /// `bytes`, which keep the place as long as any part of them is there.
    pub(crate) fn with(self, bytes: impl AsRef<[u8]> + Send + 'static) -> Bytes {
        Bytes::from_owner(Placed { bytes, _held: self })
    }
}

/// Counts one who waits, also when it gives up.
struct Waiting<'r>(&'r AtomicUsize);

impl<'r> Waiting<'r> {
    fn new(count: &'r AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts one who waits for its client's part, also when it gives up.
struct WaitingFor<'w, K: Clone + Eq + Hash>(&'w Part<'w, K>);

impl<'w, K: Clone + Eq + Hash> WaitingFor<'w, K> {
    fn new(part: &'w Part<'w, K>) -> Self {
        *part.parts.lock().waiting.entry(part.client.clone()).or_default() += 1;
        part.parts.told.notify_one();
        Self(part)
    }
}

impl<K: Clone + Eq + Hash> Drop for WaitingFor<'_, K> {
    fn drop(&mut self) {
        let Part { parts, client } = self.0;
        let mut short = parts.lock();
        if let Some(count) = short.waiting.get_mut(*client) {
            *count -= 1;
            if *count == 0 {
                short.waiting.remove(*client);
            }
        }
    }
}

struct Placed<B> {
    bytes: B,
    _held: Held,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Placed<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_again_when_the_last_part_of_its_bytes_is_gone() {
        let room = Room::new(4 << 10);
        let Some(held) = room.try_take(4 << 10) else { unreachable!("it is empty") };
        let part = held.with(vec![1; 4 << 10]).slice(1..3);
        assert!(!room.is_pressed());
        assert!(timeout(Duration::from_secs(5), room.take(1)).await.is_err());
        assert!(room.is_pressed() && !room.is_pressed());
        drop(part);
        assert!(room.take(4 << 10).await.is_some());
    }

    #[tokio::test]
    async fn clients_take_turns_however_many_of_one_wait() {
        let (room, turns) = (Arc::new(Room::new(1 << 10)), Arc::new(Shares::new(1)));
        let Some(held) = room.try_take(1) else { unreachable!("it is empty") };
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for client in std::iter::repeat_n("greedy", 20).chain(["modest"]) {
            let (room, turn, order) = (Arc::clone(&room), turns.of(&client), Arc::clone(&order));
            waiting.push(tokio::spawn(async move {
                let _held = room.take_in_turn(&turn, 1).await;
                order.lock().unwrap_or_else(PoisonError::into_inner).push(client);
                tokio::task::yield_now().await;
            }));
            tokio::task::yield_now().await;
        }
        drop(held);
        for task in waiting {
            assert!(task.await.is_ok());
        }
        let order = order.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(order.iter().position(|client| *client == "modest"), Some(1), "{order:?}");
    }

    #[test]
    fn a_place_grows_while_there_is_room_and_shrinks() {
        let room = Room::new(8 << 10);
        let Some(mut held) = room.try_take(1) else { unreachable!("it is empty") };
        assert!(held.grow(8 << 10, &room) && !held.grow(9 << 10, &room));
        let _held = held.shrunk(2 << 10);
        assert!(room.try_take(6 << 10).is_some() && room.try_take(7 << 10).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_its_part_waits_for_itself_and_keeps_nobody_else_out() {
        let (room, parts) = (Room::new(8 << 10), Parts::new(4 << 10));
        let wait = Duration::from_secs(5);
        let (greedy, modest) = (parts.of(&"greedy"), parts.of(&"modest"));
        let Some(mut held) = room.try_take_of(&greedy, 3 << 10) else { unreachable!("empty") };
        assert!(held.grow_of(4 << 10, &room, &greedy) && !held.grow_of(5 << 10, &room, &greedy));
        assert!(room.take_of(&greedy, 1, wait).await.is_none());
        assert!(room.take_of(&modest, 4 << 10, wait).await.is_some());
        let held = held.shrunk(1 << 10);
        assert!(room.try_take_of(&greedy, 3 << 10).is_some());
        drop(held);
        assert!(room.try_take_of(&greedy, 4 << 10).is_some());
    }

    #[tokio::test]
    async fn what_a_client_s_own_part_lacks_is_said_of_its_own_readers_only() {
        let (room, parts) = (Room::new(8 << 10), Parts::new(4 << 10));
        let greedy = parts.of(&"greedy");
        let Some(mut held) = room.try_take_of(&greedy, 4 << 10) else { unreachable!("empty") };
        let only_greedy = HashSet::from(["greedy"]);
        assert!(!held.grow_of(5 << 10, &room, &greedy));
        assert_eq!(parts.take_pressed(), only_greedy);
        assert!(room.try_take_of(&greedy, 1).is_none());
        assert_eq!(parts.take_pressed(), only_greedy);
        assert!(parts.take_pressed().is_empty(), "nobody waits");
        let waiting = room.take_of(&greedy, 1, Duration::from_secs(3600));
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            _ = &mut waiting => unreachable!("its part is used up"),
            () = parts.pressed() => {}
        }
        assert_eq!(parts.take_pressed(), only_greedy);
        assert!(!room.is_pressed(), "the others have room");
        drop(held);
        assert!(waiting.await.is_some());
        assert!(parts.take_pressed().is_empty());
    }

    #[test]
    fn a_large_wish_gets_half_of_what_is_left_and_hurries_nobody() {
        let (room, parts) = (Room::new(16 << 10), Parts::new(8 << 10));
        let (greedy, modest) = (parts.of(&"greedy"), parts.of(&"modest"));
        let got = |part| room.try_take_some_of(part, 1 << 20, 1 << 10);
        let held: Vec<Held> = std::iter::from_fn(|| got(&greedy)).collect();
        let kib: Vec<usize> = held.iter().map(|held| held.bytes() >> 10).collect();
        assert_eq!(kib, [4, 2, 1, 1]);
        assert_eq!(got(&modest).map(|held| held.bytes()), Some(4 << 10), "the others have room");
        assert!(!room.is_pressed() && parts.take_pressed().is_empty());
    }
}
