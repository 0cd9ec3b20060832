//! Events to Fluentd, Fluent Bit or whoever else speaks the forward protocol, version 1.
//!
//! ```text
//!   connect ─▶ HELO ─▶ PING ─▶ PONG            only with a shared key
//!   batch ─▶ runs of one tag ─▶ [tag, entries, {chunk}] ─▶ … ─▶ {ack: chunk} ─▶ acknowledged
//! ```
//!
//! **An acknowledgement** is asked for with each chunk and waited for; a server that never sends one is
//! told as such, and nothing is taken for arrived. It means as much as the server makes it mean: for
//! Fluentd, that the events are in its buffer, on disk if that is one.
//!
//! **Order.** Neighbors of one tag share a chunk; chunks go over one connection in the order of the
//! stream, a few ahead of their acknowledgements.
//!
//! **A record** is what consumers of fluent-plugin-cloudstack know: the cloud's own row, with the
//! event's time as the entry's, to the nanosecond, under its tags `cloudstack.event` and
//! `cloudstack.usages`. With `format = "cloudevents"` it is the whole event with its `sequence`.
//! Numbers beyond 64 bits become floating point, which is all that MessagePack has.
//!
//! It refuses UDP heartbeats, lists of servers to choose from (a load balancer does, or Fluent Bit
//! nearby), and to send without acknowledgements.

mod config;
mod connection;
mod entries;
mod error;
mod greeting;
mod msgpack;
mod sink;

use std::sync::Arc;

use pluvio_secret::SecretSource;

use crate::component::SinkConfig;

pub use config::{Compression, Config, ConfigError, Form};
pub use error::Error;
pub use sink::Fluentd;

impl SinkConfig for Config {
    const TYPE: &'static str = "fluentd";
    const SUMMARY: &'static str =
        "records to Fluentd, Fluent Bit or another server of the forward protocol";
    const EXAMPLE: &'static str = r#"
[sinks.aggregator]
type = "fluentd"
host = "fluentd.example.org"
shared_key = { file = "/run/secrets/fluentd-key" }
tls = {}
"#;
    type Sink = Fluentd;
    type Error = ConfigError;

    fn secrets(&self) -> Vec<(&'static str, &SecretSource)> {
        let secrets = [
            ("shared_key", &self.shared_key),
            ("username", &self.username),
            ("password", &self.password),
        ];
        secrets.into_iter().filter_map(|(key, secret)| Some((key, secret.as_ref()?))).collect()
    }

    fn build(self) -> Result<Fluentd, ConfigError> {
        Ok(Fluentd(Arc::new(self.resolve()?)))
    }
}
