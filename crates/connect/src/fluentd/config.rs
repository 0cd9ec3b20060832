//! What an operator may say about Fluentd, and how that becomes the settings of a sink.

use std::time::Duration;

use pluvio_net::unit::Period;
use pluvio_net::{Dialer, TlsError, TlsOptions};
use pluvio_secret::SecretSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::KeyedError;
use crate::outbound::name_template::{InvalidTemplate, Template};

/// A Fluentd, Fluent Bit or other server of the forward protocol.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    #[serde(default = "port")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// The tag of an event, for example `cloud.{type}`. `{source}`, `{subject}`, `{stream}`, `{sink}`,
    /// `{ext.NAME}`, `{date}`, `{year}`, `{month}` and `{day}` are there, too. If not set, tags are
    /// those of fluent-plugin-cloudstack, `cloudstack.event` and `cloudstack.usages`, beside them
    /// `cloudstack.usagerecords`, and `{type}` for what is not a CloudStack's.
    pub tag: Option<String>,
    /// What a record is: `native`, the cloud's own record; `cloudevents`, the whole event.
    #[serde(default)]
    pub format: Form,
    /// The key that both sides share (`<security> shared_key`).
    pub shared_key: Option<SecretSource>,
    /// User name, where the server has users beside the key.
    pub username: Option<SecretSource>,
    /// Its password.
    pub password: Option<SecretSource>,
    /// What we are called in the server's log, with a shared key.
    #[serde(default = "hostname")]
    pub hostname: String,
    /// How chunks are packed: `none` or `gzip`.
    #[serde(default)]
    pub compression: Compression,
    /// How long an acknowledgement may take.
    #[serde(default = "timeout")]
    pub timeout: Period,
    /// With TLS, and whose certificate is accepted; `{}`: whom the system trusts. Without TLS if not
    /// set.
    pub tls: Option<TlsOptions>,
}

/// What a record is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The event's data. Data that is no JSON object is the value of `data` in one.
    #[default]
    Native,
    /// The whole event, with its offset as `sequence`.
    Cloudevents,
}

/// How chunks are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With gzip.
    Gzip,
}

fn port() -> u16 {
    24224
}

fn hostname() -> String {
    "pluvio".to_owned()
}

fn timeout() -> Period {
    Period(Duration::from_secs(60))
}

/// The supervisor gives a write up after some minutes.
const TIMEOUT_MAX: Duration = Duration::from_secs(120);
const TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// Why a configuration makes no sink.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no host, or more than one.
    #[error("`host` is no name of a server; write for example \"fluentd.example.org\"")]
    Host,
    /// The value is not a valid template.
    #[error("`tag` is none")]
    Tag(#[from] InvalidTemplate),
    /// Users without a key, or half of one.
    #[error("`username` and `password` go together, and with a `shared_key`")]
    Credentials {
        /// What is missing.
        key: &'static str,
    },
    /// Too short or too long.
    #[error("`timeout` must be from {} to {}", Period(TIMEOUT_MIN), Period(TIMEOUT_MAX))]
    Timeout,
    /// The TLS options make no sense together, or name a bad file.
    #[error("`tls` cannot be used")]
    Tls(#[from] TlsError),
}

impl KeyedError for ConfigError {
    fn key(&self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Tag(_) => "tag",
            Self::Credentials { key } => key,
            Self::Timeout => "timeout",
            Self::Tls(_) => "tls",
        }
    }
}

/// A configuration that was checked.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tag: Option<Template>,
    pub(super) form: Form,
    pub(super) security: Option<Security>,
    pub(super) hostname: String,
    pub(super) compression: Compression,
    pub(super) timeout: Duration,
    pub(super) tls: Option<TlsOptions>,
}

/// Who we are.
#[derive(Debug)]
pub(super) struct Security {
    pub(super) shared_key: SecretSource,
    pub(super) user: Option<(SecretSource, SecretSource)>,
}

impl Config {
    /// A Fluentd at `host` with every default.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            tag: None,
            format: Form::default(),
            shared_key: None,
            username: None,
            password: None,
            hostname: hostname(),
            compression: Compression::None,
            timeout: timeout(),
            tls: None,
        }
    }

    /// Checks the section.
    pub(super) fn resolve(self) -> Result<Settings, ConfigError> {
        let host = self.host.trim();
        if host.is_empty() || host.contains(['/', ' ', '@', ',']) {
            return Err(ConfigError::Host);
        }
        if !(TIMEOUT_MIN..=TIMEOUT_MAX).contains(&self.timeout.0) {
            return Err(ConfigError::Timeout);
        }
        if let Some(tls) = &self.tls {
            Dialer::tls(tls)?;
        }
        let user = match (self.username, self.password) {
            (None, None) => None,
            (Some(username), Some(password)) => Some((username, password)),
            (Some(_), None) => return Err(ConfigError::Credentials { key: "password" }),
            (None, Some(_)) => return Err(ConfigError::Credentials { key: "username" }),
        };
        let security = match (self.shared_key, user) {
            (None, None) => None,
            (None, Some(_)) => return Err(ConfigError::Credentials { key: "shared_key" }),
            (Some(shared_key), user) => Some(Security { shared_key, user }),
        };
        Ok(Settings {
            host: host.to_owned(),
            port: self.port,
            tag: self.tag.as_deref().map(Template::new).transpose()?,
            form: self.format,
            security,
            hostname: self.hostname,
            compression: self.compression,
            timeout: self.timeout.0,
            tls: self.tls,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Config)) -> Option<&'static str> {
        let mut config = Config::new("fluentd.example.org", 24224);
        change(&mut config);
        config.resolve().err().map(|error| error.key())
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused_by_its_key() {
        let secret = || Some(SecretSource::literal("x"));
        assert_eq!(refused(|_| {}), None);
        assert_eq!(refused(|config| config.host = "http://a".into()), Some("host"));
        assert_eq!(refused(|config| config.tag = Some("{tpye}".into())), Some("tag"));
        assert_eq!(refused(|config| config.username = secret()), Some("password"));
        assert_eq!(refused(|config| config.password = secret()), Some("username"));
        let user = |config: &mut Config| {
            config.username = secret();
            config.password = secret();
        };
        assert_eq!(refused(user), Some("shared_key"));
        assert_eq!(refused(|config| config.timeout = Period(Duration::ZERO)), Some("timeout"));
    }
}
