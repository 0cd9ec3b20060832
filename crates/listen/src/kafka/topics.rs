//! Streams as topics: which there are, as far as a principal is concerned.
//!
//! A stream that a principal may not read does not exist. One that it may read through a mandatory
//! filter exists and is refused by name, for batches are sent as they are stored and cannot be
//! filtered; in a list of all topics it does not appear, or every consumer of a pattern would fail.

use kafka_protocol::{ResponseError, messages::TopicName, protocol::StrBytes};
use pluvio_log::{Extent, Log as _, StreamName};
use pluvio_runtime::Verb;
use uuid::Uuid;

use super::{error, server::Caller};

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

impl Caller<'_> {
    /// The topic with this name.
    pub(super) fn topic(&self, name: &str) -> Result<Topic, ResponseError> {
        let stream = StreamName::new(name).map_err(|_| ResponseError::InvalidTopicException)?;
        if !self.principal.may(Verb::Read, &stream) {
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        let extent = self.server.context.log.extent(&stream);
        let extent = extent.map_err(|failed| error::of_read(&stream, &failed))?;
        if !self.principal.filter.passes_all() {
            return Err(ResponseError::TopicAuthorizationFailed);
        }
        Ok(Topic { stream, extent })
    }

    /// The topic's partition, in requests that name one.
    pub(super) fn partition(&self, name: &str, partition: i32) -> Result<Topic, ResponseError> {
        let topic = self.topic(name)?;
        if partition == PARTITION { Ok(topic) } else { Err(ResponseError::UnknownTopicOrPartition) }
    }

    /// The topic with this id, as it was when this request first asked for an id.
    pub(super) fn topic_of(&self, id: Uuid) -> Result<Topic, ResponseError> {
        let log = &self.server.context.log;
        let by_id = self.by_id.get_or_init(|| {
            let with_id = |stream: StreamName| {
                let extent = log.extent(&stream).ok()?;
                Some((extent.log_id, Topic { stream, extent }))
            };
            log.streams().into_iter().filter_map(with_id).collect()
        });
        let topic = by_id.get(&id).filter(|topic| self.principal.may(Verb::Read, &topic.stream));
        let topic = topic.ok_or(ResponseError::UnknownTopicId)?;
        if self.principal.filter.passes_all() {
            Ok(topic.clone())
        } else {
            Err(ResponseError::TopicAuthorizationFailed)
        }
    }

    /// All topics that may be read.
    pub(super) fn topics(&self) -> Vec<Topic> {
        let streams = self.server.context.log.streams();
        streams.iter().filter_map(|stream| self.topic(stream.as_str()).ok()).collect()
    }
}

/// Compares the leader's epoch that a client knows (-1: none) with the only one there is.
pub(super) fn check_epoch(epoch: i32) -> Result<(), ResponseError> {
    if epoch > EPOCH { Err(ResponseError::UnknownLeaderEpoch) } else { Ok(()) }
}

/// The leader's epoch: nobody else ever leads.
pub(super) const EPOCH: i32 = 0;
