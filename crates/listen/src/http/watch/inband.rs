//! Events of the listener's own among those of the clouds: bookmarks, and the error that ends a
//! watch.
//!
//! They are CloudEvents of type `pluvio.…`, so that a reader which parses every line needs no second
//! parser.

use bytes::Bytes;
use jiff::Timestamp;
use pluvio_log::{Offset, StreamName};
use serde::Serialize;

use crate::http::{problem::Problem, render::Form};

/// What a watch may say for itself.
pub(super) enum Message<'a> {
    /// All before `from` that passes the filter was sent: resume there.
    Bookmark,
    /// The watch's filter costs more than its client may use: it goes on, later.
    Slowed(&'a Slowed),
    /// Nothing more will come, and why.
    Error(&'a Problem),
}

#[derive(Serialize)]
struct Envelope<'a, D> {
    specversion: &'static str,
    id: String,
    source: String,
    r#type: &'static str,
    time: String,
    datacontenttype: &'a str,
    data: D,
}

#[derive(Serialize)]
struct Bookmark {
    offset: i64,
}

/// How much a watch was slowed.
#[derive(Serialize)]
pub(super) struct Slowed {
    /// Where the watch stands.
    pub(super) offset: i64,
    /// How long it waited since it was told last, in milliseconds.
    pub(super) waited_ms: u64,
    /// What evaluating its filter cost since then, in units of work.
    pub(super) units: u64,
    /// What all filters of one client may cost in a second.
    pub(super) units_per_second: u64,
    pub(super) reason: &'static str,
}

#[derive(Serialize)]
struct Failure<'a, D> {
    code: u16,
    offset: i64,
    #[serde(flatten)]
    problem: &'a D,
}

/// Renders `message` of a watch that stands at `from`.
pub(super) fn render(
    message: &Message<'_>,
    form: Form,
    stream: &StreamName,
    from: Offset,
) -> Bytes {
    let offset = from.get();
    let source = format!("/api/v1/streams/{stream}");
    let time = Timestamp::now().to_string();
    let datacontenttype = "application/json";
    let (name, json) = match message {
        Message::Bookmark => {
            let envelope = Envelope {
                specversion: "1.0",
                id: format!("bookmark-{offset}"),
                source,
                r#type: "pluvio.bookmark.v0",
                time,
                datacontenttype,
                data: Bookmark { offset },
            };
            ("bookmark", serde_json::to_string(&envelope))
        }
        Message::Slowed(slowed) => {
            let envelope = Envelope {
                specversion: "1.0",
                id: format!("slowed-{offset}"),
                source,
                r#type: "pluvio.slowed.v0",
                time,
                datacontenttype,
                data: slowed,
            };
            ("slowed", serde_json::to_string(&envelope))
        }
        Message::Error(problem) => {
            let document = problem.document();
            let envelope = Envelope {
                specversion: "1.0",
                id: format!("error-{offset}"),
                source,
                r#type: "pluvio.error.v0",
                time,
                datacontenttype,
                data: Failure { code: problem.code(), offset, problem: &document },
            };
            ("error", serde_json::to_string(&envelope))
        }
    };
    let json = json.unwrap_or_default();
    match (form, offset.checked_sub(1)) {
        (Form::Ndjson, _) => format!("{json}\n").into(),
        // A browser resumes at `id` + 1, and keeps the id it has where none is given.
        (Form::Sse, Some(seen)) if seen >= 0 && name == "bookmark" => {
            format!("id: {seen}\nevent: {name}\ndata: {json}\n\n").into()
        }
        (Form::Sse, _) => format!("event: {name}\ndata: {json}\n\n").into(),
    }
}

/// A sign of life.
pub(super) fn heartbeat(form: Form) -> Bytes {
    Bytes::from_static(match form {
        Form::Ndjson => b"\n",
        Form::Sse => b":\n\n",
    })
}

/// The first bytes of Server-Sent Events: how soon to come back after a break.
pub(super) fn greeting() -> Bytes {
    Bytes::from_static(b"retry: 2000\n\n")
}
