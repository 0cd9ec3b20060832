//! Who asks, and what is there for them: the broker's address, and streams as topics.
//!
//! A stream that a principal may not read does not exist. One that it may read through a mandatory
//! filter exists and is refused by name, for batches are sent as they are stored and cannot be
//! filtered; in a list of all topics it does not appear, or every consumer of a pattern would fail.

use std::{collections::HashMap, net::SocketAddr, sync::OnceLock};

use kafka_protocol::{ResponseError, protocol::StrBytes};
use pluvio_log::{Log as _, StreamName};
use pluvio_runtime::{Principal, Verb};
use uuid::Uuid;

use super::{
    config::Advertised,
    error,
    server::Server,
    topics::{PARTITION, Topic},
};
use crate::holder::Holder;

/// Who asks, and where.
pub(super) struct Caller<'a> {
    pub(super) server: &'a Server,
    pub(super) principal: &'a Principal,
    /// Whose connection it is.
    pub(super) holder: &'a Holder,
    /// What the client calls itself.
    pub(super) client: &'a str,
    pub(super) peer: SocketAddr,
    /// This end of the client's connection.
    pub(super) local: SocketAddr,
    /// Of the request.
    pub(super) version: i16,
    /// All streams by their ids, once somebody asked for one: a request may name thousands.
    pub(super) by_id: OnceLock<HashMap<Uuid, Topic>>,
}

impl Caller<'_> {
    /// Where clients find the one broker: what the operator says, or else the address that this
    /// client has found already.
    pub(super) fn node(&self) -> (StrBytes, i32) {
        match &self.server.advertised {
            Some(Advertised { host, port }) => (StrBytes::from(host.clone()), i32::from(*port)),
            None => {
                let host = self.local.ip().to_canonical().to_string();
                (StrBytes::from(host), i32::from(self.local.port()))
            }
        }
    }

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
