//! The address of CloudStack's API, as people write it and as we use it.
//!
//! It goes into CloudEvents' `source`, into logs and errors. Query and user info are refused rather
//! than dropped: they hold keys or a password, and whoever wrote them there believes that they are
//! used.

use url::Url;

/// Where the API answers when nobody says otherwise.
const DEFAULT_PATH: &str = "/client/api";

/// The address of one CloudStack's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
}

/// The text is no address of a CloudStack API. Shows neither user info nor query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// No URL at all.
    #[error("`{shown}` is no address; write https://HOST/client/api")]
    Parse {
        /// The text without user info and query.
        shown: String,
        /// What the parser said.
        #[source]
        source: url::ParseError,
    },
    /// Neither `https` nor `http`. No default: many CloudStacks answer plain HTTP only.
    #[error("address of a CloudStack begins with `{scheme}:`; valid: https, http")]
    Scheme {
        /// What it begins with.
        scheme: String,
    },
    /// A user or a password before the host.
    #[error("address of a CloudStack holds a user or password; leave out what stands before `@`")]
    UserInfo,
    /// A `?` and what follows.
    #[error("address of a CloudStack holds a query; leave out `?` and what follows it")]
    Query,
    /// A `#` and what follows: the web interface's address, not the API's.
    #[error(
        "address holds `#` and what follows it, as that of CloudStack's web pages does; \
         write https://HOST/client/api"
    )]
    Fragment,
}

impl Endpoint {
    /// Reads an address. No path, and `/client`, become `/client/api`; a slash at the end is
    /// dropped, so that one API has one address.
    pub fn parse(text: &str) -> Result<Endpoint, EndpointError> {
        let text = text.trim();
        let mut url = Url::parse(text)
            .map_err(|source| EndpointError::Parse { shown: without_secrets(text), source })?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(EndpointError::Scheme { scheme: url.scheme().to_owned() });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::UserInfo);
        }
        if url.query().is_some() {
            return Err(EndpointError::Query);
        }
        if url.fragment().is_some() {
            return Err(EndpointError::Fragment);
        }
        let path = match url.path().trim_end_matches('/') {
            "" | "/client" => DEFAULT_PATH,
            path => path,
        };
        let path = path.to_owned();
        url.set_path(&path);
        Ok(Endpoint { url })
    }

    /// The address, without user info, query and fragment.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

fn without_secrets(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    text.rsplit('@').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn an_address_is_completed() {
        for (text, url) in [
            ("https://cloud.example.org", "https://cloud.example.org/client/api"),
            ("http://10.0.0.1:8080/client/", "http://10.0.0.1:8080/client/api"),
            (" https://cloud.example.org/client/api/ ", "https://cloud.example.org/client/api"),
            ("https://cloud.example.org/cs/api", "https://cloud.example.org/cs/api"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().url().as_str(), url);
        }
    }

    #[test]
    fn what_does_not_belong_is_named_and_never_shown() {
        for (text, expected) in [
            ("https://u:hunter2@h/client/api", EndpointError::UserInfo),
            ("https://h/client/api?apikey=hunter2", EndpointError::Query),
            ("https://h/client/#/dashboard", EndpointError::Fragment),
            ("ftp://h", EndpointError::Scheme { scheme: "ftp".into() }),
            ("cloud:8080/client", EndpointError::Scheme { scheme: "cloud".into() }),
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            assert_eq!(error, expected);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        for text in ["cloud.example.org", "https://u:hunter2@h:port/?apikey=hunter2"] {
            let error = Endpoint::parse(text).unwrap_err();
            assert!(error.to_string().contains("write https://HOST/client/api"), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
