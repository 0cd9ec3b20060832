//! How a log is: what an operator is told, and what readiness asks.

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Offset, StreamName};

/// How a log is at one instant.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Each stream, internal ones too.
    pub streams: Vec<StreamHealth>,
    /// Bytes that can still be written where it lies; `None` for a log that lies nowhere, or when the
    /// disk does not say.
    pub free_bytes: Option<u64>,
    /// What opening it found and mended; `None` for a log that is always new.
    pub recovery: Option<Recovery>,
    /// Why the machine's clock is not believed, if so.
    pub clock: Option<ClockDoubt>,
    /// Why it could not be noted where the streams end, if so: until it can, records that somebody cuts or
    /// removes are not missed.
    pub unnoted: Option<String>,
}

impl Health {
    /// The streams that take nothing, with the reason.
    pub fn troubles(&self) -> impl Iterator<Item = (&StreamName, &Trouble)> {
        self.streams.iter().filter_map(|s| Some((&s.stream, s.trouble.as_ref()?)))
    }
}

/// Why the machine's clock is not believed: it differs from what is known by more than an hour.
/// Nothing is deleted by age meanwhile, and records get the believed time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the machine's clock says {says:.0}, but it is {believed:.0} by the newest record, the time that \
     passed and the sources' clocks: nothing is deleted by age, and records get that time, until a \
     source's clock agrees or the clock has stood so for an hour (for {} min now)",
    .passed.as_secs() / 60
)]
pub struct ClockDoubt {
    /// What the clock says.
    pub says: Timestamp,
    /// What is believed.
    pub believed: Timestamp,
    /// How long the clock has said so.
    pub passed: Duration,
}

/// Stored bytes that a reader met, which are not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{path}` is damaged at byte {byte}, in the batch of offset {offset}: {reason}; \
     {places} damaged places were met; see `pluvio log verify`",
    path = .path.display()
)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where its damaged batch begins.
    pub byte: u64,
    /// The first offset of that batch.
    pub offset: Offset,
    /// What does not fit.
    pub reason: String,
    /// Places that were met since the start and are still damaged, this one included.
    pub places: usize,
}

/// How a stream is.
#[derive(Clone, Debug)]
pub struct StreamHealth {
    /// Its name.
    pub stream: StreamName,
    /// Files that hold its records.
    pub segments: usize,
    /// Why it takes nothing, if so.
    pub trouble: Option<Trouble>,
    /// What a reader met of it that is damaged, if so: the first place.
    pub damage: Option<Damage>,
    /// The time of its newest record, where the clock is behind that by more than an hour: new records
    /// get the same time until the clock is there.
    pub recorded_ahead: Option<Timestamp>,
}

/// Why a stream takes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It goes on by itself when there is room.
    #[error(
        "the disk is full: {free_bytes} bytes are free, {reserve_bytes} are kept in reserve, and the next \
         write needs more"
    )]
    Full {
        /// What was free when an append found too little.
        free_bytes: u64,
        /// What is kept free.
        reserve_bytes: u64,
    },
    /// It goes on by itself when a file can be opened again.
    #[error(
        "as many files and connections are open as may be, and the next write needs one more; allow more \
         with `LimitNOFILE=` or `ulimit -n`"
    )]
    NoFiles,
    /// Until a restart.
    #[error("writing failed: {0}; mend that, then start Pluvio again")]
    Stopped(String),
}

/// What opening a log found and mended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// When it ended.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Bytes of segments that were read.
    pub read_bytes: u64,
    /// Bytes of writes that had never ended, and were cut.
    pub cut_bytes: u64,
    /// Indexes that were made again.
    pub indexes_rebuilt: u64,
    /// Whether records that were told to readers may be gone: the last process wrote without
    /// syncing (`fsync = "os"`) and did not end well.
    pub may_have_lost: bool,
}
