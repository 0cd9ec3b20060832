//! Why no answer came, in the words an operator acts on.
//!
//! reqwest has one error type and a chain of causes under it. The chain is searched once, here, by
//! type and never by text, so that a caller can match on what happened.

use std::io::ErrorKind;

use super::BODY_BYTES_MAX;
use super::resolve::ResolveError;
use crate::chain::of_type;
use crate::tls::Untrusted;

/// A request which got no answer. Every variant names the host, none the address's path or query.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The name has no address.
    #[error("failed to resolve host name of {host}")]
    NotResolved {
        /// Host and port.
        host: String,
        /// The resolver's answer.
        #[source]
        source: reqwest::Error,
    },
    /// Nobody listens there.
    #[error("connection to {host} was refused")]
    Refused {
        /// Host and port.
        host: String,
        /// What the system said.
        #[source]
        source: reqwest::Error,
    },
    /// The connection ended before the answer did.
    #[error("connection to {host} was closed by the peer")]
    Reset {
        /// Host and port.
        host: String,
        /// What the system said.
        #[source]
        source: reqwest::Error,
    },
    /// No connection, or no whole answer, in time.
    #[error("{}", waited_for.missed(host))]
    TimedOut {
        /// Host and port.
        host: String,
        /// What did not come.
        waited_for: Part,
        /// reqwest's own.
        #[source]
        source: reqwest::Error,
    },
    /// The certificate is not trusted; says what to do.
    #[error(
        "certificate of {host} is not trusted ({}); its SHA-256 thumbprint is {}: \
         set tls.thumbprint or tls.ca_file",
        untrusted.reason,
        untrusted.thumbprint
    )]
    Untrusted {
        /// Host and port.
        host: String,
        /// The reason and the thumbprint seen.
        untrusted: Untrusted,
    },
    /// TLS failed for another reason than trust.
    #[error("TLS handshake with {host} failed")]
    Tls {
        /// Host and port.
        host: String,
        /// What rustls said.
        #[source]
        source: rustls::Error,
    },
    /// The answer is longer than [`BODY_BYTES_MAX`].
    #[error("answer of {host} is larger than {BODY_BYTES_MAX} bytes")]
    TooLarge {
        /// Host and port.
        host: String,
    },
    /// The rest: no valid HTTP, broken compression, no route.
    #[error("request to {host} failed")]
    Other {
        /// Host and port.
        host: String,
        /// reqwest's own.
        #[source]
        source: reqwest::Error,
    },
}

/// What was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The connection.
    Connection,
    /// Status and headers.
    Head,
    /// What follows them.
    Body,
}

impl Part {
    fn missed(self, host: &str) -> String {
        match self {
            Part::Connection => format!("no connection to {host} in time"),
            Part::Head => format!("{host} did not answer in time, though it took the request"),
            Part::Body => format!("the answer of {host} began and did not end in time"),
        }
    }

    /// Where to look.
    fn remedy(self) -> &'static str {
        match self {
            Part::Connection => "check the route and the firewalls between here and there",
            Part::Head | Part::Body => {
                "look at the load and the log of the server, and of a proxy before it; the way there \
                 is open"
            }
        }
    }
}

impl HttpError {
    /// What an operator can do about it, as an imperative clause; keys are those of a section with
    /// `url` and `tls`.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            HttpError::NotResolved { .. } => "check the host name in `url`, and the name server",
            HttpError::Refused { .. } => "check host and port in `url`, and that the server runs",
            HttpError::TimedOut { waited_for, .. } => waited_for.remedy(),
            HttpError::Untrusted { untrusted, .. } => {
                return Some(format!(
                    "compare the thumbprint with the server's own, then set tls.thumbprint = \
                     \"{}\"; or set tls.ca_file",
                    untrusted.thumbprint
                ));
            }
            HttpError::Tls { .. } => {
                "check that the server speaks TLS on that port, and whether it demands a \
                 certificate: tls.cert_file and tls.key_file"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }

    /// Names what happened to a request to `host` while `waited_for` was expected.
    pub fn classify(host: &str, error: reqwest::Error, waited_for: Part) -> HttpError {
        // The address may hold a token; the host is named by us.
        let source = error.without_url();
        let host = host.to_owned();
        if let Some(untrusted) = Untrusted::find(&source) {
            return HttpError::Untrusted { host, untrusted: untrusted.clone() };
        }
        if let Some(tls) = of_type::<rustls::Error>(&source).next() {
            return HttpError::Tls { host, source: tls.clone() };
        }
        if of_type::<ResolveError>(&source).next().is_some() {
            return HttpError::NotResolved { host, source };
        }
        if source.is_timeout() {
            let waited_for = if source.is_connect() { Part::Connection } else { waited_for };
            return HttpError::TimedOut { host, waited_for, source };
        }
        if of_type::<hyper::Error>(&source).any(hyper::Error::is_incomplete_message) {
            return HttpError::Reset { host, source };
        }
        match of_type::<std::io::Error>(&source).last().map(std::io::Error::kind) {
            Some(ErrorKind::ConnectionRefused) => HttpError::Refused { host, source },
            Some(ErrorKind::TimedOut) => HttpError::TimedOut { host, waited_for, source },
            Some(
                ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof,
            ) => HttpError::Reset { host, source },
            _ => HttpError::Other { host, source },
        }
    }
}
