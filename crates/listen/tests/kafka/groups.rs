//! Groups over the wire: a rebalance of two, and offsets that outlive the listener.

use kafka_protocol::{
    ResponseError,
    messages::{
        DeleteGroupsRequest, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
        OffsetCommitRequest, OffsetDeleteRequest, SyncGroupRequest, SyncGroupResponse,
        join_group_request::JoinGroupRequestProtocol,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
        sync_group_request::SyncGroupRequestAssignment,
    },
    protocol::StrBytes,
};

use crate::{
    bounds::join_of,
    client::{Client, group, text, topic, within},
    house::{append, plan},
    versions::{commit_one, committed},
};

/// A member and its connection.
struct Member {
    client: Client,
    join: JoinGroupRequest,
}

impl Member {
    /// Asks for a name and begins to join with it.
    async fn begin(mut client: Client) -> Self {
        let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
        let mut join = JoinGroupRequest::default()
            .with_group_id(group("g"))
            .with_session_timeout_ms(30_000)
            .with_rebalance_timeout_ms(30_000)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        let named = client.ask(9, &join).await;
        assert_eq!(named.error_code, ResponseError::MemberIdRequired.code());
        join.member_id = named.member_id;
        let mut member = Self { client, join };
        member.rejoin().await;
        member
    }

    async fn rejoin(&mut self) {
        self.client.send(9, &self.join).await;
    }

    async fn joined(&mut self) -> JoinGroupResponse {
        let joined = self.client.receive::<JoinGroupRequest>(9).await;
        assert_eq!(joined.error_code, 0);
        joined
    }

    async fn sync(&mut self, generation: i32, assignments: &[(&StrBytes, &'static str)]) {
        let assigned = assignments.iter().map(|(member, assignment)| {
            SyncGroupRequestAssignment::default()
                .with_member_id((*member).clone())
                .with_assignment(assignment.as_bytes().into())
        });
        let request = SyncGroupRequest::default()
            .with_group_id(group("g"))
            .with_generation_id(generation)
            .with_member_id(self.join.member_id.clone())
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")))
            .with_assignments(assigned.collect());
        self.client.send(5, &request).await;
    }

    async fn synced(&mut self) -> SyncGroupResponse {
        self.client.receive::<SyncGroupRequest>(5).await
    }

    async fn beat(&mut self, generation: i32) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(group("g"))
            .with_generation_id(generation)
            .with_member_id(self.join.member_id.clone());
        self.client.ask(4, &request).await.error_code
    }
}

#[tokio::test]
async fn two_members_share_rebalance_and_commit() {
    let house = plan().open().await;
    house.append(0..3).await;
    let mut a = Member::begin(house.client().await).await;
    assert_eq!(a.joined().await.generation_id, 1);
    let name = a.join.member_id.clone();
    a.sync(1, &[(&name, "all")]).await;
    assert_eq!(&*a.synced().await.assignment, b"all");

    let mut b = Member::begin(house.client().await).await;
    let rebalance = ResponseError::RebalanceInProgress.code();
    while a.beat(1).await != rebalance {
        tokio::task::yield_now().await;
    }
    a.rejoin().await;
    let (leads, follows) = (a.joined().await, b.joined().await);
    assert_eq!((leads.generation_id, follows.generation_id), (2, 2));
    assert_eq!((leads.members.len(), follows.members.len()), (2, 0));
    b.sync(2, &[]).await;
    a.sync(2, &[(&a.join.member_id.clone(), "one"), (&b.join.member_id.clone(), "two")]).await;
    assert_eq!(&*a.synced().await.assignment, b"one");
    assert_eq!(&*b.synced().await.assignment, b"two");

    assert_eq!(commit_as(&mut b, 2, 3).await, 0);
    assert_eq!(commit_as(&mut b, 1, 9).await, ResponseError::IllegalGeneration.code());
    let stranger = commit_one(&mut a.client, 9, "g", 9).await;
    assert_eq!(stranger, ResponseError::UnknownMemberId.code());
    assert_eq!(committed(&mut a.client, 9, "g").await.0, 3);
}

#[tokio::test]
async fn members_of_one_group_that_come_through_two_listeners_share_its_streams() {
    let one = plan().open().await;
    let other = plan().beside(&one);
    one.append(0..3).await;
    let mut a = Member::begin(one.client().await).await;
    assert_eq!(a.joined().await.generation_id, 1);
    let mut b = Member::begin(other.client().await).await;
    let rebalance = ResponseError::RebalanceInProgress.code();
    within(async { while a.beat(1).await != rebalance {} }).await;
    a.rejoin().await;
    let (leads, follows) = (a.joined().await, b.joined().await);
    assert_eq!((leads.generation_id, follows.generation_id), (2, 2));
    assert_eq!((leads.members.len(), follows.members.len()), (2, 0));
}

#[tokio::test]
async fn what_a_group_commits_through_one_listener_is_seen_through_another_and_stays() {
    let one = plan().open().await;
    let other = plan().beside(&one);
    one.append(0..3).await;
    let (mut a, mut b) = (one.client().await, other.client().await);
    // The last one is what `a` committed first: it is new all the same.
    for (through_one, offset) in [(true, 1), (false, 2), (true, 1)] {
        let through = if through_one { &mut a } else { &mut b };
        assert_eq!(commit_one(through, 9, "g", offset).await, 0);
        for client in [&mut a, &mut b] {
            assert_eq!(committed(client, 9, "g").await.0, offset);
        }
    }
    drop((a, b));
    other.end().await;
    let anew = plan().over(one.end().await).await;
    assert_eq!(committed(&mut anew.client().await, 9, "g").await.0, 1);
}

#[tokio::test]
async fn a_member_that_waits_for_others_is_answered_when_the_listener_drains() {
    let house = plan().open().await;
    let mut a = Member::begin(house.client().await).await;
    a.joined().await;
    let mut b = Member::begin(house.client().await).await;
    let rebalance = ResponseError::RebalanceInProgress.code();
    while a.beat(1).await != rebalance {
        tokio::task::yield_now().await;
    }
    house.drain.cancel();
    let answer = b.client.receive::<JoinGroupRequest>(9).await;
    assert_eq!(answer.error_code, ResponseError::CoordinatorNotAvailable.code());
    assert!(b.client.is_closed().await);
    within(house.task).await.unwrap();
}

async fn commit_as(member: &mut Member, generation: i32, offset: i64) -> i16 {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
    let wanted = OffsetCommitRequestTopic::default()
        .with_name(topic("events"))
        .with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group("g"))
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(member.join.member_id.clone())
        .with_topics(vec![wanted]);
    member.client.ask(9, &request).await.topics[0].partitions[0].error_code
}

#[tokio::test]
async fn committed_offsets_outlive_the_listener() {
    let house = plan().open().await;
    house.append(0..3).await;
    let mut client = house.client().await;
    assert_eq!(commit_one(&mut client, 9, "g", 2).await, 0);
    assert_eq!(commit_one(&mut client, 9, "g", 3).await, 0);
    drop(client);
    let house = plan().over(house.end().await).await;
    let mut client = house.client().await;
    assert_eq!(committed(&mut client, 9, "g").await, (3, "so far".to_owned()));
    assert_eq!(committed(&mut client, 9, "other").await, (-1, String::new()));
}

#[tokio::test]
async fn what_cannot_be_committed_is_refused_by_itself() {
    let house = plan().open().await;
    append(&house.log, "other", &[(1, None)]).await;
    let mut client = house.client().await;
    let of = |name: &str, metadata: String| {
        let partition = OffsetCommitRequestPartition::default()
            .with_committed_offset(1)
            .with_committed_metadata(Some(StrBytes::from(metadata)));
        let wanted = OffsetCommitRequestTopic::default().with_name(topic(name));
        wanted.with_partitions(vec![partition])
    };
    let topics =
        vec![of("nope", String::new()), of("other", "x".repeat(5000)), of("events", "".into())];
    let request = OffsetCommitRequest::default()
        .with_group_id(group("g"))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(topics);
    let answered = client.ask(9, &request).await.topics;
    let codes: Vec<i16> = answered.iter().map(|topic| topic.partitions[0].error_code).collect();
    let expected = [
        ResponseError::UnknownTopicOrPartition.code(),
        ResponseError::OffsetMetadataTooLarge.code(),
        0,
    ];
    assert_eq!(codes, expected);
    let nameless = commit_one(&mut client, 9, "", 1).await;
    assert_eq!(nameless, ResponseError::InvalidGroupId.code());
}

#[tokio::test]
async fn a_group_with_members_keeps_its_offsets_and_one_without_can_be_deleted() {
    let house = plan().open().await;
    house.append(0..3).await;
    let mut tool = house.client().await;
    let delete = |id: &str| DeleteGroupsRequest::default().with_groups_names(vec![group(id)]);
    let forget = |id: &str, name: &str| {
        let partitions = vec![OffsetDeleteRequestPartition::default()];
        let topic =
            OffsetDeleteRequestTopic::default().with_name(topic(name)).with_partitions(partitions);
        OffsetDeleteRequest::default().with_group_id(group(id)).with_topics(vec![topic])
    };
    let not_found = ResponseError::GroupIdNotFound.code();
    assert_eq!(tool.ask(2, &delete("g")).await.results[0].error_code, not_found);
    assert_eq!(tool.ask(0, &forget("g", "events")).await.error_code, not_found);

    let mut member = Member::begin(house.client().await).await;
    let generation = member.joined().await.generation_id;
    member.sync(generation, &[]).await;
    let non_empty = ResponseError::NonEmptyGroup.code();
    assert_eq!(tool.ask(2, &delete("g")).await.results[0].error_code, non_empty);
    let kept = tool.ask(0, &forget("g", "events")).await;
    let subscribed = ResponseError::GroupSubscribedToTopic.code();
    assert_eq!((kept.error_code, kept.topics[0].partitions[0].error_code), (0, subscribed));

    // Somebody was given a name and went away: there is no such group.
    let asks = member.join.clone().with_group_id(group("named"));
    let asks = asks.with_member_id(text(""));
    let named = house.client().await.ask(9, &asks).await;
    assert_eq!(named.error_code, ResponseError::MemberIdRequired.code());
    assert_eq!(tool.ask(2, &delete("named")).await.results[0].error_code, not_found);

    assert_eq!(commit_one(&mut tool, 9, "idle", 2).await, 0);
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    let told = tool.ask(0, &forget("idle", "nope")).await;
    assert_eq!(told.topics[0].partitions[0].error_code, unknown);
    assert_eq!(committed(&mut tool, 9, "idle").await.0, 2);
    assert_eq!(tool.ask(2, &delete("idle")).await.results[0].error_code, 0);
    assert_eq!(committed(&mut tool, 9, "idle").await.0, -1);
    // It stays away when the listener comes back.
    let house = plan().over(house.end().await).await;
    assert_eq!(committed(&mut house.client().await, 9, "idle").await.0, -1);
}

/// Kafka takes instances of up to 249 bytes.
#[tokio::test]
async fn a_member_comes_back_whatever_the_length_of_its_instance() {
    let house = plan().open().await;
    let instance = "i".repeat(249);
    let join = join_of("g", 1).with_group_instance_id(Some(StrBytes::from_string(instance)));
    let mut client = house.client().await;
    let joined = client.ask(6, &join).await;
    let again = client.ask(6, &join.with_member_id(joined.member_id)).await;
    assert_eq!((joined.error_code, again.error_code), (0, 0));
}
