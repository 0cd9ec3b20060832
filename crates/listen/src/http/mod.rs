//! The log over HTTP: range, pages, single events, and watches that never end by themselves.
//!
//! ```text
//!            accept ─▶ connection ─▶ router ─▶ range | page | single | status | …
//!                       (hyper)        │
//!                                      └────▶ watch: a body that asks `render` for the next page
//!                                                             │
//!   log ─▶ tail (one reader a stream) ─▶ wakes all watchers ──┘ pages are rendered once, shared
//! ```
//!
//! The design follows from one number: a thousand watchers of one stream. So an event is rendered
//! once and not once a watcher (`render`); an idle watcher owns no task but its connection's, no
//! channel and no buffer (`watch`); and heartbeats share a grid of time, so that a thousand of
//! them are one wake-up.
//!
//! **What a principal with a mandatory filter sees.** Events that its filter hides do not exist: not
//! in pages, watches or counts, and a single one is 404 as a gap is. *Offsets* are no secret: range,
//! bookmarks and the `Pluvio-*-Offset` headers show them to everybody who may read the stream,
//! because a reader cannot resume without them. Record counts and sizes are shown by
//! `/api/v1/status` only, to those who hold the verb `status`, for all streams and without a filter.
//! `docs/access.md` has the table of what such a principal can ask and gets.
//!
//! It refuses request bodies, sessions, and to end a watch because time has passed.

mod access;
mod admission;
mod answer;
mod call;
mod client;
mod config;
mod connection;
mod cors;
mod damage;
mod encode;
mod extra;
mod head;
mod health;
mod host;
mod limits;
mod listener;
mod meter;
mod page;
mod peer;
mod problem;
mod query;
mod range;
mod render;
mod router;
mod routes;
mod server;
mod settings;
mod single;
mod socket;
mod watch;
mod work;

use std::net::SocketAddr;

use crate::component::ListenerConfig;

pub use config::{Config, Error, Unbound};
pub use limits::Limits;
pub use listener::HttpListener;

pub use crate::context::{Context, MetricsText};

impl ListenerConfig for Config {
    const TYPE: &'static str = "http";
    const SUMMARY: &'static str = "HTTP: pages, watches, status, metrics";
    type Unbound = Unbound;
    type Listener = HttpListener;
    type Error = Error;

    fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    fn listen(&self) -> SocketAddr {
        self.listen
    }

    fn connections_max(&self) -> usize {
        self.connections_max()
    }

    fn resolve(self, is_closed: bool) -> Result<Unbound, Error> {
        Unbound::new(self, is_closed)
    }

    fn bind(unbound: Unbound, context: Context) -> Result<HttpListener, Error> {
        HttpListener::bind(unbound, context)
    }

    fn local_addr(listener: &HttpListener) -> SocketAddr {
        listener.local_addr()
    }

    fn key(error: &Error) -> &'static str {
        error.key()
    }
}
