//! The bound port: accept, limit, watch over the connections, drain.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::Arc,
    time::Duration,
};

use pluvio_log::ReadError;
use pluvio_runtime::{LineLimit, Listener};
use tokio::{
    net::TcpListener,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    Limits,
    config::{Error, Settings, Unbound},
    connection::Host,
    meter,
    server::Server,
};
use crate::{
    Context,
    connections::{Connections, Places, Pressure},
    room::PRESSED_LOOK,
    tls::Acceptor,
};

/// The Kafka listener, bound to its port.
pub struct KafkaListener {
    listener: StdListener,
    local: SocketAddr,
    tls: Option<Acceptor>,
    context: Context,
    settings: Settings,
    limits: Limits,
}

/// The port cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The bound socket cannot be used any more.
    #[error("failed to take over the socket of {local}")]
    Socket {
        /// Where it listens.
        local: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What groups committed cannot be read; without it they would begin anew.
    #[error("failed to read the offsets of kafka groups")]
    Offsets(#[source] ReadError),
}

/// Pause after a failed accept: most often the process is out of file descriptors, and asking again
/// at once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection gives way to another one of its client after this part of the time after which it would be
/// closed anyway: 30 s, when a consumer that lives has sent its heartbeat ten times.
const IDLE_PART: u32 = 20;

impl KafkaListener {
    /// Takes the port.
    pub(super) fn bind(unbound: Unbound, context: Context) -> Result<Self, Error> {
        let Unbound { listen, tls, settings } = unbound;
        let bound = StdListener::bind(listen).and_then(|listener| {
            listener.set_nonblocking(true)?;
            let local = listener.local_addr()?;
            Ok((listener, local))
        });
        let (listener, local) = bound.map_err(|source| Error::Bind { listen, source })?;
        let tls = tls.map(Acceptor::new);
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

    async fn host(&self, drain: CancellationToken) -> Result<Arc<Host>, ServeError> {
        let groups = self.context.shared.groups(&self.context.log).await;
        let groups = groups.map_err(ServeError::Offsets)?;
        let advertised = self.settings.advertised.clone();
        let server = Server::new(self.context.clone(), advertised, self.limits, groups, drain);
        let (epoch, places) = (Instant::now(), self.settings.connections_max);
        let idle_min = self.limits.idle / IDLE_PART;
        let places = Arc::new(Places::new(places, epoch, idle_min, meter::CONNECTION_METERS));
        Ok(Arc::new(Host { server, tls: self.tls.clone(), places, epoch }))
    }
}

impl Listener for KafkaListener {
    type Error = ServeError;

    async fn serve(&mut self, drain: CancellationToken) -> Result<(), ServeError> {
        let failed = |source| ServeError::Socket { local: self.local, source };
        meter::describe();
        let listener = self.listener.try_clone().and_then(TcpListener::from_std).map_err(failed)?;
        let host = self.host(drain.clone()).await?;
        let places = self.settings.connections_max;
        let mut connections =
            Connections::new(Arc::clone(&host.places), self.limits.stall, meter::CONNECTION_METERS);
        let (mut refused, mut failed_accepts) = (LineLimit::default(), LineLimit::default());
        let mut sweep = interval((self.limits.stall / 4).max(Duration::from_millis(10)));
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Only while somebody waits for room: an idle listener is not woken for it.
        let mut look = interval(PRESSED_LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pressure = Pressure::default();
        let mut groups = Box::pin(host.server.groups.run());
        loop {
            tokio::select! {
                () = drain.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    // One more than the limit: there is no answer before a request, and no request
                    // that is worth a place.
                    Ok((stream, peer)) => {
                        connections.make_room();
                        if connections.len() < places {
                            let host = Arc::clone(&host);
                            connections.spawn(peer.ip(), |pending| async move {
                                host.serve(stream, peer, pending).await;
                            });
                        } else if let Some(count) = refused.count() {
                            let connections = connections.len();
                            warn!(connections, count, "connection limit reached, closing new ones");
                        }
                    }
                    Err(error) => {
                        if let Some(count) = failed_accepts.count() {
                            warn!(%error, count, "failed to accept connections");
                        }
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                () = connections.ended() => {}
                _ = sweep.tick(), if !connections.is_empty() => connections.drop_stalled(),
                () = host.strangers_short() => connections.displace_stranger(),
                () = host.pressed(), if pressure.is_none() => pressure = host.pressure(),
                _ = look.tick(), if !pressure.is_none() => {
                    connections.drop_pressed(&pressure);
                    pressure = host.pressure();
                    connections.relieve(&pressure);
                }
                never = &mut groups => match never {},
            }
        }
        // Another listener may let time pass for them.
        drop(groups);
        drop(listener);
        if !connections.drain(self.limits.drain).await {
            warn!(connections = connections.len(), "closed connections that took nothing any more");
        }
        Ok(())
    }
}
