//! Walking a segment from its first byte, checking all that can be checked.
//!
//! One sync writes one group of batches, and each says whether it begins one. So the rule is simple: a batch that
//! is not whole and has no other group behind it was never acknowledged (a *torn tail*, to be cut); one with a
//! whole batch behind it that begins a group was, and its bytes have changed since (*damage*, to be told). A
//! checksum does not cover the offset, so a batch can be whole and torn, see [`Expected::is_torn`].

use std::{io, ops::Range};

use bytes::Bytes;

use super::index::BatchLocation;
use crate::{
    Offset,
    batch::{self, BATCH_BYTES_MAX, Decoded, Header},
    disk::File,
    pack::{CONTENT_TYPE, POSITION_HEADER},
};

/// Largest batch unpacked.
pub(super) const PLAIN_BYTES_MAX: usize = 64 << 20;

/// What a segment holds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) places: Vec<BatchLocation>,
    /// The byte after its last whole batch.
    pub(super) end: u64,
    /// What follows that is neither a batch nor zeros.
    pub(super) torn: Option<Torn>,
}

/// The rest of a write that never ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Torn {
    pub(super) bytes: u64,
    pub(super) reason: String,
}

/// Bytes that were acknowledged and are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) byte: u64,
    /// The first offset that is concerned.
    pub(super) offset: Offset,
    pub(super) reason: String,
}

#[derive(Debug)]
pub(super) enum ScanError {
    Disk(io::Error),
    Damage(Damage),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// How the end of a segment is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// Every group was synced before the next was written.
    Synced,
    /// Nothing was: whatever follows the first broken batch may never have been written.
    Unsynced,
}

/// Read at once; a batch that is larger is read by itself.
const WINDOW_BYTES: u64 = 4 << 20;
/// Read at once where only headers count: a page.
const HEADS_WINDOW_BYTES: u64 = 4 << 10;
/// The largest batch that can be: one record of the largest size with its surroundings, expanded a
/// little by a compression that did not help.
const BATCH_BYTES_LIMIT: u64 = 64 << 20;

/// Walks the segment whose first offset is not below `base`, handing each whole batch to `visit`;
/// but those before the byte `known`, which were looked at by whoever wrote them down as synced, are
/// only counted.
pub(super) fn scan(
    file: &dyn File,
    base: Offset,
    tail: Tail,
    known: u64,
    mut visit: impl FnMut(&BatchLocation, &Bytes),
) -> Result<Scan, ScanError> {
    let length = file.len()?;
    let mut scan = counted(file, base, known.min(length))?.unwrap_or_default();
    let mut expected = Expected::first(base);
    for place in &scan.places {
        expected = expected.after(place);
    }
    let mut window = Window::new(file, length);
    while scan.end < length {
        let refused = match next(&mut window, scan.end, &expected)? {
            Ok((place, bytes)) => {
                if let Some(reason) = expected.lacks(&place, &bytes) {
                    let (byte, offset) = (scan.end, expected.offset);
                    return Err(ScanError::Damage(Damage { byte, offset, reason }));
                }
                visit(&place, &bytes);
                scan.end += bytes.len() as u64;
                expected = expected.behind(&place, &bytes);
                scan.places.push(place);
                continue;
            }
            Err(refused) => refused,
        };
        if is_zero(file, scan.end, length)? {
            break;
        }
        let Refused { reason, whole } = refused;
        let was_acknowledged = match whole {
            Some(whole) if tail == Tail::Synced => {
                !expected.is_torn_end(&whole, &mut window, scan.end)?
            }
            Some(whole) => !expected.is_torn(&whole),
            None => tail == Tail::Synced && expected.has_group_after(&mut window, scan.end)?,
        };
        if was_acknowledged {
            let (byte, offset) = (scan.end, expected.offset);
            return Err(ScanError::Damage(Damage { byte, offset, reason }));
        }
        scan.torn = Some(Torn { bytes: length - scan.end, reason });
        break;
    }
    Ok(scan)
}

/// Why a batch is not taken.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) reason: String,
    /// Its checksum is right: it is what was written, but for its offset.
    pub(super) whole: Option<Header>,
}

/// Batches up to the byte `until`, by their headers alone; `None` if these do not lead there.
fn counted(file: &dyn File, base: Offset, until: u64) -> io::Result<Option<Scan>> {
    let mut scan = Scan::default();
    let mut window = Window { piece: HEADS_WINDOW_BYTES, ..Window::new(file, until) };
    let mut expected = base;
    while scan.end < until {
        let head = window.get(scan.end, batch::HEADER_BYTES as u64)?;
        let Ok(header) = Header::parse(&head) else { return Ok(None) };
        let Ok(place) = place(&header, scan.end) else { return Ok(None) };
        if place.base < expected {
            return Ok(None);
        }
        expected = place.last().following();
        scan.end += header.bytes as u64;
        scan.places.push(place);
    }
    Ok((scan.end == until).then_some(scan))
}

/// What the next batch may not be below.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) offset: Offset,
    pub(super) time: i64,
    /// Offsets that the batch before this one left out.
    skipped: Range<Offset>,
    before: Before,
}

/// What lies before a batch in its segment.
#[derive(Clone, Debug)]
enum Before {
    /// The segment begins with it.
    Nothing,
    /// Something whose bytes were not looked at, or are not what was written.
    Unknown,
    Batch(Bytes),
}

impl Expected {
    /// Of a segment that begins at `base`.
    pub(super) fn first(base: Offset) -> Self {
        Self { offset: base, time: i64::MIN, skipped: base..base, before: Before::Nothing }
    }

    /// Behind `place`, whose bytes were not looked at.
    pub(super) fn after(&self, place: &BatchLocation) -> Self {
        let skipped = self.offset..place.base;
        Self {
            offset: place.last().following(),
            time: place.time,
            skipped,
            before: Before::Unknown,
        }
    }

    /// Behind the batch `bytes` at `place`.
    pub(super) fn behind(&self, place: &BatchLocation, bytes: &Bytes) -> Self {
        Self { before: Before::Batch(bytes.clone()), ..self.after(place) }
    }

    /// The same, where bytes that are not what was written lie between.
    pub(super) fn behind_damage(&self) -> Self {
        Self { before: Before::Unknown, ..self.clone() }
    }

    /// Why records must be missing directly before the batch `bytes` at `place`, if so: it says how many of its
    /// group lie before it, and a group lies within one segment, so another number behind offsets that no batch
    /// holds means that one was taken out. Where a repair has told of that already, its event lies between.
    pub(super) fn lacks(&self, place: &BatchLocation, bytes: &[u8]) -> Option<String> {
        let said = Header::parse(bytes).ok()?.base_sequence;
        if said < 1 || place.base <= self.offset {
            return None;
        }
        let lie = match &self.before {
            Before::Unknown => return None,
            Before::Nothing => 0,
            Before::Batch(before) if is_word_of_loss(before) => return None,
            Before::Batch(before) => Header::parse(before).ok()?.base_sequence.max(0) + 1,
        };
        (lie != said).then(|| {
            format!("{said} batches of its group were written before it, and {lie} lie there")
        })
    }

    /// Whether the batch before may only seem to lie so high, for this one would fit below it.
    pub(super) fn fits_before(&self, whole: &Header) -> bool {
        Offset::new(whole.base_offset).is_some_and(|offset| self.skipped.contains(&offset))
    }

    /// Whether the first bytes of a whole batch's offset never reached the disk, and the rest of it
    /// did.
    ///
    /// A batch is written over zeros, and its checksum does not cover its offset: where a sector ends
    /// within these eight bytes, or is torn there, the batch is whole and its offset has lost its
    /// first bytes. Such an offset has fewer bytes than the one expected. One that is too low but as
    /// long was changed later; and if it is one that the batch before left out, that one was changed, unless both are
    /// of one group and were perhaps never synced.
    pub(super) fn is_torn(&self, whole: &Header) -> bool {
        let bytes = |offset: i64| 8 - offset.leading_zeros() / 8;
        bytes(whole.base_offset) < bytes(self.offset.get())
            && !(whole.begins_group() && self.fits_before(whole))
    }

    /// The same of the batch at `at`, and nothing but the rest of its group lies behind it: a write that never
    /// ended, where every group is synced before the next one. Who starts and who verifies ask this alike.
    pub(super) fn is_torn_end(
        &self,
        whole: &Header,
        window: &mut Window<'_>,
        at: u64,
    ) -> io::Result<bool> {
        Ok(self.is_torn(whole) && !self.has_group_after(window, at)?)
    }

    /// Whether a whole batch lies anywhere behind the byte `after` that begins a group. Only asked when something is
    /// wrong.
    pub(super) fn has_group_after(&self, window: &mut Window<'_>, after: u64) -> io::Result<bool> {
        Ok(whole_after(window, after, self.lowest(), Header::begins_group)?.is_some())
    }

    /// Where the next whole batch begins behind the byte `after`.
    pub(super) fn batch_after(
        &self,
        window: &mut Window<'_>,
        after: u64,
    ) -> io::Result<Option<u64>> {
        whole_after(window, after, self.lowest(), |_| true)
    }

    /// The lowest offset that may lie behind: the one of the batch before is under no checksum, so what that seems to
    /// have left out counts too.
    fn lowest(&self) -> Offset {
        self.skipped.start.min(self.offset)
    }
}

/// Whether a batch is the event with which a repair tells of lost records: no source appended it.
fn is_word_of_loss(bytes: &Bytes) -> bool {
    Header::parse(bytes).is_ok_and(|header| header.count == 1)
        && batch::decode(bytes, PLAIN_BYTES_MAX).is_ok_and(|records| tells_of_loss(&records))
}

/// The same, of the records of a batch.
pub(super) fn tells_of_loss(records: &[Decoded]) -> bool {
    matches!(records, [only] if only.headers.get(CONTENT_TYPE.0) == Some(CONTENT_TYPE.1)
        && only.headers.get(POSITION_HEADER).is_none())
}

/// The batch at `at`, or what is wrong with it.
pub(super) fn next(
    window: &mut Window<'_>,
    at: u64,
    expected: &Expected,
) -> io::Result<Result<(BatchLocation, Bytes), Refused>> {
    let broken = |reason: String| Ok(Err(Refused { reason, whole: None }));
    let head = window.get(at, batch::HEADER_BYTES as u64)?;
    let header = match Header::parse(&head) {
        Ok(header) => header,
        Err(error) => return broken(error.to_string()),
    };
    if header.bytes as u64 > BATCH_BYTES_LIMIT {
        return broken(format!("it claims {} bytes", header.bytes));
    }
    let bytes = window.get(at, header.bytes as u64)?;
    if let Err(error) = batch::verify(&bytes) {
        return broken(error.to_string());
    }
    let placed = place(&header, at).and_then(|place| {
        if place.base < expected.offset {
            return Err(format!("its offset {} is below {}", place.base, expected.offset));
        }
        if place.time < expected.time {
            return Err("its time is before that of the batch before it".to_owned());
        }
        Ok((place, bytes))
    });
    Ok(placed.map_err(|reason| Refused { reason, whole: Some(header) }))
}

/// What an index says of a batch.
pub(super) fn place(header: &Header, at: u64) -> Result<BatchLocation, String> {
    let base = Offset::new(header.base_offset).ok_or("its offset is negative")?;
    let at = u32::try_from(at).map_err(|_| "it lies beyond 4 GiB")?;
    let last_delta =
        u32::try_from(header.last_offset_delta).map_err(|_| "its delta is negative")?;
    let count = u32::try_from(header.count).map_err(|_| "its count is negative")?;
    Ok(BatchLocation { base, time: header.max_timestamp, at, last_delta, count })
}

/// Whether nothing but zeros lies in `from..to`: what was written ahead.
pub(super) fn is_zero(file: &dyn File, from: u64, to: u64) -> io::Result<bool> {
    let mut at = from;
    let mut buffer = vec![0; (to - from).min(64 << 10) as usize];
    while at < to {
        let bytes = (to - at).min(buffer.len() as u64) as usize;
        file.read_at(&mut buffer[..bytes], at)?;
        if buffer[..bytes].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += bytes as u64;
    }
    Ok(true)
}

/// Where a whole batch that `is_wanted` begins behind `after`.
fn whole_after(
    window: &mut Window<'_>,
    after: u64,
    lowest: Offset,
    is_wanted: impl Fn(&Header) -> bool,
) -> io::Result<Option<u64>> {
    const MAGIC_AT: usize = 16;
    let mut at = after + 1;
    while at + (batch::HEADER_BYTES as u64) <= window.length {
        let content = window.get(at, (BATCH_BYTES_MAX as u64) * 2)?;
        let heads = content.len().saturating_sub(batch::HEADER_BYTES - 1);
        for start in
            memchr::memchr_iter(2, &content).filter_map(|magic| magic.checked_sub(MAGIC_AT))
        {
            if start >= heads {
                break;
            }
            let Ok(header) = Header::parse(&content[start..]) else { continue };
            let is_likely = header.base_offset >= lowest.get()
                && header.bytes as u64 <= BATCH_BYTES_LIMIT
                && is_wanted(&header);
            if !is_likely {
                continue;
            }
            let whole = window.get(at + start as u64, header.bytes as u64)?;
            if batch::verify(&whole).is_ok() {
                return Ok(Some(at + start as u64));
            }
        }
        at += heads.max(1) as u64;
    }
    Ok(None)
}

/// A piece of the file in memory.
pub(super) struct Window<'a> {
    file: &'a dyn File,
    length: u64,
    /// Read at once.
    piece: u64,
    at: u64,
    bytes: Bytes,
}

impl<'a> Window<'a> {
    pub(super) fn new(file: &'a dyn File, length: u64) -> Self {
        Self { file, length, piece: WINDOW_BYTES, at: 0, bytes: Bytes::new() }
    }

    /// Up to `bytes` from `at` on: fewer where the file ends.
    pub(super) fn get(&mut self, at: u64, bytes: u64) -> io::Result<Bytes> {
        let end = (at + bytes).min(self.length);
        if at < self.at || end > self.at + self.bytes.len() as u64 {
            let read = (end - at).max(self.piece.min(self.length - at));
            let mut buffer = vec![0; read as usize];
            self.file.read_at(&mut buffer, at)?;
            (self.at, self.bytes) = (at, Bytes::from(buffer));
        }
        let start = (at - self.at) as usize;
        Ok(self.bytes.slice(start..start + (end - at) as usize))
    }
}
