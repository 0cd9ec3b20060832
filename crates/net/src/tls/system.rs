//! Trust in the system's root certificates, read at the first handshake that needs them.
//!
//! A client for an address without TLS has the same options as one with it, and a machine without
//! roots (a container made from nothing, for instance) must not refuse to start for roots that nobody
//! will ask. So the roots are read where they are needed, and their absence refuses one certificate.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::verifier::{Explaining, Untrusted};

/// What a server's certificate is refused with where the system has no roots.
const NO_ROOTS: &str = "this system has no trusted root certificates: install the package \
                        ca-certificates, or set tls.ca_file";

/// webpki's verdict by the system's roots.
#[derive(Debug)]
pub(super) struct SystemRoots {
    provider: Arc<CryptoProvider>,
    /// `None`: there are none.
    inner: OnceLock<Option<Explaining>>,
}

impl SystemRoots {
    /// Reads nothing yet.
    pub(super) fn new(provider: Arc<CryptoProvider>) -> SystemRoots {
        SystemRoots { provider, inner: OnceLock::new() }
    }

    fn read(&self) -> Option<Explaining> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::clone(&self.provider);
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        inner.build().ok().map(|inner| Explaining::new(inner, Vec::new()))
    }
}

impl ServerCertVerifier for SystemRoots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.inner.get_or_init(|| self.read()) {
            Some(inner) => {
                inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Err(Untrusted::refusal(NO_ROOTS.to_owned(), end_entity)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let schemes = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let schemes = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
