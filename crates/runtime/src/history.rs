//! What a source may know of its own past, read from the log.

use jiff::Timestamp;
use pluvio_log::{EventId, Found, Log, LogHandle, Position, ReadError, SourceName, StreamName};

/// Where a source resumes.
#[derive(Clone, Debug)]
pub struct Resume {
    /// The position of its newest record or checkpoint; `None`: it never wrote to this stream.
    pub position: Option<Position>,
    /// Its own past.
    pub history: History,
}

/// Questions about what is stored already. Cheap to clone; valid as long as the source lives.
#[derive(Clone, Debug)]
pub struct History {
    log: LogHandle,
    stream: StreamName,
    source: SourceName,
}

impl History {
    /// The past of `source` in `stream`.
    pub fn new(log: LogHandle, stream: StreamName, source: SourceName) -> Self {
        Self { log, stream, source }
    }

    /// The source's configured name, which its records carry.
    pub fn source(&self) -> &SourceName {
        &self.source
    }

    /// Ids of events recorded up to then may be forgotten; `None`: none that should not be.
    pub fn forgotten_until(&self) -> Result<Option<Timestamp>, ReadError> {
        Ok(self.log.extent(&self.stream)?.ids_forgotten_until)
    }

    /// Which of `ids` are stored, in their order, with the events' own times; see
    /// [`Log::find`](pluvio_log::Log::find).
    pub async fn find(&self, ids: &[EventId]) -> Result<Vec<Option<Found>>, ReadError> {
        self.log.find(&self.stream, ids).await
    }
}
