//! A table: the newest value of each key, in an internal stream of its own.
//!
//! Every change is a record (an empty value deletes its key), every call one synced batch. When more
//! was written than 4 MiB and than all live entries take, these are written to a new segment and the
//! older ones go: a crash in between finds both and reads the same.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use bytes::Bytes;

use super::{
    active::Active,
    closed,
    ends::{End, Ends, Last, Names},
    hold::{self, Hold},
    layout, lock,
    manifest::Manifest,
    recover::{self, checked_end, damaged},
    scan::{Tail, scan},
    shortage,
};
use crate::{
    AppendError, Entries, Entry, Offset, OpenError, Shortage, StreamName, Table,
    batch::{self, Builder, Compression},
    disk::{Disk, Lock},
    held::Held,
};

/// Rewritten when more than this was written since the last time.
const REWRITE_BYTES: u64 = 4 << 20;
/// Live entries are rewritten in batches of this size.
const BATCH_BYTES: usize = 256 << 10;
/// Largest batch unpacked; entries are written as they are.
const PLAIN_BYTES_MAX: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct TableLog {
    disk: Arc<dyn Disk>,
    pub(super) name: StreamName,
    folder: PathBuf,
    writer: Mutex<Writer>,
    held: Mutex<Held>,
    /// Whose limit holds; none for the log's own.
    limit: Option<Table>,
    ends: Arc<Ends>,
    hold: Arc<Hold>,
}

#[derive(Debug)]
struct Writer {
    active: Active,
    /// Segments before the active one.
    older: Vec<Offset>,
    next: Offset,
    /// Since the last rewrite.
    written: u64,
    stopped: Option<Arc<io::Error>>,
    /// Of the folder, until nothing is written any more.
    lock: Option<Box<dyn Lock>>,
}

impl TableLog {
    /// Opens the table, making it where it is not there.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        name: StreamName,
        folder: PathBuf,
        limit: Option<Table>,
        (ends, hold): (&Arc<Ends>, &Arc<Hold>),
        cut: &mut u64,
    ) -> Result<Self, OpenError> {
        recover::ensure(&*disk, &folder)?;
        let lock = hold::take_stream(&*disk, &folder)?;
        Manifest::read(&*disk, &folder)?;
        let mut bases = recover::tidied(&*disk, &folder)?.segments;
        let noted = ends.of(&name);
        if let Some(end) = &noted
            && let Names::Missing(reason) = end.names(&bases)
        {
            let (path, offset) = (layout::segment(&folder, end.base()), end.base());
            return Err(OpenError::Damaged { path, byte: 0, offset, reason });
        }
        let mut held = Held::default();
        let (mut next, mut written, mut active) = (Offset::ZERO, 0, None);
        for (index, base) in bases.iter().enumerate() {
            let path = layout::segment(&folder, *base);
            let told = |source| OpenError::disk("read", path.clone(), source);
            let file = disk.open(&path).map_err(told)?;
            let walked = scan(&*file, *base, Tail::Synced, 0, |_, bytes| replay(&mut held, bytes));
            let walked = walked.map_err(|error| damaged(&path, error))?;
            checked_end(noted.as_ref(), &path, *base, &*file, &walked)?;
            next = walked.places.last().map_or(next.max(*base), |place| place.last().following());
            written += walked.end;
            let torn = walked.torn.as_ref().map_or(0, |torn| torn.bytes);
            *cut += torn;
            if index + 1 == bases.len() {
                let last = Last::read(&*file, walked.places.last()).map_err(told)?;
                let end = End::new(*base, walked.end, next, last);
                let resumed = Active::resume(*base, path.clone(), file, walked.end, torn > 0);
                let resumed = resumed.map_err(told)?;
                if noted.as_ref() != Some(&end) {
                    resumed.sync().map_err(told)?;
                    ends.set(&name, end);
                }
                active = Some(resumed);
            }
        }
        let active = match active {
            Some(active) => active,
            None => {
                let made = Active::create(&*disk, &folder, next);
                let told = |source| OpenError::disk("create a segment in", folder.clone(), source);
                let made = made.map_err(told)?;
                ends.set(&name, End::new(next, 0, next, None));
                made
            }
        };
        bases.pop();
        let writer =
            Writer { active, older: bases, next, written, stopped: None, lock: Some(lock) };
        let (writer, held) = (Mutex::new(writer), Mutex::new(held));
        let (ends, hold) = (Arc::clone(ends), Arc::clone(hold));
        Ok(Self { disk, name, folder, writer, held, limit, ends, hold })
    }

    pub(super) fn entries(&self) -> Entries {
        lock(&self.held).entries.clone()
    }

    /// Nothing is written from now on; what is being written comes to its end before.
    pub(super) fn close(&self) {
        let mut writer = lock(&self.writer);
        writer.stopped.get_or_insert_with(closed);
        writer.active.release();
        writer.lock = None;
    }

    /// Why nothing is written any more, if so.
    pub(super) fn stopped_by(&self) -> Option<Arc<io::Error>> {
        lock(&self.writer).stopped.clone()
    }

    /// Writes `changes` as one batch; durable on return. Blocks.
    pub(super) fn put(&self, changes: Vec<Entry>) -> Result<(), AppendError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut writer = lock(&self.writer);
        if let Some(table) = self.limit {
            lock(&self.held).check(table, &changes)?;
        }
        let pairs = changes
            .iter()
            .map(|change| (change.key.as_ref(), change.value.as_deref().unwrap_or_default()));
        let (batch, next) = encode(writer.next, pairs);
        self.write(&mut writer, &batch, next)?;
        lock(&self.held).apply(changes);
        if writer.written > REWRITE_BYTES {
            self.rewrite(&mut writer)?;
        }
        Ok(())
    }

    fn write(&self, writer: &mut Writer, batch: &[u8], next: Offset) -> Result<(), AppendError> {
        if let Some(error) = &writer.stopped {
            return Err(self.stopped(error));
        }
        if let Err(error) = self.check_place(writer) {
            return Err(self.stop(writer, error));
        }
        let written = writer.active.write(std::iter::once(batch));
        if let Err(error) = &written
            && let Some(shortage) = self.shortage(error)
            && writer.active.cut().is_ok()
        {
            return Err(AppendError::DiskFull { stream: self.name.clone(), shortage });
        }
        if let Err(error) = written.and_then(|()| writer.active.sync()) {
            // What of it lies on the disk is not known; at least nobody finds it after a restart.
            let _unknown_anyway = writer.active.cut();
            return Err(self.stop(writer, error));
        }
        if let Err(error) = writer.active.check() {
            return Err(self.stop(writer, error));
        }
        let last = Last::of(batch, writer.active.end);
        writer.active.advance(batch.len() as u64);
        writer.next = next;
        writer.written += batch.len() as u64;
        let (base, end) = (writer.active.base, writer.active.end);
        self.ends.set(&self.name, End::new(base, end, next, last));
        Ok(())
    }

    /// Stops the table where its files are not its own any more. Blocks.
    pub(super) fn check(&self) {
        let mut writer = lock(&self.writer);
        if writer.stopped.is_none()
            && let Err(error) = self.check_place(&writer)
        {
            let _told = self.stop(&mut writer, error);
        }
    }

    fn check_place(&self, writer: &Writer) -> io::Result<()> {
        self.hold.check()?;
        writer.active.check()
    }

    /// Nothing is written from now on.
    fn stop(&self, writer: &mut Writer, error: io::Error) -> AppendError {
        let error = Arc::new(error);
        tracing::error!(table = %self.name, %error, "writing failed: the table is stopped");
        writer.stopped = Some(Arc::clone(&error));
        self.stopped(&error)
    }

    fn stopped(&self, error: &Arc<io::Error>) -> AppendError {
        AppendError::Stopped { stream: self.name.clone(), source: Arc::clone(error) }
    }

    /// Writes all live entries to a new segment and removes the others.
    fn rewrite(&self, writer: &mut Writer) -> Result<(), AppendError> {
        if writer.written <= lock(&self.held).bytes() as u64 {
            return Ok(());
        }
        let entries = self.entries();
        let active = match Active::create(&*self.disk, &self.folder, writer.next) {
            Ok(active) => active,
            // The next change tries again.
            Err(error) if self.shortage(&error).is_some() => return Ok(()),
            Err(error) => return Err(self.stop(writer, error)),
        };
        let before = std::mem::replace(&mut writer.active, active);
        writer.older.push(before.base);
        writer.written = 0;
        let mut rest = entries.iter().map(|(key, value)| (key.as_ref(), value.as_ref())).peekable();
        while rest.peek().is_some() {
            let mut bytes = 0;
            let some = std::iter::from_fn(|| {
                let (key, value) = rest.next_if(|_| bytes < BATCH_BYTES)?;
                bytes += key.len() + value.len();
                Some((key, value))
            });
            let (batch, next) = encode(writer.next, some);
            match self.write(writer, &batch, next) {
                // Half a rewrite is nothing worse than a few repeated entries.
                Err(AppendError::DiskFull { .. }) => return Ok(()),
                other => other?,
            }
        }
        writer.written = 0;
        // The oldest first, each for good before the next: a key that one of them deletes must not
        // come back from an older one.
        while let Some(base) = writer.older.first().copied() {
            let removed = self.disk.remove(&layout::segment(&self.folder, base));
            removed.map_err(|error| self.stop(writer, error))?;
            writer.older.remove(0);
            match self.disk.sync_folder(&self.folder) {
                Ok(()) => {}
                // The next rewrite removes the others: it begins by syncing the folder.
                Err(error) if self.shortage(&error).is_some() => return Ok(()),
                Err(error) => return Err(self.stop(writer, error)),
            }
        }
        Ok(())
    }

    /// What is used up, if that is all that is wrong.
    fn shortage(&self, error: &io::Error) -> Option<Shortage> {
        shortage(error, &*self.disk, &self.folder, 0)
    }
}

fn encode<'a>(
    from: Offset,
    entries: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> (Bytes, Offset) {
    let mut builder = Builder::new(from.get(), 0);
    let (mut next, mut body) = (from, Vec::new());
    for (key, value) in entries {
        body.clear();
        batch::body(&mut body, Some(key), value, &[]);
        builder.push(next.get(), 0, &body);
        next = next.following();
    }
    (builder.finish(Compression::None).encoded, next)
}

/// Applies the entries of a batch whose checksum was right.
pub(super) fn replay(held: &mut Held, bytes: &Bytes) {
    let entry = |record: batch::Decoded| Entry {
        key: Bytes::copy_from_slice(&record.key.unwrap_or_default()),
        value: record.value.map(|value| Bytes::copy_from_slice(&value)),
    };
    let records = batch::decode(bytes, PLAIN_BYTES_MAX).unwrap_or_default();
    held.apply(records.into_iter().map(entry).collect());
}
