//! What is appended: an event, where its source stands after it, and the offset it asks for.

use std::{collections::BTreeMap, fmt, sync::Arc};

use pluvio_event::Event;
use serde::{Deserialize, Serialize};

use crate::SourceName;

/// Names a record within its stream: `0 ..= i64::MAX`, as Kafka has it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "i64", into = "i64")]
pub struct Offset(i64);

impl Offset {
    /// The first offset of a stream in which nobody asked for another.
    pub const ZERO: Self = Self(0);
    /// Never assigned to a record; usable as an upper bound.
    pub const MAX: Self = Self(i64::MAX);

    /// `None` for a negative number.
    pub const fn new(number: i64) -> Option<Self> {
        if number < 0 { None } else { Some(Self(number)) }
    }

    /// The number, never negative.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The smallest offset behind this one; [`MAX`](Self::MAX) stays.
    #[must_use]
    pub const fn following(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A number that is no offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an offset is not negative, as {0} is")]
pub struct NegativeOffset(i64);

impl TryFrom<i64> for Offset {
    type Error = NegativeOffset;

    fn try_from(number: i64) -> Result<Self, NegativeOffset> {
        Self::new(number).ok_or(NegativeOffset(number))
    }
}

impl From<Offset> for i64 {
    fn from(offset: Offset) -> Self {
        offset.0
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a source stands after a record, in the source's own words: what it needs to go on from
/// there. Opaque to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position(Arc<str>);

/// A position longer than a record may carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("position has {0} bytes; at most {max} are taken", max = Position::BYTES_MAX)]
pub struct PositionTooLong(usize);

impl Position {
    /// Longest position in bytes: it is stored with every record, so it must stay small beside one.
    pub const BYTES_MAX: usize = 256;

    /// Takes a source's text.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, PositionTooLong> {
        let text = text.into();
        if text.len() > Self::BYTES_MAX { Err(PositionTooLong(text.len())) } else { Ok(Self(text)) }
    }

    /// The source's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The newest position of every source that ever wrote to a stream, also of one whose records
/// retention has long removed.
pub type Positions = BTreeMap<SourceName, Position>;

/// A record to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The event.
    pub event: Event,
    /// Who appends it.
    pub source: SourceName,
    /// Where that source stands once this record is stored. Because every record carries one, any
    /// prefix of a source's records is a valid resume point.
    pub position: Position,
    /// The offset wished for. The record gets it, or the next free one if that is greater.
    pub at_least: Option<Offset>,
}

/// Where an append landed: `start` is the offset of its first record, `end` the next free offset
/// after its last. Offsets between may be gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first record's offset.
    pub start: Offset,
    /// The offset after the last record's.
    pub end: Offset,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_read_as_a_number_unless_that_is_negative() {
        let read = |text| serde_json::from_str::<Offset>(text).ok();
        assert_eq!(read("44"), Offset::new(44));
        assert_eq!(serde_json::to_string(&Offset(44)).ok().as_deref(), Some("44"));
        assert_eq!(read("-1"), None);
    }
}
