//! DeleteGroups and OffsetDelete: what tools ask to take back what a group committed.
//!
//! As Kafka has it, a group that has members is not deleted, and neither is an offset of one: its
//! members would commit it again. Which topics members read is theirs to know, so all of a group with
//! members count as read.

use kafka_protocol::{
    ResponseError,
    messages::{
        DeleteGroupsRequest, DeleteGroupsResponse, GroupId, OffsetDeleteRequest,
        OffsetDeleteResponse,
        delete_groups_response::DeletableGroupResult,
        offset_delete_request::OffsetDeleteRequestTopic,
        offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic},
    },
};
use pluvio_log::StreamName;

use crate::kafka::server::Caller;

/// Answers `DeleteGroups`, each group by itself.
pub(crate) async fn delete(
    caller: &Caller<'_>,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let mut results = Vec::with_capacity(request.groups_names.len());
    for id in request.groups_names {
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

/// Answers `OffsetDelete`, each partition by itself.
pub(crate) async fn delete_offsets(
    caller: &Caller<'_>,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let named = |topic: &OffsetDeleteRequestTopic| {
        topic.partitions.iter().map(|it| it.partition_index).collect::<Vec<_>>()
    };
    let mut streams = Vec::new();
    let topics = request.topics.iter().map(|topic| {
        let partitions = named(topic).into_iter().map(|index| {
            let read = caller.partition(&topic.name, index);
            let code = read.as_ref().map_or_else(ResponseError::code, |_| 0);
            streams.extend(read.map(|topic| topic.stream));
            OffsetDeleteResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(code)
        });
        let partitions = partitions.collect();
        OffsetDeleteResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions)
    });
    let mut topics: Vec<_> = topics.collect();
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
