//! What one client may cost and take: no more than its share, whatever it asks for.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

use kafka_protocol::{
    ResponseError,
    messages::{
        DeleteGroupsRequest, DescribeConfigsRequest, DescribeGroupsRequest, FetchRequest,
        FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
        ListGroupsRequest, ListOffsetsRequest, OffsetCommitRequest, OffsetDeleteRequest,
        OffsetFetchRequest, OffsetForLeaderEpochRequest, SyncGroupRequest,
        describe_configs_request::DescribeConfigsResource,
        fetch_request::{FetchPartition, FetchTopic},
        join_group_request::JoinGroupRequestProtocol,
        leave_group_request::MemberIdentity,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
        offset_fetch_request::{
            OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
        },
        offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
    },
};
use pluvio_event::{Filter, Pattern};
use pluvio_log::{Log, StreamName};
use pluvio_runtime::{AccessTable, Principal, Streams, Verb};
use tokio::net::TcpSocket;
use uuid::Uuid;

use crate::{
    access::known,
    client::{Client, fetch_of, group, offsets, only, text, topic, within},
    counting::Reads,
    house::{House, append, plan, table},
    versions::{commit_one, committed},
};

const ANSWER_BYTES_MAX: usize = 13 << 20;

/// Somebody who says so many bytes of itself. In version 3 nobody is sent away for a name first.
pub(crate) fn join_of(id: &str, said: usize) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(vec![7; said].into());
    JoinGroupRequest::default()
        .with_group_id(group(id))
        .with_session_timeout_ms(60_000)
        .with_rebalance_timeout_ms(30_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

#[tokio::test]
async fn a_group_that_is_named_thousands_of_times_is_described_once() {
    let house = plan().open().await;
    let mut client = house.client().await;
    assert_eq!(client.ask(3, &join_of("g", 60 << 10)).await.error_code, 0);
    let request = DescribeGroupsRequest::default().with_groups(vec![group("g"); 2000]);
    let groups = client.ask(5, &request).await.groups;
    assert_eq!((groups.len(), groups[0].members.len()), (1, 1));
}

#[tokio::test]
async fn groups_beyond_what_an_answer_holds_are_refused_each_by_itself() {
    let house = plan().open().await;
    let mut client = house.client().await;
    let names: Vec<String> = (0..250).map(|number| format!("g{number}")).collect();
    for name in &names {
        assert_eq!(client.ask(3, &join_of(name, 60 << 10)).await.error_code, 0);
    }
    let wanted = names.iter().map(|name| group(name)).collect();
    client.send(5, &DescribeGroupsRequest::default().with_groups(wanted)).await;
    let groups = client.receive::<DescribeGroupsRequest>(5).await.groups;
    let refused = ResponseError::PolicyViolation.code();
    let codes: Vec<i16> = groups.iter().map(|group| group.error_code).collect();
    let told = codes.iter().take_while(|code| **code == 0).count();
    assert!((200..ANSWER_BYTES_MAX / (60 << 10) + 1).contains(&told), "{told}");
    assert!(codes[told..].iter().all(|code| *code == refused));
    assert_eq!(groups.len(), 250);
}

#[tokio::test]
async fn a_member_that_offers_thousands_of_protocols_is_refused() {
    let house = plan().open().await;
    let mut client = house.client().await;
    let refused = ResponseError::InvalidRequest.code();
    for (count, code) in [(32, 0), (33, refused), (2400, refused)] {
        let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
        let join = join_of("g", 0).with_protocols(vec![protocol; count]);
        assert_eq!(client.ask(3, &join).await.error_code, code, "{count}");
    }
}

#[tokio::test]
async fn what_all_groups_of_a_space_hold_together_is_bounded_and_their_members_stay() {
    let house = plan().open().await;
    let mut client = house.client().await;
    let full = ResponseError::GroupMaxSizeReached.code();
    let mut joined = Vec::new();
    let code = loop {
        let id = format!("g{}", joined.len());
        let response = client.ask(3, &join_of(&id, 60 << 10)).await;
        if response.error_code != 0 {
            break response.error_code;
        }
        joined.push(response.member_id);
        assert!(joined.len() <= (16 << 20) / (60 << 10), "{} groups", joined.len());
    };
    assert_eq!(code, full);
    let mut small = 0;
    while client.ask(3, &join_of(&format!("s{small}"), 1 << 10)).await.error_code == 0 {
        small += 1;
    }
    // Whoever is in it may come back, with as much as before and not with more.
    let again = join_of("g0", 60 << 10).with_member_id(joined[0].clone());
    assert_eq!(client.ask(3, &again).await.error_code, 0);
    let more = join_of("g0", 62 << 10).with_member_id(joined[0].clone());
    assert_eq!(client.ask(3, &more).await.error_code, full);
    let gone = LeaveGroupRequest::default().with_group_id(group("g1"));
    let gone = gone.with_member_id(joined[1].clone());
    assert_eq!(client.ask(1, &gone).await.error_code, 0);
    assert_eq!(client.ask(3, &join_of("another", 50 << 10)).await.error_code, 0);
}

#[tokio::test]
async fn offsets_that_are_asked_for_again_and_again_do_not_swell_the_answer() {
    let house = plan().open().await;
    house.append(0..3).await;
    let mut client = house.client().await;
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(1)
        .with_committed_metadata(Some(text(&"x".repeat(4096))));
    let wanted = OffsetCommitRequestTopic::default()
        .with_name(topic("events"))
        .with_partitions(vec![partition]);
    let commit = OffsetCommitRequest::default()
        .with_group_id(group("g"))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![wanted]);
    assert_eq!(client.ask(9, &commit).await.topics[0].partitions[0].error_code, 0);

    let all = OffsetFetchRequestGroup::default().with_group_id(group("g")).with_topics(None);
    let request = OffsetFetchRequest::default().with_groups(vec![all.clone(); 2000]);
    let groups = client.ask(9, &request).await.groups;
    assert_eq!(groups[0].topics[0].partitions[0].committed_offset, 1);
    let twice = ResponseError::InvalidRequest.code();
    assert!(groups[1..].iter().all(|group| group.error_code == twice && group.topics.is_empty()));

    let many = OffsetFetchRequestTopics::default()
        .with_name(topic("events"))
        .with_partition_indexes(vec![0; 2400]);
    let many = all.with_topics(Some(vec![many]));
    let groups = client.ask(9, &OffsetFetchRequest::default().with_groups(vec![many])).await.groups;
    let partitions = &groups[0].topics[0].partitions;
    assert_eq!((partitions.len(), partitions[0].committed_offset), (1, 1));
    assert_eq!(committed(&mut client, 9, "g").await.0, 1);
}

#[tokio::test]
async fn a_guest_cannot_take_the_operators_groups() {
    let house = plan().access(table()).open().await;
    append(&house.log, "public", &[(1, None)]).await;
    house.append(0..3).await;
    let mut guest = known(&house, "guest").await;
    let mut codes = Vec::new();
    for number in 0..101 {
        let wanted = OffsetCommitRequestTopic::default()
            .with_name(topic("public"))
            .with_partitions(vec![OffsetCommitRequestPartition::default()]);
        let request = OffsetCommitRequest::default()
            .with_group_id(group(&format!("g{number}")))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![wanted]);
        codes.push(guest.ask(9, &request).await.topics[0].partitions[0].error_code);
    }
    let refused = ResponseError::GroupMaxSizeReached.code();
    assert_eq!(codes.pop(), Some(refused));
    assert!(codes.iter().all(|code| *code == 0));
    assert_eq!(guest.ask(3, &join_of("another", 1)).await.error_code, refused);
    let mut operator = known(&house, "operator").await;
    assert_eq!(commit_one(&mut operator, 9, "audit", 1).await, 0);
}

/// What each API about groups says to somebody who asks for the group `g`.
async fn group_codes(client: &mut Client, member: &str) -> Vec<i16> {
    let (id, member) = (group("g"), text(member));
    let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g")]);
    let describe = DescribeGroupsRequest::default().with_groups(vec![id.clone()]);
    let sync = SyncGroupRequest::default().with_group_id(id.clone()).with_member_id(member.clone());
    let beat = HeartbeatRequest::default().with_group_id(id.clone()).with_member_id(member.clone());
    let gone = MemberIdentity::default().with_member_id(member);
    let leave = LeaveGroupRequest::default().with_group_id(id.clone()).with_members(vec![gone]);
    let all = OffsetFetchRequestGroup::default().with_group_id(id.clone()).with_topics(None);
    let fetch = OffsetFetchRequest::default().with_groups(vec![all]);
    let one = OffsetFetchRequestTopic::default()
        .with_name(topic("events"))
        .with_partition_indexes(vec![0]);
    let old = OffsetFetchRequest::default().with_group_id(id).with_topics(Some(vec![one]));
    vec![
        client.ask(4, &find).await.coordinators[0].error_code,
        client.ask(3, &join_of("g", 1)).await.error_code,
        client.ask(5, &sync).await.error_code,
        client.ask(4, &beat).await.error_code,
        client.ask(5, &leave).await.error_code,
        client.ask(5, &describe).await.groups[0].error_code,
        client.ask(9, &fetch).await.groups[0].error_code,
        client.ask(7, &old).await.error_code,
        client.ask(1, &old).await.topics[0].partitions[0].error_code,
        commit_one(client, 9, "g", 1).await,
    ]
}

#[tokio::test]
async fn who_may_not_read_has_no_groups_and_disturbs_nobodys() {
    let house = plan().access(table()).open().await;
    house.append(0..3).await;
    let mut operator = known(&house, "operator").await;
    let joined = operator.ask(3, &join_of("g", 1)).await;
    let sync = SyncGroupRequest::default()
        .with_group_id(group("g"))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone());
    assert_eq!(operator.ask(5, &sync).await.error_code, 0);

    let mut scraper = known(&house, "scraper").await;
    assert_eq!(scraper.ask(5, &ListGroupsRequest::default()).await.groups.len(), 0);
    let refused = ResponseError::GroupAuthorizationFailed.code();
    assert_eq!(group_codes(&mut scraper, &joined.member_id).await, [refused; 10]);

    let beat = HeartbeatRequest::default()
        .with_group_id(group("g"))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id);
    assert_eq!(operator.ask(4, &beat).await.error_code, 0);
    assert_eq!(operator.ask(5, &ListGroupsRequest::default()).await.groups.len(), 1);
}

#[tokio::test]
async fn a_partition_that_is_fetched_twice_in_one_request_is_refused_the_second_time() {
    let house = plan().open().await;
    house.append(0..3).await;
    let mut client = house.client().await;
    let mut request = fetch_of(&[("events", 0), ("events", 0)]);
    let again = request.topics[0].partitions[0].clone();
    request.topics[0].partitions.push(again);
    let answered = client.ask(12, &request).await.responses;
    let answered = answered.iter().flat_map(|topic| &topic.partitions);
    let answered: Vec<_> = answered.map(|data| (data.error_code, offsets(data).len())).collect();
    let twice = ResponseError::InvalidRequest.code();
    assert_eq!(answered, [(0, 3), (twice, 0), (twice, 0)]);
}

#[tokio::test]
async fn behind_the_first_batch_that_does_not_fit_nothing_more_is_read() {
    let house = plan().open().await;
    let many: Vec<(i64, Option<i64>)> = (0..200).map(|id| (id, None)).collect();
    append(&house.log, "small", &[(1, None)]).await;
    append(&house.log, "large", &many).await;
    append(&house.log, "last", &[(1, None)]).await;
    let mut client = house.client().await;
    let counts = async |client: &mut Client, wanted: &[(&str, i64)]| {
        let request = fetch_of(wanted).with_max_bytes(2000).with_min_bytes(2000);
        let answered = client.ask(12, &request.with_max_wait_ms(600_000)).await.responses;
        answered.iter().map(|t| offsets(&t.partitions[0]).len()).collect::<Vec<_>>()
    };
    let wanted = [("small", 0), ("large", 0), ("last", 0)];
    assert_eq!(counts(&mut client, &wanted).await, [1, 0, 0]);
    let wanted = [("large", 0), ("last", 0), ("small", 0)];
    assert_eq!(counts(&mut client, &wanted).await, [200, 0, 0]);
}

#[tokio::test]
async fn known_topics_are_found_among_many_unknown_ids() {
    let house = plan().open().await;
    house.append(0..3).await;
    for number in 0..500 {
        house.log.open(&StreamName::new(&format!("s{number}")).unwrap()).await.unwrap();
    }
    let mut client = house.client().await;
    let wanted = |id: Uuid| {
        let partition = FetchPartition::default()
            .with_current_leader_epoch(0)
            .with_partition_max_bytes(1 << 20);
        FetchTopic::default().with_topic_id(id).with_partitions(vec![partition])
    };
    let strangers = (1..1200).map(|id| wanted(Uuid::from_u128(id)));
    let topics = strangers.chain([wanted(house.id())]).collect();
    let request = FetchRequest::default().with_max_bytes(1 << 20).with_topics(topics);
    let answered = client.ask(13, &request).await.responses;
    let unknown = ResponseError::UnknownTopicId.code();
    let (last, strangers) = answered.split_last().unwrap();
    assert!(strangers.iter().all(|topic| topic.partitions[0].error_code == unknown));
    assert_eq!(offsets(&last.partitions[0]), [0, 1, 2]);
}

#[tokio::test]
async fn what_is_named_again_is_answered_once() {
    let house = plan().open().await;
    house.append(0..3).await;
    let mut client = house.client().await;
    let resource =
        DescribeConfigsResource::default().with_resource_type(2).with_resource_name(text("events"));
    let request = DescribeConfigsRequest::default().with_resources(vec![resource; 100]);
    assert_eq!(client.ask(4, &request).await.results.len(), 1);
    let wanted = OffsetForLeaderTopic::default()
        .with_topic(topic("events"))
        .with_partitions(vec![OffsetForLeaderPartition::default(); 100]);
    let request = OffsetForLeaderEpochRequest::default().with_topics(vec![wanted]);
    let partitions = client.ask(4, &request).await.topics.remove(0).partitions;
    assert_eq!((partitions.len(), partitions[0].end_offset), (1, 3));
    let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g"); 100]);
    assert_eq!(client.ask(4, &request).await.coordinators.len(), 1);
    let wanted = OffsetDeleteRequestTopic::default()
        .with_name(topic("events"))
        .with_partitions(vec![OffsetDeleteRequestPartition::default(); 100]);
    assert_eq!(commit_one(&mut client, 9, "g", 1).await, 0);
    let request =
        OffsetDeleteRequest::default().with_group_id(group("g")).with_topics(vec![wanted]);
    assert_eq!(client.ask(0, &request).await.topics[0].partitions.len(), 1);
    assert_eq!(commit_one(&mut client, 9, "g", 1).await, 0);
    let request = DeleteGroupsRequest::default().with_groups_names(vec![group("g"); 100]);
    let results = client.ask(2, &request).await.results;
    assert_eq!((results.len(), results[0].error_code), (1, 0));
}

#[tokio::test]
async fn a_time_is_looked_up_once_per_partition_and_request() {
    let house = plan().open().await;
    house.append(0..3).await;
    let mut client = house.client().await;
    let time = ListOffsetsPartition::default().with_timestamp(1);
    let wanted =
        ListOffsetsTopic::default().with_name(topic("events")).with_partitions(vec![time; 1000]);
    let request = ListOffsetsRequest::default().with_topics(vec![wanted.clone(), wanted]);
    let topics = client.ask(5, &request).await.topics;
    let mut answered = topics.iter().flat_map(|topic| &topic.partitions);
    assert_eq!(answered.next().map(|found| (found.error_code, found.offset)), Some((0, 0)));
    let twice = ResponseError::InvalidRequest.code();
    assert!(answered.all(|found| (found.error_code, found.offset) == (twice, -1)));
}

/// Commits one offset with as much text as may be; the code.
async fn commit_much(client: &mut Client, id: &str, stream: &str, metadata: usize) -> i16 {
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(1)
        .with_committed_metadata(Some(text(&"x".repeat(metadata))));
    let wanted = OffsetCommitRequestTopic::default()
        .with_name(topic(stream))
        .with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group(id))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![wanted]);
    client.ask(9, &request).await.topics[0].partitions[0].error_code
}

/// Commits until it is refused; how many were taken, and the code of the one that was not.
async fn commit_all(client: &mut Client, streams: &[&str]) -> (usize, i16) {
    let mut taken = 0;
    for number in 0.. {
        for stream in streams {
            let code = commit_much(client, &format!("g{number}"), stream, 4096).await;
            if code != 0 {
                return (taken, code);
            }
            taken += 1;
        }
    }
    unreachable!("there is no bound")
}

/// `guest` and `friend` read all streams that begin with `public`, `operator` reads all.
fn tenants() -> AccessTable {
    let mut table = table();
    for name in ["guest", "friend"] {
        let streams = Streams::Matching(vec![Pattern::parse("public*").unwrap()]);
        let verbs = BTreeSet::from([Verb::Read]);
        let principal = Principal { name: name.into(), streams, verbs, filter: Filter::default() };
        table.add_password(name, Arc::new(principal));
    }
    table
}

#[tokio::test]
async fn a_tenant_that_commits_all_it_can_is_refused_and_nobody_else_is() {
    let house = plan().access(tenants()).open().await;
    house.append(0..3).await;
    let streams = ["public-1", "public-2", "public-3", "public-4"];
    for stream in streams {
        append(&house.log, stream, &[(1, None)]).await;
    }
    let mut guest = known(&house, "guest").await;
    let (taken, code) = commit_all(&mut guest, &streams).await;
    let refused = ResponseError::InvalidCommitOffsetSize;
    assert_eq!(code, refused.code());
    assert!(!refused.is_retriable(), "clients would commit again and again");
    assert!((200..=(1 << 20) / 4096).contains(&taken), "{taken}");
    // What takes no more room is taken.
    assert_eq!(commit_much(&mut guest, "g0", "public-1", 4096).await, 0);
    for name in ["friend", "operator"] {
        let mut other = known(&house, name).await;
        assert_eq!(commit_much(&mut other, "g0", "public-1", 4096).await, 0, "{name}");
    }

    // A restart counts what is there.
    let log = house.end().await;
    let house = plan().access(tenants()).over(log).await;
    let mut guest = known(&house, "guest").await;
    let again = commit_much(&mut guest, "another", "public-1", 4096).await;
    assert_eq!(again, refused.code());
    let delete = DeleteGroupsRequest::default().with_groups_names(vec![group("g0")]);
    assert_eq!(guest.ask(2, &delete).await.results[0].error_code, 0);
    assert_eq!(commit_much(&mut guest, "another", "public-1", 4096).await, 0);
}

#[tokio::test]
async fn a_text_beyond_what_kafka_keeps_with_an_offset_is_refused_by_its_own_code() {
    let house = plan().open().await;
    house.append(0..3).await;
    let mut client = house.client().await;
    let too_large = ResponseError::OffsetMetadataTooLarge.code();
    assert_eq!(commit_much(&mut client, "g", "events", 4097).await, too_large);
    assert_eq!(commit_much(&mut client, "g", "events", 4096).await, 0);
}

#[tokio::test]
async fn a_group_with_a_name_that_is_too_long_has_no_offsets() {
    let house = plan().open().await;
    house.append(0..3).await;
    let mut client = house.client().await;
    let invalid = ResponseError::InvalidGroupId.code();
    assert_eq!(commit_one(&mut client, 9, &"g".repeat(256), 1).await, invalid);
    assert_eq!(commit_one(&mut client, 9, &"g".repeat(255), 1).await, 0);
}

/// Somebody at one of the addresses of this machine, whose kernel takes little by itself.
pub(crate) async fn client_at(house: &House, host: u8) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, host], 0).into()).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    Client::over(within(socket.connect(house.address)).await.unwrap())
}

/// A fetch of as many bytes as there may be in one answer.
fn large_fetch() -> FetchRequest {
    let mut request = fetch_of(&[("events", 0)]).with_max_bytes(8 << 20);
    request.topics[0].partitions[0].partition_max_bytes = 8 << 20;
    request
}

#[tokio::test]
async fn fetches_that_one_client_does_not_take_leave_room_for_those_of_others() {
    let house = plan().open().await;
    for batch in 0..20 {
        let events: Vec<(i64, Option<i64>)> =
            (0..2000).map(|id| (batch * 2000 + id, None)).collect();
        append(&house.log, "events", &events).await;
    }
    let fetched = async |client: &mut Client, request: &FetchRequest| {
        let data = only(client.ask(12, request).await);
        data.records.map_or(0, |records| records.len())
    };
    // As much as one answer may have, and more than is left to who has used up its part.
    let whole = fetched(&mut client_at(&house, 3).await, &large_fetch()).await;
    assert!(whole > 3 << 20, "{whole}");
    let (mut stuck, mut greedy) = (Vec::new(), client_at(&house, 1).await);
    let uses_up = async {
        while fetched(&mut greedy, &large_fetch()).await > 512 << 10 {
            for _ in 0..10 {
                let mut client = client_at(&house, 1).await;
                client.send(12, &large_fetch()).await;
                stuck.push(client);
            }
        }
    };
    within(uses_up).await;
    assert_eq!(fetched(&mut client_at(&house, 2).await, &large_fetch()).await, whole);
}

#[tokio::test]
async fn a_fetch_that_waited_is_answered_though_its_client_has_used_up_its_part() {
    let house = plan().open().await;
    for batch in 0..20 {
        let events: Vec<(i64, Option<i64>)> =
            (0..2000).map(|id| (batch * 2000 + id, None)).collect();
        append(&house.log, "events", &events).await;
    }
    let mut waiting = client_at(&house, 1).await;
    let at_tail = fetch_of(&[("events", 40_000)]).with_min_bytes(100_000).with_max_wait_ms(20_000);
    waiting.send(12, &at_tail).await;
    let (mut stuck, mut greedy) = (Vec::new(), client_at(&house, 1).await);
    let uses_up = async {
        while only(greedy.ask(12, &large_fetch()).await).records.is_some_and(|it| !it.is_empty()) {
            for _ in 0..10 {
                let mut client = client_at(&house, 1).await;
                client.send(12, &large_fetch()).await;
                stuck.push(client);
            }
        }
    };
    within(uses_up).await;
    let news: Vec<(i64, Option<i64>)> = (40_000..40_500).map(|id| (id, None)).collect();
    append(&house.log, "events", &news).await;
    let answer = only(waiting.receive::<FetchRequest>(12).await);
    assert_eq!(answer.error_code, 0);
}

/// They ask for more than there is and wait a minute for it, at a stream that is quiet.
#[tokio::test]
async fn fetches_that_wait_for_more_than_there_is_keep_no_room_from_others() {
    let reads = Reads::with_gate(0);
    let house = plan().over(reads.of_a_log()).await;
    let events: Vec<(i64, Option<i64>)> = (0..10_000).map(|id| (id, None)).collect();
    append(&house.log, "events", &events).await;
    let fetched = async |client: &mut Client| {
        let data = only(client.ask(12, &large_fetch()).await);
        data.records.map_or(0, |records| records.len())
    };
    let mut other = client_at(&house, 1).await;
    let whole = fetched(&mut other).await;
    let mut waiting = Vec::new();
    // Twice as much as all answers may have.
    while waiting.len() * whole < 48 << 20 {
        let mut client = client_at(&house, 2 + waiting.len() as u8 % 8).await;
        client.send(12, &large_fetch().with_min_bytes(8 << 20).with_max_wait_ms(60_000)).await;
        waiting.push(client);
    }
    let all_wait = async {
        while reads.waiting.load(Ordering::Relaxed) < waiting.len() {
            tokio::task::yield_now().await;
        }
    };
    within(all_wait).await;
    assert_eq!(fetched(&mut other).await, whole);
    // What they wait for comes: each is answered, with as much as there is room for at that moment.
    let news: Vec<(i64, Option<i64>)> = (10_000..100_000).map(|id| (id, None)).collect();
    append(&house.log, "events", &news).await;
    for client in &mut waiting {
        assert_eq!(only(client.receive::<FetchRequest>(12).await).error_code, 0);
    }
}

/// What several clients, each from an address of its own, look up in the same moment.
#[tokio::test]
async fn few_times_are_looked_up_at_once_and_each_is_answered() {
    for timestamp in [1, -3] {
        let reads = Reads::with_gate(0);
        let house = plan().over(reads.of_a_log()).await;
        house.append(0..3).await;
        let time = ListOffsetsPartition::default().with_timestamp(timestamp);
        let wanted =
            ListOffsetsTopic::default().with_name(topic("events")).with_partitions(vec![time]);
        let request = ListOffsetsRequest::default().with_topics(vec![wanted]);
        let mut clients = Vec::new();
        for from in 1..=20 {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(([127, 0, 0, from], 0).into()).unwrap();
            let mut client = Client::over(socket.connect(house.address).await.unwrap());
            client.send(7, &request).await;
            clients.push(client);
        }
        let is_full = async {
            while reads.under_way.load(Ordering::Relaxed) < 4 {
                tokio::task::yield_now().await;
            }
        };
        within(is_full).await;
        // Whoever could begin to read meanwhile has.
        let mut other = house.client().await;
        for _ in 0..50 {
            committed(&mut other, 9, "g").await;
        }
        reads.gate.add_permits(1);
        for client in &mut clients {
            let found = client.receive::<ListOffsetsRequest>(7).await;
            assert_eq!(found.topics[0].partitions[0].error_code, 0);
        }
        assert_eq!(reads.most.load(Ordering::Relaxed), 4, "{timestamp}");
    }
}
