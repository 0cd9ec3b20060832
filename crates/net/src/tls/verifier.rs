//! The three ways to look at a server's certificate.
//!
//! [`Explaining`] asks webpki and, when it refuses, puts the thumbprint it saw *into the error*.
//! A side channel (a slot which the client reads afterwards) would mix up two connections that fail
//! at once; the error cannot. [`Untrusted::find`] digs it out of whatever wraps it.
//!
//! [`Pinned`] and [`AnyCertificate`] skip the chain but never the handshake's signature: without it
//! anyone could replay a certificate that he has no key for.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use crate::chain::of_type;
use crate::thumbprint::Thumbprint;

/// A certificate was refused: why, and what to pin if the operator knows better.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("certificate is not trusted ({reason}); its SHA-256 thumbprint is {thumbprint}")]
pub struct Untrusted {
    /// In a few words: `unknown issuer`, `expired`, `not valid for this name`, …
    pub reason: String,
    /// The SHA-256 thumbprint of the certificate that the server showed.
    pub thumbprint: Thumbprint,
}

impl Untrusted {
    /// Looks for a refused certificate in an error and everything that it wraps.
    pub fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Untrusted> {
        of_type::<Error>(error).find_map(Untrusted::inside)
    }

    fn inside(error: &Error) -> Option<&Untrusted> {
        match error {
            Error::InvalidCertificate(CertificateError::Other(OtherError(other))) => {
                other.downcast_ref()
            }
            _ => None,
        }
    }

    fn refusal(reason: String, certificate: &CertificateDer<'_>) -> Error {
        let untrusted = Untrusted { reason, thumbprint: Thumbprint::sha256_of(certificate) };
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(untrusted))))
    }
}

/// webpki's verdict, with the thumbprint when it is a refusal.
#[derive(Debug)]
pub(super) struct Explaining {
    inner: Arc<WebPkiServerVerifier>,
}

impl Explaining {
    pub(super) fn new(inner: Arc<WebPkiServerVerifier>) -> Explaining {
        Explaining { inner }
    }
}

impl ServerCertVerifier for Explaining {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.inner
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|error| Untrusted::refusal(reason_of(&error), end_entity))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Exactly one certificate, known by its digest.
pub(super) struct Pinned {
    pin: Thumbprint,
    schemes: WebPkiSupportedAlgorithms,
}

impl Pinned {
    pub(super) fn new(pin: Thumbprint, schemes: WebPkiSupportedAlgorithms) -> Pinned {
        Pinned { pin, schemes }
    }
}

/// Any certificate at all.
pub(super) struct AnyCertificate {
    schemes: WebPkiSupportedAlgorithms,
}

impl AnyCertificate {
    pub(super) fn new(schemes: WebPkiSupportedAlgorithms) -> AnyCertificate {
        AnyCertificate { schemes }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.pin.matches(end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Untrusted::refusal(format!("the pinned thumbprint is {}", self.pin), end_entity))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.supported_schemes()
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.supported_schemes()
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pinned({})", self.pin)
    }
}

impl fmt::Debug for AnyCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyCertificate")
    }
}

fn reason_of(error: &Error) -> String {
    let Error::InvalidCertificate(certificate) = error else {
        return error.to_string();
    };
    let words = match certificate {
        CertificateError::UnknownIssuer => "unknown issuer",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "not valid for this name"
        }
        CertificateError::Revoked => "revoked",
        CertificateError::BadEncoding => "damaged",
        CertificateError::BadSignature => "bad signature",
        _ => return other_reason(certificate),
    };
    words.to_owned()
}

/// webpki's own words for what rustls has no name for, such as a CA certificate used by a server.
fn other_reason(certificate: &CertificateError) -> String {
    match certificate {
        CertificateError::Other(OtherError(other)) => other.to_string(),
        named => named.to_string(),
    }
}
