//! The SOAP client: each method is one request and one answer.
//!
//! vCenter's newer JSON API begins with 8.0 U1, while sites still run 6.7; and vcsim, the simulator
//! that everybody tests with, speaks SOAP only. The calls that event capture needs are about twenty,
//! so they are written by hand.
//!
//! **Version.** A client names an API version in `SOAPAction`, and the server hides from it what
//! came later: an old version gets a new event class as its nearest old base, and loses fields. Our
//! decoder reads unknown classes, so we want the server's newest: ask [`Client::newest_version`]
//! and set it. Until then [`VERSION_DEFAULT`] is sent, which every supported vCenter understands.
//!
//! **Session.** The cookie is kept here, verbatim (vCenter quotes its value). A login begins with no
//! cookie, because a second login on the first one's cookie is refused.
//!
//! **Secrets.** A gateway may answer with a fault that quotes the request. What was sent in confidence is
//! noted here, and is in no fault that is told.

mod envelope;
mod error;
mod events;
mod fault;
mod filter;
mod properties;
mod session;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use pluvio_net::{HttpClient, HttpReply, Request};
use pluvio_secret::note_passing;
use url::Url;

use self::envelope::Xml;
pub use self::error::Error;
pub use self::events::{EVENT_KEY_MAX, EventInfo, NewEvent};
pub use self::fault::{Fault, FaultKind};
pub use self::filter::{EntityFilter, EventFilter, Recursion};
pub use self::session::{About, ServiceContent, Session};
use crate::vsphere::MoRef;
use crate::vsphere::xml::{self, Tree};

/// The oldest API version that is still in use.
pub const VERSION_DEFAULT: &str = "6.5";

/// Creating a collector over years of events takes vCenter minutes, all else seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(180);

const SESSION_COOKIE: &str = "vmware_soap_session=";
const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");

/// One vCenter, and at most one session there.
#[derive(Debug)]
pub struct Client {
    http: HttpClient,
    url: Url,
    version: String,
    cookie: Mutex<Option<HeaderValue>>,
}

impl Client {
    /// A client for the SOAP address of a vCenter, without a session.
    pub fn new(http: HttpClient, url: Url) -> Client {
        Client { http, url, version: VERSION_DEFAULT.to_owned(), cookie: Mutex::default() }
    }

    /// The address, without user info.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Names another API version from here on.
    #[must_use]
    pub fn with_version(self, version: impl Into<String>) -> Client {
        Client { version: version.into(), ..self }
    }

    /// The newest API version that the server offers; needs no session.
    pub async fn newest_version(&self) -> Result<String, Error> {
        const METHOD: &str = "request for API versions";
        let mut url = self.url.clone();
        let base = self.url.path().trim_end_matches('/');
        url.set_path(&format!("{base}/vimServiceVersions.xml"));
        let reply = self.exchange(METHOD, Request::get(url)).await?;
        if reply.status != StatusCode::OK {
            return Err(Error::Status { method: METHOD, status: reply.status });
        }
        let tree = tree_of(METHOD, &reply)?;
        let vim = tree
            .root()
            .children()
            .find(|namespace| namespace.child_text("name").is_some_and(|name| name == "urn:vim25"));
        let version = vim.and_then(|vim| vim.child_text("version"));
        let version = version.filter(|text| text.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
        match version {
            Some(version) if !version.is_empty() => Ok(version.into_owned()),
            _ => Err(Error::Answer { method: METHOD, element: "version" }),
        }
    }

    /// Calls a method; the answer is whole, well-formed and no fault.
    async fn call(&self, method: &'static str, on: &MoRef, xml: Xml) -> Result<Tree, Error> {
        let reply = self.call_raw(method, on, xml, CALL_TIMEOUT).await?;
        tree_of(method, &reply)
    }

    /// Calls a method for its one result.
    async fn call_for_object(
        &self,
        method: &'static str,
        on: &MoRef,
        xml: Xml,
    ) -> Result<MoRef, Error> {
        let answer = self.call(method, on, xml).await?;
        let object = answer.root().find("returnval").filter(|object| !object.kind().is_empty());
        match object {
            Some(object) => Ok(MoRef::new(object.kind(), object.text())),
            None => Err(Error::Answer { method, element: "returnval" }),
        }
    }

    /// Calls a method; the answer is no fault, and not looked into.
    async fn call_raw(
        &self,
        method: &'static str,
        on: &MoRef,
        xml: Xml,
        timeout: Duration,
    ) -> Result<HttpReply, Error> {
        let request = Request::post(self.url.clone(), xml.call(method, on)).timeout(timeout);
        let reply = self.exchange(method, request).await?;
        match reply.status {
            StatusCode::OK => Ok(reply),
            // A fault is the one answer that vSphere gives with another status.
            status => {
                let tree = tree_of(method, &reply).ok();
                match tree.and_then(|tree| Fault::of(&tree)) {
                    Some(fault) => Err(Error::Fault { method, fault }),
                    None => Err(Error::Status { method, status }),
                }
            }
        }
    }

    async fn exchange(&self, method: &'static str, request: Request) -> Result<HttpReply, Error> {
        let mut request = request
            .header(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=\"utf-8\""))
            .header(SOAP_ACTION, self.action());
        if let Some(cookie) = self.cookie() {
            request = request.header(COOKIE, cookie);
        }
        let reply = self.http.send(request).await;
        let reply = reply.map_err(|source| Error::Transport { method, source })?;
        if let Some(cookie) = session_cookie(&reply.headers) {
            let pair = cookie.to_str().unwrap_or_default();
            let value = pair.strip_prefix(SESSION_COOKIE).unwrap_or_default();
            note_passing(self.url.as_str(), value.trim_matches('"'));
            self.set_cookie(Some(cookie));
        }
        Ok(reply)
    }

    fn action(&self) -> HeaderValue {
        HeaderValue::from_str(&format!("urn:vim25/{}", self.version))
            .unwrap_or(HeaderValue::from_static("urn:vim25"))
    }

    fn cookie(&self) -> Option<HeaderValue> {
        self.cookie.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_cookie(&self, cookie: Option<HeaderValue>) {
        *self.cookie.lock().unwrap_or_else(PoisonError::into_inner) = cookie;
    }
}

/// The session's cookie as it must be sent back: name and value, quotes included.
fn session_cookie(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get_all(SET_COOKIE).into_iter().find_map(|set| {
        let pair = set.to_str().ok()?.split(';').next()?.trim();
        let is_session = pair.starts_with(SESSION_COOKIE) && pair.len() > SESSION_COOKIE.len();
        let mut cookie = HeaderValue::from_str(pair).ok().filter(|_| is_session)?;
        cookie.set_sensitive(true);
        Some(cookie)
    })
}

fn tree_of(method: &'static str, reply: &HttpReply) -> Result<Tree, Error> {
    let source = text_of(reply);
    Tree::parse(&source).map_err(|source| Error::Xml { method, source })
}

fn text_of(reply: &HttpReply) -> Arc<str> {
    Arc::from(String::from_utf8_lossy(&reply.body))
}

/// The first element with a name, reading no further than its end.
fn first(method: &'static str, reply: &HttpReply, name: &str) -> Result<Option<Tree>, Error> {
    xml::first(&text_of(reply), name).map_err(|source| Error::Xml { method, source })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn the_session_cookie_is_kept_verbatim() {
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, "other=1; Path=/".parse().unwrap());
        let set = "vmware_soap_session=\"524c\"; Path=/; HttpOnly; Secure";
        headers.append(SET_COOKIE, set.parse().unwrap());
        assert_eq!(session_cookie(&headers).unwrap(), "vmware_soap_session=\"524c\"");
    }

    #[test]
    fn a_cookie_that_is_being_removed_is_none() {
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, "vmware_soap_session=; Max-Age=0".parse().unwrap());
        assert_eq!(session_cookie(&headers), None);
    }
}
