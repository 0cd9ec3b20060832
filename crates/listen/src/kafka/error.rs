//! From the log's errors to Kafka's codes, for readers; members of groups have [theirs](crate::groups).
//!
//! A client gets a code and nothing else: what happened goes to the log line, for the operator. A
//! code that is wrong in kind sends clients astray: one that may be retried is, forever and quietly,
//! and one that may not stops them.

use kafka_protocol::ResponseError;
use metrics::counter;
use pluvio_log::{ReadError, StreamName};
use pluvio_runtime::Chain;
use tracing::{debug, error};

use crate::groups::meter;

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
