//! What a log holds, at a glance: indexes instead of sealed segments, the last segment of each
//! stream as a whole. What it shows of a damaged log may be incomplete; `verify` is for that.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    folder::{self, Indexed, Listed},
    pieces::Walk,
    walk::{self, Known},
};
use crate::{
    Offset, OpenError, Positions, Recovery, StreamName, batch,
    disk::{self, Disk},
    embedded::{
        layout, manifest::Manifest, positions, recover::is_gone, scan::PLAIN_BYTES_MAX,
        stream::replay,
    },
    own_file,
};

/// A log in a folder.
#[derive(Clone, Debug)]
pub struct Info {
    /// Where it is.
    pub folder: PathBuf,
    /// Who writes to it, as the lock says, for example `pid 42`.
    pub holder: Option<String>,
    /// Whether the last process wrote without syncing and did not end well, or still runs.
    pub unsynced: bool,
    /// What the last start found and mended; `None` where it left no word of it.
    pub recovery: Option<Recovery>,
    /// Streams, internal ones last.
    pub streams: Vec<StreamInfo>,
}

/// A stream.
#[derive(Clone, Debug)]
pub struct StreamInfo {
    /// Its name.
    pub name: StreamName,
    /// Format, release and identity, or what is wrong with its manifest.
    pub manifest: Result<(u32, String, Uuid), String>,
    /// Below it records were deleted.
    pub start: Offset,
    /// The first record's offset.
    pub earliest: Option<Offset>,
    /// The last record's offset.
    pub latest: Option<Offset>,
    /// The smallest offset that the next record can get.
    pub next: Offset,
    /// Records from the start on.
    pub records: u64,
    /// Bytes of all batches.
    pub bytes: u64,
    /// Its files, ascending.
    pub segments: Vec<SegmentInfo>,
    /// Where each source stands.
    pub positions: Positions,
    /// Live entries, in an internal stream.
    pub entries: Option<usize>,
}

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// The offset in its name.
    pub base: Offset,
    /// Offsets of its first and last record.
    pub first: Option<Offset>,
    /// See `first`.
    pub last: Option<Offset>,
    /// When the last record was recorded.
    pub recorded: Option<Timestamp>,
    /// Records.
    pub records: u64,
    /// Bytes of its batches.
    pub bytes: u64,
    /// Whether nothing is appended to it any more.
    pub is_sealed: bool,
    /// Its index.
    pub index: IndexState,
}

/// What becomes of a segment's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexState {
    /// It has none: it is not sealed, or of a table.
    None,
    /// It fits.
    Ok,
    /// Made again at the next start.
    Missing,
    /// Of another version of the segment; made again at the next start.
    Stale,
    /// Not what was written; made again when it is needed.
    Damaged,
}

/// No note of a recovery is larger.
const RECOVERY_BYTES_MAX: u64 = 4096;

/// Looks at the log in `folder`. Blocks.
///
/// # Errors
///
/// When the folder cannot be read, or was written by a newer release.
pub fn info(disk: &dyn Disk, folder: &Path) -> Result<Info, OpenError> {
    let used = folder::used(disk, folder)?;
    let mut streams = Vec::new();
    let mut entries = BTreeMap::new();
    for name in folder::streams(disk, folder)? {
        if name.is_internal() {
            entries.insert(name.clone(), folder::entries(disk, folder, &name)?);
        }
        let listed = folder::listed(disk, folder, &name)?;
        let mark = entries.iter().find(|(name, _)| name.as_str() == layout::POSITIONS);
        let mark = mark.filter(|_| !name.is_internal());
        let mark = mark.map(|(_, entries)| positions::read(entries, &name)).unwrap_or_default();
        let mut told = stream(disk, &listed, mark, used.holder.is_some())?;
        told.entries = entries.get(&name).map(BTreeMap::len);
        streams.push(told);
    }
    streams.sort_by_key(|stream| stream.name.is_internal());
    let (holder, unsynced) = (used.holder, used.unsynced);
    let told = disk::contents(disk, &folder.join(own_file::RECOVERY), RECOVERY_BYTES_MAX).ok();
    let recovery = told.and_then(|told| serde_json::from_slice(&told).ok());
    Ok(Info { folder: folder.to_owned(), holder, unsynced, recovery, streams })
}

fn stream(
    disk: &dyn Disk,
    listed: &Listed,
    mut mark: positions::Mark,
    is_used: bool,
) -> Result<StreamInfo, OpenError> {
    let start = listed.start();
    let (mut segments, mut earliest, mut hidden) = (Vec::new(), None, 0);
    let from = mark.offset.unwrap_or(Offset::ZERO);
    for (base, next) in listed.segments() {
        let path = layout::segment(&listed.folder, base);
        let told = |source| OpenError::disk("read", path.clone(), source);
        let length = match disk.open(&path).and_then(|file| file.len()) {
            Err(error) if is_gone(&error) => continue,
            length => length.map_err(told)?,
        };
        if next.is_some_and(|next| next <= start) {
            continue;
        }
        let has_index = next.is_some() && !listed.name.is_internal();
        let index = if has_index {
            folder::indexed(disk, &listed.folder, base, length)
        } else {
            Indexed::Missing
        };
        let state = if has_index { state(&index) } else { IndexState::None };
        if let Indexed::Fits(index, _) = &index
            && base >= start
            && index.summary.last < from
        {
            segments.push(indexed_segment(base, index));
            earliest = earliest.or(Some(index.summary.first));
            continue;
        }
        let file = disk.open(&path).map_err(told)?;
        let mut sees = |_, bytes: Option<&Bytes>| {
            let Some(bytes) = bytes else { return };
            replay(bytes, &mut mark);
            if earliest.is_none() {
                let records = batch::decode(bytes, PLAIN_BYTES_MAX).unwrap_or_default();
                let offsets = records.iter().filter_map(|record| Offset::new(record.offset));
                hidden += offsets.clone().filter(|offset| *offset < start).count() as u64;
                earliest = offsets.into_iter().find(|offset| *offset >= start);
            }
        };
        let is_written = next.is_none() && is_used;
        let known = Known { is_written, ..Known::new(base, index.places(), next) };
        let walk = walk::walk(&*file, known, &mut sees).map_err(told)?;
        segments.push(walked_segment(base, next.is_some(), state, &walk));
    }
    let latest = segments.iter().rev().find_map(|segment| segment.last);
    let manifest = listed.manifest.clone();
    let known = manifest.as_ref().map_or(Offset::ZERO, Manifest::next);
    let base = listed.files.segments.last().copied().unwrap_or_default();
    let end = latest.map_or(base, Offset::following).max(base);
    Ok(StreamInfo {
        name: listed.name.clone(),
        manifest: manifest.map(|it| (it.format, it.release, it.log_id)),
        start,
        earliest,
        latest: latest.filter(|latest| *latest >= start),
        next: end.max(known).max(start).max(mark.reaches()),
        records: segments.iter().map(|it| it.records).sum::<u64>().saturating_sub(hidden),
        bytes: segments.iter().map(|segment| segment.bytes).sum(),
        positions: mark.sources.into_iter().map(|(name, at)| (name, at.position)).collect(),
        segments,
        entries: None,
    })
}

fn state(index: &Indexed) -> IndexState {
    match index {
        Indexed::Missing => IndexState::Missing,
        Indexed::Unusable(_) => IndexState::Damaged,
        Indexed::Stale(_) => IndexState::Stale,
        Indexed::Fits(..) => IndexState::Ok,
    }
}

fn walked_segment(base: Offset, is_sealed: bool, index: IndexState, walk: &Walk) -> SegmentInfo {
    let last = walk.batches().last().map(|whole| whole.place);
    SegmentInfo {
        base,
        first: walk.batches().next().map(|whole| whole.place.base),
        last: last.map(|place| place.last()),
        recorded: last.and_then(|place| Timestamp::from_millisecond(place.time).ok()),
        records: walk.batches().map(|whole| u64::from(whole.place.count)).sum(),
        bytes: walk.batches().map(|whole| whole.bytes).sum(),
        is_sealed,
        index,
    }
}

fn indexed_segment(base: Offset, index: &crate::embedded::index::Index) -> SegmentInfo {
    let summary = index.summary;
    SegmentInfo {
        base,
        first: Some(summary.first),
        last: Some(summary.last),
        recorded: Timestamp::from_millisecond(summary.time).ok(),
        records: summary.records,
        bytes: summary.bytes,
        is_sealed: true,
        index: IndexState::Ok,
    }
}
