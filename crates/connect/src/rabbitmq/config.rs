//! What an operator may say about RabbitMQ, and how that becomes the settings of a sink.

use pluvio_net::TlsOptions;
use pluvio_secret::SecretSource;
use schemars::JsonSchema;
use serde::Deserialize;

use super::key::{KEY_BYTES_MAX, RoutingKey};
use crate::{
    component::KeyedError,
    endpoint::broker::{InvalidPeer, Login, Peer, Schemes},
    outbound::message::MessageFormat,
    outbound::name_template::InvalidTemplate,
};

/// An exchange of RabbitMQ that events are published to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The broker's address: `amqp://broker.example.org`, or `amqps://` for TLS; the ports are 5672
    /// and 5671 if not given. A virtual host other than `/` follows: `amqp://broker/production`.
    pub url: String,
    /// User name.
    pub username: SecretSource,
    /// Its password.
    pub password: SecretSource,
    /// Whose certificate is accepted, and which one is shown; for `amqps://`.
    #[serde(default)]
    pub tls: TlsOptions,
    /// The exchange, which must be there; empty for the default one, whose routing keys are names of
    /// queues.
    pub exchange: String,
    /// The routing key, with placeholders: `{type}`, `{source}`, `{subject}`, `{id}`, `{stream}`,
    /// `{sink}`, `{date}`, `{year}`, `{month}`, `{day}`, `{ext.NAME}`; in what comes from the event,
    /// `*`, `#` and control characters become `-`, and an absent attribute is `*`. Or `cloudstack`:
    /// the keys of CloudStack's own event bus, as
    /// `management-server.ActionEvent.VM-START.VirtualMachine.<uuid>`.
    #[serde(default = "routing_key")]
    pub routing_key: String,
    /// An event that no queue is bound for is told, and waited for; otherwise it is gone.
    #[serde(default = "yes")]
    pub mandatory: bool,
    /// Let durable queues keep messages on disk.
    #[serde(default = "yes")]
    pub persistent: bool,
    /// What a message holds: `cloudevents`, the event in JSON; `cloudevents-binary`, the data, with
    /// the attributes as headers that begin with `ce-`; `native`, the data alone; `cloudstack-bus`,
    /// what CloudStack's own bus would have sent.
    #[serde(default)]
    pub format: MessageFormat,
}

fn routing_key() -> String {
    "{type}".to_owned()
}

fn yes() -> bool {
    true
}

const SCHEMES: Schemes = Schemes { plain: ("amqp", 5672), secure: ("amqps", 5671) };

/// Why a configuration makes no sink.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The URL or the TLS options are bad.
    #[error(transparent)]
    Peer(#[from] InvalidPeer),
    /// There is more than a virtual host.
    #[error("`url` has more than a virtual host behind the host; write a `/` in its name as %2F")]
    VirtualHost,
    /// No exchange has such a name.
    #[error("`exchange` has more than {KEY_BYTES_MAX} bytes")]
    Exchange,
    /// The template is none.
    #[error("`routing_key` is no routing key")]
    RoutingKey(#[from] InvalidTemplate),
}

impl KeyedError for ConfigError {
    fn key(&self) -> &'static str {
        match self {
            Self::Peer(error) => error.key(),
            Self::VirtualHost => "url",
            Self::Exchange => "exchange",
            Self::RoutingKey(_) => "routing_key",
        }
    }
}

/// A configuration that was checked.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) peer: Peer,
    pub(super) virtual_host: String,
    pub(super) login: Login,
    pub(super) exchange: String,
    pub(super) routing_key: RoutingKey,
    pub(super) mandatory: bool,
    pub(super) persistent: bool,
    pub(super) format: MessageFormat,
}

impl Config {
    /// Checks the section.
    pub(super) fn resolve(self) -> Result<Settings, ConfigError> {
        let peer = Peer::new(&self.url, SCHEMES, self.tls)?;
        let virtual_host = match peer.path.as_deref() {
            // With nothing behind the last `/` the name would be empty, which nobody means.
            None | Some("") => "/".to_owned(),
            Some(path) if self.url.matches('/').count() > 3 || path.len() > KEY_BYTES_MAX => {
                return Err(ConfigError::VirtualHost);
            }
            Some(path) => path.to_owned(),
        };
        if self.exchange.len() > KEY_BYTES_MAX {
            return Err(ConfigError::Exchange);
        }
        Ok(Settings {
            peer,
            virtual_host,
            login: Login { username: Some(self.username), password: Some(self.password) },
            exchange: self.exchange,
            routing_key: RoutingKey::new(&self.routing_key)?,
            mandatory: self.mandatory,
            persistent: self.persistent,
            format: self.format,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, exchange: &str, routing_key: &str) -> Config {
        Config {
            url: url.to_owned(),
            username: SecretSource::literal("u"),
            password: SecretSource::literal("p"),
            tls: TlsOptions::default(),
            exchange: exchange.to_owned(),
            routing_key: routing_key.to_owned(),
            mandatory: true,
            persistent: true,
            format: MessageFormat::Cloudevents,
        }
    }

    #[test]
    fn a_virtual_host_is_what_follows_the_host() {
        for (url, expected) in [
            ("amqp://mq", "/"),
            ("amqp://mq/", "/"),
            ("amqp://mq/%2F", "/"),
            ("amqp://mq:1/production", "production"),
            ("amqps://mq/a%2Fb", "a/b"),
        ] {
            let settings = config(url, "x", "{type}").resolve();
            assert_eq!(
                settings.ok().map(|settings| settings.virtual_host).as_deref(),
                Some(expected)
            );
        }
    }

    #[test]
    fn a_bad_configuration_names_its_key() {
        let refused = |url, exchange: &str, key| {
            config(url, exchange, key).resolve().err().map(|error| error.key())
        };
        assert_eq!(refused("mq", "x", "k"), Some("url"));
        assert_eq!(refused("amqp://mq/a/b", "x", "k"), Some("url"));
        assert_eq!(refused("amqp://mq", &"x".repeat(300), "k"), Some("exchange"));
        assert_eq!(refused("amqp://mq", "x", "{k}"), Some("routing_key"));
        assert_eq!(refused("amqp://mq", "", "cloudstack"), None);
    }
}
