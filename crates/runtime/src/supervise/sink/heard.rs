//! What one write is given, and what has been heard of it.
//!
//! Both end with the write: what must outlive it, the ledger and the place have. It refuses to judge an answer;
//! that is done where answers are [taken in](super::hearing).

use std::ops::Range;

use pluvio_log::Offset;

use crate::{Delivered, Rejected};

/// What one write is given.
pub(super) struct Part<'r> {
    /// All of the batch that is not settled.
    pub(super) open: &'r [Delivered],
    /// Which of these.
    pub(super) range: Range<usize>,
    /// Where the cursor stands once all of the batch is settled.
    pub(super) end: Offset,
}

/// What was heard of one write.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Rejected, and no letter yet.
    pub(super) refused: Vec<Rejected>,
    /// So many of these came with something that was taken: the target takes events.
    pub(super) trusted: usize,
    /// All before it, of the open records, are settled.
    pub(super) front: usize,
    /// Something was taken.
    pub(super) has_taken: bool,
    /// Something was taken or rejected.
    pub(super) has_answers: bool,
    /// There was an answer for a record that was not given.
    pub(super) is_confused: bool,
    /// Letters cannot be written at the moment.
    pub(super) is_stuck: bool,
}

impl Part<'_> {
    /// What is written.
    pub(super) fn records(&self) -> &[Delivered] {
        self.open.get(self.range.clone()).unwrap_or_default()
    }

    /// Also behind what is written: an answer may be to an earlier write over the same connection.
    pub(super) fn find(&self, offset: Offset) -> Option<&Delivered> {
        let at = self.open.binary_search_by_key(&offset, Delivered::offset).ok()?;
        self.open.get(at)
    }
}
