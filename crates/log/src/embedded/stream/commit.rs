//! Writing: whoever comes first takes all that waits, puts it into batches, syncs, and answers.
//!
//! ```text
//!  append ─▶ queue ─▶ leader: offsets · batch · write · sync ─▶ readers see it ─▶ answers
//!  append ─▶ queue ─┘    ▲                                │
//!                        └── what came meanwhile ◀────────┘
//! ```
//!
//! One group, one sync: recovery can then tell a torn tail from damage, for each batch says whether it begins a
//! group. A group is what waits, up to the size of a batch, or one request that is larger; while one is synced the
//! next gathers. The leader runs where it may block, and leaves when nothing waits: an idle stream costs no thread.

use std::{io, sync::Arc, time::Instant};

use jiff::Timestamp;
use metrics::histogram;
use tokio::sync::oneshot;

use super::{
    QUEUE_BYTES_MAX, Request, SEGMENT_RECORDS_MAX, Sealed, Stream, View, Writer, Written, uid,
};
use crate::{
    AppendError, Batch, Encoded, Offset, Position, Shortage, SourceName, Span,
    embedded::{
        Fsync,
        active::Active,
        closed,
        ends::Last,
        index::{self, BatchLocation, Id},
        layout, lock, positions, shortage,
    },
    pack::{self, Packer, Prepared},
};

/// A group is closed when its bodies reach this: what fits one batch.
const GROUP_BYTES: usize = 256 << 10;
/// A mark is written when so much was appended since the last one: what a restart unpacks at most.
const MARK_BYTES: u64 = 6 << 20;

/// What a request becomes once its records have their places.
struct Placed {
    request: Request,
    span: Span,
    offsets: Vec<Offset>,
}

/// Why a group was not written.
pub(super) enum Failed {
    Short(Shortage),
    Stopped(Arc<io::Error>),
}

impl Stream {
    pub(in crate::embedded) async fn append(
        self: &Arc<Self>,
        Encoded(records): Encoded,
    ) -> Result<Span, AppendError> {
        if records.is_empty() {
            let next = lock(&self.shared).next;
            return Ok(Span { start: next, end: next });
        }
        let bytes: usize = records.iter().map(|record| record.body.len()).sum();
        let bytes = u32::try_from(bytes.min(QUEUE_BYTES_MAX)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await;
        let Ok(room) = room else { return Err(self.stopped(&closed())) };
        let begun = Instant::now();
        let (reply, answer) = oneshot::channel();
        let is_led = {
            let mut queue = lock(&self.queue);
            queue.requests.push_back(Request { records, reply, _room: room });
            std::mem::replace(&mut queue.is_led, true)
        };
        if !is_led {
            let leader = Leader { stream: Arc::clone(self), is_done: false };
            tokio::task::spawn_blocking(move || leader.lead());
        }
        let answer = answer.await.unwrap_or_else(|_| Err(self.stopped(&closed())));
        histogram!("pluvio_log_append_seconds").record(begun.elapsed());
        answer.map(|written| written.span)
    }

    pub(in crate::embedded) fn checkpoint(
        &self,
        source: &SourceName,
        position: Position,
    ) -> Result<(), AppendError> {
        // The writer's lock: no roll between the sync and the note.
        let writer = lock(&self.writer);
        self.check_open()?;
        if self.context.config.fsync == Fsync::Os {
            writer.active.sync().map_err(|error| self.stop(error))?;
        }
        let next = lock(&self.shared).next;
        positions::checkpoint(&self.context.positions, &self.name, source, &position, next)?;
        lock(&self.shared).positions.insert(source.clone(), position);
        Ok(())
    }

    /// Nothing is appended from now on.
    pub(super) fn stop(&self, error: io::Error) -> AppendError {
        let error = Arc::new(error);
        tracing::error!(stream = %self.name, %error, "writing failed: the stream is stopped");
        lock(&self.shared).stopped = Some(Arc::clone(&error));
        self.stopped(&error)
    }

    /// Writes one group and answers all in it.
    fn commit(&self, writer: &mut Writer, group: Vec<Request>) {
        let (stopped, next) = {
            let shared = lock(&self.shared);
            (shared.stopped.clone(), shared.next)
        };
        if let Some(error) = stopped {
            return self.refuse(group, || self.stopped(&error));
        }
        let now = self.context.clock.recording();
        let recorded = writer.recorded.max(pack::whole_milliseconds(now));
        let (placed, packer) = self.place(group, next, recorded);
        let batches = packer.finish();
        if batches.is_empty() {
            return;
        }
        let written = self.write(writer, &batches, recorded);
        lock(&self.shared).short = match &written {
            Err(Failed::Short(shortage)) => Some(*shortage),
            _ => None,
        };
        if let Err(failed) = written {
            let group = placed.into_iter().map(|placed| placed.request).collect();
            return self.refuse(group, || match &failed {
                Failed::Short(shortage) => {
                    AppendError::DiskFull { stream: self.name.clone(), shortage: *shortage }
                }
                Failed::Stopped(error) => self.stopped(error),
            });
        }
        writer.recorded = recorded;
        self.publish(writer, &batches, placed);
        if self.context.config.fsync == Fsync::Always {
            self.ends(writer);
            self.context.ends.note_if_due(now);
        }
    }

    fn refuse(&self, group: Vec<Request>, error: impl Fn() -> AppendError) {
        for request in group {
            // The receiver is gone if the append was cancelled; ignore the send error.
            let _gone = request.reply.send(Err(error()));
        }
    }

    /// Gives out offsets and packs; a request that finds none left is answered at once.
    fn place(
        &self,
        group: Vec<Request>,
        from: Offset,
        recorded: Timestamp,
    ) -> (Vec<Placed>, Packer) {
        let records = group.iter().flat_map(|request| &request.records);
        let config = &self.context.config;
        let mut packer = Packer::new(config.compression, config.batch_bytes_max, records);
        let (mut next, mut placed) = (from, Vec::with_capacity(group.len()));
        for request in group {
            let offsets = pack::place(next, &request.records).unwrap_or_default();
            let (Some(start), Some(last)) = (offsets.first(), offsets.last()) else {
                let _gone = request.reply.send(Err(AppendError::NoOffsetLeft(self.name.clone())));
                continue;
            };
            let span = Span { start: *start, end: last.following() };
            for (offset, record) in offsets.iter().zip(&request.records) {
                packer.push(*offset, recorded, record);
            }
            next = span.end;
            placed.push(Placed { request, span, offsets });
        }
        (placed, packer)
    }

    /// Writes and syncs batches, all or none.
    fn write(
        &self,
        writer: &mut Writer,
        batches: &[Arc<Batch>],
        recorded: Timestamp,
    ) -> Result<(), Failed> {
        self.check_place(writer).map_err(|error| self.failed(error))?;
        let bytes: u64 = batches.iter().map(|batch| batch.encoded().len() as u64).sum();
        let growth = writer.active.growth(bytes);
        if growth > 0 {
            let free_bytes = self.free_bytes();
            let reserve_bytes = self.context.config.reserve_bytes;
            if free_bytes < reserve_bytes.saturating_add(growth) {
                return Err(Failed::Short(Shortage::Room { free_bytes, reserve_bytes }));
            }
        }
        let records: u64 = batches.iter().map(|batch| batch.records().len() as u64).sum();
        if self.is_over(writer, bytes, records) {
            self.roll(writer)?;
        } else if writer.active.end > writer.marked + MARK_BYTES {
            self.mark(writer)?;
        }
        if let Err(failed) = self.write_group(writer, batches) {
            return Err(self.undo(writer, failed));
        }
        writer.active.advance(bytes);
        writer.begun.get_or_insert(recorded);
        Ok(())
    }

    fn write_group(&self, writer: &mut Writer, batches: &[Arc<Batch>]) -> io::Result<()> {
        writer.active.write(batches.iter().map(|batch| &batch.encoded()[..]))?;
        if self.context.config.fsync == Fsync::Always {
            let begun = Instant::now();
            writer.active.sync()?;
            histogram!("pluvio_log_sync_seconds").record(begun.elapsed());
        }
        // A name that went meanwhile takes the records along: nothing of that is acknowledged.
        writer.active.check()
    }

    /// Refused when the folder or the segment is not ours any more.
    pub(super) fn check_place(&self, writer: &Writer) -> io::Result<()> {
        self.context.hold.check()?;
        writer.active.check()
    }

    /// Takes back what a failed write left. A full disk is no failure if that works; anything else
    /// stops the stream.
    fn undo(&self, writer: &mut Writer, error: io::Error) -> Failed {
        if let Err(moved) = writer.active.check() {
            // What lies there now is not ours to cut.
            return self.failed(moved);
        }
        let cut = writer.active.cut();
        if cut.is_ok() { self.short_or_failed(error) } else { self.failed(error) }
    }

    /// What is used up stops nothing, for the next append may find some; anything else does.
    fn short_or_failed(&self, error: io::Error) -> Failed {
        let context = &self.context;
        let reserve_bytes = context.config.reserve_bytes;
        match shortage(&error, &*context.disk, &self.folder, reserve_bytes) {
            Some(shortage) => Failed::Short(shortage),
            None => self.failed(error),
        }
    }

    fn failed(&self, error: io::Error) -> Failed {
        match self.stop(error) {
            AppendError::Stopped { source, .. } => Failed::Stopped(source),
            _ => Failed::Stopped(closed()),
        }
    }

    /// What is free; a disk that does not say has no limit until a write tells one.
    fn free_bytes(&self) -> u64 {
        self.context.disk.free_bytes(&self.folder).unwrap_or(u64::MAX)
    }

    /// Whether the active segment is full before `bytes` more.
    fn is_over(&self, writer: &Writer, bytes: u64, records: u64) -> bool {
        let held = lock(&self.shared).active.records;
        held > 0
            && (writer.active.end + bytes > self.context.config.segment_bytes_max
                || held + records > SEGMENT_RECORDS_MAX)
    }

    /// Notes all positions as of the next offset.
    fn mark(&self, writer: &mut Writer) -> Result<(), Failed> {
        if self.context.config.fsync == Fsync::Os {
            writer.active.sync().map_err(|error| self.failed(error))?;
        }
        let (next, known) = {
            let shared = lock(&self.shared);
            (shared.next, shared.positions.clone())
        };
        let place = (writer.active.base, writer.active.end);
        match positions::mark(&self.context.positions, &self.name, &known, next, place) {
            Ok(()) => {
                writer.marked = writer.active.end;
                Ok(())
            }
            Err(AppendError::DiskFull { shortage, .. }) => Err(Failed::Short(shortage)),
            Err(AppendError::Stopped { source, .. }) => Err(Failed::Stopped(source)),
            Err(other) => Err(self.failed(io::Error::other(other))),
        }
    }

    /// Seals the active segment, which holds records, and begins another behind them.
    pub(super) fn roll(&self, writer: &mut Writer) -> Result<(), Failed> {
        self.mark(writer)?;
        self.know_active_ids().map_err(|error| self.failed(io::Error::other(error)))?;
        let fault = |error| self.short_or_failed(error);
        writer.active.cut().map_err(fault)?;
        let (places, ids) = {
            let shared = lock(&self.shared);
            (shared.active.places.clone(), shared.ids.entries.clone())
        };
        let (disk, base) = (&*self.context.disk, writer.active.base);
        let path = layout::index(&self.folder, base);
        let summary = index::write(disk, &path, &places, ids, writer.active.end).map_err(fault)?;
        let active = Active::create(disk, &self.folder, summary.last.following()).map_err(fault)?;
        self.activate(writer, active, Some((base, summary)));
        self.ends(writer);
        self.context.ends.note(self.context.clock.recording());
        writer.has_rolled = true;
        Ok(())
    }

    /// Puts an empty active segment in place of the last one, which was `sealed` or is gone.
    pub(super) fn activate(
        &self,
        writer: &mut Writer,
        active: Active,
        sealed: Option<(Offset, index::Summary)>,
    ) {
        let view = View {
            uid: uid(),
            base: active.base,
            file: Arc::clone(&active.file),
            places: Vec::new(),
            records: 0,
            bytes: 0,
        };
        writer.active = active;
        (writer.marked, writer.begun, writer.last) = (0, None, None);
        let mut shared = lock(&self.shared);
        let before = std::mem::replace(&mut shared.active, view);
        shared.ids = super::ActiveIds::default();
        if let Some((base, summary)) = sealed {
            self.context.places.insert(before.uid, Arc::new(before.places));
            shared.sealed.push_back(Arc::new(Sealed { uid: before.uid, base, summary }));
        }
    }

    /// Shows a written group to readers, then answers.
    fn publish(&self, writer: &mut Writer, batches: &[Arc<Batch>], placed: Vec<Placed>) {
        let mut at = writer.active.end;
        at -= batches.iter().map(|batch| batch.encoded().len() as u64).sum::<u64>();
        if let Some(batch) = batches.last() {
            let bytes = batch.encoded().len() as u64;
            writer.last = Last::of(batch.encoded(), writer.active.end - bytes);
        }
        let mut shared = lock(&self.shared);
        let uid = shared.active.uid;
        for batch in batches {
            let place = place(batch, at);
            shared.active.places.push(place);
            shared.active.records += u64::from(place.count);
            at += batch.encoded().len() as u64;
            shared.latest = Some(batch.last());
            shared.earliest.get_or_insert(batch.first());
            self.context.batches.insert((uid, place.at), Arc::clone(batch));
        }
        shared.active.bytes = at;
        for Placed { request, span, offsets } in &placed {
            let ids = request.records.iter().zip(offsets).map(|(record, offset)| Id {
                hash: record.id,
                offset: *offset,
                time: record.time.map(Timestamp::as_microsecond),
            });
            shared.ids.entries.extend(ids);
            // Of a source's records that follow each other only the last says where it stands.
            for records in request.records.chunk_by(|one, next| one.source == next.source) {
                if let Some(Prepared { source, position, .. }) = records.last() {
                    shared.positions.insert(source.clone(), position.clone());
                }
            }
            shared.next = span.end;
        }
        let next = shared.next;
        drop(shared);
        self.reached(next);
        if std::mem::take(&mut writer.has_rolled) {
            self.retain(writer);
        }
        for Placed { request, span, .. } in placed {
            let Request { records, reply, .. } = request;
            let _gone = reply.send(Ok(Written { span, _records: records }));
        }
    }
}

fn place(batch: &Batch, at: u64) -> BatchLocation {
    let records = batch.records();
    BatchLocation {
        base: batch.first(),
        time: records.last().map_or(0, |record| record.recorded.as_millisecond()),
        at: at as u32,
        last_delta: (batch.last().get() - batch.first().get()) as u32,
        count: records.len() as u32,
    }
}

/// Writes until nothing waits.
struct Leader {
    stream: Arc<Stream>,
    is_done: bool,
}

impl Leader {
    fn lead(mut self) {
        while let Some(group) = self.group() {
            self.stream.commit(&mut lock(&self.stream.writer), group);
        }
        self.is_done = true;
    }

    /// What waits, up to a batch; `None`, and somebody else leads from then on, if nothing does.
    fn group(&self) -> Option<Vec<Request>> {
        let mut queue = lock(&self.stream.queue);
        let (mut group, mut bytes) = (Vec::new(), 0);
        while bytes < GROUP_BYTES
            && let Some(request) = queue.requests.pop_front()
        {
            bytes += request.records.iter().map(|record| record.body.len()).sum::<usize>();
            group.push(request);
        }
        queue.is_led = !group.is_empty();
        queue.is_led.then_some(group)
    }
}

impl Drop for Leader {
    /// A panic while writing leaves the file in an unknown state; a leader that never began, because
    /// the runtime ends, leaves those who wait without an answer.
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let reason = if std::thread::panicking() { "writing panicked" } else { "the process ends" };
        let _told = self.stream.stop(io::Error::other(reason));
        let waiting = {
            let mut queue = lock(&self.stream.queue);
            queue.is_led = false;
            std::mem::take(&mut queue.requests)
        };
        drop(waiting);
    }
}
