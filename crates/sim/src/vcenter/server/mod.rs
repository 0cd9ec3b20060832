//! Accepts connections, and lets go wrong what goes wrong on the wire.
//!
//! Faults of transport (slow, 503, reset, cut) are decided per request before the request is looked
//! at, and only under `/sdk`: the control URL always works, or nobody could end the trouble.

mod sdk;
mod wire;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Collected};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::control;
use super::faults::Transport;
use super::shared::Shared;
use wire::Wire;

/// Pause after a failed accept, which is mostly a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The connection is to be torn down without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset on demand")]
struct TornDown;

/// The address of the client, for the handlers.
#[derive(Debug, Clone, Copy)]
struct PeerAddress(SocketAddr);

/// Serves until the simulator stops.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, tasks: TaskTracker) {
    let router = sdk::routes(Arc::clone(&shared)).merge(control::routes(Arc::clone(&shared)));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                tasks.spawn(connection(stream, address, router.clone(), Arc::clone(&shared)));
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, address: SocketAddr, router: Router, shared: Arc<Shared>) {
    // Small answers must not wait for more of them; a failure only costs time.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let io = TokioIo::new(Wire::new(stream, Arc::clone(&reset)));
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(PeerAddress(address));
        request_on_the_wire(request, &router, &shared, &reset)
    });
    let mut connection = pin!(http1::Builder::new().serve_connection(io, service));
    tokio::select! {
        // Clients may leave as they please.
        _ = connection.as_mut() => return,
        () = shared.stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn request_on_the_wire(
    request: Request<Incoming>,
    router: &Router,
    shared: &Shared,
    reset: &AtomicBool,
) -> Result<Response, TornDown> {
    if !request.uri().path().starts_with("/sdk") {
        return Ok(routed(request, router).await);
    }
    let (fate, delay) = shared.with(|cloud| cloud.troubles.next_transport());
    if !delay.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = shared.stop.cancelled() => {}
        }
    }
    match fate {
        Transport::Normal => Ok(routed(request, router).await),
        Transport::Unavailable => {
            Ok((StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n").into_response())
        }
        Transport::Reset => {
            reset.store(true, Ordering::Relaxed);
            Err(TornDown)
        }
        Transport::Cut => Ok(cut(routed(request, router).await).await),
    }
}

async fn routed(request: Request<Incoming>, router: &Router) -> Response {
    let service = TowerToHyperService::new(router.clone());
    let answered: Result<Response, Infallible> =
        hyper::service::Service::call(&service, request).await;
    match answered {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Promises the whole answer and sends half of it.
async fn cut(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let bytes = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let half = bytes.slice(..bytes.len() / 2);
    head.headers.insert(CONTENT_LENGTH, bytes.len().into());
    let parts: [Result<Bytes, TornDown>; 2] = [Ok(half), Err(TornDown)];
    Response::from_parts(head, Body::from_stream(futures::stream::iter(parts)))
}
