//! Bytes that are no requests, and clients that do not behave.

use std::time::Duration;

use kafka_protocol::{
    messages::{
        DescribeGroupsRequest, FetchRequest, JoinGroupRequest, MetadataRequest, ProduceRequest,
        SaslAuthenticateRequest, SaslHandshakeRequest, SyncGroupRequest, TopicName,
        fetch_request::ForgottenTopic,
        metadata_request::MetadataRequestTopic,
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    protocol::StrBytes,
};
use pluvio_listen::kafka::Limits;
use tokio::io::AsyncWriteExt;

use crate::{
    access::known,
    bounds::{client_at, join_of},
    client::{Client, group, offsets, only, text, topic, within},
    house::{House, Plan, plan, table},
    topics::metadata,
};

/// Whether the listener closes a connection that says this, and serves others on.
async fn is_closed(house: &House, bytes: &[u8]) -> bool {
    let mut client = house.client().await;
    client.stream.write_all(bytes).await.unwrap();
    let is_closed = client.is_closed().await;
    assert_eq!(metadata(&mut house.client().await, &[]).await.topics.len(), 1);
    is_closed
}

#[tokio::test]
async fn what_is_no_request_ends_its_connection_and_no_other() {
    let house = plan().open().await;
    let frames: [&[u8]; 8] = [
        // Too long, negative, another protocol, TLS.
        &[0x7f, 255, 255, 255],
        &[255, 255, 255, 255],
        b"GET / HTTP/1.1\r\n\r\n",
        &[22, 3, 1, 2, 0, 1, 0, 1, 252],
        // Empty; an API that is not spoken; a version that is not.
        &[0, 0, 0, 0],
        &[0, 0, 0, 10, 0, 19, 0, 5, 0, 0, 0, 1, 255, 255],
        &[0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 255, 255],
        // Metadata 1 that promises two billion topics.
        &[0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 255, 255, 0x7f, 255, 255, 255],
    ];
    for frame in frames {
        assert!(is_closed(&house, frame).await, "{frame:?}");
    }
}

#[tokio::test]
async fn a_producer_that_wants_no_answer_is_closed_so_that_it_learns_of_it() {
    let house = plan().open().await;
    let mut client = house.client().await;
    let wanted = TopicProduceData::default().with_name(topic("events"));
    let request = ProduceRequest::default().with_acks(0).with_topic_data(vec![wanted]);
    client.send(9, &request).await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn who_begins_and_does_not_go_on_is_closed_in_time() {
    let soon = Duration::from_millis(50);
    let house = plan().limits(|limits| limits.begun = soon).open().await;
    assert!(is_closed(&house, &[0, 0, 0, 20, 0, 3]).await, "half a frame");
    let house = plan().limits(|limits| limits.idle = soon).open().await;
    assert!(is_closed(&house, &[]).await, "nothing at all");
    let house = plan().access(table()).limits(|limits| limits.login = soon).open().await;
    let mut client = house.client().await;
    assert!(client.is_closed().await, "no login");
}

#[tokio::test]
async fn connections_that_never_say_who_they_are_keep_nobody_out() {
    let house =
        plan().access(table()).config(|config| config.connections_max = Some(20)).open().await;
    let mut friend = known(&house, "operator").await;
    let (mut silent, mut others) = (Vec::new(), Vec::new());
    for _ in 0..60 {
        silent.push(house.client().await);
        if silent.len() % 20 == 0 {
            others.push(known(&house, "operator").await);
        }
    }
    assert!(silent[0].is_closed().await, "the oldest went");
    // Whoever logged in found a place, and keeps it.
    assert_eq!(metadata(&mut friend, &[]).await.topics.len(), 1);
    for other in &mut others {
        assert_eq!(metadata(other, &[]).await.topics.len(), 1);
    }
}

/// A request to produce a record of so many bytes, all but its last byte.
async fn unfinished(mut client: Client, bytes: usize) -> Option<Client> {
    let data = PartitionProduceData::default().with_records(Some(vec![7; bytes].into()));
    let wanted = TopicProduceData::default().with_name(topic("events"));
    let wanted = wanted.with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_topic_data(vec![wanted]);
    let bytes = client.encoded(9, &request);
    let (_last, bytes) = bytes.split_last().unwrap();
    client.stream.write_all(bytes).await.ok().map(|()| client)
}

#[tokio::test]
async fn unfinished_requests_hold_no_more_than_their_share_of_memory_together() {
    let house = plan().open().await;
    // 64 MiB, where 8 MiB are for all, and 4 MiB for one client.
    let mut begun = Vec::new();
    for _ in 0..64 {
        begun.extend(unfinished(house.client().await, 1 << 20).await);
    }
    let refused = 64 - begun.len();
    assert!(refused <= 61, "{refused}");
    // Others are served meanwhile.
    assert_eq!(metadata(&mut house.client().await, &[]).await.topics.len(), 1);
    let mut answered = 0;
    for mut client in begun {
        // What closed connections held is free for those that come to their end.
        if client.stream.write_all(&[0]).await.is_ok() && client.frame().await.is_some() {
            answered += 1;
        }
    }
    assert!((3..=5).contains(&answered), "{answered} of 64 found room");
    let mut later = unfinished(house.client().await, 1 << 20).await.unwrap();
    later.stream.write_all(&[0]).await.unwrap();
    assert!(later.frame().await.is_some(), "what they held is free again");
}

#[tokio::test]
async fn requests_of_one_client_leave_room_for_those_of_others() {
    let house = plan().open().await;
    // Each size fills what the one before left: 8 MiB and more.
    let mut begun = Vec::new();
    for bytes in [1 << 20, 100_000, 20_000] {
        for _ in 0..40 {
            begun.extend(unfinished(house.client().await, bytes).await);
        }
    }
    let mut last = begun.pop().unwrap();
    assert!(last.is_closed().await, "its client's part is used up");
    let mut other = unfinished(client_at(&house, 2).await, 1 << 20).await.unwrap();
    other.stream.write_all(&[0]).await.unwrap();
    assert!(other.frame().await.is_some());
}

#[tokio::test]
async fn fetches_that_wait_give_back_the_room_that_their_requests_took() {
    let house = plan().open().await;
    house.append(0..1).await;
    // A quarter of a megabyte of names each: 4 MiB are for a client.
    let name = TopicName(StrBytes::from("t".repeat(30_000)));
    let forgotten = vec![ForgottenTopic::default().with_topic(name); 8];
    let fetch = crate::client::fetch_of(&[("events", 1)]).with_max_wait_ms(60_000);
    let fetch = fetch.with_min_bytes(1).with_forgotten_topics_data(forgotten);
    let mut waiting = Vec::new();
    for _ in 0..60 {
        let mut client = house.client().await;
        client.send(11, &fetch).await;
        waiting.push(client);
        // Works on what was sent before.
        metadata(&mut house.client().await, &[]).await;
    }
    house.append(1..2).await;
    for client in &mut waiting {
        let data = only(client.receive::<FetchRequest>(11).await);
        assert_eq!(offsets(&data), [1]);
    }
}

#[tokio::test]
async fn members_that_wait_for_others_give_back_the_room_that_their_requests_took() {
    let house = plan().open().await;
    let join = |instance: &str, tag: usize| {
        let join = join_of("g", 1).with_group_instance_id(Some(text(instance)));
        let join = join.with_rebalance_timeout_ms(1_800_000).with_session_timeout_ms(1_800_000);
        join.with_unknown_tagged_field(99, vec![7; tag].into())
    };
    let mut first = house.client().await;
    let joined = first.ask(6, &join("first", 0)).await;
    assert_eq!(joined.error_code, 0);
    let mut waiting = Vec::new();
    for number in 0..40 {
        let mut client = house.client().await;
        client.send(6, &join(&format!("i{number}"), 250_000)).await;
        waiting.push(client);
        metadata(&mut house.client().await, &[]).await;
    }
    let describe = DescribeGroupsRequest::default().with_groups(vec![group("g")]);
    within(async {
        let mut tool = house.client().await;
        while tool.ask(5, &describe).await.groups[0].members.len() < 41 {}
    })
    .await;
    let again = join("first", 0).with_member_id(joined.member_id);
    assert_eq!(first.ask(6, &again).await.error_code, 0);
    for client in &mut waiting {
        assert_eq!(client.receive::<JoinGroupRequest>(6).await.error_code, 0);
    }
}

#[tokio::test]
async fn one_connection_more_than_the_limit_is_closed() {
    let plan = plan().access(table()).config(|config| config.connections_max = Some(3));
    let house = plan.open().await;
    let held = [known(&house, "guest").await, known(&house, "guest").await];
    let _other = known(&house, "operator").await;
    let mut refused = house.client().await;
    assert!(refused.is_closed().await);
    drop(held);
    // As soon as the others are gone there is room again.
    within(async { while login(&house, "guest").await.is_none() {} }).await;
}

/// Somebody who logs in; `None` if that is answered by a closed connection.
async fn login(house: &House, name: &str) -> Option<Client> {
    let mut client = house.client().await;
    let agree = SaslHandshakeRequest::default().with_mechanism(text("PLAIN"));
    let agree = client.encoded(1, &agree);
    client.stream.write_all(&agree).await.ok()?;
    client.frame().await?;
    let said = format!("\0{name}\0{name}").into_bytes();
    let said = SaslAuthenticateRequest::default().with_auth_bytes(said.into());
    let said = client.encoded(2, &said);
    client.stream.write_all(&said).await.ok()?;
    client.frame().await?;
    Some(client)
}

/// A house with places for 32, of which a client has 30.
fn plan_for_32() -> Plan {
    plan().access(table()).config(|config| config.connections_max = Some(32))
}

#[tokio::test]
async fn a_client_that_holds_all_the_connections_it_can_keeps_nobody_else_out() {
    let house = plan_for_32().open().await;
    let mut held = Vec::new();
    while let Some(client) = login(&house, "guest").await {
        held.push(client);
    }
    assert_eq!(held.len(), 30);
    let mut other = login(&house, "operator").await.unwrap();
    assert_eq!(metadata(&mut other, &[]).await.topics.len(), 1);
    // They are still its own, and one that ends makes place for another.
    for client in &mut held {
        metadata(client, &[]).await;
    }
    held.pop();
    within(async { while login(&house, "guest").await.is_none() {} }).await;
}

#[tokio::test]
async fn where_a_client_has_its_share_the_connection_that_idled_longest_gives_way() {
    // A twentieth of it: as good as at once.
    let limits = |limits: &mut Limits| limits.idle = Duration::from_secs(60);
    let house = plan_for_32().limits(limits).open().await;
    let mut held = Vec::new();
    while let Some(client) = login(&house, "guest").await {
        held.push(client);
    }
    let mut last = held.split_off(1);
    let mut newest = None;
    within(async {
        while newest.is_none() {
            // All others ask for something.
            for client in &mut last {
                metadata(client, &[]).await;
            }
            newest = login(&house, "guest").await;
        }
    })
    .await;
    assert!(held[0].is_closed().await);
    for client in last.iter_mut().chain(&mut newest) {
        metadata(client, &[]).await;
    }
}

#[tokio::test]
async fn a_client_that_said_much_while_it_waited_and_hung_up_leaves_its_place() {
    let plan = plan().access(table()).config(|config| config.connections_max = Some(3));
    let house = plan.open().await;
    // Both places of a client: one is in a group, the other waits until the first joins again.
    let mut member = known(&house, "guest").await;
    let join = join_of("g", 8).with_rebalance_timeout_ms(1_800_000);
    let join = join.with_session_timeout_ms(1_800_000);
    let joined = member.ask(3, &join).await;
    let sync = SyncGroupRequest::default()
        .with_group_id(group("g"))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone());
    assert_eq!(member.ask(2, &sync).await.error_code, 0);
    let mut waiting = known(&house, "guest").await;
    waiting.send(3, &join).await;
    waiting.stream.write_all(&[0; 20_000]).await.unwrap();
    assert!(login(&house, "guest").await.is_none());
    drop(waiting);
    within(async { while login(&house, "guest").await.is_none() {} }).await;
}

#[tokio::test]
async fn a_request_that_names_more_than_there_can_be_is_closed() {
    let house = plan().open().await;
    let named = |count: usize| {
        let topic = MetadataRequestTopic::default().with_name(Some(topic("events")));
        MetadataRequest::default().with_topics(Some(vec![topic; count]))
    };
    let mut client = house.client().await;
    let answered = client.ask(1, &named(2500)).await.topics;
    assert_eq!(answered.len(), 1, "what is named again is answered once");
    client.send(1, &named(2501)).await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn requests_that_come_together_are_answered_in_their_order() {
    let house = plan().open().await;
    house.append(0..1).await;
    let mut client: Client = house.client().await;
    client.send(12, &crate::client::fetch_of(&[("events", 1)]).with_max_wait_ms(200)).await;
    client.send(12, &MetadataRequest::default().with_topics(None)).await;
    let first = client.frame().await.unwrap();
    let second = client.frame().await.unwrap();
    assert_eq!((first[3], second[3]), (1, 2), "correlation ids");
}
