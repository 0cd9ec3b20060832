//! The bound port: accept, limit, watch over the connections, drain.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::Arc,
    time::Duration,
};

use axum::{Router, routing::any};
use jiff::Timestamp;
use pluvio_runtime::{LineLimit, Listener};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    Context, Limits,
    admission::Admission,
    config::{Error, Unbound},
    connection::Host,
    encode,
    head::Head,
    limits::{
        FILTERS_BYTES_MAX_CLIENT, FILTERS_BYTES_MAX_TOTAL, HEAD_BYTES_MAX_ADDRESS,
        HEAD_BYTES_MAX_TOTAL, PAGES_BYTES_MAX_CLIENT, PAGES_BYTES_MAX_STRANGERS,
        PAGES_BYTES_MAX_TOTAL, PAGES_PER_CLIENT_MAX, READS_MAX, REFUSALS_MAX,
    },
    meter,
    problem::{Kind, Problem},
    render::Renderer,
    router::router,
    server::Server,
    settings::Settings,
    work::{Budgets, Pool},
};
use crate::{
    connections::{Connections, Places, Pressure},
    room::{PRESSED_LOOK, Parts, Room, Shares},
    tls::Acceptor,
};

/// The HTTP listener, bound to its port.
pub struct HttpListener {
    listener: StdListener,
    local: SocketAddr,
    tls: Option<Acceptor>,
    context: Context,
    settings: Arc<Settings>,
    limits: Limits,
}

/// The port cannot be served any more.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket cannot be handed to the runtime.
    #[error("failed to take over the socket of {local}")]
    Socket {
        /// The listener's address.
        local: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The system gives no thread.
    #[error("failed to start the threads that evaluate filters for {local}")]
    Threads {
        /// The listener's address.
        local: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Pause after a failed accept: most often the process is out of file descriptors, and asking again
/// at once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What clients get after watches were cut, to take their last bytes.
const AFTER_CUT: Duration = Duration::from_secs(1);

impl HttpListener {
    /// Takes the port.
    pub(super) fn bind(unbound: Unbound, context: Context) -> Result<Self, Error> {
        let Unbound { config, tls } = unbound;
        let listen = config.listen;
        let bound = StdListener::bind(listen).and_then(|listener| {
            listener.set_nonblocking(true)?;
            let local = listener.local_addr()?;
            Ok((listener, local))
        });
        let (listener, local) = bound.map_err(|source| Error::Bind { listen, source })?;
        let tls = tls.map(|mut config| {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Acceptor::new(config)
        });
        let settings = Arc::new(Settings {
            watchers_max: config.watchers_max,
            watchers_per_client_max: config.watchers_per_client_max,
            connections_max: config.connections_max(),
            heartbeat: config.heartbeat.0,
            cors_origins: config.cors_origins,
            hosts: config.hosts,
            is_open_on_loopback: local.ip().to_canonical().is_loopback()
                && !context.access.demands_authentication(),
        });
        Ok(Self { listener, local, tls, context, settings, limits: Limits::default() })
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

    fn server(&self, drain: &CancellationToken) -> io::Result<Arc<Server>> {
        let settings = Arc::clone(&self.settings);
        let reads = Arc::new(Semaphore::new(READS_MAX));
        Ok(Arc::new(Server {
            pool: Pool::start()?,
            budgets: Budgets::new(self.limits.filter_units_per_second),
            page_wait: self.limits.page_wait,
            pages: Room::new(PAGES_BYTES_MAX_TOTAL - PAGES_BYTES_MAX_STRANGERS),
            strangers: Room::new(PAGES_BYTES_MAX_STRANGERS),
            page_parts: Parts::new(PAGES_BYTES_MAX_CLIENT),
            page_turns: Shares::new(PAGES_PER_CLIENT_MAX),
            filters: Room::new(FILTERS_BYTES_MAX_TOTAL),
            filter_parts: Parts::new(FILTERS_BYTES_MAX_CLIENT),
            context: self.context.clone(),
            renderer: Renderer::new(&self.context.log, Arc::clone(&reads), drain.clone()),
            reads,
            admission: Arc::new(Admission::new(
                settings.watchers_max,
                settings.watchers_per_client_max,
                self.context.shared.clone(),
            )),
            settings,
            epoch: Instant::now(),
            started: Timestamp::now(),
            cut: CancellationToken::new(),
        }))
    }
}

impl Listener for HttpListener {
    type Error = ServeError;

    async fn serve(&mut self, drain: CancellationToken) -> Result<(), ServeError> {
        let failed = |source| ServeError::Socket { local: self.local, source };
        meter::describe();
        let listener = self.listener.try_clone().and_then(TcpListener::from_std).map_err(failed)?;
        // Cancelled also when this future is dropped, so that no reader of a stream outlives it.
        let draining = drain.child_token();
        let _guard = draining.clone().drop_guard();
        let server = self.server(&draining);
        let server = server.map_err(|source| ServeError::Threads { local: self.local, source })?;
        let mut house = House::new(self, &server, draining);
        let mut sweep = interval((self.limits.stall / 4).max(Duration::from_millis(10)));
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failed_accepts = LineLimit::default();
        // Only while somebody waits for room: an idle listener is not woken for it.
        let mut look = interval(PRESSED_LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pressure = Pressure::default();
        loop {
            tokio::select! {
                () = drain.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => house.serve(stream, peer),
                    Err(error) => {
                        if let Some(count) = failed_accepts.count() {
                            warn!(%error, count, "failed to accept connections");
                        }
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                () = house.connections.ended() => {}
                _ = sweep.tick(), if !house.connections.is_empty() => {
                    house.connections.drop_stalled();
                }
                () = house.host.strangers_short() => house.connections.displace_stranger(),
                () = house.host.pressed(&server), if pressure.is_none() => {
                    pressure = house.host.pressure(&server);
                }
                _ = look.tick(), if !pressure.is_none() => {
                    house.connections.drop_pressed(&pressure);
                    pressure = house.host.pressure(&server);
                    house.connections.relieve(&pressure);
                }
            }
        }
        drop(listener);
        house.drain().await;
        Ok(())
    }
}

/// Where connections go as they come.
struct House {
    host: Arc<Host>,
    server: Arc<Server>,
    router: Router,
    refusal: Router,
    connections: Connections,
}

impl House {
    fn new(listener: &HttpListener, server: &Arc<Server>, drain: CancellationToken) -> Self {
        let (tls, limits) = (listener.tls.clone(), listener.limits);
        let refused = any(async |request: axum::extract::Request| {
            let problem = Problem::new(Kind::Full, "too many connections; come back later");
            encode::response(problem.answer(), &Head::of(&request))
        });
        // Nobody notes here who idles, so none gives way: hyper closes who sends no head within `head`.
        let places = Places::new(
            server.settings.connections_max,
            server.epoch,
            limits.head,
            meter::CONNECTION_METERS,
        );
        let places = Arc::new(places);
        Self {
            host: Arc::new(Host {
                tls,
                places: Arc::clone(&places),
                limits,
                epoch: server.epoch,
                drain,
                heads: Arc::new(Semaphore::new(HEAD_BYTES_MAX_TOTAL)),
                head_shares: Shares::new(HEAD_BYTES_MAX_ADDRESS),
            }),
            server: Arc::clone(server),
            router: router(server),
            refusal: Router::new().fallback_service(refused),
            connections: Connections::new(places, limits.stall, meter::CONNECTION_METERS),
        }
    }

    fn serve(&mut self, stream: TcpStream, peer: SocketAddr) {
        self.connections.make_room();
        let above = self.connections.len().saturating_sub(self.server.settings.connections_max - 1);
        if above > REFUSALS_MAX {
            return;
        }
        let router = if above == 0 { self.router.clone() } else { self.refusal.clone() };
        let host = Arc::clone(&self.host);
        self.connections.spawn(peer.ip(), |pending| async move {
            host.serve(stream, peer, pending, router).await;
        });
    }

    /// Watches end by themselves once they have delivered what there is; those too far behind are
    /// ended, cleanly, after a while; who does not even take that is left.
    async fn drain(mut self) {
        if self.connections.drain(self.host.limits.drain).await {
            return;
        }
        self.server.cut.cancel();
        if !self.connections.drain(AFTER_CUT).await {
            let connections = self.connections.len();
            warn!(connections, "closed connections that took nothing any more");
        }
    }
}
