//! The log: what was captured, in one order, until retention takes it.
//!
//! ```text
//!                    stream "events"
//!
//!      start      earliest              latest   next
//!        │           │                     │       │
//!  ░░░░░░▼───────────▼─────────────────────▼───────▼┄┄┄┄┄┄┄┄┄
//!  purged│ · · · · · 44 45 46 · · 49 50 51 52      │  future
//!  ░░░░░░└───────────┴──────────┴──────────┴───────┴┄┄┄┄┄┄┄┄┄
//!   out of range  gap     gaps are normal            reads wait
//! ```
//!
//! A log holds named **streams**; a stream is one ordered sequence of records. An **offset** names a
//! record for ever: offsets grow, are never used twice, and *may leave gaps* (a vCenter's event
//! keys become offsets, and keys have gaps). Nobody assumes density or subtracts two of them.
//!
//! The boundary values, for a stream as drawn:
//!
//! | read from | answer |
//! |---|---|
//! | below `start` | [`ReadError::OutOfRange`] with the range: records were deleted there |
//! | `start` ..= `earliest` | begins with the record at `earliest`: a gap is not a loss |
//! | a gap in the middle | begins with the first record after the gap |
//! | `next` or beyond | waits until that offset is written, at most [`ReadLimit::wait`] |
//!
//! An empty stream has `start` = `next` and neither `earliest` nor `latest`.
//!
//! [`Log`] is the specification. `tests/log/conformance.rs` is the same as code, and any
//! implementation runs it in ten lines: [`Memory`], which is the model, and [`Embedded`], which
//! lasts.
//!
//! This crate names no cloud and no protocol, but for the form of its batches, and never retries: an
//! append says what happened.

pub mod batch;
pub mod disk;
mod embedded;
mod error;
mod handle;
mod health;
mod held;
mod memory;
mod meter;
mod name;
mod own_file;
mod pack;
mod read;
mod record;
mod retention;
mod spec;
mod table;

pub use embedded::{Embedded, EmbeddedConfig, Fsync, inspect};
pub use error::{AppendError, OpenError, ReadError, Shortage};
pub use handle::LogHandle;
pub use health::{ClockDoubt, Damage, Health, Recovery, StreamHealth, Trouble};
pub use memory::{Memory, MemoryConfig};
pub use meter::describe_metrics;
pub use name::{InvalidName, SourceName, StreamName};
pub use pack::Encoded;
pub use read::{Batch, Chunk, EventId, Extent, Fetched, Found, ReadLimit, Seek, StoredRecord};
pub use record::{NegativeOffset, Offset, Position, PositionTooLong, Positions, Record, Span};
pub use retention::{IDS_OUTLIVE, Retention};
pub use spec::{Clock, Log, Passed, system_clock, system_passed};
pub use table::{Entries, Entry, Table};
