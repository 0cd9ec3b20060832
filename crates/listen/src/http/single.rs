//! One event by its offset.
//!
//! What is not there is told apart as far as the principal may know: purged is 410, not yet written
//! and a gap are 404. An event that a mandatory filter hides answers as a gap does, and to a
//! restricted principal a gap does not name the next event: that event might be hidden, too.
//!
//! It goes the way of a page ([`Scan`]): in the client's turn, with its part of the room, one of a few reads
//! at a time, and a mandatory filter is evaluated where filters are.

use axum::http::{HeaderName, HeaderValue, header};
use pluvio_event::{http::to_binary, json};
use pluvio_log::{Extent, Offset};

use super::{
    answer::{self, Answer, Payload},
    call::Call,
    page::{One, Scan},
    problem::{Kind, Problem},
    query::{self, Number, shown},
};
use crate::room::Held;

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
    if offset < extent.start {
        return Err(Problem::purged(offset, extent));
    }
    let (filter, allowance) = call.filter().await?;
    let mut scan = Scan::new(call, filter, allowance).await?;
    let text = match scan.one(offset).await? {
        One::Event(text) => text,
        One::Absent(upcoming) => return Err(absent(call, offset, upcoming, extent)),
    };
    let held = scan.held();
    match mode {
        Mode::Binary => binary(offset, &text, held),
        Mode::Structured => {
            Ok(answer::payload(json::MEDIA_TYPE, Payload::Placed(text.into(), held)))
        }
        Mode::Plain => Ok(answer::payload("application/json", Payload::Placed(text.into(), held))),
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

fn absent(call: &Call, offset: Offset, upcoming: Option<Offset>, extent: Extent) -> Problem {
    let upcoming = upcoming.filter(|_| !call.is_restricted());
    let detail = match upcoming {
        Some(next) => format!("invalid offset: no event at {offset}; the next is at {next}"),
        None => format!("invalid offset: no event at {offset}"),
    };
    Problem::new(Kind::NotFound, detail).range(extent).upcoming(upcoming)
}

/// Attributes as `ce-` headers, the payload as body.
fn binary(offset: Offset, text: &[u8], held: Held) -> Result<Answer, Problem> {
    let unfit =
        |_| Problem::new(Kind::Internal, format!("the record at {offset} has no binary form"));
    let event = json::decode(text).map_err(|_| unfit(()))?;
    let message = to_binary(&event);
    let mut answer = Answer::new(Payload::Placed(message.body, held));
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
