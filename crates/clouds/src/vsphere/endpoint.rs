//! The address of a vCenter, as people write it and as we use it.
//!
//! `vc.example.org`, `https://vc.example.org/sdk` and `https://user:pass@vc.example.org` all mean
//! the same place, as they do for govmomi's tools. User and password are split off at once: the
//! address goes into CloudEvents' `source`, into logs and errors, where they must never appear.

use pluvio_secret::Secret;
use url::Url;

/// Where the SOAP API answers when nobody says otherwise.
const DEFAULT_PATH: &str = "/sdk";

/// A vCenter's address and the login that was written into it, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The SOAP address, without user info, query and fragment.
    pub url: Url,
    /// The user that the address held.
    pub user: Option<String>,
    /// The password that the address held.
    pub password: Option<Secret>,
}

/// The text is no address of a vCenter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// No URL at all.
    #[error("`{shown}` is no address; write https://HOST/sdk")]
    Parse {
        /// The text after any user info.
        shown: String,
        /// What the parser said.
        #[source]
        source: url::ParseError,
    },
    /// Neither `https` nor `http`.
    #[error("address of a vCenter begins with `{scheme}://`; valid: https, http")]
    Scheme {
        /// What it begins with.
        scheme: String,
    },
}

impl Endpoint {
    /// Reads an address: the scheme defaults to `https`, the path to `/sdk`.
    pub fn normalise(text: &str) -> Result<Endpoint, EndpointError> {
        let text = text.trim();
        let full = match text.contains("://") {
            true => text.to_owned(),
            false => format!("https://{text}"),
        };
        let mut url = Url::parse(&full).map_err(|source| {
            let shown = text.rsplit('@').next().unwrap_or_default().to_owned();
            EndpointError::Parse { shown, source }
        })?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(EndpointError::Scheme { scheme: url.scheme().to_owned() });
        }
        let user = Some(url.username()).filter(|user| !user.is_empty()).map(decoded);
        let password = url.password().map(|password| Secret::new(decoded(password)));
        // These fail only for addresses that cannot have a host, which http always has.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        if url.path() == "/" {
            url.set_path(DEFAULT_PATH);
        }
        Ok(Endpoint { url, user, password })
    }
}

/// `%40` as `@`: user info is the one place where an address must be decoded by us.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| *first == b'%');
        let byte = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn an_address_is_completed() {
        for (text, url) in [
            ("vc.example.org", "https://vc.example.org/sdk"),
            ("vc.example.org:8443/", "https://vc.example.org:8443/sdk"),
            ("http://127.0.0.1:8989/sdk?x=1#y", "http://127.0.0.1:8989/sdk"),
            ("https://vc.example.org/other", "https://vc.example.org/other"),
        ] {
            assert_eq!(Endpoint::normalise(text).unwrap().url.as_str(), url);
        }
    }

    #[test]
    fn user_info_is_split_off_and_decoded() {
        let endpoint = Endpoint::normalise("https://a%40b.c:p%2Fw%zz@vc/sdk").unwrap();
        assert_eq!(endpoint.url.as_str(), "https://vc/sdk");
        assert_eq!(endpoint.user.as_deref(), Some("a@b.c"));
        assert_eq!(endpoint.password.unwrap().expose(), "p/w%zz");
    }

    #[test]
    fn a_wrong_address_is_shown_without_its_password() {
        let error = Endpoint::normalise("https://u:hunter2@vc:notaport/sdk").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let error = Endpoint::normalise("ftp://vc").unwrap_err();
        assert_eq!(error, EndpointError::Scheme { scheme: "ftp".into() });
    }
}
