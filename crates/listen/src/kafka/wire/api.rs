//! Every API that is spoken here: its versions, and the shape of its requests.
//!
//! What is not in this table is not spoken: `ApiVersions` tells it, and clients keep to it. Versions
//! end where something begins that this listener does not do (Fetch 17: directory ids of followers)
//! or where no client in use goes further.

use kafka_protocol::messages::ApiKey;

use super::{
    Malformed, Reader,
    shape::{
        Field,
        Kind::{self, Blob, Fixed, List, Struct, Text},
        all, since, walk, within,
    },
};

/// One API.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) key: ApiKey,
    /// For metrics and the log.
    pub(crate) name: &'static str,
    pub(crate) min: i16,
    pub(crate) max: i16,
    /// The first version with compact lengths and tagged fields.
    flexible: i16,
    shape: &'static [Field],
}

impl Api {
    /// The API with this key.
    pub(crate) fn of(key: i16) -> Option<&'static Self> {
        APIS.iter().find(|api| api.key as i16 == key)
    }

    pub(crate) fn has(&self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }

    /// Whether lengths are compact and structures end with tagged fields.
    pub(crate) fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible
    }

    /// Whether the head of an answer has tagged fields. That of `ApiVersions` never has: a client
    /// reads it before it knows what we speak.
    pub(crate) fn answers_with_tags(&self, version: i16) -> bool {
        self.is_flexible(version) && self.key != ApiKey::ApiVersions
    }

    /// Checks every length of a request's body; how many elements it has, and tagged fields, each counted as
    /// several.
    pub(crate) fn check(&self, version: i16, body: &[u8]) -> Result<usize, Malformed> {
        walk(&mut Reader::new(body), self.shape, version, self.is_flexible(version))
    }
}

const NEVER: i16 = i16::MAX;

const fn api(
    key: ApiKey,
    name: &'static str,
    versions: (i16, i16),
    flexible: i16,
    shape: &'static [Field],
) -> Api {
    Api { key, name, min: versions.0, max: versions.1, flexible, shape }
}

/// All of them, in the order of their keys.
pub(crate) const APIS: &[Api] = &[
    // From 0 on, though no batch is taken: librdkafka as old as Debian's judges by version 0 whether
    // a broker knows compression.
    api(ApiKey::Produce, "produce", (0, 13), 9, PRODUCE),
    api(ApiKey::Fetch, "fetch", (4, 16), 12, FETCH),
    api(ApiKey::ListOffsets, "list_offsets", (1, 10), 6, LIST_OFFSETS),
    api(ApiKey::Metadata, "metadata", (0, 13), 9, METADATA),
    api(ApiKey::OffsetCommit, "offset_commit", (2, 9), 8, OFFSET_COMMIT),
    api(ApiKey::OffsetFetch, "offset_fetch", (1, 9), 6, OFFSET_FETCH),
    api(ApiKey::FindCoordinator, "find_coordinator", (0, 6), 3, FIND_COORDINATOR),
    api(ApiKey::JoinGroup, "join_group", (0, 9), 6, JOIN_GROUP),
    api(ApiKey::Heartbeat, "heartbeat", (0, 4), 4, HEARTBEAT),
    api(ApiKey::LeaveGroup, "leave_group", (0, 5), 4, LEAVE_GROUP),
    api(ApiKey::SyncGroup, "sync_group", (0, 5), 4, SYNC_GROUP),
    api(ApiKey::DescribeGroups, "describe_groups", (0, 6), 5, DESCRIBE_GROUPS),
    api(ApiKey::ListGroups, "list_groups", (0, 5), 3, LIST_GROUPS),
    api(ApiKey::SaslHandshake, "sasl_handshake", (0, 1), NEVER, &[all(Text)]),
    api(ApiKey::ApiVersions, "api_versions", (0, 4), 3, &[since(3, Text), since(3, Text)]),
    api(ApiKey::InitProducerId, "init_producer_id", (0, 5), 2, INIT_PRODUCER_ID),
    api(ApiKey::OffsetForLeaderEpoch, "offset_for_leader_epoch", (2, 4), 4, LEADER_EPOCH),
    api(ApiKey::DescribeConfigs, "describe_configs", (1, 4), 4, DESCRIBE_CONFIGS),
    api(ApiKey::SaslAuthenticate, "sasl_authenticate", (0, 2), 2, &[all(Blob)]),
    api(ApiKey::DeleteGroups, "delete_groups", (0, 2), 2, &[all(List(&Text))]),
    api(ApiKey::OffsetDelete, "offset_delete", (0, 0), NEVER, &[all(Text), all(TOPIC_PARTITIONS)]),
    api(ApiKey::DescribeCluster, "describe_cluster", (0, 2), 0, DESCRIBE_CLUSTER),
    // In the list only to be refused in words.
    api(ApiKey::ConsumerGroupHeartbeat, "consumer_group_heartbeat", (0, 1), 0, NEW_HEARTBEAT),
];

const BYTE: Kind = Fixed(1);
const I16: Kind = Fixed(2);
const I32: Kind = Fixed(4);
const I64: Kind = Fixed(8);
const UUID: Kind = Fixed(16);
const NUMBERS: Kind = List(&I32);

const PRODUCE: &[Field] = &[
    since(3, Text),
    all(I16),
    all(I32),
    all(List(&Struct(&[
        within(0, 12, Text),
        since(13, UUID),
        all(List(&Struct(&[all(I32), all(Blob)]))),
    ]))),
];
const FETCH: &[Field] = &[
    within(4, 14, I32),
    all(I32),
    all(I32),
    all(I32),
    all(BYTE),
    since(7, I32),
    since(7, I32),
    all(List(&Struct(&[
        within(4, 12, Text),
        since(13, UUID),
        all(List(&Struct(&[
            all(I32),
            since(9, I32),
            all(I64),
            since(12, I32),
            since(5, I64),
            all(I32),
        ]))),
    ]))),
    since(7, List(&Struct(&[within(7, 12, Text), since(13, UUID), all(NUMBERS)]))),
    since(11, Text),
];
const LIST_OFFSETS: &[Field] = &[
    all(I32),
    since(2, BYTE),
    all(List(&Struct(&[all(Text), all(List(&Struct(&[all(I32), since(4, I32), all(I64)])))]))),
    since(10, I32),
];
const METADATA: &[Field] = &[
    all(List(&Struct(&[since(10, UUID), all(Text)]))),
    since(4, BYTE),
    within(8, 10, BYTE),
    since(8, BYTE),
];
const OFFSET_COMMIT: &[Field] = &[
    all(Text),
    all(I32),
    all(Text),
    since(7, Text),
    within(2, 4, I64),
    all(List(&Struct(&[
        all(Text),
        all(List(&Struct(&[all(I32), all(I64), since(6, I32), all(Text)]))),
    ]))),
];
const TOPIC_PARTITIONS: Kind = List(&Struct(&[all(Text), all(NUMBERS)]));
const OFFSET_FETCH: &[Field] = &[
    within(0, 7, Text),
    within(0, 7, TOPIC_PARTITIONS),
    since(8, List(&Struct(&[all(Text), since(9, Text), since(9, I32), all(TOPIC_PARTITIONS)]))),
    since(7, BYTE),
];
const FIND_COORDINATOR: &[Field] = &[within(0, 3, Text), since(1, BYTE), since(4, List(&Text))];
const JOIN_GROUP: &[Field] = &[
    all(Text),
    all(I32),
    since(1, I32),
    all(Text),
    since(5, Text),
    all(Text),
    all(List(&Struct(&[all(Text), all(Blob)]))),
    since(8, Text),
];
const HEARTBEAT: &[Field] = &[all(Text), all(I32), all(Text), since(3, Text)];
const LEAVE_GROUP: &[Field] = &[
    all(Text),
    within(0, 2, Text),
    since(3, List(&Struct(&[all(Text), all(Text), since(5, Text)]))),
];
const SYNC_GROUP: &[Field] = &[
    all(Text),
    all(I32),
    all(Text),
    since(3, Text),
    since(5, Text),
    since(5, Text),
    all(List(&Struct(&[all(Text), all(Blob)]))),
];
const DESCRIBE_GROUPS: &[Field] = &[all(List(&Text)), since(3, BYTE)];
const LIST_GROUPS: &[Field] = &[since(4, List(&Text)), since(5, List(&Text))];
const INIT_PRODUCER_ID: &[Field] = &[all(Text), all(I32), since(3, I64), since(3, I16)];
const LEADER_EPOCH: &[Field] = &[
    since(3, I32),
    all(List(&Struct(&[all(Text), all(List(&Struct(&[all(I32), all(I32), all(I32)])))]))),
];
const DESCRIBE_CONFIGS: &[Field] =
    &[all(List(&Struct(&[all(BYTE), all(Text), all(List(&Text))]))), all(BYTE), since(3, BYTE)];
const NEW_HEARTBEAT: &[Field] = &[
    all(Text),
    all(Text),
    all(I32),
    all(Text),
    all(Text),
    all(I32),
    all(List(&Text)),
    since(1, Text),
    all(Text),
    all(List(&Struct(&[all(UUID), all(NUMBERS)]))),
];
const DESCRIBE_CLUSTER: &[Field] = &[all(BYTE), since(1, BYTE), since(2, BYTE)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_the_codec_on_what_is_flexible() {
        for api in APIS {
            for version in api.min.max(api.key.valid_versions().min)..=api.max {
                let (asked, answered) = (
                    api.key.request_header_version(version) == 2,
                    api.key.response_header_version(version) == 1,
                );
                assert_eq!(api.is_flexible(version), asked, "{} {version}", api.name);
                assert_eq!(api.answers_with_tags(version), answered, "{} {version}", api.name);
            }
            assert!(api.max <= api.key.valid_versions().max, "{}", api.name);
        }
        assert!(APIS.windows(2).all(|pair| (pair[0].key as i16) < pair[1].key as i16));
    }
}
