//! What an operator may say about a MongoDB, and how that becomes the settings of a sink.

use std::path::PathBuf;

use mongodb::options::ConnectionString;
use pluvio_net::unit::ByteSize;
use pluvio_net::{TlsError, TlsOptions};
use pluvio_secret::SecretSource;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{component::KeyedError, endpoint::broker::Login};

/// A collection of a MongoDB, 4.2 or newer, or of what speaks its protocol.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The connection string, as `mongodb://user:password@db.example.org:27017/events`, with several
    /// hosts for a replica set, and options as `?authSource=admin&tls=true`. It may be a secret.
    pub url: SecretSource,
    /// The database, if the connection string names none.
    pub database: Option<String>,
    /// The collection; made if it is not there.
    pub collection: String,
    /// User name, if the connection string has none. Users are those of `authSource`, or else of the
    /// database in the connection string, or else of `admin`.
    pub username: Option<SecretSource>,
    /// Its password.
    pub password: Option<SecretSource>,
    /// A collection that is made is capped at this size: the oldest events make room for new ones. One
    /// that is there must be capped at the same size already. Without it, nothing is said about size.
    pub capped_size: Option<ByteSize>,
    /// Whose certificate is accepted; TLS itself is turned on by this, or by `tls=true` in the
    /// connection string. Of these keys, MongoDB's driver can do `ca_file`, `insecure`, and `cert_file`
    /// if the key is in the same file; without `ca_file` it trusts Mozilla's authorities, not the
    /// system's.
    #[serde(default)]
    pub tls: TlsOptions,
}

/// A collection of less would be a mistake.
const CAPPED_BYTES_MIN: u64 = 64 << 10;
/// Longest name of a collection, with its database.
const NAME_BYTES_MAX: usize = 120;

/// Why a configuration makes no sink.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is looked up in DNS, or something else.
    #[error(
        "`url` is no connection string; write for example \
         \"mongodb://user:password@db.example.org:27017/events\" (mongodb+srv:// cannot be used)"
    )]
    Url,
    /// Neither key names it.
    #[error("`url` names no database; write one behind its last `/`, or set `database`")]
    NoDatabase,
    /// No collection has such a name.
    #[error("`{0}` must have 1 to {NAME_BYTES_MAX} bytes, without `$` and NUL")]
    Name(&'static str),
    /// Too small.
    #[error("`capped_size` is below {}", ByteSize(CAPPED_BYTES_MIN))]
    CappedSize,
    /// A login needs both.
    #[error("`{0}` is missing beside its other half")]
    Login(&'static str),
    /// The driver cannot do it.
    #[error("`tls.{0}` cannot be used with MongoDB; use tls.ca_file or tls.insecure")]
    Tls(&'static str),
    /// The driver wants one file.
    #[error("`tls.cert_file` and `tls.key_file` must name one file that holds both, for MongoDB")]
    TwoFiles,
    /// The files of TLS cannot be used, or the keys contradict each other.
    #[error(transparent)]
    Files(#[from] TlsError),
}

impl KeyedError for ConfigError {
    fn key(&self) -> &'static str {
        match self {
            Self::Url | Self::NoDatabase => "url",
            Self::Name(key) | Self::Login(key) => key,
            Self::CappedSize => "capped_size",
            Self::Tls(_) | Self::TwoFiles | Self::Files(_) => "tls",
        }
    }
}

/// What the driver's TLS is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tls {
    pub(super) ca_file: Option<PathBuf>,
    pub(super) insecure: bool,
    pub(super) pair_file: Option<PathBuf>,
}

/// A configuration that was checked.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) url: SecretSource,
    pub(super) database: Option<String>,
    pub(super) collection: String,
    pub(super) login: Login,
    pub(super) capped_bytes: Option<u64>,
    /// `None`: as the connection string says.
    pub(super) tls: Option<Tls>,
}

impl Config {
    /// A collection with every default.
    pub fn new(url: impl Into<String>, collection: impl Into<String>) -> Self {
        Self {
            url: SecretSource::literal(url),
            database: None,
            collection: collection.into(),
            username: None,
            password: None,
            capped_size: None,
            tls: TlsOptions::default(),
        }
    }

    /// Checks the section.
    pub(super) fn resolve(self) -> Result<Settings, ConfigError> {
        // One that cannot be read is told by who looks at all secrets.
        if let Ok(url) = self.url.resolve_name() {
            let is_plain = url.expose().starts_with("mongodb://");
            let parsed = is_plain.then(|| ConnectionString::parse(url.expose()).ok()).flatten();
            let parsed = parsed.ok_or(ConfigError::Url)?;
            if self.database.is_none() && parsed.default_database.is_none() {
                return Err(ConfigError::NoDatabase);
            }
        }
        let is_name =
            |name: &str| (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains(['$', '\0']);
        if !is_name(&self.collection) {
            return Err(ConfigError::Name("collection"));
        }
        if self.database.as_deref().is_some_and(|name| !is_name(name)) {
            return Err(ConfigError::Name("database"));
        }
        if self.capped_size.is_some_and(|size| size.0 < CAPPED_BYTES_MIN) {
            return Err(ConfigError::CappedSize);
        }
        match (&self.username, &self.password) {
            (Some(_), None) => return Err(ConfigError::Login("password")),
            (None, Some(_)) => return Err(ConfigError::Login("username")),
            (Some(_), Some(_)) | (None, None) => (),
        }
        Ok(Settings {
            url: self.url,
            database: self.database,
            collection: self.collection,
            login: Login { username: self.username, password: self.password },
            capped_bytes: self.capped_size.map(|size| size.0),
            tls: tls(self.tls)?,
        })
    }
}

fn tls(options: TlsOptions) -> Result<Option<Tls>, ConfigError> {
    if options == TlsOptions::default() {
        return Ok(None);
    }
    if options.thumbprint.is_some() {
        return Err(ConfigError::Tls("thumbprint"));
    }
    if options.cert_file != options.key_file {
        return Err(ConfigError::TwoFiles);
    }
    // Told by us, without a letter of the files; the driver quotes them.
    options.client_config()?;
    let TlsOptions { ca_file, insecure, cert_file: pair_file, .. } = options;
    Ok(Some(Tls { ca_file, insecure, pair_file }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_configuration_names_its_key() {
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::new("mongodb://db/events", "cloud");
            change(&mut config);
            config.resolve().err().map(|error| error.key())
        };
        assert_eq!(refused(|_| ()), None);
        assert_eq!(refused(|it| it.url = SecretSource::literal("db:27017")), Some("url"));
        assert_eq!(refused(|it| it.url = SecretSource::literal("mongodb+srv://db")), Some("url"));
        assert_eq!(refused(|it| it.url = SecretSource::Env("X".into())), None);
        assert_eq!(refused(|it| it.url = SecretSource::literal("mongodb://u:p@/e")), Some("url"));
        assert_eq!(
            refused(|it| it.url = SecretSource::literal("mongodb://db:27017/")),
            Some("url")
        );
        assert_eq!(refused(|it| it.collection = "a$b".into()), Some("collection"));
        assert_eq!(refused(|it| it.database = Some(String::new())), Some("database"));
        assert_eq!(refused(|it| it.capped_size = Some(ByteSize(1))), Some("capped_size"));
        assert_eq!(refused(|it| it.username = Some(SecretSource::literal("u"))), Some("password"));
        assert_eq!(refused(|it| it.tls.thumbprint = "0".repeat(40).parse().ok()), Some("tls"));
        assert_eq!(refused(|it| it.tls.cert_file = Some("a.pem".into())), Some("tls"));
        assert_eq!(refused(|it| it.tls.insecure = true), None);
        assert_eq!(refused(|it| it.tls.ca_file = Some("/no/such.pem".into())), Some("tls"));
    }
}
