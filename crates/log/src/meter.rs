//! What the log's metrics mean. They are counted where things happen.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(crate) const DAMAGED_READS: &str = "pluvio_log_damaged_reads_total";
pub(crate) const DAMAGED_PLACES: &str = "pluvio_log_damaged_places";

/// Tells the recorder what the metrics of this crate mean; once it is installed.
pub fn describe_metrics() {
    describe_histogram!(
        "pluvio_log_append_seconds",
        Unit::Seconds,
        "From the call of append until it is durable, waiting included."
    );
    describe_histogram!("pluvio_log_sync_seconds", Unit::Seconds, "Syncs of a segment.");
    describe_counter!(
        DAMAGED_READS,
        "Reads that met stored bytes which are not what was written. None of them was served."
    );
    describe_gauge!(
        DAMAGED_PLACES,
        "Batches that a reader found damaged since the start, and that still are."
    );
}
