//! What a source costs its cloud: calls and rows, by source.
//!
//! Counters only; what they mean is described where they are served.

use metrics::{Counter, counter};
use pluvio_log::SourceName;

/// Counts for one source.
#[derive(Clone)]
pub(super) struct Meter {
    calls: Counter,
    rows: Counter,
    rows_new: Counter,
}

impl Meter {
    /// `pluvio_cloudstack_calls_total`, `…_rows_total`, `…_rows_new_total`.
    pub(super) fn of(source: &SourceName) -> Self {
        let source = source.to_string();
        Self {
            calls: counter!("pluvio_cloudstack_calls_total", "source" => source.clone()),
            rows: counter!("pluvio_cloudstack_rows_total", "source" => source.clone()),
            rows_new: counter!("pluvio_cloudstack_rows_new_total", "source" => source),
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
