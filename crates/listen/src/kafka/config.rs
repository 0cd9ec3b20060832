//! What an operator can set, and the first of two steps that turn it into a listener: [`Unbound::new`] judges it
//! without touching anything. The second, [`KafkaListener::bind`](super::KafkaListener), takes the port.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use pluvio_net::{ServerTls, ServerTlsError, shown_address};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_rustls::rustls::ServerConfig;

use crate::exposure;

/// The Kafka listener: `[listeners.<name>]` with `type = "kafka"`. Stored batches are sent as they are,
/// compressed with lz4 by default: some clients need a package for that, and `docs/kafka-clients.md` says
/// which, with a recipe for MirrorMaker 2.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port to listen on. Beyond loopback, both authentication and `tls` are needed.
    /// Default `127.0.0.1:9092`.
    #[schemars(extend("format" = "socket-address"))]
    pub listen: SocketAddr,
    /// Host and port that clients are told to connect to, for example `"pluvio.example.org:9092"`:
    /// needed behind a proxy or an address translation. Default: the address that the client has
    /// reached already.
    pub advertised: Option<String>,
    /// Certificate and key. Default: plain TCP.
    pub tls: Option<ServerTls>,
    /// Listen beyond loopback without authentication or without TLS all the same. Everybody who
    /// reaches the port then reads the events, or the credentials on the way. Default `false`.
    pub insecure: bool,
    /// Most connections at a time; one more is closed, and so is one of a client that has fifteen
    /// sixteenths of them. A consumer has two or three. Default 1000; 500 with
    /// `tls`, where each takes more memory.
    #[schemars(
        range(min = 1),
        extend("default" = CONNECTIONS_MAX, "x-default-varies" = true)
    )]
    pub connections_max: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9092)),
            advertised: None,
            tls: None,
            insecure: false,
            connections_max: None,
        }
    }
}

/// Most connections unless configured.
const CONNECTIONS_MAX: usize = 1000;
/// The same over TLS: each takes three times as much.
const TLS_CONNECTIONS_MAX: usize = 500;

/// A host and a port as clients are told them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    pub(super) host: String,
    pub(super) port: u16,
}

/// A text at which no client can connect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAdvertised {
    /// It is something else.
    #[error("{0} is no host and port; write for example \"pluvio.example.org:9092\"")]
    Malformed(String),
    /// It says "all addresses of this machine", which a client takes for its own machine.
    #[error(
        "clients cannot connect to {0}, which means all addresses of this machine; name one of them, for \
         example \"pluvio.example.org:9092\""
    )]
    Unspecified(String),
}

impl FromStr for Advertised {
    type Err = InvalidAdvertised;

    fn from_str(text: &str) -> Result<Self, InvalidAdvertised> {
        let invalid = || InvalidAdvertised::Malformed(shown_address(text));
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let is_host = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
        let port = port.parse().ok().filter(|port| *port > 0);
        if host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified()) {
            return Err(InvalidAdvertised::Unspecified(shown_address(text)));
        }
        match port {
            Some(port) if !host.is_empty() && host.chars().all(is_host) && host.len() < 256 => {
                Ok(Self { host: host.to_owned(), port })
            }
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Advertised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

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
    /// Nobody could connect to what is advertised.
    #[error("cannot advertise an address")]
    Advertised(#[source] InvalidAdvertised),
    /// A limit of zero would serve nobody.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
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
            Self::Advertised(_) => "advertised",
            Self::Zero(key) => key,
            Self::Tls { .. } => "tls",
        }
    }
}

/// A listener in which nothing is wrong, before it has its port.
pub struct Unbound {
    pub(super) listen: SocketAddr,
    pub(super) tls: Option<ServerConfig>,
    pub(super) settings: Settings,
}

/// The configuration, resolved.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) advertised: Option<Advertised>,
    pub(super) connections_max: usize,
}

impl Config {
    pub(super) fn connections_max(&self) -> usize {
        let default = if self.tls.is_some() { TLS_CONNECTIONS_MAX } else { CONNECTIONS_MAX };
        self.connections_max.unwrap_or(default)
    }
}

impl Unbound {
    /// Checks everything and reads the certificate; takes no port. `is_closed`: everybody must say who
    /// they are.
    pub(super) fn new(config: &Config, is_closed: bool) -> Result<Self, Error> {
        let listen = config.listen;
        let has_tls = config.tls.is_some();
        if let Some(missing) = exposure::missing(listen, is_closed, has_tls, config.insecure) {
            return Err(Error::Exposed { listen, missing });
        }
        let connections_max = config.connections_max();
        if connections_max == 0 {
            return Err(Error::Zero("connections_max"));
        }
        let advertised = config.advertised.as_deref().map(Advertised::from_str).transpose();
        let advertised = advertised.map_err(Error::Advertised)?;
        let tls = config.tls.as_ref().map(ServerTls::server_config).transpose();
        let tls = tls.map_err(|source| Error::Tls { listen, source: Box::new(source) })?;
        let settings = Settings { advertised, connections_max };
        Ok(Self { listen, tls, settings })
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
        assert_eq!(counts, [1000, 500]);
        assert_eq!(Config { connections_max: Some(800), ..secure }.connections_max(), 800);
    }

    #[test]
    fn an_advertised_address_is_a_host_and_a_port() {
        let read = |text: &str| text.parse::<Advertised>().map(|a| (a.host, a.port)).ok();
        assert_eq!(read("pluvio.example.org:9092"), Some(("pluvio.example.org".into(), 9092)));
        assert_eq!(read("[2001:db8::1]:9092"), Some(("2001:db8::1".into(), 9092)));
        for bad in ["", "host", "host:", ":9092", "host:0", "host:99999", "kafka://host:9", "a b:1"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
        for all in ["0.0.0.0:9092", "[::]:9092"] {
            let error = InvalidAdvertised::Unspecified(shown_address(all));
            assert_eq!(all.parse::<Advertised>().err(), Some(error));
        }
    }
}
