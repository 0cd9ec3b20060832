//! From a request to the answer of its route, with what is the same for all of them: whether it may be asked for,
//! and the last touches.

use std::{net::Ipv4Addr, sync::Arc};

use axum::{
    Router,
    extract::{RawPathParams, Request, rejection::RawPathParamsRejection},
    http::{HeaderValue, Method, StatusCode, header},
    response::Response,
    routing::any,
};
use metrics::counter;
use pluvio_log::{Log, StreamName};
use pluvio_runtime::{Principal, Verb};

use super::{
    access,
    answer::{self, Answer, Payload},
    call::Call,
    client::Client,
    cors, encode, extra,
    head::Head,
    health, host,
    limits::{ANSWER_BYTES_FREE, TARGET_BYTES_MAX},
    meter, page,
    peer::Peer,
    problem::{Kind, Problem},
    query::{Query, nearest, shown},
    range,
    routes::{Endpoint, Need, ROUTES, Route},
    server::Server,
    single, watch,
};

const ALLOW: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// The router of one listener; connections clone it, which costs a reference count.
pub(super) fn router(server: &Arc<Server>) -> Router {
    let lost = Arc::clone(server);
    let fallback = any(async move |request: Request| {
        let problem = host::check(&lost.settings, &request).err();
        let problem = problem.unwrap_or_else(|| unknown_path(request.uri().path()));
        finish(&lost, "other", &Head::of(&request), Err(problem))
    });
    let router = Router::new().fallback_service(fallback);
    ROUTES.iter().fold(router, |router, route| {
        let server = Arc::clone(server);
        let handler = async move |path: Result<RawPathParams, _>, request: Request| {
            let head = Head::of(&request);
            let answer = match path {
                Ok(path) => answer(&server, route, &path, request).await,
                Err(rejected) => Err(not_text(&server, &request, &rejected)),
            };
            finish(&server, route.path, &head, answer)
        };
        router.route(route.path, any(handler))
    })
}

/// The request's head is dropped before a watch begins: it pins hyper's read buffer.
async fn answer(
    server: &Arc<Server>,
    route: &Route,
    path: &RawPathParams,
    request: Request,
) -> Result<Answer, Problem> {
    host::check(&server.settings, &request)?;
    if request.method() == Method::OPTIONS {
        let mut answer = answer::nothing();
        answer.headers_mut().insert(header::ALLOW, ALLOW);
        return Ok(answer);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let detail = format!("method {} is not served here", shown(request.method().as_str()));
        return Err(Problem::new(Kind::Method, detail).header(header::ALLOW, ALLOW));
    }
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    if target.len() > TARGET_BYTES_MAX {
        let detail = format!("request target is longer than {TARGET_BYTES_MAX} bytes");
        return Err(Problem::new(Kind::TargetTooLong, detail));
    }
    let context = &server.context;
    let peer = request.extensions().get::<Peer>();
    let known = access::authenticate(&context.access, peer, request.headers()).await;
    if let (Ok(principal), Some(peer)) = (&known, peer)
        && !peer.pending.is_known()
    {
        let holder = client(&request, Some(peer), Some(principal));
        let admitted = peer.places.admit(&peer.pending, holder);
        // A probe is answered also where its client has all the places that it may have.
        if let (Err(full), true) = (admitted, route.need != Need::Nothing) {
            let problem = Problem::new(Kind::TooManyConnections, full.to_string());
            return Err(problem.header(header::CONNECTION, HeaderValue::from_static("close")));
        }
    }
    let principal = if route.need == Need::Nothing { known.ok() } else { Some(known?) };
    let client = client(&request, peer, principal.as_deref());
    let value = |name: &str| path.iter().find(|(n, _)| *n == name).map(|(_, value)| value);
    let stream = match value("stream") {
        None => context.stream.clone(),
        Some(name) => StreamName::new(name).map_err(|_| no_stream(name))?,
    };
    check(route.need, principal.as_deref(), &stream)?;
    let query = Query::parse(request.uri().query().unwrap_or_default(), route.parameters)?;
    let call = Call {
        server: Arc::clone(server),
        client,
        principal,
        stream,
        path: request.uri().path().to_owned(),
        offset: value("offset").map(str::to_owned),
        query,
        headers: request.headers().clone(),
    };
    drop(request);
    let log_id = readable_log(&call);
    let answer = dispatch(route.endpoint, &call).await.and_then(|answer| placed(&call, answer));
    let mut answer = answer.unwrap_or_else(Problem::answer);
    if let Some(log_id) = log_id {
        answer.headers_mut().insert("pluvio-log", log_id);
    }
    Ok(answer)
}

async fn dispatch(endpoint: Endpoint, call: &Call) -> Result<Answer, Problem> {
    match endpoint {
        Endpoint::Index => Ok(extra::index(call)),
        Endpoint::OpenApi => Ok(extra::openapi()),
        Endpoint::Livez => Ok(health::livez()),
        Endpoint::Readyz => health::readyz(call),
        Endpoint::Metrics => Ok(health::metrics(call)),
        Endpoint::Status => Ok(health::status(call)),
        Endpoint::Streams => Ok(range::streams(call)),
        Endpoint::Range => range::range(call),
        Endpoint::Event => single::event(call).await,
        Endpoint::Events if call.query.is_watch()? => watch::open(call).await,
        Endpoint::Events => page::page(call).await,
    }
}

fn check(need: Need, principal: Option<&Principal>, stream: &StreamName) -> Result<(), Problem> {
    let may = |verb| principal.is_some_and(|principal| principal.may(verb, stream));
    match need {
        Need::Nothing | Need::Anybody => Ok(()),
        Need::Read if may(Verb::Read) => Ok(()),
        Need::Read => Err(no_stream(stream.as_str())),
        Need::Status if principal.is_some_and(Principal::may_see_status) => Ok(()),
        Need::Status => {
            let detail = if principal.is_some_and(|p| p.verbs.contains(&Verb::Status)) {
                "status and metrics count all events of all streams: a principal with a `filter`, or \
                 with some `streams` only, does not see them"
            } else {
                "this principal does not hold the verb `status`"
            };
            Err(Problem::new(Kind::Forbidden, detail))
        }
    }
}

/// The same words whether the stream is missing or not for this principal.
fn no_stream(name: &str) -> Problem {
    Problem::new(Kind::NotFound, format!("no stream `{}`", shown(name)))
}

/// Whose the request is, and the connection that it came over.
fn client(request: &Request, peer: Option<&Peer>, principal: Option<&Principal>) -> Client {
    match (principal, request.headers().contains_key(header::AUTHORIZATION)) {
        (Some(principal), true) => Client::Principal(principal.name.clone()),
        // Each connection puts its peer beside its requests.
        _ => Client::at(peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.address.ip())),
    }
}

/// The log's id as a header, for whoever may read the stream.
fn readable_log(call: &Call) -> Option<HeaderValue> {
    call.principal.as_ref().filter(|principal| principal.may(Verb::Read, &call.stream))?;
    let extent = call.server.context.log.extent(&call.stream).ok()?;
    HeaderValue::try_from(extent.log_id.to_string()).ok()
}

/// A path that holds bytes which are no UTF-8.
fn not_text(server: &Server, request: &Request, _: &RawPathParamsRejection) -> Problem {
    match host::check(&server.settings, request) {
        Ok(()) => unknown_path(request.uri().path()),
        Err(problem) => problem,
    }
}

fn unknown_path(path: &str) -> Problem {
    let bare = path.trim_end_matches('/');
    let known = ROUTES.iter().map(|route| route.path).filter(|known| !known.contains('{'));
    let hint = match nearest(bare, known) {
        Some(nearest) => format!("did you mean `{nearest}`? "),
        None => String::new(),
    };
    let detail = format!("no such path `{}`; {hint}`/` lists them", shown(path));
    Problem::new(Kind::NotFound, detail)
}

/// Gives a large document its place among the pages of its client, or among the answers to strangers: a reader
/// that takes nothing holds it.
fn placed(call: &Call, answer: Answer) -> Result<Answer, Problem> {
    let (parts, payload) = answer.into_parts();
    let payload = match payload {
        Payload::Bytes(bytes) if bytes.len() > ANSWER_BYTES_FREE => {
            let server = &call.server;
            let held = match call.principal {
                Some(_) => {
                    server.pages.try_take_of(&server.page_parts.of(&call.client), bytes.len())
                }
                None => server.strangers.try_take(bytes.len()),
            };
            Payload::Placed(bytes, held.ok_or_else(Problem::crowded)?)
        }
        payload => payload,
    };
    Ok(Answer::from_parts(parts, payload))
}

/// The last touches, the same for all answers.
fn finish(
    server: &Server,
    route: &'static str,
    head: &Head,
    answer: Result<Answer, Problem>,
) -> Response {
    let mut answer = answer.unwrap_or_else(Problem::answer);
    if head.method == Method::OPTIONS && answer.status() == StatusCode::NO_CONTENT {
        cors::preflight(&mut answer);
    }
    let headers = answer.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    cors::allow(&server.settings.cors_origins, head.origin.as_ref(), headers);
    let status = answer.status().as_u16().to_string();
    counter!(meter::REQUESTS, "route" => route, "status" => status).increment(1);
    encode::response(answer, head)
}
