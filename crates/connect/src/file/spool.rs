//! The file that grows, opened and locked. Blocking.

use std::{
    fs::{self, File, TryLockError},
    io::{ErrorKind, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    sync::Arc,
};

use jiff::Timestamp;
use pluvio_log::Offset;
use pluvio_runtime::{SinkName, Standing, Taken, TargetCursor};
use tracing::{info, warn};

use super::{
    config::Settings,
    error::{Doing, Error},
    finish::finish,
    lines::Lines,
    note::{Finishing, MODE, Note, draft, sync_folder},
    tail::{self, Tail},
};
use crate::outbound::object_name::Content;

/// An open file with its note.
#[derive(Debug)]
pub(super) struct Spool {
    settings: Arc<Settings>,
    sink: SinkName,
    file: File,
    tail: Tail,
    note: Note,
}

impl Spool {
    /// Opens the file, mends what a crash left, and says where it goes on.
    pub(super) fn open(
        settings: Arc<Settings>,
        standing: Standing,
    ) -> Result<(Self, TargetCursor), Error> {
        let note = Note::read(&settings)?;
        let path = settings.path.clone();
        let mut file = grown(&settings)?;
        let length = file.metadata().map_err(Error::at(Doing::Read, &path))?.len();
        let Standing { sink, stream, log_id, cursor, end, .. } = standing;
        let fresh = Note {
            stream: stream.to_string(),
            log_id,
            next: cursor.get(),
            begun: Timestamp::now(),
            finishing: None,
        };
        let note = match note {
            Some(note) => note,
            None if length > 0 => return Err(Error::Foreign(path)),
            None => {
                fresh.write(&settings)?;
                fresh.clone()
            }
        };
        if let Err(error) = fs::remove_file(draft(&settings))
            && error.kind() != ErrorKind::NotFound
        {
            return Err(Error::at(Doing::Write, &draft(&settings))(error));
        }
        let tail = Tail::read(&mut file).map_err(Error::at(Doing::Read, &path))?;
        if tail.stranded.is_some_and(|offset| offset < cursor) {
            return Err(Error::Damaged { path, byte: tail.bytes });
        }
        if tail.bytes < length {
            let cut_bytes = length - tail.bytes;
            info!(sink = sink.as_str(), cut_bytes, "cut a line that was never finished");
            file.set_len(tail.bytes).map_err(Error::at(Doing::Write, &path))?;
        }
        // What stands there counts as arrived from now on, so it must be durable.
        file.sync_all().map_err(Error::at(Doing::Sync, &path))?;
        let mut spool = Self { settings, sink, file, tail, note };
        let next = spool.take_up(fresh, end)?;
        let last = spool.tail.last.zip(spool.tail.recorded);
        let last = last.map(|(offset, recorded)| Taken { offset, recorded });
        Ok((spool, TargetCursor { next, last, is_older: false }))
    }

    /// Where the file goes on, in the stream that `fresh` names and that ends at `end`.
    fn take_up(&mut self, fresh: Note, end: Offset) -> Result<Offset, Error> {
        let ours = Offset::new(fresh.next).unwrap_or_default();
        if self.note.log_id != fresh.log_id {
            let (sink, stream) = (self.sink.as_str(), fresh.stream.as_str());
            warn!(sink, stream, "the file's lines are of another log: it is finished");
            self.finish(fresh)?;
            return Ok(ours);
        }
        let finishing = self.note.finishing.as_ref().map(|finishing| finishing.last);
        if finishing.is_some() && finishing == self.tail.last.map(Offset::get) {
            // A crash came while it was finished, under a note that held already.
            self.finish(Note { begun: fresh.begun, ..self.note.clone() })?;
        } else if finishing.is_some() {
            self.note_finished()?;
        }
        let noted = Offset::new(self.note.next).unwrap_or_default();
        let has = self.tail.last.map_or(noted, |last| last.following().max(noted));
        if has > end {
            let (sink, stream) = (self.sink.as_str(), fresh.stream.as_str());
            warn!(
                sink, stream, file = %has, %end,
                "the file has more than the log: the log was set back, by an older copy for example; the \
                 file is finished, and what comes may be in it as well"
            );
            self.finish(fresh)?;
            return Ok(ours);
        }
        match self.tail.last {
            Some(last) if last < noted => {
                self.finish(Note { begun: fresh.begun, ..self.note.clone() })?;
                Ok(noted.max(ours))
            }
            Some(last) => Ok(last.following().max(ours)),
            None => Ok(noted.max(ours)),
        }
    }

    /// Appends the first of `lines`, as many as the file takes, or all if it `is_whole`; what is due
    /// is finished before. Gives the offset of the last line; `None` for no lines. Durable on return.
    pub(super) fn append(
        &mut self,
        lines: &Lines,
        is_whole: bool,
    ) -> Result<Option<Offset>, Error> {
        let first = lines.fitting(0).map_or(0, |(line, _)| line.len() as u64);
        if first == 0 {
            return Ok(None);
        }
        self.check_place()?;
        // It waited empty: its age counts from its first line. Or the clock was ahead when it was begun: such
        // a time would keep it from being old until the clock is there.
        let is_ahead = self.note.begun > Timestamp::now();
        if is_ahead || self.tail.bytes == 0 && self.is_old() {
            self.note.begun = Timestamp::now();
            self.note.write(&self.settings)?;
        }
        if self.is_due(first) {
            let next = self.tail.last.map_or(self.note.next, |last| last.following().get());
            let note = Note { next, begun: Timestamp::now(), ..self.note.clone() };
            self.finish(note)?;
        }
        let room = self.settings.rotate_bytes.saturating_sub(self.tail.bytes);
        let room = if is_whole { u64::MAX } else { room };
        let Some((bytes, last)) = lines.fitting(room) else { return Ok(None) };
        self.write(bytes, last)?;
        Ok(Some(last))
    }

    fn write(&mut self, lines: &[u8], last: Offset) -> Result<(), Error> {
        let path = &self.settings.path;
        let written = self.file.write_all(lines).map_err(Error::at(Doing::Write, path));
        let written =
            written.and_then(|()| self.file.sync_data().map_err(Error::at(Doing::Sync, path)));
        if let Err(error) = written {
            // What a failed sync left cannot be known: it is written again, not trusted. If cutting
            // fails too, the next opening cuts what is torn.
            let _unknown = self.file.set_len(self.tail.bytes);
            return Err(error);
        }
        self.tail.bytes += lines.len() as u64;
        self.tail.last = Some(last);
        Ok(())
    }

    /// Lines that go into a file which has lost its name would be lost.
    fn check_place(&self) -> Result<(), Error> {
        let path = &self.settings.path;
        let moved = || Error::Moved(path.clone());
        let named = fs::metadata(path).map_err(|_| moved())?;
        let held = self.file.metadata().map_err(Error::at(Doing::Read, path))?;
        let is_same = (named.dev(), named.ino()) == (held.dev(), held.ino());
        if is_same && held.len() == self.tail.bytes { Ok(()) } else { Err(moved()) }
    }

    /// Whether the file is finished before `bytes` more.
    fn is_due(&self, bytes: u64) -> bool {
        let is_full = self.tail.bytes + bytes > self.settings.rotate_bytes;
        self.tail.bytes > 0 && (self.is_old() || is_full)
    }

    fn is_old(&self) -> bool {
        let age = Timestamp::now().duration_since(self.note.begun);
        age.is_positive() && age.unsigned_abs() >= self.settings.rotate_age
    }

    /// Finishes the file, if it holds anything, and begins an empty one; `note` is what holds then.
    fn finish(&mut self, note: Note) -> Result<(), Error> {
        let path = self.settings.path.clone();
        let head = tail::head(&mut self.file).map_err(Error::at(Doing::Read, &path))?;
        let finishing = self.finishing();
        let note = Note { finishing: finishing.clone(), ..note };
        note.write(&self.settings)?;
        self.note = note;
        let (Some((first, recorded)), Some(last), Some(finishing)) =
            (head, self.tail.last, finishing)
        else {
            return Ok(());
        };
        let (sink, Finishing { stream, log_id, .. }) = (self.sink.as_str(), finishing);
        let number = 1;
        let content = Content { first, last, recorded, stream: &stream, sink, log_id, number };
        let name = self.settings.finished.name(&content);
        let path = finish(&self.settings, &name)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        info!(sink, file = &*name, bytes = self.tail.bytes, "finished a file");
        self.file = grown(&self.settings)?;
        self.tail = Tail::default();
        self.note_finished()
    }

    /// What the growing file is; as the note has it, if a crash came while it was finished.
    fn finishing(&self) -> Option<Finishing> {
        let last = self.tail.last?.get();
        let noted = self.note.finishing.as_ref().filter(|noted| noted.last == last);
        let Note { stream, log_id, .. } = &self.note;
        let ours = || Finishing { last, stream: stream.clone(), log_id: *log_id };
        Some(noted.cloned().unwrap_or_else(ours))
    }

    /// Notes that the growing file is not the one that was finished.
    fn note_finished(&mut self) -> Result<(), Error> {
        self.note.finishing = None;
        self.note.write(&self.settings)
    }
}

/// Refuses a link, and what is no regular file and no folder, which opening refuses itself.
pub(super) fn check_kind(path: &Path) -> Result<(), Error> {
    if let Ok(target) = fs::read_link(path) {
        let target = path.parent().map_or(target.clone(), |folder| folder.join(&target));
        let target = target.canonicalize().unwrap_or(target);
        return Err(Error::Link { path: path.to_owned(), target });
    }
    let kind = fs::metadata(path);
    let is_special = kind.is_ok_and(|kind| !kind.is_file() && !kind.is_dir());
    if is_special { Err(Error::Special(path.to_owned())) } else { Ok(()) }
}

/// Opens or makes the file that grows, and locks it.
fn grown(settings: &Settings) -> Result<File, Error> {
    let path = &settings.path;
    check_kind(path)?;
    let mut options = fs::OpenOptions::new();
    let options = options.read(true).append(true).create(true).mode(MODE);
    let file = options.open(path).map_err(Error::at(Doing::Open, path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::Held(path.clone())),
        Err(TryLockError::Error(error)) => return Err(Error::at(Doing::Open, path)(error)),
    }
    sync_folder(settings)?;
    Ok(file)
}
