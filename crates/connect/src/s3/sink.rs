//! Connecting to a bucket: where the sink goes on.
//!
//! It refuses to put anything, which is the [writer](super::writer)'s.

use pluvio_runtime::{Age, Connected, Sink, Standing, TargetCursor};

use super::{
    bucket::S3,
    config::Settings,
    cursor::{Cursor, Putting},
    error::Error,
    keys,
    store::{Found, Store},
    writer::S3Writer,
};

impl S3 {
    async fn cursor(&self, store: &Store, key: &str) -> Result<Option<Cursor>, Error> {
        let Some(bytes) = store.get(key).await? else { return Ok(None) };
        let cursor = serde_json::from_slice(&bytes).map_err(|source| Error::Cursor {
            key: key.to_owned(),
            bucket: self.settings.bucket.clone(),
            source,
        })?;
        Ok(Some(cursor))
    }
}

impl Sink for S3 {
    type Writer = S3Writer;
    type Error = Error;

    async fn connect(&mut self, standing: Standing) -> Result<Connected<S3Writer>, Error> {
        let store = Store::new(&self.settings)?;
        let (sink, stream) = (standing.sink.as_str(), standing.stream.as_str());
        let key = keys::cursor(&self.settings, sink, stream, standing.log_id);
        let noted = self.cursor(&store, &key).await?;
        let age = |it: &Cursor| standing.moves.age(it.seek);
        let noted = noted.filter(|it| it.log_id == standing.log_id && age(it) != Age::Outdated);
        let is_older = noted.as_ref().is_some_and(|it| age(it) == Age::BeforeRepeat);
        let (next, last) = noted.as_ref().map_or((None, None), |it| (Some(it.next), it.last));
        // Of the log before it was set back; the log that goes on from there has other events for it.
        let putting =
            noted.and_then(|noted| noted.putting).filter(|putting| putting.last < standing.end);
        let has_arrived = match &putting {
            // Only the answer was lost: it holds its events, however objects are made by now.
            Some(Putting { key, sha256, .. }) => store.look(key).await?.is(sha256),
            None => false,
        };
        let (next, last) = match &putting {
            Some(putting) if has_arrived => (Some(putting.last.following()), putting.taken()),
            _ => (next, last),
        };
        {
            let mut unanswered = self.putting();
            let putting = putting.filter(|_| !is_older);
            *unanswered = unanswered.take().or(putting).filter(|_| !has_arrived);
        }
        // A filter may have passed more than was put.
        let next = next.map(|next| next.max(standing.cursor));
        let cursor = next.map(|next| TargetCursor { next, last, is_older });
        let (from, last) = match cursor.filter(|_| !is_older) {
            Some(cursor) => (cursor.next, last),
            None => (standing.cursor, None),
        };
        Ok(Connected { writer: S3Writer::new(self.clone(), store, standing, from, last), cursor })
    }

    async fn probe(&mut self) -> Result<String, Error> {
        let store = Store::new(&self.settings)?;
        // Nothing is called so: what is asked is whether the keys may ask.
        store.get(&keys::probe(&self.settings)).await?;
        let Settings { bucket, prefix, .. } = &*self.settings;
        let below = if prefix.is_empty() { String::new() } else { format!(" below `{prefix}`") };
        let blind = match store.look(&format!("{prefix}probe")).await? {
            Found::Untold(_) => {
                ", but not look at objects, so that one whose put is not answered is put twice (s3:GetObject)"
            }
            Found::Nothing | Found::Object(_) => "",
        };
        let host = store.host();
        Ok(format!("{host} lets us read bucket `{bucket}`{below}{blind}; writing was not tried"))
    }
}
