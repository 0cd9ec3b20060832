//! A login's session: its cookies and its key.
//!
//! The server wants both with each request (`api.sessionkey.check.locations`), the key as a
//! parameter against forged requests. All cookies of the login are kept, because the one of a load
//! balancer leads to the management server that knows the session.

use std::time::Duration;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use pluvio_secret::{Secret, note_of, note_passing};

use super::super::credentials::Login;
use super::super::error::Error;
use super::super::params::Params;
use super::super::reply::Reply;
use super::{Method, Shared};

const COMMAND: &str = "login";

/// More is no answer to a login.
const COOKIES_MAX: usize = 16;

/// A session, and what the login told of its account.
#[derive(Debug)]
pub struct Session {
    /// The user's name.
    pub username: Option<String>,
    /// The user's id.
    pub user_id: Option<String>,
    /// The account's name.
    pub account: Option<String>,
    /// The id of the account's domain.
    pub domain_id: Option<String>,
    /// After how long without a call the server ends the session.
    pub idle_timeout: Option<Duration>,
    key: Secret,
    cookies: HeaderValue,
}

impl Shared {
    /// Sends user and password once.
    pub(super) async fn log_in(&self, login: &Login) -> Result<Session, Error> {
        let domain = login.domain.as_deref().and_then(domain_path);
        let params = Params::new()
            .with("command", COMMAND)
            .with("response", "json")
            .with("username", &login.username)
            .with("password", login.password.expose())
            .with_some("domain", domain);
        let server = self.endpoint.url().as_str();
        note_of(server, login.password.expose());
        let answer = self.exchange(COMMAND, &params, Method::Post).await?;
        let reply = self.understand(COMMAND, &answer)?;
        Session::of(server, &reply, &answer.headers)
    }
}

impl Session {
    fn of(server: &str, reply: &Reply, headers: &HeaderMap) -> Result<Session, Error> {
        let fields = reply.fields();
        let is = |name| fields.flag(name).unwrap_or(false);
        if is("is2faenabled") && !is("is2faverified") {
            return Err(Error::SecondFactor);
        }
        let key = fields.text("sessionkey").ok_or_else(|| reply.lacks("sessionkey"))?;
        Ok(Session {
            username: fields.text("username"),
            user_id: fields.text("userid"),
            account: fields.text("account"),
            domain_id: fields.text("domainid"),
            idle_timeout: fields.number("timeout").map(Duration::from_secs),
            key: Secret::passing(server, key),
            cookies: cookies(server, headers).ok_or_else(|| reply.lacks("session cookie"))?,
        })
    }

    pub(super) fn key(&self) -> &str {
        self.key.expose()
    }

    pub(super) fn cookies(&self) -> HeaderValue {
        self.cookies.clone()
    }
}

/// Paths begin with a slash, which people leave out; the root domain needs none.
fn domain_path(path: &str) -> Option<String> {
    match path.trim().trim_matches('/') {
        "" => None,
        path => Some(format!("/{path}")),
    }
}

/// The cookies as they must be sent back: names and values, verbatim.
fn cookies(server: &str, headers: &HeaderMap) -> Option<HeaderValue> {
    let pairs = headers.get_all(SET_COOKIE).into_iter().filter_map(|set| {
        let pair = set.to_str().ok()?.split(';').next()?.trim();
        let (_, value) = pair.split_once('=')?;
        // A cookie without value is being removed.
        (!value.is_empty()).then_some(pair)
    });
    let pairs: Vec<&str> = pairs.take(COOKIES_MAX).collect();
    let values = pairs.iter().filter_map(|pair| pair.split_once('='));
    values.for_each(|(_, value)| note_passing(server, value));
    let mut cookies = HeaderValue::from_str(&pairs.join("; ")).ok().filter(|it| !it.is_empty())?;
    cookies.set_sensitive(true);
    Some(cookies)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn all_cookies_of_a_login_are_kept_verbatim() {
        let mut headers = HeaderMap::new();
        for set in
            ["JSESSIONID=node0\"1; Path=/client; HttpOnly", "sessionkey=a_b-c", "old=; Max-Age=0"]
        {
            headers.append(SET_COOKIE, set.parse().unwrap());
        }
        assert_eq!(cookies("x", &headers).unwrap(), "JSESSIONID=node0\"1; sessionkey=a_b-c");
        assert_eq!(cookies("x", &HeaderMap::new()), None);
    }

    #[test]
    fn a_domain_is_a_path_from_the_root() {
        assert_eq!(domain_path("customers/acme/").as_deref(), Some("/customers/acme"));
        assert_eq!(domain_path("/acme").as_deref(), Some("/acme"));
        assert_eq!((domain_path("/"), domain_path(" ")), (None, None));
    }
}
