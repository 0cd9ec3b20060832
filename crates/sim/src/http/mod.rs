//! Accepts connections, and lets go wrong what goes wrong on the wire.
//!
//! Every simulated cloud is served by this; what it answers is its router's. Faults of transport
//! are decided per request before the request is looked at, and only where the cloud says so: the
//! control URL always works, or nobody could end the trouble.

mod tls;
mod wire;

pub(crate) use tls::Shown;
pub use tls::Tls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt as _, Collected};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use wire::Wire;

/// Pause after a failed accept, which is mostly a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a client may take to shake hands.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// What happens to one request on its way.
#[derive(Debug)]
pub(crate) enum Fate {
    /// The router answers.
    Normal,
    /// Something before the router answers.
    Instead(Box<Response>),
    /// The connection is reset without an answer.
    Reset,
    /// Half of the router's answer arrives.
    Cut,
    /// Half of the router's answer arrives, and says that it is all.
    CutWhole,
}

/// Decides the fate of the request to that path, and how long it takes.
pub(crate) type Decide = dyn Fn(&str) -> (Fate, Duration) + Send + Sync;

/// The address of the client, for the handlers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerAddress(pub(crate) SocketAddr);

/// The connection is to be torn down without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset on demand")]
struct TornDown;

/// What a connection needs to know.
#[derive(Clone)]
pub(crate) struct Site {
    /// What answers.
    pub(crate) router: Router,
    /// What goes wrong.
    pub(crate) decide: Arc<Decide>,
    /// Whether an answer without a `Date` gets the machine's.
    pub(crate) dates_itself: bool,
    /// What is shown to clients that must speak TLS; `None`: they do not.
    pub(crate) tls: Option<Shown>,
    /// Raised when the simulator stops.
    pub(crate) stop: CancellationToken,
}

/// Serves until the simulator stops.
pub(crate) async fn serve(listener: TcpListener, site: Site, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = site.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                tasks.spawn(connection(stream, address, site.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, address: SocketAddr, site: Site) {
    // Small answers must not wait for more of them; a failure only costs time.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let wire = Wire::new(stream, Arc::clone(&reset));
    match &site.tls {
        None => conversation(TokioIo::new(wire), address, &site, &reset).await,
        Some(tls) => {
            let shaken = tokio::time::timeout(HANDSHAKE_MAX, tls.acceptor.accept(wire)).await;
            // Who does not trust the certificate leaves, and says so at his own end.
            if let Ok(Ok(stream)) = shaken {
                conversation(TokioIo::new(stream), address, &site, &reset).await;
            }
        }
    }
}

async fn conversation(
    io: impl hyper::rt::Read + hyper::rt::Write + Unpin,
    address: SocketAddr,
    site: &Site,
    reset: &AtomicBool,
) {
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(PeerAddress(address));
        request_on_the_wire(request, site, reset)
    });
    let mut builder = http1::Builder::new();
    builder.auto_date_header(site.dates_itself);
    let mut connection = pin!(builder.serve_connection(io, service));
    tokio::select! {
        // Clients may leave as they please.
        _ = connection.as_mut() => return,
        () = site.stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn request_on_the_wire(
    request: Request<Incoming>,
    site: &Site,
    reset: &AtomicBool,
) -> Result<Response, TornDown> {
    let (fate, delay) = (site.decide)(request.uri().path());
    if !delay.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = site.stop.cancelled() => {}
        }
    }
    match fate {
        Fate::Normal => Ok(routed(request, &site.router).await),
        Fate::Instead(response) => Ok(*response),
        Fate::Reset => {
            reset.store(true, Ordering::Relaxed);
            Err(TornDown)
        }
        Fate::Cut => Ok(cut(routed(request, &site.router).await, true).await),
        Fate::CutWhole => Ok(cut(routed(request, &site.router).await, false).await),
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

/// Sends half of the answer; whether it `promises` all of it.
async fn cut(response: Response, promises: bool) -> Response {
    let (mut head, body) = response.into_parts();
    let bytes = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let half = bytes.slice(..bytes.len() / 2);
    if !promises {
        head.headers.insert(CONTENT_LENGTH, half.len().into());
        return Response::from_parts(head, Body::from(half));
    }
    head.headers.insert(CONTENT_LENGTH, bytes.len().into());
    let parts: [Result<Bytes, TornDown>; 2] = [Ok(half), Err(TornDown)];
    Response::from_parts(head, Body::from_stream(futures::stream::iter(parts)))
}
