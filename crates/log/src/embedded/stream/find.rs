//! Finding: by id, by time, from the end.

use std::{io, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;

use super::{Stream, confirm::Confirm};
use crate::{
    EventId, Found, Offset, ReadError, Seek,
    batch::{self, Header},
    disk::File,
    embedded::{
        filters::Told,
        index::{Drift, Id},
        layout, lock, recover,
    },
    pack,
};

/// Ids put into the map before others may look at the stream again.
const MAPPED_AT_ONCE: usize = 4096;

impl Stream {
    pub(in crate::embedded) async fn seek(
        self: &Arc<Self>,
        seek: Seek,
    ) -> Result<Offset, ReadError> {
        let extent = self.extent();
        match seek {
            Seek::Start => Ok(extent.earliest.unwrap_or(extent.next)),
            Seek::End => Ok(extent.next),
            Seek::Last(0) => Ok(extent.next),
            seek => {
                self.blocking(move |stream| {
                    match seek {
                        Seek::Time(time) => stream.by_time(time),
                        Seek::Last(count) => stream.nth_newest(count as u64),
                        Seek::Id(id) => stream.by_id(id),
                        Seek::Start | Seek::End => Ok(extent.next),
                    }
                    .map(Some)
                })
                .await
            }
        }
    }

    pub(in crate::embedded) async fn find(
        self: &Arc<Self>,
        ids: &[EventId],
    ) -> Result<Vec<Option<Found>>, ReadError> {
        let ids = ids.to_vec();
        self.blocking(move |stream| stream.find_all(&ids).map(Some)).await
    }

    fn by_time(&self, time: Timestamp) -> Result<Offset, ReadError> {
        let time = pack::whole_milliseconds(time).as_millisecond();
        let (from, extent) = {
            let shared = lock(&self.shared);
            let at = shared.sealed.partition_point(|segment| segment.summary.time < time);
            let from = shared.sealed.get(at).map_or(shared.active.base, |s| s.summary.first);
            (from.max(shared.start), self.extent_of(&shared))
        };
        let earliest = extent.earliest.unwrap_or(extent.next);
        let mut at = from;
        while let Some(run) = self.run_at(at)? {
            if let Some((place, _)) = run.iter().find(|(place, _)| place.time >= time) {
                return Ok(place.base.max(earliest));
            }
            let Some((last, _)) = run.iter().last() else { break };
            at = last.last().following();
        }
        Ok(extent.next)
    }

    /// The offset of the `count`-th newest record, or of the first.
    fn nth_newest(&self, count: u64) -> Result<Offset, ReadError> {
        let (extent, segments) = {
            let shared = lock(&self.shared);
            let sealed = shared.sealed.iter().rev();
            let sealed = sealed.map(|s| (s.summary.first, s.summary.records));
            let active = shared.active.places.first();
            let active = active.map(|place| (place.base, shared.active.records));
            (self.extent_of(&shared), active.into_iter().chain(sealed).collect::<Vec<_>>())
        };
        let earliest = extent.earliest.unwrap_or(extent.next);
        let mut missing = count;
        for (first, records) in segments {
            if missing > records {
                missing -= records;
                continue;
            }
            // Counted from the segment's beginning.
            let mut before = records - missing;
            let mut at = first.max(extent.start);
            if first < extent.start {
                let hidden = lock(&self.shared).hidden;
                before = before.saturating_sub(hidden);
            }
            while let Some(run) = self.run_at(at)? {
                for (nth, (place, _)) in run.iter().enumerate() {
                    let visible = if place.base < extent.start {
                        self.load(&run, nth)?.map_or(0, |batch| {
                            let records = batch.records().iter();
                            records.filter(|record| record.offset >= extent.start).count() as u64
                        })
                    } else {
                        u64::from(place.count)
                    };
                    if before < visible {
                        let Some(batch) = self.load(&run, nth)? else { break };
                        let records = batch.records().iter();
                        let mut seen = records.filter(|record| record.offset >= extent.start);
                        let found = seen.nth(before as usize).map(|record| record.offset);
                        return Ok(found.unwrap_or(earliest));
                    }
                    before -= visible;
                    at = place.last().following();
                }
            }
        }
        Ok(earliest)
    }

    fn by_id(&self, id: EventId) -> Result<Offset, ReadError> {
        let found = self.find_all(std::slice::from_ref(&id))?.pop().flatten();
        let start = self.extent().start;
        match found {
            Some(found) if found.offset >= start => Ok(found.offset),
            _ => Err(ReadError::NotFound(id)),
        }
    }

    /// Newest first: the active segment, the sealed ones, those whose records are gone.
    fn find_all(&self, ids: &[EventId]) -> Result<Vec<Option<Found>>, ReadError> {
        self.know_active_ids()?;
        let hashes: Vec<u64> = ids.iter().map(EventId::hash).collect();
        let mut found = vec![None; ids.len()];
        let (hits, bases) = loop {
            let mut shared = lock(&self.shared);
            if !shared.ids.map(MAPPED_AT_ONCE) {
                continue;
            }
            let hits: Vec<Option<Id>> =
                hashes.iter().map(|hash| shared.ids.newest(*hash)).collect();
            let sealed = shared.sealed.iter().rev().map(|segment| segment.base);
            let ghosts = shared.ghosts.iter().rev().map(|ghost| ghost.base);
            break (hits, sealed.chain(ghosts).collect::<Vec<_>>());
        };
        let mut confirm = Confirm::new(self);
        let mut hits: Vec<_> =
            hits.into_iter().enumerate().filter_map(|(at, hit)| Some((at, hit?))).collect();
        hits.sort_unstable_by_key(|(_, hit)| hit.offset);
        for (at, hit) in hits {
            found[at] = confirm.found(&ids[at], hit)?;
        }
        let mut lost = None;
        for base in bases {
            if found.iter().all(Option::is_some) {
                break;
            }
            let missing = (0..ids.len()).filter(|at| found[*at].is_none()).collect();
            let hits = match self.hits_in(base, missing, &hashes) {
                // Its records are gone, so it cannot be made again.
                Err(ReadError::OutOfRange { .. }) => {
                    self.forget_ghost(base);
                    lost.get_or_insert(base);
                    continue;
                }
                hits => hits?,
            };
            for (at, hits) in hits {
                for hit in hits.into_iter().rev() {
                    if found[at].is_none() {
                        found[at] = confirm.found(&ids[at], hit)?;
                    }
                }
            }
        }
        match lost {
            None => Ok(found),
            // Whoever asks must not take this for an answer: what is not known any more must not be listed
            // again. All that are damaged are forgotten by now, so that it is told once.
            Some(base) => Err(ReadError::Damaged {
                path: layout::index(&self.folder, base),
                byte: 0,
                offset: base,
                reason: "the ids of deleted records in it are forgotten".to_owned(),
            }),
        }
    }

    /// Which of `missing`, places in `hashes`, the index of a segment has, in the order of their newest offsets.
    fn hits_in(
        &self,
        base: Offset,
        mut missing: Vec<usize>,
        hashes: &[u64],
    ) -> Result<Vec<(usize, Vec<Id>)>, ReadError> {
        let filters = &self.context.filters;
        let asked = match filters.of(&self.name, base, missing.len()) {
            Told::Filter(filter) => {
                missing.retain(|at| filter.contains_hash(hashes[*at]));
                None
            }
            Told::Nothing { asked } => Some(asked),
        };
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        missing.sort_unstable_by_key(|at| hashes[*at]);
        let mut hits = self.indexed(base, |index| {
            if asked.is_some_and(|asked| asked >= index.blocks()) {
                filters.make(&self.name, base, index)?;
            }
            let mut drift = Drift::default();
            let hits = missing.iter().map(|at| Ok((*at, index.find(hashes[*at], &mut drift)?)));
            hits.collect::<Result<Vec<_>, _>>()
        })?;
        hits.sort_unstable_by_key(|(_, hits)| hits.last().map(|newest| newest.offset));
        Ok(hits)
    }

    /// Does without the ids of a deleted segment whose index is damaged or gone, and tells so. Durably: what is gone
    /// is not met again by the next start.
    fn forget_ghost(&self, base: Offset) {
        let mut writer = lock(&self.writer);
        let ghost = {
            let mut shared = lock(&self.shared);
            let at = shared.ghosts.iter().position(|ghost| ghost.base == base);
            let Some(ghost) = at.and_then(|at| shared.ghosts.remove(at)) else { return };
            shared.ids_forgotten_until = shared.ids_forgotten_until.max(Some(ghost.recorded()));
            ghost
        };
        tracing::warn!(stream = %self.name, %base, "ids of deleted records are lost: their index is damaged");
        // Where the folder is not ours any more, nothing is written to it.
        if self.check_open().is_err() || self.check_place(&writer).is_err() {
            return;
        }
        let disk = &*self.context.disk;
        if let Err(error) = writer.manifest.forget_ids(disk, &self.folder, ghost.recorded()) {
            tracing::warn!(stream = %self.name, %error, "failed to note that ids are lost: the next start may not know it");
        }
    }

    /// Looks into the batches of the active segment that recovery only counted.
    pub(super) fn know_active_ids(&self) -> Result<(), ReadError> {
        let _one_at_a_time = lock(&self.reading_ids);
        let (uid, file, base, unread) = {
            let shared = lock(&self.shared);
            let active = &shared.active;
            (active.uid, Arc::clone(&active.file), active.base, shared.ids.unread.clone())
        };
        let mut ids = Vec::new();
        for place in &unread {
            let batch = whole(&*file, u64::from(place.at));
            ids.extend(recover::ids_of(&batch.map_err(|error| self.unreadable(base, error))?));
        }
        let mut shared = lock(&self.shared);
        if shared.active.uid == uid && !unread.is_empty() {
            shared.ids.prepend(ids);
            shared.ids.unread = Vec::new();
        }
        Ok(())
    }
}

/// The batch that begins at `at`.
fn whole(file: &dyn File, at: u64) -> io::Result<Bytes> {
    let mut head = [0; batch::HEADER_BYTES];
    file.read_at(&mut head, at)?;
    let header = Header::parse(&head).map_err(io::Error::other)?;
    let mut bytes = vec![0; header.bytes];
    file.read_at(&mut bytes, at)?;
    Ok(Bytes::from(bytes))
}
