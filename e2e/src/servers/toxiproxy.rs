//! Toxiproxy, <https://github.com/Shopify/toxiproxy>: between Pluvio and a server, it makes the
//! connection slow, narrow or broken.

use std::{net::SocketAddr, process::Command};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{
    free_address,
    service::{Ready, Service},
};
use crate::{http::Connection, stage::Stage, tools::Tool};

/// Trouble on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toxic {
    /// Everything arrives so many milliseconds later.
    Latency(u64),
    /// So many KiB a second.
    Bandwidth(u64),
    /// Nothing passes, and after so many milliseconds the connection is closed; with 0, never.
    Timeout(u64),
    /// The connection is reset after so many milliseconds.
    Reset(u64),
    /// The connection is closed after so many bytes.
    LimitBytes(u64),
}

/// Where the trouble is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl Toxic {
    fn named(self) -> (&'static str, Value) {
        match self {
            Self::Latency(millis) => ("latency", json!({"latency": millis})),
            Self::Bandwidth(kib) => ("bandwidth", json!({"rate": kib})),
            Self::Timeout(millis) => ("timeout", json!({"timeout": millis})),
            Self::Reset(millis) => ("reset_peer", json!({"timeout": millis})),
            Self::LimitBytes(bytes) => ("limit_data", json!({"bytes": bytes})),
        }
    }
}

/// A running Toxiproxy, which holds any number of proxies.
#[derive(Debug)]
pub struct Toxiproxy {
    _service: Service,
    control: SocketAddr,
}

/// One of its proxies.
#[derive(Clone, Debug)]
pub struct Proxy {
    control: SocketAddr,
    name: String,
    address: SocketAddr,
}

impl Toxiproxy {
    /// What it needs to be installed.
    pub const TOOLS: [Tool; 1] = [Tool::Toxiproxy];

    /// Starts it, without a proxy.
    pub async fn start(stage: &Stage) -> Result<Self> {
        let control = free_address()?;
        let mut command = Command::new(stage.tools.path(Tool::Toxiproxy).await?);
        command.args(["-host", &control.ip().to_string(), "-port", &control.port().to_string()]);
        let ready = Ready::Answers(control, "/version");
        let service = Service::start(stage, "toxiproxy", command, ready).await?;
        Ok(Self { _service: service, control })
    }

    /// Opens a way to a server, without trouble at first.
    pub async fn proxy(&self, server: SocketAddr) -> Result<Proxy> {
        let address = free_address()?;
        let proxy = Proxy { control: self.control, name: address.port().to_string(), address };
        let body = json!({
            "name": proxy.name,
            "listen": address.to_string(),
            "upstream": server.to_string(),
            "enabled": true,
        });
        ask(self.control, "POST", "/proxies", &body).await?;
        Ok(proxy)
    }
}

impl Proxy {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections and takes no more, or takes them again.
    pub async fn open(&self, is_open: bool) -> Result<()> {
        let target = format!("/proxies/{}", self.name);
        ask(self.control, "POST", &target, &json!({"enabled": is_open})).await
    }

    /// Adds trouble, on connections that are open, too; one of a kind each way.
    pub async fn add(&self, toxic: Toxic, way: Way) -> Result<()> {
        let (kind, attributes) = toxic.named();
        let stream = if way == Way::ToServer { "upstream" } else { "downstream" };
        let body = json!({
            "name": format!("{kind}-{stream}"),
            "type": kind,
            "stream": stream,
            "toxicity": 1.0,
            "attributes": attributes,
        });
        ask(self.control, "POST", &format!("/proxies/{}/toxics", self.name), &body).await
    }

    /// Takes that trouble away.
    pub async fn remove(&self, toxic: Toxic, way: Way) -> Result<()> {
        let stream = if way == Way::ToServer { "upstream" } else { "downstream" };
        let target = format!("/proxies/{}/toxics/{}-{stream}", self.name, toxic.named().0);
        ask(self.control, "DELETE", &target, &Value::Null).await
    }
}

async fn ask(control: SocketAddr, method: &str, target: &str, body: &Value) -> Result<()> {
    let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
    let headers = ["Connection: close".to_owned()];
    let answer = Connection::open(control).await?.ask(method, target, &headers, &body).await?;
    ensure!((200..300).contains(&answer.status()), "Toxiproxy says: {}", answer.text());
    Ok(())
}
