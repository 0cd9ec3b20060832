//! The bound port: accept, limit, watch over the connections, drain.

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::Arc,
    time::Duration,
};

use axum::{Router, routing::any};
use jiff::Timestamp;
use metrics::{counter, gauge};
use pluvio_runtime::Listener;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{
    Context, Limits,
    connection::Host,
    encode,
    limits::REFUSALS_MAX,
    meter,
    problem::{Kind, Problem},
    render::Renderer,
    routes::{self, Head},
    server::{Server, Settings},
    socket::Pending,
    watch::Admission,
};

/// The HTTP listener, bound to its port.
pub struct HttpListener {
    listener: StdListener,
    local: SocketAddr,
    tls: Option<TlsAcceptor>,
    context: Context,
    settings: Arc<Settings>,
    limits: Limits,
}

/// The port cannot be served any more.
#[derive(Debug, thiserror::Error)]
#[error("failed to take over the socket of {local}")]
pub struct ServeError {
    local: SocketAddr,
    #[source]
    source: io::Error,
}

/// Pause after a failed accept: most often the process is out of file descriptors, and asking again
/// at once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What clients get after watches were cut, to take their last bytes.
const AFTER_CUT: Duration = Duration::from_secs(1);

impl HttpListener {
    pub(super) fn new(
        listener: StdListener,
        local: SocketAddr,
        tls: Option<ServerConfig>,
        context: Context,
        settings: Settings,
    ) -> Self {
        let tls = tls.map(|mut config| {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            TlsAcceptor::from(Arc::new(config))
        });
        let settings = Arc::new(settings);
        Self { listener, local, tls, context, settings, limits: Limits::default() }
    }

    /// Where it listens: with port 0 in the configuration, the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Shortens the limits of time, for tests; see [`Limits`].
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    fn server(&self, drain: &CancellationToken) -> Arc<Server> {
        let settings = Arc::clone(&self.settings);
        Arc::new(Server {
            context: self.context.clone(),
            renderer: Renderer::new(&self.context.log, drain.clone()),
            admission: Arc::new(Admission::new(
                settings.watchers_max,
                settings.watchers_per_client_max,
            )),
            settings,
            epoch: Instant::now(),
            started: Timestamp::now(),
            cut: CancellationToken::new(),
        })
    }
}

impl Listener for HttpListener {
    type Error = ServeError;

    async fn serve(&mut self, drain: CancellationToken) -> Result<(), ServeError> {
        let failed = |source| ServeError { local: self.local, source };
        meter::describe();
        let listener = self.listener.try_clone().and_then(TcpListener::from_std).map_err(failed)?;
        // Cancelled also when this future is dropped, so that no reader of a stream outlives it.
        let draining = drain.child_token();
        let _guard = draining.clone().drop_guard();
        let server = self.server(&draining);
        let mut connections = Connections::new(self, &server, draining);
        let mut sweep = interval((self.limits.stall / 4).max(Duration::from_millis(10)));
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = drain.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => connections.serve(stream, peer),
                    Err(error) => {
                        warn!(%error, "failed to accept a connection");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = connections.tasks.join_next_with_id() => connections.ended(ended),
                _ = sweep.tick(), if !connections.tasks.is_empty() => connections.drop_stalled(),
            }
        }
        drop(listener);
        connections.drain().await;
        Ok(())
    }
}

/// The tasks of all connections, each with what tells whether its reader is stalled.
struct Connections {
    host: Arc<Host>,
    server: Arc<Server>,
    router: Router,
    refusal: Router,
    tasks: JoinSet<()>,
    watched: HashMap<Id, (AbortHandle, Arc<Pending>)>,
}

impl Connections {
    fn new(listener: &HttpListener, server: &Arc<Server>, drain: CancellationToken) -> Self {
        let (tls, limits) = (listener.tls.clone(), listener.limits);
        let refused = any(async |request: axum::extract::Request| {
            let problem = Problem::new(Kind::Full, "too many connections; come back later");
            encode::response(problem.answer(), &Head::of(&request))
        });
        Self {
            host: Arc::new(Host { tls, limits, epoch: server.epoch, drain }),
            server: Arc::clone(server),
            router: routes::router(server),
            refusal: Router::new().fallback_service(refused),
            tasks: JoinSet::new(),
            watched: HashMap::new(),
        }
    }

    fn serve(&mut self, stream: TcpStream, peer: SocketAddr) {
        let above = self.tasks.len().saturating_sub(self.server.settings.connections_max - 1);
        if above > REFUSALS_MAX {
            return;
        }
        let router = if above == 0 { self.router.clone() } else { self.refusal.clone() };
        let pending = Arc::new(Pending::default());
        let (host, writes) = (Arc::clone(&self.host), Arc::clone(&pending));
        let task = self.tasks.spawn(async move { host.serve(stream, peer, writes, router).await });
        self.watched.insert(task.id(), (task, pending));
        gauge!(meter::CONNECTIONS).set(self.tasks.len() as f64);
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                if error.is_panic() {
                    counter!(meter::PANICS).increment(1);
                    error!("a connection's task panicked; the others go on");
                }
                error.id()
            }
        };
        self.watched.remove(&id);
        gauge!(meter::CONNECTIONS).set(self.tasks.len() as f64);
    }

    fn drop_stalled(&mut self) {
        let (now, limit) = (self.host.epoch.elapsed(), self.host.limits.stall);
        for (task, pending) in self.watched.values() {
            if pending.is_stalled(now, limit) {
                counter!(meter::STALLED).increment(1);
                task.abort();
            }
        }
    }

    /// Watches end by themselves once they have delivered what there is; those too far behind are
    /// ended, cleanly, after a while; who does not even take that is left.
    async fn drain(mut self) {
        let rest = self.host.limits.drain;
        if timeout(rest, self.join_all()).await.is_ok() {
            return;
        }
        self.server.cut.cancel();
        if timeout(AFTER_CUT, self.join_all()).await.is_err() {
            warn!(connections = self.tasks.len(), "closed connections that took nothing any more");
        }
    }

    async fn join_all(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.ended(ended);
        }
    }
}
