//! What can go wrong with a vCenter, and what the supervisor and the operator should do.

use pluvio_clouds::vsphere::{self as client, FaultKind};
use pluvio_log::{AppendError, PositionTooLong, ReadError};
use pluvio_net::{HttpError, Part, TlsError};
use pluvio_runtime::{Failure, Response};
use pluvio_secret::SecretError;

use super::{map::MapError, place::InvalidPlace};

/// Why capturing from a vCenter failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// User name or password cannot be read.
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
    /// The vCenter did not do what it was asked.
    #[error(transparent)]
    Call(#[from] client::Error),
    /// An answer ends in its middle. What it held is asked for again.
    #[error("the answer to {method} ends in the middle of its events")]
    Cut {
        /// The method.
        method: &'static str,
    },
    /// It is no vCenter.
    #[error("{name} is a single host, whose events cannot be collected")]
    Host {
        /// What it calls itself.
        name: String,
    },
    /// The log could not answer.
    #[error("failed to look up stored events")]
    History(#[from] ReadError),
    /// The stored position is not ours.
    #[error(transparent)]
    Place(#[from] InvalidPlace),
    /// Another cloud's position would be replaced.
    #[error("failed to keep the position of what was captured under this name before")]
    Kept(#[from] AppendError),
    /// The place would not fit into a record.
    #[error("failed to note the position")]
    Position(#[from] PositionTooLong),
    /// A record cannot be an event.
    #[error(transparent)]
    Map(#[from] MapError),
}

impl Failure for Error {
    fn response(&self) -> Response {
        match self {
            Self::Call(error) => match error.fault() {
                Some(FaultKind::InvalidLogin | FaultKind::NoPermission { .. }) => Response::Denied,
                _ => Response::Retry,
            },
            _ => Response::Retry,
        }
    }

    fn remedy(&self) -> Option<String> {
        let error = match self {
            Self::Call(error) => error,
            Self::Cut { .. } => {
                return Some(
                    "look at the limits and time-outs of a proxy before the vCenter; fewer events are \
                     asked for at once from now on"
                        .to_owned(),
                );
            }
            Self::Host { .. } => {
                return Some("set `url` to the vCenter that manages this host".to_owned());
            }
            _ => return None,
        };
        let text = match (error.fault(), error) {
            (Some(FaultKind::InvalidLogin), _) => {
                "check username and password; they are read again before the next attempt, which \
                 waits a minute or more so that the account is not locked"
            }
            (Some(FaultKind::NoPermission { .. }), _) => {
                "give the account the read-only role on the root folder, with propagation"
            }
            (Some(FaultKind::InvalidState), client::Error::Fault { method, .. }) => match *method {
                "CreateCollectorForEvents" => {
                    "too many event collectors: end other sessions of this account"
                }
                _ => "the vCenter lost what was being read: it is begun anew, nothing to do",
            },
            (None, client::Error::Transport { source, .. }) => return transport_remedy(source),
            (None, client::Error::Status { status, .. }) if status.is_server_error() => {
                "the vCenter is starting or overloaded: nothing to do"
            }
            (None, client::Error::Status { .. } | client::Error::Xml { .. }) => {
                "check that `url` leads to a vCenter and not to a proxy or another service"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

fn transport_remedy(error: &HttpError) -> Option<String> {
    let text = match error {
        HttpError::NotResolved { .. } => "check the host name in `url`, and the name server",
        HttpError::Refused { .. } => "check host and port in `url`, and that the vCenter runs",
        HttpError::TimedOut { waited_for: Part::Connection, .. } => {
            "check the route and the firewalls between here and there"
        }
        HttpError::TimedOut { waited_for: Part::Head | Part::Body, .. } => {
            "look at the load of the vCenter; the way there is open"
        }
        HttpError::Untrusted { untrusted, .. } => {
            return Some(format!(
                "compare the thumbprint with the vCenter's own, then set tls.thumbprint = \"{}\"; \
                 or set tls.ca_file",
                untrusted.thumbprint
            ));
        }
        _ => return None,
    };
    Some(text.to_owned())
}
