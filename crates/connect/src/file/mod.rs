//! Files of JSON lines: one that grows, and finished ones beside it.
//!
//! ```text
//!   events.ndjson                       grows; each line is an event with its offset as `sequence`
//!   .events.ndjson.pluvio               which log, and how far the finished files reach
//!   events-archive-00000000000000000000.ndjson.gz   finished: complete, never changed again
//! ```
//!
//! **The file keeps the cursor.** The last whole line says where to go on, so nothing is lost and
//! nothing doubled by kill -9 at any instant: a torn line is cut, what is behind it comes again. A
//! batch is acknowledged behind a sync.
//!
//! **Finishing a file** has an order that can be cut anywhere: first the note beside it says that all
//! of it is finished, then the finished file appears under its name, whole, then the growing one goes.
//! A growing file whose last line lies before the note is finished again.
//!
//! It refuses a link, beside which finished files would lie on the wrong disk; a file that it did not begin; a
//! name that is taken; and to be two: the growing file is locked.

mod config;
mod error;
mod finish;
mod note;
mod sink;
mod spool;
mod tail;

pub use config::{Compression, Config, ConfigError};
pub use error::Error;
pub use sink::File;

pub use crate::name::Names;

/// The `type` in a configuration.
pub const NAME: &str = "file";

/// A configuration to begin with.
pub const EXAMPLE: &str = r#"
[sinks.archive]
type = "file"
path = "/var/lib/pluvio/archive/events.ndjson"
compression = "zstd"
"#;
