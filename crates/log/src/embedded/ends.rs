//! `ENDS`: where each stream ended when that was last written down, so that an end that comes earlier
//! is told.
//!
//! A torn tail and a tail that somebody cut look alike in the segment itself, and a segment that was
//! deleted or emptied leaves nothing to look at. So where the active segment of each stream ended, and
//! which batch was its last, is noted outside of it: at every start, at every roll, every five
//! seconds while something is appended (behind the answer), once a minute, and as the last thing of a
//! clean stop. Only what is synced is noted, and segments are only appended to, so a note stays true: an
//! old one merely says less. After a clean stop the note is exact. After a crash it is some seconds old,
//! a minute at most, and what lies behind it is judged as ever ([`scan`](super::scan)).
//!
//! What is missing of it is *damage*, told by name: a start refuses it, `verify` finds it, and `repair`
//! mends it with a gap event. Going on by itself would be the other choice. It was not taken, because a
//! file that was moved away can be put back until offsets behind it are given out, and because one
//! judgement for all damage is one rule to know.
//!
//! It refuses to be needed: a log without the file, or with a rotten one, opens as before.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{hold::Hold, index::BatchLocation, layout, lock};
use crate::{
    Offset, OpenError, StreamName,
    batch::{self, Header},
    disk::{self, Disk, File, Listed},
    own_file,
};

/// Written at most so often because of appends: two syncs, behind the answer.
const EVERY: SignedDuration = SignedDuration::from_secs(5);
/// No file is larger: a thousand streams with the longest names.
const BYTES_MAX: u64 = 1 << 20;
/// Largest batch read back.
const BATCH_BYTES_MAX: u64 = 64 << 20;

/// Where a stream's active segment ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    /// The active segment.
    base: i64,
    /// Bytes of its batches.
    bytes: u64,
    /// No offset from here on was given out.
    next: i64,
    /// Its last batch; none in an empty segment.
    last: Option<Last>,
}

/// A batch that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Last {
    /// Its first byte in the segment.
    pub(super) byte: u64,
    /// Its base offset, which its checksum does not cover.
    pub(super) offset: i64,
    /// Its checksum.
    crc: u32,
}

impl Last {
    /// Of an encoded batch at `byte`.
    pub(super) fn of(encoded: &[u8], byte: u64) -> Option<Self> {
        let crc = encoded.get(17..21)?.try_into().ok()?;
        let offset = encoded.get(..8)?.try_into().ok()?;
        Some(Self { byte, offset: i64::from_be_bytes(offset), crc: u32::from_be_bytes(crc) })
    }

    /// Of the batch at `place`, by its header in the file.
    pub(super) fn read(file: &dyn File, place: Option<&BatchLocation>) -> io::Result<Option<Self>> {
        let Some(place) = place else { return Ok(None) };
        let mut head = [0; batch::HEADER_BYTES];
        file.read_at(&mut head, u64::from(place.at))?;
        Ok(Self::of(&head, u64::from(place.at)))
    }

    /// Whether `encoded` is this batch, wherever it lies.
    pub(super) fn is(&self, encoded: &[u8]) -> bool {
        Self::of(encoded, self.byte).as_ref() == Some(self)
    }

    /// Whether `encoded` is this batch but perhaps for its offset, which the checksum does not cover.
    pub(super) fn has_checksum_of(&self, encoded: &[u8]) -> bool {
        Self::of(encoded, self.byte).is_some_and(|other| other.crc == self.crc)
    }
}

/// What a look at the names of segments tells of a noted end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Later segments follow: the segment is sealed or deleted, and these have rules of their own.
    Passed,
    /// The segment is the last one: its bytes tell.
    Look,
    /// It is gone.
    Missing(String),
}

/// Bytes that are not what was noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Amiss {
    pub(super) byte: u64,
    pub(super) reason: String,
}

impl End {
    pub(super) fn new(base: Offset, bytes: u64, next: Offset, last: Option<Last>) -> Self {
        Self { base: base.get(), bytes, next: next.get(), last }
    }

    pub(super) fn base(&self) -> Offset {
        Offset::new(self.base).unwrap_or_default()
    }

    pub(super) fn next(&self) -> Offset {
        Offset::new(self.next).unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn last(&self) -> Option<Last> {
        self.last
    }

    /// Compares it with the names of the segments that are there. An active segment is never removed
    /// before a later one is there.
    pub(super) fn names(&self, segments: &[Offset]) -> Names {
        match segments.last() {
            Some(last) if *last > self.base() => Names::Passed,
            Some(last) if *last == self.base() => Names::Look,
            _ => Names::Missing(self.is_missing()),
        }
    }

    /// What is told of a file or folder that is gone.
    pub(super) fn is_missing(&self) -> String {
        let Self { bytes, next, .. } = self;
        format!(
            "it is missing: it had at least {bytes} bytes, and its stream reached offset {next}"
        )
    }

    /// Compares it with the last segment, whose whole batches end at byte `end`.
    pub(super) fn compare(&self, file: &dyn File, end: u64) -> io::Result<Result<(), Amiss>> {
        let amiss = |byte, reason| Ok(Err(Amiss { byte, reason }));
        if end < self.bytes {
            let Self { bytes, next, .. } = self;
            return amiss(
                end,
                format!(
                    "it ends here, but it once reached byte {bytes} and offset {next}, and all of that \
                     was acknowledged"
                ),
            );
        }
        let Some(last) = self.last else { return Ok(Ok(())) };
        let wrong = "the batch here is not the one that was written".to_owned();
        let bytes = self.bytes.saturating_sub(last.byte);
        if !(batch::HEADER_BYTES as u64..=BATCH_BYTES_MAX).contains(&bytes) {
            return Ok(Ok(()));
        }
        let mut content = vec![0; bytes as usize];
        file.read_at(&mut content, last.byte)?;
        let is_it = Last::of(&content, last.byte) == Some(last)
            && Header::parse(&content).is_ok_and(|header| header.bytes as u64 == bytes)
            && batch::verify(&Bytes::from(content)).is_ok();
        if is_it { Ok(Ok(())) } else { amiss(last.byte, wrong) }
    }
}

/// What is in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Noted {
    /// When, by a clock that is believed.
    pub(super) at: Timestamp,
    pub(super) streams: BTreeMap<String, End>,
}

/// What the file says; `None` where there is none.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidData`] where it is not what was written.
pub(super) fn read(disk: &dyn Disk, folder: &Path) -> io::Result<Option<Noted>> {
    let path = folder.join(own_file::ENDS);
    let content = match disk::contents(disk, &path, BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        content => content?,
    };
    let rotten = || io::Error::new(io::ErrorKind::InvalidData, "its checksum does not fit");
    let text = std::str::from_utf8(&content).map_err(|_| rotten())?;
    let (json, crc) = text.trim_end().rsplit_once('\n').ok_or_else(rotten)?;
    if crc != layout::checksum(json) {
        return Err(rotten());
    }
    Ok(Some(serde_json::from_str(json)?))
}

/// Takes the file away, durably.
pub(super) fn forget(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    match disk.remove(&folder.join(own_file::ENDS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| disk.sync_folder(folder)),
    }
}

/// The file, and what it is going to say.
#[derive(Debug)]
pub(super) struct Ends {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    hold: Arc<Hold>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    written: Option<Noted>,
    /// The last attempt.
    tried: Option<Timestamp>,
    /// Why that failed.
    failure: Option<String>,
    streams: BTreeMap<String, End>,
}

impl Ends {
    /// Reads the file. One that cannot be read is told, and counts as none.
    pub(super) fn open(disk: Arc<dyn Disk>, folder: PathBuf, hold: Arc<Hold>) -> Self {
        let written = read(&*disk, &folder).unwrap_or_else(|error| {
            let path = folder.join(own_file::ENDS);
            tracing::warn!(path = %path.display(), %error,
                "cannot tell whether the streams end where they did");
            None
        });
        let streams = written.as_ref().map(|it| it.streams.clone()).unwrap_or_default();
        let state = Mutex::new(State { written, tried: None, failure: None, streams });
        Self { disk, folder, hold, state }
    }

    /// When it was written, by a clock that was believed.
    pub(super) fn noted_at(&self) -> Option<Timestamp> {
        lock(&self.state).written.as_ref().map(|written| written.at)
    }

    /// Refused where a stream that is known has no folder any more.
    pub(super) fn all_there(&self, listed: &[Listed]) -> Result<(), OpenError> {
        for (name, end) in &lock(&self.state).streams {
            if !listed.iter().any(|entry| entry.name == *name) {
                let (path, reason) = (self.folder.join(name), end.is_missing());
                return Err(OpenError::Damaged { path, byte: 0, offset: Offset::ZERO, reason });
            }
        }
        Ok(())
    }

    /// What is known of a stream.
    pub(super) fn of(&self, stream: &StreamName) -> Option<End> {
        lock(&self.state).streams.get(stream.as_str()).cloned()
    }

    /// A stream ends there, durably; written down later.
    pub(super) fn set(&self, stream: &StreamName, end: End) {
        let mut state = lock(&self.state);
        match state.streams.get_mut(stream.as_str()) {
            Some(known) => *known = end,
            None => drop(state.streams.insert(stream.as_str().to_owned(), end)),
        }
    }

    /// Writes it down if that is due, because something was appended.
    pub(super) fn note_if_due(&self, now: Timestamp) {
        let is_due = lock(&self.state).tried.is_none_or(|tried| {
            let passed = now.duration_since(tried);
            passed >= EVERY || passed.is_negative()
        });
        if is_due {
            self.note(now);
        }
    }

    /// Writes it down. A failure is told once and stops nothing: what is there says less, and is true.
    pub(super) fn note(&self, now: Timestamp) {
        let state = lock(&self.state);
        let is_known = state.written.as_ref().is_some_and(|it| it.streams == state.streams);
        drop(state);
        if is_known {
            return;
        }
        let failure = self.write(now).err().map(|error| error.to_string());
        let mut state = lock(&self.state);
        if let Some(error) = &failure
            && state.failure != failure
        {
            let path = self.folder.join(own_file::ENDS);
            tracing::warn!(path = %path.display(), %error, "failed to note where the streams end");
        }
        state.failure = failure;
    }

    /// Why the last attempt to write it down failed, if so.
    pub(super) fn failure(&self) -> Option<String> {
        lock(&self.state).failure.clone()
    }

    /// Writes it down, durably; not where somebody else may have written it since.
    pub(super) fn write(&self, now: Timestamp) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.tried = Some(now);
        self.hold.check()?;
        let noted = Noted { at: now, streams: state.streams.clone() };
        let json = serde_json::to_string(&noted)?;
        let content = format!("{json}\n{}\n", layout::checksum(&json));
        let path = self.folder.join(own_file::ENDS);
        disk::replace(&*self.disk, &path, content.as_bytes())?;
        state.written = Some(noted);
        Ok(())
    }
}
