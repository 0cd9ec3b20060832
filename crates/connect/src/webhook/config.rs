//! What an operator may say about a webhook, and how that becomes the settings of a sink.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderName, HeaderValue, Method};
use pluvio_net::unit::Period;
use pluvio_net::{TlsError, TlsOptions};
use pluvio_secret::SecretSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    error::{Error, KeyError},
    signature::{Signature, Signer, Signing},
};
use crate::{
    component::KeyedError,
    endpoint::http::{Identity, IdentityError, InvalidUrl, address},
};

/// An address that events are sent to by HTTP.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to, for example `https://hooks.example.org/pluvio`. Redirects are not followed. Connected to directly: proxies that the
    /// environment names (`HTTPS_PROXY`, `NO_PROXY`) are not used, for one that was set for something else
    /// would get every event.
    pub url: String,
    /// What a request holds: `cloudevents`, one event as JSON; `cloudevents-binary`, the data as the
    /// body and everything else in `ce-` headers; `cloudevents-batch`, a JSON array of all events of a
    /// batch; `native`, the cloud's own record alone; `cloudstack-bus`, what CloudStack's own webhooks
    /// send of an action, without events that are none.
    #[serde(default)]
    pub format: Format,
    /// The method of the requests.
    #[serde(default = "method")]
    pub method: String,
    /// Further headers, each with its value, or where that is read:
    /// `{ X-Team = "ops", X-Api-Key = { file = "secret/key" } }`.
    #[serde(default)]
    pub headers: BTreeMap<String, SecretSource>,
    /// Sent as `Authorization: Bearer …`.
    pub token: Option<SecretSource>,
    /// User name, where the address wants one with a password.
    pub username: Option<SecretSource>,
    /// Its password.
    pub password: Option<SecretSource>,
    /// The key that each request is signed with (HMAC with SHA-256); not signed if not set.
    pub secret: Option<SecretSource>,
    /// How the signature is written: `hex`, as GitHub does, `sha256=` and 64 digits over the body;
    /// `base64`, as CloudStack does, over the body; `standard`, as standardwebhooks.com says, with
    /// `webhook-id` and `webhook-timestamp` beside it, and a `secret` that begins with `whsec_`.
    #[serde(default)]
    pub signature: Signature,
    /// The header that the signature stands in; `X-CS-Signature` is CloudStack's. Not for `standard`,
    /// which names it itself.
    pub signature_header: Option<String>,
    /// How long an answer may take.
    #[serde(default = "timeout")]
    pub timeout: Period,
    /// How many requests wait for their answers at once. With more than 1, events of one subject
    /// still arrive in order, and those of different subjects may not. A batch is one request. An end by `kill -9`
    /// repeats what was taken in the second before.
    #[serde(default = "max_in_flight")]
    #[schemars(range(min = 1, max = 256))]
    pub max_in_flight: usize,
    /// Whose certificate is accepted.
    #[serde(default)]
    pub tls: TlsOptions,
}

/// What a request holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One event as JSON, with its offset as `sequence`: CloudEvents' structured mode.
    #[default]
    Cloudevents,
    /// The data as the body, everything else in headers: CloudEvents' binary mode.
    CloudeventsBinary,
    /// A JSON array of events: CloudEvents' batched mode.
    CloudeventsBatch,
    /// The data alone: the cloud's own record.
    Native,
    /// What CloudStack's own webhooks send of an action.
    CloudstackBus,
}

fn method() -> String {
    Method::POST.to_string()
}

fn timeout() -> Period {
    Period(Duration::from_secs(30))
}

fn max_in_flight() -> usize {
    1
}

/// Each is a connection at the other side.
const IN_FLIGHT_MAX: usize = 256;
/// The supervisor gives a write up after some minutes.
const TIMEOUT_MAX: Duration = Duration::from_secs(120);
const TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// What requests hold by themselves.
const RESERVED: [&str; 6] =
    ["host", "connection", "content-length", "content-type", "transfer-encoding", "user-agent"];

/// Why a configuration makes no sink.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The address is none.
    #[error("`url` is no address; write for example \"https://hooks.example.org/pluvio\"")]
    Url(#[from] InvalidUrl),
    /// No method that has a body.
    #[error("`method` is none that sends something; valid: POST, PUT, PATCH")]
    Method,
    /// No header's name, or one that is taken.
    #[error(
        "`headers` cannot hold `{0}`: it is no header's name, it is there already in \
             other letters, or the request sets it itself"
    )]
    Header(String),
    /// A value that no header can have.
    #[error(
        "the value of `{0}` in `headers` holds characters that cannot be sent; write one line of \
         printable text"
    )]
    HeaderValue(String),
    /// A secret that no request can hold.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A secret that signs nothing.
    #[error("{0}; write such a key, or change `signature`")]
    Key(KeyError),
    /// The signature's header is none.
    #[error("`signature_header` is no header's name that could be used here")]
    SignatureHeader,
    /// Something about signatures without a key.
    #[error("`signature_header` says how to sign, and there is no `secret` to sign with")]
    Secret,
    /// Two ways to say who we are, or half of one.
    #[error("give either `token`, or `username` and `password`")]
    Credentials {
        /// What is missing or too much.
        key: &'static str,
    },
    /// None, or too many.
    #[error("`max_in_flight` must be from 1 to {IN_FLIGHT_MAX}")]
    InFlight,
    /// A batch is one request.
    #[error("`max_in_flight` is for single events; with \"cloudevents-batch\" it is 1")]
    BatchInFlight,
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
            Self::Url(_) => "url",
            Self::Method => "method",
            Self::Header(_) | Self::HeaderValue(_) => "headers",
            Self::Identity(error) => error.key(),
            Self::Key(_) => "secret",
            Self::SignatureHeader | Self::Secret => "signature_header",
            Self::Credentials { key } => key,
            Self::InFlight | Self::BatchInFlight => "max_in_flight",
            Self::Timeout => "timeout",
            Self::Tls(_) => "tls",
        }
    }
}

/// A configuration that was checked.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) url: Url,
    pub(super) format: Format,
    pub(super) method: Method,
    pub(super) headers: Vec<(HeaderName, SecretSource)>,
    pub(super) identity: Identity,
    pub(super) signing: Option<Signing>,
    pub(super) timeout: Duration,
    pub(super) in_flight_max: usize,
    pub(super) tls: TlsOptions,
}

impl Config {
    /// A webhook at `url` with every default.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            format: Format::default(),
            method: method(),
            headers: BTreeMap::new(),
            token: None,
            username: None,
            password: None,
            secret: None,
            signature: Signature::default(),
            signature_header: None,
            timeout: timeout(),
            max_in_flight: max_in_flight(),
            tls: TlsOptions::default(),
        }
    }

    /// Checks the section.
    pub(super) fn resolve(self) -> Result<Settings, ConfigError> {
        let url = address(&self.url)?;
        let method = match self.method.to_ascii_uppercase().as_str() {
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            _ => return Err(ConfigError::Method),
        };
        if !(1..=IN_FLIGHT_MAX).contains(&self.max_in_flight) {
            return Err(ConfigError::InFlight);
        }
        if self.format == Format::CloudeventsBatch && self.max_in_flight > 1 {
            return Err(ConfigError::BatchInFlight);
        }
        if !(TIMEOUT_MIN..=TIMEOUT_MAX).contains(&self.timeout.0) {
            return Err(ConfigError::Timeout);
        }
        self.tls.client_config()?;
        let signing = signing(self.secret, self.signature, self.signature_header)?;
        let identity = identity(self.token, self.username, self.password)?;
        let is_identity =
            |name: &HeaderName| *name == http::header::AUTHORIZATION && identity.is_known();
        if signing.as_ref().is_some_and(|signing| is_identity(&signing.header)) {
            return Err(ConfigError::SignatureHeader);
        }
        let mut headers: Vec<(HeaderName, SecretSource)> = Vec::new();
        for (name, value) in self.headers {
            let parsed = header_name(&name).filter(|name| {
                let is_there = headers.iter().any(|(other, _)| other == name);
                !is_there
                    && !is_identity(name)
                    && signing.as_ref().is_none_or(|signing| signing.header != *name)
            });
            // One that cannot be read is told by who looks at all secrets.
            if value
                .resolve_name()
                .is_ok_and(|value| HeaderValue::from_str(value.expose()).is_err())
            {
                return Err(ConfigError::HeaderValue(name));
            }
            headers.push((parsed.ok_or(ConfigError::Header(name))?, value));
        }
        identity.check()?;
        if let Some(Err(Error::Key(error))) = signing.as_ref().map(Signer::new) {
            return Err(ConfigError::Key(error));
        }
        Ok(Settings {
            url,
            format: self.format,
            method,
            headers,
            identity,
            signing,
            timeout: self.timeout.0,
            in_flight_max: self.max_in_flight,
            tls: self.tls,
        })
    }
}

/// A header that may be set from outside.
fn header_name(name: &str) -> Option<HeaderName> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let is_taken = RESERVED.contains(&name.as_str()) || name.as_str().starts_with("ce-");
    (!is_taken).then_some(name)
}

fn signing(
    secret: Option<SecretSource>,
    signature: Signature,
    header: Option<String>,
) -> Result<Option<Signing>, ConfigError> {
    let Some(secret) = secret else {
        return if header.is_some() { Err(ConfigError::Secret) } else { Ok(None) };
    };
    let header = match (signature, header) {
        (Signature::Standard, Some(_)) => return Err(ConfigError::SignatureHeader),
        (Signature::Standard, None) => HeaderName::from_static("webhook-signature"),
        (_, None) => HeaderName::from_static("x-pluvio-signature"),
        (_, Some(name)) => header_name(&name).ok_or(ConfigError::SignatureHeader)?,
    };
    Ok(Some(Signing { secret, signature, header }))
}

fn identity(
    token: Option<SecretSource>,
    username: Option<SecretSource>,
    password: Option<SecretSource>,
) -> Result<Identity, ConfigError> {
    Ok(match (token, username, password) {
        (None, None, None) => Identity::Anonymous,
        (Some(token), None, None) => Identity::Token { key: "token", scheme: "Bearer", token },
        (None, Some(username), Some(password)) => Identity::Basic { username, password },
        (Some(_), _, _) => return Err(ConfigError::Credentials { key: "token" }),
        (None, Some(_), None) => return Err(ConfigError::Credentials { key: "password" }),
        (None, None, Some(_)) => return Err(ConfigError::Credentials { key: "username" }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Config)) -> Option<&'static str> {
        let mut config = Config::new("https://hooks.example.org/pluvio");
        change(&mut config);
        config.resolve().err().map(|error| error.key())
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused_by_its_key() {
        let secret = || Some(SecretSource::literal("x"));
        let header = |config: &mut Config, name: &str| {
            config.headers.insert(name.to_owned(), SecretSource::literal("x"));
        };
        assert_eq!(refused(|_| {}), None);
        assert_eq!(refused(|config| config.url = "hooks.example".into()), Some("url"));
        assert_eq!(refused(|config| config.method = "get".into()), Some("method"));
        assert_eq!(refused(|config| header(config, "X-Team")), None);
        assert_eq!(refused(|config| header(config, "Content-Type")), Some("headers"));
        assert_eq!(refused(|config| header(config, "ce-id")), Some("headers"));
        assert_eq!(refused(|config| config.username = secret()), Some("password"));
        assert_eq!(refused(|config| config.password = secret()), Some("username"));
        assert_eq!(refused(|config| config.max_in_flight = 0), Some("max_in_flight"));
        assert_eq!(refused(|config| config.timeout = Period(Duration::ZERO)), Some("timeout"));
        let named = |config: &mut Config| config.signature_header = Some("X-CS-Signature".into());
        assert_eq!(refused(named), Some("signature_header"));
    }

    #[test]
    fn a_secret_that_could_never_be_sent_is_refused_by_its_key() {
        let secret = |text| Some(SecretSource::literal(text));
        for value in ["a\u{7}b", "two\nlines", "\u{7f}"] {
            assert_eq!(refused(|config| config.token = secret(value)), Some("token"), "{value:?}");
            let header = |config: &mut Config| {
                config.headers.insert("X-Team".into(), SecretSource::literal(value));
            };
            assert_eq!(refused(header), Some("headers"), "{value:?}");
        }
        let named = |config: &mut Config, name: &str| {
            config.headers.insert(name.into(), SecretSource::literal("x"));
        };
        assert_eq!(refused(|config| named(config, "X Team")), Some("headers"));
        assert_eq!(refused(|config| named(config, "X-Team:")), Some("headers"));
        for (key, is_key) in [
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true),
            ("whsec_%", false),
            ("whsec_", false),
        ] {
            let told = refused(|config| {
                config.signature = Signature::Standard;
                config.secret = secret(key);
            });
            assert_eq!(told.is_none(), is_key, "{key}");
            assert!(is_key || told == Some("secret"), "{told:?}");
        }
    }

    #[test]
    fn keys_that_exclude_each_other_are_refused() {
        let secret = || Some(SecretSource::literal("x"));
        assert_eq!(
            refused(|config| {
                config.token = secret();
                config.username = secret();
            }),
            Some("token")
        );
        assert_eq!(
            refused(|config| {
                config.token = secret();
                config.headers.insert("authorization".into(), SecretSource::literal("x"));
            }),
            Some("headers")
        );
        assert_eq!(
            refused(|config| {
                config.token = secret();
                config.secret = secret();
                config.signature_header = Some("Authorization".into());
            }),
            Some("signature_header")
        );
        assert_eq!(
            refused(|config| {
                for name in ["X-Team", "x-team"] {
                    config.headers.insert(name.into(), SecretSource::literal("x"));
                }
            }),
            Some("headers")
        );
        assert_eq!(
            refused(|config| {
                config.format = Format::CloudeventsBatch;
                config.max_in_flight = 2;
            }),
            Some("max_in_flight")
        );
    }
}
