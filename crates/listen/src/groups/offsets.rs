//! An offset that a group committed, and the form in which the log keeps it.
//!
//! ```text
//!  key    1 · space's length, 2 bytes · space · group's length, 2 bytes · group · stream
//!  value  1 · offset, 8 · leader epoch, 4 · committed at (ms), 8 · the stream's log id, 16 · text
//! ```
//!
//! Numbers are big-endian; the first byte is the version of the form. An entry of another version is
//! left alone: a later Pluvio wrote it.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use kafka_protocol::protocol::StrBytes;
use pluvio_log::StreamName;
use uuid::Uuid;

use crate::groups::limits::OFFSET_OVERHEAD_BYTES;

const VERSION: u8 = 1;

/// Group namespace shared by all principals that may see everything; every other principal has its own.
pub(crate) const SHARED: &str = "";

/// Names a group within the space of those who may use it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupName {
    /// The principal whose space it is, or [`SHARED`].
    pub(crate) space: Arc<str>,
    pub(crate) id: Arc<str>,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) epoch: i32,
    /// In milliseconds since 1970.
    pub(crate) at: i64,
    /// Which incarnation of the stream it is an offset of.
    pub(crate) log_id: Uuid,
    /// The client's own text. What is kept is a part of the value that the log keeps, and so there is
    /// one copy of it.
    pub(crate) metadata: StrBytes,
}

/// What a value has before the text.
const HEAD_BYTES: usize = 1 + 8 + 4 + 8 + 16;

impl Committed {
    /// Whether it says the same, whenever it was said.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Self { at: other.at, ..self.clone() } == *other
    }

    /// Its value in the log, and the same offset as a view of that.
    pub(crate) fn stored(&self) -> (Bytes, Self) {
        let value = self.encode();
        // It was a text before.
        let metadata = StrBytes::from_utf8(value.slice(HEAD_BYTES..)).unwrap_or_default();
        (value, Self { metadata, ..self.clone() })
    }

    fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(HEAD_BYTES + self.metadata.len());
        out.put_u8(VERSION);
        out.put_i64(self.offset);
        out.put_i32(self.epoch);
        out.put_i64(self.at);
        out.put_slice(self.log_id.as_bytes());
        out.put_slice(self.metadata.as_bytes());
        out.into()
    }

    /// Reads a value, of which it keeps a part.
    pub(crate) fn decode(mut value: Bytes) -> Option<Self> {
        if value.try_get_u8().ok()? != VERSION {
            return None;
        }
        let (offset, epoch) = (value.try_get_i64().ok()?, value.try_get_i32().ok()?);
        let at = value.try_get_i64().ok()?;
        let log_id = Uuid::from_bytes(*value.first_chunk::<16>()?);
        let metadata = StrBytes::from_utf8(value.split_off(16)).ok()?;
        Some(Self { offset, epoch, at, log_id, metadata })
    }
}

/// What an offset of `group` in `stream` takes, in bytes.
pub(crate) fn cost(group: &GroupName, stream: &StreamName, committed: &Committed) -> usize {
    let key = 1 + 2 + group.space.len() + 2 + group.id.len() + stream.as_str().len();
    key + HEAD_BYTES + committed.metadata.len() + OFFSET_OVERHEAD_BYTES
}

/// The key of a group's offset in a stream.
pub(crate) fn key(group: &GroupName, stream: &StreamName) -> Bytes {
    let mut out = vec![VERSION];
    for part in [&group.space, &group.id] {
        out.put_u16(u16::try_from(part.len()).unwrap_or(u16::MAX));
        out.put_slice(part.as_bytes());
    }
    out.put_slice(stream.as_str().as_bytes());
    out.into()
}

/// What a key names.
pub(crate) fn parse(mut key: &[u8]) -> Option<(GroupName, StreamName)> {
    if key.try_get_u8().ok()? != VERSION {
        return None;
    }
    let mut part = || -> Option<Arc<str>> {
        let length = usize::from(key.try_get_u16().ok()?);
        let (part, rest) = key.split_at_checked(length)?;
        key = rest;
        Some(std::str::from_utf8(part).ok()?.into())
    };
    let group = GroupName { space: part()?, id: part()? };
    let stream = StreamName::new(std::str::from_utf8(key).ok()?).ok()?;
    Some((group, stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_come_back_as_they_were() {
        let group = GroupName { space: "acme".into(), id: "a group".into() };
        let stream = StreamName::events();
        assert_eq!(parse(&key(&group, &stream)), Some((group, stream)));
        let (offset, epoch, at) = (i64::MAX, 0, 1_790_000_000_000);
        let metadata = StrBytes::from_static_str("so fär");
        let committed = Committed { offset, epoch, at, log_id: Uuid::from_u128(7), metadata };
        assert_eq!(Committed::decode(committed.encode()), Some(committed));
    }

    #[test]
    fn an_offset_costs_what_the_log_writes_and_a_fixed_amount_and_its_text_is_kept_once() {
        let group = GroupName { space: "acme".into(), id: "a group".into() };
        let stream = StreamName::events();
        let metadata = StrBytes::from_static_str("so far");
        let committed =
            Committed { offset: 1, epoch: 0, at: 2, log_id: Uuid::from_u128(7), metadata };
        let (value, kept) = committed.stored();
        assert_eq!(kept, committed);
        assert_eq!(value.slice(HEAD_BYTES..).as_ptr(), kept.metadata.as_ptr());
        let written = key(&group, &stream).len() + value.len();
        assert_eq!(cost(&group, &stream, &committed), written + OFFSET_OVERHEAD_BYTES);
    }

    #[test]
    fn entries_of_another_version_or_cut_short_are_none() {
        let group = GroupName { space: "".into(), id: "g".into() };
        let key = key(&group, &StreamName::events());
        assert_eq!(parse(&[&[2], &key[1..]].concat()), None);
        (0..key.len() - "events".len() + 1).for_each(|cut| assert_eq!(parse(&key[..cut]), None));
        assert_eq!(Committed::decode(Bytes::from_static(&[1; 36])), None);
        assert_eq!(Committed::decode(Bytes::from_static(&[2; 40])), None);
    }
}
