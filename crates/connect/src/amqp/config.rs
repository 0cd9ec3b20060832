//! What an operator may say about a peer of AMQP 1.0, and how that becomes the settings of a sink.

use pluvio_net::TlsOptions;
use pluvio_secret::SecretSource;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    component::KeyedError,
    endpoint::broker::{InvalidPeer, Login, Peer, Schemes},
    outbound::message::MessageFormat,
};

/// A broker of AMQP 1.0 that events are sent to: Artemis, RabbitMQ 4, Qpid, Azure Service Bus. For
/// RabbitMQ's own protocol see `rabbitmq`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The broker's address: `amqp://broker.example.org`, or `amqps://` for TLS; the ports are 5672
    /// and 5671 if not given.
    pub url: String,
    /// The queue or topic, as the broker names it: `events` for Artemis, `/queues/events` for
    /// RabbitMQ 4.
    pub address: String,
    /// User name, for SASL PLAIN; without it, SASL ANONYMOUS is asked for.
    pub username: Option<SecretSource>,
    /// Its password.
    pub password: Option<SecretSource>,
    /// Whose certificate is accepted, and which one is shown; for `amqps://`.
    #[serde(default)]
    pub tls: TlsOptions,
    /// What a message holds: `cloudevents`, the event in JSON; `cloudevents-binary`, the data, with
    /// the attributes as application properties; `native`, the data alone; `cloudstack-bus`, what
    /// CloudStack's own bus would have sent.
    #[serde(default)]
    pub format: MessageFormat,
    /// What the names of attributes begin with in `cloudevents-binary`: `cloudEvents:`, or
    /// `cloudEvents_` for consumers that select by them, as JMS does.
    #[serde(default)]
    pub prefix: Prefix,
    /// Let the broker store messages before it accepts them.
    #[serde(default = "durable")]
    pub durable: bool,
}

/// What the names of attributes begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Prefix {
    /// The first choice of the binding.
    #[default]
    #[serde(rename = "cloudEvents:")]
    Colon,
    /// For names that must be identifiers.
    #[serde(rename = "cloudEvents_")]
    Underscore,
}

impl Prefix {
    /// The prefix itself.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Colon => "cloudEvents:",
            Self::Underscore => "cloudEvents_",
        }
    }
}

fn durable() -> bool {
    true
}

const SCHEMES: Schemes = Schemes { plain: ("amqp", 5672), secure: ("amqps", 5671) };

/// Why a configuration makes no sink.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The URL or the TLS options are bad.
    #[error(transparent)]
    Peer(#[from] InvalidPeer),
    /// There is something behind the host.
    #[error("`url` has a path; the queue or topic belongs into `address`")]
    Path,
    /// Nothing is named.
    #[error("`address` is empty; write the name of a queue or a topic")]
    Address,
    /// PLAIN needs both.
    #[error("`{0}` is missing: SASL PLAIN needs `username` and `password`")]
    Login(&'static str),
}

impl KeyedError for ConfigError {
    fn key(&self) -> &'static str {
        match self {
            Self::Peer(error) => error.key(),
            Self::Path => "url",
            Self::Address => "address",
            Self::Login(key) => key,
        }
    }
}

/// A configuration that was checked.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) peer: Peer,
    pub(super) address: String,
    pub(super) login: Login,
    pub(super) format: MessageFormat,
    pub(super) prefix: Prefix,
    pub(super) durable: bool,
}

impl Config {
    /// An address at the broker at `url` with every default, and no user.
    pub fn new(url: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            address: address.into(),
            username: None,
            password: None,
            tls: TlsOptions::default(),
            format: MessageFormat::Cloudevents,
            prefix: Prefix::Colon,
            durable: durable(),
        }
    }

    /// Checks the section.
    pub(super) fn resolve(self) -> Result<Settings, ConfigError> {
        let peer = Peer::new(&self.url, SCHEMES, self.tls)?;
        if peer.path.as_deref().is_some_and(|path| !path.is_empty()) {
            return Err(ConfigError::Path);
        }
        if self.address.is_empty() {
            return Err(ConfigError::Address);
        }
        match (&self.username, &self.password) {
            (Some(_), None) => return Err(ConfigError::Login("password")),
            (None, Some(_)) => return Err(ConfigError::Login("username")),
            (Some(_), Some(_)) | (None, None) => (),
        }
        Ok(Settings {
            peer,
            address: self.address,
            login: Login { username: self.username, password: self.password },
            format: self.format,
            prefix: self.prefix,
            durable: self.durable,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_configuration_names_its_key() {
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::new("amqp://broker", "events");
            change(&mut config);
            config.resolve().err().map(|error| error.key())
        };
        assert_eq!(refused(|_| ()), None);
        assert_eq!(refused(|config| config.url = "broker".into()), Some("url"));
        assert_eq!(refused(|config| config.url = "amqp://broker/events".into()), Some("url"));
        assert_eq!(refused(|config| config.address = String::new()), Some("address"));
        assert_eq!(
            refused(|config| config.username = Some(SecretSource::literal("u"))),
            Some("password")
        );
        assert_eq!(
            refused(|config| config.password = Some(SecretSource::literal("p"))),
            Some("username")
        );
    }
}
