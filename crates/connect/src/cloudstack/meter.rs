//! What a source costs its cloud: calls and rows, by source.

use metrics::{Counter, counter, describe_counter};
use pluvio_log::SourceName;

const CALLS: &str = "pluvio_cloudstack_calls_total";
const ROWS: &str = "pluvio_cloudstack_rows_total";
const ROWS_NEW: &str = "pluvio_cloudstack_rows_new_total";

/// Counts for one source.
#[derive(Clone)]
pub(super) struct Meter {
    calls: Counter,
    rows: Counter,
    rows_new: Counter,
}

impl Meter {
    pub(super) fn of(source: &SourceName) -> Self {
        describe_counter!(CALLS, "Calls of listEvents: what a source costs its cloud.");
        describe_counter!(ROWS, "Rows that these calls gave.");
        describe_counter!(ROWS_NEW, "Rows among them that became events.");
        let source = source.to_string();
        Self {
            calls: counter!(CALLS, "source" => source.clone()),
            rows: counter!(ROWS, "source" => source.clone()),
            rows_new: counter!(ROWS_NEW, "source" => source),
        }
    }

    /// One call that gave so many rows.
    pub(super) fn call(&self, rows: usize) {
        self.calls.increment(1);
        self.rows.increment(rows as u64);
    }

    /// Rows that became records.
    pub(super) fn new_rows(&self, rows: usize) {
        self.rows_new.increment(rows as u64);
    }
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meter")
    }
}
