//! OffsetCommit and OffsetFetch: from the wire to the offsets and back.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use kafka_protocol::{
    ResponseError,
    messages::{
        GroupId, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest,
        OffsetFetchResponse, TopicName,
        offset_commit_request::OffsetCommitRequestPartition,
        offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        offset_fetch_response::{
            OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
            OffsetFetchResponseTopic, OffsetFetchResponseTopics,
        },
    },
    protocol::StrBytes,
};
use pluvio_log::StreamName;

use super::room::Room;
use crate::groups::{event::Speaker, limits::OFFSET_METADATA_BYTES_MAX, offsets::Committed};
use crate::kafka::{
    caller::Caller,
    topics::{EPOCH, PARTITION},
    turn::Pace,
};

/// Answers `OffsetCommit`. A partition that cannot be is refused by itself; the others are stored
/// together.
pub(crate) async fn commit(
    caller: &Caller<'_>,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let group = caller.group(&request.group_id);
    let mut offsets = Vec::new();
    let (mut topics, mut pace) = (Vec::<OffsetCommitResponseTopic>::new(), Pace::default());
    for topic in &request.topics {
        let mut answered = Vec::with_capacity(topic.partitions.len());
        for wanted in &topic.partitions {
            pace.step().await;
            let read = match &group {
                Ok(_) => read(caller, &topic.name, wanted),
                Err(error) => Err(*error),
            };
            let code = read.as_ref().map_or_else(ResponseError::code, |_| 0);
            offsets.extend(read);
            let partition = OffsetCommitResponsePartition::default();
            let partition = partition.with_partition_index(wanted.partition_index);
            answered.push(partition.with_error_code(code));
        }
        let named = OffsetCommitResponseTopic::default().with_name(topic.name.clone());
        topics.push(named.with_partitions(answered));
    }
    let speaker = Speaker {
        member: &request.member_id,
        instance: request.group_instance_id.as_deref(),
        generation: request.generation_id_or_member_epoch,
    };
    let stored = match group {
        Ok(group) => caller.server.groups.commit(&group, speaker, offsets).await,
        Err(error) => Err(error),
    };
    if let Err(error) = stored {
        let partitions = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        for partition in partitions.filter(|partition| partition.error_code == 0) {
            partition.error_code = error.code();
        }
    }
    OffsetCommitResponse::default().with_topics(topics)
}

fn read(
    caller: &Caller<'_>,
    name: &str,
    wanted: &OffsetCommitRequestPartition,
) -> Result<(StreamName, Committed), ResponseError> {
    let topic = caller.partition(name, wanted.partition_index)?;
    let metadata = wanted.committed_metadata.clone().unwrap_or_default();
    if metadata.len() > OFFSET_METADATA_BYTES_MAX {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    let committed = Committed {
        offset: wanted.committed_offset,
        epoch: wanted.committed_leader_epoch,
        at: Timestamp::now().as_millisecond(),
        log_id: topic.extent.log_id,
        metadata,
    };
    Ok((topic.stream, committed))
}

/// What a partition of `OffsetFetch` is answered with.
struct Found {
    partition: i32,
    offset: i64,
    epoch: i32,
    metadata: StrBytes,
    error: i16,
}

impl Found {
    fn none(partition: i32) -> Self {
        Self { partition, offset: -1, epoch: -1, metadata: StrBytes::default(), error: 0 }
    }
}

type Topics = Vec<(TopicName, Vec<Found>)>;

type Wanted = Option<Vec<(TopicName, Vec<i32>)>>;

/// Answers `OffsetFetch`, each partition once. A group that is asked for twice is refused the second time.
pub(crate) async fn fetch(caller: &Caller<'_>, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let (mut room, mut pace) = (Room::new(), Pace::default());
    if caller.version >= 8 {
        let mut asked = HashSet::new();
        let mut groups = Vec::new();
        for group in request.groups {
            pace.step().await;
            let found = match asked.insert(group.group_id.clone()) {
                true => {
                    let topics = group.topics.map(|topics| {
                        topics.into_iter().map(|t| (t.name, t.partition_indexes)).collect()
                    });
                    found(caller, &group.group_id, topics, &mut room, &mut pace).await
                }
                false => Err(ResponseError::InvalidRequest),
            };
            groups.push(of_group(group.group_id, found));
        }
        return OffsetFetchResponse::default().with_groups(groups);
    }
    let topics: Wanted = request
        .topics
        .map(|topics| topics.into_iter().map(|t| (t.name, t.partition_indexes)).collect());
    // Version 1 has no room for an error but at each partition, and names what it wants.
    let wanted = topics.clone().filter(|_| caller.version < 2).unwrap_or_default();
    match found(caller, &request.group_id, topics, &mut room, &mut pace).await {
        Err(error) if caller.version < 2 => {
            let failed = |partition| Found { error: error.code(), ..Found::none(partition) };
            let topics = wanted
                .into_iter()
                .map(|(name, partitions)| (name, partitions.into_iter().map(failed).collect()));
            of_topics(topics.collect())
        }
        Err(error) => OffsetFetchResponse::default().with_error_code(error.code()),
        Ok(topics) => of_topics(topics),
    }
}

fn of_topics(topics: Topics) -> OffsetFetchResponse {
    let topics = topics.into_iter().map(|(name, found)| {
        let partitions = found.into_iter().map(|found| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(found.partition)
                .with_committed_offset(found.offset)
                .with_committed_leader_epoch(found.epoch)
                .with_metadata(Some(found.metadata))
                .with_error_code(found.error)
        });
        let partitions = partitions.collect();
        OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions)
    });
    OffsetFetchResponse::default().with_topics(topics.collect())
}

fn of_group(id: GroupId, found: Result<Topics, ResponseError>) -> OffsetFetchResponseGroup {
    let group = OffsetFetchResponseGroup::default().with_group_id(id);
    match found {
        Err(error) => group.with_error_code(error.code()),
        Ok(topics) => {
            let topics = topics.into_iter().map(|(name, found)| {
                let partitions = found.into_iter().map(|found| {
                    OffsetFetchResponsePartitions::default()
                        .with_partition_index(found.partition)
                        .with_committed_offset(found.offset)
                        .with_committed_leader_epoch(found.epoch)
                        .with_metadata(Some(found.metadata))
                        .with_error_code(found.error)
                });
                let partitions = partitions.collect();
                OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions)
            });
            group.with_topics(topics.collect())
        }
    }
}

/// A group's offsets in `topics`; in all that it has some in, if not told.
async fn found(
    caller: &Caller<'_>,
    group: &str,
    topics: Wanted,
    room: &mut Room,
    pace: &mut Pace,
) -> Result<Topics, ResponseError> {
    let group = caller.group(group)?;
    room.take(PARTITION_BYTES)?;
    let offsets = caller.server.groups.offsets(&group);
    let topics = topics.unwrap_or_else(|| {
        let names = offsets.keys().filter(|stream| caller.topic(stream.as_str()).is_ok());
        let named = |stream: &StreamName| {
            (TopicName(StrBytes::from(stream.as_str().to_owned())), vec![PARTITION])
        };
        names.map(named).collect()
    });
    let mut asked = HashSet::new();
    let mut answered = Vec::with_capacity(topics.len());
    for (name, partitions) in topics {
        room.take(name.len())?;
        let mut found = Vec::new();
        for partition in partitions {
            pace.step().await;
            if asked.insert((name.clone(), partition)) {
                found.push(found_one(caller, &offsets, &name, partition, room)?);
            }
        }
        answered.push((name, found));
    }
    Ok(answered)
}

/// What a partition or a group takes in an answer, but for its texts.
const PARTITION_BYTES: usize = 64;

/// An error is that of the whole answer.
fn found_one(
    caller: &Caller<'_>,
    offsets: &BTreeMap<StreamName, Committed>,
    name: &str,
    partition: i32,
    room: &mut Room,
) -> Result<Found, ResponseError> {
    room.take(PARTITION_BYTES)?;
    let none = Found::none(partition);
    Ok(match caller.partition(name, partition) {
        // Nothing can be committed there, and "no offset" is the answer that every client knows.
        Err(ResponseError::UnknownTopicOrPartition) => none,
        Err(error) => Found { error: error.code(), ..none },
        Ok(topic) => match offsets.get(&topic.stream) {
            Some(committed) if committed.log_id == topic.extent.log_id => {
                room.take(committed.metadata.len())?;
                Found {
                    offset: committed.offset,
                    epoch: committed.epoch.min(EPOCH),
                    metadata: committed.metadata.clone(),
                    ..none
                }
            }
            _ => none,
        },
    })
}
