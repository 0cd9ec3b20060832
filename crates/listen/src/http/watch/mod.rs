//! Watches: answers that go on for as long as events come.
//!
//! ```text
//!  request ─▶ start (which offset) ─▶ admission (room?) ─▶ headers, at once
//!                                                             │
//!                              page ◀── renderer ◀── feed ◀───┘ pulled by the connection
//!                         heartbeat ◀── beat
//! ```
//!
//! A watch is pulled: hyper asks [`feed`] for bytes when the socket has room, so a slow reader waits
//! for itself. It ends when the client leaves, when it asked for an end (`count`, `timeout`), when
//! the process drains, or when retention overtook it; the last is told in-band, because the status
//! line is long gone.
//!
//! In-band events are for those who can tell them from a cloud's: a bookmark is sent only when asked
//! for. A plain watch that ends just ends: the client resumes behind the last event it saw.

mod beat;
mod feed;
mod inband;
mod slowing;
mod start;

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, header},
};
use futures::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::time::Instant;

use super::{
    answer::{Answer, Payload},
    call::Call,
    limits::{FILTER_BYTES_PER_CHARACTER, HEARTBEAT_MIN},
    problem::Problem,
    render::Form,
};
use beat::Beat;
use feed::Feed;
use slowing::Slowing;

const NDJSON: &str = "application/x-ndjson";
const SSE: &str = "text/event-stream";

/// `/events?watch=true`.
pub(super) async fn open(call: &Call) -> Result<Answer, Problem> {
    let form = if call.accepts(SSE) { Form::Sse } else { Form::Ndjson };
    if call.query.one("before")?.is_some() {
        return Err(Problem::invalid("parameter `before` is for pages, not for a watch"));
    }
    let left = match (call.query.count("count")?, call.query.count("limit")?) {
        (Some(_), Some(_)) => {
            return Err(Problem::invalid("parameters `count` and `limit` mean the same here"));
        }
        (count, limit) => count.or(limit),
    };
    let (filter, allowance) = call.filter().await?;
    let extent = call.extent()?;
    let from = start::offset(call, form, extent)?;
    let timeout = call.query.period("timeout")?;
    let server = &call.server;
    let of_expressions =
        call.query.expression_bytes() * FILTER_BYTES_PER_CHARACTER + filter.pattern_bytes();
    let held = match of_expressions + call.query.pattern_bytes() {
        0 => None,
        bytes => {
            let part = server.filter_parts.of(&call.client);
            let held = server.filters.try_take_some_of(&part, bytes, bytes);
            Some(held.ok_or_else(Problem::many_filters)?)
        }
    };
    let permit = server.admission.admit(call.client.clone())?;
    let feed = Feed {
        server: Arc::clone(server),
        stream: call.stream.clone(),
        form,
        is_filtered: !filter.passes_all(),
        filter,
        client: call.client.clone(),
        allowance,
        slowing: Slowing::default(),
        from,
        tail: server.renderer.tails.join(&call.stream)?,
        left,
        beat: Beat::new(server.epoch, heartbeat(call)?),
        ends_at: timeout.map(|timeout| Instant::now() + timeout),
        has_bookmarks: call.query.flag("bookmarks")?,
        stage: feed::Stage::Opening,
        paging: None,
        _held: held,
        _permit: permit,
    };
    Ok(answer(call, form, feed))
}

fn heartbeat(call: &Call) -> Result<Duration, Problem> {
    match call.query.period("heartbeat")? {
        Some(period) if !period.is_zero() && period < HEARTBEAT_MIN => Err(Problem::invalid(
            "parameter `heartbeat` is shorter than a second; valid: 0 for none, or 1 and more",
        )),
        Some(period) => Ok(period),
        None => Ok(call.server.settings.heartbeat),
    }
}

fn answer(call: &Call, form: Form, feed: Feed) -> Answer {
    let media_type = match form {
        Form::Sse => SSE,
        Form::Ndjson if call.accepts(NDJSON) => NDJSON,
        Form::Ndjson => "application/json",
    };
    // Boxed once: the stream moves it in and out at every page.
    let frames = stream::unfold(Box::new(feed), async |mut feed| {
        let bytes = feed.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(bytes)), feed))
    });
    let mut answer = Answer::new(Payload::Stream(Body::new(StreamBody::new(frames))));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    answer
}
