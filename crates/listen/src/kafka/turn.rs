//! Turns for requests that are dear: those that name much, or may be answered with much.
//!
//! A consumer's request names a few streams and is answered in microseconds. One that names as much as a
//! request may takes a thousand times as long, and all connections share the workers with HTTP. So dear ones
//! are worked on one at a time, and of each client one waits among those of all others: whoever asks for much
//! on many connections waits for itself. Between a request's parts the worker is offered to others ([`Pace`]).
//!
//! It refuses to hold anybody up while a request waits: for a record, a rebalance, or the disk.

use std::sync::Arc;

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::yield_now,
};

use crate::{holder::Holder, room::Shares};

/// Parts of a request that are worked on in one go: some tens of microseconds.
const PARTS_AT_ONCE: usize = 32;

/// Whose turn it is.
pub(super) struct Turns {
    own: Shares<Holder>,
    all: Arc<Semaphore>,
}

/// A dear request's turn; none of a request that is not. It ends when it is dropped.
#[derive(Default)]
pub(super) struct Turn {
    _own: Option<OwnedSemaphorePermit>,
    all: Option<OwnedSemaphorePermit>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self::at_a_time(1)
    }

    /// So many at a time, of which one of each client.
    pub(super) fn at_a_time(count: usize) -> Self {
        Self { own: Shares::new(1), all: Arc::new(Semaphore::new(count)) }
    }

    /// The next turn of this client.
    pub(super) async fn take(&self, holder: &Holder) -> Turn {
        let own = self.own.of(holder).acquire_owned().await.ok();
        let all = Arc::clone(&self.all).acquire_owned().await.ok();
        Turn { _own: own, all }
    }
}

impl Turn {
    /// From here on the request waits for the disk more than it works: only its own client waits for it.
    pub(super) fn leave_to_others(&mut self) {
        self.all = None;
    }

    /// From here on it waits for what may never happen: nobody waits for it.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }
}

/// Offers the worker to others between the parts of a request.
#[derive(Debug, Default)]
pub(super) struct Pace(usize);

impl Pace {
    /// To be called for each part.
    pub(super) async fn step(&mut self) {
        self.0 += 1;
        if self.0.is_multiple_of(PARTS_AT_ONCE) {
            yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    #[tokio::test]
    async fn clients_take_turns_however_many_dear_requests_of_one_wait() {
        let turns = Arc::new(Turns::new());
        let order = Arc::new(Mutex::new(Vec::new()));
        let first = turns.take(&Holder::Principal("greedy".to_owned())).await;
        let mut waiting = Vec::new();
        for client in std::iter::repeat_n("greedy", 20).chain(["modest"]) {
            let (turns, order) = (Arc::clone(&turns), Arc::clone(&order));
            waiting.push(tokio::spawn(async move {
                let _turn = turns.take(&Holder::Principal(client.to_owned())).await;
                order.lock().unwrap_or_else(PoisonError::into_inner).push(client);
                yield_now().await;
            }));
            yield_now().await;
        }
        drop(first);
        for task in waiting {
            assert!(task.await.is_ok());
        }
        let order = order.lock().unwrap_or_else(PoisonError::into_inner);
        let place = order.iter().position(|client| *client == "modest");
        assert!(place <= Some(1), "{order:?}");
    }

    #[tokio::test]
    async fn a_request_that_waits_for_the_disk_holds_up_its_own_client_only() {
        let turns = Turns::new();
        let (one, other) = (Holder::Principal("one".into()), Holder::Principal("other".into()));
        let mut turn = turns.take(&one).await;
        turn.leave_to_others();
        drop(turns.take(&other).await);
        tokio::select! {
            biased;
            _ = turns.take(&one) => unreachable!("its client has its turn"),
            () = yield_now() => {}
        }
        turn.end();
        drop(turns.take(&one).await);
    }
}
