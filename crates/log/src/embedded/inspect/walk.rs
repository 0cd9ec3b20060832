//! A segment from its first byte to its last, past whatever is damaged.
//!
//! [`scan`](crate::embedded::scan) stops at the first damage, as a start must. This goes on behind
//! it: where the index knows the next batch, there; otherwise where the next whole batch begins. It
//! tells *broken* ranges, and gives a broken batch back where only bytes were hit that its checksum
//! does not cover or that follow from its place. It changes nothing.
//!
//! A range without a byte stands between two whole batches that do not follow each other: something
//! else tells that records lay there.

use std::{io, ops::Range, time::Duration};

use bytes::Bytes;

use super::{
    displaced,
    pieces::{Broken, Piece, Walk, Whole},
};
use crate::{
    Offset,
    batch::{self, Header},
    disk::File,
    embedded::{
        ends::{End, Last},
        index::BatchLocation,
        recover,
        scan::{Expected, PLAIN_BYTES_MAX, Window, is_zero, next, place, tells_of_loss},
    },
    pack::{CONTENT_TYPE, POSITION_HEADER},
};

/// What is known of a segment before it is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) base: Offset,
    /// What its index says, if that can be trusted.
    pub(super) places: &'a [BatchLocation],
    /// Where the next segment begins.
    pub(super) limit: Option<Offset>,
    /// Where it is noted to end.
    pub(super) noted: Option<&'a End>,
    /// A running Pluvio writes to it: what seems broken may be half of a write, or older bytes beside newer
    /// ones in one read, and is read again.
    pub(super) is_written: bool,
}

/// How often what seems broken is read again while somebody writes; a write takes milliseconds.
const LOOKS_MAX: u32 = 100;
/// The pause between two looks.
const LOOK_AFTER: Duration = Duration::from_millis(2);

impl<'a> Known<'a> {
    /// Of a segment of which no end is noted.
    pub(super) fn new(base: Offset, places: &'a [BatchLocation], limit: Option<Offset>) -> Self {
        Self { base, places, limit, noted: None, is_written: false }
    }

    /// The last batch, as it is noted.
    fn last(&self) -> Option<Last> {
        self.noted.and_then(End::last)
    }

    /// The batch at `from`, if it is noted.
    fn noted_at(&self, from: u64) -> Option<Last> {
        self.last().filter(|last| last.byte == from)
    }

    /// Where the batch at `from` ends, by what is noted.
    fn noted_end(&self, from: u64) -> Option<u64> {
        self.noted_at(from).and(self.noted.map(End::bytes))
    }
}

/// A moment for whoever writes.
#[expect(
    clippy::disallowed_methods,
    reason = "inspecting blocks, and the writer is another process"
)]
fn pause() {
    std::thread::sleep(LOOK_AFTER);
}

/// Reads a whole segment; `sees` is told of each batch and how far the reading is.
pub(super) fn walk(
    file: &dyn File,
    known: Known<'_>,
    sees: &mut dyn FnMut(u64, Option<&Bytes>),
) -> io::Result<Walk> {
    let length = file.len()?;
    let expected = Expected::first(known.base);
    let mut walker = Walker {
        file,
        window: Window::new(file, length),
        known,
        at: 0,
        expected: expected.clone(),
        before: expected,
        astray: Vec::new(),
        walk: Walk { length, ..Walk::default() },
    };
    while walker.at < walker.walk.length {
        walker.step(sees)?;
    }
    let Walker { expected: Expected { offset: end, .. }, astray, walk, .. } = walker;
    let astray = astray.into_iter().find(|range| range.start == end).map(|range| range.end);
    let mut walk = Walk { end, astray, ..walk };
    if let Some(noted) = known.noted {
        displaced::tell(&mut walk, known.base, noted);
    }
    Ok(walk)
}

/// Whether the file is shorter than it was.
fn is_cut(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

struct Walker<'a> {
    file: &'a dyn File,
    window: Window<'a>,
    known: Known<'a>,
    at: u64,
    expected: Expected,
    /// What was expected of the last batch.
    before: Expected,
    /// The offsets of whole batches that lie in a wrong place.
    astray: Vec<Range<Offset>>,
    walk: Walk,
}

impl Walker<'_> {
    /// Takes one piece.
    fn step(&mut self, sees: &mut dyn FnMut(u64, Option<&Bytes>)) -> io::Result<()> {
        let wrong = match self.take()? {
            Ok((whole, bytes)) => {
                if let Some(reason) = self.lacks(&whole.place, &bytes) {
                    let (from, to) = (self.expected.offset, whole.place.base);
                    let missing = Broken::missing(self.at, from, to, reason);
                    self.walk.pieces.push(Piece::Broken(missing));
                    sees(self.at, None);
                }
                self.at += whole.bytes;
                sees(self.at, Some(&bytes));
                self.passed(self.expected.behind(&whole.place, &bytes));
                self.walk.pieces.push(Piece::Batch(whole));
                return Ok(());
            }
            Err(wrong) => wrong,
        };
        let is_known = self.known.places.last().is_some_and(|last| u64::from(last.at) >= self.at);
        let is_zero = !is_known && {
            match is_zero(self.file, self.at, self.walk.length) {
                // It was cut to its last batch, for the next segment was begun.
                Err(error) if self.known.is_written && is_cut(&error) => {
                    self.walk.length = self.file.len()?;
                    self.window = Window::new(self.file, self.walk.length);
                    return Ok(());
                }
                is_zero => is_zero?,
            }
        };
        if is_zero {
            self.walk.zeros = Some(self.at);
            self.at = self.walk.length;
            return Ok(());
        }
        let whole = self.whole()?;
        let is_torn_end = match &whole {
            Some(header) => self.expected.is_torn_end(header, &mut self.window, self.at)?,
            None => false,
        };
        if let Some(header) = &whole
            && !is_torn_end
            && self.takes_back(header)
        {
            return Ok(());
        }
        let is_misplaced = whole.as_ref().is_some_and(|header| !self.expected.is_torn(header));
        let whole = whole.filter(|_| !is_torn_end);
        self.broken(wrong, whole, is_misplaced)?;
        sees(self.at, None);
        Ok(())
    }

    /// The batch where the reading stands, or what is wrong with it.
    fn take(&mut self) -> io::Result<Result<(Whole, Bytes), String>> {
        let mut looks = 1;
        loop {
            let taken = self.look();
            let is_final = match &taken {
                _ if !self.known.is_written || looks >= LOOKS_MAX => true,
                Ok(taken) => taken.is_ok() || self.is_end()?,
                // It was cut to its last batch, for the next segment was begun.
                Err(error) => !is_cut(error),
            };
            if is_final {
                return taken;
            }
            looks += 1;
            pause();
            self.walk.length = self.file.len()?;
            if self.walk.length <= self.at {
                return Ok(Err("the file ends before it".to_owned()));
            }
            self.window = Window::new(self.file, self.walk.length);
        }
    }

    fn look(&mut self) -> io::Result<Result<(Whole, Bytes), String>> {
        Ok(match next(&mut self.window, self.at, &self.expected)? {
            Ok((place, bytes)) => self.judge(place, &bytes).map(|whole| (whole, bytes)),
            Err(refused) => Err(refused.reason),
        })
    }

    /// Whether nothing follows as yet.
    fn is_end(&self) -> io::Result<bool> {
        match is_zero(self.file, self.at, self.walk.length) {
            Err(error) if is_cut(&error) => Ok(false),
            is_zero => is_zero,
        }
    }

    fn passed(&mut self, behind: Expected) {
        self.before = std::mem::replace(&mut self.expected, behind);
    }

    /// Why records are missing directly before a batch, if something tells so.
    fn lacks(&self, place: &BatchLocation, bytes: &Bytes) -> Option<String> {
        let is_told = matches!(self.walk.pieces.last(), Some(Piece::Broken(broken)) if broken.mended.is_none());
        if is_told {
            return None;
        }
        let (from, to) = (self.expected.offset, place.base);
        let astray = self.astray.iter().find(|range| range.start < to && from < range.end);
        let astray = astray.map(|range| {
            format!("the batch of offset {} lies in a wrong place before it", range.start)
        });
        astray.or_else(|| self.expected.lacks(place, bytes))
    }

    fn place_at(&self, at: u64) -> Option<&BatchLocation> {
        let found = self.known.places.binary_search_by_key(&at, |place| u64::from(place.at));
        found.ok().and_then(|found| self.known.places.get(found))
    }

    /// What is wrong with a batch whose checksum is right, if anything.
    fn judge(&self, place: BatchLocation, bytes: &Bytes) -> Result<Whole, String> {
        if let Some(known) = self.place_at(self.at)
            && (known.time, known.last_delta, known.count)
                == (place.time, place.last_delta, place.count)
            && known.base != place.base
        {
            return Err(format!("it says offset {}, its index {}", place.base, known.base));
        }
        if let Some(noted) = self.known.noted_at(self.at)
            && noted.has_checksum_of(bytes)
            && noted.offset != place.base.get()
        {
            return Err(format!("it says offset {}, but {} was noted", place.base, noted.offset));
        }
        if self.known.limit.is_some_and(|limit| place.last() >= limit) {
            return Err(format!("it reaches offset {}, in the next segment", place.last()));
        }
        let header = Header::parse(bytes).map_err(|error| error.to_string())?;
        if header.leader_epoch != 0 {
            return Err(format!("it names leader epoch {}, not 0", header.leader_epoch));
        }
        let records = batch::decode(bytes, PLAIN_BYTES_MAX).map_err(|error| error.to_string())?;
        if records.last().map(|record| record.offset) != Some(place.last().get()) {
            return Err(format!("its last record is not at offset {}", place.last()));
        }
        let odd =
            records.iter().filter_map(|record| Some((Offset::new(record.offset)?, odd(record)?)));
        let (odd, ids) = (odd.collect(), recover::ids_of(bytes));
        let is_noted = self.known.last().is_some_and(|last| last.is(bytes));
        let is_word_of_loss = tells_of_loss(&records);
        Ok(Whole { place, bytes: bytes.len() as u64, ids, odd, is_noted, is_word_of_loss })
    }

    /// The header of a batch that is whole and in the wrong place.
    fn whole(&mut self) -> io::Result<Option<Header>> {
        let head = self.window.get(self.at, batch::HEADER_BYTES as u64)?;
        let Ok(header) = Header::parse(&head) else { return Ok(None) };
        let rest = self.walk.length - self.at;
        if header.bytes as u64 > rest.min(PLAIN_BYTES_MAX as u64) {
            return Ok(None);
        }
        let bytes = self.window.get(self.at, header.bytes as u64)?;
        Ok(batch::verify(&bytes).ok())
    }

    /// Marks the previous batch as broken if its offset is too high for this valid one.
    fn takes_back(&mut self, header: &Header) -> bool {
        let Some(Piece::Batch(last)) = self.walk.pieces.last() else { return false };
        if !self.expected.fits_before(header) || !self.known.places.is_empty() {
            return false;
        }
        let (from, base) = (u64::from(last.place.at), last.place.base);
        self.astray.push(base..last.place.last().following());
        self.walk.pieces.pop();
        self.walk.pieces.push(Piece::Broken(Broken {
            from,
            to: self.at,
            offset: self.before.offset,
            last: None,
            reason: format!("its offset {base} is not below {}, behind it", header.base_offset),
            mended: None,
            is_misplaced: true,
            is_tail: false,
        }));
        self.expected = self.before.behind_damage();
        true
    }

    /// Takes the range up to the next batch for broken.
    fn broken(
        &mut self,
        reason: String,
        whole: Option<Header>,
        is_misplaced: bool,
    ) -> io::Result<()> {
        let (from, length) = (self.at, self.walk.length);
        let behind = self.known.places.iter().find(|place| u64::from(place.at) > from);
        let noted = self.known.noted_end(from).filter(|end| *end <= length);
        let to = match (behind, &whole) {
            (Some(place), _) => Some(u64::from(place.at)),
            (None, Some(whole)) => Some(from + whole.bytes as u64),
            (None, None) if noted.is_some() => noted,
            (None, None) if !self.known.places.is_empty() => Some(length),
            (None, None) if !self.expected.has_group_after(&mut self.window, from)? => None,
            (None, None) => self.expected.batch_after(&mut self.window, from)?,
        };
        let (to, is_tail) = (to.unwrap_or(length), to.is_none());
        let mended = self.mended(from, to)?;
        let offset = self.expected.offset;
        if let Some((place, _)) = &mended {
            self.passed(self.expected.after(place));
        } else {
            self.expected = self.expected.behind_damage();
            let place = whole.and_then(|header| place(&header, from).ok());
            self.astray.extend(place.map(|place| place.base..place.last().following()));
        }
        let is_tail = is_tail && mended.is_none();
        let last = self.place_at(from).map(BatchLocation::last);
        let broken = Broken { from, to, offset, last, reason, mended, is_misplaced, is_tail };
        self.walk.pieces.push(Piece::Broken(broken));
        self.at = to;
        Ok(())
    }

    /// The batch in a range, with all put right that is known without its bytes: if the checksum
    /// then holds, nothing else was hit.
    fn mended(&mut self, from: u64, to: u64) -> io::Result<Option<(BatchLocation, Bytes)>> {
        let bytes = to - from;
        if !(batch::HEADER_BYTES as u64..=PLAIN_BYTES_MAX as u64).contains(&bytes) {
            return Ok(None);
        }
        let (known, noted) = (self.place_at(from).copied(), self.known.noted_at(from));
        let mut content = self.window.get(from, bytes)?.to_vec();
        if let Some(known) = known {
            content[..8].copy_from_slice(&known.base.get().to_be_bytes());
        } else if let Some(noted) = noted {
            content[..8].copy_from_slice(&noted.offset.to_be_bytes());
        }
        content[8..12].copy_from_slice(&((bytes - 12) as u32).to_be_bytes());
        content[12..16].fill(0);
        content[16] = 2;
        let content = Bytes::from(content);
        let Ok(header) = batch::verify(&content) else { return Ok(None) };
        let Ok(place) = place(&header, from) else { return Ok(None) };
        let fits = place.base >= self.expected.offset
            && place.time >= self.expected.time
            && known.is_none_or(|known| known == place)
            && noted.is_none_or(|noted| noted.is(&content));
        let is_whole = fits && self.judge(place, &content).is_ok();
        Ok(is_whole.then_some((place, content)))
    }
}

/// What a record says of itself that is not so.
fn odd(record: &batch::Decoded) -> Option<String> {
    let value = record.value.as_deref().unwrap_or_default();
    if record.headers.get(CONTENT_TYPE.0) == Some(CONTENT_TYPE.1)
        && let Err(error) = pluvio_event::json::decode(value)
    {
        return Some(format!("its value is not the event that its content type says: {error}"));
    }
    let position = record.headers.get(POSITION_HEADER)?;
    let text = std::str::from_utf8(position).ok().and_then(|text| text.split_once('='));
    let is_position = text.is_some_and(|(source, position)| {
        crate::SourceName::new(source).is_ok() && crate::Position::new(position).is_ok()
    });
    (!is_position).then(|| format!("its `{POSITION_HEADER}` names no source and position"))
}
