//! A bucket: one object put, one got. One attempt each.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use pluvio_net::{HttpClient, HttpReply, Request, authority_of};
use pluvio_secret::beginning;
use sha2::{Digest as _, Sha256};

use super::{
    config::Settings,
    error::Error,
    sign::{self, Keys, encoded, read},
};
use crate::endpoint::http::{IdentityError, excerpt, retry_after};

/// A cursor has a hundred bytes, and an error some more.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Of an error's code so much is told; S3's own are shorter.
const CODE_CHARACTERS_MAX: usize = 100;

/// Only where there is nothing yet.
const IF_NONE_MATCH: (&str, &str) = ("if-none-match", "*");

/// A bucket, and whoever may write to it.
pub(super) struct Store {
    client: HttpClient,
    keys: Keys,
    host: String,
    url: url::Url,
    bucket: String,
    timeout: Duration,
}

/// What an object is, beside its name.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) body: Bytes,
    pub(super) content_type: &'static str,
    /// Metadata, names with their `x-amz-meta-`.
    pub(super) metadata: Vec<(&'static str, String)>,
}

/// The metadata that tells what an object holds; see [`Lines`](super::lines::Lines).
pub(super) const SHA256: &str = "x-amz-meta-pluvio-sha256";

/// What became of an object that was to be new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It is there for good.
    Done,
    /// Another one has its name, and stays.
    Exists,
}

/// What has a name.
#[derive(Debug)]
pub(super) enum Found {
    /// No object.
    Nothing,
    /// One with this [`SHA256`]; `None`: it has none, so it is not ours.
    Object(Option<String>),
    /// It is not said: these keys may read nothing but the cursor, or the server does not know `HEAD`.
    Untold(Error),
}

impl Found {
    /// Whether it is the object with that digest, as far as can be told.
    pub(super) fn is(&self, sha256: &str) -> bool {
        matches!(self, Self::Object(Some(found)) if found == sha256)
    }
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
    pub(super) async fn put(&self, key: &str, object: Object) -> Result<(), Error> {
        let doing = || format!("put `{key}`");
        let reply = self.send(key, object, None, &doing).await?;
        if reply.status.is_success() { Ok(()) } else { Err(self.refused(doing(), &reply)) }
    }

    /// Puts an object where there is none. Only for a server that [heeds conditions](Self::heeds_conditions).
    pub(super) async fn put_new(&self, key: &str, object: Object) -> Result<Put, Error> {
        let doing = || format!("put `{key}`");
        let reply = self.send(key, object, Some(IF_NONE_MATCH), &doing).await?;
        match reply.status {
            status if status.is_success() => Ok(Put::Done),
            // MinIO of early 2024 answers the latter (its issue 19442).
            StatusCode::PRECONDITION_FAILED | StatusCode::NOT_MODIFIED => Ok(Put::Exists),
            _ => Err(self.refused(doing(), &reply)),
        }
    }

    /// Whether the server leaves an object alone that is there already, and was just put: it is put as if it
    /// were new.
    pub(super) async fn heeds_conditions(&self, key: &str, same: Object) -> Result<bool, Error> {
        match self.put_new(key, same).await {
            Ok(put) => Ok(put == Put::Exists),
            Err(Error::Answered {
                status:
                    StatusCode::NOT_IMPLEMENTED
                    | StatusCode::BAD_REQUEST
                    | StatusCode::METHOD_NOT_ALLOWED,
                ..
            }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn send(
        &self,
        key: &str,
        object: Object,
        condition: Option<(&'static str, &str)>,
        doing: &impl Fn() -> String,
    ) -> Result<HttpReply, Error> {
        let Object { body, content_type, metadata } = object;
        let mut headers = metadata;
        headers.push(("content-type", content_type.to_owned()));
        headers.extend(condition.map(|(name, value)| (name, value.to_owned())));
        // Buckets with Object Lock take nothing without a checksum (S3 User Guide, "Checking object
        // integrity"); others verify it all the same.
        let checksum = BASE64_STANDARD.encode(Sha256::digest(&body));
        headers.push(("x-amz-checksum-sha256", checksum));
        self.ask(Method::PUT, key, headers, body, doing).await
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

    /// Looks whether there is an object, and what it holds.
    pub(super) async fn look(&self, key: &str) -> Result<Found, Error> {
        let doing = || format!("look for `{key}`");
        let reply = self.ask(Method::HEAD, key, Vec::new(), Bytes::new(), &doing).await?;
        match reply.status {
            status if status.is_success() => {
                let value = reply.headers.get(SHA256).and_then(|value| value.to_str().ok());
                Ok(Found::Object(value.map(str::to_owned)))
            }
            StatusCode::NOT_FOUND => Ok(Found::Nothing),
            status => match self.refused(doing(), &reply) {
                error @ Error::Answered { .. }
                    if status.is_client_error() || status == StatusCode::NOT_IMPLEMENTED =>
                {
                    Ok(Found::Untold(error))
                }
                error => Err(error),
            },
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
        if let StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE = reply.status {
            let wait = retry_after(&reply.headers, Timestamp::now()).unwrap_or_default();
            return Error::Throttled { host: self.host.clone(), wait };
        }
        let code =
            beginning(&element(&reply.body, "Code").unwrap_or_default(), CODE_CHARACTERS_MAX);
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
    Some(value.to_owned())
}
