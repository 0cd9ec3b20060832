//! The control URL: the test bench over HTTP.
//!
//! `GET /control` lists every verb with one line of help, so that a user needs nothing else. Faults
//! are spelled as their Rust variants: `POST /control/faults/key-gap?count=3`. Answers are JSON; the
//! truth about events is NDJSON, one event a line.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Shared;
use super::cloud::Cloud;
use super::faults::Fault;
use super::injection::{Restart, Status};
use crate::control;
use crate::error::{Error, check_rate};
use crate::ticker;

/// Events that one request may post; more would hold the client too long.
const POST_EVENTS_MAX: usize = 1_000_000;

/// One verb as `GET /control` lists it.
#[derive(Debug, Serialize)]
struct Verb {
    method: &'static str,
    path: &'static str,
    help: &'static str,
}

const fn verb(method: &'static str, path: &'static str, help: &'static str) -> Verb {
    Verb { method, path, help }
}

/// Every verb with an example of its parameters.
const VERBS: &[Verb] = &[
    verb("GET", "/control", "this list"),
    verb(
        "GET",
        "/control/status",
        "what the cloud is and does, how far a recording is, and the faults in force",
    ),
    verb(
        "GET",
        "/control/events?from=0",
        "what truly happened, as NDJSON, after skipping the first `from` events",
    ),
    verb("POST", "/control/post?count=100", "make events now"),
    verb("POST", "/control/rate?per_second=5", "change the rate of the workload; 0 for none"),
    verb(
        "POST",
        "/control/restart?new_instance=true&drop_history=true",
        "end all sessions, and optionally become another cloud and forget all events",
    ),
    verb("POST", "/control/clear", "end every fault that lasts"),
    verb("POST", "/control/faults/session-lost", "end all sessions"),
    verb("POST", "/control/faults/empty-pages?count=3", "answer the next reads with empty pages"),
    verb("POST", "/control/faults/short-pages?events_max=7", "limit every read; 0 ends it"),
    verb("POST", "/control/faults/key-gap?count=10", "skip keys"),
    verb(
        "POST",
        "/control/faults/next-key?key=-5",
        "continue with this key: negative, or 2147483647 to overflow",
    ),
    verb(
        "POST",
        "/control/faults/restore?key=40",
        "restore from backup: forget events after this key, end all sessions",
    ),
    verb(
        "POST",
        "/control/faults/malformed?kind=time",
        "make one broken event; kinds: time, missing-key, key, content, ill-formed",
    ),
    verb("POST", "/control/faults/unknown-class", "make one event of a class nobody knows"),
    verb("POST", "/control/faults/slow?ms=500", "delay every answer; 0 ends it"),
    verb("POST", "/control/faults/unavailable?count=2", "answer the next requests with 503"),
    verb("POST", "/control/faults/reset?count=1", "reset the connection at the next requests"),
    verb("POST", "/control/faults/cut?count=1", "end the next answers in the middle"),
    verb(
        "POST",
        "/control/faults/cut-whole?count=1",
        "end the next answers in the middle, and call them whole",
    ),
    verb("POST", "/control/faults/begin-ignored", "show events from before a filter's beginTime"),
    verb("POST", "/control/faults/skew?seconds=-120", "set the cloud's clock ahead, or behind"),
    verb("POST", "/control/faults/stranded", "let existing collectors read nothing ever again"),
    verb(
        "POST",
        "/control/faults/early?seconds=86400&count=1",
        "make events of a host whose clock runs ahead",
    ),
    verb(
        "POST",
        "/control/faults/late?seconds=30&count=2",
        "make events that were created in the past",
    ),
];

/// Why a request to the control URL was refused.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the query is not understood: {}", .0.body_text())]
    Query(#[from] QueryRejection),
    #[error("fault `{0}` is not understood: {1}; GET /control lists all faults with examples")]
    Fault(String, serde_json::Error),
    #[error(transparent)]
    Rate(#[from] Error),
    #[error("count {0} is more than {POST_EVENTS_MAX}")]
    Count(usize),
    #[error("a recording is played: nothing happens but what was recorded, and faults")]
    Recording,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

/// The routes of the control URL.
pub(super) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/control", get(list))
        .route("/control/status", get(status))
        .route("/control/events", get(events))
        .route("/control/post", post(post_events))
        .route("/control/rate", post(rate))
        .route("/control/restart", post(restart))
        .route("/control/clear", post(clear))
        .route("/control/faults/{name}", post(fault))
        .with_state(shared)
}

/// The list of verbs, laid out for people.
async fn list() -> impl IntoResponse {
    let text = serde_json::to_string_pretty(VERBS).unwrap_or_default();
    ([(CONTENT_TYPE, "application/json")], text + "\n")
}

async fn status(State(shared): State<Arc<Shared>>) -> Json<Status> {
    Json(shared.with(|cloud| cloud.status()))
}

#[derive(Debug, Deserialize)]
struct From {
    #[serde(default)]
    from: usize,
}

async fn events(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<From>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(From { from }) = query?;
    let events = shared.with(|cloud| cloud.ledger.get(from..).unwrap_or_default().to_vec());
    Ok(control::lines(&events))
}

#[derive(Debug, Deserialize)]
struct Count {
    count: usize,
}

async fn post_events(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<Count>, QueryRejection>,
) -> Result<Json<Status>, Refusal> {
    let Query(Count { count }) = query?;
    if count > POST_EVENTS_MAX {
        return Err(Refusal::Count(count));
    }
    without_recording(&shared)?;
    ticker::work(&shared, count);
    Ok(status(State(shared)).await)
}

#[derive(Debug, Deserialize)]
struct Rate {
    per_second: f64,
}

async fn rate(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<Rate>, QueryRejection>,
) -> Result<Json<Status>, Refusal> {
    let Query(Rate { per_second }) = query?;
    check_rate(per_second)?;
    without_recording(&shared)?;
    shared.with(|cloud| cloud.events_per_second = per_second);
    Ok(status(State(shared)).await)
}

/// Refuses what only a workload does.
fn without_recording(shared: &Shared) -> Result<(), Refusal> {
    match shared.with(|cloud| cloud.progress()) {
        None => Ok(()),
        Some(_) => Err(Refusal::Recording),
    }
}

async fn restart(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<Restart>, QueryRejection>,
) -> Result<Json<Status>, Refusal> {
    let Query(how) = query?;
    shared.with(|cloud| cloud.restart(how));
    Ok(status(State(shared)).await)
}

async fn clear(State(shared): State<Arc<Shared>>) -> Json<Status> {
    shared.with(Cloud::clear_faults);
    status(State(shared)).await
}

async fn fault(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> Result<Json<Status>, Refusal> {
    let Query(parameters) = query?;
    let fault = parse(&name, parameters)?;
    shared.with(|cloud| cloud.inject(fault));
    Ok(status(State(shared)).await)
}

fn parse(name: &str, parameters: HashMap<String, String>) -> Result<Fault, Refusal> {
    control::fault(name, parameters).map_err(|error| Refusal::Fault(name.to_owned(), error))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::collections::{HashMap, HashSet};
    use std::mem::discriminant;

    use super::{VERBS, parse};
    use crate::vcenter::faults::Fault;

    fn parsed(example: &str) -> Fault {
        let (name, query) = example.split_once('?').unwrap_or((example, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let parameters = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        parse(name, parameters).unwrap()
    }

    #[test]
    fn every_fault_in_the_list_is_understood_as_written() {
        let examples = VERBS.iter().filter_map(|verb| verb.path.strip_prefix("/control/faults/"));
        let kinds: HashSet<_> = examples.map(|example| discriminant(&parsed(example))).collect();
        assert_eq!(kinds.len(), 18, "a fault is missing from the list, or listed twice");
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        let wrong = HashMap::from([("cuont".to_owned(), "1".to_owned())]);
        let text = parse("key-gap", wrong).unwrap_err().to_string();
        assert!(text.contains("cuont") || text.contains("count"), "{text}");
    }
}
