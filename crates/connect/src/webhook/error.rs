//! What can go wrong with a webhook, and what the supervisor and the operator should do.

use std::time::Duration;

use http::StatusCode;
use pluvio_net::{DialError, HttpError, TlsError};
use pluvio_runtime::{Failure, Response};

use crate::endpoint::http::IdentityError;

/// Why a webhook cannot be written to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something secret cannot be read or sent.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The key cannot sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A certificate file changed for the worse since the start.
    #[error("failed to prepare TLS")]
    Tls(#[from] TlsError),
    /// The TCP or TLS connection could not be established.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// A request got no answer.
    #[error(transparent)]
    Transport(#[from] HttpError),
    /// The address says that it is another one.
    #[error("{host} answered {}: it sends on to {to}", status.as_u16())]
    Redirected {
        /// Who answered.
        host: String,
        /// How.
        status: StatusCode,
        /// The host in `Location`.
        to: String,
    },
    /// The address is gone for good.
    #[error("{host} answered 410: the webhook is gone for good")]
    Gone {
        /// Who answered.
        host: String,
    },
    /// An answer that would be the same for any event.
    #[error("{host} answered {}{text}", status.as_u16())]
    Answered {
        /// Who answered.
        host: String,
        /// How.
        status: StatusCode,
        /// The beginning of its words, behind `: `.
        text: String,
    },
}

/// The key is none for this way to sign.
#[derive(Debug, thiserror::Error)]
#[error("`secret` is no key of Standard Webhooks, which is `whsec_` and base64 behind it")]
pub struct KeyError;

/// 410 Gone is permanent, so retry only once a day, in case the receiver sent it by mistake.
const GONE_PAUSE: Duration = Duration::from_secs(86_400);

impl Failure for Error {
    fn response(&self) -> Response {
        match self {
            Self::Gone { .. } => Response::Wait(GONE_PAUSE),
            Self::Answered { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, .. } => {
                Response::Denied
            }
            _ => Response::Retry,
        }
    }

    fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Identity(IdentityError::Characters { .. }) => {
                "check that the secret is one line of printable text"
            }
            Self::Key(_) => {
                "set `secret` to a key that begins with `whsec_`, or change `signature`"
            }
            Self::Dial(error) => return error.remedy(),
            Self::Transport(error) => return error.remedy(),
            Self::Redirected { .. } => "set `url` to the address that really takes events",
            Self::Gone { .. } => {
                "remove this sink, or set its `url` to one that exists and restart; until then it is \
                 asked once a day"
            }
            Self::Answered { status, .. } => return remedy(*status).map(str::to_owned),
            Self::Identity(_) | Self::Tls(_) => return None,
        };
        Some(text.to_owned())
    }
}

fn remedy(status: StatusCode) -> Option<&'static str> {
    Some(match status.as_u16() {
        401 | 403 => "check `token`, or `username` and `password`, or what `headers` holds",
        402 => "pay, or raise the quota of the account; nothing is lost meanwhile",
        404 => "check the path in `url`",
        405 => "check `method`, and the path in `url`",
        423 | 424 | 440 | 450 | 451 | 498 | 499 => {
            "ask whoever runs the receiver; the sink tries again and loses nothing as long as the log \
             keeps its events"
        }
        406 | 415 => "choose a `format` that the receiver takes",
        407 | 421 | 426 => "check host, port and protocol in `url`",
        408 => "let the receiver wait longer for a request, or lower `batch_size`",
        500..=599 => {
            "look at the receiver's own log; the sink tries again and loses nothing as long as the \
             log keeps its events"
        }
        _ => return None,
    })
}
