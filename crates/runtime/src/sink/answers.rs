//! What a target says to each event of a batch, reported while the write goes on.
//!
//! The supervisor reads the answers as they come: the cursor follows at once, and the time after which
//! a write counts as stalled begins anew with each. They outlive the write and the connection, so an
//! event that was answered for is not sent again as long as the process lives. Bounded by the batch,
//! of which each event is answered for once.
//!
//! A target that refuses everything is noticed here: once so many events in a row were refused as the
//! supervisor allows, no more of the batch may be sent. Otherwise a wrong address would get a whole batch
//! at full speed, and most of it again later.
//!
//! It refuses to hold an answer back: a sink that can still change its mind must not report yet.

use std::{
    borrow::Cow,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use pluvio_log::Offset;
use pluvio_secret::hidden;
use tokio::sync::Notify;

use super::Rejected;

/// Longest reason that is kept, in bytes: a broker may send 64 KiB with each of a thousand refusals.
/// A dead letter keeps as much.
const REASON_BYTES_MAX: usize = 1024;

/// The answers to one write, in the order in which they came.
#[derive(Debug)]
pub struct Answers {
    news: Mutex<News>,
    came: Notify,
    is_ending: AtomicBool,
    /// How many more may be refused, with nothing taken in between, before no more is sent.
    refusals_left: AtomicUsize,
    /// The same from where something is taken on.
    refusals_max: usize,
}

/// Refused events end no write.
impl Default for Answers {
    fn default() -> Self {
        Self::with_refusals(usize::MAX, usize::MAX)
    }
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
    /// After `left` refusals in a row, or `max` once something was taken, no more may be sent.
    pub fn with_refusals(left: usize, max: usize) -> Self {
        Self {
            news: Mutex::default(),
            came: Notify::new(),
            is_ending: AtomicBool::new(false),
            refusals_left: AtomicUsize::new(left),
            refusals_max: max,
        }
    }

    /// This event has arrived for good.
    pub fn taken(&self, offset: Offset) {
        self.refusals_left.store(self.refusals_max, Ordering::Relaxed);
        self.lock().taken.push(offset);
        self.came.notify_one();
    }

    /// The target will never take this event; why, in its words.
    pub fn rejected(&self, offset: Offset, mut reason: String) {
        // Before it is cut.
        if let Cow::Owned(less) = hidden(&reason) {
            reason = less;
        }
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        let less = |left: usize| Some(left.saturating_sub(1));
        let _before = self.refusals_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        self.lock().rejected.push(Rejected { offset, reason });
        self.came.notify_one();
    }

    /// Whether more of the batch may be sent. `false` while Pluvio drains: a write that then only
    /// waits for the answers to what it has sent leaves nothing to be sent twice. `false` also once the
    /// target has refused too many in a row; what was not sent comes again, slowly.
    pub fn may_send(&self) -> bool {
        !self.is_ending.load(Ordering::Relaxed) && self.refusals_left.load(Ordering::Relaxed) > 0
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

    #[test]
    fn nothing_is_sent_after_too_many_refusals_in_a_row_until_something_is_taken() {
        let (answers, at) =
            (Answers::with_refusals(2, 3), |at| Offset::new(at).unwrap_or_default());
        let refused = |offset| {
            answers.rejected(at(offset), "no".to_owned());
            answers.may_send()
        };
        assert_eq!([1, 2].map(refused), [true, false]);
        answers.taken(at(3));
        assert!(answers.may_send());
        assert_eq!([4, 5, 6].map(refused), [true, true, false]);
    }
}
