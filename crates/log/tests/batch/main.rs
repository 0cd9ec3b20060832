//! Record batches: against somebody else's codec, against bytes written down by hand, and against
//! bytes that mean harm.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hostile;
mod known;
mod oracle;
mod plain;
mod sample;
