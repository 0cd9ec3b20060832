//! The management server over HTTP: parameters in, envelopes out, and what goes wrong on the way.
//!
//! Faults of transport strike under `/client` and on the integration port only: the control URL
//! always works, or nobody could end the trouble.

mod envelope;
mod front;
mod parameters;
mod sign;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use http::header::{CONTENT_TYPE, COOKIE, DATE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::faults::Transport;
use super::{Shared, control};
use crate::http::{Fate, Shown, Site};
use front::{Reply, Request};
use parameters::Parameters;

/// What a proxy in front of a broken server shows.
const PROXY_PAGE: &str = "<html><head><title>502 Bad Gateway</title></head>\n<body><center>\
                          <h1>502 Bad Gateway</h1></center><hr><center>proxy</center></body>\
                          </html>\n";

const DESCRIPTION: HeaderName = HeaderName::from_static("x-description");

/// Whether calls need a signature or a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// `/client/api`.
    Signed,
    /// The integration port: everybody is the root admin.
    Open,
}

/// The routes and the fates of requests at one of the two doors.
pub(super) fn site(shared: &Arc<Shared>, door: Door, tls: Option<Shown>) -> Site {
    let state = (Arc::clone(shared), door);
    let routes = |path: &str| Router::new().route(path, get(call).post(call));
    let router = match door {
        Door::Signed => routes("/client/api").merge(routes("/client/api/")),
        Door::Open => routes("/").merge(routes("/client/api")),
    };
    let router = router.with_state(state).merge(control::routes(Arc::clone(shared)));
    let stop = shared.stop.clone();
    let shared = Arc::clone(shared);
    let decide = move |path: &str| {
        if path.starts_with("/control") {
            return (Fate::Normal, Duration::ZERO);
        }
        let (transport, delay) = shared.with(|cloud| cloud.troubles.next_transport());
        (fate(transport), delay)
    };
    Site { router, decide: Arc::new(decide), dates_itself: false, tls, stop }
}

fn fate(transport: Transport) -> Fate {
    match transport {
        Transport::Normal => Fate::Normal,
        Transport::Proxied(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            Fate::Instead(Box::new((status, Html(PROXY_PAGE)).into_response()))
        }
        Transport::Reset => Fate::Reset,
        Transport::Cut => Fate::Cut,
    }
}

async fn call(
    State((shared, door)): State<(Arc<Shared>, Door)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut parameters = Parameters::default();
    parameters.read(query.as_deref().unwrap_or_default());
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        parameters.read(&String::from_utf8_lossy(&body));
    }
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies = cookies.flat_map(|value| value.split(';'));
    let mut cookies = cookies.filter_map(|pair| pair.trim().split_once('='));
    let cookie = cookies.find(|(name, _)| *name == "JSESSIONID").map(|(_, value)| value);
    let request = Request { parameters, session: cookie.map(str::to_owned), door };
    response(shared.with(|cloud| front::answer(cloud, &request)))
}

fn response(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, reply.body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    let mut insert = |name: HeaderName, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.append(name, value);
        }
    };
    if let Some(date) = &reply.date {
        insert(DATE, date);
    }
    if let Some(text) = &reply.description {
        insert(DESCRIPTION, text);
    }
    for cookie in &reply.cookies {
        insert(SET_COOKIE, cookie);
    }
    response
}
