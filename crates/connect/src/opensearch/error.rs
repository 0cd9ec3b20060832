//! What can go wrong with OpenSearch, and what the supervisor and the operator should do.

use http::StatusCode;
use pluvio_net::{HttpError, TlsError};
use pluvio_runtime::{Failure, Response};

use crate::endpoint::http::IdentityError;

/// Why OpenSearch cannot be written to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something secret cannot be read or sent.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A certificate file changed for the worse since the start.
    #[error("failed to prepare TLS")]
    Tls(#[from] TlsError),
    /// A request got no answer.
    #[error(transparent)]
    Transport(#[from] HttpError),
    /// It sends on to another address.
    #[error("{host} answered {}: it sends on to {to}", status.as_u16())]
    Redirected {
        /// Who answered.
        host: String,
        /// How.
        status: StatusCode,
        /// The host in `Location`.
        to: String,
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
    /// An answer that is none of OpenSearch's.
    #[error("{host} is no OpenSearch or Elasticsearch, or something stands before it{text}")]
    Foreign {
        /// Who answered.
        host: String,
        /// The beginning of its words, behind `: `.
        text: String,
    },
    /// It failed at an event, and does not say that the event is at fault.
    #[error("an event was answered with {status} for index `{index}`: {kind}: {reason}")]
    Item {
        /// The index.
        index: String,
        /// The item's status.
        status: u16,
        /// What OpenSearch calls that.
        kind: String,
        /// Its words.
        reason: String,
    },
    /// It takes nothing into the index, whatever it is.
    #[error("index `{index}` takes nothing: {kind}: {reason}")]
    Index {
        /// The index.
        index: String,
        /// What OpenSearch calls that.
        kind: String,
        /// Its words.
        reason: String,
    },
}

impl Failure for Error {
    fn response(&self) -> Response {
        match self {
            Self::Answered { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, .. } => {
                Response::Denied
            }
            Self::Index { kind, .. } if kind == "security_exception" => Response::Denied,
            _ => Response::Retry,
        }
    }

    fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Identity(IdentityError::Characters { .. }) => {
                "check that the secret is one line of printable text"
            }
            Self::Transport(error) => return error.remedy(),
            Self::Redirected { .. } => "set `url` to the address of the REST API",
            Self::Answered { status, .. } => match status.as_u16() {
                401 => "check `username` and `password`, or `api_key`",
                403 => "give the user `create_doc` and `create_index` on what `index` names",
                404 | 405 => "set `url` to the address of the REST API",
                500..=599 => {
                    "look at the cluster's health; the sink tries again and loses nothing as long \
                     as the log keeps its events"
                }
                _ => return None,
            },
            Self::Foreign { .. } => "set `url` to the address of the REST API",
            Self::Item { .. } => {
                "look at the cluster's own log; an event that fails alone, while others are taken, \
                 becomes a dead letter"
            }
            Self::Index { kind, .. } => index_remedy(kind),
            Self::Identity(_) | Self::Tls(_) => return None,
        };
        Some(text.to_owned())
    }
}

fn index_remedy(kind: &str) -> &'static str {
    match kind {
        "cluster_block_exception" => {
            "free room on the cluster's disks, then set `index.blocks.read_only_allow_delete` of the \
             index to null"
        }
        "illegal_argument_exception" => {
            "give the alias a write index (`is_write_index`), or make what the text says is missing"
        }
        "index_closed_exception" => "open the index, or choose another `index`",
        "security_exception" => {
            "give the user `create_doc` and `create_index` on what `index` names"
        }
        "validation_exception" => {
            "delete indexes, choose an `index` that makes fewer of them, or raise \
             `cluster.max_shards_per_node`"
        }
        _ => "make the index, or let `action.auto_create_index` make it; or choose another `index`",
    }
}
