//! Why a section of a CloudStack, of its events or its usage, makes no source.

use pluvio_clouds::cloudstack::EndpointError;
use pluvio_net::{TlsError, unit::Period};

use crate::component::KeyedError;

/// Why a configuration makes no source. The key is the one that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The address is none, or holds more than an address.
    #[error(
        "`url` is no address of a CloudStack's API; write for example \"https://cloud.example.org/client/api\""
    )]
    Url(#[source] EndpointError),
    /// Neither keys nor a login are whole, or both are given.
    #[error("give either `api_key` and `secret_key`, or `username` and `password`")]
    Credentials {
        /// What is missing or too much.
        key: &'static str,
    },
    /// A domain's path without a login.
    #[error(
        "`domain` belongs to `username`; to capture one domain only, write its id as `domain_id`"
    )]
    Domain,
    /// A period that makes no sense.
    #[error("`{key}` must be from {min} to {max}")]
    Range {
        /// The key.
        key: &'static str,
        /// The least that is taken.
        min: Period,
        /// The most that is taken.
        max: Period,
    },
    /// No rows, or more than any server sends.
    #[error("`page_size` must be from 10 to 10000")]
    PageSize,
    /// The `source` attribute would be empty.
    #[error("`source` is empty; leave it out, or give the URL that events shall carry")]
    Source,
    /// The TLS options make no sense together, or name a bad file.
    #[error("`tls` cannot be used")]
    Tls(#[source] TlsError),
}

impl KeyedError for ConfigError {
    fn key(&self) -> &'static str {
        match self {
            Self::Url(_) => "url",
            Self::Credentials { key } | Self::Range { key, .. } => key,
            Self::Domain => "domain",
            Self::PageSize => "page_size",
            Self::Source => "source",
            Self::Tls(_) => "tls",
        }
    }
}
