//! Apache Kafka: an idempotent producer that does not retry by itself, and transactions.
//!
//! ```text
//!  batch ─▶ encode ─▶ lanes ──────────▶ round: one piece a partition ─▶ leaders, side by side
//!           topic,    memory: what        │
//!           key,      was sent without    ├─ arrived ─▶ answered for; next sequence
//!           piece     an answer           └─ unknown ─▶ the same bytes again, while connecting
//! ```
//!
//! **Why an own producer.** Every client library brings retry loops, buffers and threads of its own;
//! here the supervisor retries, the log is the buffer, and a batch is there already. What is left is
//! small: record batches are the log's own format.
//!
//! **Once, though cut.** A piece is a record batch for one partition, with a producer's id and a
//! sequence, and it is kept, bytes and all, until its fate is known. While the next connection is made
//! exactly these bytes go out, before the supervisor reads anything, so the broker can tell that it has
//! them, and no gap event tells of them though retention took them meanwhile. What has arrived is
//! answered for, piece by piece, and the supervisor's to remember. The memory is lost with the process:
//! then what was not yet acknowledged may be there twice. A topic that cannot bear that has
//! `transactional = true`: events and cursor are one transaction, and the topic holds each event once for
//! readers with `isolation.level=read_committed`.
//!
//! **Order.** Kept in a partition; the key is the event's subject, so everything about one machine is
//! in order. Events without a subject go to one partition by the thousand.
//!
//! It refuses to create topics, `acks` below all, to write a batch's later part before its earlier
//! one, and brokers before 2.1.

mod cluster;
mod code;
mod config;
mod credentials;
mod encode;
mod error;
mod lane;
mod partition;
mod produce;
mod producer;
mod scram;
mod sink;
mod transaction;
mod wire;

use pluvio_secret::SecretSource;

use crate::component::{SinkConfig, Target};

pub use config::{Compression, Config, ConfigError};
pub use credentials::Mechanism;
pub use error::Error;
pub use scram::ScramError;
pub use sink::{Kafka, Producer};

impl SinkConfig for Config {
    const TYPE: &'static str = "kafka";
    const SUMMARY: &'static str = "topics of an Apache Kafka cluster";
    const EXAMPLE: &'static str = r#"
[sinks.billing]
type = "kafka"
brokers = ["kafka-1.example.org:9093", "kafka-2.example.org:9093"]
topic = "cs"
username = "pluvio"
password = { file = "/run/secrets/kafka-password" }
mechanism = "SCRAM-SHA-512"
tls = { ca_file = "/etc/ssl/kafka-ca.pem" }
"#;
    type Sink = Kafka;
    type Error = ConfigError;

    fn secrets(&self) -> Vec<(&'static str, &SecretSource)> {
        let named = [("username", &self.username), ("password", &self.password)];
        named.into_iter().filter_map(|(key, secret)| Some((key, secret.as_ref()?))).collect()
    }

    fn only(&self) -> Option<&'static str> {
        self.format.only()
    }

    fn build(self) -> Result<Kafka, ConfigError> {
        Ok(Kafka::new(self.resolve()?))
    }

    fn target(sink: &Kafka) -> Target {
        let exclusive = sink.identity().map(|id| format!("the transactional id `{id}`"));
        Target { exclusive, ..Target::default() }
    }
}
