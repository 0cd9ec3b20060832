//! The control URL: the test bench over HTTP.
//!
//! `GET /control` lists every verb with one line of help, so that a user needs nothing else. Faults
//! are spelled as their Rust variants: `POST /control/faults/late?seconds=30&percent=5`. Answers
//! are JSON; the truth about events is NDJSON, one event a line.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Shared;
use super::cloud::Cloud;
use super::faults::Fault;
use super::injection::{Emission, Status};
use crate::control;
use crate::error::{Error, check_rate};
use crate::ticker;

/// Events that one request may make; more would hold the client too long.
const EVENTS_MAX: usize = 1_000_000;

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
        "what the cloud is and does, how far a recording is, calls, and the faults in force",
    ),
    verb(
        "GET",
        "/control/events?from=0",
        "what truly happened, as NDJSON, after skipping the first `from` events",
    ),
    verb("GET", "/control/keys", "accounts with their users, simulated keys and passwords"),
    verb("POST", "/control/post?count=100", "let the workload make events now"),
    verb(
        "POST",
        "/control/emit?account=web&kind=VM.START&state=Completed&level=ERROR",
        "make one event; also description, created, late_seconds, hidden, parent",
    ),
    verb("POST", "/control/chain?account=web&kind=VM.CREATE", "make all events of an operation"),
    verb("POST", "/control/rate?per_second=5", "change the rate of the workload; 0 for none"),
    verb("POST", "/control/advance?seconds=3600", "move the clock; the workload does its part"),
    verb("POST", "/control/clear", "end every fault that lasts"),
    verb("POST", "/control/forget-calls", "count calls from zero again"),
    verb("POST", "/control/faults/late?seconds=30&percent=5", "commit events later; 0 ends it"),
    verb("POST", "/control/faults/server-skew?seconds=-90", "set the second server's clock wrong"),
    verb("POST", "/control/faults/skew?seconds=-120", "set the cloud's clock ahead, or behind"),
    verb("POST", "/control/faults/burst?count=700", "make events within one second"),
    verb("POST", "/control/faults/shift?count=3", "make events after each listEvents; 0 ends it"),
    verb("POST", "/control/faults/throttled?count=2&retry_ms=500", "answer with 429 and a hint"),
    verb("POST", "/control/faults/unauthorized?count=1", "answer with 401"),
    verb("POST", "/control/faults/unavailable?count=2", "answer with 503"),
    verb("POST", "/control/faults/internal?count=2", "answer with 530"),
    verb("POST", "/control/faults/proxy?count=1&status=502", "answer with a proxy's page"),
    verb("POST", "/control/faults/reset?count=1", "reset the connection"),
    verb("POST", "/control/faults/cut?count=1", "end the next answers in the middle"),
    verb("POST", "/control/faults/slow?ms=500", "delay every answer; 0 ends it"),
    verb("POST", "/control/faults/malformed?count=1", "answer listEvents with what is no JSON"),
    verb("POST", "/control/faults/wrong-count?by=-5", "miscount events; 0 ends it"),
    verb("POST", "/control/faults/purge?older_than_seconds=3600", "delete old events now"),
    verb("POST", "/control/faults/fail-jobs?count=1", "let the next jobs fail"),
    verb("POST", "/control/faults/session-lost", "end all sessions"),
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
    #[error("count {0} is more than {EVENTS_MAX}")]
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
        .route("/control/keys", get(keys))
        .route("/control/post", post(post_events))
        .route("/control/emit", post(emit))
        .route("/control/chain", post(chain))
        .route("/control/rate", post(rate))
        .route("/control/advance", post(advance))
        .route("/control/clear", post(clear))
        .route("/control/forget-calls", post(forget_calls))
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
    let events = shared.with(|cloud| cloud.produced(from));
    Ok(control::lines(&events))
}

async fn keys(State(shared): State<Arc<Shared>>) -> Json<Vec<super::Keys>> {
    Json(shared.with(|cloud| super::keys_of(cloud)))
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
    if count > EVENTS_MAX {
        return Err(Refusal::Count(count));
    }
    without_recording(&shared)?;
    ticker::work(&shared, count);
    Ok(status(State(shared)).await)
}

/// Refuses what only a workload does.
fn without_recording(shared: &Shared) -> Result<(), Refusal> {
    match shared.with(|cloud| cloud.progress()) {
        None => Ok(()),
        Some(_) => Err(Refusal::Recording),
    }
}

async fn emit(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<Emission>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(emission) = query?;
    Ok(Json(json!({"id": shared.with(|cloud| cloud.emit(&emission))})))
}

#[derive(Debug, Deserialize)]
struct Operation {
    account: String,
    kind: String,
}

async fn chain(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<Operation>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(Operation { account, kind }) = query?;
    Ok(Json(json!({"ids": shared.with(|cloud| cloud.emit_chain(&account, &kind))})))
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

#[derive(Debug, Deserialize)]
struct Advance {
    seconds: u32,
}

async fn advance(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<Advance>, QueryRejection>,
) -> Result<Json<Status>, Refusal> {
    let Query(Advance { seconds }) = query?;
    shared.with(|cloud| cloud.advance(SignedDuration::from_secs(i64::from(seconds))));
    Ok(status(State(shared)).await)
}

async fn clear(State(shared): State<Arc<Shared>>) -> Json<Status> {
    shared.with(Cloud::clear_faults);
    status(State(shared)).await
}

async fn forget_calls(State(shared): State<Arc<Shared>>) -> Json<Status> {
    shared.with(|cloud| cloud.calls.clear());
    status(State(shared)).await
}

async fn fault(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> Result<Json<Status>, Refusal> {
    let Query(parameters) = query?;
    let fault = parse(&name, parameters)?;
    if matches!(fault, Fault::Burst { .. } | Fault::Shift { .. }) {
        without_recording(&shared)?;
    }
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
    use crate::cloudstack::faults::Fault;

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
        let text = parse("burst", wrong).unwrap_err().to_string();
        assert!(text.contains("cuont") || text.contains("count"), "{text}");
    }
}
