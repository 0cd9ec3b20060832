//! Every API that is asked, and in which versions: what Kafka 2.1 to 4.3 have in common with us.
//!
//! Versions begin with the oldest that Kafka 4 still takes, and end where something begins that is not
//! done here: topics by their id (Produce 13), transactions whose partitions the broker adds by itself
//! (Produce 12, EndTxn 5, TxnOffsetCommit 5), requests for many at once (FindCoordinator 4,
//! AddPartitionsToTxn 4, OffsetFetch 8).

use kafka_protocol::{
    messages::{
        AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
        AddPartitionsToTxnResponse, ApiKey, ApiVersionsRequest, ApiVersionsResponse, EndTxnRequest,
        EndTxnResponse, FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest,
        InitProducerIdResponse, MetadataRequest, MetadataResponse, OffsetFetchRequest,
        OffsetFetchResponse, ProduceRequest, ProduceResponse, SaslAuthenticateRequest,
        SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
        TxnOffsetCommitRequest, TxnOffsetCommitResponse,
    },
    protocol::{Decodable, Encodable, HeaderVersion},
};

/// A question and its answer.
pub(in super::super) trait Ask: Encodable + HeaderVersion + Sync {
    /// What is answered.
    type Answer: Decodable + HeaderVersion;
    /// Which API.
    const KEY: ApiKey;
    /// Its name in the protocol's documentation.
    const NAME: &'static str;
    /// The oldest and the newest version that are spoken here.
    const VERSIONS: (i16, i16);
}

macro_rules! asks {
    ($($key:ident $request:ident $answer:ident $min:literal $max:literal;)*) => {$(
        impl Ask for $request {
            type Answer = $answer;
            const KEY: ApiKey = ApiKey::$key;
            const NAME: &'static str = stringify!($key);
            const VERSIONS: (i16, i16) = ($min, $max);
        }
    )*};
}

asks! {
    ApiVersions ApiVersionsRequest ApiVersionsResponse 0 0;
    SaslHandshake SaslHandshakeRequest SaslHandshakeResponse 1 1;
    SaslAuthenticate SaslAuthenticateRequest SaslAuthenticateResponse 0 2;
    Metadata MetadataRequest MetadataResponse 4 12;
    InitProducerId InitProducerIdRequest InitProducerIdResponse 0 5;
    Produce ProduceRequest ProduceResponse 3 11;
    FindCoordinator FindCoordinatorRequest FindCoordinatorResponse 1 3;
    AddPartitionsToTxn AddPartitionsToTxnRequest AddPartitionsToTxnResponse 0 3;
    AddOffsetsToTxn AddOffsetsToTxnRequest AddOffsetsToTxnResponse 0 3;
    TxnOffsetCommit TxnOffsetCommitRequest TxnOffsetCommitResponse 0 3;
    EndTxn EndTxnRequest EndTxnResponse 0 3;
    OffsetFetch OffsetFetchRequest OffsetFetchResponse 1 7;
}
