//! What a fetch asks for, in memory of its own.
//!
//! A fetch waits for a minute, and many do. What the codec makes of one may be a hundred times its bytes: each
//! topic that it forgets, and each tagged field that nobody knows, is a structure. So what is needed for the
//! answer is copied, and all else goes before the wait.

use kafka_protocol::messages::{
    FetchRequest,
    fetch_request::{FetchPartition, FetchTopic},
};
use uuid::Uuid;

/// A fetch.
pub(crate) struct Wanted {
    pub(super) session_id: i32,
    pub(super) session_epoch: i32,
    /// Most and fewest bytes, and the longest wait in milliseconds, as the client says them.
    pub(super) max_bytes: i32,
    pub(super) min_bytes: i32,
    pub(super) max_wait_ms: i32,
    pub(super) topics: Vec<Topic>,
}

/// A topic, by its name or its id.
pub(super) struct Topic {
    pub(super) name: Box<str>,
    pub(super) id: Uuid,
    pub(super) partitions: Vec<Partition>,
}

/// A partition, and where to read it.
pub(super) struct Partition {
    pub(super) index: i32,
    pub(super) epoch: i32,
    pub(super) offset: i64,
    pub(super) bytes_max: i32,
}

impl Wanted {
    /// Copies what is needed. A topic without partitions asks for nothing, and is told nothing.
    pub(crate) fn of(request: &FetchRequest) -> Self {
        let topics = request.topics.iter().filter(|topic| !topic.partitions.is_empty());
        Self {
            session_id: request.session_id,
            session_epoch: request.session_epoch,
            max_bytes: request.max_bytes,
            min_bytes: request.min_bytes,
            max_wait_ms: request.max_wait_ms,
            topics: topics.map(Topic::of).collect(),
        }
    }

    /// Of all its topics.
    #[cfg(test)]
    pub(crate) fn names(&self) -> Vec<&str> {
        self.topics.iter().map(|topic| &*topic.name).collect()
    }
}

impl Topic {
    fn of(topic: &FetchTopic) -> Self {
        let partitions = topic.partitions.iter().map(Partition::of).collect();
        Self { name: (**topic.topic).into(), id: topic.topic_id, partitions }
    }
}

impl Partition {
    fn of(partition: &FetchPartition) -> Self {
        Self {
            index: partition.partition,
            epoch: partition.current_leader_epoch,
            offset: partition.fetch_offset,
            bytes_max: partition.partition_max_bytes,
        }
    }
}
