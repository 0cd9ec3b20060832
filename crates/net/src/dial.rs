//! A connection to a peer that speaks something other than HTTP: TCP, and TLS on it where asked.
//!
//! One attempt, bounded in time. It refuses to know what is spoken afterwards, to pool and to try
//! other addresses than those that the name has.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::CONNECT_TIMEOUT;
use crate::tls::{TlsError, TlsOptions, Untrusted};

/// Opens connections, all with one set of TLS options or all without TLS.
#[derive(Clone)]
pub struct Dialer {
    tls: Option<TlsConnector>,
}

/// An open connection.
#[derive(Debug)]
pub enum Stream {
    /// Without TLS.
    Plain(TcpStream),
    /// With it.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why there is no connection. Every variant names host and port.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("failed to resolve host name of {peer}")]
    NotResolved {
        /// Host and port.
        peer: String,
        /// The resolver's answer.
        source: io::Error,
    },
    /// Nobody listens there.
    #[error("connection to {peer} was refused")]
    Refused {
        /// Host and port.
        peer: String,
        /// What the system said.
        source: io::Error,
    },
    /// No connection, or no end of the handshake, within [`CONNECT_TIMEOUT`].
    #[error("{peer} did not answer within {}s", CONNECT_TIMEOUT.as_secs())]
    TimedOut {
        /// Host and port.
        peer: String,
    },
    /// The certificate is not trusted.
    #[error("certificate of {peer} is not trusted")]
    Untrusted {
        /// Host and port.
        peer: String,
        /// Why, and the thumbprint that was seen.
        source: Untrusted,
    },
    /// TLS was asked for, and there is no name or address that a certificate could be for.
    #[error("`{peer}` is neither a host name nor an address")]
    Name {
        /// Host and port.
        peer: String,
    },
    /// The handshake failed for another reason than trust.
    #[error("TLS handshake with {peer} failed")]
    Tls {
        /// Host and port.
        peer: String,
        /// What rustls or the system said.
        source: io::Error,
    },
    /// The rest.
    #[error("failed to connect to {peer}")]
    Other {
        /// Host and port.
        peer: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Dialer {
    /// Connections without TLS.
    pub fn plain() -> Dialer {
        Dialer { tls: None }
    }

    /// Connections with TLS; reads the files that the options name.
    pub fn tls(options: &TlsOptions) -> Result<Dialer, TlsError> {
        Ok(Dialer { tls: Some(TlsConnector::from(Arc::new(options.client_config()?))) })
    }

    /// Connects once: the addresses of `host` one after the other, as the system orders them.
    pub async fn connect(&self, host: &str, port: u16) -> Result<Stream, DialError> {
        let peer = peer(host, port);
        match timeout(CONNECT_TIMEOUT, self.open(host, port, &peer)).await {
            Ok(opened) => opened,
            Err(_) => Err(DialError::TimedOut { peer }),
        }
    }

    async fn open(&self, host: &str, port: u16, peer: &str) -> Result<Stream, DialError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let not_resolved = |source| DialError::NotResolved { peer: peer.to_owned(), source };
        let addresses = lookup_host((bare, port)).await.map_err(not_resolved)?;
        let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
        let mut stream = None;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(connected) => {
                    stream = Some(connected);
                    break;
                }
                Err(error) => last = error,
            }
        }
        let stream = stream.ok_or_else(|| DialError::of(peer, last))?;
        // Latency is what small batches wait for; a socket that refuses that is still one.
        let _best_effort = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return Ok(Stream::Plain(stream)) };
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| DialError::Name { peer: peer.to_owned() })?;
        let shaken = tls.connect(name, stream).await;
        let stream = shaken.map_err(|error| DialError::of_handshake(peer, error))?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

impl DialError {
    /// What an operator can do about it, as an imperative clause; keys are those of a section with
    /// `tls`.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::NotResolved { .. } | Self::Name { .. } => {
                "check the host name, and the name server"
            }
            Self::Refused { .. } => "check host and port, and that the server runs",
            Self::TimedOut { .. } => "check the route and the firewalls between here and there",
            Self::Untrusted { source, .. } => {
                return Some(format!(
                    "compare the thumbprint with the server's own, then set tls.thumbprint = \
                     \"{}\"; or set tls.ca_file",
                    source.thumbprint
                ));
            }
            Self::Tls { .. } => {
                "check that the server speaks TLS on that port, and whether it demands a \
                 certificate: tls.cert_file and tls.key_file"
            }
            Self::Other { .. } => return None,
        };
        Some(text.to_owned())
    }

    fn of(peer: &str, source: io::Error) -> DialError {
        let peer = peer.to_owned();
        match source.kind() {
            ErrorKind::ConnectionRefused => DialError::Refused { peer, source },
            ErrorKind::TimedOut => DialError::TimedOut { peer },
            _ => DialError::Other { peer, source },
        }
    }

    fn of_handshake(peer: &str, source: io::Error) -> DialError {
        let peer = peer.to_owned();
        match Untrusted::find(&source).cloned() {
            Some(untrusted) => DialError::Untrusted { peer, source: untrusted },
            None => DialError::Tls { peer, source },
        }
    }
}

fn peer(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").field("has_tls", &self.tls.is_some()).finish()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
