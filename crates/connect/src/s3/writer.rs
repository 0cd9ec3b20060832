//! Puts batches as objects, and the cursor before and behind them.

use bytes::Bytes;
use pluvio_log::Offset;
use pluvio_runtime::{Answers, Chain, Delivered, LineLimit, Outcome, Standing, Taken, Writer};
use tracing::{info, warn};

use super::{
    bucket::S3,
    config::Compression,
    cursor::{Cursor, Putting},
    error::Error,
    keys::{self, NUMBER_MAX},
    lines::{Lines, of_one_object},
    store::{Found, Object, Put, SHA256, Store},
};

/// A bucket that may be written to.
pub struct S3Writer {
    sink: S3,
    store: Store,
    standing: Standing,
    /// Everything before it is in objects. The first event of the next may be further on: what retention took in
    /// between is told by a gap event, which must tell the same if it is sent again.
    from: Offset,
    /// The last event of the last object.
    last: Option<Taken>,
    /// Whether the server leaves alone what is there already; `None`: it was not asked yet.
    heeds_conditions: Option<bool>,
    /// Of names that other objects have.
    taken_names: LineLimit,
}

impl Writer for S3Writer {
    type Error = Error;

    async fn write(&mut self, batch: &[Delivered], _: &Answers) -> Outcome<Error> {
        let putting = self.sink.putting().clone();
        let records = batch.get(..of_one_object(batch, putting.as_ref())).unwrap_or(batch);
        let [first, ..] = records else { return Outcome::Rejected(Vec::new()) };
        let last = records.last().unwrap_or(first);
        let lines = match Lines::new(records, self.sink.settings.compression) {
            Ok(lines) => lines,
            Err(reason) => return Outcome::BatchRejected(reason),
        };
        match self.put(first, last, lines, putting).await {
            Ok(()) => {
                *self.sink.putting() = None;
                Outcome::AckedTo(last.offset())
            }
            Err(error @ Error::Throttled { wait, .. }) => {
                Outcome::Throttled { wait, why: error.to_string() }
            }
            Err(error) => Outcome::NotConnected(error),
        }
    }

    async fn close(self) {}
}

impl S3Writer {
    /// `from`: everything before it is in the bucket; `last`: the last event there.
    pub(super) fn new(
        sink: S3,
        store: Store,
        standing: Standing,
        from: Offset,
        last: Option<Taken>,
    ) -> Self {
        let taken_names = LineLimit::default();
        Self { sink, store, standing, from, last, heeds_conditions: None, taken_names }
    }

    /// Notes in the bucket what comes, puts it, and notes that it is there. Where it is cut, it is
    /// repeated with the same events, and under the same name.
    async fn put(
        &mut self,
        first: &Delivered,
        last: &Delivered,
        lines: Lines,
        unanswered: Option<Putting>,
    ) -> Result<(), Error> {
        let (settings, standing) = (self.sink.settings.clone(), self.standing.clone());
        let object = self.object(first, last, &lines);
        let taken = Taken { offset: last.offset(), recorded: last.recorded() };
        let name = |number| keys::object(&settings, &standing, first, taken.offset, number);
        let begun = unanswered.filter(|it| it.sha256 == lines.sha256);
        let begun = begun.and_then(|it| (1..=NUMBER_MAX).find(|number| name(*number) == it.key));
        for number in begun.unwrap_or(1)..=NUMBER_MAX {
            let key = name(number);
            let putting = Putting {
                first: first.offset(),
                last: taken.offset,
                recorded: Some(taken.recorded),
                key: key.clone(),
                sha256: lines.sha256.clone(),
            };
            self.note(putting).await?;
            if self.put_object(&key, object.clone(), &lines.sha256).await? {
                self.last = Some(taken);
                self.from = last.offset().following();
                let (key, cursor) = self.cursor(None);
                return self.store.put(&key, cursor).await;
            }
        }
        Err(Error::Taken { key: name(NUMBER_MAX), bucket: settings.bucket.clone() })
    }

    /// Notes what is put next, in the bucket and for the next connection.
    async fn note(&mut self, putting: Putting) -> Result<(), Error> {
        // Even this put may happen later, so that from here on no other object is begun.
        *self.sink.putting() = Some(putting.clone());
        let (key, cursor) = self.cursor(Some(putting));
        self.store.put(&key, cursor.clone()).await?;
        if self.heeds_conditions.is_none() {
            let heeds = self.store.heeds_conditions(&key, cursor).await?;
            if !heeds {
                info!(
                    sink = self.standing.sink.as_str(),
                    host = self.store.host(),
                    "the server does not know \
                     If-None-Match: it is asked for each object before that is put"
                );
            }
            self.heeds_conditions = Some(heeds);
        }
        Ok(())
    }

    /// Puts an object, unless it is there already. `false`: another one is.
    async fn put_object(&mut self, key: &str, object: Object, sha256: &str) -> Result<bool, Error> {
        let found = if self.heeds_conditions == Some(true) {
            match self.store.put_new(key, object).await? {
                Put::Done => return Ok(true),
                Put::Exists => self.store.look(key).await?,
            }
        } else {
            match self.store.look(key).await? {
                Found::Nothing => return self.store.put(key, object).await.map(|()| true),
                // It could be there, and would be gone.
                Found::Untold(source) => {
                    let (key, bucket) = (key.to_owned(), self.sink.settings.bucket.clone());
                    return Err(Error::Unseen { key, bucket, source: Box::new(source) });
                }
                found => found,
            }
        };
        let is_ours = found.is(sha256);
        if !is_ours {
            self.tell_taken(key, &found);
        }
        Ok(is_ours)
    }

    fn tell_taken(&mut self, key: &str, found: &Found) {
        let Some(objects) = self.taken_names.count() else { return };
        let sink = self.standing.sink.as_str();
        match found {
            Found::Untold(error) => {
                warn!(sink, key, objects, error = %Chain(error), "an object has the name of ours and cannot be looked at, so ours gets a \
                     number: events may be in two objects; allow the key s3:GetObject on the objects");
            }
            Found::Nothing | Found::Object(_) => {
                warn!(
                    sink,
                    key,
                    objects,
                    "an object with other events has the name of ours, which gets a number: the log was set back \
                     by an older copy, or the sink was moved, or has another filter, or \
                     retention took events that ours would have held"
                );
            }
        }
    }

    fn object(&self, first: &Delivered, last: &Delivered, lines: &Lines) -> Object {
        let content_type = match self.sink.settings.compression {
            Compression::None => "application/x-ndjson",
            Compression::Gzip => "application/gzip",
        };
        let metadata = vec![
            ("x-amz-meta-pluvio-first", first.offset().to_string()),
            ("x-amz-meta-pluvio-last", last.offset().to_string()),
            ("x-amz-meta-pluvio-log", self.standing.log_id.to_string()),
            (SHA256, lines.sha256.clone()),
        ];
        Object { body: lines.body.clone(), content_type, metadata }
    }

    /// The cursor and its name.
    fn cursor(&self, putting: Option<Putting>) -> (String, Object) {
        let next = self.from;
        let Standing { sink, stream, log_id, moves, .. } = &self.standing;
        let key = keys::cursor(&self.sink.settings, sink.as_str(), stream.as_str(), *log_id);
        // What lies behind is of the log before it was set back.
        let last = self.last.filter(|last| last.offset < next);
        let (log_id, stream, seek) = (*log_id, stream.to_string(), moves.last);
        let cursor = Cursor { log_id, stream, next, seek, putting, last };
        let body: Bytes = serde_json::to_vec(&cursor).unwrap_or_default().into();
        (key, Object { body, content_type: "application/json", metadata: Vec::new() })
    }
}
