//! An answer before it is bytes on the wire: a status, headers, and a body that is there or comes.
//!
//! It refuses to know what is answered, and how it is sent.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use bytes::Bytes;
use serde::Serialize;

use crate::room::Held;

/// An answer before the last touches (compression, HEAD, security headers).
pub(super) type Answer = Response<Payload>;

/// A body that is there, or one that comes.
pub(super) enum Payload {
    Bytes(Bytes),
    /// The same for all who ask: however many have it on their way, it is there once.
    Shared(Bytes),
    /// One that has a place in the room for pages.
    Placed(Bytes, Held),
    Stream(Body),
}

/// 200 with `value` as JSON.
pub(super) fn json(value: &impl Serialize) -> Answer {
    body("application/json", serde_json::to_vec(value).unwrap_or_default().into())
}

/// 200 with `bytes`.
pub(super) fn body(media_type: &'static str, bytes: Bytes) -> Answer {
    payload(media_type, Payload::Bytes(bytes))
}

/// 200 with `payload`.
pub(super) fn payload(media_type: &'static str, payload: Payload) -> Answer {
    let mut answer = Answer::new(payload);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

/// 204.
pub(super) fn nothing() -> Answer {
    let mut answer = Answer::new(Payload::Bytes(Bytes::new()));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}
