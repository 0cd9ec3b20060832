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
use pluvio_log::StreamName;
use uuid::Uuid;

const VERSION: u8 = 1;

/// The space of those who see everything.
pub(super) const SHARED: &str = "";

/// Names a group within the space of those who may use it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupName {
    /// The principal whose space it is, or [`SHARED`].
    pub(super) space: Arc<str>,
    pub(super) id: Arc<str>,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) offset: i64,
    pub(super) epoch: i32,
    /// In milliseconds since 1970.
    pub(super) at: i64,
    /// Which incarnation of the stream it is an offset of.
    pub(super) log_id: Uuid,
    /// The client's own text.
    pub(super) metadata: Arc<str>,
}

impl Committed {
    /// Whether it says the same, whenever it was said.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Self { at: other.at, ..self.clone() } == *other
    }

    pub(super) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(37 + self.metadata.len());
        out.put_u8(VERSION);
        out.put_i64(self.offset);
        out.put_i32(self.epoch);
        out.put_i64(self.at);
        out.put_slice(self.log_id.as_bytes());
        out.put_slice(self.metadata.as_bytes());
        out.into()
    }

    pub(super) fn decode(mut value: &[u8]) -> Option<Self> {
        if value.try_get_u8().ok()? != VERSION {
            return None;
        }
        let (offset, epoch) = (value.try_get_i64().ok()?, value.try_get_i32().ok()?);
        let at = value.try_get_i64().ok()?;
        let (log_id, text) = value.split_first_chunk::<16>()?;
        let metadata = std::str::from_utf8(text).ok()?.into();
        Some(Self { offset, epoch, at, log_id: Uuid::from_bytes(*log_id), metadata })
    }
}

/// The key of a group's offset in a stream.
pub(super) fn key(group: &GroupName, stream: &StreamName) -> Bytes {
    let mut out = vec![VERSION];
    for part in [&group.space, &group.id] {
        out.put_u16(u16::try_from(part.len()).unwrap_or(u16::MAX));
        out.put_slice(part.as_bytes());
    }
    out.put_slice(stream.as_str().as_bytes());
    out.into()
}

/// What a key names.
pub(super) fn parse(mut key: &[u8]) -> Option<(GroupName, StreamName)> {
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
        let metadata: Arc<str> = "so fär".into();
        let committed = Committed { offset, epoch, at, log_id: Uuid::from_u128(7), metadata };
        assert_eq!(Committed::decode(&committed.encode()), Some(committed));
    }

    #[test]
    fn entries_of_another_version_or_cut_short_are_none() {
        let group = GroupName { space: "".into(), id: "g".into() };
        let key = key(&group, &StreamName::events());
        assert_eq!(parse(&[&[2], &key[1..]].concat()), None);
        (0..key.len() - "events".len() + 1).for_each(|cut| assert_eq!(parse(&key[..cut]), None));
        assert_eq!(Committed::decode(&[1; 36]), None);
        assert_eq!(Committed::decode(&[2; 40]), None);
    }
}
