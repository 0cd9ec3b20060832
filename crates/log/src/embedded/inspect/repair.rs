//! Mending: keep aside, write beside, sync, rename. Cut off anywhere, it is begun again and comes to
//! the same end.
//!
//! A step never changes the only copy of a byte: what is damaged is durable in `damaged/` before the
//! file it came from is replaced. Nothing is invented: where a record is gone, an event says so.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Progress, Verified,
    aside::{self, Loss},
    folder::{self, Use},
    losses::Lost,
    pieces::Piece,
    plan::Step,
    survey::{self, Survey},
    walk::{self, Known},
};
use crate::{
    Offset, OpenError,
    disk::{Disk, File, Lock},
    embedded::{
        ends::{self, End},
        hold, layout,
        manifest::Manifest,
        recover::{self, is_gone},
    },
    own_file,
};

/// A log that nobody else may open, and what mending it takes.
#[derive(Debug)]
pub struct Repair {
    disk: Arc<dyn Disk>,
    verified: Verified,
    steps: Vec<Step>,
    _lock: Arc<dyn Lock>,
    /// Of the streams' folders, which may be links.
    _streams: Vec<Box<dyn Lock>>,
}

/// A step that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What was done, in the words of the plan.
    pub what: String,
}

impl Repair {
    /// Takes the lock, reads everything and makes a plan. Blocks; changes no stream.
    ///
    /// # Errors
    ///
    /// [`OpenError::Locked`] while another process has the log; when it cannot be read.
    pub fn plan(
        disk: Arc<dyn Disk>,
        folder: &Path,
        progress: Progress<'_>,
    ) -> Result<Self, OpenError> {
        disk.list(folder).map_err(|source| OpenError::disk("list", folder, source))?;
        let lock = hold::take(&*disk, folder)?;
        let used = Use { holder: None, ..folder::used(&*disk, folder)? };
        let names = folder::streams(&*disk, folder)?;
        let folders = names.iter().map(|name| folder.join(name.as_str()));
        let streams = folders.map(|folder| hold::take_stream(&*disk, &folder));
        let streams = streams.collect::<Result<_, _>>()?;
        let Survey { verified, steps } = survey::survey(&*disk, folder, used, progress)?;
        Ok(Self { disk, verified, steps, _lock: lock, _streams: streams })
    }

    /// What was found.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// What is going to be done, each step in words.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = String> {
        self.steps.iter().map(ToString::to_string)
    }

    /// Whether something is going to be taken out, and kept in `damaged/`.
    pub fn keeps(&self) -> bool {
        self.steps.iter().any(Step::keeps)
    }

    /// Does it, telling each step when it is durable. Blocks.
    ///
    /// # Errors
    ///
    /// When the disk refuses; what was done until then stays, and the rest can be done again.
    pub fn apply(self, told: &mut dyn FnMut(Done)) -> Result<(), OpenError> {
        for step in &self.steps {
            self.step(step)?;
            told(Done { what: step.to_string() });
        }
        Ok(())
    }

    fn step(&self, step: &Step) -> Result<(), OpenError> {
        let disk = &*self.disk;
        let (path, done) = match step {
            Step::Manifest { folder, start } => {
                (folder.join(layout::MANIFEST), self.manifest(folder, *start))
            }
            Step::Rewrite { folder, base, is_table, to, .. } => {
                let rewritten = self.rewrite(folder, *base, *is_table, *to);
                (layout::segment(folder, *base), rewritten)
            }
            Step::Fill { folder, from, to } => {
                (layout::segment(folder, *from), self.fill(folder, *from, *to))
            }
            Step::Cut { folder, base, at } => {
                (layout::segment(folder, *base), self.cut(folder, *base, *at))
            }
            Step::Reindex { folder, base } => {
                return recover::reindex(disk, folder, *base).map(drop);
            }
            Step::DropGhost { folder, base } => {
                let path = layout::index(folder, *base);
                let noted = self.forget_ids(folder, *base);
                (path.clone(), noted.and_then(|()| self.set_aside(folder, &path)))
            }
            Step::Remake { folder, to } => (folder.clone(), self.remake(folder, *to)),
            Step::Empty { folder } => {
                let made = self.empty(folder);
                let made = made.and_then(|()| self.manifest(folder, Offset::ZERO));
                (folder.clone(), made)
            }
            Step::ForgetEnds { folder } => {
                (folder.join(own_file::ENDS), ends::forget(disk, folder))
            }
            Step::SetPositionsAside { folder } => {
                (folder.clone(), self.set_positions_aside(folder))
            }
        };
        done.map_err(|source| OpenError::disk("mend", path, source))
    }

    fn manifest(&self, folder: &Path, start: Offset) -> io::Result<()> {
        let path = folder.join(layout::MANIFEST);
        match self.disk.open(&path) {
            Ok(file) => {
                let bytes = file.len()?;
                aside::keep(&*self.disk, folder, layout::MANIFEST, &*file, 0..bytes)?;
            }
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
        let manifest = Manifest { start: start.get(), next: start.get(), ..Manifest::new() };
        manifest.write(&*self.disk, folder)
    }

    /// Makes the folder of a stream that is gone, with nothing but the loss in it.
    fn remake(&self, folder: &Path, to: Offset) -> io::Result<()> {
        self.empty(folder)?;
        self.manifest(folder, Offset::ZERO)?;
        if to > Offset::ZERO { self.fill(folder, Offset::ZERO, to) } else { Ok(()) }
    }

    fn empty(&self, folder: &Path) -> io::Result<()> {
        self.disk.create_folder(folder)?;
        self.disk.sync_folder(folder.parent().unwrap_or(Path::new(".")))
    }

    fn cut(&self, folder: &Path, base: Offset, at: u64) -> io::Result<()> {
        let path = layout::segment(folder, base);
        let file = self.disk.open(&path)?;
        let bytes = file.len()?;
        if at < bytes {
            file.lock()?;
            aside::keep(&*self.disk, folder, &name(&path), &*file, at..bytes)?;
            file.set_len(at)?;
            file.sync()?;
        }
        Ok(())
    }

    /// Notes that ids of records before those that are left are forgotten, or events of them that a source lists
    /// again would be stored twice.
    fn forget_ids(&self, folder: &Path, base: Offset) -> io::Result<()> {
        let left = self.time_behind(folder, base)?;
        let until = left.unwrap_or_else(|| self.time_of_end(folder));
        let until = Timestamp::from_millisecond(until).map_err(io::Error::other)?;
        let manifest = Manifest::read(&*self.disk, folder).map_err(io::Error::other)?;
        let mut manifest = manifest.ok_or(io::ErrorKind::NotFound)?;
        manifest.forget_ids(&*self.disk, folder, until)
    }

    /// Keeps a whole file and removes it.
    fn set_aside(&self, folder: &Path, path: &Path) -> io::Result<()> {
        let file = self.disk.open(path)?;
        aside::keep(&*self.disk, folder, &name(path), &*file, 0..file.len()?)?;
        self.disk.remove(path)?;
        self.disk.sync_folder(folder)
    }

    /// Removes what is whole first: as long as anything is left, it is found damaged again.
    fn set_positions_aside(&self, folder: &Path) -> io::Result<()> {
        let files = recover::files(&*self.disk, folder).map_err(io::Error::other)?.0;
        let mut damaged = Vec::new();
        for (base, limit) in pairs(&files.segments) {
            let path = layout::segment(folder, base);
            let file = self.disk.open(&path)?;
            let known = Known::new(base, &[], limit);
            let walk = walk::walk(&*file, known, &mut |_, _| {})?;
            if walk.broken().any(|broken| !broken.is_tail || limit.is_some()) {
                aside::keep(&*self.disk, folder, &name(&path), &*file, 0..walk.length)?;
                damaged.push(path);
            } else {
                self.set_aside(folder, &path)?;
            }
        }
        damaged.iter().try_for_each(|path| self.set_aside(folder, path))
    }

    /// Makes a segment that holds nothing but the loss.
    fn fill(&self, folder: &Path, from: Offset, to: Offset) -> io::Result<()> {
        let times = (self.time_before(folder, from)?, self.time_behind(folder, from)?);
        let Some(Lost { from, last }) = Lost::before(to, from, None) else { return Ok(()) };
        let stream = name(folder);
        let reason = "their segment is missing on the disk";
        let time = times.0.or(times.1).unwrap_or_else(|| self.time_of_end(folder));
        let times = (time, times.1.unwrap_or(time));
        let gap = aside::gap(Loss { stream: &stream, from, last, times, reason })?;
        let path = layout::segment(folder, from);
        let (beside, file) = self.beside(&path)?;
        file.write_at(&gap, 0)?;
        self.put(folder, &beside, &*file, &path)?;
        let files = recover::files(&*self.disk, folder).map_err(io::Error::other)?.0;
        if files.segments.last() == Some(&from) {
            // Nothing follows: it is the active one.
            return Ok(());
        }
        recover::reindex(&*self.disk, folder, from).map(drop).map_err(io::Error::other)
    }

    /// When the last record before `from` was recorded.
    fn time_before(&self, folder: &Path, from: Offset) -> io::Result<Option<i64>> {
        let files = recover::files(&*self.disk, folder).map_err(io::Error::other)?.0;
        let base = files.segments.iter().rev().find(|base| **base < from);
        let Some(base) = base.copied() else { return Ok(None) };
        let file = self.disk.open(&layout::segment(folder, base))?;
        let known = Known::new(base, &[], Some(from));
        Ok(walk::walk(&*file, known, &mut |_, _| {})?.time())
    }

    /// When the first record was recorded that can be read in the segments behind the one at `base`.
    fn time_behind(&self, folder: &Path, base: Offset) -> io::Result<Option<i64>> {
        let files = recover::files(&*self.disk, folder).map_err(io::Error::other)?.0;
        for (behind, limit) in pairs(&files.segments).filter(|(behind, _)| *behind > base) {
            let file = self.disk.open(&layout::segment(folder, behind))?;
            let known = Known::new(behind, &[], limit);
            let walk = walk::walk(&*file, known, &mut |_, _| {})?;
            if let Some(first) = walk.batches().next() {
                return Ok(Some(first.place.time));
            }
        }
        Ok(None)
    }

    /// Writes a segment again: whole batches as they are, mended ones as they were, and for the rest
    /// an event that tells of it.
    fn rewrite(
        &self,
        folder: &Path,
        base: Offset,
        is_table: bool,
        to: Option<Offset>,
    ) -> io::Result<()> {
        let path = layout::segment(folder, base);
        let file = self.disk.open(&path)?;
        let index = folder::indexed(&*self.disk, folder, base, file.len()?);
        let files = recover::files(&*self.disk, folder).map_err(io::Error::other)?.0;
        let limit = files.segments.iter().find(|behind| **behind > base).copied();
        let places = if is_table || limit.is_none() { &[] } else { index.places() };
        let end = self.noted(folder).filter(|end| end.base() == base && limit.is_none());
        let known = Known { noted: end.as_ref(), ..Known::new(base, places, limit) };
        let walk = walk::walk(&*file, known, &mut |_, _| {})?;
        let (beside, new) = self.beside(&path)?;
        let stream = name(folder);
        let time = self.time_before(folder, base)?;
        let behind = self.time_behind(folder, base)?;
        // A later time than that of the next record would make damage of it.
        let is_bare = time.is_none() && walk.batches().next().is_none();
        let time = match is_bare {
            true => behind.or_else(|| Some(self.time_of_end(folder))),
            false => time,
        };
        let mut writing = Writing { stream: &stream, new: &*new, is_table, at: 0, end: base, time };
        let mut broken: Option<Gone> = None;
        for piece in &walk.pieces {
            match piece {
                Piece::Batch(whole) => {
                    let from = u64::from(whole.place.at);
                    writing.lost(broken.take(), whole.place.base, Some(whole.place.time))?;
                    aside::copy(&*file, from..from + whole.bytes, &*new, writing.at)?;
                    writing.passed(whole.place.last(), whole.place.time, whole.bytes);
                }
                Piece::Broken(piece) => {
                    let range = piece.from..piece.to;
                    if !piece.is_nothing() {
                        aside::keep(&*self.disk, folder, &name(&path), &*file, range)?;
                    }
                    let Some((place, bytes)) = &piece.mended else {
                        let reason = format!("{}:{}: {}", name(&path), piece.from, piece.reason);
                        broken = Some(Gone { reason, last: piece.last });
                        continue;
                    };
                    writing.lost(broken.take(), place.base, Some(place.time))?;
                    new.write_at(bytes, writing.at)?;
                    writing.passed(place.last(), place.time, bytes.len() as u64);
                }
            }
        }
        if let Some(to) = to.or(limit.filter(|_| broken.is_some())) {
            let reason = format!("{} ends before them", name(&path));
            let reason = broken.map_or(reason, |lost| lost.reason);
            writing.lost(Some(Gone { reason, last: None }), to, behind)?;
        }
        self.put(folder, &beside, &*new, &path)?;
        if is_table || limit.is_none() {
            return Ok(());
        }
        recover::reindex(&*self.disk, folder, base).map(drop).map_err(io::Error::other)
    }

    /// Where a stream was noted to end.
    fn noted(&self, folder: &Path) -> Option<End> {
        let noted = ends::read(&*self.disk, folder.parent()?).ok()??;
        noted.streams.get(&name(folder)).cloned()
    }

    /// When a loss is said to have been where no record tells a time: when the end was noted. A time long
    /// ago would let retention take the word of the loss at once.
    fn time_of_end(&self, folder: &Path) -> i64 {
        let noted = folder.parent().and_then(|root| ends::read(&*self.disk, root).ok()?);
        noted.map_or_else(Timestamp::now, |noted| noted.at).as_millisecond()
    }

    /// An empty file that is going to take the place of `path`.
    fn beside(&self, path: &Path) -> io::Result<(PathBuf, Arc<dyn File>)> {
        let beside = path.with_extension("log.new");
        match self.disk.remove(&beside) {
            Err(error) if !is_gone(&error) => return Err(error),
            _ => {}
        }
        let file = self.disk.create(&beside)?;
        Ok((beside, file))
    }

    fn put(&self, folder: &Path, beside: &Path, file: &dyn File, path: &Path) -> io::Result<()> {
        file.sync()?;
        self.disk.rename(beside, path)?;
        self.disk.sync_folder(folder)
    }
}

/// A batch that is gone: why, and its last offset where that is known.
struct Gone {
    reason: String,
    last: Option<Offset>,
}

/// A segment being written again.
struct Writing<'a> {
    stream: &'a str,
    new: &'a dyn File,
    is_table: bool,
    at: u64,
    /// The offset and the time behind what was written.
    end: Offset,
    time: Option<i64>,
}

impl Writing<'_> {
    fn passed(&mut self, last: Offset, time: i64, bytes: u64) {
        (self.end, self.time) = (last.following(), Some(time));
        self.at += bytes;
    }

    /// Tells that records before `to` are lost, if there were any and somebody reads them.
    fn lost(&mut self, why: Option<Gone>, to: Offset, until: Option<i64>) -> io::Result<()> {
        let Some(why) = why.filter(|_| !self.is_table) else { return Ok(()) };
        let Some(Lost { from, last }) = Lost::before(to, self.end, why.last) else { return Ok(()) };
        let time = self.time.or(until).unwrap_or(0);
        let (times, reason) = ((time, until.unwrap_or(time)), &why.reason);
        let gap = aside::gap(Loss { stream: self.stream, from, last, times, reason })?;
        self.new.write_at(&gap, self.at)?;
        self.passed(last, time, gap.len() as u64);
        Ok(())
    }
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn pairs(segments: &[Offset]) -> impl Iterator<Item = (Offset, Option<Offset>)> {
    let behind = segments.iter().skip(1).copied().map(Some).chain([None]);
    segments.iter().copied().zip(behind)
}
