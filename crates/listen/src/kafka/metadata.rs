//! Metadata and DescribeCluster: which topics there are and who serves them.
//!
//! It refuses to create a topic because somebody asked for it.

use std::{collections::HashSet, fmt::Write as _};

use kafka_protocol::{
    ResponseError,
    messages::{
        DescribeClusterRequest, DescribeClusterResponse, MetadataRequest, MetadataResponse,
        describe_cluster_response::DescribeClusterBroker,
        metadata_request::MetadataRequestTopic,
        metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
    },
    protocol::StrBytes,
};

use super::{
    caller::Caller,
    server::NODE,
    topics::{EPOCH, PARTITION, Topic},
    turn::Pace,
};

/// What may be done with a topic, as bits of Kafka's operations: read (3), describe (8), describe
/// its configuration (10).
const TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 8 | 1 << 10;
/// What may be done with the cluster: describe (8), describe its configuration (10).
const CLUSTER_OPERATIONS: i32 = 1 << 8 | 1 << 10;

/// Answers `Metadata`, each topic once, as Kafka does.
pub(super) async fn answer(caller: &Caller<'_>, request: MetadataRequest) -> MetadataResponse {
    let (host, port) = caller.node();
    let broker =
        MetadataResponseBroker::default().with_node_id(NODE).with_host(host).with_port(port);
    // In version 0 an empty list means all topics; later null does.
    let wanted = request.topics.filter(|topics| caller.version > 0 || !topics.is_empty());
    let mut topics: Vec<_> = match wanted {
        None => caller.topics().iter().map(described).collect(),
        Some(wanted) => {
            let (mut asked, mut pace) = (HashSet::new(), Pace::default());
            let mut topics = Vec::new();
            for topic in wanted {
                pace.step().await;
                if asked.insert((topic.name.clone(), topic.topic_id)) {
                    topics.push(found(caller, topic));
                }
            }
            topics
        }
    };
    if request.include_topic_authorized_operations {
        for topic in topics.iter_mut().filter(|topic| topic.error_code == 0) {
            topic.topic_authorized_operations = TOPIC_OPERATIONS;
        }
    }
    let mut response = MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(caller.server.cluster.clone()))
        .with_controller_id(NODE)
        .with_topics(topics);
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    response
}

fn found(caller: &Caller<'_>, wanted: MetadataRequestTopic) -> MetadataResponseTopic {
    let found = match &wanted.name {
        Some(name) => caller.topic(name),
        None => caller.topic_of(wanted.topic_id),
    };
    match found {
        Ok(topic) => described(&topic),
        Err(error) => {
            // Before version 12 a name cannot be null.
            let name = wanted.name.or_else(|| (caller.version < 12).then(Default::default));
            MetadataResponseTopic::default()
                .with_error_code(error.code())
                .with_name(name)
                .with_topic_id(wanted.topic_id)
        }
    }
}

fn described(topic: &Topic) -> MetadataResponseTopic {
    let partition = MetadataResponsePartition::default()
        .with_partition_index(PARTITION)
        .with_leader_id(NODE)
        .with_leader_epoch(EPOCH)
        .with_replica_nodes(vec![NODE])
        .with_isr_nodes(vec![NODE]);
    MetadataResponseTopic::default()
        .with_name(Some(topic.name()))
        .with_topic_id(topic.extent.log_id)
        .with_partitions(vec![partition])
}

/// What kind of node a `DescribeCluster` asks for.
const BROKERS: i8 = 1;

/// Answers `DescribeCluster`.
pub(super) fn cluster(
    caller: &Caller<'_>,
    request: &DescribeClusterRequest,
) -> DescribeClusterResponse {
    if request.endpoint_type != BROKERS {
        let mut message = String::new();
        let kind = request.endpoint_type;
        let _infallible = write!(message, "no endpoints of type {kind}: there are brokers only");
        return DescribeClusterResponse::default()
            .with_error_code(ResponseError::UnsupportedEndpointType.code())
            .with_error_message(Some(StrBytes::from(message)));
    }
    let (host, port) = caller.node();
    let broker =
        DescribeClusterBroker::default().with_broker_id(NODE).with_host(host).with_port(port);
    let mut response = DescribeClusterResponse::default()
        .with_cluster_id(caller.server.cluster.clone())
        .with_controller_id(NODE)
        .with_brokers(vec![broker]);
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    response
}
