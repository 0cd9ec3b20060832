//! What a source may know of its own past, read from the log.

use jiff::Timestamp;
use pluvio_log::{
    EventId, Found, Log, LogHandle, Position, ReadError, ReadLimit, Seek, SourceName, StoredRecord,
    StreamName,
};
use tracing::info;

/// Where a source resumes.
#[derive(Clone, Debug)]
pub struct Resume {
    /// The position of its newest record or checkpoint; `None`: it never wrote to this stream.
    pub position: Option<Position>,
    /// The positions of all other names in the stream, configured or not.
    pub others: Vec<(SourceName, Position)>,
    /// Its own past.
    pub history: History,
}

/// Where a source stands, read from a position.
pub trait Resumable: Sized {
    /// Why a position is none of this kind.
    type Error;

    /// Reads it.
    fn parse(position: &Position) -> Result<Self, Self::Error>;

    /// Whether it is a place in the events of this `source` attribute.
    fn is_of(&self, source: &str) -> bool;

    /// Up to when the cloud was read.
    fn time(&self) -> Timestamp;
}

impl Resume {
    /// Where a source of these events goes on: where it stands, or where another name that captured the very
    /// same `source` attribute in this stream came farther. Sections are renamed; no two that run share the
    /// attribute, so the other name is one that this source had. Without this a renamed source would
    /// capture again what is stored, or never what happened while Pluvio was stopped.
    pub fn place<P: Resumable>(&self, source: &str) -> Result<Option<P>, P::Error> {
        let own = self.position.as_ref().map(P::parse).transpose()?;
        let others = self.others.iter().filter_map(|(name, position)| {
            // Another kind of source, or of another version, is not ours to judge.
            P::parse(position).ok().filter(|place| place.is_of(source)).map(|place| (name, place))
        });
        let farthest = others.max_by_key(|(_, place)| place.time());
        let is_farther = |place: &P| own.as_ref().is_none_or(|own: &P| own.time() < place.time());
        match farthest.filter(|(_, place)| is_farther(place)) {
            Some((was, place)) => {
                info!(
                    source = %self.history.source(), %was, from = %place.time(),
                    "going on where the same cloud was left under another name"
                );
                Ok(Some(place))
            }
            None => Ok(own),
        }
    }
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
