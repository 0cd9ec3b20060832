//! What can go wrong with a CloudStack, and what the supervisor and the operator should do.

use jiff::SignedDuration;
use pluvio_clouds::cloudstack::{self as client, FaultKind};
use pluvio_log::{AppendError, PositionTooLong, ReadError};
use pluvio_net::{HttpError, Part, TlsError};
use pluvio_runtime::{Failure, Response};
use pluvio_secret::SecretError;

use super::{map::MapError, place::InvalidPlace};

/// Why capturing from a CloudStack failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Keys, user name or password cannot be read.
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
    /// The cloud did not do what it was asked.
    #[error(transparent)]
    Call(#[from] client::Error),
    /// The cloud refuses, and its clock is so far from ours that no signature would be accepted.
    #[error("cloud's clock is {} min {} ours", minutes(*skew), direction(*skew))]
    Clock {
        /// The cloud's clock minus ours.
        skew: SignedDuration,
        /// The refusal.
        source: Box<client::Error>,
    },
    /// The keys are accepted, and the command is not.
    #[error("the account may not call {command}")]
    Role {
        /// The command.
        command: &'static str,
        /// The refusal.
        source: Box<client::Error>,
    },
    /// The cloud ended a session that it had granted.
    #[error("session was ended by the cloud")]
    SessionEnded(#[source] Box<client::Error>),
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

fn minutes(skew: SignedDuration) -> i64 {
    (skew.abs().as_secs() + 30) / 60
}

fn direction(skew: SignedDuration) -> &'static str {
    if skew.is_negative() { "behind" } else { "ahead of" }
}

impl Error {
    /// Whether the server failed at what it was asked for: a row that it cannot print, or more time than it
    /// can search. Asked for less it may answer.
    pub(super) fn may_be_of_span(&self) -> bool {
        match self {
            Self::Call(client::Error::Refused { fault, .. }) => fault.kind == FaultKind::Internal,
            Self::Call(client::Error::Transport { source, .. }) => match source {
                HttpError::TimedOut { waited_for, .. } => *waited_for != Part::Connection,
                HttpError::TooLarge { .. } => true,
                _ => false,
            },
            Self::Call(client::Error::Foreign { answer, .. }) => {
                answer.status == http::StatusCode::GATEWAY_TIMEOUT
            }
            Self::Call(client::Error::Malformed { .. }) => true,
            _ => false,
        }
    }

    /// Whether the same question may well be answered at once: the answer was broken by a race in the server,
    /// or the server failed as busy ones do now and then. Nothing is wrong with the connection.
    pub(super) fn is_race(&self) -> bool {
        match self {
            Self::Call(client::Error::Malformed { .. }) => true,
            Self::Call(client::Error::Refused { fault, .. }) => {
                matches!(fault.kind, FaultKind::Internal | FaultKind::Unavailable)
            }
            _ => false,
        }
    }
}

impl Failure for Error {
    fn response(&self) -> Response {
        match self {
            Self::Call(error) => match error.wait() {
                Some(wait) => Response::Wait(wait),
                None if error.is_denied() => Response::Denied,
                None => Response::Retry,
            },
            Self::Clock { .. } | Self::Role { .. } => Response::Denied,
            _ => Response::Retry,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            Self::Clock { skew, .. } => Some(format!(
                "set both clocks by NTP: the cloud's is {} min {} ours; if they agree, check \
                 `api_key` and `secret_key`",
                minutes(*skew),
                direction(*skew)
            )),
            Self::Role { command: "listUsageRecords", .. } => Some(
                "allow listUsageRecords to the role of the account, or set `records` = false"
                    .to_owned(),
            ),
            Self::Role { command, .. } => {
                Some(format!("allow {command} to the role of the account"))
            }
            Self::Call(error) => call_remedy(error),
            Self::Place(InvalidPlace::Version { .. }) => {
                Some("start the Pluvio that wrote it, or a newer one".to_owned())
            }
            _ => None,
        }
    }
}

fn call_remedy(error: &client::Error) -> Option<String> {
    let text = match (error.kind(), error) {
        (Some(FaultKind::Unauthorized | FaultKind::AccountDenied), _) => {
            "check keys or password, that user and account are enabled, that API access is allowed \
             (api.key.access), and both clocks; secrets are read again before the next attempt, \
             which waits a minute or more so that the account is not locked"
        }
        (Some(FaultKind::SecondFactor), _) | (_, client::Error::SecondFactor) => {
            "use `api_key` and `secret_key`, or an account without a second factor"
        }
        (Some(FaultKind::RateLimited { .. }), _) => {
            "raise `poll_min` here, or api.throttling.max in the cloud"
        }
        (Some(FaultKind::Unavailable | FaultKind::Internal), _) => {
            "the management server is starting, stopping or overloaded: look at its log if it lasts"
        }
        (Some(FaultKind::Parameter), _) => "check that `domain_id` is the id of a domain",
        (None, client::Error::Transport { source, .. }) => return transport_remedy(source),
        (None, client::Error::Foreign { answer, .. }) if answer.status.is_server_error() => {
            "the proxy cannot reach the management server: check that it runs"
        }
        (None, client::Error::Foreign { .. } | client::Error::Unexpected { .. }) => {
            "check that `url` leads to CloudStack's API (…/client/api) and not to a proxy's page or \
             another service"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

fn transport_remedy(error: &HttpError) -> Option<String> {
    let text = match error {
        HttpError::NotResolved { .. } => "check the host name in `url`, and the name server",
        HttpError::Refused { .. } => "check host and port in `url`, and that the cloud runs",
        HttpError::TimedOut { waited_for: Part::Head | Part::Body, .. } => {
            "look at the load of the management server and of its database; if only listing events \
             is slow, purge the cloud's events (event.purge.delay)"
        }
        HttpError::TimedOut { waited_for: Part::Connection, .. } => {
            "check the route and the firewalls between here and there"
        }
        HttpError::TooLarge { .. } => "lower `page_size`",
        HttpError::Untrusted { untrusted, .. } => {
            return Some(format!(
                "compare the thumbprint with the cloud's own, then set tls.thumbprint = \"{}\"; \
                 or set tls.ca_file",
                untrusted.thumbprint
            ));
        }
        _ => return None,
    };
    Some(text.to_owned())
}
