//! Why a call gave no result, and what that says to whoever decides what to do.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use jiff::SignedDuration;
use pluvio_net::{HttpError, Untrusted};

use super::answer::{BrokenAnswer, Fault, FaultKind, ForeignAnswer, ServerDate};

/// From here on a difference of clocks is told: smaller ones are no reason for anything.
const SKEW_TOLD: SignedDuration = SignedDuration::from_mins(1);

/// A call that gave no result. Each names the command; none holds a key, a signature or an address
/// with its query.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// CloudStack refused.
    #[error("{command} was refused: {fault}{}", Skew(fault.kind, *server))]
    Refused {
        /// The command.
        command: String,
        /// Why.
        fault: Box<Fault>,
        /// The server's clock.
        server: Option<ServerDate>,
    },
    /// Something else answered: a proxy, a login page; or in XML.
    #[error("{command} was not answered by CloudStack's API: {answer}")]
    Foreign {
        /// The command.
        command: String,
        /// What it was.
        answer: Box<ForeignAnswer>,
    },
    /// The answer is broken.
    #[error("answer to {command} cannot be read: {broken}")]
    Malformed {
        /// The command.
        command: String,
        /// Where and how.
        broken: Box<BrokenAnswer>,
    },
    /// The answer is whole, and lacks what it must hold.
    #[error("answer to {command} holds no valid {expected}; is this a CloudStack?")]
    Unexpected {
        /// The command.
        command: String,
        /// What is missing.
        expected: String,
    },
    /// The password is right, and the account wants a second factor, which no program has.
    #[error("the account needs a second factor; use API keys, or an account without one")]
    SecondFactor,
    /// No answer came.
    #[error("{command} got no answer")]
    Transport {
        /// The command.
        command: String,
        /// Which part of the way failed.
        #[source]
        source: HttpError,
    },
}

impl Error {
    /// The server's error, where it refused.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Error::Refused { fault, .. } => Some(fault),
            _ => None,
        }
    }

    /// What the server's error means, where it refused.
    pub fn kind(&self) -> Option<FaultKind> {
        self.fault().map(|fault| fault.kind)
    }

    /// Whether credentials or rights are missing: the same call will fail until somebody acts, and
    /// accounts lock after a few wrong passwords.
    pub fn is_denied(&self) -> bool {
        match self {
            Error::Refused { fault, .. } => matches!(
                fault.kind,
                FaultKind::Unauthorized | FaultKind::SecondFactor | FaultKind::AccountDenied
            ),
            Error::Foreign { answer, .. } => {
                matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            }
            Error::SecondFactor => true,
            Error::Malformed { .. } | Error::Unexpected { .. } | Error::Transport { .. } => false,
        }
    }

    /// Whether the same call may succeed soon without anybody acting.
    pub fn is_worth_retrying(&self) -> bool {
        match self {
            Error::Refused { fault, .. } => matches!(
                fault.kind,
                FaultKind::RateLimited { .. }
                    | FaultKind::Unavailable
                    | FaultKind::Internal
                    | FaultKind::Resource
            ),
            Error::Foreign { answer, .. } => {
                answer.status.is_server_error()
                    || matches!(
                        answer.status,
                        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
                    )
            }
            Error::Malformed { .. } => true,
            Error::Unexpected { .. } | Error::SecondFactor => false,
            Error::Transport { source, .. } => !matches!(source, HttpError::Untrusted { .. }),
        }
    }

    /// How long the server asks us to wait; an hour at most.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Error::Refused { fault, .. } => match fault.kind {
                FaultKind::RateLimited { wait } => wait,
                _ => None,
            },
            Error::Foreign { answer, .. } => answer.retry_after,
            _ => None,
        }
    }

    /// The server's clock minus ours, where it refused: if that is minutes, a 401 is the clock's.
    pub fn skew(&self) -> Option<SignedDuration> {
        match self {
            Error::Refused { server, .. } => server.map(|server| server.skew),
            _ => None,
        }
    }

    /// The certificate that was refused, where that is why no answer came.
    pub fn untrusted(&self) -> Option<&Untrusted> {
        match self {
            Error::Transport { source: HttpError::Untrusted { untrusted, .. }, .. } => {
                Some(untrusted)
            }
            _ => None,
        }
    }
}

/// Says which clock is ahead where that may be the reason.
struct Skew(FaultKind, Option<ServerDate>);

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(skew) = self.1.map(|server| server.skew) else { return Ok(()) };
        if self.0 != FaultKind::Unauthorized || skew.abs() < SKEW_TOLD {
            return Ok(());
        }
        // Ours, seen from the server's: that is the one an operator can set.
        let direction = if skew.is_negative() { "ahead of" } else { "behind" };
        write!(f, "; our clock is {} min {direction} the server's", skew.abs().as_mins())
    }
}
