//! A listing of records under way: how far it is, and what can only be judged at its end.
//!
//! What `records_overlap` reaches is listed again, and the log may have forgotten what it had of them: where retention is shorter, or
//! an index was damaged. A record of that time that is not found is left aside and told, because a bill must
//! not have it twice.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use pluvio_clouds::cloudstack::{MalformedRow, UsageRecord};
use uuid::Uuid;

/// A listing under way.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) page: u32,
    /// Rows of the pages before.
    pub(super) rows: u32,
    /// Names what the page before held.
    pub(super) before: Option<Uuid>,
    /// Of what is alike, the records that were listed whole.
    pub(super) whole: HashMap<Uuid, HashSet<Uuid>>,
    /// Those that may look the same though they are several uses, by what names them all; judged at the end, when
    /// it is known how many there are.
    pub(super) shared: BTreeMap<Uuid, Vec<UsageRecord>>,
    /// Those whose resources were purged; judged at the end, when it is known which were listed whole.
    pub(super) purged: Vec<UsageRecord>,
    /// Volumes' rows from the first one on with an amount that is not the newest captured one; judged at the end, when
    /// it is known whether one of them may be of a machine that was purged.
    pub(super) machineless: BTreeMap<Uuid, Vec<UsageRecord>>,
    /// How many that look the same or were purged were taken for captured ones that were written again.
    pub(super) written_again: usize,
    /// Records whose last row so far has an amount that was captured, though not last.
    pub(super) back: BTreeMap<Uuid, UsageRecord>,
    /// Rows that cannot be read, and why the first one cannot.
    pub(super) unread: usize,
    pub(super) flaw: Option<String>,
    /// The server shows the same page whichever is asked for.
    pub(super) ignores_pages: bool,
    /// Of windows that ended before, and that were listed once, what is not found may be stored all the same.
    pub(super) unsure_before: i64,
    /// So many were left aside for that.
    pub(super) unsure: usize,
}

impl Listing {
    pub(super) fn new(from: i64, to: i64, unsure_before: i64) -> Self {
        Self {
            from,
            to,
            page: 1,
            rows: 0,
            before: None,
            whole: HashMap::new(),
            shared: BTreeMap::new(),
            purged: Vec::new(),
            machineless: BTreeMap::new(),
            written_again: 0,
            back: BTreeMap::new(),
            unread: 0,
            flaw: None,
            ignores_pages: false,
            unsure_before,
            unsure: 0,
        }
    }

    pub(super) fn is_unsure(&self, end: Timestamp) -> bool {
        end.as_second() < self.unsure_before
    }

    /// The same for a row that cannot be read: where it does not even tell its window, by all that was asked for.
    pub(super) fn is_unsure_of(&self, row: &MalformedRow) -> bool {
        match row.moment("enddate") {
            Some(end) => self.is_unsure(end.at),
            None => self.from < self.unsure_before,
        }
    }
}
