//! What can go wrong. Each error says the operation and its object; the cause is its source.

use crate::{EventId, Extent, Offset, StreamName};

/// A stream could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There are as many streams as the log takes.
    #[error("cannot open stream `{stream}`: the log holds {streams_max} streams already")]
    TooManyStreams {
        /// The one asked for.
        stream: StreamName,
        /// The limit.
        streams_max: usize,
    },
}

/// Records were not appended. All variants: none of them was, and none will be.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Nobody opened the stream.
    #[error("no stream `{0}`")]
    UnknownStream(StreamName),
    /// A record is larger than the stream takes. Whoever appends decides what to leave out.
    #[error("record {index} of {stream} has {bytes} bytes; at most {bytes_max} are taken")]
    RecordTooLarge {
        /// The stream.
        stream: StreamName,
        /// Which of the records, from 0.
        index: usize,
        /// Its encoded size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Offsets are used up, or the last `at_least` asked for the end of the world.
    #[error("stream `{0}` has no offset left")]
    NoOffsetLeft(StreamName),
}

/// Records could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nobody opened the stream.
    #[error("no stream `{0}`")]
    UnknownStream(StreamName),
    /// Records from here on were deleted; the extent says what can be read.
    #[error("offset {from} is out of range: records before {start} were deleted", start = .extent.start)]
    OutOfRange {
        /// Where the read wanted to begin.
        from: Offset,
        /// The bounds at that instant.
        extent: Extent,
    },
    /// No record of this event is known.
    #[error("no event `{id}` from {source_attribute}", id = .0.id, source_attribute = .0.source)]
    NotFound(EventId),
}
