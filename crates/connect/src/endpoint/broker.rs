//! A broker's address as one URL, and who we are to it: what sinks that dial by themselves share.
//!
//! `scheme://host[:port][/path]`, with one scheme for each protocol and another for it on TLS. It
//! refuses a user or a password in the URL, because a URL is printed, and `tls` without TLS.

use pluvio_net::{DialError, Dialer, Stream, TlsError, TlsOptions};
use pluvio_secret::{Secret, SecretError, SecretSource};
use url::Url;

/// The two schemes of a protocol with their ports.
#[derive(Clone, Copy, Debug)]
pub struct Schemes {
    /// Without TLS, for example `("mqtt", 1883)`.
    pub plain: (&'static str, u16),
    /// With it.
    pub secure: (&'static str, u16),
}

/// Where a broker is and whose certificate it must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What follows the host, percent-decoded, without the first `/`; `None`: nothing, not even a
    /// `/`.
    pub path: Option<String>,
    tls: Option<TlsOptions>,
}

/// A URL or TLS options that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPeer {
    /// The text is no URL of these schemes.
    #[error(
        "`url` is no address; write for example \"{plain}://broker.example.org\", or \
         \"{secure}://broker.example.org\" for TLS"
    )]
    Url {
        /// The scheme without TLS.
        plain: &'static str,
        /// The scheme with it.
        secure: &'static str,
    },
    /// A user or a password stands in it.
    #[error("`url` holds a user or a password; write them as `username` and `password`")]
    Credentials,
    /// There are options for TLS, and none is spoken.
    #[error("`tls` is given, and `url` says no TLS; write \"{secure}://…\"")]
    NoTls {
        /// The scheme with TLS.
        secure: &'static str,
    },
    /// The options make no sense together, or name a bad file.
    #[error("`tls` cannot be used")]
    Tls(#[source] TlsError),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// A file of `tls` can no longer be used.
    #[error("`tls` cannot be used")]
    Tls(#[source] TlsError),
    /// There is nobody, or nobody to be trusted.
    #[error(transparent)]
    Dial(#[from] DialError),
}

/// Who we are.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// The user's name.
    pub username: Option<SecretSource>,
    /// Its password.
    pub password: Option<SecretSource>,
}

/// Who we are, read now.
#[derive(Debug, Default)]
pub struct Credentials {
    /// The user's name.
    pub username: Option<Secret>,
    /// Its password.
    pub password: Option<Secret>,
}

impl Peer {
    /// Checks a URL of one of `schemes`, and the options and their files.
    pub fn new(url: &str, schemes: Schemes, tls: TlsOptions) -> Result<Self, InvalidPeer> {
        let ((plain, plain_port), (secure, secure_port)) = (schemes.plain, schemes.secure);
        let no_url = InvalidPeer::Url { plain, secure };
        let Ok(parsed) = Url::parse(url) else { return Err(no_url) };
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(InvalidPeer::Credentials);
        }
        let is_secure = parsed.scheme() == secure;
        let host = parsed.host_str().filter(|host| !host.is_empty());
        let Some(host) = host.filter(|_| is_secure || parsed.scheme() == plain) else {
            return Err(no_url);
        };
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(no_url);
        }
        if !is_secure && tls != TlsOptions::default() {
            return Err(InvalidPeer::NoTls { secure });
        }
        if is_secure {
            Dialer::tls(&tls).map_err(InvalidPeer::Tls)?;
        }
        let path = parsed.path().strip_prefix('/').map(decoded);
        let Some(path) = path.map_or(Some(None), |path| path.map(Some)) else { return Err(no_url) };
        Ok(Self {
            host: host.to_owned(),
            port: parsed.port().unwrap_or(if is_secure { secure_port } else { plain_port }),
            path,
            tls: is_secure.then_some(tls),
        })
    }

    /// Connects once. Files of `tls` are read anew, because certificates are renewed.
    pub async fn dial(&self) -> Result<Stream, PeerError> {
        let dialer = match &self.tls {
            Some(options) => Dialer::tls(options).map_err(PeerError::Tls)?,
            None => Dialer::plain(),
        };
        Ok(dialer.connect(&self.host, self.port).await?)
    }

    /// Whether TLS is spoken.
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl InvalidPeer {
    /// The key that is wrong.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Url { .. } | Self::Credentials => "url",
            Self::NoTls { .. } | Self::Tls(_) => "tls",
        }
    }
}

impl PeerError {
    /// What an operator can do about it, as an imperative clause.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Tls(_) => Some("mend the files that `tls` names".to_owned()),
            Self::Dial(error) => error.remedy(),
        }
    }
}

impl Login {
    /// Reads both now.
    pub fn resolve(&self) -> Result<Credentials, SecretError> {
        let username = self.username.as_ref().map(SecretSource::resolve_name).transpose()?;
        let password = self.password.as_ref().map(SecretSource::resolve).transpose()?;
        Ok(Credentials { username, password })
    }
}

/// Those of `username` and `password` that are given, with their keys: to be checked before anything
/// starts.
pub fn secrets<'a>(
    username: &'a Option<SecretSource>,
    password: &'a Option<SecretSource>,
) -> Vec<(&'static str, &'a SecretSource)> {
    let secrets = [("username", username), ("password", password)];
    secrets.into_iter().filter_map(|(key, secret)| Some((key, secret.as_ref()?))).collect()
}

/// `%2F` is `/`; `None`: what comes out is no text.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMQP: Schemes = Schemes { plain: ("amqp", 5672), secure: ("amqps", 5671) };

    fn peer(url: &str) -> Option<(String, u16, bool, Option<String>)> {
        let peer = Peer::new(url, AMQP, TlsOptions::default()).ok()?;
        let is_secure = peer.is_secure();
        Some((peer.host, peer.port, is_secure, peer.path))
    }

    #[test]
    fn an_address_has_the_port_and_the_tls_of_its_scheme() {
        let path = |text: &str| Some(text.to_owned());
        for (url, host, port, is_secure, expected) in [
            ("amqp://mq", "mq", 5672, false, None),
            ("amqps://mq.example.org", "mq.example.org", 5671, true, None),
            ("amqp://127.0.0.1:9999/", "127.0.0.1", 9999, false, path("")),
            ("amqp://[::1]/a%2Fb", "[::1]", 5672, false, path("a/b")),
        ] {
            assert_eq!(peer(url), Some((host.to_owned(), port, is_secure, expected)), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_names_its_key() {
        let pinned = TlsOptions { insecure: true, ..TlsOptions::default() };
        for (url, tls, key) in [
            ("mq:5672", TlsOptions::default(), "url"),
            ("http://mq", TlsOptions::default(), "url"),
            ("amqp://", TlsOptions::default(), "url"),
            ("amqp://mq/?a=b", TlsOptions::default(), "url"),
            ("amqp://mq/%zz", TlsOptions::default(), "url"),
            ("amqp://me:secret@mq", TlsOptions::default(), "url"),
            ("amqp://mq", pinned, "tls"),
        ] {
            let refused = Peer::new(url, AMQP, tls).map_err(|error| error.key());
            assert_eq!(refused, Err(key), "{url}");
        }
    }
}
