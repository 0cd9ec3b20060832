//! A connection to a peer that speaks something other than HTTP: TCP, and TLS on it where asked.
//!
//! One attempt, bounded in time, at all addresses that the name has: an address that does not answer
//! must not keep the next one from being tried (RFC 8305, "Happy Eyeballs"). It refuses to know what is
//! spoken afterwards and to pool.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::CONNECT_TIMEOUT;
use crate::tls::{TlsError, TlsOptions, Untrusted};

/// How long an address has before the next one is tried beside it: the "Connection Attempt Delay" that
/// RFC 8305, section 5, recommends.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

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

    /// Connects once, to whichever address of `host` answers first. They are tried in the order of the
    /// system, families alternating, the next one 250 ms later or as soon as one fails.
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
        let stream = first_of(by_turns(addresses), TcpStream::connect).await;
        let stream = stream.map_err(|error| DialError::of(peer, error))?;
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

/// Addresses in their order, families alternating, the first address's family first.
fn by_turns(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let addresses: Vec<_> = addresses.collect();
    let Some(is_first_ipv6) = addresses.first().map(SocketAddr::is_ipv6) else { return addresses };
    let (mut first, mut second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == is_first_ipv6);
    first.reverse();
    second.reverse();
    let mut turns = Vec::with_capacity(first.len() + second.len());
    while let (Some(_), _) | (_, Some(_)) = (first.last(), second.last()) {
        turns.extend(first.pop());
        turns.extend(second.pop());
    }
    turns
}

/// The first connection that succeeds; the error of the attempt that failed last if none does.
async fn first_of<T, F>(
    addresses: Vec<SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut waiting = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    attempts.extend(waiting.next().map(&connect));
    loop {
        tokio::select! {
            ended = attempts.next() => match ended {
                Some(Ok(connected)) => return Ok(connected),
                Some(Err(error)) => last = error,
                None if waiting.len() == 0 => return Err(last),
                None => {}
            },
            () = sleep(NEXT_ADDRESS_AFTER), if waiting.len() > 0 => {}
        }
        attempts.extend(waiting.next().map(&connect));
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

/// An address that is none, for error texts. One that holds an `@` is not told: before it stands a user,
/// and mostly a password. What stands behind a `?` or `#` is left out: it may be one as well.
pub fn shown_address(text: &str) -> String {
    if text.contains('@') {
        return "an address with a user or password".to_owned();
    }
    match text.find(['?', '#']) {
        Some(end) => format!("`{}…`", text.get(..=end).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().filter_map(|text| text.parse().ok()).collect()
    }

    #[test]
    fn families_take_turns_and_the_systems_first_choice_stays_first() {
        let given = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1", "10.0.0.2:1"]);
        let turns = by_turns(given.into_iter());
        let expected = ["[::1]:1", "10.0.0.1:1", "[::2]:1", "10.0.0.2:1", "[::3]:1"];
        assert_eq!(turns, addresses(&expected));
    }

    #[test]
    fn an_address_is_told_without_what_may_be_a_password() {
        assert_eq!(shown_address("kafka-1:x"), "`kafka-1:x`");
        assert_eq!(shown_address("u:s3cret@kafka-1"), "an address with a user or password");
        assert_eq!(shown_address("kafka-1:9092?password=s3cret"), "`kafka-1:9092?…`");
        assert_eq!(shown_address("https://a.example/#s3cret"), "`https://a.example/#…`");
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_does_not_answer_does_not_hide_a_later_one() {
        let good: SocketAddr = ([127, 0, 0, 1], 4).into();
        let began = Instant::now();
        let all = addresses(&["[::1]:1", "[::1]:2", "[::1]:3", "127.0.0.1:4"]);
        let found = first_of(all, |address| async move {
            if address == good { Ok(address) } else { pending().await }
        });
        assert_eq!(found.await.ok(), Some(good));
        assert_eq!(began.elapsed(), 3 * NEXT_ADDRESS_AFTER);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_refuses_is_followed_by_the_next_at_once_and_the_last_error_is_told() {
        let began = Instant::now();
        let all = addresses(&["[::1]:1", "127.0.0.1:2"]);
        let found: io::Result<()> = first_of(all, |address| async move {
            let kind = if address.is_ipv6() {
                ErrorKind::NetworkUnreachable
            } else {
                ErrorKind::ConnectionRefused
            };
            Err(kind.into())
        })
        .await;
        assert_eq!(found.map_err(|error| error.kind()), Err(ErrorKind::ConnectionRefused));
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_name_without_addresses_is_an_error() {
        let found: io::Result<()> = first_of(Vec::new(), |_| pending()).await;
        assert_eq!(found.map_err(|error| error.kind()), Err(ErrorKind::AddrNotAvailable));
    }
}
