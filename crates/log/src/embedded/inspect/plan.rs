//! What mending takes, in words.
//!
//! A step says what it does and what it costs; [`repair`](super::repair) does it. Steps are found
//! anew from what lies there, so a repair that was cut off is simply begun again.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::losses::Lost;
use crate::{
    Offset, Table,
    embedded::layout::{self, MANIFEST},
    own_file,
};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Write `stream.json`.
    Manifest { folder: PathBuf, start: Offset },
    /// Write a segment again, up to offset `to` where it must reach that.
    Rewrite { folder: PathBuf, base: Offset, is_table: bool, to: Option<Offset>, lost: Vec<Lost> },
    /// Make a segment that only tells of a loss.
    Fill { folder: PathBuf, from: Offset, to: Offset },
    /// Cut what never ended.
    Cut { folder: PathBuf, base: Offset, at: u64 },
    /// Make an index again.
    Reindex { folder: PathBuf, base: Offset },
    /// Set the index of deleted records aside, and note that its ids are forgotten.
    DropGhost { folder: PathBuf, base: Offset },
    /// Make a stream anew that is gone, and tell what was lost.
    Remake { folder: PathBuf, to: Offset },
    /// Make a table anew that is gone.
    Empty { folder: PathBuf },
    /// Take away what was noted of the ends of streams.
    ForgetEnds { folder: PathBuf },
    /// Set the positions table aside.
    SetPositionsAside { folder: PathBuf },
}

impl Step {
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Manifest { folder, .. }
            | Self::Rewrite { folder, .. }
            | Self::Fill { folder, .. }
            | Self::Cut { folder, .. }
            | Self::Reindex { folder, .. }
            | Self::DropGhost { folder, .. }
            | Self::Remake { folder, .. }
            | Self::Empty { folder }
            | Self::ForgetEnds { folder }
            | Self::SetPositionsAside { folder } => folder,
        }
    }
}

impl Step {
    /// Whether a stream ends elsewhere behind it.
    pub(super) fn changes_ends(&self) -> bool {
        match self {
            Self::Manifest { .. }
            | Self::Rewrite { .. }
            | Self::Fill { .. }
            | Self::Remake { .. }
            | Self::Empty { .. }
            | Self::ForgetEnds { .. }
            | Self::SetPositionsAside { .. } => true,
            Self::Cut { .. } | Self::Reindex { .. } | Self::DropGhost { .. } => false,
        }
    }

    /// Whether it takes bytes out that it keeps.
    pub(super) fn keeps(&self) -> bool {
        match self {
            Self::Rewrite { .. }
            | Self::Cut { .. }
            | Self::DropGhost { .. }
            | Self::SetPositionsAside { .. } => true,
            Self::Manifest { .. }
            | Self::Fill { .. }
            | Self::Reindex { .. }
            | Self::Remake { .. }
            | Self::Empty { .. }
            | Self::ForgetEnds { .. } => false,
        }
    }

    /// Whether it writes segment `segment` of the stream in `stream` again.
    pub(super) fn is_rewrite(&self, stream: &Path, segment: Offset) -> bool {
        matches!(self, Self::Rewrite { folder, base, .. } if folder == stream && *base == segment)
    }

    /// Whether it makes the stream in `stream` reach offset `end`.
    pub(super) fn reaches(&self, stream: &Path, end: Offset) -> bool {
        matches!(self, Self::Rewrite { folder, to: Some(to), .. } if folder == stream && *to >= end)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest { folder, start } => write!(
                f,
                "make {} again, with a new log_id and start {start}: readers that remember the old \
                 log_id begin anew, and records that were trimmed inside a batch are seen again",
                folder.join(MANIFEST).display()
            ),
            Self::Rewrite { folder, base, is_table: true, .. } => write!(
                f,
                "write {} again without its damaged batches, which are kept in `damaged/`: the \
                 entries in them go back to the values before; of those without one: {}",
                layout::segment(folder, *base).display(),
                cost(folder)
            ),
            Self::Rewrite { folder, base, lost, .. } => write!(
                f,
                "write {} again: what can be mended is mended, what is damaged is kept in `damaged/`, {}",
                layout::segment(folder, *base).display(),
                told(lost)
            ),
            Self::Fill { folder, from, to } => write!(
                f,
                "make {}: {}",
                layout::segment(folder, *from).display(),
                told(Lost::before(*to, *from, None).as_slice())
            ),
            Self::Cut { folder, base, at } => write!(
                f,
                "cut {} at byte {at}: a write that never ended; its bytes are kept in `damaged/`",
                layout::segment(folder, *base).display()
            ),
            Self::Reindex { folder, base } => {
                write!(f, "make {} again from its segment", layout::index(folder, *base).display())
            }
            Self::DropGhost { folder, base } => write!(
                f,
                "set {} aside, and note that its ids are forgotten: events of its time that a cloud \
                 still lists are taken for captured",
                layout::index(folder, *base).display()
            ),
            Self::Remake { folder, to } => write!(
                f,
                "make {} anew: {}; its log_id is a new one, so readers and sinks begin anew",
                folder.display(),
                told(Lost::before(*to, Offset::ZERO, None).as_slice())
            ),
            Self::Empty { folder } => {
                write!(f, "make {} anew, empty: {}", folder.display(), cost(folder))
            }
            Self::ForgetEnds { folder } => write!(
                f,
                "remove {}: the next start notes anew where each stream ends",
                folder.join(own_file::ENDS).display()
            ),
            Self::SetPositionsAside { folder } => write!(
                f,
                "set all of {} aside in `damaged/`: the next start reads every segment to know \
                 where each source stands; a source whose records are all deleted begins anew",
                folder.display()
            ),
        }
    }
}

/// Ranges of lost records that are named; of more, the number is.
const LOST_TOLD_MAX: usize = 20;

/// What is said of lost records, in the plan and after it.
fn told(lost: &[Lost]) -> String {
    let named = lost.iter().take(LOST_TOLD_MAX).map(ToString::to_string);
    let named = named.collect::<Vec<_>>().join(", ");
    match lost.len() {
        0 => "and no record is lost".to_owned(),
        1 => format!("a `pluvio.gap.v0` event tells that records {named} are lost"),
        count @ ..=LOST_TOLD_MAX => {
            format!("{count} `pluvio.gap.v0` events tell that records {named} are lost")
        }
        count => format!(
            "{count} `pluvio.gap.v0` events tell that records {named}, and more behind them, are lost"
        ),
    }
}

/// What it costs to go on without a table.
pub(super) fn cost(folder: &Path) -> &'static str {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    if name == layout::POSITIONS {
        return "the next start reads every segment to know where each source stands; a source whose \
                records are all deleted begins anew";
    }
    match Table::ALL.into_iter().find(|table| table.name() == name) {
        Some(Table::Cursors) => {
            "every sink begins where its `from` says, which hands over events again that it has taken, or \
             leaves out some that it has not"
        }
        Some(Table::Offsets) => {
            "what the groups of Kafka clients committed is lost: each begins where its \
             `auto.offset.reset` says"
        }
        None => "nothing that is known is lost with it",
    }
}
