//! Cross-origin reads by browsers: none, unless an origin is configured.

use axum::http::{HeaderMap, HeaderValue, header};

use super::answer::Answer;

/// Headers of ours that a page may look at.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Link, Pluvio-Log, Pluvio-Next-Offset, Pluvio-Earliest-Offset, Pluvio-Latest-Offset, \
     Pluvio-Damaged-Offset, Retry-After",
);

/// Adds to an OPTIONS answer what a preflight asks about; [`allow`] decides whether it counts.
pub(super) fn preflight(answer: &mut Answer) {
    let pairs = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Accept, Last-Event-ID, Cache-Control",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "3600"),
    ];
    for (name, value) in pairs {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}

/// Names the origin that may read this answer; without one, no header tells anything.
pub(super) fn allow(configured: &[String], origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    if !configured.is_empty() {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    let allowed = origin.filter(|origin| is_allowed(configured, Some(origin)));
    match allowed {
        Some(origin) => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        None => {
            headers.remove(header::ACCESS_CONTROL_ALLOW_METHODS);
            headers.remove(header::ACCESS_CONTROL_ALLOW_HEADERS);
            headers.remove(header::ACCESS_CONTROL_MAX_AGE);
        }
    }
}

/// Whether a page of `origin` may read.
pub(super) fn is_allowed(configured: &[String], origin: Option<&HeaderValue>) -> bool {
    origin.is_some_and(|origin| {
        configured.iter().any(|known| known == "*" || known.as_bytes() == origin.as_bytes())
    })
}
