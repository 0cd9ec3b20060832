//! From the log's errors to Kafka's codes, for members whose offsets were not stored.
//!
//! A client gets a code and nothing else: what happened goes to the log line, for the operator.

use kafka_protocol::ResponseError;
use metrics::counter;
use pluvio_log::AppendError;
use pluvio_runtime::Chain;
use tracing::{debug, error};

use super::meter;

/// What a member is told whose offsets have no room, in its space or in the log: no client commits them
/// again by itself, and each gives the error to its application.
pub(super) const NO_ROOM: ResponseError = ResponseError::InvalidCommitOffsetSize;

/// What a member is told whose offsets were not stored. A full disk passes, and so clients are told
/// to try again; a stopped stream does not, but only the operator can do something about it.
pub(super) fn of_commit(failed: &AppendError) -> ResponseError {
    let code = match failed {
        AppendError::TableFull { .. } | AppendError::RecordTooLarge { .. } => {
            debug!(error = %Chain(failed), "refused to commit offsets");
            return NO_ROOM;
        }
        AppendError::DiskFull { .. } => ResponseError::CoordinatorNotAvailable,
        AppendError::Stopped { .. }
        | AppendError::UnknownStream(_)
        | AppendError::NoOffsetLeft(_) => ResponseError::KafkaStorageError,
    };
    counter!(meter::LOG_ERRORS).increment(1);
    error!(error = %Chain(failed), "failed to store the offsets of a kafka group");
    code
}
