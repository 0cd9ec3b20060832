//! Looking at a log in its folder, and mending it: what `pluvio log` does.
//!
//! ```text
//!   info     names, ranges, sizes, positions      reads headers, indexes and the last segments
//!   verify   every byte that carries something    goes on behind damage
//!   repair   a plan in words, then its steps      keeps every byte that it takes out
//!   dump     records, of internal streams too     stops at damage
//! ```
//!
//! `info`, `verify` and `dump` take no lock and change nothing: they work beside a running Pluvio,
//! and on a disk that cannot be written. `repair` takes the lock.
//!
//! Blocking, without a runtime. It refuses to judge what an event says, and never deletes the only
//! copy of anything.

mod aside;
mod displaced;
mod dump;
mod folder;
mod info;
mod losses;
mod pieces;
mod plan;
mod reach;
mod repair;
mod survey;
mod walk;

use std::{fmt, path::PathBuf};

use crate::Offset;

pub use dump::{Dumped, dump};
pub use info::{IndexState, Info, SegmentInfo, StreamInfo, info};
pub use repair::{Done, Repair};
pub use survey::{Verified, verify};

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// Where in it, from the first byte to the one behind the last.
    pub bytes: std::ops::Range<u64>,
    /// The first offset concerned, where there is one.
    pub offset: Option<Offset>,
    /// What is wrong.
    pub what: String,
    /// What would be right, or what follows.
    pub right: String,
    /// How bad it is.
    pub severity: Severity,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Gone with the next start, or of no consequence.
    Harmless,
    /// Something that was acknowledged is not what was written.
    Damage,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Harmless => "harmless",
            Self::Damage => "damage",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.bytes.start)?;
        if let Some(offset) = self.offset {
            write!(f, " offset {offset}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Told how many of how many bytes were read.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);
