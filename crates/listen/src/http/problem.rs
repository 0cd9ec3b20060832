//! What a client reads when it does not get what it asked for: `application/problem+json`
//! ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)).
//!
//! `type` is the stable code; `detail` begins with the text that vsphere-event-streaming prints where
//! it knows the case, so that its clients' comparisons hold. Causes inside the process are logged,
//! never sent.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use pluvio_log::{Extent, Offset, ReadError};
use serde::Serialize;
use tracing::{debug, error};

use super::{
    answer::{Answer, Payload},
    limits::{PAGES_PER_CLIENT_MAX, RETRY_AFTER_SECONDS},
};

/// Where the log cannot be read on.
pub(super) const DAMAGED_OFFSET: &str = "pluvio-damaged-offset";

/// A request that was not served, and why.
#[derive(Debug)]
pub(super) struct Problem {
    kind: Kind,
    detail: String,
    /// Boxed to keep the error small on the way up.
    extent: Option<Box<Extent>>,
    upcoming: Option<Offset>,
    damaged: Option<Box<Damaged>>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The stable codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Invalid,
    Unauthenticated,
    Forbidden,
    NotFound,
    Method,
    Misdirected,
    Purged,
    OtherLog,
    TargetTooLong,
    TooManyWatches,
    TooManyGuesses,
    TooManyConnections,
    Full,
    Damaged,
    Internal,
}

impl Kind {
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::Invalid => (S::BAD_REQUEST, "invalid-request", "invalid request"),
            Self::Unauthenticated => (S::UNAUTHORIZED, "unauthenticated", "not authenticated"),
            Self::Forbidden => (S::FORBIDDEN, "forbidden", "not allowed"),
            Self::NotFound => (S::NOT_FOUND, "not-found", "not found"),
            Self::Method => (S::METHOD_NOT_ALLOWED, "method-not-allowed", "method not allowed"),
            Self::Misdirected => (S::MISDIRECTED_REQUEST, "misdirected", "not this host"),
            Self::Purged => (S::GONE, "offset-purged", "offset was purged"),
            Self::OtherLog => (S::GONE, "log-replaced", "log was replaced"),
            Self::TargetTooLong => (S::URI_TOO_LONG, "uri-too-long", "URI too long"),
            Self::TooManyWatches => {
                (S::TOO_MANY_REQUESTS, "too-many-watches", "too many watches of one client")
            }
            Self::TooManyGuesses => {
                (S::TOO_MANY_REQUESTS, "too-many-guesses", "too many wrong credentials")
            }
            Self::TooManyConnections => {
                (S::TOO_MANY_REQUESTS, "too-many-connections", "too many connections of one client")
            }
            Self::Full => (S::SERVICE_UNAVAILABLE, "full", "too many clients"),
            Self::Damaged => (S::INTERNAL_SERVER_ERROR, "damaged", "the log is damaged"),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "internal error"),
        }
    }
}

impl Problem {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let headers = match kind {
            Kind::Full | Kind::TooManyWatches | Kind::TooManyConnections => {
                vec![(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS))]
            }
            Kind::Unauthenticated => ["Bearer realm=\"pluvio\"", "Basic realm=\"pluvio\""]
                .map(|scheme| (header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme)))
                .into(),
            _ => Vec::new(),
        };
        Self { kind, detail: detail.into(), extent: None, upcoming: None, damaged: None, headers }
    }

    /// 503: there is no room for a large answer.
    pub(super) fn crowded() -> Self {
        Self::new(Kind::Full, "too many answers wait for their readers; come back later")
    }

    /// 503: the client makes as many pages at a time as it may.
    pub(super) fn busy() -> Self {
        let detail = format!(
            "{PAGES_PER_CLIENT_MAX} pages of this client are being made already; come back later, or ask \
             for one after the other"
        );
        Self::new(Kind::Full, detail)
    }

    /// 503: there is no room for another filter of a watch.
    pub(super) fn many_filters() -> Self {
        Self::new(
            Kind::Full,
            "the filters of watches take up all the room for them; come back later, with a shorter \
             filter, or with fewer watches",
        )
    }

    /// 400.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, detail)
    }

    /// 410 with the range that can be read.
    pub(super) fn purged(from: impl std::fmt::Display, extent: Extent) -> Self {
        let start = extent.start;
        let detail = format!(
            "invalid offset: offset out of range: {from} lies before {start}, where records were deleted"
        );
        Self::new(Kind::Purged, detail).range(extent)
    }

    /// Adds the bounds of the stream.
    pub(super) fn range(mut self, extent: Extent) -> Self {
        self.extent = Some(Box::new(extent));
        self
    }

    /// Adds the next offset that has an event.
    pub(super) fn upcoming(mut self, offset: Option<Offset>) -> Self {
        self.upcoming = offset;
        self
    }

    /// Adds what cannot be read, also as the header that a page has which ends there.
    pub(super) fn damaged(mut self, damaged: Damaged) -> Self {
        let first = HeaderValue::from(damaged.first.get());
        self.damaged = Some(Box::new(damaged));
        self.header(HeaderName::from_static(DAMAGED_OFFSET), first)
    }

    /// Says when to ask again.
    pub(super) fn retry_later(self) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS))
    }

    /// Adds a header to the answer.
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        self.kind.parts().0
    }

    pub(super) fn code(&self) -> u16 {
        self.status().as_u16()
    }

    /// The body.
    pub(super) fn document(&self) -> Document<'_> {
        let (status, code, title) = self.kind.parts();
        Document {
            r#type: format!("urn:pluvio:problem:{code}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            range: self.extent.as_deref().copied().map(Range::from),
            next_event: self.upcoming.map(Offset::get),
            damaged: self
                .damaged
                .as_deref()
                .map(|damaged| Bounds { first: damaged.first.get(), last: damaged.last.get() }),
            next_readable: self.damaged.as_deref().map(|damaged| damaged.next.get()),
        }
    }

    pub(super) fn answer(self) -> Answer {
        let body = serde_json::to_vec(&self.document()).unwrap_or_default();
        let mut answer = Answer::new(Payload::Bytes(body.into()));
        *answer.status_mut() = self.kind.parts().0;
        let problem = HeaderValue::from_static("application/problem+json");
        answer.headers_mut().insert(header::CONTENT_TYPE, problem);
        for (name, value) in self.headers {
            answer.headers_mut().append(name, value);
        }
        answer
    }
}

/// The one translation from what the log says to what a client reads.
impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::UnknownStream(stream) => {
                Self::new(Kind::NotFound, format!("no stream `{stream}`"))
            }
            ReadError::OutOfRange { from, extent } => Self::purged(from, *extent),
            error => {
                // The log itself tells of damage, once a minute, however often it is met.
                if matches!(error, ReadError::Damaged { .. }) {
                    debug!(%error, "failed to read the log");
                } else {
                    error!(error = %pluvio_runtime::Chain(&error), "failed to read the log");
                }
                Self::new(Kind::Internal, "the log could not be read; the server's log says why")
            }
        }
    }
}

/// The members of a problem.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(flatten)]
    range: Option<Range>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_event: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<Bounds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_readable: Option<i64>,
}

/// Offsets that cannot be read, and where reading goes on.
#[derive(Debug)]
pub(super) struct Damaged {
    pub(super) first: Offset,
    pub(super) last: Offset,
    pub(super) next: Offset,
}

#[derive(Serialize)]
struct Bounds {
    first: i64,
    last: i64,
}

/// A stream's bounds as JSON; `earliest` and `latest` first, as vsphere-event-streaming has them.
#[derive(Serialize)]
pub(super) struct Range {
    #[serde(skip_serializing_if = "Option::is_none")]
    earliest: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest: Option<i64>,
    start: i64,
    next: i64,
    log_id: String,
}

impl From<Extent> for Range {
    fn from(extent: Extent) -> Self {
        Self {
            earliest: extent.earliest.map(Offset::get),
            latest: extent.latest.map(Offset::get),
            start: extent.start.get(),
            next: extent.next.get(),
            log_id: extent.log_id.to_string(),
        }
    }
}
