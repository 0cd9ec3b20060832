//! The log on a disk that fails: power cut at any instant, errors, no room, rotten bytes.
//!
//! Everything is decided by a seed. A failure prints it; `PLUVIO_FAULTS_SEED=N` runs that one alone,
//! `PLUVIO_FAULTS_RUNS=N` and `PLUVIO_FAULTS_FLIPS=N` more of them (`cargo xtask faults` sets these).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod clock;
mod errors;
mod flips;
mod forgotten;
mod found;
mod groups;
mod ids;
mod met;
mod model;
mod power;
