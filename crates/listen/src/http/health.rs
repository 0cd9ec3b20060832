//! Is it alive, is it ready, what is it doing: for orchestrators, dashboards and people.
//!
//! `/livez` and `/readyz` are open to all, since a probe has no credentials. Streams are named to those
//! who may read them; names and errors of components are for who holds the verb `status`, and others
//! learn how many are not running.

use axum::http::{HeaderValue, StatusCode, header};
use bytes::Bytes;
use pluvio_log::{Health, Log as _, Offset, StreamName};
use pluvio_runtime::{
    Principal, Verb,
    status::{ComponentStatus, Kind as ComponentKind, State},
};
use serde::Serialize;

use super::{
    answer::{self, Answer},
    call::Call,
    problem::Problem,
    query::shown,
};

/// What `/readyz` looks at, and what `exclude` may name.
const CHECKS: [&str; 2] = ["log", "sources"];
/// What it looks at only if `include` names it: whether a sink's target is there says nothing about
/// whether events can be read here.
const MORE_CHECKS: [&str; 1] = ["sinks"];

/// `/livez`: whoever can answer lives.
pub(super) fn livez() -> Answer {
    answer::body("text/plain; charset=utf-8", Bytes::from_static(b"ok\n"))
}

/// `/readyz`: 503 with the reasons while the log cannot be read, a reader met damage in it, or a source
/// is not running. The events that are there are served all the same. What an operator should know and
/// nobody else suffers from, such as a clock that is not believed, is a warning beside `ready`.
pub(super) fn readyz(call: &Call) -> Result<Answer, Problem> {
    #[derive(Serialize)]
    struct Readiness {
        ready: bool,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        reasons: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        checks: Vec<Check>,
    }
    let excluded = chosen(call, "exclude", &CHECKS)?;
    let included = chosen(call, "include", &MORE_CHECKS)?;
    let is_verbose = call.query.flag("verbose")?;
    let mut checks = vec![log(call), components(call, ComponentKind::Source, "sources")];
    checks.retain(|check| !excluded.contains(&check.name));
    if included.contains(&"sinks") {
        checks.push(components(call, ComponentKind::Sink, "sinks"));
    }
    let reasons: Vec<String> = checks.iter().flat_map(|check| check.reasons.clone()).collect();
    let ready = reasons.is_empty();
    let checks = if is_verbose { checks } else { Vec::new() };
    let warnings = warnings(call, &call.server.context.log.health());
    let mut answer = answer::json(&Readiness { ready, reasons, warnings, checks });
    if !ready {
        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// The checks that a parameter names, all of which must be `valid`.
fn chosen<'c>(call: &'c Call, key: &'static str, valid: &[&str]) -> Result<Vec<&'c str>, Problem> {
    let named: Vec<&str> = call.query.all(key).collect();
    match named.iter().find(|name| !valid.contains(name)) {
        None => Ok(named),
        Some(other) => Err(Problem::invalid(format!(
            "parameter `{key}` is `{}`; valid: `{}`",
            shown(other),
            valid.join("`, `")
        ))),
    }
}

#[derive(Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

impl Check {
    fn new(name: &'static str, reasons: Vec<String>) -> Self {
        Self { name, ok: reasons.is_empty(), reasons }
    }
}

fn log(call: &Call) -> Check {
    let context = &call.server.context;
    let failure = context.log.extent(&context.stream).err();
    let mut reasons: Vec<String> = failure.iter().map(ToString::to_string).collect();
    let health = context.log.health();
    let troubles = health.troubles();
    reasons.extend(troubles.map(|(stream, trouble)| format!("{}: {trouble}", named(call, stream))));
    // Where files lie is nothing for strangers.
    let is_told = call.principal.as_deref().is_some_and(Principal::may_see_status);
    let damaged =
        health.streams.iter().filter_map(|told| Some((&told.stream, told.damage.as_ref()?)));
    reasons.extend(damaged.map(|(stream, damage)| match is_told {
        true => format!("stream `{stream}`: {damage}"),
        false => format!("{} is damaged at offset {}", named(call, stream), damage.offset),
    }));
    Check::new("log", reasons)
}

/// A stream, by its name for those who know that there is such a one.
fn named(call: &Call, stream: &StreamName) -> String {
    let knows =
        |principal: &Principal| principal.may_see_status() || principal.may(Verb::Read, stream);
    match call.principal.as_deref().is_some_and(knows) {
        true => format!("stream `{stream}`"),
        false => "a stream".to_owned(),
    }
}

/// What is not as it should be and keeps nobody from reading or writing.
fn warnings(call: &Call, health: &Health) -> Vec<String> {
    let clock = health.clock.iter().map(ToString::to_string);
    let ahead = health.streams.iter().filter_map(|told| {
        let (stream, until) = (named(call, &told.stream), told.recorded_ahead?);
        Some(format!(
            "{stream}: its newest record was recorded at {until:.0}, ahead of the clock: recorded \
             times stand still until then"
        ))
    });
    let unnoted = health.unnoted.iter().map(|error| {
        format!(
            "where the streams end could not be noted ({error}): until it can, records that somebody cuts \
             or removes are not missed"
        )
    });
    clock.chain(ahead).chain(unnoted).chain(missed(call)).chain(stale(call)).collect()
}

/// Principals whose replaced token or password is still valid.
fn stale(call: &Call) -> Option<String> {
    let stale = call.server.context.access.stale();
    let is_told = call.principal.as_deref().is_some_and(Principal::may_see_status);
    let who = match is_told {
        true => format!("principal `{}`", stale.join("`, `")),
        false => "some principals".to_owned(),
    };
    let text = format!(
        "a token or password of {who} cannot be read again, so the previous one is still valid; the log \
         says why"
    );
    (!stale.is_empty()).then_some(text)
}

/// Sinks from which retention takes what they have not been handed.
fn missed(call: &Call) -> Vec<String> {
    let is_told = call.principal.as_deref().is_some_and(Principal::may_see_status);
    let components = call.server.context.status.components();
    let missed = components.iter().filter_map(|component| {
        let records = component.sink.as_ref()?.missed_records_max;
        let who = if is_told { format!("sink `{}`", component.name) } else { "a sink".to_owned() };
        let text =
            format!("retention deleted up to {records} records before {who} was handed them");
        (records > 0).then_some(text)
    });
    let mut missed: Vec<_> = missed.collect();
    if !is_told {
        missed.truncate(1);
    }
    missed
}

/// Whether all components of a kind run.
fn components(call: &Call, kind: ComponentKind, name: &'static str) -> Check {
    let components = call.server.context.status.components();
    let all: Vec<_> = components.iter().filter(|component| component.kind == kind).collect();
    let failing: Vec<_> = all.iter().filter(|one| one.state != State::Running).collect();
    let reasons = if call.principal.as_deref().is_some_and(Principal::may_see_status) {
        failing.iter().map(|one| reason(one)).collect()
    } else if failing.is_empty() {
        Vec::new()
    } else {
        vec![format!("{} of {} {name} are not running", failing.len(), all.len())]
    };
    Check::new(name, reasons)
}

fn reason(component: &ComponentStatus) -> String {
    let state = match component.state {
        State::Connecting => "connecting",
        State::Running => "running",
        State::Stalled => "stalled",
        State::Stopped => "stopped",
    };
    let error = component.error.as_ref().map(|error| format!(": {}", error.message));
    let ComponentStatus { kind, name, .. } = component;
    format!("{kind} `{name}` is {state}{}", error.unwrap_or_default())
}

/// `/metrics` in Prometheus' text format.
pub(super) fn metrics(call: &Call) -> Answer {
    let text = (call.server.context.metrics)();
    answer::body("text/plain; version=0.0.4; charset=utf-8", text.into())
}

/// `/api/v1/status`: components, streams, watches.
pub(super) fn status(call: &Call) -> Answer {
    #[derive(Serialize)]
    struct Status {
        version: &'static str,
        started: String,
        /// Of all listeners.
        watches: usize,
        components: Vec<ComponentStatus>,
        log: LogStatus,
        streams: Vec<Stream>,
    }
    #[derive(Serialize)]
    struct Stream {
        name: String,
        log_id: String,
        earliest: Option<i64>,
        latest: Option<i64>,
        next: i64,
        records: u64,
        bytes: u64,
        segments: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        trouble: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        damage: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        recorded_ahead: Option<String>,
    }
    let server = &call.server;
    let log = &server.context.log;
    let health = log.health();
    let stream = |name: &pluvio_log::StreamName| {
        let extent = log.extent(name).ok()?;
        let told = health.streams.iter().find(|told| told.stream == *name);
        Some(Stream {
            name: name.to_string(),
            log_id: extent.log_id.to_string(),
            earliest: extent.earliest.map(Offset::get),
            latest: extent.latest.map(Offset::get),
            next: extent.next.get(),
            records: extent.records,
            bytes: extent.bytes,
            segments: told.map_or(0, |told| told.segments),
            trouble: told.and_then(|told| Some(told.trouble.as_ref()?.to_string())),
            damage: told.and_then(|told| Some(told.damage.as_ref()?.to_string())),
            recorded_ahead: told.and_then(|told| Some(told.recorded_ahead?.to_string())),
        })
    };

    let mut answer = answer::json(&Status {
        version: server.context.version,
        started: server.started.to_string(),
        watches: server.context.shared.watches(),
        components: server.context.status.components(),
        log: LogStatus::of(&health),
        streams: log.streams().iter().filter_map(stream).collect(),
    });
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// How the log is.
#[derive(Serialize)]
struct LogStatus {
    /// Bytes that can still be written where it lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery: Option<RecoveryStatus>,
    /// Why the machine's clock is not believed, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<String>,
}

/// What opening it found and mended.
#[derive(Serialize)]
struct RecoveryStatus {
    seconds: f64,
    read_bytes: u64,
    cut_bytes: u64,
    indexes_rebuilt: u64,
    may_have_lost: bool,
}

impl LogStatus {
    fn of(health: &Health) -> Self {
        let recovery = health.recovery.as_ref().map(|recovery| RecoveryStatus {
            seconds: recovery.took.as_secs_f64(),
            read_bytes: recovery.read_bytes,
            cut_bytes: recovery.cut_bytes,
            indexes_rebuilt: recovery.indexes_rebuilt,
            may_have_lost: recovery.may_have_lost,
        });
        let clock = health.clock.map(|doubt| doubt.to_string());
        Self { free_bytes: health.free_bytes, recovery, clock }
    }
}
