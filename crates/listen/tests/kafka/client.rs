//! A small Kafka client that shows what it gets.

use std::{net::SocketAddr, time::Duration};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        FetchRequest, FetchResponse, GroupId, RequestHeader, ResponseHeader, TopicName,
        fetch_request::{FetchPartition, FetchTopic},
        fetch_response::PartitionData,
    },
    protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes},
};
use pluvio_log::batch;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use uuid::Uuid;

/// Longer than anything here takes: a test that waits for ever should fail instead.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(DEADLINE, work).await.unwrap()
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from(text.to_owned())
}

pub(crate) fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

pub(crate) fn group(name: &str) -> GroupId {
    GroupId(text(name))
}

/// A connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    correlation: i32,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::over(within(TcpStream::connect(address)).await.unwrap())
    }

    /// Over a connection of the test's own.
    pub(crate) fn over(stream: TcpStream) -> Self {
        Self { stream, correlation: 0 }
    }

    /// Asks and waits for the answer, which must fit to the last byte.
    pub(crate) async fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(version, request).await;
        self.receive::<R>(version).await
    }

    pub(crate) async fn send<R: Request>(&mut self, version: i16, request: &R) {
        let out = self.encoded(version, request);
        within(self.stream.write_all(&out)).await.unwrap();
    }

    /// A request as it is sent, with its length.
    pub(crate) fn encoded<R: Request>(&mut self, version: i16, request: &R) -> BytesMut {
        self.correlation += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(text("a test")));
        let mut out = BytesMut::new();
        out.put_i32(0);
        header.encode(&mut out, R::header_version(version)).unwrap();
        request.encode(&mut out, version).unwrap();
        let length = i32::try_from(out.len() - 4).unwrap();
        out[..4].copy_from_slice(&length.to_be_bytes());
        out
    }

    pub(crate) async fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let mut frame = self.frame().await.unwrap();
        let header = <R::Response as HeaderVersion>::header_version(version);
        let header = ResponseHeader::decode(&mut frame, header).unwrap();
        assert_eq!(header.correlation_id, self.correlation);
        let response = R::Response::decode(&mut frame, version).unwrap();
        assert!(!frame.has_remaining(), "{} bytes too many in {version}", frame.remaining());
        response
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) async fn frame(&mut self) -> Option<Bytes> {
        let length = within(self.stream.read_i32()).await.ok()?;
        let mut frame = vec![0; usize::try_from(length).unwrap()];
        within(self.stream.read_exact(&mut frame)).await.ok()?;
        Some(frame.into())
    }

    /// Whether the other side closed the connection without another answer.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.frame().await.is_none()
    }

    /// Fetches from one stream.
    pub(crate) async fn fetch(&mut self, from: i64) -> PartitionData {
        let request = fetch_of(&[("events", from)]);
        only(self.ask(12, &request).await)
    }
}

/// A fetch by name, of up to 1 MiB, that waits for nothing.
pub(crate) fn fetch_of(wanted: &[(&str, i64)]) -> FetchRequest {
    let topics = wanted.iter().map(|(name, from)| {
        let partition = FetchPartition::default()
            .with_fetch_offset(*from)
            .with_current_leader_epoch(0)
            .with_partition_max_bytes(1 << 20);
        FetchTopic::default().with_topic(topic(name)).with_partitions(vec![partition])
    });
    FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_min_bytes(1)
        .with_max_wait_ms(0)
        .with_topics(topics.collect())
}

/// The same by id, for version 13 and later.
pub(crate) fn fetch_by_id(id: Uuid, from: i64) -> FetchRequest {
    let mut request = fetch_of(&[("", from)]);
    request.topics[0].topic_id = id;
    request
}

/// The only partition of an answer.
pub(crate) fn only(mut response: FetchResponse) -> PartitionData {
    assert_eq!((response.error_code, response.session_id), (0, 0));
    response.responses.remove(0).partitions.remove(0)
}

/// The offsets of all records in a partition's batches.
pub(crate) fn offsets(data: &PartitionData) -> Vec<i64> {
    let mut rest = data.records.clone().unwrap_or_default();
    let mut offsets = Vec::new();
    while rest.has_remaining() {
        let bytes = batch::Header::parse(&rest).unwrap().bytes;
        let decoded = batch::decode(&rest.split_to(bytes), 1 << 24).unwrap();
        offsets.extend(decoded.iter().map(|record| record.offset));
    }
    offsets
}
