//! DeleteGroups and OffsetDelete: what tools ask to take back what a group committed.
//!
//! As Kafka has it, a group that has members is not deleted, and neither is an offset of one: its
//! members would commit it again. Which topics members read is theirs to know, so all of a group with
//! members count as read.

use std::collections::HashSet;

use kafka_protocol::{
    ResponseError,
    messages::{
        DeleteGroupsRequest, DeleteGroupsResponse, GroupId, OffsetDeleteRequest,
        OffsetDeleteResponse,
        delete_groups_response::DeletableGroupResult,
        offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic},
    },
};
use pluvio_log::StreamName;

use crate::kafka::{caller::Caller, turn::Pace};

/// Answers `DeleteGroups`, each group once and by itself.
pub(crate) async fn delete(
    caller: &Caller<'_>,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let (mut asked, mut pace) = (HashSet::new(), Pace::default());
    let mut results = Vec::with_capacity(request.groups_names.len());
    for id in request.groups_names {
        pace.step().await;
        if !asked.insert(id.clone()) {
            continue;
        }
        let deleted = delete_one(caller, &id).await;
        let code = deleted.map_or_else(|error| error.code(), |()| 0);
        results.push(DeletableGroupResult::default().with_group_id(id).with_error_code(code));
    }
    DeleteGroupsResponse::default().with_results(results)
}

async fn delete_one(caller: &Caller<'_>, id: &GroupId) -> Result<(), ResponseError> {
    let group = caller.group(id)?;
    caller.server.groups.delete(&group, |_| true).await.map(drop)
}

/// Answers `OffsetDelete`, each partition once and by itself.
pub(crate) async fn delete_offsets(
    caller: &Caller<'_>,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let (mut asked, mut pace) = (HashSet::new(), Pace::default());
    let (mut streams, mut topics) = (HashSet::new(), Vec::new());
    for topic in request.topics {
        let mut partitions = Vec::new();
        for wanted in topic.partitions {
            pace.step().await;
            let index = wanted.partition_index;
            if !asked.insert((topic.name.clone(), index)) {
                continue;
            }
            let read = caller.partition(&topic.name, index);
            let code = read.as_ref().map_or_else(ResponseError::code, |_| 0);
            streams.extend(read.map(|topic| topic.stream));
            let partition = OffsetDeleteResponsePartition::default().with_partition_index(index);
            partitions.push(partition.with_error_code(code));
        }
        let answered = OffsetDeleteResponseTopic::default().with_name(topic.name);
        topics.push(answered.with_partitions(partitions));
    }
    let is_named = |stream: &StreamName| streams.contains(stream);
    let deleted = match caller.group(&request.group_id) {
        Ok(group) => caller.server.groups.delete(&group, is_named).await,
        Err(error) => Err(error),
    };
    match deleted {
        Ok(()) => {}
        Err(ResponseError::NonEmptyGroup) => {
            let partitions = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            for partition in partitions.filter(|partition| partition.error_code == 0) {
                partition.error_code = ResponseError::GroupSubscribedToTopic.code();
            }
        }
        Err(error) => return OffsetDeleteResponse::default().with_error_code(error.code()),
    }
    OffsetDeleteResponse::default().with_topics(topics)
}
