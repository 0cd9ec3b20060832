//! The certificate that our own listeners show.
//!
//! Two PEM files, read when the listener starts. Each thing that can be wrong with them has its own
//! error with the file's name: rustls alone would say "inconsistent keys" and leave the search to
//! the operator.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use schemars::JsonSchema;
use serde::Deserialize;

/// A listener's certificate and key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerTls {
    /// PEM file with the certificate, followed by the intermediate ones.
    pub cert_file: PathBuf,
    /// PEM file with the private key (PKCS#8, PKCS#1 or SEC1).
    pub key_file: PathBuf,
}

/// Why a listener has no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum ServerTlsError {
    /// The certificates cannot be read as PEM.
    #[error("failed to read certificates from `{}`; it must be a PEM file", path.display())]
    Certificate {
        /// The file's path.
        path: PathBuf,
        /// What the PEM reader said.
        #[source]
        source: PemError,
    },
    /// There is no certificate in the file.
    #[error("`{}` holds no certificate; is it the key file?", path.display())]
    NoCertificate {
        /// The file's path.
        path: PathBuf,
    },
    /// The key cannot be read as PEM.
    #[error("failed to read a private key from `{}`; it must be a PEM file", path.display())]
    Key {
        /// The file's path.
        path: PathBuf,
        /// What the PEM reader said.
        #[source]
        source: PemError,
    },
    /// There is no key in the file.
    #[error("`{}` holds no private key; is it the certificate file?", path.display())]
    NoKey {
        /// The file's path.
        path: PathBuf,
    },
    /// The key belongs to another certificate.
    #[error("the key in `{}` does not belong to the certificate in `{}`", key.display(), cert.display())]
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// rustls cannot use them, for instance because the key's algorithm is unknown.
    #[error("cannot serve with certificate `{}` and key `{}`", cert.display(), key.display())]
    Unusable {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls said.
        #[source]
        source: rustls::Error,
    },
}

impl ServerTls {
    /// Reads both files and makes a configuration without client certificates.
    pub fn server_config(&self) -> Result<ServerConfig, ServerTlsError> {
        let certificates = certificates_of(&self.cert_file)?;
        let key = key_of(&self.key_file)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|versions| versions.with_no_client_auth().with_single_cert(certificates, key))
            .map_err(|error| self.digest(error))
    }

    fn digest(&self, source: rustls::Error) -> ServerTlsError {
        let (cert, key) = (self.cert_file.clone(), self.key_file.clone());
        match source {
            rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch) => {
                ServerTlsError::Mismatch { cert, key }
            }
            source => ServerTlsError::Unusable { cert, key, source },
        }
    }
}

fn certificates_of(path: &Path) -> Result<Vec<CertificateDer<'static>>, ServerTlsError> {
    let failed = |source| ServerTlsError::Certificate { path: path.to_owned(), source };
    let found: Result<Vec<_>, PemError> =
        CertificateDer::pem_file_iter(path).map_err(failed)?.collect();
    match found {
        Ok(certificates) if certificates.is_empty() => {
            Err(ServerTlsError::NoCertificate { path: path.to_owned() })
        }
        other => other.map_err(failed),
    }
}

fn key_of(path: &Path) -> Result<PrivateKeyDer<'static>, ServerTlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|source| match source {
        PemError::NoItemsFound => ServerTlsError::NoKey { path: path.to_owned() },
        source => ServerTlsError::Key { path: path.to_owned(), source },
    })
}
