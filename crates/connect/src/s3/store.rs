//! A bucket: one object put, one got. One attempt each.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use pluvio_net::{HttpClient, HttpReply, Request, authority_of};
use pluvio_secret::SecretSource;
use sha2::{Digest as _, Sha256};

use super::{
    config::Settings,
    error::Error,
    sign::{self, Keys, encoded},
};
use crate::web::{IdentityError, excerpt, retry_after};

/// A cursor has a hundred bytes, and an error some more.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// A bucket, and whoever may write to it.
pub(super) struct Store {
    client: HttpClient,
    keys: Keys,
    host: String,
    url: url::Url,
    bucket: String,
    timeout: Duration,
}

/// What became of an object.
pub(super) enum Put {
    /// It is there for good.
    Done,
    /// Not now; zero: it was not said for how long.
    Throttled(Duration),
}

/// What an object is, beside its name.
pub(super) struct Object<'a> {
    pub(super) body: Bytes,
    pub(super) content_type: &'a str,
    /// Metadata, names with their `x-amz-meta-`.
    pub(super) metadata: Vec<(&'static str, String)>,
}

/// Reads a secret that headers are made of.
pub(super) fn read(key: &'static str, secret: &SecretSource) -> Result<String, IdentityError> {
    let secret = secret.resolve().map_err(|source| IdentityError::Secret { key, source })?;
    let is_text = secret.expose().bytes().all(|byte| byte.is_ascii_graphic());
    let text = is_text.then(|| secret.expose().to_owned());
    text.ok_or(IdentityError::Characters { key })
}

impl Store {
    /// Reads keys and files.
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        let session_token = settings.session_token.as_ref();
        let keys = Keys {
            access_key: read("access_key", &settings.access_key)?,
            secret_key: read("secret_key", &settings.secret_key)?,
            session_token: session_token.map(|token| read("session_token", token)).transpose()?,
            region: settings.region.clone(),
        };
        Ok(Self {
            client: HttpClient::new(&settings.tls)?,
            keys,
            host: authority_of(&settings.url),
            url: settings.url.clone(),
            bucket: settings.bucket.clone(),
            timeout: settings.timeout,
        })
    }

    /// The host that is spoken to.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Puts an object, or replaces it.
    pub(super) async fn put(&self, key: &str, object: Object<'_>) -> Result<Put, Error> {
        let Object { body, content_type, metadata } = object;
        let mut headers = metadata;
        headers.push(("content-type", content_type.to_owned()));
        // Buckets with Object Lock take nothing without a checksum (S3 User Guide, "Checking object
        // integrity"); others verify it all the same.
        let checksum = BASE64_STANDARD.encode(Sha256::digest(&body));
        headers.push(("x-amz-checksum-sha256", checksum));
        let doing = || format!("put `{key}`");
        let reply = self.ask(Method::PUT, key, headers, body, &doing).await?;
        match reply.status.as_u16() {
            200..=299 => Ok(Put::Done),
            429 | 503 => {
                let wait = retry_after(&reply.headers, Timestamp::now());
                Ok(Put::Throttled(wait.unwrap_or_default()))
            }
            _ => Err(self.refused(doing(), &reply)),
        }
    }

    /// Gets a small object; `None`: there is none.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Bytes>, Error> {
        let doing = || format!("get `{key}`");
        let reply = self.ask(Method::GET, key, Vec::new(), Bytes::new(), &doing).await?;
        let code = element(&reply.body, "Code");
        match (reply.status, code.as_deref()) {
            (status, _) if status.is_success() => Ok(Some(reply.body)),
            (StatusCode::NOT_FOUND, Some("NoSuchKey")) => Ok(None),
            _ => Err(self.refused(doing(), &reply)),
        }
    }

    /// What an object's metadata has under `name`, with its `x-amz-meta-`; `None`: nothing, or there is no
    /// such object, or it cannot be asked for: keys may read nothing but the cursor, and not every server knows
    /// `HEAD`.
    pub(super) async fn metadata(&self, key: &str, name: &str) -> Result<Option<String>, Error> {
        let doing = || format!("look for `{key}`");
        let reply = self.ask(Method::HEAD, key, Vec::new(), Bytes::new(), &doing).await?;
        match reply.status {
            status if status.is_success() => {
                let value = reply.headers.get(name).and_then(|value| value.to_str().ok());
                Ok(value.map(str::to_owned))
            }
            StatusCode::NOT_IMPLEMENTED => Ok(None),
            status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
                Ok(None)
            }
            _ => Err(self.refused(doing(), &reply)),
        }
    }

    async fn ask(
        &self,
        method: Method,
        key: &str,
        headers: Vec<(&'static str, String)>,
        body: Bytes,
        doing: &impl Fn() -> String,
    ) -> Result<HttpReply, Error> {
        let mut url = self.url.clone();
        // What is encoded already stays as it is.
        url.set_path(&format!("{}{}", self.url.path(), encoded(key)));
        let signed = sign::Request {
            method: method.as_str(),
            host: &self.host,
            path: url.path(),
            headers: &headers,
            body: &body,
        };
        let mut all = HeaderMap::new();
        for (name, value) in self.keys.sign(signed, Timestamp::now()) {
            let value = HeaderValue::from_str(&value);
            let mut value = value.map_err(|_| IdentityError::Characters { key: "access_key" })?;
            value.set_sensitive(name == "authorization" || name == "x-amz-security-token");
            all.insert(HeaderName::from_static(name), value);
        }
        let request = Request::new(method, url, body).headers(all).timeout(self.timeout);
        let reply = self.client.send(request.answer_bytes_max(ANSWER_BYTES_MAX)).await;
        reply.map_err(|source| Error::Transport {
            doing: doing(),
            bucket: self.bucket.clone(),
            source: Box::new(source),
        })
    }

    fn refused(&self, doing: String, reply: &HttpReply) -> Error {
        let code = element(&reply.body, "Code").unwrap_or_default();
        let text = match element(&reply.body, "Message") {
            Some(message) => excerpt(message.as_bytes()),
            None => excerpt(&reply.body),
        };
        let (bucket, status) = (self.bucket.clone(), reply.status);
        Error::Answered { doing, bucket, status, code, text }
    }
}

/// The text of the first element of that name in a short answer of S3's.
fn element(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, after) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = after.split_once(&format!("</{name}>"))?;
    Some(value.chars().take(300).collect())
}
