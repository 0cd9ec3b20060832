//! Reading: gaps, the middle of a batch, limits, and the wait at the tail.

use std::time::Duration;

use kafka_protocol::{
    ResponseError,
    messages::{
        ListOffsetsRequest,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    },
};
use pluvio_log::{Log, Offset, StreamName};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    client::{Client, fetch_by_id, fetch_of, offsets, only, topic},
    house::{append, plan},
};

#[tokio::test]
async fn whole_batches_are_given_also_from_their_middle_and_across_gaps() {
    let house = plan().open().await;
    append(&house.log, "events", &[(1, Some(10)), (2, Some(12)), (3, Some(20))]).await;
    append(&house.log, "events", &[(4, Some(40))]).await;
    let mut client = house.client().await;
    for (from, expected) in
        [(0, vec![10, 12, 20, 40]), (13, vec![10, 12, 20, 40]), (21, vec![40]), (41, vec![])]
    {
        let data = client.fetch(from).await;
        assert_eq!((data.error_code, offsets(&data)), (0, expected), "from {from}");
        assert_eq!(
            (data.high_watermark, data.last_stable_offset, data.log_start_offset),
            (41, 41, 0)
        );
    }
}

#[tokio::test]
async fn offsets_that_are_gone_or_yet_to_be_given_out_are_out_of_range() {
    let house = plan().open().await;
    house.append(0..5).await;
    house.log.trim(&StreamName::events(), Offset::new(3).unwrap()).await.unwrap();
    let mut client = house.client().await;
    let out_of_range = ResponseError::OffsetOutOfRange.code();
    for from in [0, 2, 6, -1, i64::MAX] {
        assert_eq!(client.fetch(from).await.error_code, out_of_range, "from {from}");
    }
    assert_eq!(offsets(&client.fetch(3).await), [3, 4]);
}

#[tokio::test]
async fn a_wait_ends_with_the_first_record_of_any_topic() {
    let house = plan().open().await;
    append(&house.log, "other", &[(1, None)]).await;
    let mut client = house.client().await;
    let request = fetch_of(&[("events", 0), ("other", 1)]).with_max_wait_ms(600_000);
    client.send(12, &request).await;
    append(&house.log, "other", &[(2, None)]).await;
    let response = client.receive::<kafka_protocol::messages::FetchRequest>(12).await;
    assert_eq!(offsets(&response.responses[0].partitions[0]), [0; 0]);
    assert_eq!(offsets(&response.responses[1].partitions[0]), [1]);
}

#[tokio::test]
async fn a_wait_goes_on_until_there_is_as_much_as_was_asked_for() {
    let house = plan().open().await;
    let mut client = house.client().await;
    let request = fetch_of(&[("events", 0)]).with_max_wait_ms(600_000).with_min_bytes(1000);
    client.send(12, &request).await;
    house.append(0..20).await;
    let data = only(client.receive::<kafka_protocol::messages::FetchRequest>(12).await);
    assert!(data.records.as_ref().unwrap().len() >= 1000);
    let first: Vec<i64> = (0..).take(offsets(&data).len()).collect();
    assert_eq!(offsets(&data), first);
}

#[tokio::test]
async fn a_wait_is_over_when_its_time_is() {
    let house = plan().open().await;
    let mut client = house.client().await;
    let begun = Instant::now();
    let data = only(client.ask(12, &fetch_of(&[("events", 0)]).with_max_wait_ms(300)).await);
    assert_eq!((data.error_code, offsets(&data)), (0, vec![]));
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn limits_of_bytes_cut_between_batches_and_never_before_the_first() {
    let house = plan().open().await;
    house.append(0..50).await;
    let mut client = house.client().await;
    let mut request = fetch_of(&[("events", 0)]).with_max_bytes(1);
    assert_eq!(offsets(&only(client.ask(12, &request).await)), [0]);
    request = fetch_of(&[("events", 0)]);
    request.topics[0].partitions[0].partition_max_bytes = 1;
    assert_eq!(offsets(&only(client.ask(12, &request).await)), [0]);
    request.topics[0].partitions[0].partition_max_bytes = 2000;
    let some = only(client.ask(12, &request).await);
    assert!(some.records.as_ref().unwrap().len() <= 2000);
    assert!((2..10).contains(&offsets(&some).len()));
}

#[tokio::test]
async fn a_topic_is_fetched_by_its_id_and_another_id_is_unknown() {
    let house = plan().open().await;
    house.append(0..2).await;
    let mut client = house.client().await;
    assert_eq!(offsets(&only(client.ask(16, &fetch_by_id(house.id(), 0)).await)), [0, 1]);
    let stranger = client.ask(16, &fetch_by_id(Uuid::from_u128(7), 0)).await;
    assert_eq!(only(stranger).error_code, ResponseError::UnknownTopicId.code());
}

#[tokio::test]
async fn fetch_sessions_and_epochs_that_never_were_are_refused() {
    let house = plan().open().await;
    house.append(0..2).await;
    let mut client = house.client().await;
    let request = fetch_of(&[("events", 0)]).with_session_id(9).with_session_epoch(1);
    let response = client.ask(12, &request).await;
    assert_eq!(response.error_code, ResponseError::FetchSessionIdNotFound.code());
    let mut request = fetch_of(&[("events", 0)]);
    request.topics[0].partitions[0].current_leader_epoch = 3;
    let data = only(client.ask(12, &request).await);
    assert_eq!(data.error_code, ResponseError::UnknownLeaderEpoch.code());
    request.topics[0].partitions[0].partition = 1;
    let data = only(client.ask(12, &request).await);
    assert_eq!(data.error_code, ResponseError::UnknownTopicOrPartition.code());
}

/// Offset and time that a timestamp, or a sign in its place, leads to.
async fn list(client: &mut Client, timestamp: i64) -> (i64, i64) {
    let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
    let wanted =
        ListOffsetsTopic::default().with_name(topic("events")).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_topics(vec![wanted]);
    let found = &client.ask(9, &request).await.topics[0].partitions[0];
    assert_eq!(found.error_code, 0);
    (found.offset, found.timestamp)
}

#[tokio::test]
async fn offsets_are_listed_by_time_and_by_sign() {
    let house = plan().open().await;
    let mut client = house.client().await;
    for (sign, expected) in [(-1, 0), (-2, 0), (-3, -1), (-4, 0), (-5, -1), (0, -1)] {
        assert_eq!(list(&mut client, sign).await, (expected, -1), "{sign} of an empty stream");
    }
    append(&house.log, "events", &[(1, Some(10)), (2, Some(12))]).await;
    let stream = StreamName::events();
    let stored = house.log.read(&stream, Offset::ZERO, Default::default()).await.unwrap();
    let first = stored.records().next().unwrap().recorded.as_millisecond();
    assert_eq!(list(&mut client, -1).await, (13, -1));
    assert_eq!(list(&mut client, -2).await, (0, -1));
    assert_eq!(list(&mut client, -3).await, (10, first), "the first of the newest time");
    assert_eq!(list(&mut client, 0).await, (10, first));
    assert_eq!(list(&mut client, first).await, (10, first));
    assert_eq!(list(&mut client, first + 1).await, (-1, -1));
    assert_eq!(list(&mut client, i64::MAX).await, (-1, -1));
}
