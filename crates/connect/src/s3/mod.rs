//! Objects of JSON lines in a bucket of S3, or of whoever speaks its protocol.
//!
//! ```text
//!   stream   … 44 45 46 │ 47 48 … 91 │ 92 …
//!                        └────┬─────┘
//!                         a batch, of one day
//!   1. PUT  .pluvio/<sink>-<stream>-<log>.json  "next": 47, "putting": 47 to 91, what comes now
//!   2. PUT  events/2026-11-20/…47-…91-<log>.ndjson       whole, in one request, if there is none
//!   3. PUT  .pluvio/<sink>-<stream>-<log>.json  "next": 92, the bucket's own cursor
//!   4. acknowledged
//! ```
//!
//! **Nothing is overwritten.** A name tells the first and the last event of its object, and the log, but not what
//! was between them: a log that was put back from a copy gives the same offsets to other events, and another
//! filter takes others. So an object is put with `If-None-Match: *`. If there is one already, its metadata has the
//! digest of its lines. The same lines are our own put whose answer was lost, or what an operator's move brings
//! again: nothing is put. Otherwise the name gets a number, `-2` before the extension, and so on. What cannot be
//! looked at, for lack of a permission, counts as another: rather twice than not at all.
//!
//! A server may not know that header. So the cursor, which was just put, is put with it once a connection: where
//! that succeeds, or is refused for what it is, each object is looked for before it is put. Then only a put that
//! arrives late can still take the place of another object.
//!
//! **Each event once.** A sink that connects reads the cursor in the bucket and goes on there, so what
//! was put and acknowledged never comes again. A put that was sent and not answered may still happen at
//! any later time, after a restart of Pluvio, too. So what is put next stands in the cursor before it is
//! sent, and as long as it is not answered, whoever connects puts an object with the very same events under the
//! same name: only one of them arrives.
//!
//! What remains: a batch over an object without an answer that is another, because `batch_size` or `filter` were
//! changed with that very restart, or retention took more of it meanwhile; or a late put of the *cursor* with a crash in the moment
//! before the next one. Then events can be in two objects. None is missing.
//!
//! **Two Pluvios may share a bucket**, and a prefix: the id of the log is in the names of objects and, whole, in that
//! of the cursor. A log that was put back has its id, and so its cursor. What must not write beside each other is
//! two Pluvios with copies of *one* log.
//!
//! **Moved back by an operator**, the sink puts everything from there on again: an object with the same events
//! stays as it is, others overlap, and nothing is taken from what lies there. The cursor in the bucket carries
//! the number of the move; one with a lower number does not count.
//!
//! **An object is a batch**: `batch_size`, `batch_events` and `batch_age` say how large one grows, and
//! how long its first event waits in the log meanwhile; for this sink they are larger unless set. A
//! batch over midnight (UTC, by the time of recording) becomes two objects, so that a folder by `{date}`
//! holds exactly the events that were recorded on its day.
//!
//! Written by hand on `net`'s client, and not with `object_store`: `GET`, `HEAD` and `PUT` are all that is
//! needed, retrying is the supervisor's business, and TLS has one set of options everywhere.
//!
//! It refuses to list, to delete, to make a bucket, and multipart uploads: a batch has at most 16 MiB.

mod bucket;
mod config;
mod cursor;
mod error;
mod keys;
mod lines;
mod sign;
mod sink;
mod store;
mod writer;

use pluvio_secret::SecretSource;

use crate::component::{Batch, Files, SinkConfig, Target};

pub use bucket::S3;
pub use config::{Compression, Config, ConfigError};
pub use error::Error;
pub use keys::{Clash, Keys};

impl SinkConfig for Config {
    const TYPE: &'static str = "s3";
    const SUMMARY: &'static str = "objects of JSON lines in a bucket of S3, each event once";
    const EXAMPLE: &'static str = r#"
[sinks.archive]
type = "s3"
bucket = "cloud-events"
region = "eu-central-1"
access_key = { file = "/run/secrets/s3-access-key" }
secret_key = { file = "/run/secrets/s3-secret-key" }
compression = "gzip"
"#;
    /// An object in five minutes, or of 8 MiB.
    const BATCH: Batch = Batch { events: Some(100_000), age: Some("5m"), size: Some("8 MiB") };
    type Sink = S3;
    type Error = ConfigError;

    fn secrets(&self) -> Vec<(&'static str, &SecretSource)> {
        let mut secrets = vec![("access_key", &self.access_key), ("secret_key", &self.secret_key)];
        secrets.extend(self.session_token.iter().map(|token| ("session_token", token)));
        secrets
    }

    fn build(self) -> Result<S3, ConfigError> {
        Ok(S3::new(self.resolve()?))
    }

    fn target(bucket: &S3) -> Target {
        Target {
            exclusive: Some(format!("`{}`", bucket.identity())),
            files: Some(Files::Bucket(bucket.clone())),
            ..Target::default()
        }
    }
}
