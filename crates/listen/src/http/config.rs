//! What an operator can set, and the first of two steps that turn it into a listener: [`Unbound::new`] judges it
//! without touching anything. The second, [`HttpListener::bind`](super::HttpListener), takes the port.

use std::{io, net::SocketAddr, time::Duration};

use pluvio_net::unit::Period;
use pluvio_net::{ServerTls, ServerTlsError, shown_address};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_rustls::rustls::ServerConfig;

use super::{host, limits::HEARTBEAT_MIN};
use crate::exposure;

/// The HTTP listener: `[listeners.<name>]` with `type = "http"`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port to listen on. Beyond loopback, both authentication and `tls` are needed.
    /// Default `127.0.0.1:8080`.
    #[schemars(extend("format" = "socket-address"))]
    pub listen: SocketAddr,
    /// Certificate and key. Default: plain HTTP.
    pub tls: Option<ServerTls>,
    /// Listen beyond loopback without authentication or without TLS all the same. Everybody who
    /// reaches the port then reads the events, or the credentials on the way. Default `false`.
    pub insecure: bool,
    /// Most watches at a time; one more is answered 503. An idle watch costs about 16 KiB.
    /// Default 4096.
    #[schemars(range(min = 1))]
    pub watchers_max: usize,
    /// Most watches at a time of one client (an authenticated principal, else an IP address, of IPv6
    /// its /64); one more is answered 429. Default 2048.
    #[schemars(range(min = 1))]
    pub watchers_per_client_max: usize,
    /// Most connections at a time; one more is answered 503. Of one client at most fifteen sixteenths;
    /// one more is answered 429. Default 5000; 2500 with `tls`, where each takes more memory.
    #[schemars(
        range(min = 1),
        extend("default" = CONNECTIONS_MAX, "x-default-varies" = true)
    )]
    pub connections_max: Option<usize>,
    /// A watch that was silent for this long is sent a heartbeat, so that proxies and clients see
    /// that it lives. `"0s"` sends none; else at least `"1s"`. A request may ask for another.
    /// Default `"30s"`.
    pub heartbeat: Period,
    /// Origins whose pages may read from a browser (CORS), for example `https://ui.example.org`;
    /// `*` is all. Default: none.
    pub cors_origins: Vec<String>,
    /// Names that this server goes by, for example `pluvio.example.org`, without a port. An open
    /// server on loopback answers only to them, to `localhost` and to addresses, so that no web page
    /// can read it through a name of its own (DNS rebinding). Default: none.
    pub hosts: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls: None,
            insecure: false,
            watchers_max: 4096,
            watchers_per_client_max: 2048,
            connections_max: None,
            heartbeat: Period(Duration::from_secs(30)),
            cors_origins: Vec::new(),
            hosts: Vec::new(),
        }
    }
}

/// Most connections unless configured: each takes some 20 KiB, and what it holds of answers is bounded by
/// itself.
const CONNECTIONS_MAX: usize = 5000;
/// The same over TLS: each takes some 8 KiB more, and up to 8 KiB for records on their way.
const TLS_CONNECTIONS_MAX: usize = 2500;
/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Others could read what they should not.
    #[error(
        "refused to listen on {listen} beyond loopback without {missing}; \
         configure {missing}, listen on 127.0.0.1, or accept the risk with `insecure = true`"
    )]
    Exposed {
        /// The address asked for.
        listen: SocketAddr,
        /// What is missing: authentication, TLS, or both.
        missing: &'static str,
    },
    /// The heartbeat is too short.
    #[error("heartbeat {0} is too short; use \"0s\" for none or at least \"1s\"")]
    Heartbeat(Period),
    /// A limit of zero would serve nobody.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// An origin that no browser sends.
    #[error("{} is no origin; write for example \"https://ui.example.org\", or \"*\" for all", shown_address(.0))]
    Origin(String),
    /// A name with a scheme, a port or a path, or none at all.
    #[error("{} is not a host name; write for example \"pluvio.example.org\", without a port", shown_address(.0))]
    Host(String),
    /// Certificate or key cannot be used.
    #[error("failed to set up TLS on {listen}")]
    Tls {
        /// The address asked for.
        listen: SocketAddr,
        /// What is wrong with the files.
        #[source]
        source: Box<ServerTlsError>,
    },
    /// The address cannot be bound; most often another process has it.
    #[error("failed to listen on {listen}")]
    Bind {
        /// The address asked for.
        listen: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// The key that is wrong.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Exposed { .. } | Self::Bind { .. } => "listen",
            Self::Heartbeat(_) => "heartbeat",
            Self::Zero(key) => key,
            Self::Origin(_) => "cors_origins",
            Self::Host(_) => "hosts",
            Self::Tls { .. } => "tls",
        }
    }
}

/// A listener in which nothing is wrong, before it has its port.
pub struct Unbound {
    pub(super) config: Config,
    pub(super) tls: Option<ServerConfig>,
}

impl Config {
    pub(super) fn connections_max(&self) -> usize {
        let default = if self.tls.is_some() { TLS_CONNECTIONS_MAX } else { CONNECTIONS_MAX };
        self.connections_max.unwrap_or(default)
    }

    fn check(&self, is_closed: bool) -> Result<(), Error> {
        let has_tls = self.tls.is_some();
        if let Some(missing) = exposure::missing(self.listen, is_closed, has_tls, self.insecure) {
            return Err(Error::Exposed { listen: self.listen, missing });
        }
        if !self.heartbeat.0.is_zero() && self.heartbeat.0 < HEARTBEAT_MIN {
            return Err(Error::Heartbeat(self.heartbeat));
        }
        let counts = [
            ("watchers_max", self.watchers_max),
            ("watchers_per_client_max", self.watchers_per_client_max),
            ("connections_max", self.connections_max()),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(Error::Zero(name));
        }
        let is_origin = |origin: &&String| {
            *origin == "*"
                || url::Url::parse(origin)
                    .is_ok_and(|url| url.origin().ascii_serialization() == **origin)
        };
        if let Some(origin) = self.cors_origins.iter().find(|origin| !is_origin(origin)) {
            return Err(Error::Origin(origin.clone()));
        }
        match self.hosts.iter().find(|name| !host::is_name(name)) {
            Some(name) => Err(Error::Host(name.clone())),
            None => Ok(()),
        }
    }
}

impl Unbound {
    /// Checks everything and reads the certificate; takes no port. `is_closed`: everybody must say who
    /// they are.
    pub(super) fn new(config: Config, is_closed: bool) -> Result<Self, Error> {
        config.check(is_closed)?;
        let listen = config.listen;
        let tls = config.tls.as_ref().map(ServerTls::server_config).transpose();
        let tls = tls.map_err(|source| Error::Tls { listen, source: Box::new(source) })?;
        Ok(Self { config, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_tls_fewer_connections_are_taken_unless_the_operator_says_how_many() {
        let tls = Some(ServerTls { cert_file: "cert.pem".into(), key_file: "key.pem".into() });
        let open = Config::default();
        let secure = Config { tls, ..Config::default() };
        let counts = [&open, &secure].map(Config::connections_max);
        assert_eq!(counts, [5000, 2500]);
        assert_eq!(Config { connections_max: Some(4000), ..secure }.connections_max(), 4000);
    }
}
