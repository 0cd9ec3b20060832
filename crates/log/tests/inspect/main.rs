//! `pluvio log` without its words: info, verify, repair and dump over a log that was hurt in every
//! way that can be thought of.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod beside;
mod displaced;
mod ends;
mod flips;
mod forgotten;
mod gone;
mod hurt;
mod interrupted;
mod looking;
mod site;
