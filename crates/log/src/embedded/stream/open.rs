//! Opening: from the folder to a stream.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};

use super::{ActiveIds, Ghost, QUEUE_BYTES_MAX, Queue, Sealed, Shared, Stream, View, Writer, uid};
use crate::{
    Offset, OpenError, Position, ReadError, SourceName, StreamName,
    batch::{self, Decoded},
    disk::Disk,
    embedded::{
        Context,
        active::Active,
        cursors,
        ends::{End, Last, Names},
        hold,
        index::{Index, Unusable},
        layout,
        manifest::Manifest,
        positions::{self, Mark},
        recover::{self, Files, checked_end, damaged},
        scan::{PLAIN_BYTES_MAX, Scan, Tail, scan},
    },
    pack::POSITION_HEADER,
};

/// What was found and mended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::embedded) struct Found {
    /// Bytes of torn tails that were cut.
    pub(in crate::embedded) cut_bytes: u64,
    /// Bytes of segments that were read.
    pub(in crate::embedded) read_bytes: u64,
    /// Indexes that were made again.
    pub(in crate::embedded) indexes_rebuilt: u64,
}

/// Offsets left out after a stop that may have lost unsynced records, so that none is used twice.
const SKIPPED: i64 = 1 << 20;

impl Stream {
    /// Opens a stream, making it where it is not there. `lost`: the last process wrote without
    /// syncing and did not end well.
    pub(in crate::embedded) fn open(
        context: &Arc<Context>,
        name: &StreamName,
        lost: bool,
        found: &mut Found,
    ) -> Result<Self, OpenError> {
        let (disk, folder) = (&*context.disk, context.folder.join(name.as_str()));
        if !lost {
            refuse_anew(context, &folder, name)?;
        }
        let mut manifest = recover::ensure(disk, &folder)?;
        let lock = hold::take_stream(disk, &folder)?;
        let mut files = recover::tidied(disk, &folder)?;
        let noted = context.ends.of(name);
        if let Some(end) = &noted
            && let Names::Missing(reason) = end.names(&files.segments)
        {
            return Err(missing(&folder, end.base(), reason));
        }
        // The one that was noted was used.
        let used = noted.as_ref().map_or(manifest.start(), End::base).max(manifest.start());
        drop_unused(disk, &folder, &mut files, used)?;
        let mut mark = positions::read(&context.positions.entries(), name);
        let (sealed, Ghosts { ghosts, useless }) =
            sealed(context, &folder, &manifest, &files, found)?;
        replay_sealed(context, &folder, &sealed, &mut mark)?;
        let last = files.segments.last().copied();
        let base = last.unwrap_or_else(|| manifest.start());
        let known = Known { lost, noted: noted.as_ref() };
        let (active, scan) = active(context, &folder, last, base, known, &mut mark, found)?;
        let next = next_offset(context, &folder, &mut manifest, &files, (&scan, &mark), known)?;
        let last = note_end(context, name, &active, &scan, next)?;
        let recorded = scan.places.last().map(|place| place.time);
        let recorded = recorded.or(sealed.back().map(|segment| segment.summary.time)).unwrap_or(0);
        let view = view(&active, &scan);
        forget_ids(context, &folder, &mut manifest, &useless, (&sealed, &scan))?;
        let stream = Self {
            context: Arc::clone(context),
            name: name.clone(),
            log_id: manifest.log_id,
            next: watch::Sender::new(next),
            queue: Mutex::new(Queue::default()),
            reading_ids: Mutex::default(),
            room: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)),
            damages: super::damage::Damages::default(),
            writer: Mutex::new(Writer {
                marked: active.end,
                last,
                has_rolled: false,
                active,
                recorded: milliseconds(recorded),
                begun: scan.places.first().map(|place| milliseconds(place.time)),
                manifest: manifest.clone(),
                lock: Some(lock),
            }),
            shared: Mutex::new(Shared {
                start: manifest.start(),
                next,
                earliest: None,
                latest: None,
                hidden: 0,
                sealed,
                active: view,
                positions: mark.sources.into_iter().map(|(s, as_of)| (s, as_of.position)).collect(),
                ids: ActiveIds { unread: scan.places, ..ActiveIds::default() },
                ghosts,
                ids_forgotten_until: manifest.ids_forgotten_until,
                ids_outlived_until: manifest.ids_outlived_until,
                stopped: None,
                short: None,
            }),
            folder,
        };
        stream.settle().map_err(|error| unsettled(error, &stream.folder))?;
        Ok(stream)
    }
}

/// What is known before the segments are read.
#[derive(Clone, Copy)]
struct Known<'a> {
    /// The last process wrote without syncing and did not end well.
    lost: bool,
    /// Where the stream was noted to end.
    noted: Option<&'a End>,
}

/// Notes where the stream ends. What another process wrote last may not be synced yet, though it is
/// read from now on.
fn note_end(
    context: &Context,
    name: &StreamName,
    active: &Active,
    scan: &Scan,
    next: Offset,
) -> Result<Option<Last>, OpenError> {
    let told = |operation| {
        let path = active.path.clone();
        move |source| OpenError::disk(operation, path, source)
    };
    let last = Last::read(&*active.file, scan.places.last()).map_err(told("read"))?;
    let end = End::new(active.base, scan.end, next, last);
    if context.ends.of(name).as_ref() != Some(&end) {
        if scan.end > 0 {
            active.sync().map_err(told("sync"))?;
        }
        context.ends.set(name, end);
    }
    Ok(last)
}

/// Refuses to make a stream whose folder is gone, and of which positions of sources are left. Before anything is made
/// in its place, which would be another incarnation.
fn refuse_anew(context: &Context, folder: &Path, name: &StreamName) -> Result<(), OpenError> {
    let reached = positions::read(&context.positions.entries(), name).reaches();
    let is_gone = || context.disk.list(folder).is_err_and(|error| recover::is_gone(&error));
    if reached == Offset::ZERO || !is_gone() {
        return Ok(());
    }
    let reason =
        format!("the folder of the stream is missing, and records up to {reached} with it");
    Err(missing(folder, Offset::ZERO, reason))
}

/// Takes away a last segment that a roll made and never used, because something failed just then:
/// what was appended afterwards lies in the one before.
fn drop_unused(
    disk: &dyn Disk,
    folder: &Path,
    files: &mut Files,
    used: Offset,
) -> Result<(), OpenError> {
    while let [.., _, last] = files.segments[..]
        && last > used
    {
        let path = layout::segment(folder, last);
        let told = |source| OpenError::disk("remove", path.clone(), source);
        if !disk.open(&path).and_then(|file| file.is_empty()).map_err(told)? {
            break;
        }
        disk.remove(&path).and_then(|()| disk.sync_folder(folder)).map_err(told)?;
        files.segments.pop();
    }
    Ok(())
}

/// The offset that the next record gets, at least; refused where records must have been lost.
fn next_offset(
    context: &Context,
    folder: &Path,
    manifest: &mut Manifest,
    files: &Files,
    (scan, mark): (&Scan, &Mark),
    Known { lost, noted }: Known<'_>,
) -> Result<Offset, OpenError> {
    let first = files.segments.first().copied().filter(|first| *first > manifest.start());
    if let Some(first) = first {
        let reason = format!("it is missing: the first segment begins at {first}");
        return Err(missing(folder, manifest.start(), reason));
    }
    let base = files.segments.last().copied().unwrap_or_else(|| manifest.start());
    let next = scan.places.last().map_or(base, |place| place.last().following());
    let next = next.max(manifest.next()).max(manifest.start());
    let next = next.max(noted.map_or(Offset::ZERO, End::next));
    if !lost && mark.reaches() > next {
        let reason = format!("records up to {} are missing behind it", mark.reaches());
        return Err(missing(folder, base, reason));
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let taken = cursors::reach(&context.cursors, &name, manifest.log_id);
    if !lost && taken > next {
        let reason =
            format!("records up to {taken}, which a sink has taken, are missing behind it");
        return Err(missing(folder, base, reason));
    }
    let next = next.max(taken);
    if !lost {
        return Ok(next);
    }
    let next = next.max(mark.reaches());
    let next = Offset::new(next.get().saturating_add(SKIPPED)).unwrap_or(next);
    manifest.next = next.get();
    let written = manifest.write(&*context.disk, folder);
    written.map_err(|source| OpenError::disk("write the manifest of", folder, source))?;
    Ok(next)
}

/// Records from `offset` on, in a segment that begins there, are gone.
fn missing(folder: &Path, offset: Offset, reason: String) -> OpenError {
    OpenError::Damaged { path: layout::segment(folder, offset), byte: 0, offset, reason }
}

fn milliseconds(time: i64) -> Timestamp {
    Timestamp::from_millisecond(time).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn view(active: &Active, scan: &Scan) -> View {
    View {
        uid: uid(),
        base: active.base,
        file: Arc::clone(&active.file),
        records: scan.places.iter().map(|place| u64::from(place.count)).sum(),
        bytes: scan.end,
        places: scan.places.clone(),
    }
}

/// The sealed segments and the indexes that outlived theirs; what lies below the start is removed.
fn sealed(
    context: &Context,
    folder: &Path,
    manifest: &Manifest,
    files: &Files,
    found: &mut Found,
) -> Result<(VecDeque<Arc<Sealed>>, Ghosts), OpenError> {
    let disk = &*context.disk;
    let mut segments = VecDeque::new();
    let bases = files.segments.split_last().map_or(&[][..], |(_, sealed)| sealed);
    for (base, behind) in bases.iter().zip(files.segments.iter().skip(1)) {
        let path = layout::segment(folder, *base);
        if *behind <= manifest.start() {
            disk.remove(&path).map_err(|source| OpenError::disk("remove", path, source))?;
            continue;
        }
        let summary = recover::sealed(disk, folder, *base, &mut found.indexes_rebuilt)?;
        if summary.last.following() != *behind {
            let reason = format!("it is missing: the next segment begins at {behind}");
            return Err(missing(folder, summary.last.following(), reason));
        }
        segments.push_back(Arc::new(Sealed { uid: uid(), base: *base, summary }));
    }
    let first = segments.front().map(|segment| segment.base).or(files.segments.last().copied());
    let mut ghosts = Ghosts::default();
    for base in &files.indexes {
        let path = layout::index(folder, *base);
        if segments.iter().any(|segment| segment.base == *base) {
            continue;
        }
        // Else the active segment's, from a seal that a crash cut off.
        if first.is_some_and(|first| *base < first) {
            match Index::open(disk, &path) {
                Ok(index) => {
                    ghosts.ghosts.push_back(Ghost { base: *base, time: index.summary.time });
                    continue;
                }
                Err(Unusable::Passing(source)) => {
                    return Err(OpenError::disk("read", path, source));
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "ids of deleted records are lost");
                    ghosts.useless.push(path);
                    continue;
                }
            }
        }
        disk.remove(&path).map_err(|source| OpenError::disk("remove", path, source))?;
    }
    Ok((segments, ghosts))
}

/// A read that failed while the stream was opened.
fn unsettled(error: ReadError, folder: &Path) -> OpenError {
    match error {
        ReadError::Damaged { path, byte, offset, reason } => {
            OpenError::Damaged { path, byte, offset, reason }
        }
        ReadError::Disk { path, source } => OpenError::disk("read", path, source),
        error => {
            OpenError::disk("read", folder.to_owned(), std::io::Error::other(error.to_string()))
        }
    }
}

/// When the first record was recorded that is left: what was deleted was recorded before.
fn oldest(
    disk: &dyn Disk,
    folder: &Path,
    sealed: &VecDeque<Arc<Sealed>>,
    scan: &Scan,
) -> Option<i64> {
    let Some(first) = sealed.front() else { return Some(scan.places.first()?.time) };
    let places = Index::open(disk, &layout::index(folder, first.base)).and_then(|it| it.places());
    // Without its places, at its end at the latest.
    let place = places.ok().and_then(|places| places.first().copied());
    Some(place.map_or(first.summary.time, |place| place.time))
}

/// Removes indexes of deleted records that are of no use, behind noting up to when ids are forgotten with them.
fn forget_ids(
    context: &Context,
    folder: &Path,
    manifest: &mut Manifest,
    useless: &[PathBuf],
    (sealed, scan): (&VecDeque<Arc<Sealed>>, &Scan),
) -> Result<(), OpenError> {
    if useless.is_empty() {
        return Ok(());
    }
    let disk = &*context.disk;
    // Where nothing is left, what was deleted was recorded before the ends were noted.
    let left = oldest(disk, folder, sealed, scan).map(milliseconds).or(context.ends.noted_at());
    let until = left.unwrap_or_else(|| context.clock.recording());
    let noted = manifest.forget_ids(disk, folder, until);
    noted.map_err(|source| OpenError::disk("write the manifest of", folder, source))?;
    for path in useless {
        disk.remove(path).map_err(|source| OpenError::disk("remove", path, source))?;
    }
    Ok(())
}

/// The indexes that outlived their segments.
#[derive(Default)]
struct Ghosts {
    ghosts: VecDeque<Ghost>,
    /// Others, which are damaged.
    useless: Vec<PathBuf>,
}

/// Positions in sealed segments that no mark covers: there are none unless `__positions` was lost.
fn replay_sealed(
    context: &Context,
    folder: &Path,
    sealed: &VecDeque<Arc<Sealed>>,
    mark: &mut Mark,
) -> Result<(), OpenError> {
    let from = mark.offset.unwrap_or(Offset::ZERO);
    for segment in sealed.iter().filter(|segment| segment.summary.last >= from) {
        let path = layout::segment(folder, segment.base);
        let file = context.disk.open(&path);
        let file = file.map_err(|source| OpenError::disk("read", path.clone(), source))?;
        let walked = scan(&*file, segment.base, Tail::Synced, 0, |_, bytes| replay(bytes, mark));
        walked.map_err(|error| damaged(&path, error))?;
    }
    Ok(())
}

/// The last segment, scanned, cut where it is torn, and its positions folded into `mark`.
fn active(
    context: &Context,
    folder: &Path,
    last: Option<Offset>,
    base: Offset,
    Known { lost, noted }: Known<'_>,
    mark: &mut Mark,
    found: &mut Found,
) -> Result<(Active, Scan), OpenError> {
    let disk = &*context.disk;
    let path: PathBuf = layout::segment(folder, base);
    let told = |operation| move |source| OpenError::disk(operation, path.clone(), source);
    if last.is_none() {
        let made = Active::create(disk, folder, base).map_err(told("make"))?;
        return Ok((made, Scan::default()));
    }
    let path = layout::segment(folder, base);
    let file = disk.open(&path).map_err(|source| OpenError::disk("open", path.clone(), source))?;
    let tail = if lost { Tail::Unsynced } else { Tail::Synced };
    let from = mark.offset.unwrap_or(Offset::ZERO);
    let known = mark.place.filter(|(segment, _)| *segment == base).map_or(0, |(_, byte)| byte);
    let walked = scan(&*file, base, tail, known, |place, bytes| {
        if place.last() >= from {
            replay(bytes, mark);
        }
    });
    let walked = walked.map_err(|error| damaged(&path, error))?;
    checked_end(noted, &path, base, &*file, &walked)?;
    found.read_bytes += walked.end.saturating_sub(known);
    if let Some(torn) = &walked.torn {
        found.cut_bytes += torn.bytes;
        let (path, reason) = (path.display(), &torn.reason);
        tracing::warn!(%path, byte = walked.end, bytes = torn.bytes, reason,
            "cut a write that never ended; nothing of it was acknowledged");
    }
    let is_torn = walked.torn.is_some();
    let active = Active::resume(base, path.clone(), file, walked.end, is_torn)
        .map_err(|source| OpenError::disk("cut", path, source))?;
    Ok((active, walked))
}

/// Folds the positions of a batch into `mark`.
pub(in crate::embedded) fn replay(bytes: &bytes::Bytes, mark: &mut Mark) {
    let records = batch::decode(bytes, PLAIN_BYTES_MAX).unwrap_or_default();
    for record in &records {
        if let Some((offset, source, position)) = position(record) {
            mark.see(offset, source, position);
        }
    }
}

fn position(record: &Decoded) -> Option<(Offset, SourceName, Position)> {
    let header = std::str::from_utf8(record.headers.get(POSITION_HEADER)?).ok()?;
    let (source, position) = header.split_once('=')?;
    let offset = Offset::new(record.offset)?;
    Some((offset, SourceName::new(source).ok()?, Position::new(position).ok()?))
}
