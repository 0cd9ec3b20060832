//! What can go wrong with RabbitMQ, and what the supervisor and the operator should do.

use std::io;

use pluvio_runtime::{Failure, Response};
use pluvio_secret::SecretError;

use super::said::{Malformed, Refusal};
use crate::endpoint::broker::PeerError;

/// A message is larger than the broker takes.
const CONTENT_TOO_LARGE: u16 = 311;
const PRECONDITION_FAILED: u16 = 406;
/// How RabbitMQ begins to say that of a message's size: it has no code of its own.
const MESSAGE_SIZE: &str = "message size";
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const NOT_ALLOWED: u16 = 530;

/// Why events could not be published.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no connection.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// A secret cannot be read.
    #[error("failed to read a secret")]
    Secret(#[from] SecretError),
    /// It says nothing.
    #[error("{broker} does not answer")]
    Silent {
        /// Host and port.
        broker: String,
    },
    /// The connection is cut.
    #[error("connection to {broker} was cut")]
    Cut {
        /// Host and port.
        broker: String,
        /// What the system said.
        source: io::Error,
    },
    /// It speaks something else.
    #[error("failed to read what {broker} says")]
    NotAmqp {
        /// Host and port.
        broker: String,
        /// What is wrong with it.
        source: Malformed,
    },
    /// It answers something that was not asked.
    #[error("{broker} sent an unexpected frame")]
    OutOfTurn {
        /// Host and port.
        broker: String,
    },
    /// The broker does not let us in.
    #[error("{broker} refuses the connection: {refusal}")]
    Login {
        /// Host and port.
        broker: String,
        /// Why.
        refusal: Refusal,
    },
    /// The exchange is not there, or not for us.
    #[error("exchange `{exchange}` cannot be used: {refusal}")]
    Exchange {
        /// Its name.
        exchange: String,
        /// Why.
        refusal: Refusal,
    },
    /// The broker ended the connection.
    #[error("{broker} ended the connection: {refusal}")]
    Closed {
        /// Host and port.
        broker: String,
        /// Why.
        refusal: Refusal,
    },
    /// No queue is bound for a routing key.
    #[error("no queue is bound to exchange `{exchange}` for `{routing_key}`: {refusal}")]
    Unroutable {
        /// Its name.
        exchange: String,
        /// The key of the first event without a queue.
        routing_key: String,
        /// Why it came back.
        refusal: Refusal,
    },
}

/// Whom the end of a channel or a connection may be blamed on.
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
    /// Whether an event may have ended it.
    pub(super) fn blame(&self) -> Blame {
        let refusal = match self {
            Self::Cut { .. } => return Blame::Some,
            Self::Closed { refusal, .. } => refusal,
            _ => return Blame::None,
        };
        match refusal.code {
            CONTENT_TOO_LARGE => Blame::Largest,
            PRECONDITION_FAILED if refusal.text.contains(MESSAGE_SIZE) => Blame::Largest,
            // Frame, syntax and internal errors.
            PRECONDITION_FAILED | 501..=506 | 540 | 541 => Blame::Some,
            // Shut down (320), not allowed, or not there.
            _ => Blame::None,
        }
    }

    /// What ended the channel is about this exchange, unless it is about a message.
    pub(super) fn at(self, exchange: &str) -> Self {
        match self {
            error if error.blame() != Blame::None => error,
            Self::Closed { refusal, .. } => {
                Self::Exchange { exchange: exchange.to_owned(), refusal }
            }
            error => error,
        }
    }

    fn code(&self) -> Option<u16> {
        match self {
            Self::Login { refusal, .. }
            | Self::Exchange { refusal, .. }
            | Self::Closed { refusal, .. } => Some(refusal.code),
            _ => None,
        }
    }
}

impl Failure for Error {
    fn response(&self) -> Response {
        match self.code() {
            Some(ACCESS_REFUSED | NOT_ALLOWED) => Response::Denied,
            _ => Response::Retry,
        }
    }

    fn remedy(&self) -> Option<String> {
        let text = match (self, self.code()) {
            (Self::Peer(error), _) => return error.remedy(),
            (Self::Login { .. }, Some(ACCESS_REFUSED)) => "check `username` and `password`",
            (Self::Login { .. }, Some(NOT_ALLOWED)) => {
                "check the virtual host at the end of `url`, and that `username` may use it"
            }
            (Self::Exchange { .. }, Some(ACCESS_REFUSED)) => {
                "let `username` write to that exchange: rabbitmqctl set_permissions"
            }
            (Self::Exchange { .. }, Some(NOT_FOUND)) => {
                "declare that exchange at the broker, or choose another `exchange`"
            }
            (Self::NotAmqp { .. } | Self::Silent { .. }, _) => {
                "check that RabbitMQ listens there, and whether it wants TLS (amqps://)"
            }
            (Self::Unroutable { .. }, _) => {
                "bind a queue to that exchange for such keys, change `routing_key`, or set \
                 mandatory = false if such events may be lost"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}
