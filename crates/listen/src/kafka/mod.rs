//! The log over Kafka's protocol: any consumer reads it, and commits how far it came.
//!
//! ```text
//!          accept ─▶ connection ─▶ wire (frame, head, shape) ─▶ request ─▶ metadata | offsets | …
//!                        │                                        │
//!                        └── answers in the order of requests     ├─▶ fetch ── whole batches as stored
//!                                                                 └─▶ group ── members, offsets
//! ```
//!
//! A stream is a topic with one partition; its `log_id` is the topic's id. A segment holds Kafka's
//! own record batches, so fetching is passing bytes on: on plain TCP they are not copied between the
//! log and the socket. The value of a record is the event's stored JSON; its offset is the record's.
//!
//! **Who sees what.** A topic that a principal may not read does not exist. One that it may read
//! through a mandatory filter is refused (`TOPIC_AUTHORIZATION_FAILED`), because batches are sent
//! whole. Groups are kept apart by who uses them: see `group`.
//!
//! **What is not there.** Producing is refused in words, not by silence. There are no transactions,
//! no fetch sessions, no server-side assignment (KIP-848), no followers. What is not there is not
//! advertised, and every client falls back to what is.
//!
//! An unknown API or version is answered where the protocol has an answer (`ApiVersions`); elsewhere
//! the connection is closed, which is what the protocol does, and the reason is logged and counted.
//!
//! It refuses to create a topic because somebody asked for it, to look into a batch, and to hold a
//! queue for a reader.

mod body;
mod caller;
mod config;
mod connection;
mod describe;
mod error;
mod fetch;
mod group;
mod hangup;
mod limits;
mod listener;
mod metadata;
mod meter;
mod offsets;
mod refuse;
mod request;
mod sasl;
mod server;
mod topics;
mod turn;
mod versions;
mod wire;

use std::net::SocketAddr;

use crate::{Context, component::ListenerConfig};

pub use config::{Advertised, Config, Error, Unbound};
pub use limits::Limits;
pub use listener::{KafkaListener, ServeError};

impl ListenerConfig for Config {
    const TYPE: &'static str = "kafka";
    const SUMMARY: &'static str = "Kafka's protocol: any consumer reads, and commits its offsets";
    type Unbound = Unbound;
    type Listener = KafkaListener;
    type Error = Error;

    fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "kafka+tls" } else { "kafka" }
    }

    fn listen(&self) -> SocketAddr {
        self.listen
    }

    fn connections_max(&self) -> usize {
        self.connections_max()
    }

    fn resolve(self, is_closed: bool) -> Result<Unbound, Error> {
        Unbound::new(&self, is_closed)
    }

    fn bind(unbound: Unbound, context: Context) -> Result<KafkaListener, Error> {
        KafkaListener::bind(unbound, context)
    }

    fn local_addr(listener: &KafkaListener) -> SocketAddr {
        listener.local_addr()
    }

    fn key(error: &Error) -> &'static str {
        error.key()
    }
}
