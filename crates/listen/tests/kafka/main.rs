//! The Kafka listener from outside: a real socket on loopback, a memory log behind it.
//!
//! The client is made of the codec's client side, so that both ends of the wire are not our own
//! reading of it. Tests wait for conditions, under one deadline.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod access;
mod bounds;
mod client;
#[path = "../shared/counting.rs"]
mod counting;
mod drain;
mod fetch;
mod groups;
mod hostile;
mod house;
mod topics;
mod versions;
