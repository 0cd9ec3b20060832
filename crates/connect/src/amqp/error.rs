//! What can go wrong with a peer of AMQP 1.0, and what the supervisor and the operator should do.

use fe2o3_amqp::{
    connection::{ConnectionStopReason, OpenError},
    link::{DetachError, LinkStateError, SendError, SenderAttachError, SessionStopReason},
    session::BeginError,
};
use fe2o3_amqp_types::{definitions::AmqpError, sasl::SaslCode};
use pluvio_runtime::{Failure, Response};
use pluvio_secret::SecretError;

use super::{
    frame::Refusal,
    said::{NOT_NOW, Said},
};
use crate::endpoint::broker::PeerError;

/// Why events could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no connection.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// A secret cannot be read.
    #[error("failed to read a secret")]
    Secret(#[from] SecretError),
    /// The peer does not take the login.
    #[error("{broker} refuses the login")]
    Login {
        /// Host and port.
        broker: String,
        /// What SASL says.
        code: SaslCode,
    },
    /// The peer speaks something else.
    #[error("{broker} does not speak AMQP 1.0")]
    NotAmqp {
        /// Host and port.
        broker: String,
    },
    /// It says nothing.
    #[error("{broker} does not answer")]
    Silent {
        /// Host and port.
        broker: String,
    },
    /// The connection has ended.
    #[error("connection to {broker} was cut")]
    Cut {
        /// Host and port.
        broker: String,
    },
    /// The connection ended while it was opened.
    #[error("{broker} ended the connection before it was open")]
    Unopened {
        /// Host and port.
        broker: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The peer sent a frame that is not handed on.
    #[error("failed to read from {broker}")]
    Frame {
        /// Host and port.
        broker: String,
        /// What is wrong with it.
        source: Refusal,
    },
    /// The connection was not opened.
    #[error("failed to open a connection to {broker}")]
    Open {
        /// Host and port.
        broker: String,
        /// What went wrong.
        source: Box<OpenError>,
    },
    /// The session was not begun.
    #[error("failed to begin a session at {broker}")]
    Begin {
        /// Host and port.
        broker: String,
        /// What went wrong.
        source: Box<BeginError>,
    },
    /// The link was not attached.
    #[error("failed to attach to `{address}`")]
    Attach {
        /// The queue or topic.
        address: String,
        /// What went wrong.
        source: Box<SenderAttachError>,
    },
    /// The link is no longer attached.
    #[error("failed to send to `{address}`")]
    Send {
        /// The queue or topic.
        address: String,
        /// What went wrong.
        source: Box<SendError>,
    },
    /// The peer has ended the link.
    #[error("the link to `{address}` was detached, and it was not said why")]
    Detached {
        /// The queue or topic.
        address: String,
    },
    /// The peer says no, and why.
    #[error("`{address}` refuses: {said}")]
    Refused {
        /// The queue or topic; or the peer.
        address: String,
        /// Why.
        said: Said,
    },
}

/// Whom the end of a link may be blamed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// No message.
    None,
    /// One of those without an answer.
    Some,
    /// The largest of these.
    Largest,
}

impl Error {
    pub(super) fn open(broker: String, source: OpenError) -> Self {
        match source {
            OpenError::SaslError { code, .. } => Self::Login { broker, code },
            OpenError::ProtocolHeaderMismatch(_) => Self::NotAmqp { broker },
            OpenError::RemoteClosedWithError(error) => {
                Self::Refused { address: broker, said: Said::from(&error) }
            }
            OpenError::Io(source) => Self::Unopened { broker, source },
            source => Self::Open { broker, source: Box::new(source) },
        }
    }

    pub(super) fn begin(broker: String, source: BeginError) -> Self {
        let said = match &source {
            BeginError::RemoteEndedWithError(error) => Some(Said::from(error)),
            BeginError::ConnectionStopped(reason) => of_connection(reason),
            _ => None,
        };
        match said {
            Some(said) => Self::Refused { address: broker, said },
            None => Self::Begin { broker, source: Box::new(source) },
        }
    }

    pub(super) fn attach(address: String, source: SenderAttachError) -> Self {
        let said = match &source {
            SenderAttachError::RemoteClosedWithError(error) => Some(Said::from(error)),
            SenderAttachError::SessionStopped(reason) => of_session(reason),
            _ => None,
        };
        match said {
            Some(said) => Self::Refused { address, said },
            None => Self::Attach { address, source: Box::new(source) },
        }
    }

    pub(super) fn send(broker: String, address: String, source: SendError) -> Self {
        let said = match &source {
            SendError::LinkStateError(error) => of_link(error),
            SendError::Detached(error) => of_detach(error),
            _ => None,
        };
        if let Some(said) = said {
            return Self::Refused { address, said };
        }
        #[expect(deprecated, reason = "the client still says it")]
        match source {
            SendError::LinkStateError(
                LinkStateError::SessionStopped(_) | LinkStateError::IllegalState,
            )
            | SendError::Detached(DetachError::SessionStopped(_) | DetachError::IllegalState) => {
                Self::Cut { broker }
            }
            SendError::LinkStateError(
                LinkStateError::RemoteDetached | LinkStateError::RemoteClosed,
            )
            | SendError::Detached(DetachError::DetachedByRemote | DetachError::ClosedByRemote) => {
                Self::Detached { address }
            }
            source => Self::Send { address, source: Box::new(source) },
        }
    }

    /// Whether a message may have ended it.
    pub(super) fn blame(&self) -> Blame {
        match self {
            Self::Cut { .. } | Self::Send { .. } | Self::Detached { .. } | Self::Frame { .. } => {
                Blame::Some
            }
            Self::Refused { said, .. } if said.is_about_size() => Blame::Largest,
            Self::Refused { said, .. } if said.is_about_some() => Blame::Some,
            _ => Blame::None,
        }
    }

    fn said(&self) -> Option<&Said> {
        match self {
            Self::Refused { said, .. } => Some(said),
            _ => None,
        }
    }
}

fn of_link(error: &LinkStateError) -> Option<Said> {
    match error {
        LinkStateError::SessionStopped(reason) => of_session(reason),
        LinkStateError::RemoteDetachedWithError(error)
        | LinkStateError::RemoteClosedWithError(error) => Some(error.into()),
        _ => None,
    }
}

fn of_detach(error: &DetachError) -> Option<Said> {
    match error {
        DetachError::SessionStopped(reason) => of_session(reason),
        DetachError::RemoteDetachedWithError(error) | DetachError::RemoteClosedWithError(error) => {
            Some(error.into())
        }
        _ => None,
    }
}

fn of_session(reason: &SessionStopReason) -> Option<Said> {
    match reason {
        SessionStopReason::RemoteEndedWithError(error) => Some(error.into()),
        SessionStopReason::ConnectionStopped(reason) => of_connection(reason),
        _ => None,
    }
}

fn of_connection(reason: &ConnectionStopReason) -> Option<Said> {
    match reason {
        ConnectionStopReason::RemoteClosedWithError(error) => Some(error.into()),
        _ => None,
    }
}

impl Failure for Error {
    fn response(&self) -> Response {
        let is_refused = |said: &Said| said.is(&AmqpError::UnauthorizedAccess);
        match self {
            Self::Login { code: SaslCode::Auth, .. } => Response::Denied,
            _ if self.said().is_some_and(is_refused) => Response::Denied,
            _ => Response::Retry,
        }
    }

    fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Peer(error) => return error.remedy(),
            Self::Login { .. } => {
                "check `username` and `password`, and that the broker takes SASL PLAIN (without \
                 `username`: ANONYMOUS) there"
            }
            Self::NotAmqp { .. } => {
                "check the port, and whether the broker wants TLS (amqps://); for RabbitMQ before 4 \
                 use type = \"rabbitmq\""
            }
            Self::Refused { said, .. } if said.is(&AmqpError::UnauthorizedAccess) => {
                "check `username` and `password`, and let this user send to `address`"
            }
            Self::Refused { said, .. } if said.is(&AmqpError::NotFound) => {
                "make that queue or topic at the broker, or choose another `address`"
            }
            // It goes away, or is busy: nothing of ours is wrong.
            Self::Refused { said, .. } if NOT_NOW.contains(&said.condition.as_str()) => {
                return None;
            }
            // Artemis calls a missing right an internal error.
            Self::Refused { .. } => "check `address`, and what the broker lets `username` do",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_is_restarted_is_told_without_a_remedy_for_rights() {
        let refused = |condition: &str| {
            let said = Said { condition: condition.to_owned(), description: None };
            Error::Refused { address: "q".to_owned(), said }.remedy()
        };
        assert_eq!(refused("amqp:connection:forced"), None);
        assert!(refused("amqp:internal-error").is_some_and(|remedy| remedy.contains("username")));
    }

    #[test]
    fn a_link_that_ends_is_blamed_on_a_message_only_if_one_can_be_the_cause() {
        for (condition, blame) in [
            ("amqp:link:message-size-exceeded", Blame::Largest),
            ("amqp:decode-error", Blame::Some),
            ("amqp:internal-error", Blame::Some),
            ("amqp:connection:forced", Blame::None),
            ("amqp:unauthorized-access", Blame::None),
            ("amqp:link:stolen", Blame::None),
        ] {
            let said = Said { condition: condition.to_owned(), description: None };
            let refused = Error::Refused { address: "q".to_owned(), said };
            assert_eq!(refused.blame(), blame, "{condition}");
        }
        assert_eq!(Error::Cut { broker: "b".to_owned() }.blame(), Blame::Some);
        let detached = Error::Detached { address: "q".to_owned() };
        assert_eq!(detached.blame(), Blame::Some);
        let frame = Error::Frame { broker: "b".to_owned(), source: Refusal::Malformed };
        assert_eq!(frame.blame(), Blame::Some);
        assert_eq!(Error::Silent { broker: "b".to_owned() }.blame(), Blame::None);
    }
}
