//! Room for answers that readers have not taken yet, shared by all connections.
//!
//! A reader that stops reading holds what was made for it until it is dropped. By itself that is a page;
//! of thousands it is gigabytes. So what is made is counted until the last byte has gone to the kernel:
//! it carries its [`Held`] place with it. Where there is no room, pages end early, and whoever reads the
//! past waits; the tail, which all watchers share, goes on. While somebody waits, readers that take
//! nothing, or next to nothing, are dropped sooner ([`Room::is_pressed`]).
//!
//! It refuses to count what is small: heads, problems, most documents.

use std::{
    sync::{
        Arc,
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
pub(crate) struct Held(OwnedSemaphorePermit);

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
        let held = Arc::clone(&self.units).acquire_many_owned(units(bytes)).await;
        held.ok().map(Held)
    }

    /// The same, if it is this one's turn within `wait`.
    pub(crate) async fn take_within(&self, bytes: usize, wait: Duration) -> Option<Held> {
        timeout(wait, self.take(bytes)).await.ok().flatten()
    }

    /// A place for `bytes`, if there is one.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Held> {
        let held = Arc::clone(&self.units).try_acquire_many_owned(units(bytes));
        if held.is_err() {
            self.is_short.store(true, Ordering::Relaxed);
            self.pressed.notify_one();
        }
        held.ok().map(Held)
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
        let missing = (units(bytes) as usize).saturating_sub(self.0.num_permits());
        if missing == 0 {
            return true;
        }
        let more = room.try_take(missing * UNIT_BYTES);
        more.map(|more| self.0.merge(more.0)).is_some()
    }

    /// Adds another place to this one.
    pub(crate) fn merge(&mut self, other: Self) {
        self.0.merge(other.0);
    }

    /// How large it is.
    pub(crate) fn bytes(&self) -> usize {
        self.0.num_permits() * UNIT_BYTES
    }

    /// The same for `bytes`, if that is less.
    pub(crate) fn shrunk(mut self, bytes: usize) -> Self {
        let excess = self.0.num_permits().saturating_sub(units(bytes) as usize);
        drop(self.0.split(excess));
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

    #[test]
    fn a_place_grows_while_there_is_room_and_shrinks() {
        let room = Room::new(8 << 10);
        let Some(mut held) = room.try_take(1) else { unreachable!("it is empty") };
        assert!(held.grow(8 << 10, &room) && !held.grow(9 << 10, &room));
        let _held = held.shrunk(2 << 10);
        assert!(room.try_take(6 << 10).is_some() && room.try_take(7 << 10).is_none());
    }
}
