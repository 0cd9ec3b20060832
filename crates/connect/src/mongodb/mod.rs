//! MongoDB: each event is a document, and the same event is the same document.
//!
//! ```text
//!   _id            "<source> <id>"            a repeat is refused, and so changes nothing
//!   specversion, id, source, type, subject …  the event's attributes and extensions
//!   time           date                       as fluent-plugin-mongo stored it
//!   offset         int64                      its place in Pluvio's stream
//!   recordedtime   date                       when Pluvio stored it
//!   data           document, or what it is    numbers as exactly as BSON can
//! ```
//!
//! A batch is one unordered insert that the majority has in its journal; a document that is there
//! already counts as arrived, so nothing is there twice, whatever was cut. Whether it is there is looked
//! up by `_id` where a server does not say in which index a duplicate is. A document that MongoDB will
//! never take is that event's fault; everything else is told and tried again.
//!
//! The driver connects, pools and pings by itself, and its TLS is its own: it can check against a file
//! of authorities or not at all, and trusts Mozilla's authorities without one. This refuses what it
//! cannot: a thumbprint, and addresses that are looked up in DNS (`mongodb+srv`). It refuses to change
//! a collection that is there.

mod config;
mod document;
mod error;
mod refusal;
mod sink;
mod threads;

use pluvio_secret::SecretSource;

use crate::{component::SinkConfig, endpoint::broker};

pub use config::{Config, ConfigError};
pub use error::{Driver, Error};
pub use sink::Mongodb;

impl SinkConfig for Config {
    const TYPE: &'static str = "mongodb";
    const SUMMARY: &'static str = "documents in a MongoDB, each once";
    const EXAMPLE: &'static str = r#"
[sinks.archive]
type = "mongodb"
url = { file = "/run/secrets/mongodb-url" }  # mongodb://user:password@db:27017/events
collection = "cloud"
capped_size = "1 GiB"
"#;
    type Sink = Mongodb;
    type Error = ConfigError;

    fn secrets(&self) -> Vec<(&'static str, &SecretSource)> {
        let mut secrets = vec![("url", &self.url)];
        secrets.extend(broker::secrets(&self.username, &self.password));
        secrets
    }

    fn build(self) -> Result<Mongodb, ConfigError> {
        Ok(Mongodb::new(self.resolve()?))
    }
}
