//! What sinks that speak HTTP have in common: their address, who they are there, and how answers read.
//!
//! Pure but for secrets, which are read at each connect. It refuses to send anything: what an answer
//! means is each protocol's business.

mod answer;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::HeaderValue;
use pluvio_secret::{SecretError, SecretSource};
use url::Url;

pub(crate) use answer::{excerpt, redirect_target, retry_after};

/// A text that is no address to send to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// No URL at all.
    #[error("it is no URL")]
    Parse(#[from] url::ParseError),
    /// Another protocol.
    #[error("it begins with `{0}:`; valid: http:, https:")]
    Scheme(String),
    /// A user name or a password in it.
    #[error("it holds a user name or a password; write them as `username` and `password`")]
    UserInfo,
    /// A fragment, which is never sent.
    #[error("it has a part behind `#`, which is never sent")]
    Fragment,
}

/// Checks an address.
pub(crate) fn address(text: &str) -> Result<Url, InvalidUrl> {
    let url = Url::parse(text.trim())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(InvalidUrl::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidUrl::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(InvalidUrl::Fragment);
    }
    Ok(url)
}

/// Who we are to the other side.
#[derive(Clone, Debug)]
pub(crate) enum Identity {
    /// Nobody in particular.
    Anonymous,
    /// Whoever holds this, behind a word: `Bearer`, `ApiKey`.
    Token { key: &'static str, scheme: &'static str, token: SecretSource },
    /// A user with a password.
    Basic { username: SecretSource, password: SecretSource },
}

/// Why no `Authorization` header could be built.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The secret cannot be read.
    #[error("failed to read `{key}`")]
    Secret {
        /// The key in the configuration.
        key: &'static str,
        /// What is wrong with the place.
        source: SecretError,
    },
    /// It holds characters that no header has.
    #[error(
        "`{key}` holds characters that cannot be sent; is it the right one? it must be one line of \
         printable text"
    )]
    Characters {
        /// The key in the configuration.
        key: &'static str,
    },
}

impl IdentityError {
    /// The key that is wrong.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Secret { key, .. } | Self::Characters { key } => key,
        }
    }
}

impl Identity {
    /// The value of `Authorization`; reads the secrets now.
    pub(crate) fn header(&self) -> Result<Option<HeaderValue>, IdentityError> {
        let failed = |key| move |source| IdentityError::Secret { key, source };
        let (key, text) = match self {
            Self::Anonymous => return Ok(None),
            Self::Token { key, scheme, token } => {
                (*key, format!("{scheme} {}", token.resolve().map_err(failed(key))?.expose()))
            }
            Self::Basic { username, password: source } => {
                let username = username.resolve_name().map_err(failed("username"))?;
                let password = source.resolve().map_err(failed("password"))?;
                let pair = format!("{}:{}", username.expose(), password.expose());
                let pair = BASE64_STANDARD.encode(pair);
                source.note(&pair);
                ("password", format!("Basic {pair}"))
            }
        };
        let mut value =
            HeaderValue::from_str(&text).map_err(|_| IdentityError::Characters { key })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// Whether the secrets can be sent, as far as they can be read: what cannot be read is told by who
    /// looks at all secrets.
    pub(crate) fn check(&self) -> Result<(), IdentityError> {
        match self.header() {
            Err(error @ IdentityError::Characters { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether there is anything to be refused.
    pub(crate) fn is_known(&self) -> bool {
        !matches!(self, Self::Anonymous)
    }
}

/// Bytes as hexadecimal digits in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_sent_to_is_told() {
        for (text, is_valid) in [
            ("https://hooks.example/a?b=c", true),
            (" http://[::1]:8080 ", true),
            ("hooks.example", false),
            ("ftp://hooks.example/", false),
            ("https://u:p@hooks.example/", false),
            ("https://hooks.example/#a", false),
        ] {
            assert_eq!(address(text).is_ok(), is_valid, "{text}");
        }
    }

    #[test]
    fn a_user_is_told_as_every_server_reads_it() {
        let (username, password) = (SecretSource::literal("a"), SecretSource::literal("b:c"));
        let header = Identity::Basic { username, password }.header().ok().flatten();
        assert_eq!(header.as_ref().map(HeaderValue::as_bytes), Some(&b"Basic YTpiOmM="[..]));
        let token = SecretSource::literal("a\nb");
        let broken = Identity::Token { key: "token", scheme: "Bearer", token }.header();
        let text = broken.map(|_| ()).map_err(|error| error.to_string());
        assert!(text.is_err_and(|text| text.starts_with("`token` holds characters")));
    }
}
