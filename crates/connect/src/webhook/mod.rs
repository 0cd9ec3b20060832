//! Events to an HTTP address: CloudEvents' HTTP binding, or the cloud's own record as CloudStack's
//! webhooks send it.
//!
//! ```text
//!   batch ─▶ lanes (one a subject) ─▶ at most `max_in_flight` requests ─▶ verdicts ─▶ outcome
//!                                                                           │
//!              taken · rejected · wait (429, 503) · failed (other 5xx, the address, the token)
//! ```
//!
//! **What an answer means.** 2xx: taken. 425, 429, 503 and 509: wait, as long as `Retry-After` says. 408
//! and other 5xx: tried again. 410: the address is gone for good; it is asked once a day, and nothing is
//! lost meanwhile. 401, 402, 403, 404, 405, 415 and the like would hit every event, so the
//! configuration or the account is to blame and no event. Any other 4xx is the event's fault: a dead
//! letter. A redirect is refused, because a token must not go to a host that nobody configured.
//! `docs/sinks-refusals.md` lists all of them.
//!
//! **A connection that was closed meanwhile.** A receiver may close a connection that it keeps alive
//! just when the next request is sent; then no byte of an answer comes. Such a request is sent once
//! more at once over another connection. If it did arrive, it arrives twice, as it would after the
//! supervisor's pause.
//!
//! **Order.** With one request in flight, the order of the stream; with more, the order of each
//! subject. Each answer is reported when it comes.
//!
//! **Signatures** are told in `signature.rs`.
//!
//! It refuses requests whose answer could be guessed before it came, bodies of answers beyond a few
//! KiB, and events in a form that their receiver could not tell from another's.

mod answer;
mod config;
mod error;
mod request;
mod signature;
mod sink;

use pluvio_secret::SecretSource;

use crate::{component::SinkConfig, outbound::message::MessageFormat};

pub use config::{Config, ConfigError, Format};
pub use error::Error;
pub use signature::Signature;
pub use sink::Webhook;

impl SinkConfig for Config {
    const TYPE: &'static str = "webhook";
    const SUMMARY: &'static str =
        "requests to an HTTP address: CloudEvents, or the cloud's own records";
    const EXAMPLE: &'static str = r#"
[sinks.hook]
type = "webhook"
url = "https://hooks.example.org/pluvio"
token = { file = "/run/secrets/hook-token" }
filter = 'type.startsWith("org.apache.cloudstack.VM.")'
"#;
    type Sink = Webhook;
    type Error = ConfigError;

    fn secrets(&self) -> Vec<(&'static str, &SecretSource)> {
        let secrets = [
            ("token", &self.token),
            ("username", &self.username),
            ("password", &self.password),
            ("secret", &self.secret),
        ];
        let secrets = secrets.into_iter().filter_map(|(key, secret)| Some((key, secret.as_ref()?)));
        secrets.chain(self.headers.values().map(|value| ("headers", value))).collect()
    }

    fn only(&self) -> Option<&'static str> {
        let is_bus = self.format == Format::CloudstackBus;
        is_bus.then_some(MessageFormat::CloudstackBus)?.only()
    }

    fn build(self) -> Result<Webhook, ConfigError> {
        Ok(Webhook::new(self.resolve()?))
    }
}
