//! Which pages each client has on its way, and how much that may be.
//!
//! A page is counted once for a client, however many of its readers take it, until the last of them has
//! it in the kernel. So a crowd of readers that follow each other costs one page, and a crowd of slow ones,
//! each at a place of its own, fills its client's part and waits for itself. Pages that only the cache keeps
//! are nobody's.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::{http::watch::Client, room::Room};

/// So many clients of a page are looked through for some that have left it.
const CLIENTS_MANY: usize = 64;

/// Who has a page on its way.
#[derive(Default)]
pub(super) struct Pins {
    by_client: Mutex<HashMap<Client, Weak<Pin>>>,
    /// Told when a client is added.
    added: Notify,
}

/// A client's place for a page; free when the last of its readers lets go of it.
pub(in crate::http) struct Pin {
    permit: Mutex<OwnedSemaphorePermit>,
    /// Held by the one of the client's readers that makes the page.
    making: tokio::sync::Mutex<()>,
    /// Told then: what only the cache keeps can make room.
    unpinned: Arc<Notify>,
}

impl Pins {
    /// `client`'s place for the page: the one that it has, or as soon as its `share` has so many `bytes`, a
    /// new one. `None`: the share was closed.
    pub(super) async fn pin(
        &self,
        client: &Client,
        room: &Room,
        share: &Arc<Semaphore>,
        bytes: usize,
        unpinned: &Arc<Notify>,
    ) -> Option<Arc<Pin>> {
        loop {
            let mut added = pin!(self.added.notified());
            added.as_mut().enable();
            if let Some(pin) = self.lock().get(client).and_then(Weak::upgrade) {
                return Some(pin);
            }
            let permit = tokio::select! {
                biased;
                permit = room.take_part(share, bytes) => permit?,
                () = added => continue,
            };
            return Some(self.add(client, permit, unpinned));
        }
    }

    /// The place of whoever was first.
    fn add(
        &self,
        client: &Client,
        permit: OwnedSemaphorePermit,
        unpinned: &Arc<Notify>,
    ) -> Arc<Pin> {
        let mut by_client = self.lock();
        if let Some(pin) = by_client.get(client).and_then(Weak::upgrade) {
            return pin;
        }
        if by_client.len() >= CLIENTS_MANY {
            by_client.retain(|_, pin| pin.strong_count() > 0);
        }
        let pin = Arc::new(Pin {
            permit: Mutex::new(permit),
            making: tokio::sync::Mutex::default(),
            unpinned: Arc::clone(unpinned),
        });
        by_client.insert(client.clone(), Arc::downgrade(&pin));
        self.added.notify_waiters();
        pin
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Client, Weak<Pin>>> {
        self.by_client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pin {
    /// The turn to make the page among the client's readers.
    pub(super) async fn making(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.making.lock().await
    }

    /// Gives back what a page of `bytes` does not need.
    pub(super) fn shrink(&self, bytes: usize) {
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        let excess = permit.num_permits().saturating_sub(Room::units(bytes));
        drop(permit.split(excess));
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.unpinned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, timeout};

    use super::*;

    const PAGE: usize = 4 << 10;

    fn client(name: &str) -> Client {
        Client::Principal(name.to_owned())
    }

    async fn pinned(pins: &Pins, name: &str, share: &Arc<Semaphore>) -> Option<Arc<Pin>> {
        let (client, room, unpinned) = (client(name), Room::new(PAGE), Arc::default());
        let pin = pins.pin(&client, &room, share, PAGE, &unpinned);
        timeout(Duration::from_secs(5), pin).await.ok().flatten()
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_counts_once_for_a_client_and_another_page_waits_for_it() {
        let share = Arc::new(Semaphore::new(Room::units(PAGE)));
        let (page, next) = (Pins::default(), Pins::default());
        let first = pinned(&page, "slow", &share).await;
        let second = pinned(&page, "slow", &share).await;
        assert!(first.is_some() && second.is_some());
        assert!(pinned(&next, "slow", &share).await.is_none());
        drop(second);
        assert!(pinned(&next, "slow", &share).await.is_none());
        drop(first);
        assert!(pinned(&next, "slow", &share).await.is_some());
    }

    #[tokio::test]
    async fn who_waits_for_a_part_goes_on_when_another_of_its_client_has_the_page() {
        let share = Arc::new(Semaphore::new(Room::units(PAGE)));
        let (page, other) = (Pins::default(), Pins::default());
        let taken = pinned(&other, "slow", &share).await;
        let (room, unpinned) = (Room::new(PAGE), Arc::default());
        let slow = client("slow");
        let waiting = page.pin(&slow, &room, &share, PAGE, &unpinned);
        let adding = async {
            tokio::task::yield_now().await;
            assert!(room.is_pressed());
            let permit = Arc::new(Semaphore::new(1)).acquire_owned().await;
            permit.ok().map(|permit| page.add(&slow, permit, &unpinned))
        };
        let (waited, added) = tokio::join!(waiting, adding);
        assert!(matches!((&waited, &added), (Some(a), Some(b)) if Arc::ptr_eq(a, b)));
        drop(taken);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_is_smaller_than_was_thought_gives_the_rest_back() {
        let share = Arc::new(Semaphore::new(Room::units(PAGE)));
        let (page, next) = (Pins::default(), Pins::default());
        let pin = pinned(&page, "slow", &share).await;
        let Some(pin) = pin else { unreachable!("there is room") };
        pin.shrink(PAGE / 2);
        assert_eq!(share.available_permits(), Room::units(PAGE / 2));
        assert!(pinned(&next, "slow", &share).await.is_none());
    }
}
