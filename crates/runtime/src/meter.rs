//! What the metrics of sources and sinks mean. They are counted where things happen.

use metrics::{Unit, describe_counter, describe_gauge};

/// Tells the recorder what the metrics of this crate mean; once it is installed.
pub fn describe_metrics() {
    describe_counter!("pluvio_events_total", "Events appended, by source.");
    describe_counter!(
        "pluvio_events_data_omitted_total",
        "Events stored without their data, because they are too large, by source."
    );
    describe_counter!(
        "pluvio_authentication_failures_total",
        "Wrong credentials that listeners were presented with."
    );
    describe_counter!(
        "pluvio_authentication_refusals_total",
        "Credentials refused without a look, after too many wrong ones of that address or name."
    );
    describe_counter!("pluvio_source_failures_total", "Attempts of a source that failed.");
    describe_gauge!(
        "pluvio_source_lag_seconds",
        Unit::Seconds,
        "Time since the newest event's own time, when it was stored, by source."
    );
    describe_gauge!("pluvio_stream_next_offset", "The offset after the newest, by stream.");
    describe_counter!("pluvio_sink_batches_total", "Writes that the target acknowledged.");
    describe_counter!("pluvio_sink_events_total", "Events that the target acknowledged.");
    describe_counter!("pluvio_sink_bytes_total", Unit::Bytes, "Their bytes, as stored.");
    describe_counter!("pluvio_sink_filtered_total", "Events that the sink's filter left out.");
    describe_counter!("pluvio_sink_dead_letters_total", "Events that the target rejected.");
    describe_counter!("pluvio_sink_throttled_total", "Times that the target asked for patience.");
    describe_counter!("pluvio_sink_failures_total", "Attempts of a sink that failed.");
    describe_gauge!(
        "pluvio_sink_next_offset",
        "Next offset to deliver, by sink; all earlier records are settled."
    );
    describe_gauge!("pluvio_sink_lag_records_max", "Records behind that, at most.");
    describe_gauge!(
        "pluvio_sink_missed_records_max",
        "Those among them that retention deleted before the sink was handed them, at most."
    );
    describe_gauge!(
        "pluvio_sink_lag_seconds",
        Unit::Seconds,
        "Time since the first of them was stored."
    );
}
