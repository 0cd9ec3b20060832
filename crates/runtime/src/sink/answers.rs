//! What a target says to each event of a batch, reported while the write goes on.
//!
//! The supervisor reads the answers as they come: the cursor follows at once, and the time after which
//! a write counts as stalled begins anew with each. They outlive the write and the connection, so an
//! event that was answered for is not sent again as long as the process lives. Bounded by the batch,
//! of which each event is answered for once.
//!
//! It refuses to hold an answer back: a sink that can still change its mind must not report yet.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use pluvio_log::Offset;
use tokio::sync::Notify;

use super::Rejected;

/// Longest reason that is kept, in bytes: a broker may send 64 KiB with each of a thousand refusals.
/// A dead letter keeps as much.
const REASON_BYTES_MAX: usize = 1024;

/// The answers to one write, in the order in which they came.
#[derive(Debug, Default)]
pub struct Answers {
    news: Mutex<News>,
    came: Notify,
    is_ending: AtomicBool,
}

/// Answers that were not looked at yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// These have arrived for good.
    pub taken: Vec<Offset>,
    /// These never will.
    pub rejected: Vec<Rejected>,
}

impl Answers {
    /// This event has arrived for good.
    pub fn taken(&self, offset: Offset) {
        self.lock().taken.push(offset);
        self.came.notify_one();
    }

    /// The target will never take this event; why, in its words.
    pub fn rejected(&self, offset: Offset, mut reason: String) {
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        self.lock().rejected.push(Rejected { offset, reason });
        self.came.notify_one();
    }

    /// Whether more of the batch may be sent. `false` while Pluvio drains: a write that then only
    /// waits for the answers to what it has sent leaves nothing to be sent twice.
    pub fn may_send(&self) -> bool {
        !self.is_ending.load(Ordering::Relaxed)
    }

    /// Gives what came since the last call.
    pub fn take(&self) -> News {
        std::mem::take(&mut *self.lock())
    }

    /// Returns when something came.
    pub(crate) async fn came(&self) {
        self.came.notified().await;
    }

    /// Nothing more is to be sent.
    pub(crate) fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_once_and_reasons_are_bounded() {
        let (answers, at) = (Answers::default(), |at| Offset::new(at).unwrap_or_default());
        answers.taken(at(2));
        answers.rejected(at(1), "é".repeat(REASON_BYTES_MAX));
        let news = answers.take();
        assert_eq!(news.taken, [at(2)]);
        assert_eq!(news.rejected.first().map(|it| it.reason.len()), Some(REASON_BYTES_MAX));
        assert_eq!(answers.take(), News::default());
    }
}
