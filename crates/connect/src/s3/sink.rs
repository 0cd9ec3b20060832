//! Puts batches as objects, and the cursor behind them.

use std::{
    io::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use flate2::{Compression as Level, write::GzEncoder};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use pluvio_log::Offset;
use pluvio_runtime::{
    Answers, Chain, Connected, Delivered, Format, Outcome, Sink, Standing, Taken, TargetCursor,
    Writer,
};
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use super::{
    config::{Compression, Settings},
    error::Error,
    store::{Object, Put, Store},
};
use crate::name::{Content, Names};

/// Longest key of an object, by S3.
const KEY_BYTES_MAX: usize = 1024;

/// Which put made an object.
const PUT: &str = "x-amz-meta-pluvio-put";

/// A bucket as a sink.
#[derive(Clone, Debug)]
pub struct S3 {
    pub(super) settings: Arc<Settings>,
    pub(super) unanswered: Arc<Mutex<Option<Unanswered>>>,
}

/// An object whose put was not answered: it may still happen, so it is repeated as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unanswered {
    span: Span,
    /// Tells it from an object that has its name, but lay there before.
    put: Uuid,
    /// The cursor in the bucket names it, so that the next process repeats it, too.
    is_noted: bool,
}

/// The offsets of the first and the last event of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Span {
    first: i64,
    last: i64,
}

/// A bucket that may be written to.
pub struct S3Writer {
    sink: S3,
    store: Store,
    standing: Standing,
    /// The last event of the last object.
    last: Option<Last>,
}

/// An event that is in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    offset: i64,
    recorded: Timestamp,
}

/// All that a sink may put, so that two can be told apart.
#[derive(Debug)]
pub struct Keys {
    /// Whoever keeps it, and its name there.
    bucket: (Url, String),
    objects: Names,
    cursor: String,
}

/// How two sinks would overwrite what the other put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clash {
    /// An object can have the key of one of the other's, such as this one.
    Objects(String),
    /// This is where one keeps its place, and the other does so, too, or can have an object there.
    Cursor(String),
}

impl Keys {
    /// How these sinks would overwrite what the other put, if they can.
    pub fn clash(&self, other: &Self) -> Option<Clash> {
        if self.bucket != other.bucket {
            return None;
        }
        if self.objects.meet(&other.objects) {
            return Some(Clash::Objects(self.objects.to_string()));
        }
        let is_there =
            |one: &Self, cursor: &str| one.cursor == cursor || one.objects.contain(cursor);
        let cursors = [(self, &other.cursor), (other, &self.cursor)];
        let cursor = cursors.into_iter().find(|(one, cursor)| is_there(one, cursor));
        cursor.map(|(_, cursor)| Clash::Cursor(cursor.clone()))
    }
}

/// What the bucket remembers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    log_id: Uuid,
    stream: String,
    /// Everything before it is in objects.
    next: i64,
    /// Which decision on the sink's place it is younger than; see [`Standing::seek`].
    #[serde(default)]
    seek: u64,
    /// The object that is put next, and may be there already; `None`: all puts were answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    putting: Option<Putting>,
    /// The last event in the objects before `next`; `None`: nothing was put yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Last>,
}

/// An object on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Putting {
    #[serde(flatten)]
    span: Span,
    /// In the object's metadata.
    put: Uuid,
    /// Its name; what makes names may be configured otherwise by the time it is looked for.
    key: String,
    /// When its last event was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recorded: Option<Timestamp>,
}

impl S3 {
    /// What no other sink may write to.
    pub fn identity(&self) -> String {
        format!("{}{}", self.settings.url, self.settings.prefix)
    }

    /// What it puts into the bucket, as the sink of that name with that stream.
    pub fn keys(&self, sink: &str, stream: &str) -> Keys {
        let Settings { endpoint, bucket, prefix, name, compression, .. } = &*self.settings;
        Keys {
            bucket: (endpoint.clone(), bucket.clone()),
            objects: Names::new(name, stream, sink).between(prefix, compression.suffix()),
            cursor: self.cursor_key(&format!("{sink}-{stream}")),
        }
    }

    /// Which key makes the name of an object longer than S3 takes, and by how much.
    pub fn too_long(&self, sink: &str, stream: &str) -> Option<(&'static str, String)> {
        let bytes = self.keys(sink, stream).objects.bytes();
        let excess = bytes.checked_sub(KEY_BYTES_MAX).filter(|excess| *excess > 0)?;
        let message = format!(
            "`name` makes keys of {bytes} bytes, with `prefix`, and a key has at most {KEY_BYTES_MAX}; \
             shorten it by {excess}"
        );
        Some(("name", message))
    }

    async fn cursor(&self, store: &Store, key: &str) -> Result<Option<Cursor>, Error> {
        let Some(bytes) = store.get(key).await? else { return Ok(None) };
        let cursor = serde_json::from_slice(&bytes).map_err(|source| Error::Cursor {
            key: key.to_owned(),
            bucket: self.settings.bucket.clone(),
            source,
        })?;
        Ok(Some(cursor))
    }

    fn cursor_key(&self, name: &str) -> String {
        format!("{}.pluvio/{name}.json", self.settings.prefix)
    }

    fn unanswered(&self) -> MutexGuard<'_, Option<Unanswered>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for S3 {
    type Writer = S3Writer;
    type Error = Error;

    async fn connect(&mut self, standing: Standing) -> Result<Connected<S3Writer>, Error> {
        let store = Store::new(&self.settings)?;
        let key = self.cursor_key(&format!("{}-{}", standing.sink, standing.stream));
        let noted = self.cursor(&store, &key).await?;
        let counts = |it: &Cursor| it.log_id == standing.log_id && it.seek >= standing.seek;
        let noted = noted.filter(counts);
        let cursor = noted.as_ref().and_then(|noted| Offset::new(noted.next));
        let last = noted.as_ref().and_then(|noted| noted.last);
        let putting = noted.and_then(|noted| noted.putting);
        // Of the log before it was set back; the log that goes on from there has other events for it.
        let putting = putting.filter(|it| it.span.last < standing.end.get());
        let last_put = putting
            .as_ref()
            .and_then(|it| Some(Last { offset: it.span.last, recorded: it.recorded? }));
        let arrived = match &putting {
            // Only the answer was lost: it holds its events, however objects are made by now.
            Some(Putting { span, put, key, .. }) => {
                let is_there = store.metadata(key, PUT).await? == Some(put.to_string());
                Offset::new(span.last + 1).filter(|_| is_there)
            }
            None => None,
        };
        {
            let mut unanswered = self.unanswered();
            let noted = putting.map(|Putting { span, put, .. }| (span, put));
            let known = unanswered.map(|it| (it.span, it.put)).or(noted);
            let known = known.filter(|_| arrived.is_none());
            let is_noted = known == noted;
            *unanswered = known.map(|(span, put)| Unanswered { span, put, is_noted });
        }
        let last = if arrived.is_some() { last_put } else { last };
        // A filter may have passed more than was put.
        let cursor = arrived.or(cursor).map(|next| next.max(standing.cursor));
        let taken =
            |Last { offset, recorded }| Some(Taken { offset: Offset::new(offset)?, recorded });
        let cursor = cursor.map(|next| TargetCursor { next, last: last.and_then(taken) });
        let writer = S3Writer { sink: self.clone(), store, standing, last };
        Ok(Connected { writer, cursor })
    }

    async fn probe(&mut self) -> Result<String, Error> {
        let store = Store::new(&self.settings)?;
        // No cursor is called so: what is asked is whether the keys may ask.
        store.get(&self.cursor_key("probe")).await?;
        let Settings { bucket, prefix, .. } = &*self.settings;
        let below = if prefix.is_empty() { String::new() } else { format!(" below `{prefix}`") };
        Ok(format!("{} lets us read bucket `{bucket}`{below}; writing was not tried", store.host()))
    }
}

impl Writer for S3Writer {
    type Error = Error;

    async fn write(&mut self, batch: &[Delivered], _: &Answers) -> Outcome<Error> {
        let unanswered = *self.sink.unanswered();
        let [first, ..] = batch else { return Outcome::Rejected(Vec::new()) };
        let records = batch.get(..of_one_object(batch, unanswered)).unwrap_or(batch);
        let last = records.last().unwrap_or(first);
        let body = match self.body(records) {
            Ok(body) => body,
            Err(reason) => return Outcome::BatchRejected(reason),
        };
        let put = self.put(first, last, body).await;
        match put {
            Ok(Put::Done) => {
                *self.sink.unanswered() = None;
                Outcome::AckedTo(last.offset())
            }
            Ok(Put::Throttled(wait)) => {
                let why = format!("{} asks us to slow down", self.store.host());
                Outcome::Throttled { wait, why }
            }
            Err(error) => Outcome::NotConnected(error),
        }
    }

    async fn close(self) {}
}

impl S3Writer {
    /// Notes in the bucket what comes, puts it, and notes that it is there. Where it is cut, it is
    /// repeated with the same events.
    async fn put(
        &mut self,
        first: &Delivered,
        last: &Delivered,
        body: Bytes,
    ) -> Result<Put, Error> {
        let span = Span { first: first.offset().get(), last: last.offset().get() };
        let key = self.key(first, last);
        let known = self.sink.unanswered().filter(|it| it.span == span);
        let put = known.map_or_else(Uuid::new_v4, |it| it.put);
        if known.is_none_or(|it| !it.is_noted) {
            // Even this put may happen later, so that from here on no other object is begun.
            *self.sink.unanswered() = Some(Unanswered { span, put, is_noted: false });
            let recorded = Some(last.recorded());
            let putting = Putting { span, put, key: key.clone(), recorded };
            match self.put_cursor(first.offset(), Some(putting)).await {
                Ok(Put::Done) => {
                    *self.sink.unanswered() = Some(Unanswered { span, put, is_noted: true });
                }
                not_done => return not_done,
            }
        }
        match self.put_object(&key, put, [first, last], body).await {
            Ok(Put::Done) => {
                self.last = Some(Last { offset: last.offset().get(), recorded: last.recorded() });
                self.put_cursor(last.offset().following(), None).await
            }
            not_done => not_done,
        }
    }

    fn body(&self, records: &[Delivered]) -> Result<Bytes, String> {
        let bytes: usize = records.iter().map(|record| record.stored().len() + 128).sum();
        let mut lines = Vec::with_capacity(bytes);
        for record in records {
            let written = Format::Cloudevents.line(record, &mut lines);
            written.map_err(|error| Chain(&error).to_string())?;
        }
        Ok(match self.sink.settings.compression {
            Compression::None => lines.into(),
            Compression::Gzip => gzip(&lines),
        })
    }

    /// The name of an object of these events.
    fn key(&self, first: &Delivered, last: &Delivered) -> String {
        let settings = &self.sink.settings;
        let (stream, sink) = (self.standing.stream.to_string(), self.standing.sink.to_string());
        let content = Content {
            first: first.offset(),
            last: last.offset(),
            recorded: first.recorded(),
            stream: &stream,
            sink: &sink,
            log_id: self.standing.log_id,
        };
        let suffix = settings.compression.suffix();
        format!("{}{}{suffix}", settings.prefix, settings.name.name(&content))
    }

    async fn put_object(
        &self,
        key: &str,
        put: Uuid,
        [first, last]: [&Delivered; 2],
        body: Bytes,
    ) -> Result<Put, Error> {
        let content_type = match self.sink.settings.compression {
            Compression::None => "application/x-ndjson",
            Compression::Gzip => "application/gzip",
        };
        let metadata = vec![
            ("x-amz-meta-pluvio-first", first.offset().to_string()),
            ("x-amz-meta-pluvio-last", last.offset().to_string()),
            ("x-amz-meta-pluvio-log", self.standing.log_id.to_string()),
            (PUT, put.to_string()),
        ];
        self.store.put(key, Object { body, content_type, metadata }).await
    }

    async fn put_cursor(&self, next: Offset, putting: Option<Putting>) -> Result<Put, Error> {
        let Standing { sink, stream, log_id, seek, .. } = &self.standing;
        let (log_id, next, seek) = (*log_id, next.get(), *seek);
        let key = self.sink.cursor_key(&format!("{sink}-{stream}"));
        let (stream, last) = (stream.to_string(), self.last);
        let cursor = Cursor { log_id, stream, next, seek, putting, last };
        let body = serde_json::to_vec(&cursor).unwrap_or_default().into();
        let content_type = "application/json";
        self.store.put(&key, Object { body, content_type, metadata: Vec::new() }).await
    }
}

/// How many records of a batch go into one object: those of one day, and no others than were in one
/// that may still arrive under the same name.
fn of_one_object(batch: &[Delivered], unanswered: Option<Unanswered>) -> usize {
    let Some(first) = batch.first() else { return 0 };
    let day = day(first.recorded());
    let span = unanswered.map(|it| it.span).filter(|span| span.first == first.offset().get());
    batch.partition_point(|record| {
        let is_of_it = span.is_none_or(|span| record.offset().get() <= span.last);
        day == self::day(record.recorded()) && is_of_it
    })
}

fn day(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

fn gzip(lines: &[u8]) -> Bytes {
    let mut packer = GzEncoder::new(Vec::with_capacity(lines.len() / 6), Level::default());
    // Writing to memory does not fail.
    let _written = packer.write_all(lines);
    packer.finish().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pluvio_log::StoredRecord;
    use proptest::prelude::*;

    use super::*;

    fn at(offset: i64) -> Offset {
        Offset::new(offset).unwrap_or_default()
    }

    fn record(offset: i64, hours: i64) -> Delivered {
        Delivered::new(StoredRecord {
            offset: at(offset),
            recorded: Timestamp::from_second(hours * 3600).unwrap_or_default(),
            key: None,
            value: Bytes::new(),
        })
    }

    #[test]
    fn an_object_holds_the_records_of_one_day() {
        let batch = [record(1, 22), record(4, 23), record(5, 24), record(6, 49)];
        assert_eq!(of_one_object(&batch, None), 2);
        assert_eq!(of_one_object(&batch[2..], None), 1);
    }

    #[test]
    fn an_object_that_may_still_arrive_is_written_again_as_it_was() {
        let batch = [record(1, 1), record(4, 1), record(5, 1)];
        let unanswered = |first, last| {
            Some(Unanswered { span: Span { first, last }, put: Uuid::nil(), is_noted: true })
        };
        assert_eq!(of_one_object(&batch, unanswered(1, 4)), 2);
        assert_eq!(of_one_object(&batch, unanswered(0, 4)), 3, "that is another object");
        assert_eq!(of_one_object(&batch, unanswered(1, 9)), 3);
    }

    /// A bucket as this sink leaves it: objects by their names, and the cursor.
    #[derive(Default)]
    struct Bucket {
        objects: BTreeMap<(i64, i64), Vec<i64>>,
        next: i64,
        putting: Option<Span>,
    }

    /// One life: batches of any size from the cursor on, and an end at any of its steps.
    #[derive(Clone, Debug)]
    struct Life {
        batches: Vec<usize>,
        /// How many puts happen: three a batch.
        puts: usize,
        /// The put of an object that it ends in happens as so many more have been sent; `None`: never.
        late: Option<usize>,
        /// How far Pluvio's own cursor, put now and then, is behind.
        behind: i64,
    }

    /// What happens between Pluvio and the bucket.
    #[derive(Default)]
    struct World {
        bucket: Bucket,
        /// Pluvio's own cursor.
        own: i64,
        /// Objects on their way, and after how many more puts they arrive.
        late: Vec<(usize, Vec<i64>)>,
    }

    impl World {
        fn arrives(&mut self, offsets: Vec<i64>) {
            if let [first, .., last] | [first @ last] = offsets[..] {
                self.bucket.objects.insert((first, last), offsets);
            }
        }

        /// One put more has been sent.
        fn tick(&mut self) {
            let (now, later) = self.late.drain(..).partition(|(wait, _)| *wait == 0);
            self.late = later;
            self.late.iter_mut().for_each(|(wait, _)| *wait -= 1);
            let now: Vec<(usize, Vec<i64>)> = now;
            now.into_iter().for_each(|(_, offsets)| self.arrives(offsets));
        }

        fn live(&mut self, life: &Life, stream: &[Delivered]) {
            let mut next = self.bucket.next.max(self.own);
            let mut putting = self.bucket.putting;
            let mut puts = life.puts;
            for size in &life.batches {
                let rest = stream.get(usize::try_from(next).unwrap_or_default()..);
                let rest = rest.unwrap_or_default();
                // What was in a batch is stored, so that the same batch is never smaller again.
                let begun = putting.filter(|span| span.first == next);
                let least = begun.map_or(1, |span| span.last - span.first + 1);
                let size = (*size).max(usize::try_from(least).unwrap_or_default());
                let batch = rest.get(..size.min(rest.len())).unwrap_or_default();
                let unanswered =
                    putting.map(|span| Unanswered { span, put: Uuid::nil(), is_noted: true });
                let object = batch.get(..of_one_object(batch, unanswered)).unwrap_or_default();
                let offsets: Vec<_> = object.iter().map(|record| record.offset().get()).collect();
                let (Some(first), Some(last)) = (offsets.first().copied(), offsets.last().copied())
                else {
                    return;
                };
                for step in 0..3 {
                    self.tick();
                    if puts == 0 {
                        if let (1, Some(wait)) = (step, life.late) {
                            self.late.push((wait, offsets));
                        }
                        return;
                    }
                    puts -= 1;
                    match step {
                        0 => {
                            putting = Some(Span { first, last });
                            (self.bucket.next, self.bucket.putting) = (first, putting);
                        }
                        1 => self.arrives(offsets.clone()),
                        _ => (self.bucket.next, self.bucket.putting) = (last + 1, None),
                    }
                }
                next = last + 1;
                self.own = (next - life.behind).max(self.own);
            }
        }
    }

    fn lives() -> impl Strategy<Value = Vec<Life>> {
        let batches = proptest::collection::vec(1..9_usize, 1..6);
        let late = proptest::option::of(0..12_usize);
        let life = (batches, 0..16_usize, late, 0..20_i64);
        let life =
            life.prop_map(|(batches, puts, late, behind)| Life { batches, puts, late, behind });
        proptest::collection::vec(life, 1..8)
    }

    proptest! {
        #[test]
        fn whatever_ends_it_and_however_late_a_put_happens_each_event_is_in_one_object(
            lives in lives(),
        ) {
            let stream: Vec<_> = (0..40).map(|number| record(number, number)).collect();
            let mut world = World::default();
            let last = Life { batches: vec![7; 40], puts: 120, late: None, behind: 0 };
            for life in lives.iter().chain([&last]) {
                world.live(life, &stream);
            }
            while !world.late.is_empty() {
                world.tick();
            }
            let all: Vec<_> = world.bucket.objects.into_values().flatten().collect();
            prop_assert_eq!(all, (0..40).collect::<Vec<_>>());
        }
    }
}
