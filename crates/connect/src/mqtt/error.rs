//! What can go wrong with a broker, and what the supervisor and the operator should do.

use std::io;

use pluvio_runtime::{Failure, Response};
use pluvio_secret::SecretError;
use rmqtt_codec::{
    error::{DecodeError, EncodeError},
    v3,
    v5::{ConnectAckReason, DisconnectReasonCode},
};

use crate::endpoint::broker::PeerError;

/// Why events could not be published.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no connection.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// A secret cannot be read.
    #[error("failed to read a secret")]
    Secret(#[from] SecretError),
    /// The broker refuses us, as 5 says it.
    #[error("{broker} refuses the connection: {}{}", .reason.reason(), told(.text.as_deref()))]
    Refused {
        /// Host and port.
        broker: String,
        /// Why.
        reason: ConnectAckReason,
        /// Why, in the broker's words.
        text: Option<String>,
    },
    /// The broker refuses us, as 3.1.1 says it.
    #[error("{broker} refuses the connection: {}", .reason.reason())]
    RefusedThree {
        /// Host and port.
        broker: String,
        /// Why.
        reason: v3::ConnectAckReason,
    },
    /// What the broker says first is no answer to a login.
    #[error("{broker} gives no MQTT {version} answer to our login")]
    NoAnswer {
        /// Host and port.
        broker: String,
        /// What we speak.
        version: super::Version,
        /// What came instead.
        source: io::Error,
    },
    /// It can do less than the configuration asks for.
    #[error("{broker} cannot do what `{key}` asks for")]
    Unable {
        /// Host and port.
        broker: String,
        /// The key.
        key: &'static str,
    },
    /// A publish is not allowed.
    #[error("not allowed to publish to `{topic}`{}", told(.text.as_deref()))]
    NotAllowed {
        /// The topic.
        topic: String,
        /// Why, in the broker's words.
        text: Option<String>,
    },
    /// A publish is refused for a reason that has nothing to do with the event.
    #[error("publish to `{topic}` failed with reason 0x{reason:02x}{}", told(.text.as_deref()))]
    Publish {
        /// The topic.
        topic: String,
        /// The reason code of MQTT 5.
        reason: u8,
        /// Why, in the broker's words.
        text: Option<String>,
    },
    /// The broker ended the connection and said why.
    #[error("{broker} ended the connection: {reason:?}{}", told(.text.as_deref()))]
    Ended {
        /// Host and port.
        broker: String,
        /// Why.
        reason: DisconnectReasonCode,
        /// Why, in the broker's words.
        text: Option<String>,
    },
    /// It is cut.
    #[error("connection to {broker} was cut")]
    Cut {
        /// Host and port.
        broker: String,
        /// What the system said.
        source: io::Error,
    },
    /// No answer to a ping.
    #[error("{broker} does not answer")]
    Silent {
        /// Host and port.
        broker: String,
    },
    /// What came is no MQTT.
    #[error("failed to read what {broker} says")]
    Decode {
        /// Host and port.
        broker: String,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// Our own packet cannot be written.
    #[error("failed to write a packet for {broker}")]
    Encode {
        /// Host and port.
        broker: String,
        /// What is wrong with it.
        source: EncodeError,
    },
}

/// Whom the end of a connection may be blamed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// No event.
    None,
    /// One of those without an answer.
    Some,
    /// The largest of these.
    Largest,
}

impl Error {
    /// Whether an event may have ended the connection; `is_templated`: each has a topic of its own.
    pub(super) fn blame(&self, is_templated: bool) -> Blame {
        use DisconnectReasonCode as Reason;
        match self {
            Self::Cut { .. } => Blame::Some,
            Self::Ended { reason: Reason::PacketTooLarge, .. } => Blame::Largest,
            Self::Ended { reason, .. } => match reason {
                Reason::UnspecifiedError
                | Reason::MalformedPacket
                | Reason::ProtocolError
                | Reason::ImplementationSpecificError
                | Reason::PayloadFormatInvalid => Blame::Some,
                Reason::TopicNameInvalid if is_templated => Blame::Some,
                // The broker shuts down, is busy, or does not want this connection.
                _ => Blame::None,
            },
            _ => Blame::None,
        }
    }
}

fn told(text: Option<&str>) -> String {
    text.map(|text| format!(" ({text})")).unwrap_or_default()
}

impl Failure for Error {
    fn response(&self) -> Response {
        let is_denied = match self {
            Self::Refused { reason, .. } => matches!(
                reason,
                ConnectAckReason::BadUserNameOrPassword
                    | ConnectAckReason::NotAuthorized
                    | ConnectAckReason::Banned
                    | ConnectAckReason::BadAuthenticationMethod
            ),
            Self::RefusedThree { reason, .. } => matches!(
                reason,
                v3::ConnectAckReason::BadUserNameOrPassword | v3::ConnectAckReason::NotAuthorized
            ),
            Self::Ended { reason, .. } => *reason == DisconnectReasonCode::NotAuthorized,
            Self::NotAllowed { .. } => true,
            _ => false,
        };
        if is_denied { Response::Denied } else { Response::Retry }
    }

    fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Peer(error) => return error.remedy(),
            Self::NotAllowed { .. } => {
                "let `username` publish to that topic, or choose another `topic`"
            }
            _ if self.response() == Response::Denied => {
                "check `username` and `password`, and that the broker lets this user and \
                 `client_id` in"
            }
            Self::Refused { reason: ConnectAckReason::UnsupportedProtocolVersion, .. }
            | Self::RefusedThree {
                reason: v3::ConnectAckReason::UnacceptableProtocolVersion,
                ..
            }
            | Self::NoAnswer { .. } => {
                "check that an MQTT broker listens there and speaks that `version`, and whether it \
                 wants TLS (mqtts://)"
            }
            Self::Refused { reason: ConnectAckReason::ClientIdentifierNotValid, .. }
            | Self::RefusedThree { reason: v3::ConnectAckReason::IdentifierRejected, .. } => {
                "choose another `client_id`"
            }
            Self::Unable { key, .. } => return Some(format!("change `{key}`")),
            Self::Ended { reason, .. } => match reason {
                DisconnectReasonCode::SessionTakenOver => {
                    "give each Pluvio a `client_id` of its own"
                }
                DisconnectReasonCode::PacketTooLarge => "lower `packet_size_max`",
                _ => return None,
            },
            Self::Publish { reason: super::packet::TOPIC_NAME_INVALID, .. } => {
                "choose another `topic`"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}
