//! Rounds: the first piece of every partition to its leader, until nothing is left or something fails.
//! What a leader says is told as it comes, whatever the others do.
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
        InitProducerIdRequest, ProduceRequest, ProduceResponse, ProducerId, TransactionalId,
        produce_request::{PartitionProduceData, TopicProduceData},
        produce_response::PartitionProduceResponse,
    },
    protocol::StrBytes,
};
use pluvio_runtime::Answers;
use tracing::warn;

use super::{
    Error,
    cluster::{Cluster, topic_name},
    code::{Code, PieceResult},
    encode::PIECE_BYTES_MAX,
    lane::{Memory, TopicPartition},
    producer::Identity,
};

/// All replicas in sync.
const ACKS_ALL: i16 = -1;
/// A place's pieces are not made smaller than this by experience.
const PIECE_BYTES_LEAST: usize = 1 << 10;

/// Asks for a producer's id that nobody else has.
pub(super) async fn identity(cluster: &mut Cluster) -> Result<Identity, Error> {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(i32::MAX)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let answer = cluster.ask_any(&request).await?;
    match Code::of(answer.error_code) {
        None => Ok(Identity { id: answer.producer_id.0, epoch: answer.producer_epoch }),
        Some(code) => {
            let object = "a producer id".to_owned();
            Err(Error::Refused { api: "InitProducerId", object, code })
        }
    }
}

/// Who is told what became of a record.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told<'a> {
    /// The supervisor, at once.
    Now(&'a Answers),
    /// The supervisor, as soon as the connection is made. What was refused is not told: it comes again, or
    /// a gap event tells of it.
    OnceConnected,
    /// Nobody: the end of the transaction tells.
    AtTheEnd,
}

/// How pieces are sent.
pub(super) struct Round<'a> {
    pub(super) cluster: &'a mut Cluster,
    /// Of lanes that have none.
    pub(super) producer: Identity,
    pub(super) transactional_id: Option<&'a StrBytes>,
    /// How long brokers wait for replicas.
    pub(super) timeout: Duration,
    pub(super) judge: Judge<'a>,
}

/// Notes what brokers say.
pub(super) struct Judge<'a> {
    pub(super) memory: &'a mut Memory,
    pub(super) limits: &'a mut HashMap<TopicPartition, usize>,
    pub(super) told: Told<'a>,
    /// Why a piece was refused, if it was not said which of its records is to blame.
    pub(super) refused: Option<String>,
}

impl Round<'_> {
    /// Sends everything that is open, or as much as may be sent; nothing waits afterwards. Gives why a
    /// piece was refused, where that is not told of a record.
    pub(super) async fn send(mut self) -> Result<Option<String>, Error> {
        loop {
            if !self.judge.may_send() {
                self.judge.memory.forget_waiting();
                return Ok(self.judge.refused);
            }
            let due = self.judge.memory.due(self.producer);
            if due.is_empty() {
                return Ok(self.judge.refused);
            }
            let sent = due.len();
            let requests = self.requests(due)?;
            let (mut failure, mut judged_count) = (None, 0);
            let judge = &mut self.judge;
            let note = |answer: Result<ProduceResponse, Error>| {
                let judged = answer.and_then(|answer| {
                    judged_count += partitions(&answer);
                    judge.judge(&answer)
                });
                // What the others took is noted, too.
                failure = failure.take().or(judged.err());
            };
            self.cluster.produce(requests, note).await?;
            if let Some(failure) = failure {
                return Err(failure);
            }
            // Sending the rest again here would be a loop.
            if judged_count < sent {
                return Err(Error::Partial);
            }
        }
    }

    fn requests(
        &self,
        due: Vec<(TopicPartition, Bytes)>,
    ) -> Result<HashMap<i32, ProduceRequest>, Error> {
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
}

impl Judge<'_> {
    /// Whether more may be sent: not while Pluvio drains, nor after too many refusals.
    fn may_send(&self) -> bool {
        match self.told {
            Told::Now(answers) => answers.may_send(),
            Told::OnceConnected | Told::AtTheEnd => true,
        }
    }

    /// Notes what a leader says to each of its partitions; gives the first failure.
    fn judge(&mut self, answer: &ProduceResponse) -> Result<(), Error> {
        let mut failure = Ok(());
        for topic in &answer.responses {
            for partition in &topic.partition_responses {
                let place = TopicPartition {
                    topic: topic.name.as_str().into(),
                    partition: partition.index,
                };
                let judged = self.judge_partition(&place, partition);
                failure = failure.and(judged);
            }
        }
        failure
    }

    fn judge_partition(
        &mut self,
        place: &TopicPartition,
        answer: &PartitionProduceResponse,
    ) -> Result<(), Error> {
        let code = Code::of(answer.error_code);
        let topic = || place.topic.to_string();
        match (Code::fate(code), code) {
            (PieceResult::Arrived, _) | (_, None) => self.arrived(place),
            (fate @ (PieceResult::TooLarge | PieceResult::Rejected), Some(code)) => {
                self.refuse(place, fate, reason(code, answer));
            }
            (PieceResult::Sequence, Some(code)) => {
                warn!(topic = %place.topic, partition = place.partition, %code, "a new producer goes on");
                self.memory.lost(place);
                return Err(Error::Sequence { topic: topic(), partition: place.partition, code });
            }
            (PieceResult::Open, Some(code)) => {
                let object = format!("topic `{}`, partition {}", topic(), place.partition);
                return Err(Error::Refused { api: "Produce", object, code });
            }
        }
        Ok(())
    }

    fn arrived(&mut self, place: &TopicPartition) {
        let Some(piece) = self.memory.arrived(place) else { return };
        match self.told {
            Told::Now(answers) => piece.offsets.into_iter().for_each(|it| answers.taken(it)),
            Told::OnceConnected => self.memory.found(piece),
            Told::AtTheEnd => {}
        }
    }

    fn refuse(&mut self, place: &TopicPartition, fate: PieceResult, reason: String) {
        let Some(piece) = self.memory.rejected(place) else { return };
        if let ([only], Told::Now(answers)) = (piece.offsets.as_slice(), self.told) {
            answers.rejected(*only, reason);
            return;
        }
        let bytes = piece.batch.len();
        // One large record among small ones says nothing about the small ones.
        if fate == PieceResult::TooLarge && piece.largest < bytes / 2 {
            let limit = self.limits.entry(place.clone()).or_insert(PIECE_BYTES_MAX);
            *limit = (*limit).min(bytes / 2).max(PIECE_BYTES_LEAST);
        }
        self.refused.get_or_insert(reason);
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
