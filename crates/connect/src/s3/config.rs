//! What an operator may say about a bucket, and how that becomes the settings of a sink.

use std::time::Duration;

use pluvio_net::unit::Period;
use pluvio_net::{TlsError, TlsOptions};
use pluvio_secret::SecretSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::sign::read;
use crate::{
    component::{KeyedError, SinkConfig as _},
    endpoint::http::{IdentityError, InvalidUrl, address},
    outbound::object_name::{InvalidTemplate, Template},
};

/// A bucket that keeps the events in objects of JSON lines.
///
/// No object is overwritten: each is put with `If-None-Match: *`, and one whose name is taken by other events gets a
/// number. A server that does not know this header is asked for each object before that is put; there, an
/// unanswered put that happens later, of a log that was put back from a copy since, can still replace an object.
/// The keys need `s3:PutObject` and `s3:GetObject`, and `s3:ListBucket` on the bucket. With `s3:GetObject` on the
/// cursor below `.pluvio/` alone, an object whose put is not answered may be there twice.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The bucket, which must be there.
    pub bucket: String,
    /// Where the bucket is, as AWS calls it.
    #[serde(default = "region")]
    pub region: String,
    /// Who keeps it, if not AWS: for example `https://minio.example.org:9000`. Connected to directly: proxies that the
    /// environment names (`HTTPS_PROXY`, `NO_PROXY`) are not used, for one that was set for something else
    /// would get every event.
    pub endpoint: Option<String>,
    /// Whether the bucket is in the path (`https://host/bucket/…`) or in the host's name
    /// (`https://bucket.host/…`). In the path if not set and there is an `endpoint`.
    pub path_style: Option<bool>,
    /// What all names begin with, for example `pluvio/`. Several sinks may have the same, if no name of one can be
    /// that of another. So may several Pluvios, whatever their sinks are called: objects and the cursor,
    /// `.pluvio/<sink>-<stream>-<log>.json`, have the id of the log in their names. Only a copy of a log that runs
    /// beside it needs another one.
    #[serde(default)]
    pub prefix: String,
    /// Names of objects behind the prefix. `{first}` and `{last}` are the offsets of the first and the
    /// last event in 20 digits, `{date}` and `{time}` tell when the first was recorded, in UTC as
    /// `20261120` and `103122`, `{stream}` and `{sink}` are names, `{log}` tells logs apart. `{first}`,
    /// `{last}` and `{log}` must be there: an object is found by its events. If other events have the name (the
    /// log was put back from a copy, or the sink moved back with another `filter`), `-2` and so on stands before
    /// the extension.
    #[serde(default = "name")]
    pub name: String,
    /// How objects are packed: `none` or `gzip`, which adds `.gz` to their names.
    #[serde(default)]
    pub compression: Compression,
    /// The access key.
    pub access_key: SecretSource,
    /// Its secret.
    pub secret_key: SecretSource,
    /// The token that belongs to keys which were given for a while only.
    pub session_token: Option<SecretSource>,
    /// How long an answer may take.
    #[serde(default = "timeout")]
    pub timeout: Period,
    /// Whose certificate is accepted.
    #[serde(default)]
    pub tls: TlsOptions,
}

/// How objects are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With gzip.
    Gzip,
}

impl Compression {
    /// What the name of an object that is packed so ends with.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
        }
    }
}

fn region() -> String {
    "us-east-1".to_owned()
}

fn name() -> String {
    "{stream}/{date}/{first}-{last}-{log}.ndjson".to_owned()
}

fn timeout() -> Period {
    Period(Duration::from_secs(60))
}

/// An object and the cursor together must end before the supervisor gives the write up.
const TIMEOUT_MAX: Duration = Duration::from_secs(120);
const TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// Leaves room in the name of an object for the names of streams and sinks.
const PREFIX_BYTES_MAX: usize = 256;

/// Why a configuration makes no sink.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No bucket can have such a name.
    #[error("`bucket` is no name of a bucket; valid: 3 to 63 lower-case letters, digits, `.`, `-`")]
    Bucket,
    /// No region can.
    #[error("`region` is none; write for example \"eu-central-1\"")]
    Region,
    /// The address is none.
    #[error("`endpoint` is no address; write for example \"https://minio.example.org:9000\"")]
    Endpoint(#[from] InvalidUrl),
    /// More than an address.
    #[error("`endpoint` is more than host and port; write the rest as `bucket` and `prefix`")]
    EndpointPath,
    /// Not what keys begin with.
    #[error("`prefix` must not begin with `/`, hold `//` or `..`, or be longer than 256 bytes")]
    Prefix,
    /// The template is none.
    #[error("`name` is none for objects")]
    Name(#[from] InvalidTemplate),
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
            Self::Bucket => "bucket",
            Self::Region => "region",
            Self::Endpoint(_) | Self::EndpointPath => "endpoint",
            Self::Prefix => "prefix",
            Self::Name(_) => "name",
            Self::Identity(error) => error.key(),
            Self::Timeout => "timeout",
            Self::Tls(_) => "tls",
        }
    }
}

/// A configuration that was checked.
#[derive(Debug)]
pub(super) struct Settings {
    /// Of the bucket; ends in `/`.
    pub(super) url: Url,
    /// Of whoever keeps it.
    pub(super) endpoint: Url,
    pub(super) bucket: String,
    pub(super) region: String,
    pub(super) prefix: String,
    pub(super) name: Template,
    pub(super) compression: Compression,
    pub(super) access_key: SecretSource,
    pub(super) secret_key: SecretSource,
    pub(super) session_token: Option<SecretSource>,
    pub(super) timeout: Duration,
    pub(super) tls: TlsOptions,
}

impl Config {
    /// A bucket with every default.
    pub fn new(bucket: &str, access_key: SecretSource, secret_key: SecretSource) -> Self {
        Self {
            bucket: bucket.to_owned(),
            region: region(),
            endpoint: None,
            path_style: None,
            prefix: String::new(),
            name: name(),
            compression: Compression::None,
            access_key,
            secret_key,
            session_token: None,
            timeout: timeout(),
            tls: TlsOptions::default(),
        }
    }

    /// Checks the section.
    pub(super) fn resolve(self) -> Result<Settings, ConfigError> {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let bucket = &self.bucket;
        let is_bucket = bucket.chars().all(|c| is_name(c) || c == '.')
            && (3..=63).contains(&bucket.len())
            && !bucket.starts_with(['.', '-'])
            && !bucket.contains("..");
        if !is_bucket {
            return Err(ConfigError::Bucket);
        }
        if self.region.is_empty() || !self.region.chars().all(is_name) {
            return Err(ConfigError::Region);
        }
        let endpoint = self.endpoint_url()?;
        let url = self.bucket_url(endpoint.clone())?;
        let prefix = &self.prefix;
        let is_odd = prefix.starts_with('/') || prefix.contains("//") || prefix.contains("..");
        if is_odd || prefix.len() > PREFIX_BYTES_MAX || prefix.contains(char::is_control) {
            return Err(ConfigError::Prefix);
        }
        if !(TIMEOUT_MIN..=TIMEOUT_MAX).contains(&self.timeout.0) {
            return Err(ConfigError::Timeout);
        }
        for (key, secret) in self.secrets() {
            // One that cannot be read is told by who looks at all secrets.
            if let Err(error @ IdentityError::Characters { .. }) = read(key, secret) {
                return Err(error.into());
            }
        }
        self.tls.client_config()?;
        Ok(Settings {
            url,
            endpoint,
            name: Template::key(&self.name)?,
            bucket: self.bucket,
            region: self.region,
            prefix: self.prefix,
            compression: self.compression,
            access_key: self.access_key,
            secret_key: self.secret_key,
            session_token: self.session_token,
            timeout: self.timeout.0,
            tls: self.tls,
        })
    }

    fn endpoint_url(&self) -> Result<Url, ConfigError> {
        let endpoint = match &self.endpoint {
            Some(endpoint) => address(endpoint)?,
            None => address(&format!("https://s3.{}.amazonaws.com", self.region))?,
        };
        if endpoint.path() != "/" || endpoint.query().is_some() {
            return Err(ConfigError::EndpointPath);
        }
        Ok(endpoint)
    }

    fn bucket_url(&self, endpoint: Url) -> Result<Url, ConfigError> {
        let mut url = endpoint;
        if self.path_style.unwrap_or(self.endpoint.is_some()) {
            url.set_path(&format!("/{}/", self.bucket));
        } else {
            let host = format!("{}.{}", self.bucket, url.host_str().unwrap_or_default());
            url.set_host(Some(&host)).map_err(InvalidUrl::Parse)?;
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(change: impl FnOnce(&mut Config)) -> Result<String, &'static str> {
        let secret = || SecretSource::literal("x");
        let mut config = Config::new("cloud-events", secret(), secret());
        change(&mut config);
        let built = config.resolve();
        built.map(|settings| settings.url.to_string()).map_err(|error| error.key())
    }

    #[test]
    fn a_bucket_is_in_the_path_or_in_the_name_of_the_host() {
        let aws = Ok("https://cloud-events.s3.us-east-1.amazonaws.com/".to_owned());
        assert_eq!(built(|_| {}), aws);
        let minio = |config: &mut Config| config.endpoint = Some("http://minio:9000".into());
        assert_eq!(built(minio), Ok("http://minio:9000/cloud-events/".to_owned()));
        let hosted = |config: &mut Config| {
            minio(config);
            config.path_style = Some(false);
        };
        assert_eq!(built(hosted), Ok("http://cloud-events.minio:9000/".to_owned()));
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused_by_its_key() {
        for bucket in ["a", "Events", "a/b", "-ab", "a..b"] {
            assert_eq!(built(|config| config.bucket = bucket.into()), Err("bucket"), "{bucket}");
        }
        assert_eq!(built(|config| config.region = "EU".into()), Err("region"));
        for endpoint in ["minio:9000", "http://minio/x", "http://u:p@minio"] {
            let change = |config: &mut Config| config.endpoint = Some(endpoint.into());
            assert_eq!(built(change), Err("endpoint"), "{endpoint}");
        }
        assert_eq!(built(|config| config.prefix = "/a".into()), Err("prefix"));
        assert_eq!(built(|config| config.name = "{first}-{log}".into()), Err("name"));
        let secret = || SecretSource::literal("two\nlines");
        assert_eq!(built(|config| config.access_key = secret()), Err("access_key"));
        assert_eq!(built(|config| config.secret_key = secret()), Err("secret_key"));
        assert_eq!(built(|config| config.session_token = Some(secret())), Err("session_token"));
        assert_eq!(built(|config| config.timeout = Period(Duration::ZERO)), Err("timeout"));
    }
}
