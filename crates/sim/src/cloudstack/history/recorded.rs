//! An event of another cloud, that happens again in this one's history.
//!
//! Recordings make it and the history keeps it as it came; it lies here so that the history needs no recording.
//! It refuses to know people: they are numbers in the directory.

use jiff::Timestamp;

use super::{Level, State};

/// One event, ready to be played.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) time: Timestamp,
    pub(crate) id: Box<str>,
    /// The identifier of the first event of its operation.
    pub(crate) parent: Option<Box<str>>,
    pub(crate) kind: Box<str>,
    pub(crate) level: Level,
    pub(crate) state: State,
    pub(crate) account: u16,
    pub(crate) user: u16,
    /// As it was written.
    pub(crate) row: Box<str>,
}
