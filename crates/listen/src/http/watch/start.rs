//! Where a watch begins.

use axum::http::HeaderMap;
use pluvio_log::{Extent, Offset};

use crate::http::{
    call::Call,
    problem::Problem,
    query::{self, Number},
    render::Form,
};

/// Decides among `Last-Event-ID` (Server-Sent Events only; it wins, for it is what a browser sends
/// after it lost its connection), `offset`, and "from now on".
pub(super) fn offset(call: &Call, form: Form, extent: Extent) -> Result<Offset, Problem> {
    if form == Form::Sse
        && let Some(id) = last_event_id(&call.headers)?
    {
        return match number(id, extent)? {
            None => Ok(extent.next),
            Some(seen) => not_purged(seen.following(), extent),
        };
    }
    match call.query.one("offset")? {
        None | Some("") => Ok(extent.next),
        Some("earliest") => Ok(extent.start),
        // The newest event itself, as `/range` names it; "behind it" is what no offset means.
        Some("latest") => Ok(extent.latest.unwrap_or(extent.next)),
        Some(text) => match number(text, extent)? {
            None => Ok(extent.next),
            Some(offset) => not_purged(offset, extent),
        },
    }
}

/// `None` for -1, which means "from now on".
fn number(text: &str, extent: Extent) -> Result<Option<Offset>, Problem> {
    match query::offset(text)? {
        Number::Offset(offset) => Ok(Some(offset)),
        Number::Negative(-1) => Ok(None),
        Number::Negative(number) => Err(Problem::purged(number, extent)),
    }
}

fn not_purged(offset: Offset, extent: Extent) -> Result<Offset, Problem> {
    if offset < extent.start { Err(Problem::purged(offset, extent)) } else { Ok(offset) }
}

/// The header as text; one that cannot be read is refused, for a watch that began now instead would
/// skip what was missed.
fn last_event_id(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all("last-event-id").iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(Problem::invalid("header `Last-Event-ID` is given twice")),
        (Some(id), None) => match id.to_str() {
            Ok("") => Ok(None),
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(Problem::invalid(
                "header `Last-Event-ID` is not an offset: it holds characters beyond ASCII",
            )),
        },
    }
}
