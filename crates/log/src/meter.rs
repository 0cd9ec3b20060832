//! What the log's metrics mean. They are counted where things happen.

use metrics::{Unit, describe_histogram};

/// Tells the recorder what the metrics of this crate mean; once it is installed.
pub fn describe_metrics() {
    describe_histogram!(
        "pluvio_log_append_seconds",
        Unit::Seconds,
        "From the call of append until it is durable, waiting included."
    );
    describe_histogram!("pluvio_log_sync_seconds", Unit::Seconds, "Syncs of a segment.");
}
