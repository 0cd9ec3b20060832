//! Deleting: whole sealed segments, oldest first, and never before the new start is durable.

use std::{io, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{Ghost, Sealed, Shared, Stream, Writer};
use crate::{
    IDS_OUTLIVE, Offset, ReadError,
    embedded::{active::Active, layout, lock, manifest::Manifest},
};

/// The active segment of a quiet stream is sealed after a day, or its records would never go.
const SEGMENT_AGE_MAX: SignedDuration = SignedDuration::from_hours(24);

impl Stream {
    /// Deletes what retention says, and forgets ids; stops the stream where its files are not its own any
    /// more. Blocks.
    pub(in crate::embedded) fn maintain(&self) {
        let mut writer = lock(&self.writer);
        if self.check_open().is_err() {
            return;
        }
        if let Err(error) = self.check_place(&writer) {
            let _told = self.stop(error);
            return;
        }
        let now = self.context.clock.keeping();
        if writer.begun.is_some_and(|begun| now.duration_since(begun) >= SEGMENT_AGE_MAX) {
            // A failure is told by the next append.
            let _told = self.roll(&mut writer);
        }
        self.retain(&mut writer);
    }

    /// Deletes segments that a limit has passed.
    pub(super) fn retain(&self, writer: &mut Writer) {
        let now = self.context.clock.keeping();
        let start = self.retained(now);
        if let Some(start) = start
            && let Err(error) = self.delete_below(writer, start)
        {
            tracing::error!(stream = %self.name, %error, "failed to delete what retention says");
        }
        self.forget(writer, now);
        self.forget_what_is_forgotten(writer, now);
        self.set_right(writer);
    }

    /// The start after retention, if it moves.
    fn retained(&self, now: Timestamp) -> Option<Offset> {
        let retention = &self.context.config.retention;
        let shared = lock(&self.shared);
        let extent = self.extent_of(&shared);
        let (mut records, mut bytes) = (extent.records + shared.hidden, extent.bytes);
        let mut start = None;
        for segment in &shared.sealed {
            let recorded = Timestamp::from_millisecond(segment.summary.time).unwrap_or(now);
            let is_old = |age| {
                let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
                now.duration_since(recorded) > age
            };
            let is_over = retention.records_max.is_some_and(|max| records > max)
                || retention.bytes_max.is_some_and(|max| bytes > max)
                || retention.age.is_some_and(is_old);
            if !is_over {
                break;
            }
            records -= segment.summary.records;
            bytes -= segment.summary.bytes;
            start = Some(segment.summary.last.following());
        }
        start
    }

    /// Moves the start, durably, and removes segments that lie below it.
    fn delete_below(&self, writer: &mut Writer, start: Offset) -> io::Result<()> {
        let disk = &*self.context.disk;
        if start > writer.manifest.start() {
            let mut manifest = writer.manifest.clone();
            manifest.start = start.get();
            manifest.next = manifest.next.max(start.get());
            manifest.write(disk, &self.folder)?;
            writer.manifest = manifest;
        }
        let mut gone = Vec::new();
        {
            let mut shared = lock(&self.shared);
            shared.start = shared.start.max(start);
            shared.next = shared.next.max(start);
            while shared.sealed.front().is_some_and(|segment| segment.summary.last < start) {
                let Some(segment) = shared.sealed.pop_front() else { break };
                let (base, time) = (segment.base, segment.summary.time);
                shared.ghosts.push_back(Ghost { base, time });
                gone.push(segment);
            }
        }
        let settled = self.settle().map_err(io::Error::other);
        let mut removed = Ok(());
        for segment in &gone {
            self.context.places.remove(&segment.uid);
            self.context.files.remove(&segment.uid);
            removed = removed.and(disk.remove(&layout::segment(&self.folder, segment.base)));
        }
        if !gone.is_empty() {
            removed = removed.and(disk.sync_folder(&self.folder));
        }
        removed.and(settled)
    }

    /// Removes indexes of deleted segments when their ids are not asked for any more. Up to when these were
    /// recorded is noted first: the clock may turn out to have been ahead.
    fn forget(&self, writer: &mut Writer, now: Timestamp) {
        let is_old = |ghost: &&Ghost| now.duration_since(ghost.recorded()) > IDS_OUTLIVE;
        let count = lock(&self.shared).ghosts.iter().take_while(is_old).count();
        let newest = lock(&self.shared).ghosts.iter().take(count).map(|it| it.recorded()).max();
        let Some(newest) = newest else { return };
        let until = writer.manifest.ids_outlived_until.map_or(newest, |until| until.max(newest));
        if let Err(error) = self.outlived(writer, until) {
            tracing::warn!(stream = %self.name, %error, "failed to note up to when ids are forgotten: none is");
            return;
        }
        let old: Vec<_> = lock(&self.shared).ghosts.drain(..count).collect();
        for ghost in old {
            let path = layout::index(&self.folder, ghost.base);
            if let Err(error) = self.context.disk.remove(&path) {
                tracing::warn!(path = %path.display(), %error, "failed to remove an old index");
            }
        }
    }

    /// Notes, durably, that ids of records recorded up to `until` are forgotten as planned.
    fn outlived(&self, writer: &mut Writer, until: Timestamp) -> io::Result<()> {
        if writer.manifest.ids_outlived_until != Some(until) {
            let noted = Manifest { ids_outlived_until: Some(until), ..writer.manifest.clone() };
            noted.write(&*self.context.disk, &self.folder)?;
            writer.manifest = noted;
            lock(&self.shared).ids_outlived_until = Some(until);
        }
        Ok(())
    }

    /// A note of a time that is yet to come is from a clock that was ahead. All that is forgotten was recorded
    /// before the clock was put right.
    fn set_right(&self, writer: &mut Writer) {
        let now = self.context.clock.recording();
        let Some(_ahead) = writer.manifest.ids_outlived_until.filter(|until| *until > now) else {
            return;
        };
        if let Err(error) = self.outlived(writer, now) {
            tracing::warn!(stream = %self.name, %error, "failed to note up to when ids are forgotten");
        }
    }

    /// Drops the note of lost ids when they would not be known any more if they were not lost. A source may go on
    /// long after the newest record, where it stood: its time counts, if the clock's is not earlier.
    fn forget_what_is_forgotten(&self, writer: &mut Writer, now: Timestamp) {
        let newest = writer.recorded.min(now);
        let noted = lock(&self.shared).ids_forgotten_until;
        if noted.is_none_or(|until| newest.duration_since(until) <= IDS_OUTLIVE) {
            return;
        }
        let mut manifest = writer.manifest.clone();
        manifest.ids_forgotten_until = None;
        match manifest.write(&*self.context.disk, &self.folder) {
            Ok(()) => {
                writer.manifest = manifest;
                lock(&self.shared).ids_forgotten_until = None;
            }
            Err(error) => {
                tracing::warn!(stream = %self.name, %error, "failed to drop the note of ids that are lost");
            }
        }
    }

    pub(in crate::embedded) fn trim(&self, before: Offset) -> Result<(), ReadError> {
        let mut writer = lock(&self.writer);
        let writer = &mut *writer;
        self.check_open().map_err(|error| self.unreadable(before, io::Error::other(error)))?;
        let placed = self.check_place(writer).map_err(|error| self.stop(error));
        placed.map_err(|error| self.unreadable(before, io::Error::other(error)))?;
        let holds_records = lock(&self.shared).active.records > 0;
        let told = |source| self.unreadable(before, source);
        let reaches = lock(&self.shared).latest.is_some_and(|latest| latest >= before);
        if !reaches && holds_records {
            self.roll(writer).map_err(|_| told(io::Error::other("failed to seal a segment")))?;
        }
        self.delete_below(writer, before).map_err(told)?;
        if !reaches && writer.active.base < before {
            // What is written next lies behind: the segment's name must say so.
            let old = writer.active.path.clone();
            let disk = &*self.context.disk;
            let active = Active::create(disk, &self.folder, before).map_err(told)?;
            self.activate(writer, active, None);
            self.ends(writer);
            self.context.ends.note(self.context.clock.recording());
            disk.remove(&old).map_err(told)?;
        }
        let next = {
            let mut shared = lock(&self.shared);
            shared.next = shared.next.max(before);
            shared.next
        };
        self.reached(next);
        Ok(())
    }

    /// Tells anew where the first and last records lie. Reads a batch when the start is inside one.
    pub(super) fn settle(&self) -> Result<(), ReadError> {
        let (start, first) = {
            let mut shared = lock(&self.shared);
            let shared = &mut *shared;
            shared.latest = shared.active.places.last().map(super::BatchLocation::last);
            shared.latest = shared.latest.or(shared.sealed.back().map(|s| s.summary.last));
            (shared.start, first(shared))
        };
        let (earliest, hidden) = match first {
            None => (None, 0),
            Some(first) if first >= start => (Some(first), 0),
            Some(_) => self.first_from(start)?,
        };
        let mut shared = lock(&self.shared);
        (shared.earliest, shared.hidden) = (earliest, hidden);
        shared.latest = shared.latest.filter(|_| earliest.is_some());
        Ok(())
    }

    /// The first record at or behind `start`, and how many records of the stream lie before it.
    fn first_from(&self, start: Offset) -> Result<(Option<Offset>, u64), ReadError> {
        let Some(run) = self.run_at(start)? else {
            // All that is left lies below: what was above was lost without a sync.
            let shared = lock(&self.shared);
            return Ok((None, self.extent_of(&shared).records + shared.hidden));
        };
        let Some(batch) = self.load(&run, 0)? else { return Ok((None, 0)) };
        let within = batch.records().partition_point(|record| record.offset < start);
        let earliest = batch.records().get(within).map(|record| record.offset);
        Ok((earliest, self.records_before(&run) + within as u64))
    }
}

fn first(shared: &Shared) -> Option<Offset> {
    let sealed = shared.sealed.front().map(|segment: &Arc<Sealed>| segment.summary.first);
    sealed.or(shared.active.places.first().map(|place| place.base))
}
