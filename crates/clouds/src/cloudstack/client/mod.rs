//! The HTTP client: each call is one request and one answer.
//!
//! **Methods.** Commands that read go by GET, those that change by POST, because servers with
//! `enforce.post.requests.and.timestamps` refuse the contrary, and access logs keep addresses.
//!
//! **Clock.** A signature names when it expires, so the clock is part of the request. It can be
//! given, for tests and for whoever has measured a difference.
//!
//! **Session.** Keys need none. A login makes one, and a client with its cookies; when the server
//! ends it (401), the caller connects anew. The cookies of a client never change.

mod session;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::{CONTENT_TYPE, COOKIE};
use jiff::Timestamp;
use pluvio_net::{HttpClient, HttpReply, Request};

pub use self::session::Session;
use super::answer::Raw;
use super::credentials::{ApiKeys, Credentials};
use super::endpoint::Endpoint;
use super::error::Error;
use super::params::Params;
use super::reply::{self, Reply};
use super::sign;

/// Listing events without an index takes a server with millions of them minutes, all else seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(180);

/// How parameters travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// In the address.
    Get,
    /// As a form.
    Post,
}

impl Method {
    /// GET for commands that read (`list…`, `get…`, `query…`), POST for all else.
    pub fn of(command: &str) -> Method {
        let command = command.to_ascii_lowercase();
        let is_read = ["list", "get", "query"].iter().any(|verb| command.starts_with(verb));
        if is_read { Method::Get } else { Method::Post }
    }
}

/// One CloudStack, asked by one account. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug, Clone)]
struct Shared {
    http: HttpClient,
    endpoint: Endpoint,
    access: Access,
    clock: Clock,
}

/// What goes with each request.
#[derive(Debug, Clone)]
enum Access {
    Keys(ApiKeys),
    Session(Arc<Session>),
    Open,
}

#[derive(Clone)]
struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl Client {
    /// A client that may call: logs in where the credentials are a login, else sends nothing yet.
    pub async fn connect(
        http: HttpClient,
        endpoint: Endpoint,
        credentials: &Credentials,
    ) -> Result<Client, Error> {
        let clock = Clock(Arc::new(Timestamp::now));
        let mut shared = Shared { http, endpoint, access: Access::Open, clock };
        shared.access = match credentials {
            Credentials::Keys(keys) => Access::Keys(keys.clone()),
            Credentials::Login(login) => Access::Session(Arc::new(shared.log_in(login).await?)),
            Credentials::Open => Access::Open,
        };
        Ok(Client { shared: Arc::new(shared) })
    }

    /// The same client by another clock.
    #[must_use]
    pub fn with_clock(&self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Client {
        let clock = Clock(Arc::new(clock));
        Client { shared: Arc::new(Shared { clock, ..Shared::clone(&self.shared) }) }
    }

    /// The address of the API.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// What the login told, where the credentials were one.
    pub fn session(&self) -> Option<&Session> {
        match &self.shared.access {
            Access::Session(session) => Some(session),
            Access::Keys(_) | Access::Open => None,
        }
    }

    /// Calls a command once. Parameters that sign and authorize are added here.
    pub async fn call(
        &self,
        command: &str,
        params: Params,
        method: Method,
    ) -> Result<Reply, Error> {
        self.shared.call(command, params, method).await
    }

    /// Ends the session, if there is one: the client and its clones are refused from then on.
    pub async fn log_out(&self) -> Result<(), Error> {
        if self.session().is_some() {
            self.call("logout", Params::new(), Method::Post).await?;
        }
        Ok(())
    }
}

impl Shared {
    async fn call(&self, command: &str, params: Params, method: Method) -> Result<Reply, Error> {
        let params = self.authorized(command, params);
        let reply = self.exchange(command, &params, method).await?;
        self.understand(command, &reply)
    }

    /// All parameters of a request.
    fn authorized(&self, command: &str, params: Params) -> Params {
        let params = params.with("command", command).with("response", "json");
        match &self.access {
            Access::Open => params,
            Access::Session(session) => params.with("sessionkey", session.key()),
            Access::Keys(keys) => {
                let params = params
                    .with("apikey", keys.api_key.expose())
                    .with("signatureversion", "3")
                    .with("expires", sign::expires((self.clock.0)()));
                let signature = sign::signature(&keys.secret_key, &params);
                params.with("signature", signature)
            }
        }
    }

    async fn exchange(
        &self,
        command: &str,
        params: &Params,
        method: Method,
    ) -> Result<HttpReply, Error> {
        const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
        let mut url = self.endpoint.url().clone();
        let form = sign::form(params);
        let mut request = match method {
            Method::Get => {
                url.set_query(Some(&form));
                Request::get(url)
            }
            Method::Post => Request::post(url, form).header(CONTENT_TYPE, FORM),
        };
        if let Access::Session(session) = &self.access {
            request = request.header(COOKIE, session.cookies());
        }
        let reply = self.http.send(request.timeout(CALL_TIMEOUT)).await;
        reply.map_err(|source| Error::Transport { command: command.to_owned(), source })
    }

    fn understand(&self, command: &str, reply: &HttpReply) -> Result<Reply, Error> {
        let received = (self.clock.0)();
        let HttpReply { status, headers, body, .. } = reply;
        reply::decode(command, &Raw { status: *status, headers, body, received })
    }
}
