//! What can go wrong with Fluentd, and what the supervisor and the operator should do.

use std::{io, time::Duration};

use pluvio_net::{DialError, TlsError};
use pluvio_runtime::{Failure, Response};
use pluvio_secret::SecretError;

/// Why Fluentd cannot be written to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A secret cannot be read.
    #[error("failed to read `{key}`")]
    Secret {
        /// The key in the configuration.
        key: &'static str,
        /// What is wrong with the place.
        source: SecretError,
    },
    /// A certificate file changed for the worse since the start.
    #[error("failed to prepare TLS")]
    Tls(#[from] TlsError),
    /// The TCP or TLS connection could not be established.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection broke.
    #[error("connection to {peer} broke")]
    Broken {
        /// Host and port.
        peer: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server ended the connection.
    #[error("{peer} closed the connection")]
    Closed {
        /// Host and port.
        peer: String,
    },
    /// Nothing came in time.
    #[error("{peer} did not {what} within {}s", within.as_secs_f32())]
    Silent {
        /// Host and port.
        peer: String,
        /// What was waited for.
        what: &'static str,
        /// How long.
        within: Duration,
    },
    /// What came is not the forward protocol.
    #[error("{peer} sent something that is not the forward protocol")]
    Foreign {
        /// Host and port.
        peer: String,
    },
    /// The server wants a key, and there is none.
    #[error("{peer} wants a shared key")]
    KeyWanted {
        /// Host and port.
        peer: String,
    },
    /// The server does not accept us.
    #[error("{peer} refused us: {reason}")]
    Refused {
        /// Host and port.
        peer: String,
        /// Its words.
        reason: String,
    },
    /// The server does not know the key itself.
    #[error("{peer} does not know the shared key")]
    Impostor {
        /// Host and port.
        peer: String,
    },
}

impl Failure for Error {
    fn response(&self) -> Response {
        match self {
            Self::KeyWanted { .. } | Self::Refused { .. } | Self::Impostor { .. } => {
                Response::Denied
            }
            _ => Response::Retry,
        }
    }

    fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Dial(error) => return error.remedy(),
            Self::Silent { what: "say HELO", .. } => {
                "leave `shared_key` out if the server has none, or set `tls` if it wants that"
            }
            Self::Silent { .. } => "look at the server's own log; or raise `timeout`",
            Self::Foreign { .. } => "check `host`, `port` and `tls`",
            Self::KeyWanted { .. } => "set `shared_key`",
            Self::Refused { .. } => "check `shared_key`, `username` and `password`",
            Self::Impostor { .. } => "check `shared_key`, and that `host` is who you think",
            Self::Closed { .. } => {
                "check whether the server wants `tls` or a `shared_key`, and its own log"
            }
            Self::Secret { .. } | Self::Tls(_) | Self::Broken { .. } => return None,
        };
        Some(text.to_owned())
    }
}
