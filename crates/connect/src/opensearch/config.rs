//! What an operator may say about OpenSearch, and how that becomes the settings of a sink.

use std::time::Duration;

use pluvio_net::unit::Period;
use pluvio_net::{TlsError, TlsOptions};
use pluvio_secret::SecretSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    component::KeyedError,
    endpoint::http::{Identity, IdentityError, InvalidUrl, address},
    outbound::name_template::{InvalidTemplate, Template},
};

/// An OpenSearch or Elasticsearch that keeps the events as documents.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The address of its REST API, for example `https://search.example.org:9200`. Connected to directly: proxies that the
    /// environment names (`HTTPS_PROXY`, `NO_PROXY`) are not used, for one that was set for something else
    /// would get every event.
    pub url: String,
    /// The index, or data stream, that an event goes to. `{date}` is the event's day in UTC as
    /// `2026.11.20`, `{year}`, `{month}` and `{day}` are its parts; `{type}`, `{source}`, `{subject}`,
    /// `{stream}`, `{sink}` and `{ext.NAME}` are there, too. Names are lower-cased, and what an index
    /// cannot be called becomes `-`.
    #[serde(default = "index")]
    pub index: String,
    /// User name, with a password.
    pub username: Option<SecretSource>,
    /// Its password.
    pub password: Option<SecretSource>,
    /// An API key in the encoded form, instead of a user name: `Authorization: ApiKey …`.
    pub api_key: Option<SecretSource>,
    /// How requests are packed: `none` or `gzip`.
    #[serde(default)]
    pub compression: Compression,
    /// How long an answer may take.
    #[serde(default = "timeout")]
    pub timeout: Period,
    /// Whose certificate is accepted.
    #[serde(default)]
    pub tls: TlsOptions,
}

/// How requests are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With gzip.
    Gzip,
}

fn index() -> String {
    "{stream}-{date}".to_owned()
}

fn timeout() -> Period {
    Period(Duration::from_secs(60))
}

/// The supervisor gives a write up after some minutes.
const TIMEOUT_MAX: Duration = Duration::from_secs(120);
const TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// Why a configuration makes no sink.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The address is none.
    #[error("`url` is no address; write for example \"https://search.example.org:9200\"")]
    Url(#[from] InvalidUrl),
    /// More than an address.
    #[error("`url` has a part behind `?`; leave it out")]
    Query,
    /// The template is none.
    #[error("`index` is no name for indexes")]
    Index(#[from] InvalidTemplate),
    /// No index can have such a name.
    #[error(
        "`index` holds `{0}`; valid: lower-case letters, digits, `.`, `-` and `_`, and one of the \
         first two at the beginning"
    )]
    IndexName(String),
    /// Two ways to say who we are, or half of one.
    #[error("give either `username` and `password`, or `api_key`")]
    Credentials {
        /// What is missing or too much.
        key: &'static str,
    },
    /// A secret that no request can hold.
    #[error(transparent)]
    Identity(#[from] IdentityError),
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
            Self::Url(_) | Self::Query => "url",
            Self::Index(_) | Self::IndexName(_) => "index",
            Self::Credentials { key } => key,
            Self::Identity(error) => error.key(),
            Self::Timeout => "timeout",
            Self::Tls(_) => "tls",
        }
    }
}

/// A configuration that was checked.
#[derive(Debug)]
pub(super) struct Settings {
    /// Ends in `/`.
    pub(super) url: Url,
    pub(super) index: Template,
    pub(super) identity: Identity,
    pub(super) compression: Compression,
    pub(super) timeout: Duration,
    pub(super) tls: TlsOptions,
}

/// Whether a character may stand in the name of an index.
pub(super) fn is_legal(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_')
}

impl Config {
    /// An OpenSearch at `url` with every default.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            index: index(),
            username: None,
            password: None,
            api_key: None,
            compression: Compression::None,
            timeout: timeout(),
            tls: TlsOptions::default(),
        }
    }

    /// Checks the section.
    pub(super) fn resolve(self) -> Result<Settings, ConfigError> {
        let mut url = address(&self.url)?;
        if url.query().is_some() {
            return Err(ConfigError::Query);
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let index = Template::new(&self.index)?;
        let begins_badly = self.index.starts_with(['-', '_', '+', '.']);
        let word = index.words().find(|word| begins_badly || !word.chars().all(is_legal));
        if let Some(word) = word {
            return Err(ConfigError::IndexName(word.to_owned()));
        }
        if !(TIMEOUT_MIN..=TIMEOUT_MAX).contains(&self.timeout.0) {
            return Err(ConfigError::Timeout);
        }
        self.tls.client_config()?;
        let identity = match (self.username, self.password, self.api_key) {
            (None, None, None) => Identity::Anonymous,
            (Some(username), Some(password), None) => Identity::Basic { username, password },
            (None, None, Some(token)) => {
                Identity::Token { key: "api_key", scheme: "ApiKey", token }
            }
            (_, _, Some(_)) => return Err(ConfigError::Credentials { key: "api_key" }),
            (Some(_), None, None) => return Err(ConfigError::Credentials { key: "password" }),
            (None, Some(_), None) => return Err(ConfigError::Credentials { key: "username" }),
        };
        identity.check()?;
        Ok(Settings {
            url,
            index,
            identity,
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
        let mut config = Config::new("https://search.example.org:9200/prefix");
        change(&mut config);
        config.resolve().err().map(|error| error.key())
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused_by_its_key() {
        let secret = || Some(SecretSource::literal("x"));
        assert_eq!(refused(|_| {}), None);
        assert_eq!(refused(|config| config.url = "search:9200".into()), Some("url"));
        assert_eq!(refused(|config| config.url = "http://search:9200/?a=b".into()), Some("url"));
        for index in ["Events", "ev ents-{date}", "_events", "-{date}x", "{dat}", ""] {
            assert_eq!(refused(|config| config.index = index.into()), Some("index"), "{index}");
        }
        assert_eq!(refused(|config| config.index = "{type}-{ext.account}".into()), None);
        assert_eq!(refused(|config| config.username = secret()), Some("password"));
        assert_eq!(refused(|config| config.password = secret()), Some("username"));
        assert_eq!(
            refused(|config| {
                config.username = secret();
                config.api_key = secret();
            }),
            Some("api_key")
        );
        let two_lines = || Some(SecretSource::literal("two\nlines"));
        assert_eq!(refused(|config| config.api_key = two_lines()), Some("api_key"));
        assert_eq!(refused(|config| config.timeout = Period(Duration::ZERO)), Some("timeout"));
    }
}
