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

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
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

    pub(super) fn refusal(reason: String, certificate: &CertificateDer<'_>) -> Error {
        let untrusted = Untrusted { reason, thumbprint: Thumbprint::sha256_of(certificate) };
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(untrusted))))
    }
}

/// webpki's verdict, with the thumbprint when it is a refusal.
///
/// One refusal is reconsidered: a self-signed certificate as common tools make it says that it is an
/// authority, and webpki takes no authority for a server. Where the operator named that very
/// certificate in `tls.ca_file`, he trusts it; name, validity and signature are checked all the same.
#[derive(Debug)]
pub(super) struct Explaining {
    inner: Arc<WebPkiServerVerifier>,
    /// Certificates of `tls.ca_file`; empty for the system's roots.
    named: Vec<CertificateDer<'static>>,
}

impl Explaining {
    pub(super) fn new(
        inner: Arc<WebPkiServerVerifier>,
        named: Vec<CertificateDer<'static>>,
    ) -> Explaining {
        Explaining { inner, named }
    }

    /// Whether webpki's only objection is that a named certificate is an authority's. It looks at the
    /// validity before that and at the name after it.
    fn is_named(
        &self,
        error: &Error,
        end_entity: &CertificateDer<'_>,
        server_name: &ServerName<'_>,
    ) -> bool {
        let Error::InvalidCertificate(CertificateError::Other(OtherError(other))) = error else {
            return false;
        };
        matches!(other.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
            && self.named.iter().any(|named| named == end_entity)
            && ParsedCertificate::try_from(end_entity)
                .and_then(|parsed| verify_server_name(&parsed, server_name))
                .is_ok()
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
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            Err(error) if self.is_named(&error, end_entity, server_name) => {
                Ok(ServerCertVerified::assertion())
            }
            other => other.map_err(|error| Untrusted::refusal(reason_of(&error), end_entity)),
        }
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
        CertificateError::Other(OtherError(other))
            if matches!(other.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity)) =>
        {
            "it is a certificate of an authority, not of a server; name this very certificate in \
             tls.ca_file to trust it"
        }
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
