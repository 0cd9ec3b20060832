//! What can go wrong. Each error says the operation and its object; the cause is its source.

use std::{path::PathBuf, sync::Arc};

use crate::{EventId, Extent, Offset, StreamName, Table};

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
    /// Another process writes to the folder.
    #[error("`{path}` is held by another process, {holder}: stop it first, or use another folder")]
    Locked {
        /// The lock.
        path: PathBuf,
        /// What it says of its holder.
        holder: String,
    },
    /// A newer release wrote it.
    #[error(
        "`{path}` has format {format}, written by pluvio {release}; this release reads up to {newest}"
    )]
    FormatTooNew {
        /// What tells the format.
        path: PathBuf,
        /// Its format.
        format: u32,
        /// The newest format that we read.
        newest: u32,
        /// Who wrote it.
        release: String,
    },
    /// Stored bytes are not what was written. Nothing was changed.
    #[error(
        "`{path}` is damaged at byte {byte}, at offset {offset}: {reason}; `pluvio log verify` tells more, `pluvio log repair` mends what can be mended"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damage begins.
        byte: u64,
        /// The first offset that is concerned.
        offset: Offset,
        /// What does not fit.
        reason: String,
    },
    /// The disk refused.
    #[error("failed to {operation} `{path}`")]
    Disk {
        /// What was tried.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What failed.
        source: std::io::Error,
    },
}

impl OpenError {
    pub(crate) fn disk(
        operation: &'static str,
        path: impl Into<PathBuf>,
        source: std::io::Error,
    ) -> Self {
        Self::Disk { operation, path: path.into(), source }
    }
}

/// Records were not appended. All variants but [`Stopped`](Self::Stopped): none of them was, and
/// none will be.
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
    /// Too little is left of what a write needs, on the disk or of open files. Nothing was written; try
    /// again later.
    #[error("stream `{stream}` takes nothing: {shortage}")]
    DiskFull {
        /// The stream.
        stream: StreamName,
        /// What is used up.
        shortage: Shortage,
    },
    /// The disk failed while this stream was written to, or its files were moved, removed or cut: it takes
    /// nothing until Pluvio is started again, because what a failed sync left on the disk cannot be known.
    /// Nor is the outcome of this append: positions tell after the restart.
    #[error("stream `{stream}` is stopped: writing to it failed")]
    Stopped {
        /// The stream.
        stream: StreamName,
        /// What failed.
        source: Arc<std::io::Error>,
    },
    /// An entry that is too large, or one more than a table takes.
    #[error("table {table:?} cannot take {bytes} bytes more; at most {bytes_max} are taken")]
    TableFull {
        /// The table.
        table: Table,
        /// What was to be added.
        bytes: usize,
        /// The limit: of the entry, or of the table.
        bytes_max: usize,
    },
    /// Offsets are used up, or the last `at_least` asked for the end of the world.
    #[error("stream `{0}` has no offset left")]
    NoOffsetLeft(StreamName),
}

/// What a write found used up. It passes: the same write works when there is some again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shortage {
    /// Room on the disk.
    #[error(
        "{free_bytes} bytes are free on the disk, {reserve_bytes} are kept in reserve, and the next write \
         needs more"
    )]
    Room {
        /// What was free when it was last looked at.
        free_bytes: u64,
        /// What is kept free.
        reserve_bytes: u64,
    },
    /// Files that the process, or the whole machine, may have open at a time: connections count as files.
    #[error("as many files and connections are open as may be, and the next write needs one more")]
    Files,
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
        extent: Box<Extent>,
    },
    /// The disk did not give the bytes.
    #[error("failed to read `{path}`")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What failed.
        source: std::io::Error,
    },
    /// Stored bytes are not what was written. Nothing of them was served.
    #[error(
        "`{path}` is damaged at byte {byte}, in the batch of offset {offset}: {reason}; see `pluvio log verify`"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where its damaged batch begins.
        byte: u64,
        /// The first offset of that batch.
        offset: Offset,
        /// What does not fit.
        reason: String,
    },
    /// No record of this event is known.
    #[error("no event `{id}` from {source_attribute}", id = .0.id, source_attribute = .0.source)]
    NotFound(EventId),
}
