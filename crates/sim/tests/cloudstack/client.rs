//! A client with no more knowledge than a test needs, signing with code of its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use pluvio_sim::CloudStack;
use serde_json::Value;
use sha1::Sha1;
use tokio::net::TcpStream;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// The inside of the envelope.
    pub(crate) fn inner(&self) -> Value {
        let Value::Object(envelope) = serde_json::from_str(&self.body).unwrap() else {
            panic!("no envelope: {}", self.body);
        };
        envelope.into_iter().next().unwrap().1
    }

    pub(crate) fn error(&self) -> String {
        self.inner()["errortext"].as_str().unwrap_or_default().to_owned()
    }

    /// A member of each row, in the order of the rows.
    pub(crate) fn column(&self, object: &str, name: &str) -> Vec<String> {
        let inner = self.inner();
        let rows = inner[object].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| row[name].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The identifiers of the events.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.column("event", "id")
    }

    pub(crate) fn cookies(&self) -> String {
        let cookies = self.headers.get_all(SET_COOKIE).iter();
        let pairs = cookies.map(|v| v.to_str().unwrap().split(';').next().unwrap());
        pairs.collect::<Vec<_>>().join("; ")
    }
}

/// Why no answer came.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One user of the cloud.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: std::net::SocketAddr,
    key: String,
    secret: String,
}

impl Client {
    /// A user by name; the root admin is `admin`.
    pub(crate) fn of(cloud: &CloudStack, user: &str) -> Self {
        let keys = cloud.keys().into_iter().find(|keys| keys.user == user).unwrap();
        Self { address: cloud.address(), key: keys.api_key, secret: keys.secret_key }
    }

    /// Nobody, at that address.
    pub(crate) fn at(address: std::net::SocketAddr) -> Self {
        Self { address, key: String::new(), secret: String::new() }
    }

    pub(crate) fn with_secret(self, secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..self }
    }

    /// Calls a command with parameters as `a=b&c=d`, not encoded.
    pub(crate) async fn call(&self, command: &str, parameters: &str) -> Answer {
        self.try_call(command, parameters).await.unwrap()
    }

    pub(crate) async fn try_call(&self, command: &str, more: &str) -> Result<Answer, Failure> {
        let query = self.query(command, more);
        self.send(Method::GET, &format!("/client/api?{query}"), "", "").await
    }

    /// The signed query of a call.
    pub(crate) fn query(&self, command: &str, more: &str) -> String {
        let spelling = if more.contains("response=") { "" } else { "response=json&" };
        let all = format!("command={command}&apikey={}&{spelling}{more}", self.key);
        let mut pairs: Vec<_> = all.split('&').filter_map(|pair| pair.split_once('=')).collect();
        pairs.sort_unstable();
        let encoded: Vec<_> = pairs.iter().map(|(n, v)| format!("{n}={}", encode(v))).collect();
        let encoded = encoded.join("&");
        let mut mac = Hmac::<Sha1>::new_from_slice(self.secret.as_bytes()).unwrap();
        mac.update(encoded.to_lowercase().as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        format!("{encoded}&signature={}", encode(&signature))
    }

    /// Sends a request as it is.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        form: &str,
        cookies: &str,
    ) -> Result<Answer, Failure> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(COOKIE, cookies)
            .body(Full::new(Bytes::from(form.to_owned())))?;
        let response = sender.send_request(request).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().collect().await?.to_bytes();
        drop(sender);
        connection.await??;
        Ok(Answer { status, headers, body: String::from_utf8(body.to_vec())? })
    }

    /// Asks for a job until it has ended.
    pub(crate) async fn job(&self, started: &Answer) -> Value {
        let id = started.inner()["jobid"].as_str().unwrap_or_default().to_owned();
        loop {
            let job = self.call("queryAsyncJobResult", &format!("jobid={id}")).await.inner();
            if job["jobstatus"] != 0 {
                return job;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The identifiers of all events that a query selects, page by page.
    pub(crate) async fn all_ids(&self, more: &str, page_size: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for page in 1.. {
            let parameters = format!("{more}&page={page}&pagesize={page_size}");
            let found = self.call("listEvents", &parameters).await.ids();
            if found.is_empty() {
                break;
            }
            ids.extend(found);
        }
        ids
    }
}

/// Encodes everything that is not plain.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_*".contains(&byte);
    text.bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
