//! The trait that everything hangs on.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use crate::{
    AppendError, Chunk, Encoded, Entries, Entry, EventId, Extent, Fetched, Found, Health, Offset,
    OpenError, Position, Positions, ReadError, ReadLimit, Record, Seek, SourceName, Span,
    StreamName, Table,
};

/// Tells the time; a log never asks the machine itself, so that tests own it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Tells how much time passed since some instant, whatever is done to the [`Clock`]: never goes back.
pub type Passed = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Time that passed, by the machine's monotonic clock.
pub fn system_passed() -> Passed {
    let begun = Instant::now();
    Arc::new(move || begun.elapsed())
}

/// The machine's clock.
pub fn system_clock() -> Clock {
    Arc::new(Timestamp::now)
}

/// A durable, ordered, replayable log of events: the specification.
///
/// **One process** writes a log; within it appends may come from several tasks and are put into one
/// order. Any number of readers, each at its own pace: a slow reader costs only its own offset, it
/// never delays an append or another reader.
///
/// **Durable** means what the implementation's policy says, by default *on disk*. [`append`] returns
/// only then; a record that was returned by any read is as durable as one that was acknowledged.
///
/// **Crash.** After a crash and reopening, a stream holds every acknowledged record, possibly
/// followed by records of appends whose outcome nobody was told; each append is there as a prefix
/// of its records, never with a hole. Positions are those of the records that are there.
///
/// **Cancel safety.** Every method may be dropped at any await. Reads leave nothing behind. After a
/// dropped [`append`] the outcome is unknown: read [`positions`] again before going on.
///
/// [`append`]: Log::append
/// [`positions`]: Log::positions
pub trait Log: Send + Sync + 'static {
    /// Makes the stream if it is not there, and gives its bounds. Idempotent.
    fn open(&self, stream: &StreamName) -> impl Future<Output = Result<Extent, OpenError>> + Send;

    /// The streams there are, internal ones left out, in the order of their names.
    fn streams(&self) -> Vec<StreamName>;

    /// Appends `records` in their order, all or none, durable on return.
    ///
    /// Each record gets the next free offset, or its `at_least` if that is greater. `recorded` is
    /// one time for all of them, not before that of any earlier record, whatever the clock does.
    /// No records: a [`Span`] that is empty, and nothing happens.
    ///
    /// Back-pressure: the returned future is pending while the log cannot keep up. The caller
    /// waits; nothing is queued without limit.
    fn append(
        &self,
        stream: &StreamName,
        records: Vec<Record>,
    ) -> impl Future<Output = Result<Span, AppendError>> + Send {
        async move { self.append_encoded(stream, self.encode(stream, records)?).await }
    }

    /// The first half of [`append`](Log::append), which needs a processor and no disk: whoever appends one
    /// group of records after the other encodes the next while the last is synced. Nothing happens to the
    /// stream. A record that is too large is refused here.
    fn encode(&self, stream: &StreamName, records: Vec<Record>) -> Result<Encoded, AppendError>;

    /// The other half of [`append`](Log::append).
    fn append_encoded(
        &self,
        stream: &StreamName,
        encoded: Encoded,
    ) -> impl Future<Output = Result<Span, AppendError>> + Send;

    /// Notes that `source` looked and found nothing new, so that it resumes from `position` though
    /// no record carries it. Durable on return. The next record of that source supersedes it.
    fn checkpoint(
        &self,
        stream: &StreamName,
        source: &SourceName,
        position: Position,
    ) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// Reads whole batches from `from` on, within `limit`. See the table in the crate's
    /// documentation for the boundary values.
    ///
    /// Waits for the first record by notification, never by polling, and gives an empty chunk when
    /// `limit.wait` is over. A record below [`Extent::start`] is never returned, even if its batch
    /// still lies there.
    fn read(
        &self,
        stream: &StreamName,
        from: Offset,
        limit: ReadLimit,
    ) -> impl Future<Output = Result<Chunk, ReadError>> + Send;

    /// Reads like [`read`](Self::read), but gives batches undecoded, for a reader that speaks their
    /// format ([`batch`](crate::batch)). `records_max` does not count.
    ///
    /// The first batch may begin before `from`, and hold records below [`Extent::start`]: the reader
    /// leaves them out, as Kafka's clients do.
    fn fetch(
        &self,
        stream: &StreamName,
        from: Offset,
        limit: ReadLimit,
    ) -> impl Future<Output = Result<Fetched, ReadError>> + Send;

    /// Finds an offset to read from. Never waits for a record.
    fn seek(
        &self,
        stream: &StreamName,
        seek: Seek,
    ) -> impl Future<Output = Result<Offset, ReadError>> + Send;

    /// Asks the id index about several events at once, in their order; `None`: never seen, gone for
    /// more than 25 h, or forgotten ([`Extent::ids_forgotten_until`]).
    ///
    /// A hit is confirmed by reading the record where it still stands and can be read, so two ids that share
    /// a hash are told apart there.
    fn find(
        &self,
        stream: &StreamName,
        ids: &[EventId],
    ) -> impl Future<Output = Result<Vec<Option<Found>>, ReadError>> + Send;

    /// Deletes the records before `before`: [`Extent::start`] becomes `before`, or stays if it is
    /// beyond. Deleting up to or beyond [`Extent::next`] empties the stream and moves `next` along,
    /// so that no offset is used twice.
    fn trim(
        &self,
        stream: &StreamName,
        before: Offset,
    ) -> impl Future<Output = Result<(), ReadError>> + Send;

    /// The newest position of each source.
    fn positions(
        &self,
        stream: &StreamName,
    ) -> impl Future<Output = Result<Positions, ReadError>> + Send;

    /// Changes entries of a table, in their order, all or none; durable on return.
    fn put(
        &self,
        table: Table,
        entries: Vec<Entry>,
    ) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// All live entries of a table.
    fn entries(&self, table: Table) -> impl Future<Output = Result<Entries, ReadError>> + Send;

    /// The stream's bounds now. Cheap: no I/O.
    fn extent(&self, stream: &StreamName) -> Result<Extent, ReadError>;

    /// A clock that is not this machine's, that of a source or of an event which has just happened, says
    /// that it is `now`: a log that doubts its own clock compares. Cheap: no I/O.
    fn heard(&self, now: Timestamp) {
        let _nobody_doubts = now;
    }

    /// How the log is. Asks the disk how much room it has, nothing more.
    fn health(&self) -> Health;

    /// Applies retention by age, which nobody's append would. Called about once a minute.
    fn maintain(&self) -> impl Future<Output = ()> + Send;
}
