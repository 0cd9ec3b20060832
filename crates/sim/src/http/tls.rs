//! TLS for simulated clouds: many clients of vCenter speak nothing else.
//!
//! It refuses to ask clients for certificates, and to renew its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::error::Error;

/// What a simulated cloud shows to its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// A certificate that it makes and signs itself at each start, for `localhost` and the address that it
    /// listens on. Nobody trusts it unless told to.
    Made,
    /// Somebody's own.
    Files {
        /// PEM file with the certificate, followed by the intermediate ones.
        cert_file: PathBuf,
        /// PEM file with the private key.
        key_file: PathBuf,
    },
}

/// A certificate that is ready to be shown.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) acceptor: TlsAcceptor,
    /// The first of the chain, as DER.
    pub(crate) certificate: Vec<u8>,
}

impl Tls {
    /// Makes or reads it.
    pub(crate) fn prepare(&self, address: SocketAddr) -> Result<Shown, Error> {
        let (chain, key) = match self {
            Self::Made => {
                let names = ["localhost".to_owned(), address.ip().to_string()];
                let made = rcgen::generate_simple_self_signed(names).map_err(Error::Certificate)?;
                let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
                (vec![made.cert.der().clone()], PrivateKeyDer::from(key))
            }
            Self::Files { cert_file, key_file } => (chain(cert_file)?, key(key_file)?),
        };
        let certificate = chain.first().map(|first| first.to_vec()).unwrap_or_default();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
            .map_err(Error::Tls)?;
        Ok(Shown { acceptor: TlsAcceptor::from(Arc::new(config)), certificate })
    }
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(path, &error))
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| unreadable(path, &error))
}

/// Says what is wrong with a file, without a letter of what is in it: the reader quotes a whole line, which is all
/// of a key whose line ends were lost.
fn unreadable(path: &Path, error: &pem::Error) -> Error {
    let reason = match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "it holds nothing of the kind".to_owned(),
        pem::Error::MissingSectionEnd { .. } | pem::Error::IllegalSectionStart { .. } => {
            "its marks do not stand on lines of their own; were the line ends lost?".to_owned()
        }
        _ => "what stands between its marks cannot be decoded".to_owned(),
    };
    Error::Pem { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn somebodys_own_certificate_is_shown_and_a_file_that_is_none_is_named() {
        let folder = std::env::temp_dir().join(format!("pluvio-sim-tls-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (cert_file, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&cert_file, made.cert.pem()).unwrap();
        std::fs::write(&key_file, "no key").unwrap();
        let files = Tls::Files { cert_file, key_file: key_file.clone() };
        let address = "127.0.0.1:0".parse().unwrap();
        let refused = files.prepare(address).err().unwrap().to_string();
        assert!(refused.contains("key.pem") && refused.contains("PEM"), "{refused}");
        let line = made.signing_key.serialize_pem().replace('\n', " ");
        std::fs::write(&key_file, &line).unwrap();
        let refused =
            files.prepare(address).err().map(|error| format!("{error} {error:?}")).unwrap();
        assert!(refused.contains("line ends") && !refused.contains("45, 45"), "{refused}");
        std::fs::write(&key_file, made.signing_key.serialize_pem()).unwrap();
        assert_eq!(files.prepare(address).unwrap().certificate, made.cert.der().to_vec());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
