//! Which paths there are: one list, from which the [router](super::router) is made and against which the OpenAPI
//! document is tested.
//!
//! It refuses to answer, so that an answer can list the paths.

/// A path and what it takes.
pub(super) struct Route {
    /// In the router's and in OpenAPI's notation, which agree.
    pub(super) path: &'static str,
    pub(super) parameters: &'static [&'static str],
    pub(super) need: Need,
    pub(super) endpoint: Endpoint,
}

/// What the sender must be allowed to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    Anybody,
    Read,
    Status,
}

#[derive(Clone, Copy)]
pub(super) enum Endpoint {
    Index,
    Livez,
    Readyz,
    Metrics,
    OpenApi,
    Status,
    Streams,
    Range,
    Events,
    Event,
}

const EVENTS: &[&str] = &[
    "watch",
    "offset",
    "before",
    "limit",
    "since",
    "until",
    "type",
    "source",
    "subject",
    "filter",
    "log",
    "count",
    "timeout",
    "heartbeat",
    "bookmarks",
];

const fn route(
    path: &'static str,
    need: Need,
    endpoint: Endpoint,
    parameters: &'static [&'static str],
) -> Route {
    Route { path, parameters, need, endpoint }
}

/// All paths.
pub(super) const ROUTES: &[Route] = &[
    route("/", Need::Nothing, Endpoint::Index, &[]),
    route("/livez", Need::Nothing, Endpoint::Livez, &["verbose"]),
    route("/readyz", Need::Nothing, Endpoint::Readyz, &["exclude", "include", "verbose"]),
    route("/openapi.json", Need::Nothing, Endpoint::OpenApi, &[]),
    route("/metrics", Need::Status, Endpoint::Metrics, &[]),
    route("/api/v1/status", Need::Status, Endpoint::Status, &[]),
    route("/api/v1/streams", Need::Anybody, Endpoint::Streams, &[]),
    route("/api/v1/range", Need::Read, Endpoint::Range, &["log"]),
    route("/api/v1/events", Need::Read, Endpoint::Events, EVENTS),
    route("/api/v1/events/{offset}", Need::Read, Endpoint::Event, &["mode", "log"]),
    route("/api/v1/streams/{stream}/range", Need::Read, Endpoint::Range, &["log"]),
    route("/api/v1/streams/{stream}/events", Need::Read, Endpoint::Events, EVENTS),
    route(
        "/api/v1/streams/{stream}/events/{offset}",
        Need::Read,
        Endpoint::Event,
        &["mode", "log"],
    ),
];
