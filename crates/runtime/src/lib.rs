//! What runs components: connect, back off, append in order, keep positions, tell status, drain.
//!
//! ```text
//!  Source ─connect─▶ Connection ──Pull──▶ supervise::source ──records──▶ Ingest ──▶ Log
//!     ▲                                       │   ▲                                  │
//!     └── again, later ◀──────────────────────┘   └ Failure: retry, wait, denied     ├──▶ Listener
//!                                                                                    │
//!  target ◀──write── Writer ◀──batch── supervise::sink ◀──────records────────────────┘
//! ```
//!
//! A component makes **one attempt** and says what happened, in a typed [`Failure`]. Whether, when
//! and how often to try again is decided here and nowhere else: the only retry loops of the
//! repository are in [`supervise`]. That is why components stay short, and why a new one gets
//! back-off, metrics, status and a clean end for nothing.
//!
//! It refuses to know any cloud or protocol.

mod access;
mod access_table;
mod failure;
mod guesses;
mod history;
mod ingest;
mod line_limit;
mod listener;
mod meter;
mod principal;
mod resume;
mod scram;
mod sink;
mod sought;
mod source;
pub mod status;
pub mod supervise;

pub use access::Access;
pub use access_table::{AccessTable, SameToken};
pub use failure::{Chain, Failure, Response};
pub use guesses::{Guesses, TooManyGuesses};
pub use history::History;
pub use ingest::{ATTRIBUTES_BYTES_MAX, Ingest, IngestError};
pub use line_limit::LineLimit;
pub use listener::Listener;
pub use meter::describe_metrics;
pub use principal::{Credential, Principal, Streams, Unauthenticated, Verb};
pub use resume::{Elsewhere, Resumable, Resume, Start};
pub use scram::{ScramExchange, ScramMechanism};
pub use sink::{
    Age, Answers, Connected, Delivered, Format, FormatError, Moves, News, Outcome, Rejected, Sink,
    SinkName, Standing, Taken, TargetCursor, Writer,
};
pub use source::{Connection, Pull, Source};
