//! Kafka's protocol as a client speaks it: one connection, one question at a time, one answer.
//!
//! ```text
//!  dial ─▶ ApiVersions ─▶ SaslHandshake, SaslAuthenticate ─▶ ask ─▶ ask ─▶ …
//! ```
//!
//! It refuses to ask twice, to hold two questions on one connection, and answers that are not those
//! to what was asked: a connection whose answers cannot be told apart is given up.

mod api;
mod connection;
mod open;
mod sasl;

pub(super) use api::Ask;
pub(super) use connection::{Connection, Setup};
