//! Two Kafka brokers of one topic that fail by chance: they lose requests and answers, refuse, append and
//! say that they do not know, and take no poison. They check sequences as Kafka does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_protocol::{
    ResponseError,
    messages::{
        ApiKey, ApiVersionsResponse, BrokerId, InitProducerIdResponse, MetadataResponse,
        ProduceRequest, ProduceResponse, ProducerId, RequestHeader, ResponseHeader, TopicName,
        api_versions_response::ApiVersion,
        metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
    protocol::{Decodable as _, Encodable, StrBytes},
};
use pluvio_event::{Event, json};
use pluvio_log::batch;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// The topic that there is.
pub(crate) const TOPIC: &str = "rain";
const PARTITIONS: i32 = 3;
/// The subject of events that are never taken.
pub(crate) const POISON: &str = "poison";

/// What is asked, and the version that is spoken.
const APIS: [(ApiKey, i16); 4] = [
    (ApiKey::ApiVersions, 0),
    (ApiKey::Metadata, 9),
    (ApiKey::InitProducerId, 4),
    (ApiKey::Produce, 9),
];

/// Pseudo-random numbers from a seed (SplitMix64).
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// The brokers; clones are the same.
#[derive(Clone)]
pub(crate) struct Brokers {
    held: Arc<Mutex<Held>>,
    ports: [u16; 2],
}

struct Held {
    dice: Dice,
    is_calm: bool,
    producers: i64,
    partitions: BTreeMap<i32, Partition>,
    /// Batches that came again and were there.
    known_again: usize,
}

#[derive(Default)]
struct Partition {
    /// The events, as they came.
    log: Vec<Bytes>,
    /// First and last sequence of the last five batches of each producer.
    producers: BTreeMap<i64, Vec<(i32, i32)>>,
    /// Most records of a batch; it changes.
    records_max: usize,
}

impl Brokers {
    pub(crate) async fn start(seed: u64) -> Self {
        let listeners = [
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        ];
        let ports = listeners.each_ref().map(|it| it.local_addr().unwrap().port());
        let held = Held {
            dice: Dice(seed),
            is_calm: false,
            producers: 0,
            partitions: BTreeMap::new(),
            known_again: 0,
        };
        let brokers = Self { held: Arc::new(Mutex::new(held)), ports };
        for listener in listeners {
            let brokers = brokers.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let brokers = brokers.clone();
                    tokio::spawn(async move { brokers.serve(stream).await });
                }
            });
        }
        brokers
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect()
    }

    /// From now on nothing fails but what has to.
    pub(crate) fn calm(&self) {
        self.held.lock().unwrap().is_calm = true;
    }

    /// The events of each partition, in their order.
    pub(crate) fn events(&self) -> Vec<Vec<Bytes>> {
        let held = self.held.lock().unwrap();
        held.partitions.values().map(|partition| partition.log.clone()).collect()
    }

    /// How many batches came again and were there.
    pub(crate) fn known_again(&self) -> usize {
        self.held.lock().unwrap().known_again
    }

    /// Until it or the client ends the connection.
    async fn serve(&self, mut stream: TcpStream) {
        while let Ok(length) = stream.read_i32().await {
            let mut request = vec![0; length as usize];
            if stream.read_exact(&mut request).await.is_err() {
                return;
            }
            let Some(answer) = self.answer(request.into()) else { return };
            if stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    }

    /// `None`: the connection ends.
    fn answer(&self, mut request: Bytes) -> Option<BytesMut> {
        let key = i16::from_be_bytes([request[0], request[1]]);
        let (key, version) = *APIS.iter().find(|(api, _)| *api as i16 == key).unwrap();
        let header =
            RequestHeader::decode(&mut request, key.request_header_version(version)).unwrap();
        assert_eq!(header.request_api_version, version);
        let mut answer = BytesMut::new();
        answer.put_i32(0);
        let told = ResponseHeader::default().with_correlation_id(header.correlation_id);
        told.encode(&mut answer, key.response_header_version(version)).unwrap();
        match key {
            ApiKey::ApiVersions => put(&mut answer, &versions(), version),
            ApiKey::Metadata => put(&mut answer, &self.metadata(), version),
            ApiKey::InitProducerId => {
                let mut held = self.held.lock().unwrap();
                held.producers += 1;
                let producer = ProducerId(held.producers);
                let told = InitProducerIdResponse::default().with_producer_id(producer);
                put(&mut answer, &told, version);
            }
            _ => {
                let request = ProduceRequest::decode(&mut request, version).unwrap();
                put(&mut answer, &self.held.lock().unwrap().produce(&request)?, version);
            }
        }
        let length = answer.len() as i32 - 4;
        answer[..4].copy_from_slice(&length.to_be_bytes());
        Some(answer)
    }

    fn metadata(&self) -> MetadataResponse {
        let broker = |(node, port): (i32, u16)| {
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(node))
                .with_host(StrBytes::from_static_str("127.0.0.1"))
                .with_port(port.into())
        };
        let partition = |index: i32| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(BrokerId(index % 2))
        };
        let topic = MetadataResponseTopic::default()
            .with_name(Some(name()))
            .with_partitions((0..PARTITIONS).map(partition).collect());
        MetadataResponse::default()
            .with_brokers((0..).zip(self.ports).map(broker).collect())
            .with_topics(vec![topic])
    }
}

impl Held {
    /// `None`: the connection ends without an answer.
    fn produce(&mut self, request: &ProduceRequest) -> Option<ProduceResponse> {
        let is_request_lost = self.is_unlucky(8);
        if is_request_lost {
            return None;
        }
        let mut answers = Vec::new();
        for data in &request.topic_data[0].partition_data {
            let code = self.append(data.index, data.records.as_ref().unwrap());
            let code = code.map_or(0, |code| code.code());
            let answer =
                PartitionProduceResponse::default().with_index(data.index).with_error_code(code);
            answers.push(answer);
        }
        let is_answer_lost = self.is_unlucky(5);
        let topic =
            TopicProduceResponse::default().with_name(name()).with_partition_responses(answers);
        (!is_answer_lost).then(|| ProduceResponse::default().with_responses(vec![topic]))
    }

    fn is_unlucky(&mut self, sides: u64) -> bool {
        self.dice.roll(sides) == 0 && !self.is_calm
    }

    /// What is said of a batch; `None`: it is there.
    fn append(&mut self, index: i32, batch: &Bytes) -> Option<ResponseError> {
        if self.is_unlucky(8) {
            return Some(ResponseError::NotLeaderOrFollower);
        }
        if self.is_unlucky(4) {
            let records_max = 1 + self.dice.roll(20) as usize;
            self.partitions.entry(index).or_default().records_max = records_max;
        }
        let is_unsure = self.is_unlucky(8);
        let header = batch::verify(batch).unwrap();
        let decoded = batch::decode(batch, 1 << 20).unwrap();
        let values: Vec<Bytes> = decoded.into_iter().map(|it| it.value.unwrap()).collect();
        let partition = self.partitions.entry(index).or_default();
        let (first, count) = (header.base_sequence, values.len() as i32);
        let known = partition.producers.entry(header.producer_id).or_default();
        if known.contains(&(first, first + count)) {
            self.known_again += 1;
            return None;
        }
        if partition.records_max > 0 && values.len() > partition.records_max {
            return Some(ResponseError::MessageTooLarge);
        }
        let is_poison = |event: &Event| event.subject() == Some(POISON);
        if values.iter().any(|value| is_poison(&json::decode(value).unwrap())) {
            return Some(ResponseError::InvalidRecord);
        }
        if first != known.last().map_or(0, |(_, end)| *end) {
            return Some(ResponseError::OutOfOrderSequenceNumber);
        }
        known.push((first, first + count));
        let forgotten = known.len().saturating_sub(5);
        known.drain(..forgotten);
        partition.log.extend(values);
        is_unsure.then_some(ResponseError::NotEnoughReplicasAfterAppend)
    }
}

fn put<M: Encodable>(answer: &mut BytesMut, told: &M, version: i16) {
    told.encode(answer, version).unwrap();
}

fn versions() -> ApiVersionsResponse {
    let api = |(key, version): (ApiKey, i16)| {
        ApiVersion::default()
            .with_api_key(key as i16)
            .with_min_version(version)
            .with_max_version(version)
    };
    ApiVersionsResponse::default().with_api_keys(APIS.into_iter().map(api).collect())
}

fn name() -> TopicName {
    TopicName(StrBytes::from_static_str(TOPIC))
}
