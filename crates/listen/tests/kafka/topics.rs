//! Which topics there are, and where they are served.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use kafka_protocol::{
    ResponseError,
    messages::{MetadataRequest, MetadataResponse, metadata_request::MetadataRequestTopic},
};
use pluvio_listen::{component::ListenerConfig as _, kafka::Error};
use pluvio_runtime::AccessTable;

use crate::{
    client::{Client, topic},
    house::{append, context, memory, plan, table},
};

pub(crate) async fn metadata(client: &mut Client, names: &[&str]) -> MetadataResponse {
    let topics =
        names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(topic(name))));
    let topics = if names.is_empty() { None } else { Some(topics.collect()) };
    client.ask(12, &MetadataRequest::default().with_topics(topics)).await
}

/// Names and error codes.
pub(crate) fn shown(response: &MetadataResponse) -> Vec<(String, i16)> {
    let topics = response.topics.iter();
    topics.map(|t| (t.name.as_ref().unwrap().to_string(), t.error_code)).collect()
}

#[tokio::test]
async fn streams_are_topics_and_the_logs_own_are_none() {
    let house = plan().open().await;
    append(&house.log, "other", &[(1, None)]).await;
    let mut client = house.client().await;
    let all = metadata(&mut client, &[]).await;
    assert_eq!(shown(&all), [("events".to_owned(), 0), ("other".to_owned(), 0)]);
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    let asked = metadata(&mut client, &["nope", "__offsets", "a b"]).await;
    assert_eq!(
        shown(&asked),
        [
            ("nope".to_owned(), unknown),
            ("__offsets".to_owned(), unknown),
            ("a b".to_owned(), ResponseError::InvalidTopicException.code()),
        ]
    );
    let again = metadata(&mut client, &[]).await;
    assert_eq!(again.topics.len(), 2, "asking creates nothing");
    assert_eq!(again.cluster_id, all.cluster_id);
    let cluster = all.cluster_id.unwrap();
    assert_eq!(cluster.len(), 22);
    // Who may not read the stream is told it, too.
    assert_ne!(*cluster, BASE64_URL_SAFE_NO_PAD.encode(house.id()));
}

#[tokio::test]
async fn clients_are_sent_to_where_they_came_from_or_to_what_is_advertised() {
    let house = plan().open().await;
    let broker = metadata(&mut house.client().await, &[]).await.brokers.remove(0);
    assert_eq!((&*broker.host, broker.port), ("127.0.0.1", i32::from(house.address.port())));
    let told = Some("pluvio.example.org:19092".to_owned());
    let house = plan().config(|config| config.advertised = told).open().await;
    let broker = metadata(&mut house.client().await, &[]).await.brokers.remove(0);
    assert_eq!((&*broker.host, broker.port), ("pluvio.example.org", 19092));
}

#[tokio::test]
async fn what_others_could_read_is_not_served_by_mistake() {
    let build = |listen: &str, access: AccessTable, is_insecure| {
        let plan = plan().config(|config| {
            config.listen = listen.parse().unwrap();
            config.insecure = is_insecure;
        });
        plan.config.build(context(&memory(), access)).map(drop)
    };
    let missing = |result| match result {
        Err(Error::Exposed { missing, .. }) => missing,
        other => unreachable!("{other:?}"),
    };
    let everywhere = "0.0.0.0:0";
    assert_eq!(missing(build(everywhere, AccessTable::open(), false)), "authentication and TLS");
    assert_eq!(missing(build(everywhere, table(), false)), "TLS");
    assert!(build(everywhere, AccessTable::open(), true).is_ok());
    let wrong = plan().config(|config| config.advertised = Some("nowhere".to_owned()));
    let built = wrong.config.build(context(&memory(), AccessTable::open()));
    assert_eq!(built.map(drop).unwrap_err().key(), "advertised");
}
