//! The metrics of a running Pluvio: what is only known when it is asked for, and the whole as text.

use std::sync::Arc;

use anyhow::Context as _;
use metrics::{Unit, describe_gauge, gauge};
use metrics_exporter_prometheus::PrometheusBuilder;
use pluvio_log::{Log as _, LogHandle};

use super::Failed;
use crate::registry::Metrics;

/// Counts from now on; what is given makes the text.
pub(super) fn metrics(log: LogHandle) -> Result<Metrics, Failed> {
    let handle =
        PrometheusBuilder::new().install_recorder().context("failed to install the metrics")?;
    describe();
    Ok(Arc::new(move || {
        measure(&log);
        handle.run_upkeep();
        handle.render()
    }))
}

fn describe() {
    pluvio_log::describe_metrics();
    pluvio_runtime::describe_metrics();
    describe_gauge!("pluvio_log_free_bytes", Unit::Bytes, "Room on the log's disk.");
    describe_gauge!("pluvio_log_recovery_seconds", Unit::Seconds, "What opening the log took.");
    describe_gauge!(
        "pluvio_log_recovery_cut_bytes",
        Unit::Bytes,
        "What was written when the process died, and acknowledged to nobody."
    );
    describe_gauge!(
        "pluvio_log_clock_believed",
        "0 while the machine's clock is too far from what the log knows of the time."
    );
    describe_gauge!("pluvio_stream_writable", "1 while the stream takes events, 0 in trouble.");
    describe_gauge!("pluvio_stream_segments", "Files of a stream.");
    describe_gauge!("pluvio_stream_bytes", Unit::Bytes, "What a stream takes on the disk.");
    describe_gauge!("pluvio_stream_records", "Records of a stream that can be read.");
}

/// What is only known when it is asked for.
fn measure(log: &LogHandle) {
    let health = log.health();
    if let Some(bytes) = health.free_bytes {
        gauge!("pluvio_log_free_bytes").set(bytes as f64);
    }
    gauge!("pluvio_log_clock_believed").set(f64::from(u8::from(health.clock.is_none())));
    if let Some(recovery) = &health.recovery {
        gauge!("pluvio_log_recovery_seconds").set(recovery.took.as_secs_f64());
        gauge!("pluvio_log_recovery_cut_bytes").set(recovery.cut_bytes as f64);
    }
    for told in &health.streams {
        let stream = told.stream.to_string();
        let is_writable = f64::from(u8::from(told.trouble.is_none()));
        gauge!("pluvio_stream_writable", "stream" => stream.clone()).set(is_writable);
        gauge!("pluvio_stream_segments", "stream" => stream.clone()).set(told.segments as f64);
        if let Ok(extent) = log.extent(&told.stream) {
            gauge!("pluvio_stream_bytes", "stream" => stream.clone()).set(extent.bytes as f64);
            gauge!("pluvio_stream_records", "stream" => stream).set(extent.records as f64);
        }
    }
}
