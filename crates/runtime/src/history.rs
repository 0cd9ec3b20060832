//! What a source may know of its own past, read from the log.

use jiff::Timestamp;
use pluvio_log::{
    EventId, Found, IDS_OUTLIVE, Log, LogHandle, Offset, ReadError, ReadLimit, Seek, SourceName,
    StoredRecord, StreamName,
};

/// Questions about what is stored already. Cheap to clone; valid as long as the source lives.
#[derive(Clone, Debug)]
pub struct History {
    pub(crate) log: LogHandle,
    pub(crate) stream: StreamName,
    pub(crate) source: SourceName,
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

    /// Latest time for which ids may have been lost from the index; `None` if it is complete.
    pub fn forgotten_until(&self) -> Result<Option<Timestamp>, ReadError> {
        Ok(self.log.extent(&self.stream)?.ids_forgotten_until)
    }

    /// Ids of events recorded before then may be forgotten, whether they should be or not; `None`: all are known.
    /// For sources that look further back than the log keeps ids of what retention took.
    pub async fn remembers_from(&self) -> Result<Option<Timestamp>, ReadError> {
        let extent = self.log.extent(&self.stream)?;
        let forgotten = extent.ids_forgotten_until.max(extent.ids_outlived_until);
        if extent.start == Offset::ZERO {
            return Ok(forgotten);
        }
        let outlived = Timestamp::now().saturating_sub(IDS_OUTLIVE).unwrap_or(Timestamp::MIN);
        let limit = ReadLimit { records_max: 1, ..ReadLimit::default() };
        let earliest = match self.log.read(&self.stream, extent.start, limit).await {
            // Retention went on meanwhile: what is the earliest now was recorded later.
            Err(ReadError::OutOfRange { .. }) => None,
            chunk => chunk?.records().next().map(|record| record.recorded),
        };
        Ok(forgotten.max(Some(earliest.map_or(outlived, |earliest| earliest.min(outlived)))))
    }

    /// Which of `ids` are stored, in their order, with the events' own times; see
    /// [`Log::find`](pluvio_log::Log::find).
    pub async fn find(&self, ids: &[EventId]) -> Result<Vec<Option<Found>>, ReadError> {
        self.log.find(&self.stream, ids).await
    }

    /// Shows what was stored since then, oldest first, whatever source it is of. Reads all of it: for
    /// questions that ids do not answer, and seldom.
    pub async fn each_since(
        &self,
        since: Timestamp,
        mut seen: impl FnMut(&StoredRecord) + Send,
    ) -> Result<(), ReadError> {
        let mut from = self.log.seek(&self.stream, Seek::Time(since)).await?;
        loop {
            let chunk = match self.log.read(&self.stream, from, ReadLimit::default()).await {
                // Retention went on meanwhile.
                Err(ReadError::OutOfRange { .. }) => {
                    from = self.log.seek(&self.stream, Seek::Start).await?;
                    continue;
                }
                chunk => chunk?,
            };
            if chunk.is_empty() {
                return Ok(());
            }
            chunk.records().for_each(&mut seen);
            from = chunk.next;
        }
    }
}
