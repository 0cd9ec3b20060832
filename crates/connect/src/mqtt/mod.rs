//! MQTT, 3.1.1 and 5: each event is published to a topic, and the broker acknowledges each.
//!
//! ```text
//!   batch ─▶ flight: which are on their way ─▶ client: one connection ─▶ broker
//!              ▲                                  │
//!              └── PUBACK, PUBREC, PUBCOMP ───────┘  by packet id, with the reason in 5
//! ```
//!
//! **A client of our own** on a codec of others: clients that exist connect again by themselves and
//! do not say which publish was acknowledged, and to know exactly that is what a cursor needs. What
//! acknowledges a publish is read here and not by the codec, which knows only the reasons of the
//! specification: Mosquitto answers a large publish with one more.
//!
//! **How sure.** With `qos` 1 an event has arrived when the broker says so; a cut connection
//! repeats at most one batch. 2 keeps the broker from doubling within one connection; sessions are
//! not kept, so a cut connection may double all the same. With 0 a batch counts as arrived when the
//! broker answers a ping that was sent behind it: it has read the batch, and may still drop it.
//! What a broker does behind its acknowledgement is its own: it may have nobody to give the event
//! to, and in 3.1.1 it acknowledges what the user may not publish or what is too large, and drops it.
//!
//! It refuses to subscribe, to keep a session, and binary mode in 3.1.1, which has no properties.

mod client;
mod config;
mod error;
mod flight;
mod packet;
mod sink;

use std::sync::Arc;

use pluvio_secret::SecretSource;

use crate::{
    component::{SinkConfig, Target},
    endpoint::broker,
};

pub use config::{Config, ConfigError, Qos, Version};
pub use error::Error;
pub use sink::Mqtt;

impl SinkConfig for Config {
    const TYPE: &'static str = "mqtt";
    const SUMMARY: &'static str = "topics of an MQTT broker, 3.1.1 and 5";
    const EXAMPLE: &'static str = r#"
[sinks.floor]
type = "mqtt"
url = "mqtts://broker.example.org"
username = "pluvio"
password = { file = "/run/secrets/mqtt-password" }
topic = "cloud/{type}"
"#;
    type Sink = Mqtt;
    type Error = ConfigError;

    fn secrets(&self) -> Vec<(&'static str, &SecretSource)> {
        broker::secrets(&self.username, &self.password)
    }

    fn only(&self) -> Option<&'static str> {
        self.format.only()
    }

    fn build(self) -> Result<Mqtt, ConfigError> {
        Ok(Mqtt(Arc::new(self.resolve()?)))
    }

    fn target(sink: &Mqtt) -> Target {
        let client = sink.identity();
        Target { exclusive: client.clone(), client, files: None }
    }
}
