//! What is read out of a request's head for the last touches of its answer.
//!
//! It is kept instead of the head, which pins hyper's read buffer: what else is in there is gone by then.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, header},
};

/// What the last touches need of a request that is gone by then.
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) origin: Option<HeaderValue>,
    pub(super) takes_gzip: bool,
}

impl Head {
    pub(super) fn of(request: &Request) -> Self {
        let headers = request.headers();
        Self {
            method: request.method().clone(),
            origin: headers.get(header::ORIGIN).cloned(),
            takes_gzip: lists(headers, header::ACCEPT_ENCODING.as_str(), "gzip"),
        }
    }
}

/// Whether the comma-separated header `name` lists `token` and does not refuse it by `q=0`.
pub(super) fn lists(headers: &HeaderMap, name: &str, token: &str) -> bool {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let is_named = parts.next().is_some_and(|named| named.eq_ignore_ascii_case(token));
            is_named && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
    })
}
