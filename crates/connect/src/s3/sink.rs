//! Puts batches as objects, and the cursor behind them.

use std::{
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use flate2::{Compression as Level, write::GzEncoder};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use pluvio_log::Offset;
use pluvio_runtime::{
    Answers, Chain, Connected, Delivered, Format, Outcome, Sink, Standing, Writer,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    config::{Compression, Settings},
    error::Error,
    store::{Object, Put, Store},
};
use crate::name::Content;

/// A bucket as a sink.
#[derive(Clone, Debug)]
pub struct S3 {
    pub(super) settings: Arc<Settings>,
    pub(super) unanswered: Arc<Mutex<Option<Unanswered>>>,
}

/// An object whose put was not answered: it may still happen, so it is repeated as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unanswered {
    first: Offset,
    last: Offset,
}

/// A bucket that may be written to.
pub struct S3Writer {
    sink: S3,
    store: Store,
    standing: Standing,
}

/// What the bucket remembers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    log_id: Uuid,
    stream: String,
    /// Everything before it is in objects.
    next: i64,
}

impl S3 {
    /// What no other sink may write to.
    pub fn identity(&self) -> String {
        format!("{}{}", self.settings.url, self.settings.prefix)
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
}

impl Sink for S3 {
    type Writer = S3Writer;
    type Error = Error;

    async fn connect(&mut self, standing: Standing) -> Result<Connected<S3Writer>, Error> {
        let store = Store::new(&self.settings)?;
        let key = self.cursor_key(&format!("{}-{}", standing.sink, standing.stream));
        let noted = self.cursor(&store, &key).await?;
        let noted = noted.filter(|noted| noted.log_id == standing.log_id);
        // A filter may have passed more than was put.
        let cursor = noted.and_then(|noted| Offset::new(noted.next));
        let cursor = cursor.map(|next| next.max(standing.cursor));
        Ok(Connected { writer: S3Writer { sink: self.clone(), store, standing }, cursor })
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
        let unanswered = *self.unanswered();
        let [first, ..] = batch else { return Outcome::Rejected(Vec::new()) };
        let records = batch.get(..of_one_object(batch, unanswered)).unwrap_or(batch);
        let last = records.last().unwrap_or(first);
        let body = match self.body(records) {
            Ok(body) => body,
            Err(reason) => return Outcome::BatchRejected(reason),
        };
        *self.unanswered() = Some(Unanswered { first: first.offset(), last: last.offset() });
        let put = match self.put_object(first, last, body).await {
            Ok(Put::Done) => self.put_cursor(last.offset()).await,
            not_done => not_done,
        };
        match put {
            Ok(Put::Done) => {
                *self.unanswered() = None;
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
    fn unanswered(&self) -> std::sync::MutexGuard<'_, Option<Unanswered>> {
        self.sink.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
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

    async fn put_object(
        &self,
        first: &Delivered,
        last: &Delivered,
        body: Bytes,
    ) -> Result<Put, Error> {
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
        let (suffix, content_type) = match settings.compression {
            Compression::None => ("", "application/x-ndjson"),
            Compression::Gzip => (".gz", "application/gzip"),
        };
        let key = format!("{}{}{suffix}", settings.prefix, settings.name.name(&content));
        let metadata = vec![
            ("x-amz-meta-pluvio-first", content.first.to_string()),
            ("x-amz-meta-pluvio-last", content.last.to_string()),
            ("x-amz-meta-pluvio-log", content.log_id.to_string()),
        ];
        self.store.put(&key, Object { body, content_type, metadata }).await
    }

    async fn put_cursor(&self, last: Offset) -> Result<Put, Error> {
        let Standing { sink, stream, log_id, .. } = &self.standing;
        let next = last.following().get();
        let cursor = Cursor { log_id: *log_id, stream: stream.to_string(), next };
        let key = self.sink.cursor_key(&format!("{sink}-{stream}"));
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
    let end = unanswered.filter(|it| it.first == first.offset()).map(|it| it.last);
    batch.partition_point(|record| {
        day == self::day(record.recorded()) && end.is_none_or(|end| record.offset() <= end)
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
        let unanswered = |first, last| Some(Unanswered { first: at(first), last: at(last) });
        assert_eq!(of_one_object(&batch, unanswered(1, 4)), 2);
        assert_eq!(of_one_object(&batch, unanswered(0, 4)), 3, "that is another object");
        assert_eq!(of_one_object(&batch, unanswered(1, 9)), 3);
    }

    /// A bucket as this sink leaves it: objects by their first offset, and the cursor.
    #[derive(Default)]
    struct Bucket {
        objects: std::collections::BTreeMap<i64, Vec<i64>>,
        next: i64,
    }

    /// One life: batches of any size from the cursor on, and an end at any of its steps.
    #[derive(Clone, Debug)]
    struct Life {
        batches: Vec<usize>,
        /// How many puts happen: two a batch.
        puts: usize,
        /// How far Pluvio's own cursor, put now and then, is behind.
        behind: i64,
    }

    fn live(bucket: &mut Bucket, life: &Life, stream: &[Delivered], own: &mut i64) {
        let mut next = bucket.next.max(*own);
        let mut puts = life.puts;
        for size in &life.batches {
            let rest = stream.get(usize::try_from(next).unwrap_or_default()..).unwrap_or_default();
            let batch = rest.get(..*size.min(&rest.len())).unwrap_or_default();
            let object = batch.get(..of_one_object(batch, None)).unwrap_or_default();
            let offsets: Vec<_> = object.iter().map(|record| record.offset().get()).collect();
            let (Some(first), Some(last)) = (offsets.first().copied(), offsets.last().copied())
            else {
                return;
            };
            for step in 0..2 {
                if puts == 0 {
                    return;
                }
                puts -= 1;
                match step {
                    0 => drop(bucket.objects.insert(first, offsets.clone())),
                    _ => bucket.next = last + 1,
                }
            }
            next = last + 1;
            *own = (next - life.behind).max(*own);
        }
    }

    fn lives() -> impl Strategy<Value = Vec<Life>> {
        let batches = proptest::collection::vec(1..9_usize, 1..6);
        let life = (batches, 0..12_usize, 0..20_i64);
        let life = life.prop_map(|(batches, puts, behind)| Life { batches, puts, behind });
        proptest::collection::vec(life, 1..8)
    }

    proptest! {
        #[test]
        fn whatever_ends_it_and_however_batches_fall_each_event_is_in_one_object(lives in lives()) {
            let stream: Vec<_> = (0..40).map(|number| record(number, number)).collect();
            let (mut bucket, mut own) = (Bucket::default(), 0);
            let last = Life { batches: vec![7; 40], puts: 80, behind: 0 };
            for life in lives.iter().chain([&last]) {
                live(&mut bucket, life, &stream, &mut own);
            }
            let all: Vec<_> = bucket.objects.into_values().flatten().collect();
            prop_assert_eq!(all, (0..40).collect::<Vec<_>>());
        }
    }
}
