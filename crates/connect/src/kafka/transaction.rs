//! A batch and the sink's cursor as one transaction.
//!
//! ```text
//!  connect   FindCoordinator ─▶ InitProducerId (fences, ends what was open) ─▶ OffsetFetch: the cursor
//!  batch     AddPartitionsToTxn ─▶ Produce … ─▶ AddOffsetsToTxn ─▶ TxnOffsetCommit ─▶ EndTxn
//! ```
//!
//! The cursor lies in a group of the transactional id's name, at partition 0 of the topic, with the
//! log's id as its metadata, and how often an operator has moved the sink: the cursor of another log, or
//! one from before the last move, means nothing. What became of a transaction whose end was not
//! answered is told by the cursor, after the next connection has ended it for good.
//!
//! It refuses to commit a part of a batch: whatever is rejected, the transaction is aborted, and the
//! batch comes again in halves.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use kafka_protocol::{
    ResponseError,
    messages::{
        AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, FindCoordinatorRequest,
        GroupId, InitProducerIdRequest, OffsetFetchRequest, ProducerId, TransactionalId,
        TxnOffsetCommitRequest,
        add_partitions_to_txn_request::AddPartitionsToTxnTopic,
        offset_fetch_request::OffsetFetchRequestTopic,
        txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic},
    },
    protocol::StrBytes,
};
use pluvio_log::Offset;
use pluvio_runtime::{Age, Moves, Standing, Taken, TargetCursor};
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    Error,
    cluster::{Cluster, topic_name},
    code::Code,
    lane::TopicPartition,
    producer::Identity,
};

/// Where the cursor lies in the topic.
const CURSOR_PARTITION: i32 = 0;
/// Of a key: a group, or a transactional id.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
/// How soon it is asked again whether the transaction before is finished: brokers write its markers
/// within milliseconds of having promised it.
const FINISHING: Duration = Duration::from_millis(5);
/// An open transaction keeps readers waiting that read only what is committed; one that nobody ends
/// is ended by the broker after so many requests' time.
const TRANSACTION_TIMEOUTS: u32 = 3;

/// A producer with a transactional id.
#[derive(Debug)]
pub(super) struct Transactions {
    pub(super) id: StrBytes,
    topic: Arc<str>,
    mark: Mark,
    producer: Identity,
    /// Node that keeps the transaction, and node that keeps the group.
    coordinator: i32,
    group_coordinator: i32,
    is_open: bool,
    timeout: Duration,
}

/// What stands beside the cursor: `<log's id>`, or `<log's id>/<n>` once Pluvio has decided where the sink
/// stands ([`Moves::last`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    log: Uuid,
    moves: Moves,
}

impl Mark {
    /// Of a sink that stands here.
    pub(super) fn of(standing: &Standing) -> Self {
        Self { log: standing.log_id, moves: standing.moves }
    }

    /// What the cursor `next` with `text` beside it tells; `None`: nothing, because it is of another log, or older
    /// than the last move and not asked for.
    fn cursor(self, next: Offset, text: &str) -> Option<TargetCursor> {
        let mut parts = text.split('/');
        let (log, seek) = (parts.next()?, parts.next().unwrap_or("0"));
        let age = self.moves.age(seek.parse().ok()?);
        if log != self.log.to_string() || age == Age::Outdated {
            return None;
        }
        let last = parts.next().and_then(|offset| Offset::new(offset.parse().ok()?));
        let recorded =
            parts.next().and_then(|it| Timestamp::from_millisecond(it.parse().ok()?).ok());
        let last = last.zip(recorded).map(|(offset, recorded)| Taken { offset, recorded });
        Some(TargetCursor { next, last, is_older: age == Age::BeforeRepeat })
    }

    /// What stands beside a cursor: the log's id, the number of the last move, and offset and time of the last
    /// record, in milliseconds since 1970.
    fn beside(self, last: Taken) -> String {
        let Self { log, moves: Moves { last: seek, .. } } = self;
        format!("{log}/{seek}/{}/{}", last.offset, last.recorded.as_millisecond())
    }
}

impl Transactions {
    /// Fences whoever had the id, and ends what it had open. Gives the cursor that lies there.
    pub(super) async fn begin(
        cluster: &mut Cluster,
        id: &str,
        topic: Arc<str>,
        mark: Mark,
        timeout: Duration,
    ) -> Result<(Self, Option<TargetCursor>), Error> {
        let id = StrBytes::from_string(id.to_owned());
        let coordinator = find(cluster, &id, TRANSACTION).await?;
        let transaction_timeout = timeout * TRANSACTION_TIMEOUTS;
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(id.clone())))
            .with_transaction_timeout_ms(
                i32::try_from(transaction_timeout.as_millis()).unwrap_or(i32::MAX),
            )
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let until = Instant::now() + timeout;
        let producer = loop {
            let answer = cluster.ask(coordinator, &request).await?;
            match Code::of(answer.error_code) {
                None => break Identity { id: answer.producer_id.0, epoch: answer.producer_epoch },
                Some(code) if code.is_concurrent() && Instant::now() < until => {
                    sleep(FINISHING).await;
                }
                Some(code) => return Err(refused("InitProducerId", &id, code)),
            }
        };
        let group_coordinator = find(cluster, &id, GROUP).await?;
        let transactions = Self {
            id,
            topic,
            mark,
            producer,
            coordinator,
            group_coordinator,
            is_open: false,
            timeout,
        };
        let cursor = transactions.cursor(cluster).await?;
        Ok((transactions, cursor))
    }

    pub(super) fn producer(&self) -> Identity {
        self.producer
    }

    async fn cursor(&self, cluster: &mut Cluster) -> Result<Option<TargetCursor>, Error> {
        let version = cluster.to(self.group_coordinator).await?.version::<OffsetFetchRequest>()?;
        let topic = OffsetFetchRequestTopic::default()
            .with_name(topic_name(&self.topic))
            .with_partition_indexes(vec![CURSOR_PARTITION]);
        // Before version 7 there is nothing to wait for: InitProducerId has ended what was open.
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(self.id.clone()))
            .with_topics(Some(vec![topic]))
            .with_require_stable(version >= 7);
        let until = Instant::now() + self.timeout;
        loop {
            let answer = cluster.ask(self.group_coordinator, &request).await?;
            let found = answer.topics.first().and_then(|topic| topic.partitions.first());
            let code = Code::of(answer.error_code)
                .or_else(|| found.and_then(|found| Code::of(found.error_code)));
            match code {
                None => {
                    return Ok(found.and_then(|it| {
                        let next = Offset::new(it.committed_offset)?;
                        self.mark.cursor(next, it.metadata.as_deref()?)
                    }));
                }
                Some(Code(ResponseError::UnstableOffsetCommit)) if Instant::now() < until => {
                    sleep(FINISHING).await;
                }
                Some(code) => return Err(refused("OffsetFetch", &self.id, code)),
            }
        }
    }

    /// Begins a transaction that writes to these places.
    pub(super) async fn add(
        &mut self,
        cluster: &mut Cluster,
        places: impl Iterator<Item = &TopicPartition>,
    ) -> Result<(), Error> {
        let mut topics: BTreeMap<&Arc<str>, Vec<i32>> = BTreeMap::new();
        for place in places {
            topics.entry(&place.topic).or_default().push(place.partition);
        }
        let topic = |(name, partitions): (&Arc<str>, Vec<i32>)| {
            AddPartitionsToTxnTopic::default()
                .with_name(topic_name(name))
                .with_partitions(partitions)
        };
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(TransactionalId(self.id.clone()))
            .with_v3_and_below_producer_id(ProducerId(self.producer.id))
            .with_v3_and_below_producer_epoch(self.producer.epoch)
            .with_v3_and_below_topics(topics.into_iter().map(topic).collect());
        self.is_open = true;
        let until = Instant::now() + self.timeout;
        loop {
            let answer = cluster.ask(self.coordinator, &request).await?;
            let topics = answer.results_by_topic_v3_and_below.iter();
            let results = topics.flat_map(|topic| {
                topic.results_by_partition.iter().map(|it| (&topic.name, it.partition_error_code))
            });
            // Where one is refused, the others are merely "not attempted".
            let codes = results.filter_map(|(topic, code)| Some((topic, Code::of(code)?)));
            let refusal =
                codes.min_by_key(|(_, code)| code.0 == ResponseError::OperationNotAttempted);
            match refusal {
                None => return Ok(()),
                Some((_, code)) if code.is_concurrent() && Instant::now() < until => {
                    sleep(FINISHING).await;
                }
                Some((topic, code)) if code.0 == ResponseError::TopicAuthorizationFailed => {
                    let object = format!("topic `{}`", topic.as_str());
                    return Err(Error::Refused { api: "AddPartitionsToTxn", object, code });
                }
                Some((_, code)) => return Err(refused("AddPartitionsToTxn", &self.id, code)),
            }
        }
    }

    /// Puts the cursor into the transaction and ends it: now all has arrived, or nobody knows.
    pub(super) async fn commit(&mut self, cluster: &mut Cluster, last: Taken) -> Result<(), Error> {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(TransactionalId(self.id.clone()))
            .with_producer_id(ProducerId(self.producer.id))
            .with_producer_epoch(self.producer.epoch)
            .with_group_id(GroupId(self.id.clone()));
        let answer = cluster.ask(self.coordinator, &request).await?;
        if let Some(code) = Code::of(answer.error_code) {
            return Err(refused("AddOffsetsToTxn", &self.id, code));
        }
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(CURSOR_PARTITION)
            .with_committed_offset(last.offset.following().get())
            .with_committed_metadata(Some(StrBytes::from_string(self.mark.beside(last))));
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(topic_name(&self.topic))
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(TransactionalId(self.id.clone()))
            .with_group_id(GroupId(self.id.clone()))
            .with_producer_id(ProducerId(self.producer.id))
            .with_producer_epoch(self.producer.epoch)
            .with_topics(vec![topic]);
        let answer = cluster.ask(self.group_coordinator, &request).await?;
        let mut results = answer.topics.iter().flat_map(|topic| &topic.partitions);
        if let Some(code) = results.find_map(|result| Code::of(result.error_code)) {
            return Err(refused("TxnOffsetCommit", &self.id, code));
        }
        self.end(cluster, true).await
    }

    /// Ends the transaction, if there is one, as if it had never begun.
    pub(super) async fn abort(&mut self, cluster: &mut Cluster) -> Result<(), Error> {
        if self.is_open { self.end(cluster, false).await } else { Ok(()) }
    }

    async fn end(&mut self, cluster: &mut Cluster, is_commit: bool) -> Result<(), Error> {
        let request = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(self.id.clone()))
            .with_producer_id(ProducerId(self.producer.id))
            .with_producer_epoch(self.producer.epoch)
            .with_committed(is_commit);
        let answer = cluster.ask(self.coordinator, &request).await?;
        match Code::of(answer.error_code) {
            None => {
                self.is_open = false;
                Ok(())
            }
            Some(code) => Err(refused("EndTxn", &self.id, code)),
        }
    }

    /// What a failure means while there is a transactional id.
    pub(super) fn failed(&self, error: Error) -> Error {
        match error {
            Error::Sequence { code, .. } | Error::Refused { code, .. } if code.is_fenced() => {
                Error::Fenced { id: self.id.to_string() }
            }
            error => error,
        }
    }
}

async fn find(cluster: &mut Cluster, key: &StrBytes, kind: i8) -> Result<i32, Error> {
    let request = FindCoordinatorRequest::default().with_key(key.clone()).with_key_type(kind);
    let answer = cluster.ask_any(&request).await?;
    if let Some(code) = Code::of(answer.error_code) {
        return Err(refused("FindCoordinator", key, code));
    }
    cluster.found(answer.node_id, &answer.host, answer.port);
    Ok(answer.node_id.0)
}

fn refused(api: &'static str, id: &StrBytes, code: Code) -> Error {
    Error::Refused { api, object: format!("`{}`", id.as_str()), code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_counts_if_it_is_of_this_log_and_not_older_than_the_last_move() {
        let (log, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mark = |log, last| Mark { log, moves: Moves { last, before: None } };
        let next = Offset::new(8).unwrap_or_default();
        let counts = |mark: Mark, text: &str| {
            mark.cursor(next, text).filter(|it| it.next == next && !it.is_older).map(|it| it.last)
        };
        let recorded = Timestamp::from_millisecond(1_792_886_400_123).unwrap_or_default();
        let last = Taken { offset: Offset::new(7).unwrap_or_default(), recorded };
        let beside = |log, seek| mark(log, seek).beside(last);
        assert_eq!(counts(mark(log, 0), &beside(log, 0)), Some(Some(last)));
        assert_eq!(counts(mark(log, 2), &beside(log, 2)), Some(Some(last)));
        assert_eq!(counts(mark(log, 2), &beside(log, 1)), None);
        assert_eq!(counts(mark(log, 1), &beside(log, 0)), None);
        assert_eq!(counts(mark(log, 0), &beside(other, 0)), None);
        assert_eq!(counts(mark(log, 0), ""), None);
        assert_eq!(counts(mark(log, 0), &format!("{log}/x")), None);
        // Where the sink stood before a stretch that it repeats is told by the number that its place had then, or
        // one of a later stretch.
        let repeating = Mark { log, moves: Moves { last: 3, before: Some(1) } };
        for older in [1, 2] {
            assert!(repeating.cursor(next, &beside(log, older)).is_some_and(|it| it.is_older));
        }
        assert_eq!(repeating.cursor(next, &beside(log, 0)), None);
        assert_eq!(counts(repeating, &beside(log, 3)), Some(Some(last)));
        // It counts without the last record, too.
        assert_eq!(counts(mark(log, 1), &format!("{log}/2")), Some(None));
    }
}
