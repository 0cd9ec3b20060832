//! A request's body, until something smaller is made of it.
//!
//! Bytes of a request are held for a moment, by a client that may hold so many. What then waits for a record or
//! a rebalance has nothing of them any more: neither the bytes nor what the codec made of them, which is
//! larger, and keeps what nobody asks for (topics that a fetch forgets, tagged fields that are not known).
//!
//! It refuses to know what is in it.

use bytes::Bytes;
use kafka_protocol::protocol::Decodable;

use super::{hangup::Hangup, turn::Turn};
use crate::room::Held;

/// The bytes behind a request's head, and what holds their place.
pub(super) struct Body {
    bytes: Bytes,
    version: i16,
    held: Option<Held>,
}

impl Body {
    /// Bytes whose shape has been checked.
    pub(super) fn new(bytes: Bytes, version: i16, held: Option<Held>) -> Self {
        Self { bytes, version, held }
    }

    /// As they came.
    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What the codec makes of it: parts of it are the bytes themselves.
    pub(super) fn decoded<M: Decodable>(&self) -> Result<M, Hangup> {
        M::decode(&mut self.bytes.clone(), self.version).map_err(|_| Hangup::Malformed)
    }

    /// Decodes what then waits for the disk.
    pub(super) fn decoded_for_disk<M: Decodable>(&self, turn: &mut Turn) -> Result<M, Hangup> {
        let message = self.decoded();
        turn.leave_to_others();
        message
    }

    /// Decodes it and leaves only what `keep` copies out of it: from here on the request may wait, and costs
    /// no more than that.
    pub(super) fn reduced<M: Decodable, T>(
        &mut self,
        keep: impl FnOnce(&M) -> T,
    ) -> Result<T, Hangup> {
        let kept = self.decoded().map(|message| keep(&message));
        self.bytes = Bytes::new();
        self.held = None;
        kept
    }

    /// The same of what then waits for other clients.
    pub(super) fn reduced_for_others<M: Decodable, T>(
        &mut self,
        turn: &mut Turn,
        keep: impl FnOnce(&M) -> T,
    ) -> Result<T, Hangup> {
        let kept = self.reduced(keep);
        turn.end();
        kept
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Weak};

    use kafka_protocol::{
        messages::{
            FetchRequest, TopicName,
            fetch_request::{FetchPartition, FetchTopic, ForgottenTopic},
        },
        protocol::{Encodable, StrBytes},
    };

    use super::*;
    use crate::kafka::fetch;

    /// Bytes that tell whether any part of them is still there.
    fn watched(bytes: Vec<u8>) -> (Bytes, Weak<Vec<u8>>) {
        struct Owner(Arc<Vec<u8>>);
        impl AsRef<[u8]> for Owner {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        let owner = Arc::new(bytes);
        let watch = Arc::downgrade(&owner);
        (Bytes::from_owner(Owner(owner)), watch)
    }

    #[test]
    fn a_fetch_that_waits_has_nothing_of_its_request_but_what_it_asks_for() {
        let name = || TopicName(StrBytes::from_static_str("events"));
        let said = Bytes::from_static(b"tag");
        let topics = [vec![FetchPartition::default()], vec![]].map(|partitions| {
            let topic = FetchTopic::default().with_topic(name()).with_partitions(partitions);
            topic.with_unknown_tagged_field(7, said.clone())
        });
        let forgotten = ForgottenTopic::default().with_topic(name());
        let request = FetchRequest::default()
            .with_topics(topics.to_vec())
            .with_forgotten_topics_data(vec![forgotten; 10])
            .with_rack_id(StrBytes::from_static_str("a rack"))
            .with_unknown_tagged_field(7, said);
        let mut bytes = bytes::BytesMut::new();
        assert!(request.encode(&mut bytes, 12).is_ok());
        let (bytes, watch) = watched(bytes.to_vec());
        let mut body = Body::new(bytes, 12, None);
        let Ok(wanted) = body.reduced(fetch::Wanted::of) else { unreachable!("it is whole") };
        assert!(watch.upgrade().is_none(), "what is kept is a part of the request");
        assert_eq!(wanted.names(), ["events"], "a topic without partitions asks for nothing");
    }
}
