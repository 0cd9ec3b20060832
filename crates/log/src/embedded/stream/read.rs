//! Reading: from memory where what is asked for is there, else where blocking is allowed.
//!
//! Each read is tried twice with the same code: once touching nothing but memory, on the reader's
//! own thread; and if something is missing, once more with the disk, elsewhere.

use std::{io, ops::Deref, sync::Arc};

use bytes::Bytes;
use tokio::time::Instant;

use super::Stream;
use crate::{
    Batch, Chunk, Fetched, Offset, ReadError, ReadLimit,
    disk::File,
    embedded::{
        WAIT_MAX,
        index::{BatchLocation, Index, Unusable},
        layout, lock, recover,
    },
};

/// A segment as a reader holds it.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) uid: u64,
    pub(super) base: Offset,
    /// The active one's.
    file: Option<Arc<dyn File>>,
}

/// Batches of one segment that follow each other.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) segment: Segment,
    places: Places,
    /// Its first batch.
    from: usize,
    /// The byte behind its last batch.
    end: u64,
}

#[derive(Debug)]
enum Places {
    Shared(Arc<Vec<BatchLocation>>),
    Own(Vec<BatchLocation>),
}

impl Deref for Places {
    type Target = [BatchLocation];

    fn deref(&self) -> &[BatchLocation] {
        match self {
            Self::Shared(places) => places,
            Self::Own(places) => places,
        }
    }
}

impl Run {
    /// The batches with their sizes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&BatchLocation, u64)> {
        (self.from..self.places.len()).map(|at| {
            let end = self.places.get(at + 1).map_or(self.end, |next| u64::from(next.at));
            (&self.places[at], end.saturating_sub(u64::from(self.places[at].at)))
        })
    }
}

/// What a look for batches gave.
enum Look {
    Run(Run),
    /// Nothing lies there yet.
    End,
    /// It cannot be told without the disk.
    NeedsDisk,
}

/// Whether a call may touch the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Memory,
    Disk,
}

/// Batches of the active segment looked at in one go.
const RUN_BATCHES_MAX: usize = 512;

impl Stream {
    pub(in crate::embedded) async fn read(
        self: &Arc<Self>,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<Chunk, ReadError> {
        let again = move |stream: &Self, reach| stream.try_read(from, limit, reach);
        let is_empty = |chunk: &Chunk| chunk.batches.is_empty();
        self.waiting(from, limit, again, is_empty).await
    }

    pub(in crate::embedded) async fn fetch(
        self: &Arc<Self>,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<Fetched, ReadError> {
        let again = move |stream: &Self, reach| stream.try_fetch(from, limit, reach);
        self.waiting(from, limit, again, Fetched::is_empty).await
    }

    /// Asks `look` until it gives something or the wait is over.
    async fn waiting<T: Send + 'static>(
        self: &Arc<Self>,
        from: Offset,
        limit: ReadLimit,
        look: impl Fn(&Self, Reach) -> Result<Option<T>, ReadError> + Copy + Send + 'static,
        is_empty: impl Fn(&T) -> bool,
    ) -> Result<T, ReadError> {
        // Before the first look, so that nothing written between look and wait is missed.
        let mut next = self.next.subscribe();
        let deadline = Instant::now() + limit.wait.min(WAIT_MAX);
        let mut is_over = limit.wait.is_zero();
        loop {
            let seen = *next.borrow_and_update();
            let got = match look(self, Reach::Memory)? {
                Some(got) => got,
                None => self.blocking(move |stream| look(stream, Reach::Disk)).await?,
            };
            if !is_empty(&got) || is_over {
                return Ok(got);
            }
            // Appends below a future `from` wake this reader only when it is reached; in a gap at the
            // end, the next append does.
            let reached = next.wait_for(|next| *next > from.max(seen));
            is_over = tokio::time::timeout_at(deadline, reached).await.is_err();
        }
    }

    /// Runs `work` where it may block; `None` from it stands for nothing found, which the disk
    /// cannot say.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<Option<T>, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let stream = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&stream)).await;
        let lost = || self.unreadable(Offset::ZERO, io::Error::other("the read was given up"));
        done.map_err(|_| lost())??.ok_or_else(lost)
    }

    fn try_read(
        &self,
        from: Offset,
        limit: ReadLimit,
        reach: Reach,
    ) -> Result<Option<Chunk>, ReadError> {
        let mut chunk = Chunk { from, next: from, batches: Vec::new() };
        let (mut records, mut bytes) = (0, 0);
        loop {
            let run = match self.look(chunk.next, reach) {
                Ok(Look::Run(run)) => run,
                Ok(Look::End) => return Ok(Some(chunk)),
                Ok(Look::NeedsDisk) if chunk.is_empty() => return Ok(None),
                Err(error) if chunk.is_empty() => return Err(error),
                // What there is so far is an answer; the next read tells the rest.
                Ok(Look::NeedsDisk) | Err(_) => return Ok(Some(chunk)),
            };
            for (place, size) in run.iter() {
                let batch = match self.cached(&run.segment, place) {
                    Some(batch) => batch,
                    None if reach == Reach::Memory => {
                        return Ok((!chunk.is_empty()).then_some(chunk));
                    }
                    None => match self.load_sized(&run.segment, place, size) {
                        Ok(batch) => batch,
                        Err(error) if chunk.is_empty() => return Err(error),
                        Err(_) => return Ok(Some(chunk)),
                    },
                };
                let size = usize::try_from(batch.bytes()).unwrap_or(usize::MAX);
                let is_full = records >= limit.records_max || bytes + size > limit.bytes_max;
                if is_full && !chunk.is_empty() {
                    return Ok(Some(chunk));
                }
                records += batch.records().len();
                bytes += size;
                chunk.next = place.last().following();
                chunk.batches.push(batch);
            }
        }
    }

    fn try_fetch(
        &self,
        from: Offset,
        limit: ReadLimit,
        reach: Reach,
    ) -> Result<Option<Fetched>, ReadError> {
        let mut fetched = Fetched { from, next: from, pieces: Vec::new() };
        let mut room = limit.bytes_max as u64;
        loop {
            let run = match self.look(fetched.next, reach) {
                Ok(Look::Run(run)) => run,
                Ok(Look::End) => return Ok(Some(fetched)),
                Ok(Look::NeedsDisk) if fetched.is_empty() => return Ok(None),
                Err(error) if fetched.is_empty() => return Err(error),
                Ok(Look::NeedsDisk) | Err(_) => return Ok(Some(fetched)),
            };
            let mut taken: Vec<(&BatchLocation, u64)> = Vec::new();
            let mut is_full = false;
            for (place, size) in run.iter() {
                is_full = size > room && !(fetched.is_empty() && taken.is_empty());
                if is_full {
                    break;
                }
                room = room.saturating_sub(size);
                taken.push((place, size));
            }
            let Some((last, _)) = taken.last() else { return Ok(Some(fetched)) };
            let next = last.last().following();
            match self.pieces(&run.segment, &taken, reach) {
                Ok(Some(pieces)) => fetched.pieces.extend(pieces),
                Ok(None) if fetched.is_empty() => return Ok(None),
                Err(error) if fetched.is_empty() => return Err(error),
                Ok(None) | Err(_) => return Ok(Some(fetched)),
            }
            fetched.next = next;
            if is_full {
                return Ok(Some(fetched));
            }
        }
    }

    /// Batches as they are stored: each from memory, or all in one read.
    fn pieces(
        &self,
        segment: &Segment,
        taken: &[(&BatchLocation, u64)],
        reach: Reach,
    ) -> Result<Option<Vec<Bytes>>, ReadError> {
        let cached = taken.iter().map(|(place, _)| self.cached(segment, place));
        if let Some(batches) = cached.collect::<Option<Vec<_>>>() {
            return Ok(Some(batches.iter().map(|batch| batch.encoded().clone()).collect()));
        }
        let (Reach::Disk, Some((first, _))) = (reach, taken.first()) else { return Ok(None) };
        let bytes: u64 = taken.iter().map(|(_, size)| size).sum();
        let read = self.bytes(segment, u64::from(first.at), bytes, first)?;
        let mut at = 0;
        for (place, size) in taken {
            let batch = read.slice(at..at + *size as usize);
            recover::checked(batch, place).map_err(|reason| self.damage(segment, place, reason))?;
            self.is_whole(place);
            at += *size as usize;
        }
        Ok(Some(vec![read]))
    }

    /// The batches of one segment from `at` on.
    fn look(&self, at: Offset, reach: Reach) -> Result<Look, ReadError> {
        let (segment, end) = {
            let shared = lock(&self.shared);
            if at < shared.start {
                let extent = self.extent_of(&shared);
                return Err(ReadError::OutOfRange { from: at, extent: extent.into() });
            }
            let sealed = shared.sealed.partition_point(|segment| segment.summary.last < at);
            match shared.sealed.get(sealed) {
                None => {
                    let active = &shared.active;
                    let from = active.places.partition_point(|place| place.last() < at);
                    let to = (from + RUN_BATCHES_MAX).min(active.places.len());
                    if from == to {
                        return Ok(Look::End);
                    }
                    let end = active.places.get(to).map_or(active.bytes, |p| u64::from(p.at));
                    let file = Some(Arc::clone(&active.file));
                    let segment = Segment { uid: active.uid, base: active.base, file };
                    let places = Places::Own(active.places[from..to].to_vec());
                    return Ok(Look::Run(Run { segment, places, from: 0, end }));
                }
                Some(sealed) => {
                    let segment = Segment { uid: sealed.uid, base: sealed.base, file: None };
                    (segment, sealed.summary.bytes)
                }
            }
        };
        let Some(places) = self.places(&segment, reach)? else { return Ok(Look::NeedsDisk) };
        let from = places.partition_point(|place| place.last() < at);
        Ok(Look::Run(Run { segment, places: Places::Shared(places), from, end }))
    }

    /// The batches of a sealed segment.
    fn places(
        &self,
        segment: &Segment,
        reach: Reach,
    ) -> Result<Option<Arc<Vec<BatchLocation>>>, ReadError> {
        if let Some(places) = self.context.places.get(&segment.uid) {
            return Ok(Some(places));
        }
        if reach == Reach::Memory {
            return Ok(None);
        }
        let places = Arc::new(self.indexed(segment.base, Index::places)?);
        self.context.places.insert(segment.uid, Arc::clone(&places));
        Ok(Some(places))
    }

    /// Asks a sealed segment's index; one that is damaged or missing is made again, once.
    pub(super) fn indexed<T>(
        &self,
        base: Offset,
        ask: impl Fn(&Index) -> Result<T, Unusable>,
    ) -> Result<T, ReadError> {
        let (disk, path) = (&*self.context.disk, layout::index(&self.folder, base));
        let asked = || Index::open(disk, &path).and_then(|index| ask(&index));
        let error = match asked() {
            Ok(answer) => return Ok(answer),
            Err(Unusable::Passing(source)) => return Err(ReadError::Disk { path, source }),
            Err(error) => error,
        };
        let extent = self.extent();
        let segment = disk.open(&layout::segment(&self.folder, base)).map(drop);
        if base < extent.start && segment.is_err_and(|error| recover::is_gone(&error)) {
            return Err(ReadError::OutOfRange { from: base, extent: extent.into() });
        }
        tracing::warn!(path = %path.display(), %error, "index cannot be used: making it again");
        self.context.filters.forget(&self.name, base);
        recover::reindex(disk, &self.folder, base).map_err(|error| self.unopened(error))?;
        asked().map_err(|error| match error {
            Unusable::Passing(source) => ReadError::Disk { path: path.clone(), source },
            error => self.met(path.clone(), 0, base, error.to_string()),
        })
    }

    fn unopened(&self, error: crate::OpenError) -> ReadError {
        match error {
            crate::OpenError::Damaged { path, byte, offset, reason } => {
                self.met(path, byte, offset, reason)
            }
            crate::OpenError::Disk { path, source, .. } => ReadError::Disk { path, source },
            other => self.unreadable(Offset::ZERO, io::Error::other(other)),
        }
    }

    /// Records that lie in the first segment before the batches of `run`, which are of that one.
    pub(super) fn records_before(&self, run: &Run) -> u64 {
        let count =
            |places: &[BatchLocation]| places.iter().map(|place| u64::from(place.count)).sum();
        match &run.places {
            Places::Shared(places) => count(&places[..run.from]),
            Places::Own(places) => {
                let first = places.first().map_or(Offset::ZERO, |place| place.base);
                let shared = lock(&self.shared);
                let all = &shared.active.places;
                count(&all[..all.partition_point(|place| place.base < first)])
            }
        }
    }

    /// All batches of the segment that holds `at`, with the disk.
    pub(super) fn run_at(&self, at: Offset) -> Result<Option<Run>, ReadError> {
        match self.look(at, Reach::Disk)? {
            Look::Run(run) => Ok(Some(run)),
            Look::End | Look::NeedsDisk => Ok(None),
        }
    }

    fn cached(&self, segment: &Segment, place: &BatchLocation) -> Option<Arc<Batch>> {
        self.context.batches.get(&(segment.uid, place.at))
    }

    /// A batch, decoded; once, if several ask at the same time.
    fn load_sized(
        &self,
        segment: &Segment,
        place: &BatchLocation,
        size: u64,
    ) -> Result<Arc<Batch>, ReadError> {
        let key = (segment.uid, place.at);
        self.context.batches.get_or_insert_with(&key, || self.decoded(segment, place, size))
    }

    /// A batch as it lies on the disk, checked and decoded.
    fn decoded(
        &self,
        segment: &Segment,
        place: &BatchLocation,
        size: u64,
    ) -> Result<Arc<Batch>, ReadError> {
        let bytes = self.bytes(segment, u64::from(place.at), size, place)?;
        let damage = |reason| self.damage(segment, place, reason);
        let bytes = recover::checked(bytes, place).map_err(damage)?;
        let batch = recover::batch(bytes).map_err(damage)?;
        self.is_whole(place);
        Ok(Arc::new(batch))
    }

    /// The batch at `place` of `run`.
    pub(super) fn load(&self, run: &Run, at: usize) -> Result<Option<Arc<Batch>>, ReadError> {
        let Some((place, size)) = run.iter().nth(at) else { return Ok(None) };
        if let Some(batch) = self.cached(&run.segment, place) {
            return Ok(Some(batch));
        }
        self.load_sized(&run.segment, place, size).map(Some)
    }

    /// The first batch of `run`, without keeping it for others.
    pub(super) fn peek(&self, run: &Run) -> Result<Option<Arc<Batch>>, ReadError> {
        let Some((place, size)) = run.iter().next() else { return Ok(None) };
        match self.cached(&run.segment, place) {
            Some(batch) => Ok(Some(batch)),
            None => self.decoded(&run.segment, place, size).map(Some),
        }
    }

    fn opened(&self, segment: &Segment) -> io::Result<Arc<dyn File>> {
        let open = || self.context.disk.open(&layout::segment(&self.folder, segment.base));
        match &segment.file {
            Some(file) => Ok(Arc::clone(file)),
            None => self.context.files.get_or_insert_with(&segment.uid, open),
        }
    }

    /// Bytes of a segment. One that retention took meanwhile is out of range.
    pub(super) fn bytes(
        &self,
        segment: &Segment,
        at: u64,
        bytes: u64,
        place: &BatchLocation,
    ) -> Result<Bytes, ReadError> {
        let read = self.opened(segment).and_then(|file| {
            let mut buffer = vec![0; bytes as usize];
            file.read_at(&mut buffer, at)?;
            Ok(Bytes::from(buffer))
        });
        read.map_err(|error| {
            let extent = self.extent();
            if recover::is_gone(&error) && place.base < extent.start {
                ReadError::OutOfRange { from: place.base, extent: extent.into() }
            } else if error.kind() == io::ErrorKind::UnexpectedEof {
                self.damage(segment, place, "the file ends before it".to_owned())
            } else {
                self.unreadable(segment.base, error)
            }
        })
    }
}
