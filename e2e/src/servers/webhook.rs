//! A receiver of CloudEvents over HTTP on the SDK of their makers: structured, binary and batch mode,
//! and answers of every kind on demand. Without TLS, or with.
//!
//! What the SDK would make up by itself is refused with 400, so a mistake is not hidden.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Result, ensure};
use serde::Serialize;
use serde_json::Value;

use super::{
    free_address,
    service::{Home, Ready, Service},
};
use crate::{
    arrived::{self, Message},
    clients::{Client, arguments},
    http::Connection,
    stage::Stage,
    tls::Certificates,
    tools::Tool,
};

const CLIENT: Client =
    Client::Python("webhook.py", include_str!("../../clients/python/webhook.py"));

/// How events lie in requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Attributes are headers.
    Binary,
    /// An event is a JSON object.
    Structured,
    /// Many events are a JSON array.
    Batch,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Binary, Self::Structured, Self::Batch];

    /// Its name, which is also the property `mode` of what arrived.
    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Structured => "structured",
            Self::Batch => "batch",
        }
    }
}

/// What it answers otherwise than by taking the events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// Only to requests with one of these ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<String>>,
    /// The status; without one, the events are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// So many times; without a number, for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Seconds in `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// Seconds before the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<u32>,
}

impl Reply {
    /// This status to everybody, for ever.
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// Only to requests with one of these ids.
    pub fn to(self, ids: &[&str]) -> Self {
        Self { ids: Some(ids.iter().map(ToString::to_string).collect()), ..self }
    }

    /// Only so many times.
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// With `Retry-After`.
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

/// A running receiver.
#[derive(Debug)]
pub struct Webhook {
    service: Service,
    address: SocketAddr,
    has_tls: bool,
    tls: Certificates,
    book: PathBuf,
}

impl Webhook {
    /// What it needs to be installed.
    pub const TOOLS: [Tool; 1] = [Tool::Python];

    /// Starts it.
    pub async fn start(stage: &Stage, has_tls: bool) -> Result<Self> {
        let address = free_address()?;
        let home = Home::make(&stage.folder, "webhook", address.port())?;
        let book = home.data().join("arrived");
        let mut command = CLIENT.command(stage).await?;
        let port = address.port().to_string();
        command.args(arguments!["serve", "--port", port, "--file", book]);
        if has_tls {
            command.args(arguments!["--cert", home.tls.certificate, "--key", home.tls.key]);
        }
        let ready =
            if has_tls { Ready::Accepts(address) } else { Ready::Answers(address, "/control") };
        let service = Service::start(stage, "webhook", command, ready).await?;
        Ok(Self { service, address, has_tls, tls: home.tls, book })
    }

    /// To stop it and start it again: what it took is still written down.
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL; it takes events at any path but `/control`.
    pub fn url(&self) -> String {
        let scheme = if self.has_tls { "https" } else { "http" };
        format!("{scheme}://localhost:{}/", self.address.port())
    }

    /// What its certificate is verified with.
    pub fn tls(&self) -> &Certificates {
        &self.tls
    }

    /// From now on it answers so where this fits; the first that fits counts. Not over TLS.
    pub async fn reply(&self, reply: &Reply) -> Result<()> {
        self.control("POST", &serde_json::to_vec(reply)?).await.map(|_| ())
    }

    /// It takes everything again. Not over TLS.
    pub async fn reply_well(&self) -> Result<()> {
        self.control("DELETE", &[]).await.map(|_| ())
    }

    /// `requests`: how many came since it started; `refused`: ids, and how often. Not over TLS.
    pub async fn counts(&self) -> Result<Value> {
        self.control("GET", &[]).await
    }

    /// Everything that it took, in order. The place is the path, the body the data; properties are
    /// the attributes as `ce-…`, `mode` and `authorization`.
    pub fn read(&self) -> Result<Vec<Message>> {
        arrived::written(&self.book)
    }

    /// Sends events by the SDK; the properties are the attributes as `ce-…`.
    pub async fn write(&self, stage: &Stage, mode: Mode, messages: &[Message]) -> Result<()> {
        let mut arguments = arguments!["send", "--mode", mode.name(), "--url", self.url()].to_vec();
        if self.has_tls {
            arguments.extend(arguments!["--ca", self.tls.authority]);
        }
        CLIENT.run(stage, &arguments, messages).await.map(|_| ())
    }

    async fn control(&self, method: &str, body: &[u8]) -> Result<Value> {
        let headers = ["Connection: close".to_owned()];
        let mut connection = Connection::open(self.address).await?;
        let answer = connection.ask(method, "/control", &headers, body).await?;
        ensure!(answer.status() == 200, "the receiver says: {}", answer.text());
        answer.json()
    }
}
