//! Every API in every version that is advertised is answered, to the last byte.

use kafka_protocol::{
    ResponseError,
    messages::{
        ApiKey, ApiVersionsRequest, ApiVersionsResponse, ConsumerGroupHeartbeatRequest,
        DeleteGroupsRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest,
        FindCoordinatorRequest, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest,
        LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest, MetadataRequest,
        OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest,
        ProduceRequest, SaslHandshakeRequest, SyncGroupRequest,
        describe_configs_request::DescribeConfigsResource,
        join_group_request::JoinGroupRequestProtocol,
        leave_group_request::MemberIdentity,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        metadata_request::MetadataRequestTopic,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
        offset_fetch_request::{
            OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
        },
        offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
        produce_request::{PartitionProduceData, TopicProduceData},
        sync_group_request::SyncGroupRequestAssignment,
    },
    protocol::Decodable,
};
use tokio::io::AsyncWriteExt;

use crate::{
    client::{Client, fetch_by_id, fetch_of, group, offsets, only, text, topic},
    house::{House, plan},
};

const TOPIC_REFUSED: i16 = ResponseError::TopicAuthorizationFailed.code();

/// Asks for one API in one version; what is asserted is the same in all of them.
async fn ask(house: &House, client: &mut Client, key: ApiKey, v: i16) {
    match key {
        ApiKey::Produce => produce(client, v).await,
        ApiKey::Fetch => {
            let by_id = v >= 13;
            let request =
                if by_id { fetch_by_id(house.id(), 1) } else { fetch_of(&[("events", 1)]) };
            let data = only(client.ask(v, &request).await);
            assert_eq!((data.error_code, data.high_watermark), (0, 3), "fetch {v}");
            assert_eq!(offsets(&data), [1, 2], "fetch {v}");
        }
        ApiKey::ListOffsets => {
            let partition = ListOffsetsPartition::default().with_timestamp(-1);
            let wanted = ListOffsetsTopic::default()
                .with_name(topic("events"))
                .with_partitions(vec![partition]);
            let request = ListOffsetsRequest::default().with_topics(vec![wanted]);
            let found = &client.ask(v, &request).await.topics[0].partitions[0];
            assert_eq!((found.error_code, found.offset), (0, 3), "list_offsets {v}");
        }
        ApiKey::Metadata => {
            let wanted = MetadataRequestTopic::default().with_name(Some(topic("events")));
            let request = MetadataRequest::default().with_topics(Some(vec![wanted]));
            let response = client.ask(v, &request).await;
            assert_eq!(response.brokers[0].port, i32::from(house.address.port()));
            let found = &response.topics[0];
            assert_eq!((found.error_code, found.partitions.len()), (0, 1), "metadata {v}");
            assert!(v < 10 || found.topic_id == house.id());
        }
        ApiKey::OffsetForLeaderEpoch => {
            let wanted = OffsetForLeaderTopic::default()
                .with_topic(topic("events"))
                .with_partitions(vec![OffsetForLeaderPartition::default()]);
            let request = OffsetForLeaderEpochRequest::default().with_topics(vec![wanted]);
            let end = &client.ask(v, &request).await.topics[0].partitions[0];
            assert_eq!((end.error_code, end.leader_epoch, end.end_offset), (0, 0, 3));
        }
        ApiKey::DescribeConfigs => {
            let resource = DescribeConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(text("events"));
            let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
            let result = &client.ask(v, &request).await.results[0];
            let policy = result.configs.iter().find(|c| &*c.name == "cleanup.policy").unwrap();
            assert_eq!(policy.value.as_deref(), Some("delete"));
        }
        ApiKey::DescribeCluster => {
            let response = client.ask(v, &DescribeClusterRequest::default()).await;
            assert_eq!((response.error_code, response.brokers.len()), (0, 1));
        }
        ApiKey::InitProducerId => {
            let response =
                client.ask(v, &InitProducerIdRequest::default().with_transactional_id(None)).await;
            assert_eq!((response.error_code, response.producer_epoch), (0, 0));
            assert!(response.producer_id.0 >= 0);
        }
        ApiKey::SaslHandshake | ApiKey::ApiVersions => ask_first(client, key, v).await,
        // Known in its own test: it ends the connection.
        ApiKey::SaslAuthenticate => {}
        key => ask_group(client, key, v).await,
    }
}

/// What a client says before anything else.
async fn ask_first(client: &mut Client, key: ApiKey, v: i16) {
    match key {
        ApiKey::SaslHandshake => {
            let wanted = SaslHandshakeRequest::default().with_mechanism(text("PLAIN"));
            let response = client.ask(v, &wanted).await;
            assert_eq!(response.error_code, ResponseError::IllegalSaslState.code());
        }
        ApiKey::ApiVersions => {
            let request = ApiVersionsRequest::default()
                .with_client_software_name(text("a"))
                .with_client_software_version(text("1"));
            assert_eq!(client.ask(v, &request).await.error_code, 0);
        }
        key => unreachable!("{key:?} comes first"),
    }
}

async fn ask_group(client: &mut Client, key: ApiKey, v: i16) {
    let id = group(&format!("g-{key:?}-{v}"));
    match key {
        ApiKey::FindCoordinator => {
            let mut request = FindCoordinatorRequest::default();
            if v < 4 {
                request.key = text("g");
            } else {
                request.coordinator_keys = vec![text("g")];
            }
            let response = client.ask(v, &request).await;
            let node = response.coordinators.first().map_or(response.node_id, |c| c.node_id);
            assert_eq!((response.error_code, node.0), (0, 1), "find_coordinator {v}");
        }
        ApiKey::JoinGroup | ApiKey::SyncGroup | ApiKey::Heartbeat | ApiKey::LeaveGroup => {
            Box::pin(live(client, &id, key, v)).await;
        }
        ApiKey::OffsetCommit | ApiKey::OffsetFetch => {
            let commit = if key == ApiKey::OffsetCommit { v } else { 9 };
            let fetch = if key == ApiKey::OffsetFetch { v } else { 9 };
            assert_eq!(commit_one(client, commit, &id.0, 2).await, 0, "offset_commit {v}");
            assert_eq!(committed(client, fetch, &id.0).await, (2, "so far".to_owned()));
        }
        ApiKey::ListGroups => {
            commit_one(client, 9, &id.0, 1).await;
            let response = client.ask(v, &ListGroupsRequest::default()).await;
            assert!(response.groups.iter().any(|group| group.group_id == id), "list_groups {v}");
        }
        ApiKey::DescribeGroups => {
            commit_one(client, 9, &id.0, 1).await;
            let request = DescribeGroupsRequest::default().with_groups(vec![id]);
            let group = &client.ask(v, &request).await.groups[0];
            assert_eq!((group.error_code, &*group.group_state), (0, "Empty"));
        }
        ApiKey::DeleteGroups => {
            commit_one(client, 9, &id.0, 1).await;
            let request = DeleteGroupsRequest::default().with_groups_names(vec![id.clone()]);
            assert_eq!(client.ask(v, &request).await.results[0].error_code, 0);
            assert_eq!(committed(client, 9, &id.0).await.0, -1);
        }
        ApiKey::OffsetDelete => {
            commit_one(client, 9, &id.0, 1).await;
            let partition = OffsetDeleteRequestPartition::default();
            let wanted = OffsetDeleteRequestTopic::default()
                .with_name(topic("events"))
                .with_partitions(vec![partition]);
            let request =
                OffsetDeleteRequest::default().with_group_id(id.clone()).with_topics(vec![wanted]);
            let response = client.ask(v, &request).await;
            assert_eq!(response.error_code, 0);
            assert_eq!(response.topics[0].partitions[0].error_code, 0);
            assert_eq!(committed(client, 9, &id.0).await.0, -1);
        }
        ApiKey::ConsumerGroupHeartbeat => {
            let request = ConsumerGroupHeartbeatRequest::default().with_group_id(id);
            let response = client.ask(v, &request).await;
            assert_eq!(response.error_code, ResponseError::UnsupportedVersion.code());
            assert!(response.error_message.unwrap().ends_with("group.protocol=classic"));
        }
        key => unreachable!("{key:?} is advertised and not tried"),
    }
}

/// A member's life, with one of its requests in another version.
async fn live(client: &mut Client, id: &kafka_protocol::messages::GroupId, key: ApiKey, v: i16) {
    let of = |this: ApiKey, other: i16| if key == this { v } else { other };
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
    let mut join = JoinGroupRequest::default()
        .with_group_id(id.clone())
        .with_session_timeout_ms(10_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    let version = of(ApiKey::JoinGroup, 3);
    if version >= 1 {
        join.rebalance_timeout_ms = 10_000;
    }
    let mut joined = client.ask(version, &join).await;
    if joined.error_code == ResponseError::MemberIdRequired.code() {
        assert!(version >= 4);
        join.member_id = joined.member_id.clone();
        joined = client.ask(version, &join).await;
    }
    assert_eq!((joined.error_code, joined.generation_id), (0, 1), "join_group {version}");
    assert_eq!((joined.leader == joined.member_id, joined.members.len()), (true, 1));
    let member = joined.member_id;
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(member.clone())
        .with_assignment(b"all".as_slice().into());
    let mut sync = SyncGroupRequest::default()
        .with_group_id(id.clone())
        .with_generation_id(1)
        .with_member_id(member.clone())
        .with_assignments(vec![assignment]);
    if of(ApiKey::SyncGroup, 3) >= 5 {
        sync.protocol_name = Some(text("range"));
    }
    let synced = client.ask(of(ApiKey::SyncGroup, 3), &sync).await;
    assert_eq!((synced.error_code, &*synced.assignment), (0, &b"all"[..]), "sync_group {v}");
    let beat = HeartbeatRequest::default()
        .with_group_id(id.clone())
        .with_generation_id(1)
        .with_member_id(member.clone());
    assert_eq!(client.ask(of(ApiKey::Heartbeat, 3), &beat).await.error_code, 0);
    let mut leave = LeaveGroupRequest::default().with_group_id(id.clone());
    let version = of(ApiKey::LeaveGroup, 1);
    if version < 3 {
        leave.member_id = member;
    } else {
        leave.members = vec![MemberIdentity::default().with_member_id(member)];
    }
    let left = client.ask(version, &leave).await;
    assert_eq!(left.error_code, 0, "leave_group {version}");
    assert!(left.members.iter().all(|member| member.error_code == 0));
}

async fn produce(client: &mut Client, v: i16) {
    if v < 3 {
        // The codec has forgotten these: acks, a time-out, one topic with one partition of 2 bytes.
        let head = [0, 0, 0, u8::try_from(v).unwrap(), 0, 0, 0, 9, 255, 255];
        let body = [255, 255, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0];
        let bytes = [&[0, 0, 0, 37], &head[..], &body, &[0, 0, 0, 2, 7, 7]].concat();
        client.stream.write_all(&bytes).await.unwrap();
        let answer = client.frame().await.unwrap();
        let refused = &answer[4 + 4 + 3 + 4 + 4..][..2];
        assert_eq!(refused, TOPIC_REFUSED.to_be_bytes(), "produce {v}");
        let tail = if v >= 2 { 8 } else { 0 } + if v >= 1 { 4 } else { 0 };
        assert_eq!(answer.len(), 4 + 4 + 3 + 4 + 4 + 2 + 8 + tail, "produce {v}");
        return;
    }
    let data = PartitionProduceData::default().with_records(Some(b"x".as_slice().into()));
    let mut wanted = TopicProduceData::default().with_partition_data(vec![data]);
    if v < 13 {
        wanted.name = topic("events");
    }
    let request = ProduceRequest::default().with_acks(-1).with_topic_data(vec![wanted]);
    let response = client.ask(v, &request).await;
    let refused = &response.responses[0].partition_responses[0];
    assert_eq!(refused.error_code, TOPIC_REFUSED, "produce {v}");
    assert!(v < 8 || refused.error_message.as_deref().unwrap().contains("only reads"));
}

/// Commits an offset as somebody who is in no group.
pub(crate) async fn commit_one(client: &mut Client, v: i16, id: &str, offset: i64) -> i16 {
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text("so far")));
    let wanted = OffsetCommitRequestTopic::default()
        .with_name(topic("events"))
        .with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group(id))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![wanted]);
    client.ask(v, &request).await.topics[0].partitions[0].error_code
}

/// What a group committed in the stream `events`.
pub(crate) async fn committed(client: &mut Client, v: i16, id: &str) -> (i64, String) {
    let text_of = |metadata: &Option<_>| format!("{}", metadata.as_ref().unwrap());
    if v >= 8 {
        let wanted = OffsetFetchRequestTopics::default()
            .with_name(topic("events"))
            .with_partition_indexes(vec![0]);
        let one = OffsetFetchRequestGroup::default()
            .with_group_id(group(id))
            .with_topics(Some(vec![wanted]));
        let request = OffsetFetchRequest::default().with_groups(vec![one]);
        let found = &client.ask(v, &request).await.groups[0].topics[0].partitions[0];
        return (found.committed_offset, text_of(&found.metadata));
    }
    let wanted = OffsetFetchRequestTopic::default()
        .with_name(topic("events"))
        .with_partition_indexes(vec![0]);
    let request =
        OffsetFetchRequest::default().with_group_id(group(id)).with_topics(Some(vec![wanted]));
    let found = &client.ask(v, &request).await.topics[0].partitions[0];
    (found.committed_offset, text_of(&found.metadata))
}

#[tokio::test]
async fn every_version_of_every_api_that_is_advertised_is_answered() {
    let house = plan().open().await;
    house.append(0..3).await;
    let mut client = house.client().await;
    let advertised = client.ask(4, &ApiVersionsRequest::default()).await.api_keys;
    assert_eq!(advertised.len(), 23);
    for api in advertised {
        let key = ApiKey::try_from(api.api_key).unwrap();
        for version in api.min_version..=api.max_version {
            ask(&house, &mut client, key, version).await;
        }
    }
}

#[tokio::test]
async fn a_client_that_is_too_new_is_told_how_to_ask_again() {
    let house = plan().open().await;
    let mut client = house.client().await;
    // Version 99, correlation 5, no client id, tags.
    let request = [0, 0, 0, 11, 0, 18, 0, 99, 0, 0, 0, 5, 255, 255, 0];
    client.stream.write_all(&request).await.unwrap();
    let mut answer = client.frame().await.unwrap().split_off(4);
    let versions = ApiVersionsResponse::decode(&mut answer, 0).unwrap();
    assert_eq!(versions.error_code, ResponseError::UnsupportedVersion.code());
    assert_eq!((versions.api_keys[0].api_key, versions.api_keys[0].max_version), (18, 4));
}
