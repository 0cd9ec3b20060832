//! Secrets: a type that cannot be printed, the places it is read from, and the search for it in texts that
//! leave the process.
//!
//! Invariant 7 of the design says that secrets never reach a log line, an error, an event, a metric or an
//! answer. Our own words keep it by type: a [`Secret`] has no `Display`. But brokers, databases, gateways and
//! debug services repeat what they were sent, in their own words, and errors quote these. So a secret that was
//! read is known to the whole process from then on, and a text is searched for all of them where it leaves:
//! [`hidden`]. That is in one place each: an error that is told with its causes, the reason of a dead letter,
//! a line of the log, what a command says on standard error. Answers are read as they came, for a password
//! may be a word that a protocol needs.
//!
//! It refuses to search events: what a cloud recorded is the cloud's, and its secrets are told by the names of
//! their fields (`redact`).
//!
//! Read [`SecretSource`] first, which configurations hold.

mod known;
mod search;
mod source;
mod value;

pub use crate::known::{
    beginning, hidden, note, note_address, note_likely, note_of, note_passing, places,
};
pub use crate::search::{blanked, united};
pub use crate::source::{SecretError, SecretSource};
pub use crate::value::Secret;
