//! Objects of JSON lines in a bucket of S3, or of whoever speaks its protocol.
//!
//! ```text
//!   stream   … 44 45 46 │ 47 48 … 91 │ 92 …
//!                        └────┬─────┘
//!                         a batch, of one day
//!   1. PUT  .pluvio/<sink>-<stream>.json       "next": 47, "putting": 47 to 91, what comes now
//!   2. PUT  events/2026-11-20/…47-…91-<log>.ndjson       whole, in one request
//!   3. PUT  .pluvio/<sink>-<stream>.json       "next": 92, the bucket's own cursor
//!   4. acknowledged
//! ```
//!
//! **Each event once.** A sink that connects reads the cursor in the bucket and goes on there, so what
//! was put and acknowledged never comes again. A put that was sent and not answered may still happen at
//! any later time, after a restart of Pluvio, too. So what is put next stands in the cursor before it is
//! sent, and as long as it is not answered, whoever connects puts an object with the very same events: the
//! late one changes nothing. And a name tells the first and the last event of its object, so that an object
//! is never replaced by one that holds less, whatever arrives when.
//!
//! What remains: a batch over an object without an answer that is cut shorter, because `batch_size` or
//! `filter` were changed with that very restart, or a late put of the *cursor* with a crash in the moment
//! before the next one. Then events can be in two objects. None is missing.
//!
//! **Moved back by an operator**, the sink puts everything from there on again: an object with the same
//! first and last event is replaced, others overlap, and nothing is taken from what lies there. The cursor in
//! the bucket carries the number of the move; one with a lower number does not count.
//!
//! **An object is a batch**: `batch_size`, `batch_events` and `batch_age` say how large one grows, and
//! how long its first event waits in the log meanwhile; for this sink they are larger unless set. A
//! batch over midnight (UTC, by the time of recording) becomes two objects, so that a folder by `{date}`
//! holds exactly the events that were recorded on its day.
//!
//! Written by hand on `net`'s client, and not with `object_store`: three requests are all that is
//! needed, retrying is the supervisor's business, and TLS has one set of options everywhere.
//!
//! It refuses to list, to delete, to make a bucket, and multipart uploads: a batch has at most 16 MiB.

mod config;
mod error;
mod sign;
mod sink;
mod store;

pub use config::{Compression, Config, ConfigError};
pub use error::Error;
pub use sink::{Clash, Keys, S3};

/// The `type` in a configuration.
pub const NAME: &str = "s3";

/// A configuration to begin with.
pub const EXAMPLE: &str = r#"
[sinks.archive]
type = "s3"
bucket = "cloud-events"
region = "eu-central-1"
access_key = { file = "/run/secrets/s3-access-key" }
secret_key = { file = "/run/secrets/s3-secret-key" }
compression = "gzip"
"#;

/// How large an object grows unless the configuration says otherwise: one in five minutes, or of
/// 8 MiB.
pub const BATCH: [(&str, &str); 2] = [("batch_age", "5m"), ("batch_size", "8 MiB")];
/// The same for the number of its events.
pub const BATCH_EVENTS: i64 = 100_000;
