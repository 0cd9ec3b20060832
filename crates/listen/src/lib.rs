//! Protocols on the log: whoever speaks one of them reads Pluvio without knowing it.
//!
//! A listener turns a connection into a [`Principal`](pluvio_runtime::Principal) and a request into
//! reads of the log. It keeps no copy of an event beyond a small cache of rendered pages, and no
//! queue for a reader: who reads slowly costs its own offset and nothing else. [`component`] is how the binary
//! makes one.
//!
//! It refuses to know any cloud, to write to the log behind the runtime's back, or to retry.

pub mod component;
mod connections;
mod context;
mod exposure;
mod groups;
mod holder;
pub mod http;
pub mod kafka;
mod pending;
mod portion;
mod room;
mod shared;
mod socket;
mod tls;

pub use context::{Context, MetricsText};
pub use shared::Shared;
