//! One event by its offset.
//!
//! What is not there is told apart as far as the principal may know: purged is 410, not yet written
//! and a gap are 404. An event that a mandatory filter hides answers as a gap does, and to a
//! restricted principal a gap does not name the next event: that event might be hidden, too.

use axum::http::{HeaderName, HeaderValue, header};
use pluvio_event::{http::to_binary, json};
use pluvio_log::{Extent, Log, Offset, ReadLimit, StoredRecord};

use super::{
    call::{self, Answer, Call, Payload},
    damage,
    problem::{Kind, Problem},
    query::{self, Number, shown},
    render::{Recorded, append_json},
};

/// `/events/{offset}`.
pub(super) async fn event(call: &Call) -> Result<Answer, Problem> {
    let mode = Mode::of(call)?;
    let extent = call.extent()?;
    let offset = match query::offset(call.offset.as_deref().unwrap_or_default())? {
        Number::Offset(offset) => offset,
        Number::Negative(number) => return Err(Problem::purged(number, extent)),
    };
    if offset >= extent.next {
        let detail = format!("invalid offset: future offset: {offset} is not written yet");
        return Err(Problem::new(Kind::NotFound, detail).range(extent));
    }
    let limit = ReadLimit { records_max: 1, bytes_max: 1, ..ReadLimit::default() };
    let log = &call.server.context.log;
    let chunk = match log.read(&call.stream, offset, limit).await {
        Ok(chunk) => chunk,
        Err(error) => return Err(damage::problem(log, &call.stream, offset, error).await),
    };
    let record = chunk.records().next().filter(|record| record.offset == offset);
    let Some(record) = record else {
        let upcoming = chunk.records().next().map(|record| record.offset);
        return Err(absent(call, offset, upcoming, extent));
    };
    let mut text = Vec::with_capacity(record.value.len() + 96);
    append_json(record, &mut Recorded::default(), &mut text);
    if call.is_restricted() && !json::decode(&text).is_ok_and(|e| is_visible(call, &e)) {
        return Err(absent(call, offset, None, extent));
    }
    match mode {
        Mode::Binary => binary(record, &text),
        Mode::Structured => Ok(call::body(json::MEDIA_TYPE, text.into())),
        Mode::Plain => Ok(call::body("application/json", text.into())),
    }
}

enum Mode {
    Plain,
    Structured,
    Binary,
}

impl Mode {
    fn of(call: &Call) -> Result<Self, Problem> {
        match call.query.one("mode")? {
            Some("binary") => Ok(Self::Binary),
            Some("structured") => Ok(Self::Structured),
            None if call.accepts(json::MEDIA_TYPE) => Ok(Self::Structured),
            None => Ok(Self::Plain),
            Some(other) => Err(Problem::invalid(format!(
                "parameter `mode` is `{}`; valid: `binary`, `structured`",
                shown(other)
            ))),
        }
    }
}

fn is_visible(call: &Call, event: &pluvio_event::Event) -> bool {
    call.principal.as_ref().is_some_and(|principal| principal.filter.admits(event))
}

fn absent(call: &Call, offset: Offset, upcoming: Option<Offset>, extent: Extent) -> Problem {
    let upcoming = upcoming.filter(|_| !call.is_restricted());
    let detail = match upcoming {
        Some(next) => format!("invalid offset: no event at {offset}; the next is at {next}"),
        None => format!("invalid offset: no event at {offset}"),
    };
    Problem::new(Kind::NotFound, detail).range(extent).upcoming(upcoming)
}

/// Attributes as `ce-` headers, the payload as body.
fn binary(record: &StoredRecord, text: &[u8]) -> Result<Answer, Problem> {
    let unfit = |_| {
        let offset = record.offset;
        Problem::new(Kind::Internal, format!("the record at {offset} has no binary form"))
    };
    let event = json::decode(text).map_err(|_| unfit(()))?;
    let message = to_binary(&event);
    let mut answer = Answer::new(Payload::Bytes(message.body));
    for (name, value) in message.headers {
        let name = HeaderName::try_from(name).map_err(|_| unfit(()))?;
        answer.headers_mut().insert(name, HeaderValue::try_from(value).map_err(|_| unfit(()))?);
    }
    if !answer.headers().contains_key(header::CONTENT_TYPE) {
        let unknown = HeaderValue::from_static("application/octet-stream");
        answer.headers_mut().insert(header::CONTENT_TYPE, unknown);
    }
    Ok(answer)
}
