//! Whom we trust when we connect, and what we show when others connect to us.
//!
//! [`TlsOptions`] is the client's side, [`ServerTls`] the server's. Both are configuration that
//! resolves into a rustls configuration in one step; the *ring* provider is passed explicitly, so
//! nothing depends on a process-wide default that another library may have set.
//!
//! A private cloud's certificate is seldom signed by a public authority. So a refused certificate
//! is the first thing a new operator meets, and the refusal tells the thumbprint that was seen: see
//! [`Untrusted`]. Trust is never widened silently: `insecure` is the only way to check nothing, and
//! it cannot be combined with the other keys.

mod changed;
mod pem;
mod server;
mod system;
mod verifier;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use schemars::JsonSchema;
use serde::Deserialize;

pub use self::changed::ChangedFiles;
pub use self::pem::PemFault;
pub use self::server::{ServerTls, ServerTlsError};
use self::system::SystemRoots;
pub use self::verifier::Untrusted;
use self::verifier::{AnyCertificate, Explaining, Pinned};
use crate::thumbprint::Thumbprint;

/// Whose certificate a client accepts, and which one it shows. Without any key: those that the
/// system's roots vouch for, and none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TlsOptions {
    /// PEM file of the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Accept exactly the certificate with this SHA-256 or SHA-1 thumbprint, whoever signed it.
    pub thumbprint: Option<Thumbprint>,
    /// Accept any certificate. Anyone on the path can then read the password.
    pub insecure: bool,
    /// PEM file of our own certificate and its chain, for a server that demands one.
    pub cert_file: Option<PathBuf>,
    /// PEM file of the key to `cert_file`.
    pub key_file: Option<PathBuf>,
}

/// Why a client's TLS options make no configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Two keys that contradict each other.
    #[error("tls.{one} and tls.{other} contradict each other; keep one")]
    Conflict {
        /// The first key.
        one: &'static str,
        /// The second key.
        other: &'static str,
    },
    /// The file of authorities cannot be read as PEM.
    #[error("failed to read certificates from `{}`; it must be a PEM file", path.display())]
    CaFile {
        /// The file's path.
        path: PathBuf,
        /// What the PEM reader said.
        #[source]
        source: PemFault,
    },
    /// One of the two files of our own certificate is missing.
    #[error("tls.{one} lacks tls.{other}")]
    Half {
        /// The key that is there.
        one: &'static str,
        /// The key that is not.
        other: &'static str,
    },
    /// A file of our own certificate cannot be read as PEM.
    #[error("failed to read our certificate or key from `{}`; it must be a PEM file", path.display())]
    OwnFile {
        /// The file's path.
        path: PathBuf,
        /// What the PEM reader said.
        #[source]
        source: PemFault,
    },
    /// Certificate and key do not belong together, or are of no known kind.
    #[error("tls.cert_file and tls.key_file make no identity")]
    Own(#[source] rustls::Error),
    /// The file of authorities holds none.
    #[error("`{}` holds no certificate", path.display())]
    CaFileEmpty {
        /// The file's path.
        path: PathBuf,
    },
    /// The roots cannot verify anything.
    #[error("failed to prepare the certificate verifier")]
    Verifier(#[source] rustls::client::VerifierBuilderError),
    /// rustls refused the protocol versions.
    #[error("failed to prepare TLS")]
    Rustls(#[source] rustls::Error),
    /// The HTTP client refused the configuration.
    #[error("failed to prepare the HTTP client")]
    Client(#[source] reqwest::Error),
}

impl TlsOptions {
    /// Reads the files named and makes the client's configuration.
    pub fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = self.verifier(&provider)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Rustls)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        match (&self.cert_file, &self.key_file) {
            (None, None) => Ok(config.with_no_client_auth()),
            (Some(_), None) => Err(TlsError::Half { one: "cert_file", other: "key_file" }),
            (None, Some(_)) => Err(TlsError::Half { one: "key_file", other: "cert_file" }),
            (Some(cert_file), Some(key_file)) => {
                let failed = |source| TlsError::OwnFile { path: key_file.clone(), source };
                regular(key_file).map_err(failed)?;
                let key = PrivateKeyDer::from_pem_file(key_file)
                    .map_err(PemFault::from)
                    .map_err(failed)?;
                let failed = |source| TlsError::OwnFile { path: cert_file.clone(), source };
                let chain = certificates_of(cert_file).map_err(failed)?;
                config.with_client_auth_cert(chain, key).map_err(TlsError::Own)
            }
        }
    }

    fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        let schemes = provider.signature_verification_algorithms;
        match (&self.ca_file, self.thumbprint, self.insecure) {
            (Some(_), Some(_), _) => {
                Err(TlsError::Conflict { one: "ca_file", other: "thumbprint" })
            }
            (Some(_), None, true) => Err(TlsError::Conflict { one: "ca_file", other: "insecure" }),
            (None, Some(_), true) => {
                Err(TlsError::Conflict { one: "thumbprint", other: "insecure" })
            }
            (None, None, true) => Ok(Arc::new(AnyCertificate::new(schemes))),
            (None, Some(pin), false) => Ok(Arc::new(Pinned::new(pin, schemes))),
            (Some(path), None, false) => {
                let failed = |source| TlsError::CaFile { path: path.to_owned(), source };
                let certificates = certificates_of(path).map_err(failed)?;
                let mut roots = RootCertStore::empty();
                if roots.add_parsable_certificates(certificates.iter().cloned()).0 == 0 {
                    return Err(TlsError::CaFileEmpty { path: path.to_owned() });
                }
                let provider = Arc::clone(provider);
                let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
                let inner = inner.build().map_err(TlsError::Verifier)?;
                Ok(Arc::new(Explaining::new(inner, certificates)))
            }
            (None, None, false) => Ok(Arc::new(SystemRoots::new(Arc::clone(provider)))),
        }
    }
}

/// Opening a pipe waits for somebody who writes, and it could be read but once.
fn regular(path: &Path) -> Result<(), PemFault> {
    if std::fs::metadata(path).map_err(PemFault::Unreadable)?.is_file() {
        return Ok(());
    }
    let kind = std::io::ErrorKind::InvalidInput;
    Err(PemFault::Unreadable(std::io::Error::new(kind, "it is no regular file")))
}

fn certificates_of(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemFault> {
    regular(path)?;
    CertificateDer::pem_file_iter(path)?.map(|certificate| Ok(certificate?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradicting_keys_are_refused_by_name() {
        let options = TlsOptions {
            thumbprint: Some(Thumbprint::sha256_of(b"x")),
            insecure: true,
            ..TlsOptions::default()
        };
        let text = options.client_config().map(|_| ()).map_err(|error| error.to_string());
        let expected = "tls.thumbprint and tls.insecure contradict each other; keep one";
        assert_eq!(text, Err(expected.to_owned()));
    }

    #[test]
    fn a_missing_authority_file_is_named() {
        let options = TlsOptions { ca_file: Some("/no/such.pem".into()), ..TlsOptions::default() };
        let text = options.client_config().map(|_| ()).map_err(|error| error.to_string());
        assert!(text.is_err_and(|text| text.contains("`/no/such.pem`")));
    }

    #[test]
    fn unknown_keys_are_errors() {
        let parsed = serde_json::from_str::<TlsOptions>(r#"{"thumprint":"AA"}"#);
        assert!(parsed.is_err_and(|error| error.to_string().contains("thumprint")));
    }
}
