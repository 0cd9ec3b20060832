//! How far each stream once reached, and whether it still does: by `ENDS`, by the names of segments, by
//! `__positions`.
//!
//! The other half of reading a log ([`survey`](super::survey)): that one judges the bytes that are
//! there, this one those that are not.

use std::{io, path::Path};

use super::{
    Finding, Severity,
    folder::Listed,
    losses::{self, Lost},
    pieces::Walk,
    plan::{self, Step},
    survey::{Reading, So},
    walk::{self, Known},
};
use crate::{
    Offset, StreamName,
    embedded::{
        cursors,
        ends::{End, Names, Noted},
        layout,
        manifest::Manifest,
        positions,
    },
    own_file,
};

/// What is right where a folder is gone.
const FOLDER: &str =
    "the folder of a stream: put it back if it was moved; a repair goes on without what was in it";

impl Reading<'_> {
    /// Takes what is noted of the ends, and tells what is wrong with that itself.
    pub(super) fn ends(
        &mut self,
        folder: &Path,
        names: &[StreamName],
        read: io::Result<Option<Noted>>,
    ) {
        let file = folder.join(own_file::ENDS);
        match read {
            Ok(noted) => self.ends = noted.map(|noted| noted.streams).unwrap_or_default(),
            Err(error) => {
                let what = error.to_string();
                let right = "written again at the next start; until then nothing tells whether the \
                             streams end where they did";
                let (right, severity) = (right.to_owned(), Severity::Harmless);
                self.tell(Finding { file, bytes: 0..0, offset: None, what, right, severity });
            }
        }
        let is_there = |name: &str| names.iter().any(|there| there.as_str() == name);
        let gone: Vec<_> = self.ends.iter().filter(|(name, _)| !is_there(name)).collect();
        let gone = gone.into_iter().map(|(name, end)| {
            let (name, to) = (folder.join(name), end.next());
            let step = match name.file_name().is_some_and(is_table) {
                true => Step::Empty { folder: name.clone() },
                false => Step::Remake { folder: name.clone(), to },
            };
            let finding = Finding {
                file: name,
                bytes: 0..0,
                offset: None,
                what: end.is_missing(),
                right: FOLDER.to_owned(),
                severity: Severity::Damage,
            };
            (finding, step)
        });
        for (finding, step) in gone.collect::<Vec<_>>() {
            self.tell(finding);
            self.survey.steps.push(step);
        }
    }

    /// Whether the last segment that was there is gone.
    pub(super) fn missing_end(&mut self, listed: &Listed, so: So) -> bool {
        let Some(end) = self.ends.get(listed.name.as_str()).cloned() else { return false };
        let Names::Missing(what) = end.names(&listed.files.segments) else { return false };
        let (folder, root) = (listed.folder.clone(), listed.folder.parent().map(Path::to_owned));
        let from = so.end.unwrap_or_else(|| listed.start()).max(listed.start());
        let right = if listed.name.is_internal() && !listed.is_positions() {
            format!("entries may be lost with it: {}", plan::cost(&folder))
        } else if from < end.next() {
            format!("records from {from} up to {} may be lost with it", end.next())
        } else {
            "nothing that is known is lost with it".to_owned()
        };
        let (file, severity) = (layout::segment(&folder, end.base()), Severity::Damage);
        let offset = Some(end.base());
        self.tell(Finding { file, bytes: 0..0, offset, what, right, severity });
        let is_table = listed.name.is_internal();
        let is_told = self.survey.steps.iter().any(|step| step.reaches(&folder, end.next()));
        if !is_table && from < end.next() && !is_told {
            let to = Some(end.next());
            let last = listed.files.segments.last().copied();
            let lost = last.map(|base| self.lost(&folder, base, end.next())).unwrap_or_default();
            self.survey
                .steps
                .retain(|step| last.is_none_or(|base| !step.is_rewrite(&folder, base)));
            self.survey.steps.push(match last {
                Some(base) => Step::Rewrite { folder, base, is_table, to, lost },
                None => Step::Fill { folder, from, to: end.next() },
            });
        }
        self.survey.steps.extend(root.map(|folder| Step::ForgetEnds { folder }));
        true
    }

    /// What the last segment that is there has lost of the records before `to`. Nothing is named if it
    /// cannot be read: then it cannot be written again either.
    fn lost(&self, folder: &Path, base: Offset, to: Offset) -> Vec<Lost> {
        let file = self.disk.open(&layout::segment(folder, base));
        let known = Known::new(base, &[], None);
        let walk = file.and_then(|file| walk::walk(&*file, known, &mut |_, _| {}));
        walk.map(|walk| losses::of(&walk, base, Some(to), None)).unwrap_or_default()
    }

    /// Whether whole batches of the last segment end before the noted one.
    pub(super) fn is_short(
        &mut self,
        listed: &Listed,
        base: Offset,
        walk: &Walk,
        end: Option<&End>,
    ) -> bool {
        let Some(end) = end.filter(|_| walk.broken().next().is_none()) else { return false };
        let at = walk.zeros.unwrap_or(walk.length);
        if at >= end.bytes() {
            return false;
        }
        let file = layout::segment(&listed.folder, base);
        let (bytes, next) = (end.bytes(), end.next());
        let what = format!("it ends here, but it once reached byte {bytes} and offset {next}");
        let right = format!("records from {} up to {next}", walk.end);
        let (offset, severity) = (Some(walk.end), Severity::Damage);
        self.tell(Finding { file, bytes: at..bytes, offset, what, right, severity });
        true
    }

    /// How far the stream reached by what sources and sinks know of it.
    fn mark(&self, listed: &Listed) -> Offset {
        let entries = self.entries.as_ref();
        let mark = entries.map(|entries| positions::read(entries, &listed.name).reaches());
        let taken = listed.manifest.as_ref().map_or(Offset::ZERO, |manifest| {
            cursors::reach(&self.cursors, listed.name.as_str(), manifest.log_id)
        });
        // A process that wrote without syncing may have told them of records that it lost.
        let taken = if self.is_unsynced() { Offset::ZERO } else { taken };
        mark.unwrap_or(Offset::ZERO).max(taken)
    }

    /// Tells of a stream without any segment that once had records. Whether it is one.
    pub(super) fn nothing_left(&mut self, listed: &Listed) -> bool {
        if !listed.files.segments.is_empty() || listed.name.is_internal() {
            return false;
        }
        let is_noted = self.ends.contains_key(listed.name.as_str());
        let known = listed.manifest.as_ref().map_or(Offset::ZERO, Manifest::next);
        let (from, to) = (listed.start().max(known), self.mark(listed));
        if is_noted || to <= from {
            return false;
        }
        let file = layout::segment(&listed.folder, from);
        let what = format!("it is missing, and positions or cursors of sinks speak of {to}");
        let right = format!("records from {from} up to {to}");
        let (offset, severity) = (Some(from), Severity::Damage);
        self.tell(Finding { file, bytes: 0..0, offset, what, right, severity });
        self.survey.steps.push(Step::Fill { folder: listed.folder.clone(), from, to });
        true
    }

    /// Tells of streams whose folder is gone, and of which nothing but positions of sources is left: a start refuses
    /// them, too.
    pub(super) fn unnoted(&mut self, root: &Path, names: &[StreamName]) {
        let Some(entries) = self.entries.clone() else { return };
        let is_unnoted =
            |name: &StreamName| !names.contains(name) && !self.ends.contains_key(name.as_str());
        for name in positions::streams(&entries).into_iter().filter(is_unnoted).collect::<Vec<_>>()
        {
            let reached = positions::read(&entries, &name).reaches();
            if reached == Offset::ZERO {
                continue;
            }
            let to = reached.max(cursors::reach_of_any(&self.cursors, name.as_str()));
            let folder = root.join(name.as_str());
            self.tell(Finding {
                file: folder.clone(),
                bytes: 0..0,
                offset: None,
                what: format!("it is missing, and positions or cursors of sinks speak of {to}"),
                right: FOLDER.to_owned(),
                severity: Severity::Damage,
            });
            self.survey.steps.push(Step::Remake { folder, to });
        }
    }

    /// The offset up to which records were known to be there, if the last segment ends before it.
    pub(super) fn reaches(
        &mut self,
        listed: &Listed,
        next: Option<Offset>,
        walk: &Walk,
    ) -> Option<Offset> {
        if next.is_some() || listed.name.is_internal() {
            return None;
        }
        let end = self.ends.get(listed.name.as_str());
        if end.is_some_and(|end| end.names(&listed.files.segments) != Names::Look) {
            // What is missing is told by its own name.
            return None;
        }
        let mark = self.mark(listed);
        let known = listed.manifest.as_ref().map_or(Offset::ZERO, Manifest::next);
        if mark <= walk.end.max(known).max(listed.start()) {
            return None;
        }
        let file = layout::segment(&listed.folder, *listed.files.segments.last()?);
        let what = format!("it ends before {mark}, which positions or cursors of sinks speak of");
        let right = format!("records from {} up to {mark}", walk.end);
        let (at, offset) = (walk.length, Some(walk.end));
        let bytes = walk.zeros.unwrap_or(at)..at;
        self.tell(Finding { file, bytes, offset, what, right, severity: Severity::Damage });
        Some(mark)
    }
}

/// Whether a folder holds what no reader is shown.
fn is_table(name: &std::ffi::OsStr) -> bool {
    let name = name.to_str().and_then(|name| StreamName::new(name).ok());
    name.is_some_and(|name| name.is_internal())
}
