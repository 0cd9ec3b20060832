//! Sends batches to `_bulk`.

use std::{io::Write as _, sync::Arc};

use bytes::Bytes;
use flate2::{Compression as Level, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use pluvio_net::{HttpClient, HttpError, HttpReply, Request, authority_of};
use pluvio_runtime::{Answers, Connected, Delivered, Outcome, Sink, Standing, Writer};
use serde::Deserialize;
use url::Url;

use super::{
    bulk::{self, Bulk},
    config::{Compression, Settings},
    error::Error,
};
use crate::{
    endpoint::http::{excerpt, redirect_target, retry_after},
    outbound::per_event::Tally,
};

/// OpenSearch as a sink.
#[derive(Clone, Debug)]
pub struct OpenSearch(pub(super) Arc<Settings>);

/// An OpenSearch that answered.
pub struct OpenSearchWriter {
    settings: Arc<Settings>,
    way: Way,
    stream: String,
    sink: String,
}

/// What all requests have in common.
struct Way {
    client: HttpClient,
    headers: HeaderMap,
    host: String,
}

/// What a node says of itself.
#[derive(Debug, Deserialize)]
struct Node {
    cluster_name: String,
    version: Version,
}

#[derive(Debug, Deserialize)]
struct Version {
    number: String,
    distribution: Option<String>,
}

impl OpenSearch {
    /// Reads secrets and asks who is there.
    async fn open(&self) -> Result<(Way, Node), Error> {
        let mut headers = HeaderMap::new();
        headers.extend(self.0.identity.header()?.map(|value| (header::AUTHORIZATION, value)));
        let client = HttpClient::new(&self.0.tls)?;
        let way = Way { client, headers, host: authority_of(&self.0.url) };
        let request = Request::get(self.0.url.clone()).headers(way.headers.clone());
        let reply = way.client.send(request.timeout(self.0.timeout)).await?;
        if !reply.status.is_success() {
            return Err(way.refused(&self.0.url, &reply));
        }
        let node = serde_json::from_slice(&reply.body);
        let node = node.map_err(|_| way.foreign(&reply))?;
        Ok((way, node))
    }
}

impl Sink for OpenSearch {
    type Writer = OpenSearchWriter;
    type Error = Error;

    async fn connect(&mut self, standing: Standing) -> Result<Connected<OpenSearchWriter>, Error> {
        let (way, _) = self.open().await?;
        let (stream, sink) = (standing.stream.to_string(), standing.sink.to_string());
        let settings = Arc::clone(&self.0);
        Ok(Connected { writer: OpenSearchWriter { settings, way, stream, sink }, cursor: None })
    }

    async fn probe(&mut self) -> Result<String, Error> {
        let (way, node) = self.open().await?;
        let Version { number, distribution } = node.version;
        let product = match distribution.as_deref() {
            Some("opensearch") => "OpenSearch",
            Some(other) => other,
            None => "Elasticsearch",
        };
        let (host, cluster) = (way.host, node.cluster_name);
        Ok(format!("{host} is {product} {number}, cluster `{cluster}`"))
    }
}

impl Writer for OpenSearchWriter {
    type Error = Error;

    async fn write(&mut self, batch: &[Delivered], answers: &Answers) -> Outcome<Error> {
        let mut bulk = Bulk::of(&self.settings, &self.stream, &self.sink, batch);
        for rejected in bulk.rejected() {
            answers.rejected(rejected.offset, rejected.reason);
        }
        let Some(last) = bulk.last() else { return Outcome::Answered };
        let reply = match self.ask(std::mem::take(&mut bulk.body)).await {
            Ok(reply) => reply,
            Err(error @ Error::Transport(HttpError::Reset { .. })) => {
                return Outcome::Broken { error, sent_to: last };
            }
            Err(error) => return Outcome::NotConnected(error),
        };
        let (host, status) = (&self.way.host, reply.status.as_u16());
        match status {
            200 => {
                let mut tally = Tally::new(answers);
                let answer = serde_json::from_slice(&reply.body).ok();
                match answer.is_some_and(|answer| bulk.note(&answer, &mut tally)) {
                    true => tally.outcome(),
                    false => Outcome::NotConnected(self.way.foreign(&reply)),
                }
            }
            429 | 503 => {
                let wait = retry_after(&reply.headers, Timestamp::now()).unwrap_or_default();
                let why = format!("{host} answered {status}{}", excerpt(&reply.body));
                Outcome::Throttled { wait, why }
            }
            400 | 413 | 422 => {
                Outcome::BatchRejected(format!("{host} answered {status}{}", excerpt(&reply.body)))
            }
            500 => {
                let error = self.way.refused(&self.settings.url, &reply);
                Outcome::Broken { error, sent_to: last }
            }
            _ => Outcome::NotConnected(self.way.refused(&self.settings.url, &reply)),
        }
    }

    async fn close(self) {}
}

impl OpenSearchWriter {
    async fn ask(&self, body: Vec<u8>) -> Result<HttpReply, Error> {
        let mut url = self.settings.url.clone();
        url.set_path(&format!("{}_bulk", self.settings.url.path()));
        url.set_query(Some(&format!("filter_path={}", bulk::FILTER_PATH)));
        let mut headers = self.way.headers.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        let body = match self.settings.compression {
            Compression::None => Bytes::from(body),
            Compression::Gzip => {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                gzip(&body)
            }
        };
        let request = Request::post(url, body).headers(headers).timeout(self.settings.timeout);
        Ok(self.way.client.send(request).await?)
    }
}

/// Packed for the way, not for a shelf: the fastest level.
fn gzip(body: &[u8]) -> Bytes {
    let mut packer = GzEncoder::new(Vec::with_capacity(body.len() / 4), Level::fast());
    // Writing to memory does not fail.
    let _written = packer.write_all(body);
    packer.finish().unwrap_or_default().into()
}

impl Way {
    /// An answer that says no to whatever it would be.
    fn refused(&self, url: &Url, reply: &HttpReply) -> Error {
        let (host, status) = (self.host.clone(), reply.status);
        if status.is_redirection() {
            return Error::Redirected { to: redirect_target(url, &reply.headers), host, status };
        }
        Error::Answered { host, status, text: excerpt(&reply.body) }
    }

    fn foreign(&self, reply: &HttpReply) -> Error {
        Error::Foreign { host: self.host.clone(), text: excerpt(&reply.body) }
    }
}
