//! DescribeConfigs: what is set, as far as Kafka has a name for it.
//!
//! Read-only and honest: a key that Pluvio has nothing behind is left out, so that a tool shows less
//! rather than something wrong. Tools and Kafka Connect look at `cleanup.policy` above all.

use std::collections::HashSet;

use kafka_protocol::{
    ResponseError,
    messages::{
        DescribeConfigsRequest, DescribeConfigsResponse,
        describe_configs_request::DescribeConfigsResource,
        describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult},
    },
    protocol::StrBytes,
};

use super::{caller::Caller, limits::FETCH_BYTES_MAX, server::NODE, turn::Pace};
use crate::groups::limits::{GROUP_MEMBERS_MAX, OFFSET_METADATA_BYTES_MAX, OFFSETS_RETENTION};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Where a value comes from: a broker's own configuration.
const STATIC: i8 = 4;

const STRING: i8 = 2;
const INT: i8 = 3;
const LONG: i8 = 5;
const LIST: i8 = 7;

/// A key, the type of its value, and the value.
type Setting = (&'static str, i8, String);

/// Answers `DescribeConfigs`, each resource once.
pub(super) async fn answer(
    caller: &Caller<'_>,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let (mut asked, mut pace) = (HashSet::new(), Pace::default());
    let mut results = Vec::new();
    for resource in request.resources {
        pace.step().await;
        if asked.insert((resource.resource_type, resource.resource_name.clone())) {
            results.push(described(caller, resource));
        }
    }
    DescribeConfigsResponse::default().with_results(results)
}

fn described(caller: &Caller<'_>, resource: DescribeConfigsResource) -> DescribeConfigsResult {
    let name = resource.resource_name.as_str();
    let settings = match resource.resource_type {
        TOPIC => caller.topic(name).map(|_| of_topic(caller)),
        BROKER if name.is_empty() || name == NODE.0.to_string() => Ok(of_broker()),
        _ => Err(ResponseError::InvalidRequest),
    };
    let result = DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    match settings {
        Err(error) => {
            let message = StrBytes::from(error.to_string());
            result.with_error_code(error.code()).with_error_message(Some(message))
        }
        Ok(settings) => {
            // No keys, or an empty list of them, means all.
            let wanted = resource.configuration_keys.filter(|keys| !keys.is_empty());
            let is_wanted = |(key, ..): &Setting| {
                wanted.as_ref().is_none_or(|keys| keys.iter().any(|wanted| &**wanted == *key))
            };
            result.with_configs(settings.into_iter().filter(is_wanted).map(shown).collect())
        }
    }
}

fn shown((key, kind, value): Setting) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(key))
        .with_value(Some(StrBytes::from(value)))
        .with_read_only(true)
        .with_config_source(STATIC)
        .with_config_type(kind)
}

fn of_topic(caller: &Caller<'_>) -> Vec<Setting> {
    let (retention, record_bytes_max) =
        (caller.server.context.retention, caller.server.context.record_bytes_max);
    let age = retention.age.map_or(-1, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    let bytes = retention.bytes_max.map_or(-1, |max| i64::try_from(max).unwrap_or(i64::MAX));
    vec![
        ("cleanup.policy", LIST, "delete".to_owned()),
        ("retention.ms", LONG, age.to_string()),
        ("retention.bytes", LONG, bytes.to_string()),
        ("max.message.bytes", INT, record_bytes_max.to_string()),
        ("message.timestamp.type", STRING, "CreateTime".to_owned()),
        ("min.insync.replicas", INT, "1".to_owned()),
    ]
}

fn of_broker() -> Vec<Setting> {
    vec![
        ("broker.id", INT, NODE.0.to_string()),
        ("num.partitions", INT, "1".to_owned()),
        ("default.replication.factor", INT, "1".to_owned()),
        ("auto.create.topics.enable", STRING, "false".to_owned()),
        ("fetch.max.bytes", INT, FETCH_BYTES_MAX.to_string()),
        ("group.max.size", INT, GROUP_MEMBERS_MAX.to_string()),
        ("offset.metadata.max.bytes", INT, OFFSET_METADATA_BYTES_MAX.to_string()),
        ("offsets.retention.minutes", INT, (OFFSETS_RETENTION.as_secs() / 60).to_string()),
    ]
}
