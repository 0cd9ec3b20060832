//! Rounds: the first open piece of every partition to its leader, until nothing is open or something
//! fails.
//!
//! It refuses to send a piece a second time within one write: what failed is the supervisor's to try
//! again.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        ProduceRequest, ProduceResponse, TransactionalId,
        produce_request::{PartitionProduceData, TopicProduceData},
        produce_response::PartitionProduceResponse,
    },
    protocol::StrBytes,
};
use pluvio_runtime::Rejected;
use tracing::warn;

use super::{
    Error,
    cluster::{Cluster, topic_name},
    code::{Code, Fate},
    encode::PIECE_BYTES_MAX,
    lane::{Memory, Place},
};

/// All replicas in sync.
const ACKS_ALL: i16 = -1;
/// A place's pieces are not made smaller than this by experience.
const PIECE_BYTES_LEAST: usize = 1 << 10;

/// What the brokers said no to.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// To these, by name.
    pub(super) records: Vec<Rejected>,
    /// To a piece, and not to which of its records.
    pub(super) piece: Option<String>,
}

/// How pieces are sent.
pub(super) struct Round<'a> {
    pub(super) cluster: &'a mut Cluster,
    pub(super) memory: &'a mut Memory,
    pub(super) limits: &'a mut HashMap<Place, usize>,
    pub(super) transactional_id: Option<&'a StrBytes>,
    /// How long brokers wait for replicas.
    pub(super) timeout: Duration,
}

impl Round<'_> {
    /// Sends everything that is open.
    pub(super) async fn send(mut self) -> Result<Refusals, Error> {
        let mut refusals = Refusals::default();
        loop {
            let due = self.memory.due();
            if due.is_empty() {
                return Ok(refusals);
            }
            let sent = due.len();
            let requests = self.requests(due)?;
            let (mut failure, mut judged_count) = (None, 0);
            for answer in self.cluster.produce(requests).await? {
                // What the others took is noted first.
                let judged = answer.and_then(|answer| {
                    judged_count += partitions(&answer);
                    self.judge(&answer, &mut refusals)
                });
                failure = failure.or(judged.err());
            }
            if let Some(failure) = failure {
                return Err(failure);
            }
            // Sending the rest again here would be a loop.
            if judged_count < sent {
                return Err(Error::Partial);
            }
        }
    }

    fn requests(&self, due: Vec<(Place, Bytes)>) -> Result<HashMap<i32, ProduceRequest>, Error> {
        let mut by_leader: HashMap<i32, BTreeMap<Arc<str>, Vec<PartitionProduceData>>> =
            HashMap::new();
        for (place, batch) in due {
            let leader = self.cluster.leader(&place)?;
            let data = PartitionProduceData::default()
                .with_index(place.partition)
                .with_records(Some(batch));
            by_leader.entry(leader).or_default().entry(place.topic).or_default().push(data);
        }
        let timeout_ms = i32::try_from(self.timeout.as_millis()).unwrap_or(i32::MAX);
        let request = |topics: BTreeMap<Arc<str>, Vec<PartitionProduceData>>| {
            let topic = |(name, data): (Arc<str>, Vec<PartitionProduceData>)| {
                TopicProduceData::default().with_name(topic_name(&name)).with_partition_data(data)
            };
            ProduceRequest::default()
                .with_transactional_id(self.transactional_id.cloned().map(TransactionalId))
                .with_acks(ACKS_ALL)
                .with_timeout_ms(timeout_ms)
                .with_topic_data(topics.into_iter().map(topic).collect())
        };
        Ok(by_leader.into_iter().map(|(leader, topics)| (leader, request(topics))).collect())
    }

    /// Notes what a leader says to each of its partitions; gives the first failure.
    fn judge(&mut self, answer: &ProduceResponse, refusals: &mut Refusals) -> Result<(), Error> {
        let mut failure = Ok(());
        for topic in &answer.responses {
            for partition in &topic.partition_responses {
                let place = Place { topic: topic.name.as_str().into(), partition: partition.index };
                let judged = self.judge_partition(&place, partition, refusals);
                failure = failure.and(judged);
            }
        }
        failure
    }

    fn judge_partition(
        &mut self,
        place: &Place,
        answer: &PartitionProduceResponse,
        refusals: &mut Refusals,
    ) -> Result<(), Error> {
        let code = Code::of(answer.error_code);
        let topic = || place.topic.to_string();
        match (Code::fate(code), code) {
            (Fate::Arrived, _) | (_, None) => self.memory.arrived(place),
            (fate @ (Fate::TooLarge | Fate::Rejected), Some(code)) => {
                self.refuse(place, fate, reason(code, answer), refusals);
            }
            (Fate::Sequence, Some(code)) => {
                warn!(topic = %place.topic, partition = place.partition, %code, "a new producer goes on");
                self.memory.lost(place);
                return Err(Error::Sequence { topic: topic(), partition: place.partition, code });
            }
            (Fate::Open, Some(code)) => {
                let object = format!("topic `{}`, partition {}", topic(), place.partition);
                return Err(Error::Refused { api: "Produce", object, code });
            }
        }
        Ok(())
    }

    fn refuse(&mut self, place: &Place, fate: Fate, reason: String, refusals: &mut Refusals) {
        let Some(piece) = self.memory.rejected(place) else { return };
        if let [only] = piece.offsets.as_slice() {
            refusals.records.push(Rejected { offset: *only, reason });
            return;
        }
        let bytes = piece.batch.len();
        // One large record among small ones says nothing about the small ones.
        if fate == Fate::TooLarge && piece.largest < bytes / 2 {
            let limit = self.limits.entry(place.clone()).or_insert(PIECE_BYTES_MAX);
            *limit = (*limit).min(bytes / 2).max(PIECE_BYTES_LEAST);
        }
        refusals.piece.get_or_insert(reason);
    }
}

fn partitions(answer: &ProduceResponse) -> usize {
    answer.responses.iter().map(|topic| topic.partition_responses.len()).sum()
}

/// Why, in the broker's words where it has any.
fn reason(code: Code, answer: &PartitionProduceResponse) -> String {
    let of_record =
        answer.record_errors.iter().find_map(|it| it.batch_index_error_message.as_ref());
    match of_record.or(answer.error_message.as_ref()) {
        Some(text) if !text.is_empty() => format!("{code}: {}", text.as_str()),
        _ => code.to_string(),
    }
}
