//! From an answer to bytes on the wire: compression, and HEAD without a body.

use std::{convert::Infallible, io::Write as _};

use axum::{
    body::Body,
    http::{HeaderValue, Method, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures::stream;

use super::{
    answer::{Answer, Payload},
    head::Head,
    limits::GZIP_BYTES_MIN,
};

/// Turns `answer` into what hyper sends. A watch is never compressed: an event must leave when it
/// comes, not when a block is full.
pub(super) fn response(answer: Answer, head: &Head) -> Response {
    let (mut parts, payload) = answer.into_parts();
    let bytes = match payload {
        // Of a length that is not known, as the watch is.
        Payload::Stream(_) if head.method == Method::HEAD => {
            let body = Body::from_stream(stream::empty::<Result<Bytes, Infallible>>());
            return Response::from_parts(parts, body);
        }
        Payload::Stream(body) => return Response::from_parts(parts, body),
        Payload::Bytes(_) | Payload::Shared(_) | Payload::Placed(..) => {
            let (bytes, held) = match payload {
                Payload::Placed(bytes, held) => (bytes, Some(held)),
                Payload::Bytes(bytes) | Payload::Shared(bytes) => (bytes, None),
                Payload::Stream(_) => (Bytes::new(), None),
            };
            if bytes.len() >= GZIP_BYTES_MIN {
                parts.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
            }
            let bytes = match head.takes_gzip.then(|| gzip(&bytes)).flatten() {
                Some(smaller) => {
                    let gzip = HeaderValue::from_static("gzip");
                    parts.headers.insert(header::CONTENT_ENCODING, gzip);
                    smaller
                }
                None => bytes,
            };
            if parts.status != StatusCode::NO_CONTENT {
                parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            }
            // What is sent may be smaller than what was made.
            held.map_or(bytes.clone(), |held| held.shrunk(bytes.len()).with(bytes))
        }
    };
    let body = if head.method == Method::HEAD { Body::empty() } else { Body::from(bytes) };
    Response::from_parts(parts, body)
}

/// `None` if it is not worth it.
fn gzip(bytes: &Bytes) -> Option<Bytes> {
    if bytes.len() < GZIP_BYTES_MIN {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes).ok()?;
    let smaller = encoder.finish().ok()?;
    (smaller.len() < bytes.len()).then(|| smaller.into())
}
