//! `__positions`: where every source stands, as of an offset of its stream.
//!
//! A source's position is that of its last record, and records are found in the active segment. What
//! lies before that is covered by a *mark*: all positions of a stream, written in one batch before
//! each roll and every 6 MiB, under `<stream>/<source>`, with the offset they hold from on; and
//! under `<stream>` that offset, with the active segment and how far it was synced: a restart only
//! counts the batches before. A source that looked and found nothing new writes its own.
//!
//! Never ahead of the records: the stream's segment is synced before.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::table::TableLog;
use crate::{AppendError, Entries, Entry, Offset, Position, Positions, SourceName, StreamName};

/// A position and the first offset that would supersede it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AsOf {
    pub(super) offset: Offset,
    pub(super) position: Position,
}

/// What is known of a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Mark {
    /// Records from here on were not looked at; `None`: none were.
    pub(super) offset: Option<Offset>,
    /// The segment that was active then, and the byte up to which it was synced.
    pub(super) place: Option<(Offset, u64)>,
    pub(super) sources: BTreeMap<SourceName, AsOf>,
}

impl Mark {
    /// Folds a record in.
    pub(super) fn see(&mut self, offset: Offset, source: SourceName, position: Position) {
        if self.sources.get(&source).is_none_or(|known| known.offset <= offset) {
            let following = offset.following();
            self.sources.insert(source, AsOf { offset: following, position });
        }
    }

    /// The greatest offset that it speaks of.
    pub(super) fn reaches(&self) -> Offset {
        let sources = self.sources.values().map(|as_of| as_of.offset).max();
        self.offset.max(sources).unwrap_or(Offset::ZERO)
    }
}

/// The streams that the table speaks of.
pub(super) fn streams(entries: &Entries) -> BTreeSet<StreamName> {
    let names = entries.keys().filter_map(|key| std::str::from_utf8(key).ok()?.split('/').next());
    names.filter_map(|name| StreamName::new(name).ok()).collect()
}

/// What the table says of `stream`.
pub(super) fn read(entries: &Entries, stream: &StreamName) -> Mark {
    let mut mark = Mark::default();
    for (key, value) in entries {
        let (Ok(key), Ok(value)) = (std::str::from_utf8(key), std::str::from_utf8(value)) else {
            continue;
        };
        match key.split_once('/') {
            None if key == stream.as_str() => {
                let mut parts = value.split(' ');
                mark.offset = parts.next().and_then(offset);
                let place = parts.next().and_then(offset).zip(parts.next());
                mark.place = place.and_then(|(base, byte)| Some((base, byte.parse().ok()?)));
            }
            Some((name, source)) if name == stream.as_str() => {
                let Some((as_of, position)) = value.split_once(' ') else { continue };
                let (source, position) = (SourceName::new(source), Position::new(position));
                let (Some(offset), Ok(source), Ok(position)) = (offset(as_of), source, position)
                else {
                    continue;
                };
                mark.sources.insert(source, AsOf { offset, position });
            }
            _ => {}
        }
    }
    mark
}

fn offset(text: &str) -> Option<Offset> {
    text.parse().ok().and_then(Offset::new)
}

/// Writes all positions of a stream as of `offset`, when the segment `base` was synced up to `byte`.
/// Blocks.
pub(super) fn mark(
    table: &TableLog,
    stream: &StreamName,
    positions: &Positions,
    offset: Offset,
    (base, byte): (Offset, u64),
) -> Result<(), AppendError> {
    let own = positions.iter().map(|(source, position)| entry(stream, source, position, offset));
    let all = Entry {
        key: Bytes::copy_from_slice(stream.as_str().as_bytes()),
        value: Some(format!("{offset} {base} {byte}").into()),
    };
    table.put(own.chain([all]).collect())
}

/// Writes the position of one source. Blocks.
pub(super) fn checkpoint(
    table: &TableLog,
    stream: &StreamName,
    source: &SourceName,
    position: &Position,
    offset: Offset,
) -> Result<(), AppendError> {
    table.put(vec![entry(stream, source, position, offset)])
}

fn entry(stream: &StreamName, source: &SourceName, position: &Position, offset: Offset) -> Entry {
    let key = format!("{stream}/{source}");
    let value = format!("{offset} {}", position.as_str());
    Entry { key: key.into(), value: Some(value.into()) }
}
