//! A request made of events: body, headers, signature.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use jiff::Timestamp;
use pluvio_event::http as binding;
use pluvio_net::{HttpClient, HttpReply, Request, authority_of};
use pluvio_runtime::{Chain, Delivered, Format as BodyFormat};
use pluvio_secret::{SecretSource, note_address, note_likely};
use tracing::warn;

use super::{
    answer::{Verdict, judge},
    config::{Format, Settings},
    error::Error,
    signature::Signer,
};
use crate::{
    endpoint::http::IdentityError,
    outbound::message::{MessageFormat, NO_EVENT},
};

/// How much of an answer is read: its beginning becomes part of an error's text.
const ANSWER_BYTES_MAX: usize = 4 << 10;
/// A batch in CloudEvents' JSON batch format.
const BATCH_MEDIA_TYPE: &str = "application/cloudevents-batch+json";

/// The way to the other side: everything that requests have in common.
pub(super) struct Way {
    settings: Arc<Settings>,
    client: HttpClient,
    host: String,
    headers: HeaderMap,
    signer: Option<Signer>,
    /// What ids of messages begin with.
    prefix: String,
    /// Whether it was told that the answers do not end.
    has_told_unended: AtomicBool,
}

/// A body with its headers.
pub(super) struct Content {
    headers: HeaderMap,
    body: Bytes,
}

impl Way {
    /// Reads secrets and files.
    pub(super) fn new(settings: Arc<Settings>, prefix: &str) -> Result<Self, Error> {
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let secret = match value {
                // Most of those that are written down are words, such as a team's name.
                SecretSource::Literal(word) => {
                    note_likely(name.as_str(), word.expose());
                    value.resolve_name()
                }
                SecretSource::Env(_) | SecretSource::File(_) => value.resolve(),
            };
            let secret =
                secret.map_err(|source| IdentityError::Secret { key: "headers", source })?;
            let value = HeaderValue::from_str(secret.expose());
            let mut value = value.map_err(|_| IdentityError::Characters { key: "headers" })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        headers.extend(settings.identity.header()?.map(|value| (header::AUTHORIZATION, value)));
        let signer = settings.signing.as_ref().map(Signer::new).transpose()?;
        // A full stop separates what is signed.
        let prefix = prefix.replace('.', "_");
        let client = HttpClient::new(&settings.tls)?;
        note_address(&settings.url);
        let host = authority_of(&settings.url);
        Ok(Self {
            settings,
            client,
            host,
            headers,
            signer,
            prefix,
            has_told_unended: AtomicBool::new(false),
        })
    }

    /// Sends one event.
    pub(super) async fn send(&self, record: &Delivered) -> Verdict {
        match single(self.settings.format, record) {
            Ok(content) => self.ask(content, &format!("{:020}", record.offset().get())).await,
            Err(reason) => Verdict::Rejected(reason),
        }
    }

    /// Sends events in one request; there is at least one.
    pub(super) async fn send_batch(&self, records: &[&Delivered]) -> Verdict {
        let offset = |record: Option<&&Delivered>| record.map_or(0, |it| it.offset().get());
        let id = format!("{:020}-{:020}", offset(records.first()), offset(records.last()));
        match batch(records) {
            Ok(content) => self.ask(content, &id).await,
            Err(reason) => Verdict::Rejected(reason),
        }
    }

    async fn ask(&self, content: Content, id: &str) -> Verdict {
        let Content { mut headers, body } = content;
        headers.extend(self.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        if let Some(signer) = &self.signer {
            signer.sign(&format!("{}-{id}", self.prefix), Timestamp::now(), &body, &mut headers);
        }
        let Settings { method, url, timeout, .. } = &*self.settings;
        let request = Request::new(method.clone(), url.clone(), body).headers(headers);
        let request = request.timeout(*timeout).answer_bytes_max(ANSWER_BYTES_MAX);
        let request = request.by_status().repeatable();
        match self.client.send(request).await {
            Ok(reply) => {
                if reply.is_unended && !self.has_told_unended.swap(true, Ordering::Relaxed) {
                    warn!(
                        "{} answered {} with a body that does not end; its status counts, but each \
                         request waits two seconds for the end and needs a connection of its own: let \
                         the receiver send `Content-Length: 0`",
                        self.host,
                        reply.status.as_u16()
                    );
                }
                judge(&self.host, url, &reply, Timestamp::now())
            }
            Err(error) => Verdict::Failed(error.into()),
        }
    }

    /// Asks whether events may be sent, as CloudEvents' webhooks want to be asked before (abuse
    /// protection): sends none.
    pub(super) async fn handshake(&self) -> Result<HttpReply, Error> {
        let Settings { url, timeout, .. } = &*self.settings;
        let mut headers = self.headers.clone();
        headers.insert("webhook-request-origin", HeaderValue::from_static("pluvio"));
        let request = Request::new(Method::OPTIONS, url.clone(), Bytes::new()).headers(headers);
        let request = request.timeout(*timeout).answer_bytes_max(ANSWER_BYTES_MAX);
        Ok(self.client.send(request).await?)
    }

    /// Who is sent to.
    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

/// As CloudStack's webhooks name the event: its id, as `listEvents` has it, and its type.
const EVENT_ID: HeaderName = HeaderName::from_static("x-cs-event-id");
const EVENT: HeaderName = HeaderName::from_static("x-cs-event");

/// One event as a request; or why it never will be one.
fn single(format: Format, record: &Delivered) -> Result<Content, String> {
    let mut headers = HeaderMap::new();
    let format = match format {
        Format::CloudeventsBinary => {
            let message = binding::to_binary(&record.placed().ok_or(NO_EVENT)?);
            for (name, text) in message.headers {
                let invalid = || format!("attribute `{name}` cannot be a header");
                let value = HeaderValue::from_str(&text).map_err(|_| invalid())?;
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
                headers.insert(name, value);
            }
            return Ok(Content { headers, body: message.body });
        }
        Format::Native => MessageFormat::Native,
        Format::CloudstackBus => {
            let event = record.event().ok_or(NO_EVENT)?;
            let kind = event.event_type().strip_prefix("org.apache.cloudstack.");
            for (name, text) in [(EVENT_ID, event.id()), (EVENT, kind.unwrap_or_default())] {
                let value = HeaderValue::from_str(text);
                let value = value.map_err(|_| format!("`{text}` cannot be a header"))?;
                headers.insert(name, value);
            }
            MessageFormat::CloudstackBus
        }
        Format::Cloudevents | Format::CloudeventsBatch => MessageFormat::Cloudevents,
    };
    let message = format.message(record)?;
    if let Some(content_type) = message.content_type {
        let value = HeaderValue::from_str(&content_type);
        headers.insert(header::CONTENT_TYPE, value.map_err(|_| "its content type is none")?);
    }
    Ok(Content { headers, body: message.body })
}

/// Events as one request.
fn batch(records: &[&Delivered]) -> Result<Content, String> {
    let bytes: usize = records.iter().map(|record| record.stored().len() + 128).sum();
    let mut body = Vec::with_capacity(bytes + 1);
    for record in records {
        body.push(if body.is_empty() { b'[' } else { b',' });
        let written = BodyFormat::Cloudevents.body(record, &mut body);
        written.map_err(|error| Chain(&error).to_string())?;
    }
    body.push(b']');
    let content_type = HeaderValue::from_static(BATCH_MEDIA_TYPE);
    let headers = [(header::CONTENT_TYPE, content_type)].into_iter().collect();
    Ok(Content { headers, body: body.into() })
}
