//! One connection, from the handshake to a close that lets the last answer arrive.

use std::{future::poll_fn, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, Uri},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::counter;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::debug;

use super::{
    limits::{HEAD_BYTES_MAX, Limits},
    meter,
    peer::Peer,
    problem::{Kind, Problem},
    server::Server,
    socket::Socket,
};
use crate::{
    connections::{Places, Pressure},
    holder::Holder,
    pending::Pending,
    room::Shares,
    socket::{self, Transport},
    tls::{self, Acceptor},
};

/// What all connections of one listener are served with.
pub(super) struct Host {
    pub(super) tls: Option<Acceptor>,
    pub(super) places: Arc<Places>,
    pub(super) limits: Limits,
    pub(super) epoch: Instant,
    pub(super) drain: CancellationToken,
    /// What [`HEAD_BYTES_MAX_TOTAL`](super::limits::HEAD_BYTES_MAX_TOTAL) leaves, in bytes.
    pub(super) heads: Arc<Semaphore>,
    /// The part of each address.
    pub(super) head_shares: Shares<Holder>,
}

/// How long the rest of a refused request is read, so that the refusal is not lost in a reset.
const LINGER: Duration = Duration::from_secs(2);
/// How much of it: a client that sends more has been answered long ago.
const LINGER_BYTES_MAX: usize = 8 << 20;

impl Host {
    /// Waits until somebody finds no room.
    pub(super) async fn pressed(&self, server: &Server) {
        tokio::select! {
            () = server.pressed() => {}
            () = tls::pressed(self.tls.as_ref()) => {}
        }
    }

    /// Whose readers others wait for now.
    pub(super) fn pressure(&self, server: &Server) -> Pressure {
        let on_tls = self.tls.as_ref().is_some_and(Acceptor::is_pressed);
        Pressure { on_tls, ..server.pressure() }
    }

    /// Waits until a stranger finds no room for what it sends over TLS.
    pub(super) async fn strangers_short(&self) {
        tls::strangers_short(self.tls.as_ref()).await;
    }

    /// Serves `stream` until one side is done with it.
    pub(super) async fn serve(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        pending: Arc<Pending>,
        router: Router,
    ) {
        socket::prepare(&stream);
        let transport = match &self.tls {
            None => Transport::Plain(stream),
            Some(acceptor) => {
                let accepting = acceptor.accept(stream, Arc::clone(&pending), self.epoch);
                match timeout(self.limits.head, accepting).await {
                    Ok(Ok(tls)) => Transport::Tls(tls),
                    Ok(Err(error)) => return debug!(%peer, %error, "TLS handshake failed"),
                    Err(_) => return debug!(%peer, "TLS handshake took too long"),
                }
            }
        };
        let sent = counter!(meter::SENT_BYTES);
        let socket = socket::Socket::new(transport, Arc::clone(&pending), self.epoch, sent);
        let own = self.head_shares.of(&Holder::at(peer.ip()));
        let socket = Socket::new(socket, Arc::clone(&self.heads), own);
        self.http(socket, peer, &pending, router).await;
    }

    async fn http(&self, socket: Socket, peer: SocketAddr, pending: &Arc<Pending>, router: Router) {
        let (pending, places) = (Arc::clone(pending), Arc::clone(&self.places));
        let from = Peer { address: peer, login: Arc::default(), pending, places };
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            answer(router.clone(), from.clone(), request.map(Body::new))
        });
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(HEAD_BYTES_MAX);
        let mut connection = builder.serve_connection(TokioIo::new(socket), service);
        let served = tokio::select! {
            served = poll_fn(|cx| connection.poll_without_shutdown(cx)) => served,
            () = self.drain.cancelled() => {
                Pin::new(&mut connection).graceful_shutdown();
                poll_fn(|cx| connection.poll_without_shutdown(cx)).await
            }
        };
        let socket = connection.into_parts().io.into_inner();
        match served {
            Ok(()) => close(socket).await,
            Err(error) => {
                debug!(%peer, %error, "connection ended");
                refuse(socket, error.is_parse_too_large()).await;
            }
        }
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response, std::convert::Infallible>> + Send>>;

fn answer(router: Router, peer: Peer, mut request: Request) -> Answer {
    request.extensions_mut().insert(peer);
    detach(&mut request);
    Box::pin(router.oneshot(request))
}

/// Copies the head of a request. What hyper gives out are parts of its buffer: as long as a request
/// waits, they would keep all of that, and hyper makes another one.
fn detach(request: &mut Request) {
    if let Ok(uri) = Uri::try_from(request.uri().to_string()) {
        *request.uri_mut() = uri;
    }
    for value in request.headers_mut().values_mut() {
        if let Ok(copy) = HeaderValue::from_bytes(value.as_bytes()) {
            *value = copy;
        }
    }
}

async fn close(mut socket: Socket) {
    let _ = socket.shutdown().await;
}

/// After an error: says what hyper cannot, and reads on if the client is in the middle of a sentence.
async fn refuse(mut socket: Socket, is_head_too_large: bool) {
    let problem = if socket.is_line_too_long() {
        Some(Problem::new(Kind::TargetTooLong, "the request line does not end"))
    } else if socket.is_room_full() {
        Some(Problem::new(Kind::Full, "too many large request heads at a time; come back later"))
    } else if is_head_too_large {
        None
    } else {
        return;
    };
    socket.stop_looking();
    if let Some(problem) = problem {
        let _ = socket.write_all(unseen(&problem).as_bytes()).await;
    }
    let _ = socket.shutdown().await;
    let linger = async {
        let mut sink = vec![0; 16 << 10];
        let mut total = 0;
        while let Ok(count) = socket.read(&mut sink).await
            && count > 0
            && total < LINGER_BYTES_MAX
        {
            total += count;
        }
    };
    let _ = timeout(LINGER, linger).await;
}

/// An answer to a request that hyper never got to see.
fn unseen(problem: &Problem) -> String {
    let status = problem.status();
    let body = serde_json::to_string(&problem.document()).unwrap_or_default();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\n\
         x-content-type-options: nosniff\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
