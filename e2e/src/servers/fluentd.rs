//! Two servers of Fluentd's forward protocol, by different people: `@fluent-org/logger`, which can be
//! asked for a shared key, users and TLS, and the OpenTelemetry Collector's receiver, which can not.
//!
//! Fluentd itself comes by no package manager that is here. Both write down what they got before they
//! acknowledge it, so it is still there after a restart.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    free_address,
    service::{Home, Ready, Service},
};
use crate::{
    arrived::{self, Message},
    clients::{Client, arguments},
    stage::Stage,
    tls::Certificates,
    tools::Tool,
};

/// What a server wants of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nothing.
    Nothing,
    /// The shared key.
    Key,
    /// TLS, the shared key, and a user with its password.
    Everything,
}

/// How a client packs what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// One message an entry.
    Message,
    /// A list of entries.
    Forward,
    /// Entries one after the other in a binary.
    Packed,
    /// The same, compressed.
    Compressed,
}

impl Packing {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Message, Self::Forward, Self::Packed, Self::Compressed];

    fn name(self) -> &'static str {
        match self {
            Self::Message => "Message",
            Self::Forward => "Forward",
            Self::Packed => "PackedForward",
            Self::Compressed => "CompressedPackedForward",
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct Fluentd {
    service: Service,
    address: SocketAddr,
    demand: Demand,
    tls: Certificates,
    book: PathBuf,
}

impl Fluentd {
    /// The key that both sides share.
    pub const KEY: &'static str = "drizzle";
    /// The only user.
    pub const USERNAME: &'static str = "writer";
    /// Its password.
    pub const PASSWORD: &'static str = "galoshes";
    /// What the server of `@fluent-org/logger` needs to be installed, the client included.
    pub const LOGGER_TOOLS: [Tool; 1] = [Tool::Fluent];
    /// What the Collector's receiver needs to be installed, the client included.
    pub const COLLECTOR_TOOLS: [Tool; 2] = [Tool::Collector, Tool::Fluent];

    /// Starts the server of `@fluent-org/logger`.
    pub async fn logger(stage: &Stage, demand: Demand) -> Result<Self> {
        let modules = stage.tools.path(Tool::Fluent).await?;
        let address = free_address()?;
        let home = Home::make(&stage.folder, "fluentd", address.port())?;
        let book = home.data().join("arrived");
        let mut options = json!({"port": address.port(), "file": book});
        if demand != Demand::Nothing {
            options["key"] = json!(Self::KEY);
        }
        if demand == Demand::Everything {
            options["users"] = json!({Self::USERNAME: Self::PASSWORD});
            options["cert"] = json!(home.tls.certificate);
            options["certKey"] = json!(home.tls.key);
        }
        let mut command = Command::new("node");
        command.arg(modules.with_file_name("server.js")).arg(options.to_string());
        let ready = Ready::Says("listening");
        let service = Service::start(stage, "fluentd", command, ready).await?;
        Ok(Self { service, address, demand, tls: home.tls, book })
    }

    /// Starts the Collector's receiver.
    pub async fn collector(stage: &Stage) -> Result<Self> {
        let mut command = Command::new(stage.tools.path(Tool::Collector).await?);
        let address = free_address()?;
        let home = Home::make(&stage.folder, "collector", address.port())?;
        let book = home.data().join("arrived");
        command.arg(address.to_string()).arg(&book);
        let ready = Ready::Accepts(address);
        let service = Service::start(stage, "collector", command, ready).await?;
        Ok(Self { service, address, demand: Demand::Nothing, tls: home.tls, book })
    }

    /// To stop it and start it again: what was acknowledged is still written down.
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its certificate is verified with.
    pub fn tls(&self) -> &Certificates {
        &self.tls
    }

    /// Everything that came, in order. The place is the tag, the body the record as JSON; among the
    /// properties is the time. The Collector takes a field `log` or `message` for the text of the
    /// entry and tells it as `body`.
    pub fn read(&self) -> Result<Vec<Message>> {
        arrived::written(&self.book)
    }

    /// Sends records by the client of `@fluent-org/logger`, acknowledged one by one.
    pub async fn write(&self, stage: &Stage, packing: Packing, messages: &[Message]) -> Result<()> {
        let options = self.client_options(packing, Self::KEY).to_string();
        Client::Fluent.run(stage, &arguments![options], messages).await.map(|_| ())
    }

    /// The same with a key that may be wrong.
    pub async fn write_with_key(
        &self,
        stage: &Stage,
        key: &str,
        messages: &[Message],
    ) -> Result<()> {
        let options = self.client_options(Packing::Forward, key).to_string();
        Client::Fluent.run(stage, &arguments![options], messages).await.map(|_| ())
    }

    fn client_options(&self, packing: Packing, key: &str) -> Value {
        let mut options = json!({"port": self.address.port(), "mode": packing.name()});
        if self.demand != Demand::Nothing {
            options["key"] = json!(key);
        }
        if self.demand == Demand::Everything {
            let authority: &Path = &self.tls.authority;
            options["user"] = json!(Self::USERNAME);
            options["password"] = json!(Self::PASSWORD);
            options["ca"] = json!(authority);
        }
        options
    }
}
