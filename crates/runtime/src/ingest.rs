//! The way into the log: what is too large becomes a stub, what came is counted.

use metrics::{counter, gauge};
use pluvio_event::{AttributeName, json};
use pluvio_log::{
    AppendError, Encoded, Log, LogHandle, Position, Record, Shortage, SourceName, Span, StreamName,
};
use tracing::warn;

/// What an event's attributes may take, encoded; a limit of records below it makes no sense.
pub const ATTRIBUTES_BYTES_MAX: usize = 64 << 10;

/// What helps when the log has no room.
pub(crate) const FULL_REMEDY: &str =
    "free some room on the disk of the log, or lower `retention_size` of [log]";
/// What helps when no file can be opened.
const FILES_REMEDY: &str =
    "allow more open files: `LimitNOFILE=` in the unit, or `ulimit -n`; connections count as files";
/// What helps when a stream is stopped.
const STOPPED_REMEDY: &str = "check the disk, then start Pluvio again";

/// Says how many bytes of data were left out.
pub(crate) const DATA_OMITTED: AttributeName = AttributeName::literal("dataomitted");

/// Appends one source's records to its stream.
#[derive(Clone, Debug)]
pub struct Ingest {
    log: LogHandle,
    stream: StreamName,
    source: SourceName,
    record_bytes_max: usize,
}

/// Records that are encoded, to be appended.
#[derive(Debug)]
pub(crate) struct Ready {
    count: usize,
    encoded: Encoded,
}

/// Records did not get in.
#[derive(Debug, thiserror::Error)]
#[error("failed to append {records} records of {ingest_source} to {stream}")]
pub struct IngestError {
    records: usize,
    ingest_source: SourceName,
    stream: StreamName,
    source: AppendError,
}

impl IngestError {
    /// Whether only room or a file to open is missing, so that the same will work later.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self.source, AppendError::DiskFull { .. })
    }

    /// What the operator can do.
    pub(crate) fn remedy(&self) -> Option<&'static str> {
        remedy(&self.source)
    }
}

/// What the operator can do about records that did not get in.
pub(crate) fn remedy(error: &AppendError) -> Option<&'static str> {
    match error {
        AppendError::DiskFull { shortage: Shortage::Room { .. }, .. } => Some(FULL_REMEDY),
        AppendError::DiskFull { shortage: Shortage::Files, .. } => Some(FILES_REMEDY),
        AppendError::Stopped { .. } => Some(STOPPED_REMEDY),
        _ => None,
    }
}

impl Ingest {
    /// `record_bytes_max`: an event that is larger when encoded is stored without its data.
    pub fn new(
        log: LogHandle,
        stream: StreamName,
        source: SourceName,
        record_bytes_max: usize,
    ) -> Self {
        Self { log, stream, source, record_bytes_max }
    }

    /// The source that appends.
    pub fn source(&self) -> &SourceName {
        &self.source
    }

    /// Appends in order; durable on return.
    pub async fn append(&self, records: Vec<Record>) -> Result<Span, IngestError> {
        self.append_encoded(self.encode(records)?).await
    }

    /// The first half of [`append`](Self::append), which needs a processor and no disk; nothing happens to
    /// the log.
    pub(crate) fn encode(&self, records: Vec<Record>) -> Result<Ready, IngestError> {
        let count = records.len();
        let records = records.into_iter().map(|record| self.fit(record)).collect();
        let encoded = self.log.encode(&self.stream, records);
        let encoded = encoded.map_err(|source| self.error(count, source))?;
        Ok(Ready { count, encoded })
    }

    /// The other half: in order, and durable on return.
    pub(crate) async fn append_encoded(&self, ready: Ready) -> Result<Span, IngestError> {
        let Ready { count, encoded } = ready;
        let span = self.log.append_encoded(&self.stream, encoded).await;
        let span = span.map_err(|source| self.error(count, source))?;
        counter!("pluvio_events_total", "source" => self.source.to_string())
            .increment(count as u64);
        gauge!("pluvio_stream_next_offset", "stream" => self.stream.to_string())
            .set(span.end.get() as f64);
        Ok(span)
    }

    /// Notes a position that no record carries; see [`Log::checkpoint`].
    pub async fn checkpoint(&self, position: Position) -> Result<(), IngestError> {
        let done = self.log.checkpoint(&self.stream, &self.source, position).await;
        done.map_err(|source| self.error(0, source))
    }

    fn error(&self, records: usize, source: AppendError) -> IngestError {
        let (ingest_source, stream) = (self.source.clone(), self.stream.clone());
        IngestError { records, ingest_source, stream, source }
    }

    /// An event above the limit keeps its identity and loses its data: it happened, and a reader
    /// that counts must count it. `dataomitted` tells how many bytes are missing.
    fn fit(&self, record: Record) -> Record {
        let data_bytes = record.event.data().map_or(0, pluvio_event::Data::len);
        // Base64 and escapes at most double the payload, and a source bounds its attributes: only
        // what could be too large is worth encoding to measure.
        if data_bytes * 2 + ATTRIBUTES_BYTES_MAX <= self.record_bytes_max {
            return record;
        }
        let bytes = json::to_vec(&record.event).len();
        if bytes <= self.record_bytes_max {
            return record;
        }
        let (id, bytes_max) = (record.event.id(), self.record_bytes_max);
        warn!(
            source = %self.source, id, bytes, bytes_max, data_bytes,
            "event is too large: stored without its data"
        );
        counter!("pluvio_events_data_omitted_total", "source" => self.source.to_string())
            .increment(1);
        let event = record.event.without_data(DATA_OMITTED, data_bytes.to_string().into());
        Record { event, ..record }
    }
}
