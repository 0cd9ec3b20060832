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
mod lines;
mod note;
mod sink;
mod spool;
mod tail;

use std::sync::Arc;

use crate::component::{Files, SinkConfig, Target};

pub use config::{Compression, Config, ConfigError};
pub use error::Error;
pub use sink::File;

pub use crate::outbound::object_name::Names;

impl SinkConfig for Config {
    const TYPE: &'static str = "file";
    const SUMMARY: &'static str = "a file of JSON lines, finished by size and age";
    const EXAMPLE: &'static str = r#"
[sinks.archive]
type = "file"
path = "/var/lib/pluvio/archive/events.ndjson"
compression = "zstd"
"#;
    type Sink = File;
    type Error = ConfigError;

    fn build(self) -> Result<File, ConfigError> {
        Ok(File(Arc::new(self.resolve()?)))
    }

    fn target(file: &File) -> Target {
        Target {
            exclusive: Some(format!("`{}`", file.identity())),
            files: Some(Files::Local(file.clone())),
            ..Target::default()
        }
    }
}
