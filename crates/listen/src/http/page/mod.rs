//! Pages of events: a JSON array, and where its neighbours are in the headers.
//!
//! The body stays an array, as vsphere-event-streaming has it; paging lives in `Link` and in
//! `Pluvio-Next-Offset`, where a reader that has caught up goes on or begins to watch. A page is
//! bounded three times (events, bytes, records looked at), and ends early rather than late: a short
//! page with a `next` link is not the last one. Where the log itself is damaged, a page gives what is
//! readable before it, and `Pluvio-Damaged-Offset` says which offset could not be read; one that would begin
//! there is a problem that names the damaged offsets and the next that can be read.

mod scan;

use axum::http::{HeaderValue, header};
use pluvio_event::json;
use pluvio_log::{Extent, Offset};
use url::form_urlencoded;

use super::{
    answer::{self, Answer, Payload},
    call::Call,
    limits::PAGE_EVENTS_DEFAULT,
    problem::{DAMAGED_OFFSET, Problem},
    query::{self, Number},
};
use crate::room::Held;
use scan::Found;
pub(super) use scan::{One, Scan};

/// `/events` without `watch`: the newest events, or from `offset` on, or those before `before`.
pub(super) async fn page(call: &Call) -> Result<Answer, Problem> {
    for name in ["count", "timeout", "heartbeat", "bookmarks"] {
        if call.query.one(name)?.is_some() {
            let detail = format!("parameter `{name}` needs `watch=true`");
            return Err(Problem::invalid(detail));
        }
    }
    let limit = call.query.limit()?.unwrap_or(PAGE_EVENTS_DEFAULT);
    let (filter, allowance) = call.filter().await?;
    let extent = call.extent()?;
    let (offset, before) = (call.query.one("offset")?, call.query.one("before")?);
    let direction = match (offset, before) {
        (Some(_), Some(_)) => {
            return Err(Problem::invalid("parameters `offset` and `before` exclude each other"));
        }
        // As a watch means it: from now on. The newest page ends there.
        (Some("" | "-1"), None) => Direction::Before(extent.next),
        (Some("earliest"), None) => Direction::From(extent.start),
        (Some("latest"), None) => Direction::From(extent.latest.unwrap_or(extent.next)),
        (Some(text), None) => Direction::From(within(text, extent)?),
        // Nothing lies beyond the end, and what comes there later is not before it.
        (None, Some(text)) => Direction::Before(within(text, extent)?.min(extent.next)),
        (None, None) => Direction::Before(extent.next),
    };
    if extent.earliest.is_none() {
        return Ok(answer::nothing());
    }
    let mut scan = Scan::new(call, filter, allowance).await?;
    let found = match direction {
        Direction::From(from) => scan.forward(from, limit).await?,
        Direction::Before(before) => scan.backward(before, extent.start, limit).await?,
    };
    answer(call, &found, scan.held())
}

enum Direction {
    From(Offset),
    Before(Offset),
}

/// An offset that is not below `start`.
fn within(text: &str, extent: Extent) -> Result<Offset, Problem> {
    match query::offset(text)? {
        Number::Offset(offset) if offset >= extent.start => Ok(offset),
        Number::Offset(offset) => Err(Problem::purged(offset, extent)),
        Number::Negative(number) => Err(Problem::purged(number, extent)),
    }
}

fn answer(call: &Call, found: &Found, held: Held) -> Result<Answer, Problem> {
    let is_batch = call.accepts(json::BATCH_MEDIA_TYPE);
    let media_type = if is_batch { json::BATCH_MEDIA_TYPE } else { "application/json" };
    let mut answer = answer::payload(media_type, Payload::Placed(found.array().into(), held));
    // Asked again: while the page was made, events may have come and gone.
    let extent = call.extent()?;
    let headers = answer.headers_mut();
    let numbers = [
        ("pluvio-next-offset", Some(found.end)),
        ("pluvio-earliest-offset", extent.earliest),
        ("pluvio-latest-offset", extent.latest),
        (DAMAGED_OFFSET, found.damage),
    ];
    for (name, offset) in numbers {
        if let Some(offset) = offset {
            headers.insert(name, HeaderValue::from(offset.get()));
        }
    }
    let has_next = extent.latest.is_some_and(|latest| found.end <= latest);
    let has_prev = extent.earliest.is_some_and(|earliest| found.begin > earliest);
    let links = [
        has_next.then(|| link(call, "offset", found.end, "next")),
        has_prev.then(|| link(call, "before", found.begin, "prev")),
    ];
    let links: Vec<String> = links.into_iter().flatten().collect();
    if let Ok(value) = HeaderValue::try_from(links.join(", "))
        && !links.is_empty()
    {
        headers.insert(header::LINK, value);
    }
    Ok(answer)
}

/// A relative reference (RFC 8288 §3.1), so that it holds behind any proxy.
fn link(call: &Call, parameter: &str, offset: Offset, relation: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(parameter, &offset.to_string());
    for (name, value) in call.query.others(&["offset", "before", "watch"]) {
        query.append_pair(name, value);
    }
    format!("<{}?{}>; rel=\"{relation}\"", call.path, query.finish())
}
