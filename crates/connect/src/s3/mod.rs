//! Objects of JSON lines in a bucket of S3, or of whoever speaks its protocol.
//!
//! ```text
//!   stream   … 44 45 46 │ 47 48 … 91 │ 92 …
//!                        └────┬─────┘
//!                         a batch, of one day
//!   1. PUT  events/2026-11-20/00000000000000000047-<log>.ndjson     whole, in one request
//!   2. PUT  .pluvio/<sink>-<stream>.json    {"log_id", "next": 92}     the bucket's own cursor
//!   3. acknowledged
//! ```
//!
//! **Each event once.** A sink that connects reads the cursor in the bucket and goes on there, so what
//! was put and acknowledged never comes again. Cut between 1 and 2, the batch comes again from its
//! first offset: the object has the same name and is written anew, perhaps with more or fewer lines,
//! and what is not in it is in the next one. An object is therefore begun only where the cursor has
//! been. A put whose answer was lost may still happen later: it is repeated with the same lines as
//! long as this process lives, so that it does no harm.
//!
//! **Moved back by an operator**, the sink puts everything from there on again: an object with the same
//! first event is replaced, others may overlap, and nothing is missing once the sink is where it stood.
//! The cursor in the bucket carries the number of the move; one with a lower number does not count.
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
pub use sink::S3;

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
