//! What can go wrong with a peer of AMQP 1.0, and what the supervisor and the operator should do.

use fe2o3_amqp::{
    connection::{ConnectionStopReason, OpenError},
    link::{DetachError, LinkStateError, SendError, SenderAttachError, SessionStopReason},
    session::BeginError,
};
use fe2o3_amqp_types::{
    definitions::{self, AmqpError, ErrorCondition},
    primitives::Symbol,
    sasl::SaslCode,
};
use pluvio_runtime::{Failure, Response};
use pluvio_secret::SecretError;

use super::frame::Refusal;
use crate::peer::PeerError;

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

/// What a peer says of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What kind it is, for example `amqp:not-found`.
    pub condition: String,
    /// In words.
    pub description: Option<String>,
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.description {
            Some(description) => write!(f, "{description} ({})", self.condition),
            None => f.write_str(&self.condition),
        }
    }
}

impl From<&definitions::Error> for Said {
    fn from(error: &definitions::Error) -> Self {
        let symbol = match &error.condition {
            ErrorCondition::AmqpError(condition) => Symbol::from(condition),
            ErrorCondition::ConnectionError(condition) => Symbol::from(condition),
            ErrorCondition::SessionError(condition) => Symbol::from(condition),
            ErrorCondition::LinkError(condition) => Symbol::from(condition),
            ErrorCondition::Custom(symbol) => symbol.clone(),
        };
        Self { condition: symbol.as_str().to_owned(), description: error.description.clone() }
    }
}

impl Said {
    fn is(&self, error: &AmqpError) -> bool {
        self.condition == Symbol::from(error).as_str()
    }

    /// Whether this would be said of any message.
    pub(super) fn is_about_all(&self) -> bool {
        self.is(&AmqpError::UnauthorizedAccess)
            || self.is(&AmqpError::NotFound)
            || self.is(&AmqpError::NotAllowed)
            || self.is(&AmqpError::NotImplemented)
            || self.is(&AmqpError::ResourceDeleted)
            || ABOUT_ALL.contains(&self.condition.as_str())
    }

    /// Whether the same message may be taken later: the peer is busy, full, or in trouble.
    pub(super) fn is_about_now(&self) -> bool {
        self.is(&AmqpError::ResourceLimitExceeded)
            || self.is(&AmqpError::InternalError)
            || self.is(&AmqpError::ResourceLocked)
            || self.is(&AmqpError::IllegalState)
            || NOT_NOW.contains(&self.condition.as_str())
    }

    /// Whether it is about a message's size.
    fn is_about_size(&self) -> bool {
        self.condition == MESSAGE_SIZE
    }

    /// Whether a peer that ends a link, a session or a connection so may do that because of a message.
    fn is_about_some(&self) -> bool {
        self.is(&AmqpError::DecodeError)
            || self.is(&AmqpError::InvalidField)
            || self.is(&AmqpError::InternalError)
            || self.is(&AmqpError::PreconditionFailed)
            || self.condition == "amqp:connection:framing-error"
    }
}

/// A message is larger than the link takes.
const MESSAGE_SIZE: &str = "amqp:link:message-size-exceeded";
/// What Azure's services say beside the standard, of a queue as a whole.
const ABOUT_ALL: [&str; 4] = [
    "com.microsoft:auth-failed",
    "com.microsoft:entity-disabled",
    "com.microsoft:publisher-revoked",
    "com.microsoft:address-already-in-use",
];
/// What peers say that are busy: Azure's services reject messages when they throttle, and so do peers
/// that move a link elsewhere.
const NOT_NOW: [&str; 9] = [
    "com.microsoft:server-busy",
    "com.microsoft:timeout",
    "com.microsoft:operation-cancelled",
    "com.microsoft:quota-exceeded",
    "com.microsoft:container-close",
    "com.microsoft:partition-not-owned",
    "amqp:connection:forced",
    "amqp:link:detach-forced",
    "amqp:link:transfer-limit-exceeded",
];

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
    fn what_a_peer_says_decides_who_is_to_blame() {
        for (condition, is_about_all, is_about_now) in [
            ("amqp:unauthorized-access", true, false),
            ("amqp:not-found", true, false),
            ("amqp:not-allowed", true, false),
            ("amqp:not-implemented", true, false),
            ("amqp:resource-deleted", true, false),
            ("com.microsoft:auth-failed", true, false),
            ("com.microsoft:entity-disabled", true, false),
            ("amqp:resource-limit-exceeded", false, true),
            ("amqp:resource-locked", false, true),
            ("amqp:internal-error", false, true),
            ("amqp:illegal-state", false, true),
            ("amqp:connection:forced", false, true),
            ("com.microsoft:server-busy", false, true),
            ("com.microsoft:timeout", false, true),
            ("com.microsoft:operation-cancelled", false, true),
            ("com.microsoft:quota-exceeded", false, true),
            // One message's own.
            ("amqp:invalid-field", false, false),
            ("amqp:decode-error", false, false),
            ("amqp:precondition-failed", false, false),
            ("amqp:link:message-size-exceeded", false, false),
            ("com.microsoft:argument-error", false, false),
        ] {
            let condition = ErrorCondition::Custom(Symbol::from(condition));
            let error = definitions::Error::new(condition, Some("no".to_owned()), None);
            let said = Said::from(&error);
            assert_eq!(said.is_about_all(), is_about_all, "{said}");
            assert_eq!(said.is_about_now(), is_about_now, "{said}");
        }
    }

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
