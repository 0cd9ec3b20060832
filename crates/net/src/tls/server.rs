//! The certificate that our own listeners show.
//!
//! Two PEM files, read when the listener starts and again when they change: certificates live for
//! weeks now, listeners for years. Each thing that can be wrong with them has its own error with the
//! file's name: rustls alone would say "inconsistent keys" and leave the search to the operator.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use schemars::JsonSchema;
use serde::Deserialize;
use tracing::{info, warn};

use super::{changed::ChangedFiles, pem::PemFault, regular};
use crate::chain;

/// Most certificates of one chain. Real ones have two to five; a bundle of all authorities, put in by
/// mistake, makes a handshake that no client takes.
const CERTIFICATES_MAX: usize = 100;

/// A listener's certificate and key. Files that change are read again within a second of the next
/// connection; until they can be used, the previous ones are shown, and they are tried again.
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
        source: PemFault,
    },
    /// There is no certificate in the file.
    #[error("`{}` holds no certificate; is it the key file?", path.display())]
    NoCertificate {
        /// The file's path.
        path: PathBuf,
    },
    /// No client would take so many.
    #[error(
        "`{}` holds {count} certificates, and at most {CERTIFICATES_MAX} are shown to a client; it must \
         hold the server's own and the intermediate ones",
        path.display()
    )]
    TooMany {
        /// The file's path.
        path: PathBuf,
        /// How many it holds.
        count: usize,
    },
    /// The key cannot be read as PEM.
    #[error("failed to read a private key from `{}`; it must be a PEM file", path.display())]
    Key {
        /// The file's path.
        path: PathBuf,
        /// What the PEM reader said.
        #[source]
        source: PemFault,
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
    /// Reads both files and makes a configuration without client certificates. It reads them again
    /// when they change; a pair that cannot be used is reported in the log, and the previous one stays.
    pub fn server_config(&self) -> Result<ServerConfig, ServerTlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let shown = Renewed::new(self.clone(), Arc::clone(&provider))?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| self.digest(error))?;
        Ok(config.with_no_client_auth().with_cert_resolver(Arc::new(shown)))
    }

    fn read(&self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, ServerTlsError> {
        let certificates = certificates_of(&self.cert_file)?;
        let key = key_of(&self.key_file)?;
        let pair = CertifiedKey::from_der(certificates, key, provider);
        pair.map(Arc::new).map_err(|error| self.digest(error))
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

/// The pair that is shown now.
#[derive(Debug)]
struct Renewed {
    files: ServerTls,
    provider: Arc<CryptoProvider>,
    shown: Mutex<Shown>,
}

#[derive(Debug)]
struct Shown {
    changed: ChangedFiles,
    pair: Arc<CertifiedKey>,
    /// Why a newer pair is not shown, as it was told.
    refused: Option<String>,
}

impl Renewed {
    fn new(files: ServerTls, provider: Arc<CryptoProvider>) -> Result<Renewed, ServerTlsError> {
        let changed = ChangedFiles::new(vec![files.cert_file.clone(), files.key_file.clone()]);
        let pair = files.read(&provider)?;
        Ok(Renewed { files, provider, shown: Mutex::new(Shown { changed, pair, refused: None }) })
    }
}

impl ResolvesServerCert for Renewed {
    fn resolve(&self, _client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current(ChangedFiles::have_changed))
    }
}

impl Renewed {
    fn current(&self, have_changed: fn(&mut ChangedFiles) -> bool) -> Arc<CertifiedKey> {
        // Whoever panicked here has not left half a pair: it is replaced as one.
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if have_changed(&mut shown.changed) {
            let file = self.files.cert_file.display();
            match self.files.read(&self.provider) {
                Ok(pair) => {
                    (shown.pair, shown.refused) = (pair, None);
                    info!(%file, "read a renewed certificate");
                }
                Err(error) => {
                    shown.changed.again();
                    let error = chain::text(&error);
                    if shown.refused.as_ref() != Some(&error) {
                        warn!(
                            %file,
                            error,
                            "cannot use the changed certificate or key; showing the previous certificate"
                        );
                        shown.refused = Some(error);
                    }
                }
            }
        }
        Arc::clone(&shown.pair)
    }
}

fn certificates_of(path: &Path) -> Result<Vec<CertificateDer<'static>>, ServerTlsError> {
    let failed = |source| ServerTlsError::Certificate { path: path.to_owned(), source };
    regular(path).map_err(failed)?;
    let all = CertificateDer::pem_file_iter(path).map_err(PemFault::from).map_err(failed)?;
    let found: Result<Vec<_>, PemFault> = all.map(|certificate| Ok(certificate?)).collect();
    match found {
        Ok(certificates) if certificates.is_empty() => {
            Err(ServerTlsError::NoCertificate { path: path.to_owned() })
        }
        Ok(certificates) if certificates.len() > CERTIFICATES_MAX => {
            let count = certificates.len();
            Err(ServerTlsError::TooMany { path: path.to_owned(), count })
        }
        other => other.map_err(failed),
    }
}

fn key_of(path: &Path) -> Result<PrivateKeyDer<'static>, ServerTlsError> {
    let read = regular(path).and_then(|()| Ok(PrivateKeyDer::from_pem_file(path)?));
    read.map_err(|source| match source {
        PemFault::Nothing => ServerTlsError::NoKey { path: path.to_owned() },
        source => ServerTlsError::Key { path: path.to_owned(), source },
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting_for_it() {
        let refused = certificates_of(Path::new("/dev/null")).unwrap_err();
        assert!(matches!(refused, ServerTlsError::Certificate { .. }), "{refused}");
        assert!(matches!(key_of(Path::new("/dev/null")), Err(ServerTlsError::Key { .. })));
    }

    #[test]
    fn a_pair_is_shown_once_it_is_whole_and_the_previous_one_until_then() {
        let folder = std::env::temp_dir().join(format!("pluvio-renewed-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let made = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (old, new) = (made(), made());
        let files =
            ServerTls { cert_file: folder.join("cert.pem"), key_file: folder.join("key.pem") };
        let write = |path: &Path, text: String| std::fs::write(path, text).unwrap();
        write(&files.cert_file, old.cert.pem());
        write(&files.key_file, old.signing_key.serialize_pem());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let renewed = Renewed::new(files.clone(), provider).unwrap();
        let is_shown =
            |cert: &rcgen::Certificate| renewed.current(ChangedFiles::look).cert[0] == *cert.der();
        assert!(is_shown(&old.cert));
        write(&files.cert_file, new.cert.pem());
        assert!(is_shown(&old.cert), "its key is not there yet");
        std::fs::remove_file(&files.key_file).unwrap();
        assert!(is_shown(&old.cert));
        write(&files.key_file, new.signing_key.serialize_pem());
        assert!(is_shown(&new.cert));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    /// A folder with a pair that can be used.
    fn pair(name: &str) -> (PathBuf, ServerTls) {
        let folder = std::env::temp_dir().join(format!("pluvio-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let files =
            ServerTls { cert_file: folder.join("cert.pem"), key_file: folder.join("key.pem") };
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&files.cert_file, made.cert.pem()).unwrap();
        std::fs::write(&files.key_file, made.signing_key.serialize_pem()).unwrap();
        (folder, files)
    }

    /// Log lines, kept.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_renewed_certificate_that_cannot_be_used_is_told_with_its_cause() {
        let (folder, files) = pair("unusable");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let renewed = Renewed::new(files.clone(), provider).unwrap();
        // PEM, and no certificate in it.
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(&files.cert_file, broken).unwrap();
        let lines = Lines::default();
        let out = lines.clone();
        let lines_of = tracing_subscriber::fmt().with_ansi(false);
        let subscriber = lines_of.with_writer(move || out.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            // Each time it is tried again, and it is told once.
            for _ in 0..3 {
                renewed.current(ChangedFiles::look);
            }
        });
        let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let cause = std::error::Error::source(&files.server_config().unwrap_err())
            .map(ToString::to_string)
            .unwrap();
        assert!(said.contains("WARN") && said.contains("cannot serve with"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(&format!(": {cause}")), "`{cause}` is not in {said}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_with_more_certificates_than_a_client_takes_is_refused_with_their_number() {
        let (folder, files) = pair("too-many");
        let one = std::fs::read_to_string(&files.cert_file).unwrap();
        std::fs::write(&files.cert_file, one.repeat(CERTIFICATES_MAX)).unwrap();
        assert!(files.server_config().is_ok());
        std::fs::write(&files.cert_file, one.repeat(CERTIFICATES_MAX + 1)).unwrap();
        let refused = files.server_config().unwrap_err();
        assert!(matches!(refused, ServerTlsError::TooMany { count: 101, .. }), "{refused}");
        assert!(refused.to_string().contains("holds 101 certificates"), "{refused}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
