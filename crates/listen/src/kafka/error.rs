//! From the log's errors to Kafka's codes: the one place where the two meet.
//!
//! A client gets a code and nothing else: what happened goes to the log line, for the operator. A
//! code that is wrong in kind sends clients astray: one that may be retried is, forever and quietly,
//! and one that may not stops them.

use kafka_protocol::ResponseError;
use metrics::counter;
use pluvio_log::{AppendError, ReadError, StreamName};
use pluvio_runtime::Chain;
use tracing::{debug, error};

use super::meter;

/// What a reader of `stream` is told.
pub(super) fn of_read(stream: &StreamName, failed: &ReadError) -> ResponseError {
    let code = match failed {
        ReadError::UnknownStream(_) => return ResponseError::UnknownTopicOrPartition,
        ReadError::OutOfRange { .. } => return ResponseError::OffsetOutOfRange,
        ReadError::Damaged { .. } => ResponseError::CorruptMessage,
        ReadError::Disk { .. } | ReadError::NotFound(_) => ResponseError::KafkaStorageError,
    };
    counter!(meter::LOG_ERRORS).increment(1);
    // The log itself tells of damage, once a minute, however often it is met.
    if matches!(failed, ReadError::Damaged { .. }) {
        debug!(%stream, error = %failed, "failed to read for a kafka client");
    } else {
        error!(%stream, error = %Chain(failed), "failed to read for a kafka client");
    }
    code
}

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
