//! What an operator may say about an MQTT broker, and how that becomes the settings of a sink.

use std::time::Duration;

use pluvio_net::TlsOptions;
use pluvio_net::unit::{ByteSize, Period};
use pluvio_secret::SecretSource;
use rmqtt_codec::types::QoS;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    component::KeyedError,
    endpoint::broker::{InvalidPeer, Login, Peer, Schemes},
    outbound::message::MessageFormat,
    outbound::name_template::{InvalidTemplate, Template},
};

/// A broker of MQTT 3.1.1 or 5 that events are published to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The broker's address: `mqtt://broker.example.org`, or `mqtts://` for TLS; the ports are 1883
    /// and 8883 if not given.
    pub url: String,
    /// The version of the protocol: `5` or `3.1.1`. In 5 the broker says why it takes an event not;
    /// in 3.1.1 it acknowledges and drops what it does not allow.
    #[serde(default)]
    pub version: Version,
    /// The name of the connection, `pluvio-` and the sink's name if not set. A broker ends the older
    /// of two connections with one name: give each Pluvio another.
    pub client_id: Option<String>,
    /// User name; without it, none is sent.
    pub username: Option<SecretSource>,
    /// Its password.
    pub password: Option<SecretSource>,
    /// Whose certificate is accepted, and which one is shown; for `mqtts://`.
    #[serde(default)]
    pub tls: TlsOptions,
    /// The topic, with placeholders: `{type}`, `{source}`, `{subject}`, `{id}`, `{stream}`, `{sink}`,
    /// `{date}`, `{year}`, `{month}`, `{day}`, `{ext.NAME}`. In what comes from the event, `/`, `+`,
    /// `#` and control characters become `-`; an absent attribute is `none`.
    #[serde(default = "topic")]
    pub topic: String,
    /// Quality of service: `1`, acknowledged; `2`, acknowledged and not doubled within one
    /// connection; `0`, sent and not acknowledged one by one.
    #[serde(default)]
    pub qos: Qos,
    /// Let the broker keep the last event of each topic for those who subscribe later. An event
    /// without data in `native` or binary form clears its topic.
    #[serde(default)]
    pub retain: bool,
    /// What a message holds: `cloudevents`, the event in JSON; `cloudevents-binary`, the data, with
    /// the attributes as user properties (only in version 5); `native`, the data alone;
    /// `cloudstack-bus`, what CloudStack's own bus would have sent.
    #[serde(default)]
    pub format: MessageFormat,
    /// How long the connection may be silent before it is checked, and how long that may take.
    #[serde(default = "keep_alive")]
    pub keep_alive: Period,
    /// The largest packet that the broker takes, topic and properties included; a larger event is a
    /// dead letter. In version 5 the broker says its own limit, and the smaller one counts. A broker
    /// of 3.1.1 ends the connection, or drops the event silently.
    #[serde(default = "packet_size_max")]
    pub packet_size_max: ByteSize,
}

/// A version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Version {
    /// 5.
    #[default]
    #[serde(rename = "5")]
    Five,
    /// 3.1.1.
    #[serde(rename = "3.1.1")]
    Three,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Five => "5",
            Self::Three => "3.1.1",
        })
    }
}

/// Quality of service, 0 to 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Qos(pub(super) QoS);

impl Default for Qos {
    fn default() -> Self {
        Self(QoS::AtLeastOnce)
    }
}

impl<'de> Deserialize<'de> for Qos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let level = i64::deserialize(deserializer)?;
        let level = u8::try_from(level).ok().and_then(|level| QoS::try_from(level).ok());
        level.map(Self).ok_or_else(|| D::Error::custom("`qos` must be 0, 1 or 2"))
    }
}

impl JsonSchema for Qos {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Qos".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": 2, "default": 1 })
    }
}

fn topic() -> String {
    "pluvio/{stream}/{type}".to_owned()
}

fn keep_alive() -> Period {
    Period(Duration::from_secs(30))
}

fn packet_size_max() -> ByteSize {
    ByteSize(PACKET_BYTES_MAX)
}

const SCHEMES: Schemes = Schemes { plain: ("mqtt", 1883), secure: ("mqtts", 8883) };
/// No packet of MQTT is larger.
const PACKET_BYTES_MAX: u64 = 256 << 20;
/// Every event would be too large.
const PACKET_BYTES_MIN: u64 = 1 << 10;
/// MQTT counts seconds in 16 bits; a silent connection is told sooner than that.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));
/// More is a mistake: 23 is what every broker takes, and texts have 16 bits of length.
const CLIENT_ID_BYTES_MAX: usize = 1024;

/// Why a configuration makes no sink.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The address or the TLS options are bad.
    #[error(transparent)]
    Peer(#[from] InvalidPeer),
    /// There is something behind the host.
    #[error("`url` has a path; the topic belongs into `topic`")]
    Path,
    /// It cannot be sent.
    #[error("`client_id` must have 1 to {CLIENT_ID_BYTES_MAX} bytes, and no control characters")]
    ClientId,
    /// 3.1.1 knows no password without a user.
    #[error("`password` is given without `username`")]
    Password,
    /// The value is not a valid template.
    #[error("`topic` is no name for topics")]
    Topic(#[from] InvalidTemplate),
    /// Nobody may publish to a wildcard.
    #[error("`topic` holds `{0}`, which no topic may have")]
    Wildcard(char),
    /// 3.1.1 has no properties.
    #[error("`format` is \"cloudevents-binary\", which version 3.1.1 cannot carry")]
    Binary,
    /// Out of range.
    #[error("`keep_alive` must be from {} to {}", Period(KEEP_ALIVE.0), Period(KEEP_ALIVE.1))]
    KeepAlive,
    /// Out of range.
    #[error(
        "`packet_size_max` must be from {} to {}",
        ByteSize(PACKET_BYTES_MIN),
        ByteSize(PACKET_BYTES_MAX)
    )]
    PacketSize,
}

impl KeyedError for ConfigError {
    fn key(&self) -> &'static str {
        match self {
            Self::Peer(error) => error.key(),
            Self::Path => "url",
            Self::ClientId => "client_id",
            Self::Password => "password",
            Self::Topic(_) | Self::Wildcard(_) => "topic",
            Self::Binary => "format",
            Self::KeepAlive => "keep_alive",
            Self::PacketSize => "packet_size_max",
        }
    }
}

/// A configuration that was checked.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) peer: Peer,
    pub(super) version: Version,
    pub(super) client_id: Option<String>,
    pub(super) login: Login,
    pub(super) topic: Template,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) format: MessageFormat,
    pub(super) keep_alive: Duration,
    pub(super) packet_bytes_max: usize,
}

impl Config {
    /// The broker at `url` with every default, and no user.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            version: Version::Five,
            client_id: None,
            username: None,
            password: None,
            tls: TlsOptions::default(),
            topic: topic(),
            qos: Qos::default(),
            retain: false,
            format: MessageFormat::Cloudevents,
            keep_alive: keep_alive(),
            packet_size_max: packet_size_max(),
        }
    }

    /// Checks the section.
    pub(super) fn resolve(self) -> Result<Settings, ConfigError> {
        let peer = Peer::new(&self.url, SCHEMES, self.tls)?;
        if peer.path.as_deref().is_some_and(|path| !path.is_empty()) {
            return Err(ConfigError::Path);
        }
        let is_id = |id: &String| {
            (1..=CLIENT_ID_BYTES_MAX).contains(&id.len()) && !id.contains(char::is_control)
        };
        if self.client_id.as_ref().is_some_and(|id| !is_id(id)) {
            return Err(ConfigError::ClientId);
        }
        if self.password.is_some() && self.username.is_none() {
            return Err(ConfigError::Password);
        }
        if let Some(wildcard) = self.topic.chars().find(|c| matches!(c, '+' | '#' | '\0')) {
            return Err(ConfigError::Wildcard(wildcard));
        }
        if self.version == Version::Three && self.format == MessageFormat::CloudeventsBinary {
            return Err(ConfigError::Binary);
        }
        if !(KEEP_ALIVE.0..=KEEP_ALIVE.1).contains(&self.keep_alive.0) {
            return Err(ConfigError::KeepAlive);
        }
        if !(PACKET_BYTES_MIN..=PACKET_BYTES_MAX).contains(&self.packet_size_max.0) {
            return Err(ConfigError::PacketSize);
        }
        Ok(Settings {
            peer,
            version: self.version,
            client_id: self.client_id,
            login: Login { username: self.username, password: self.password },
            topic: Template::new(&self.topic)?,
            qos: self.qos.0,
            retain: self.retain,
            format: self.format,
            keep_alive: self.keep_alive.0,
            packet_bytes_max: usize::try_from(self.packet_size_max.0).unwrap_or(usize::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Config)) -> Option<&'static str> {
        let mut config = Config::new("mqtt://broker");
        change(&mut config);
        config.resolve().err().map(|error| error.key())
    }

    #[test]
    fn a_bad_configuration_names_its_key() {
        assert_eq!(refused(|_| ()), None);
        assert_eq!(refused(|config| config.url = "broker:1883".into()), Some("url"));
        assert_eq!(refused(|config| config.url = "mqtt://broker/topic".into()), Some("url"));
        assert_eq!(refused(|config| config.client_id = Some(String::new())), Some("client_id"));
        assert_eq!(refused(|config| config.client_id = Some("a\0".into())), Some("client_id"));
        let password = Some(SecretSource::literal("p"));
        assert_eq!(refused(|config| config.password = password), Some("password"));
        assert_eq!(refused(|config| config.topic = "a/#".into()), Some("topic"));
        assert_eq!(refused(|config| config.topic = "{typ}".into()), Some("topic"));
        assert_eq!(
            refused(|config| config.keep_alive = Period(Duration::ZERO)),
            Some("keep_alive")
        );
        assert_eq!(refused(|config| config.packet_size_max = ByteSize(1)), Some("packet_size_max"));
        let binary = |version| {
            refused(|config| {
                config.version = version;
                config.format = MessageFormat::CloudeventsBinary;
            })
        };
        assert_eq!(binary(Version::Five), None);
        assert_eq!(binary(Version::Three), Some("format"));
    }
}
