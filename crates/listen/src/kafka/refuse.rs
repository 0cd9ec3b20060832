//! Produce, refused in words that reach the producer's operator; and what comes before it.
//!
//! A producer that comes here by mistake should say why at once. `TOPIC_AUTHORIZATION_FAILED` stops
//! every client for good where most other codes are retried for minutes. An idempotent producer asks
//! for an id first, and gets one: Java's (3.9 to 4.3, and MirrorMaker 2 with its defaults) repeats a
//! refused `InitProducerId` thousands of times a second for as long as it lives.
//!
//! The groups of KIP-848 are refused here, too: a client that finds no `ConsumerGroupHeartbeat` in the
//! list of APIs may wait for ever in silence (librdkafka 2.16), one that is answered says why it stops.

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        ConsumerGroupHeartbeatResponse, InitProducerIdRequest, InitProducerIdResponse,
        ProduceRequest, ProduceResponse, ProducerId,
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
    protocol::StrBytes,
};

use uuid::Uuid;

use super::wire::{Malformed, Reader};

/// What producers are told, where the version has room for it.
const MESSAGE: &str = "this listener only reads: events are appended by sources";
/// The code of each refused partition.
const CODE: ResponseError = ResponseError::TopicAuthorizationFailed;
/// From this version on the codec knows requests and answers.
pub(super) const CODEC_SINCE: i16 = 3;

/// Answers `Produce` from [`CODEC_SINCE`] on. `None`: the producer wants no answer, and learns of a
/// failure only when its connection is closed.
pub(super) fn produce(request: ProduceRequest) -> Option<ProduceResponse> {
    if request.acks == 0 {
        return None;
    }
    let topics = request.topic_data.into_iter().map(|topic| {
        let partitions = topic.partition_data.iter().map(|partition| {
            PartitionProduceResponse::default()
                .with_index(partition.index)
                .with_error_code(CODE.code())
                .with_base_offset(-1)
                .with_error_message(Some(StrBytes::from_static_str(MESSAGE)))
        });
        TopicProduceResponse::default()
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
            .with_partition_responses(partitions.collect())
    });
    Some(ProduceResponse::default().with_responses(topics.collect()))
}

/// Answers `Produce` 0 to 2, which the codec does not know any more: they are in the table only
/// because old clients judge a broker by them. The walk has been done.
pub(super) fn produce_old(body: &[u8], version: i16) -> Result<Option<Bytes>, Malformed> {
    let mut reader = Reader::new(body);
    let acks = reader.i16()?;
    reader.i32()?;
    let mut answer = Vec::new();
    let topics = reader.i32()?;
    answer.extend_from_slice(&topics.to_be_bytes());
    for _ in 0..topics {
        let length = reader.i16()?;
        answer.extend_from_slice(&length.to_be_bytes());
        answer.extend_from_slice(reader.take(length.max(0).unsigned_abs().into())?);
        let partitions = reader.i32()?;
        answer.extend_from_slice(&partitions.to_be_bytes());
        for _ in 0..partitions {
            answer.extend_from_slice(&reader.i32()?.to_be_bytes());
            answer.extend_from_slice(&CODE.code().to_be_bytes());
            answer.extend_from_slice(&(-1_i64).to_be_bytes());
            if version >= 2 {
                answer.extend_from_slice(&(-1_i64).to_be_bytes());
            }
            let bytes = reader.i32()?;
            reader.take(usize::try_from(bytes).unwrap_or(0))?;
        }
    }
    if version >= 1 {
        answer.extend_from_slice(&0_i32.to_be_bytes());
    }
    Ok((acks != 0).then(|| answer.into()))
}

/// After this epoch comes the last one, and then another id.
const EPOCH_LAST_BUT_ONE: i16 = i16::MAX - 1;

/// Answers `InitProducerId`: any id does, for nothing is taken under it. One that is held already gets
/// its next epoch. Transactions are refused.
pub(super) fn producer_id(request: &InitProducerIdRequest) -> InitProducerIdResponse {
    if request.transactional_id.is_some() {
        return InitProducerIdResponse::default()
            .with_error_code(ResponseError::TransactionalIdAuthorizationFailed.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
    }
    let (id, epoch) = match (request.producer_id.0, request.producer_epoch) {
        (held @ 0.., epoch @ 0..=EPOCH_LAST_BUT_ONE) => (held, epoch + 1),
        _ => (i64::from(Uuid::new_v4().as_fields().0), 0),
    };
    InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(epoch)
}

/// Answers `ConsumerGroupHeartbeat`.
pub(super) fn new_groups() -> ConsumerGroupHeartbeatResponse {
    const MESSAGE: &str = "this listener speaks the classic group protocol: group.protocol=classic";
    ConsumerGroupHeartbeatResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_error_message(Some(StrBytes::from_static_str(MESSAGE)))
}
