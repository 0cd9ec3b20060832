//! What can go wrong with a bucket, and what the supervisor and the operator should do.

use std::time::Duration;

use http::StatusCode;
use pluvio_net::{HttpError, TlsError};
use pluvio_runtime::{Failure, Response};

use crate::endpoint::http::IdentityError;

/// Why a bucket cannot be written to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key cannot be read or sent.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A certificate file changed for the worse since the start.
    #[error("failed to prepare TLS")]
    Tls(#[from] TlsError),
    /// A request got no answer.
    #[error("failed to {doing} in bucket `{bucket}`")]
    Transport {
        /// What was done.
        doing: String,
        /// Where.
        bucket: String,
        /// Why there is no answer.
        source: Box<HttpError>,
    },
    /// S3 said no.
    #[error("failed to {doing} in bucket `{bucket}`: {} {code}{text}", status.as_u16())]
    Answered {
        /// What was done.
        doing: String,
        /// Where.
        bucket: String,
        /// How it was answered.
        status: StatusCode,
        /// What S3 calls that; empty if it does not say.
        code: String,
        /// Its words, behind `: `.
        text: String,
    },
    /// S3 has had enough for now.
    #[error("{host} asks us to slow down")]
    Throttled {
        /// The server.
        host: String,
        /// For how long; zero: it was not said.
        wait: Duration,
    },
    /// An object that is there would be overwritten.
    #[error(
        "`{key}` in bucket `{bucket}` may be there already: the server does not know `If-None-Match`, nor says \
         what is there"
    )]
    Unseen {
        /// The object.
        key: String,
        /// Where.
        bucket: String,
        /// How it was answered when it was asked.
        source: Box<Error>,
    },
    /// Every name that an object could have is that of another one.
    #[error(
        "`{key}` in bucket `{bucket}` holds other events than those to be put there, as do all before it"
    )]
    Taken {
        /// The last of the names.
        key: String,
        /// Where.
        bucket: String,
    },
    /// The cursor in the bucket is none of ours.
    #[error("`{key}` in bucket `{bucket}` is not the cursor of a sink")]
    Cursor {
        /// The object.
        key: String,
        /// Where.
        bucket: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// How long a full store is left alone.
const FULL_PAUSE: Duration = Duration::from_secs(30);

impl Failure for Error {
    fn response(&self) -> Response {
        match self {
            Self::Answered { status: StatusCode::INSUFFICIENT_STORAGE, .. } => {
                Response::Wait(FULL_PAUSE)
            }
            Self::Throttled { wait, .. } if !wait.is_zero() => Response::Wait(*wait),
            Self::Answered { code, .. } if code.contains("Quota") => Response::Wait(FULL_PAUSE),
            Self::Unseen { .. } => Response::Denied,
            Self::Answered { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, .. } => {
                Response::Denied
            }
            _ => Response::Retry,
        }
    }

    fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Identity(IdentityError::Characters { .. }) => {
                "check that the key is one line of printable text"
            }
            Self::Transport { source, .. } => {
                return source.remedy().map(|remedy| remedy.replace("`url`", "`endpoint`"));
            }
            Self::Answered { status, code, .. } => return remedy(*status, code).map(str::to_owned),
            Self::Cursor { .. } => "move it away, or choose another `prefix`",
            Self::Unseen { .. } => {
                "allow the key s3:GetObject on the objects, and s3:ListBucket on the bucket, without which a \
                 missing object looks like a forbidden one"
            }
            Self::Taken { .. } => {
                "move the objects away that begin as it does, or choose another `prefix`"
            }
            Self::Identity(_) | Self::Tls(_) | Self::Throttled { .. } => return None,
        };
        Some(text.to_owned())
    }
}

fn remedy(status: StatusCode, code: &str) -> Option<&'static str> {
    Some(match (code, status.as_u16()) {
        ("NoSuchBucket", _) => "make the bucket, or check `bucket` and `endpoint`",
        ("InvalidAccessKeyId", _) => "check `access_key`",
        ("SignatureDoesNotMatch", _) => "check `secret_key`",
        ("RequestTimeTooSkewed", _) => "set this machine's clock",
        ("ExpiredToken" | "InvalidToken", _) => "renew the keys and `session_token`",
        (
            "AuthorizationHeaderMalformed"
            | "PermanentRedirect"
            | "IllegalLocationConstraintException",
            _,
        )
        | (_, 301 | 307) => "set `region` to where the bucket is",
        ("EntityTooLarge", _) | (_, 413) => "lower `batch_size`",
        (_, 401 | 403) => {
            "allow the key s3:PutObject and s3:GetObject on the objects, and s3:ListBucket on the \
             bucket, without which a missing object looks like a forbidden one"
        }
        (_, 404 | 405) => "check `endpoint`, `path_style` and `bucket`",
        (_, 507) => "free some room there; the sink waits",
        (_, 500..=599) => {
            "look at the store's health; the sink tries again and loses nothing as long as the log \
             keeps its events"
        }
        _ => return None,
    })
}
