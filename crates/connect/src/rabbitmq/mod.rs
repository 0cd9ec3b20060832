//! RabbitMQ by its own protocol, AMQP 0-9-1: each event is published to an exchange, and the broker
//! confirms each.
//!
//! ```text
//!   batch ─▶ channel in confirm mode ─▶ exchange ─▶ queues
//!              ◀── ack · nack · returned, one for each
//! ```
//!
//! The messages of a batch are all on their way before the first is confirmed. A **confirm** means
//! that every queue has it, on disk where message and queue are durable. A **nack** is a queue that is
//! full or a broker in trouble: that event comes again, and those that were confirmed do not. A message
//! that is **returned** has no queue to go to; a missing binding would hit every event, so that is told
//! and waited for, and never a dead letter. Whoever wants events without a queue dropped says
//! `mandatory = false`. A broker that **blocks** publishers is waited for, in its own words. One that
//! ends the channel over a message's size makes one dead letter: the largest on its way is too large,
//! if any is.
//!
//! CloudStack's own events on RabbitMQ have routing keys of five words, and `routing_key =
//! "cloudstack"` makes the same, for consumers with such bindings. There is no CloudEvents binding for
//! this protocol but Knative's, which the SDKs follow: headers with `ce-`.
//!
//! **A client of our own**: lapin takes neither a connection that is open nor our TLS without a second
//! set of crates for it, and logs each message that comes back; amqprs dials by itself. A publisher
//! needs a dozen methods of the protocol.
//!
//! It refuses to declare anything: who makes exchanges and queues, and with which arguments, is not
//! its business.

mod client;
mod config;
mod error;
mod field;
mod frame;
mod key;
mod method;
mod read;
mod said;
mod sink;
mod underway;

use std::sync::Arc;

use pluvio_secret::SecretSource;

use crate::component::SinkConfig;

pub use config::{Config, ConfigError};
pub use error::Error;
pub use said::{Malformed, Refusal};
pub use sink::Rabbitmq;

impl SinkConfig for Config {
    const TYPE: &'static str = "rabbitmq";
    const SUMMARY: &'static str =
        "an exchange of RabbitMQ, with routing keys; also CloudStack's own";
    const EXAMPLE: &'static str = r#"
[sinks.bus]
type = "rabbitmq"
url = "amqps://rabbit.example.org"
username = "pluvio"
password = { file = "/run/secrets/rabbitmq-password" }
exchange = "cloudstack-events"
routing_key = "cloudstack"
"#;
    type Sink = Rabbitmq;
    type Error = ConfigError;

    fn secrets(&self) -> Vec<(&'static str, &SecretSource)> {
        vec![("username", &self.username), ("password", &self.password)]
    }

    fn only(&self) -> Option<&'static str> {
        self.format.only()
    }

    fn build(self) -> Result<Rabbitmq, ConfigError> {
        Ok(Rabbitmq(Arc::new(self.resolve()?)))
    }
}
