//! Streams as topics: each has one partition, and one leader for ever.
//!
//! It refuses to say which there are: that is for each [caller](super::caller) another question.

use kafka_protocol::{ResponseError, messages::TopicName, protocol::StrBytes};
use pluvio_log::{Extent, StreamName};

/// The one partition of each stream.
pub(super) const PARTITION: i32 = 0;

/// A stream that may be read.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    pub(super) stream: StreamName,
    pub(super) extent: Extent,
}

impl Topic {
    pub(super) fn name(&self) -> TopicName {
        TopicName(StrBytes::from(self.stream.as_str().to_owned()))
    }
}

/// Compares the leader's epoch that a client knows (-1: none) with the only one there is.
pub(super) fn check_epoch(epoch: i32) -> Result<(), ResponseError> {
    if epoch > EPOCH { Err(ResponseError::UnknownLeaderEpoch) } else { Ok(()) }
}

/// The leader's epoch: nobody else ever leads.
pub(super) const EPOCH: i32 = 0;
