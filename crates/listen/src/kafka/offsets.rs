//! ListOffsets and OffsetForLeaderEpoch: where to read from.
//!
//! Kafka's earliest is the log's `start`, its latest is `next`. A time is looked up in the log,
//! whose times never decrease.

use std::collections::HashSet;

use jiff::Timestamp;
use kafka_protocol::{
    ResponseError,
    messages::{
        ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
        OffsetForLeaderEpochResponse,
        list_offsets_request::ListOffsetsPartition,
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
        offset_for_leader_epoch_request::OffsetForLeaderPartition,
        offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult},
    },
};
use pluvio_log::{Log as _, Offset, ReadError, ReadLimit, Seek};

use super::{
    caller::Caller,
    error,
    topics::{EPOCH, Topic, check_epoch},
    turn::Pace,
};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const OF_MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
/// No offset, no time.
const NONE: i64 = -1;
const NO_EPOCH: i32 = -1;

/// Answers `ListOffsets`. A partition that is asked for twice is refused the second time, as Kafka
/// does: a time costs a search, and so a request costs no more than one search in each stream.
pub(super) async fn list(caller: &Caller<'_>, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    let (mut asked, mut pace) = (HashSet::new(), Pace::default());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in topic.partitions {
            pace.step().await;
            let found = match asked.insert((topic.name.clone(), wanted.partition_index)) {
                true => found(caller, &topic.name, &wanted).await,
                false => Err(ResponseError::InvalidRequest),
            };
            let found = match found {
                Ok(Some((offset, timestamp))) => ListOffsetsPartitionResponse::default()
                    .with_offset(offset.get())
                    .with_timestamp(timestamp)
                    // The codec refuses an epoch where there is no room for one.
                    .with_leader_epoch(if caller.version >= 4 { EPOCH } else { NO_EPOCH }),
                Ok(None) => ListOffsetsPartitionResponse::default(),
                Err(error) => ListOffsetsPartitionResponse::default().with_error_code(error.code()),
            };
            partitions.push(found.with_partition_index(wanted.partition_index));
        }
        let answered = ListOffsetsTopicResponse::default().with_name(topic.name);
        topics.push(answered.with_partitions(partitions));
    }
    ListOffsetsResponse::default().with_topics(topics)
}

async fn found(
    caller: &Caller<'_>,
    name: &str,
    wanted: &ListOffsetsPartition,
) -> Result<Option<(Offset, i64)>, ResponseError> {
    let topic = caller.partition(name, wanted.partition_index)?;
    check_epoch(wanted.current_leader_epoch)?;
    let extent = topic.extent;
    let at = match wanted.timestamp {
        LATEST => return Ok(Some((extent.next, NONE))),
        EARLIEST | EARLIEST_LOCAL => return Ok(Some((extent.start, NONE))),
        LATEST_TIERED => return Ok(None),
        OF_MAX_TIMESTAMP => match newest(caller, &topic).await {
            Ok(Some((_, recorded))) => recorded,
            Ok(None) => return Ok(None),
            Err(failed) => return Err(error::of_read(&topic.stream, &failed)),
        },
        milliseconds if milliseconds < 0 => return Err(ResponseError::UnsupportedForMessageFormat),
        milliseconds => match Timestamp::from_millisecond(milliseconds) {
            Ok(at) => at,
            // Beyond the year 9999 there is no record yet.
            Err(_) => return Ok(None),
        },
    };
    let first = first_since(caller, &topic, at).await;
    let first = first.map_err(|failed| error::of_read(&topic.stream, &failed))?;
    Ok(first.map(|(offset, recorded)| (offset, recorded.as_millisecond())))
}

/// A record's offset, and when it was recorded.
type Place = (Offset, Timestamp);

async fn newest(caller: &Caller<'_>, topic: &Topic) -> Result<Option<Place>, ReadError> {
    match topic.extent.latest {
        Some(latest) => {
            let _turn = caller.server.lookups.take(caller.holder).await;
            record_at(caller, topic, latest).await
        }
        None => Ok(None),
    }
}

async fn first_since(
    caller: &Caller<'_>,
    topic: &Topic,
    at: Timestamp,
) -> Result<Option<Place>, ReadError> {
    let _turn = caller.server.lookups.take(caller.holder).await;
    let offset = caller.server.context.log.seek(&topic.stream, Seek::Time(at)).await?;
    record_at(caller, topic, offset).await
}

/// The first record at `offset` or behind it; `None` if it is yet to come.
async fn record_at(
    caller: &Caller<'_>,
    topic: &Topic,
    offset: Offset,
) -> Result<Option<Place>, ReadError> {
    let limit = ReadLimit { records_max: 1, ..ReadLimit::default() };
    let chunk = caller.server.context.log.read(&topic.stream, offset, limit).await?;
    Ok(chunk.records().next().map(|record| (record.offset, record.recorded)))
}

/// Answers `OffsetForLeaderEpoch`: a client that knows the only epoch is told that nothing was ever
/// cut off behind it. Each partition is answered once.
pub(super) async fn of_epoch(
    caller: &Caller<'_>,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let answered = |name: &str, wanted: &OffsetForLeaderPartition| {
        let end = EpochEndOffset::default().with_partition(wanted.partition);
        let topic = caller.partition(name, wanted.partition);
        let checked =
            topic.and_then(|topic| check_epoch(wanted.current_leader_epoch).map(|()| topic));
        match checked {
            Ok(topic) if wanted.leader_epoch == EPOCH => {
                end.with_leader_epoch(EPOCH).with_end_offset(topic.extent.next.get())
            }
            Ok(_) => end,
            Err(error) => end.with_error_code(error.code()),
        }
    };
    let (mut asked, mut pace) = (HashSet::new(), Pace::default());
    let mut topics = Vec::new();
    for topic in request.topics {
        let mut ends = Vec::new();
        for wanted in &topic.partitions {
            pace.step().await;
            if asked.insert((topic.topic.clone(), wanted.partition)) {
                ends.push(answered(&topic.topic, wanted));
            }
        }
        let result = OffsetForLeaderTopicResult::default().with_topic(topic.topic);
        topics.push(result.with_partitions(ends));
    }
    OffsetForLeaderEpochResponse::default().with_topics(topics)
}
