//! What every log promises, run on every log there is.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[macro_use]
mod conformance;
mod embedded;
mod memory;
