//! Room for answers that readers have not taken yet, shared by all connections.
//!
//! A reader that stops reading holds what was made for it until it is dropped. By itself that is a page;
//! of thousands it is gigabytes. So what is made is counted until the last byte has gone to the kernel:
//! it carries its [`Held`] place with it. Where there is no room, pages end early, and whoever reads the
//! past waits; the tail, which all watchers share, goes on. While somebody waits, readers that take
//! nothing, or next to nothing, are dropped sooner ([`Room::is_pressed`]).
//!
//! One client has no more than a part of it ([`Shares`]): what it does not take, or makes slowly, keeps out
//! only itself.
//!
//! It refuses to count what is small: heads, problems, most documents.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, PoisonError, Weak,
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

/// So many clients are looked through for some that have nothing.
const CLIENTS_MANY: usize = 1024;

impl<K: Clone + Eq + Hash> Shares<K> {
    /// Each client may have so many.
    pub(crate) fn new(permits: usize) -> Self {
        Self { permits, clients: Mutex::default() }
    }

    /// Each client may have so much of a [`Room`].
    pub(crate) fn of_room(bytes: usize) -> Self {
        Self::new(bytes / UNIT_BYTES)
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

    /// The same, if it is this one's turn within `wait`.
    pub(crate) async fn take_within(&self, bytes: usize, wait: Duration) -> Option<Held> {
        timeout(wait, self.take(bytes)).await.ok().flatten()
    }

    /// A place for `bytes`, if there is one.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Held> {
        let of_all = Arc::clone(&self.units).try_acquire_many_owned(units(bytes));
        let of_all = of_all.inspect_err(|_| self.press()).ok()?;
        Some(Held { of_all, of_client: None })
    }

    /// A place for `bytes` in the part of a client, when it is this one's turn within `wait`.
    pub(crate) async fn take_of(
        &self,
        share: &Arc<Semaphore>,
        bytes: usize,
        wait: Duration,
    ) -> Option<Held> {
        if let Some(held) = self.try_take_of(share, bytes) {
            return Some(held);
        }
        let _waiting = Waiting::new(&self.waiting);
        let taken = timeout(wait, async {
            let own = Arc::clone(share).acquire_many_owned(units(bytes)).await.ok()?;
            Some(Held { of_client: Some(own), ..self.take(bytes).await? })
        });
        taken.await.ok().flatten()
    }

    /// The same, if there is one.
    pub(crate) fn try_take_of(&self, share: &Arc<Semaphore>, bytes: usize) -> Option<Held> {
        let own = Arc::clone(share).try_acquire_many_owned(units(bytes));
        let own = own.inspect_err(|_| self.press()).ok()?;
        Some(Held { of_client: Some(own), ..self.try_take(bytes)? })
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
        let more = match &self.of_client {
            None => room.try_take(missing * UNIT_BYTES),
            Some(own) => room.try_take_of(own.semaphore(), missing * UNIT_BYTES),
        };
        more.map(|more| self.merge(more)).is_some()
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
        assert!(room.take_within(1, Duration::from_secs(5)).await.is_none());
        assert!(room.is_pressed() && !room.is_pressed());
        drop(part);
        assert!(room.take_within(4 << 10, Duration::from_secs(5)).await.is_some());
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
        let (room, shares) = (Room::new(8 << 10), Shares::of_room(4 << 10));
        let wait = Duration::from_secs(5);
        let greedy = shares.of(&"greedy");
        let Some(mut held) = room.try_take_of(&greedy, 3 << 10) else { unreachable!("empty") };
        assert!(held.grow(4 << 10, &room) && !held.grow(5 << 10, &room));
        // The part is the same one as long as something of it is out.
        drop(greedy);
        assert!(room.take_of(&shares.of(&"greedy"), 1, wait).await.is_none());
        assert!(room.take_of(&shares.of(&"modest"), 4 << 10, wait).await.is_some());
        let held = held.shrunk(1 << 10);
        assert!(room.try_take_of(&shares.of(&"greedy"), 3 << 10).is_some());
        drop(held);
        assert!(room.try_take_of(&shares.of(&"greedy"), 4 << 10).is_some());
    }
}
