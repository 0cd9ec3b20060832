//! Reading all of a log once: what is wrong with it, and what mending would take.
//!
//! `verify` and `repair` come from the same reading, so that whatever one calls damage the other has
//! a step for. It keeps no batch in memory but the few that it could mend.

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;

use super::{
    Finding, Progress, Severity,
    folder::{self, Indexed, Listed, Use},
    losses,
    pieces::{Broken, Walk},
    plan::Step,
    walk::{self, Known},
};
use crate::{
    Offset, OpenError,
    disk::Disk,
    embedded::{
        ends::{self, End},
        index::{Id, Index, Unusable},
        layout,
        recover::is_gone,
    },
};

/// What reading all of a log gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// What is not as it should be, in the order it was met.
    pub findings: Vec<Finding>,
    /// Streams and tables.
    pub streams: usize,
    /// Segments read.
    pub segments: usize,
    /// Whole batches.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes read.
    pub bytes: u64,
}

impl Verified {
    /// Findings that are damage.
    pub fn damage(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Damage)
    }
}

/// Reads all of the log in `folder` and tells what is wrong. Blocks, for as long as reading takes.
///
/// # Errors
///
/// When the folder cannot be read at all, or was written by a newer release.
pub fn verify(
    disk: &dyn Disk,
    folder: &Path,
    progress: Progress<'_>,
) -> Result<Verified, OpenError> {
    let used = folder::used(disk, folder)?;
    survey(disk, folder, used, progress).map(|survey| survey.verified)
}

/// What was found, and the steps that mend it.
pub(super) struct Survey {
    pub(super) verified: Verified,
    pub(super) steps: Vec<Step>,
}

pub(super) fn survey(
    disk: &dyn Disk,
    folder: &Path,
    used: Use,
    progress: Progress<'_>,
) -> Result<Survey, OpenError> {
    // Before the segments: what is written meanwhile only adds to it.
    let ends = ends::read(disk, folder);
    let names = folder::streams(disk, folder)?;
    let mut total = 0;
    for name in &names {
        let listed = disk.list(&folder.join(name.as_str()));
        let listed = listed.map_err(|e| OpenError::disk("list", folder, e))?;
        let segments = listed.iter().filter(|entry| entry.name.ends_with(".log"));
        total += segments.filter_map(|entry| entry.bytes).sum::<u64>();
    }
    let mut reading = Reading {
        disk,
        used,
        progress,
        total,
        entries: None,
        cursors: crate::Entries::default(),
        ends: BTreeMap::new(),
        survey: Survey { verified: Verified::default(), steps: Vec::new() },
    };
    reading.ends(folder, &names, ends);
    for name in &names {
        if name.as_str() == layout::POSITIONS {
            reading.entries = Some(folder::entries(disk, folder, name)?);
        }
        if name.as_str() == crate::Table::Cursors.name() {
            reading.cursors = folder::entries(disk, folder, name)?;
        }
        let listed = folder::listed(disk, folder, name)?;
        reading.stream(&listed)?;
    }
    reading.unnoted(folder, &names);
    reading.survey.verified.streams = names.len();
    let is_changed = reading.survey.steps.iter().any(Step::changes_ends);
    let steps = &mut reading.survey.steps;
    if is_changed {
        // Last: as long as a step is not done, its damage is found again.
        steps.retain(|step| !matches!(step, Step::ForgetEnds { .. }));
        steps.push(Step::ForgetEnds { folder: folder.to_owned() });
    }
    Ok(reading.survey)
}

pub(super) struct Reading<'a> {
    pub(super) disk: &'a dyn Disk,
    used: Use,
    progress: Progress<'a>,
    total: u64,
    /// Of `__positions`, which comes first.
    pub(super) entries: Option<crate::Entries>,
    /// Of `__cursors`, which comes before the streams.
    pub(super) cursors: crate::Entries,
    /// Where each stream was noted to end.
    pub(super) ends: BTreeMap<String, End>,
    pub(super) survey: Survey,
}

/// Whether damage was met, and the offset and time behind what was read so far.
#[derive(Clone, Copy, Default)]
pub(super) struct So {
    pub(super) end: Option<Offset>,
    is_damaged: bool,
}

impl Reading<'_> {
    pub(super) fn tell(&mut self, finding: Finding) {
        self.survey.verified.findings.push(finding);
    }

    /// Whether the last process wrote without syncing and did not end well.
    pub(super) fn is_unsynced(&self) -> bool {
        self.used.unsynced && self.used.holder.is_none()
    }

    fn stream(&mut self, listed: &Listed) -> Result<(), OpenError> {
        self.manifest(listed);
        // Beside a running Pluvio it may be in the making.
        let leftovers = listed.leftovers.iter().filter(|_| self.used.holder.is_none());
        for name in leftovers.cloned().collect::<Vec<_>>() {
            let what = "left by a replacement that never ended".to_owned();
            let right = "removed at the next start".to_owned();
            let severity = Severity::Harmless;
            let file = listed.folder.join(name);
            self.tell(Finding { file, bytes: 0..0, offset: None, what, right, severity });
        }
        let mut so = So::default();
        for (base, next) in listed.segments() {
            match self.segment(listed, base, next, so) {
                Ok(read) => so = read,
                Err(OpenError::Disk { source, .. }) if is_gone(&source) => {}
                Err(error) => return Err(error),
            }
        }
        so.is_damaged |= self.missing_end(listed, so) || self.nothing_left(listed);
        if listed.is_positions() && so.is_damaged {
            let folder = listed.folder.clone();
            self.entries = None;
            self.survey.steps.retain(|step| step.folder() != folder);
            self.survey.steps.push(Step::SetPositionsAside { folder });
        }
        self.other_indexes(listed)
    }

    fn manifest(&mut self, listed: &Listed) {
        let Err(reason) = &listed.manifest else { return };
        let severity = if listed.files.segments.is_empty() {
            Severity::Harmless
        } else {
            let (folder, start) = (listed.folder.clone(), listed.start());
            self.survey.steps.push(Step::Manifest { folder, start });
            Severity::Damage
        };
        let file = listed.folder.join(layout::MANIFEST);
        let (what, right) = (reason.clone(), "format, log_id, start and next as JSON".to_owned());
        self.tell(Finding { file, bytes: 0..0, offset: None, what, right, severity });
    }

    fn segment(
        &mut self,
        listed: &Listed,
        base: Offset,
        next: Option<Offset>,
        mut so: So,
    ) -> Result<So, OpenError> {
        let path = layout::segment(&listed.folder, base);
        let told = |source| OpenError::disk("read", path.clone(), source);
        let file = self.disk.open(&path).map_err(told)?;
        let is_below_start = next.is_some_and(|next| next <= listed.start());
        self.before(listed, base, &so);
        let has_index = next.is_some() && !listed.name.is_internal();
        let length = file.len().map_err(told)?;
        let index = if has_index {
            folder::indexed(self.disk, &listed.folder, base, length)
        } else {
            Indexed::Missing
        };
        let end = self.ends.get(listed.name.as_str()).filter(|end| end.base() == base).cloned();
        let end = end.filter(|_| next.is_none());
        let noted = end.as_ref();
        let is_written = next.is_none() && self.used.holder.is_some();
        let known = Known { noted, is_written, ..Known::new(base, index.places(), next) };
        let (read_before, total) = (self.survey.verified.bytes, self.total);
        let progress = &mut self.progress;
        let mut sees = |at, _: Option<&Bytes>| progress(read_before + at, total);
        let walk = walk::walk(&*file, known, &mut sees).map_err(told)?;
        let verified = &mut self.survey.verified;
        verified.segments += 1;
        verified.bytes += walk.length;
        verified.batches += walk.batches().count() as u64;
        verified.records += walk.batches().map(|it| u64::from(it.place.count)).sum::<u64>();
        so.end = Some(walk.end);
        if is_below_start {
            return Ok(so);
        }
        if self.judge(listed, base, next, &walk, end.as_ref()) {
            // Written again, it reaches up to the next.
            so = So { end: next.or(so.end), is_damaged: true };
        }
        if has_index && let Some((what, right)) = wrong_index(&index, &walk) {
            let (folder, severity) = (listed.folder.clone(), Severity::Harmless);
            let file = layout::index(&folder, base);
            self.survey.steps.push(Step::Reindex { folder, base });
            let offset = Some(base);
            self.tell(Finding { file, bytes: 0..0, offset, what, right, severity });
        }
        Ok(so)
    }

    /// Whether the segments before reach up to this one.
    fn before(&mut self, listed: &Listed, base: Offset, so: &So) {
        if listed.name.is_internal() {
            return;
        }
        let start = listed.start();
        let from = match so.end {
            Some(end) if base > end && base > start => end.max(start),
            None if base > start => start,
            _ => return,
        };
        let file = layout::segment(&listed.folder, from);
        let what = format!("it is missing: the next segment begins at {base}");
        let right = format!("records from {from} up to {base}");
        let (offset, severity) = (Some(from), Severity::Damage);
        self.tell(Finding { file, bytes: 0..0, offset, what, right, severity });
        self.survey.steps.push(Step::Fill { folder: listed.folder.clone(), from, to: base });
    }

    /// Tells what is broken in a segment; whether something is.
    fn judge(
        &mut self,
        listed: &Listed,
        base: Offset,
        next: Option<Offset>,
        walk: &Walk,
        end: Option<&End>,
    ) -> bool {
        let (folder, is_table) = (listed.folder.clone(), listed.name.is_internal());
        let (file, is_last) = (layout::segment(&folder, base), next.is_none());
        let mut is_damaged = false;
        let finding = |bytes, offset, what: &str, right: &str, severity| Finding {
            file: file.clone(),
            bytes,
            offset: Some(offset),
            what: what.to_owned(),
            right: right.to_owned(),
            severity,
        };
        for broken in walk.broken() {
            let range = broken.from..broken.to;
            let is_unsynced =
                self.used.unsynced && !is_table && !broken.is_misplaced && broken.mended.is_none();
            let is_known = end.is_some_and(|end| broken.from < end.bytes());
            if is_last && !is_known && (broken.is_tail || is_unsynced) {
                if self.used.holder.is_none() {
                    let right = "cut at the next start: nothing of it was acknowledged";
                    let (range, at) = (broken.from..walk.length, broken.from);
                    self.tell(finding(
                        range,
                        broken.offset,
                        &broken.reason,
                        right,
                        Severity::Harmless,
                    ));
                    self.survey.steps.push(Step::Cut { folder: folder.clone(), base, at });
                }
                break;
            }
            is_damaged = true;
            let right = right_instead(broken, end.filter(|_| is_known));
            self.tell(finding(range, broken.offset, &broken.reason, &right, Severity::Damage));
        }
        for (offset, what) in walk.batches().flat_map(|whole| &whole.odd) {
            let right = "as it was written; it is served as it is";
            self.tell(finding(0..0, *offset, what, right, Severity::Harmless));
        }
        let is_short = self.is_short(listed, base, walk, end);
        is_damaged |= is_short;
        let reaches = self.reaches(listed, next, walk);
        // What a broken end held is known to reach so far.
        let reaches = reaches.max(end.filter(|_| is_damaged && is_last).map(End::next));
        let reaches = reaches.max(walk.astray.filter(|_| is_last));
        let is_hollow = !is_last && !is_table && walk.batches().next().is_none();
        let zeros = walk.zeros.filter(|_| !is_last && !is_table);
        if let Some(at) = zeros {
            let (what, right) = ("zeros behind the last batch", "a sealed segment ends with it");
            self.tell(finding(at..walk.length, walk.end, what, right, Severity::Harmless));
        }
        if is_hollow && !is_damaged && next.is_some_and(|next| next > base) {
            let (what, right) = ("it holds no batch", "records up to the next segment");
            self.tell(finding(0..walk.length, base, what, right, Severity::Damage));
        }
        if is_damaged || is_hollow || zeros.is_some() || (is_last && reaches.is_some()) {
            let to = reaches.or(next.filter(|_| is_damaged || is_hollow));
            let lost = if is_table { Vec::new() } else { losses::of(walk, base, to, next) };
            self.survey.steps.push(Step::Rewrite { folder, base, is_table, to, lost });
        }
        is_damaged || is_hollow
    }

    /// Indexes whose segment is not sealed, or gone.
    fn other_indexes(&mut self, listed: &Listed) -> Result<(), OpenError> {
        let segments = &listed.files.segments;
        for base in &listed.files.indexes {
            let is_sealed = segments.split_last().is_some_and(|(_, sealed)| sealed.contains(base));
            if is_sealed {
                continue;
            }
            let path = layout::index(&listed.folder, *base);
            if segments.last() == Some(base) && self.used.holder.is_some() {
                continue;
            }
            let is_ghost = segments.first().is_some_and(|first| base < first);
            let read = Index::open(self.disk, &path).and_then(|index| {
                index.places()?;
                index.ids()
            });
            let (what, right, severity) = match read {
                Ok(_) if is_ghost => continue,
                // A running Pluvio forgot it meanwhile.
                Err(Unusable::Disk(error)) if is_ghost && is_gone(&error) => continue,
                Err(Unusable::Passing(source)) if is_ghost => {
                    return Err(OpenError::disk("read", path, source));
                }
                Err(error) if is_ghost => {
                    let folder = listed.folder.clone();
                    self.survey.steps.push(Step::DropGhost { folder, base: *base });
                    let right = "the ids of records that were deleted; they cannot be made again";
                    (error.to_string(), right, Severity::Damage)
                }
                _ if segments.last() == Some(base) => {
                    let what = "left by a seal that never ended".to_owned();
                    (what, "removed at the next start", Severity::Harmless)
                }
                _ => {
                    let what = "no segment belongs to it".to_owned();
                    (what, "removed at the next start", Severity::Harmless)
                }
            };
            let (right, offset) = (right.to_owned(), Some(*base));
            self.tell(Finding { file: path, bytes: 0..0, offset, what, right, severity });
        }
        Ok(())
    }
}

/// What would be right in place of what is broken, in a segment that `end` is known of.
fn right_instead(broken: &Broken, end: Option<&End>) -> String {
    match (&broken.mended, end.filter(|_| broken.is_tail)) {
        (Some((place, _)), _) => format!("the batch of offset {}, else unharmed", place.base),
        (None, Some(end)) => format!(
            "batches up to byte {} and offset {}: all of that was acknowledged",
            end.bytes(),
            end.next()
        ),
        (None, None) if broken.is_nothing() => match broken.last {
            Some(last) => {
                format!("records {} to {last}, as far as these were written", broken.offset)
            }
            None => "every batch where it was written".to_owned(),
        },
        (None, None) => format!("a batch of {} bytes", broken.to - broken.from),
    }
}

/// What is wrong with the index of a sealed segment: the bytes, or what they say.
fn wrong_index(index: &Indexed, walk: &Walk) -> Option<(String, String)> {
    let again = "made again at the next start".to_owned();
    let (index, places) = match index {
        Indexed::Missing => return Some(("it is missing".to_owned(), again)),
        Indexed::Unusable(why) => return Some((why.clone(), again)),
        Indexed::Stale(bytes) => {
            let what = format!("it is of a segment of {bytes} bytes, not {}", walk.length);
            return Some((what, again));
        }
        Indexed::Fits(index, places) => (index, places),
    };
    let mut found: BTreeMap<u32, _> = walk.batches().map(|it| (it.place.at, it.place)).collect();
    let mended = walk.broken().filter_map(|broken| broken.mended.as_ref());
    found.extend(mended.map(|(place, _)| (place.at, *place)));
    let is_broken = walk.broken().any(|broken| broken.mended.is_none());
    if let Some(place) = places.iter().find(|place| found.get(&place.at) != Some(place))
        && !is_broken
    {
        let what = format!("it says that offset {} lies at byte {}", place.base, place.at);
        return Some((what, "what the segment says".to_owned()));
    }
    if places.len() != found.len() && !is_broken {
        let what = format!("it lists {} batches", places.len());
        return Some((what, format!("{} batches", found.len())));
    }
    let ids = match index.ids() {
        Ok(ids) => ids,
        Err(error) => return Some((error.to_string(), again)),
    };
    let mut expected: Vec<Id> = walk.batches().flat_map(|it| it.ids.iter().copied()).collect();
    expected.sort_unstable();
    let is_complete = walk.broken().next().is_none();
    let what = || format!("it lists {} ids that are not those of its records", ids.len());
    (is_complete && ids != expected).then(|| (what(), format!("{} ids", expected.len())))
}
