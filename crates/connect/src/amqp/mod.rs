//! AMQP 1.0: each event is a message to one address, and the peer settles each.
//!
//! ```text
//!   batch ─▶ link with the peer's credit ─▶ address
//!              ◀── accepted · rejected · released · modified, one for each
//! ```
//!
//! The messages of a batch are all on their way before the first is settled, as far as the peer gives
//! credit; an event has arrived when its message is *accepted*, which for a durable message means
//! stored. What comes back **rejected** is that event's fault, unless the error names a right, an
//! address or a limit, which would hit every event, or says that the peer is busy: Azure's services
//! throttle by rejecting. What is **released** or **modified** comes again, and so does what had no
//! credit: a full queue gives none. `docs/sinks-refusals.md` lists the conditions. Frames are checked before
//! the client decodes them, because it trusts a peer with the stack and the processor.
//!
//! Messages are CloudEvents' AMQP binding. It refuses other SASL mechanisms than PLAIN and ANONYMOUS,
//! transactions, and an address for each event: a broker's own routing does that.

mod config;
mod error;
mod flight;
mod frame;
mod guard;
mod message;
mod said;
mod sink;

use std::sync::Arc;

use pluvio_secret::SecretSource;

use crate::{component::SinkConfig, endpoint::broker};

pub use config::{Config, ConfigError, Prefix};
pub use error::Error;
pub use frame::Refusal;
pub use sink::Amqp;

impl SinkConfig for Config {
    const TYPE: &'static str = "amqp";
    const SUMMARY: &'static str =
        "a queue or topic of AMQP 1.0: Artemis, RabbitMQ 4, Qpid, Azure Service Bus";
    const EXAMPLE: &'static str = r#"
[sinks.bus]
type = "amqp"
url = "amqps://broker.example.org"
address = "events"
username = "pluvio"
password = { file = "/run/secrets/amqp-password" }
"#;
    type Sink = Amqp;
    type Error = ConfigError;

    fn secrets(&self) -> Vec<(&'static str, &SecretSource)> {
        broker::secrets(&self.username, &self.password)
    }

    fn only(&self) -> Option<&'static str> {
        self.format.only()
    }

    fn build(self) -> Result<Amqp, ConfigError> {
        Ok(Amqp(Arc::new(self.resolve()?)))
    }
}
