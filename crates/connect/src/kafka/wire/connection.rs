//! A connection to one broker.
//!
//! Versions are asked for with `ApiVersions` 0, which every broker takes. An answer is read whole, up
//! to a limit, and must repeat the number of its question.

use std::{
    io,
    time::{Duration, Instant},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiVersionsRequest, RequestHeader, ResponseHeader},
    protocol::{Decodable, Encodable as _, HeaderVersion as _, StrBytes},
};
use pluvio_net::{Dialer, Stream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::Ask;
use crate::kafka::{Error, credentials::Credentials};

/// Largest answer taken: the metadata of a topic with ten thousand partitions has about 1 MiB.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Unused for so long, a connection is made anew: brokers close it after 10 min, and firewalls may
/// forget it before.
const IDLE_MAX: Duration = Duration::from_secs(240);

/// What every connection is made with.
#[derive(Debug)]
pub(in super::super) struct Setup {
    pub(in super::super) dialer: Dialer,
    pub(in super::super) credentials: Option<Credentials>,
    pub(in super::super) client_id: StrBytes,
    /// For one question.
    pub(in super::super) timeout: Duration,
}

/// An open connection that may be asked.
#[derive(Debug)]
pub(in super::super) struct Connection {
    peer: String,
    stream: Stream,
    client_id: StrBytes,
    timeout: Duration,
    correlation: i32,
    /// What the broker speaks, by key.
    versions: Vec<(i16, (i16, i16))>,
    used: Instant,
    /// Until when the login is good, where it ends.
    pub(super) good_until: Option<Instant>,
}

impl Connection {
    /// Connects, and asks what is spoken. Nobody is logged in yet.
    pub(super) async fn dial(setup: &Setup, host: &str, port: u16) -> Result<Self, Error> {
        let stream = setup.dialer.connect(host, port).await?;
        let mut connection = Self {
            peer: format!("{host}:{port}"),
            stream,
            client_id: setup.client_id.clone(),
            timeout: setup.timeout,
            correlation: 0,
            versions: vec![(ApiVersionsRequest::KEY as i16, (0, 0))],
            used: Instant::now(),
            good_until: None,
        };
        let spoken = connection.ask(&ApiVersionsRequest::default()).await?;
        let of = |api: &kafka_protocol::messages::api_versions_response::ApiVersion| {
            (api.api_key, (api.min_version, api.max_version))
        };
        connection.versions = spoken.api_keys.iter().map(of).collect();
        Ok(connection)
    }

    /// Host and port.
    pub(in super::super) fn peer(&self) -> &str {
        &self.peer
    }

    /// Whether it is likely to be open still, and logged in.
    pub(in super::super) fn is_fresh(&self) -> bool {
        let now = Instant::now();
        self.used.elapsed() < IDLE_MAX && self.good_until.is_none_or(|until| now < until)
    }

    /// The newest version that both sides speak.
    pub(in super::super) fn version<R: Ask>(&self) -> Result<i16, Error> {
        let key = R::KEY as i16;
        let spoken = self.versions.iter().find(|(other, _)| *other == key);
        let common =
            spoken.map(|(_, (min, max))| (R::VERSIONS.0.max(*min), R::VERSIONS.1.min(*max)));
        match common {
            Some((min, max)) if min <= max => Ok(max),
            _ => Err(Error::Versions { peer: self.peer.clone(), api: R::NAME }),
        }
    }

    /// Asks and waits for the answer.
    pub(in super::super) async fn ask<R: Ask>(&mut self, request: &R) -> Result<R::Answer, Error> {
        let version = self.version::<R>()?;
        self.correlation = self.correlation.wrapping_add(1);
        self.used = Instant::now();
        let frame = self.frame(request, version);
        let frame = frame.ok_or_else(|| self.confused(R::NAME, "it cannot be asked"))?;
        let exchanged = timeout(self.timeout, self.exchange(&frame)).await;
        let exchanged = exchanged.map_err(|_| Error::Slow {
            peer: self.peer.clone(),
            api: R::NAME,
            timeout: self.timeout,
        })?;
        let peer = || self.peer.clone();
        let mut answer = match exchanged {
            Ok(answer) => answer,
            Err(source) if source.kind() == io::ErrorKind::InvalidData => {
                return Err(self.confused(R::NAME, "it is too large or too small"));
            }
            Err(source) => return Err(Error::Cut { peer: peer(), api: R::NAME, source }),
        };
        let header = ResponseHeader::decode(&mut answer, R::Answer::header_version(version));
        match header {
            Ok(header) if header.correlation_id == self.correlation => {}
            _ => return Err(self.confused(R::NAME, "it answers something else")),
        }
        let decoded = R::Answer::decode(&mut answer, version);
        decoded.map_err(|_| self.confused(R::NAME, "it is no answer of this version"))
    }

    fn frame<R: Ask>(&self, request: &R, version: i16) -> Option<BytesMut> {
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY as i16)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(self.client_id.clone()));
        let bytes = request.compute_size(version).ok()? + 64 + self.client_id.len();
        let mut frame = BytesMut::with_capacity(bytes);
        frame.put_i32(0);
        header.encode(&mut frame, R::header_version(version)).ok()?;
        request.encode(&mut frame, version).ok()?;
        let length = i32::try_from(frame.len() - 4).ok()?;
        frame.first_chunk_mut::<4>()?.copy_from_slice(&length.to_be_bytes());
        Some(frame)
    }

    async fn exchange(&mut self, frame: &[u8]) -> io::Result<Bytes> {
        self.stream.write_all(frame).await?;
        self.stream.flush().await?;
        let length = self.stream.read_i32().await?;
        let length = usize::try_from(length).ok().filter(|bytes| *bytes <= ANSWER_BYTES_MAX);
        let length = length.ok_or(io::ErrorKind::InvalidData)?;
        let mut answer = Vec::new();
        // Memory grows with what comes, not with what is promised.
        (&mut self.stream).take(length as u64).read_to_end(&mut answer).await?;
        if answer.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer.into())
    }

    fn confused(&self, api: &'static str, why: &'static str) -> Error {
        Error::Answer { peer: self.peer.clone(), api, why }
    }
}
