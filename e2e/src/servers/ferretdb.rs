//! FerretDB, <https://www.ferretdb.com>: MongoDB's protocol on SQLite, with SCRAM-SHA-256 and TLS.
//!
//! There is no MongoDB to be had by a package manager. It knows neither transactions nor time series;
//! duplicate keys, unique indexes and the limits are as a real one has them.

use std::{net::SocketAddr, process::Command};

use anyhow::Result;

use super::{
    free_address,
    service::{Home, Ready, Service},
};
use crate::{
    arrived::Message,
    clients::{Client, arguments},
    stage::Stage,
    tls::Certificates,
    tools::Tool,
};

const CLIENT: Client = Client::Python("mongo.py", include_str!("../../clients/python/mongo.py"));

/// A running server.
#[derive(Debug)]
pub struct FerretDb {
    service: Service,
    open: SocketAddr,
    secure: SocketAddr,
    tls: Certificates,
    /// For its reader: with its login, or without.
    login: String,
}

impl FerretDb {
    /// The only user, of the database `admin`.
    pub const USERNAME: &'static str = "writer";
    /// Its password.
    pub const PASSWORD: &'static str = "galoshes";
    /// What it needs to be installed, its reader included.
    pub const TOOLS: [Tool; 2] = [Tool::FerretDb, Tool::Python];

    /// Starts it.
    pub async fn start(stage: &Stage) -> Result<Self> {
        Self::start_with(stage, Some((Self::USERNAME, Self::PASSWORD))).await
    }

    /// Starts it without any login. Its SCRAM wants one message more than MongoDB's own, which
    /// MongoDB's driver for Rust takes for a failure.
    pub async fn start_open(stage: &Stage) -> Result<Self> {
        Self::start_with(stage, None).await
    }

    async fn start_with(stage: &Stage, login: Option<(&str, &str)>) -> Result<Self> {
        let (open, secure) = (free_address()?, free_address()?);
        let home = Home::make(&stage.folder, "ferretdb", open.port())?;
        let mut command = Command::new(stage.tools.path(Tool::FerretDb).await?);
        command.arg("-folder").arg(home.data());
        command.args(["-open", &open.to_string(), "-secure", &secure.to_string()]);
        command.arg("-cert").arg(&home.tls.certificate).arg("-key").arg(&home.tls.key);
        let login = login.map_or_else(String::new, |(user, password)| {
            command.args(["-user", user, "-password", password]);
            format!("{user}:{password}@")
        });
        let service = Service::start(stage, "ferretdb", command, Ready::Accepts(open)).await?;
        Ok(Self { service, open, secure, tls: home.tls, login })
    }

    /// To stop it and start it again: what was written is still there.
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// Where it listens without TLS.
    pub fn address(&self) -> SocketAddr {
        self.open
    }

    /// Where it listens with TLS.
    pub fn secure(&self) -> SocketAddr {
        self.secure
    }

    /// What its certificate is verified with.
    pub fn tls(&self) -> &Certificates {
        &self.tls
    }

    /// All documents of a collection, in the order of their `_id`, which is the key; the body is the
    /// rest of the document as JSON.
    pub async fn read(
        &self,
        stage: &Stage,
        database: &str,
        collection: &str,
    ) -> Result<Vec<Message>> {
        let url = format!("mongodb://{}{}/", self.login, self.open);
        let arguments =
            arguments!["read", "--url", url, "--database", database, "--collection", collection,];
        CLIENT.run(stage, &arguments, &[]).await
    }

    /// Inserts documents over TLS by pymongo.
    pub async fn write(
        &self,
        stage: &Stage,
        database: &str,
        collection: &str,
        messages: &[Message],
    ) -> Result<()> {
        let (user, password, port) = (Self::USERNAME, Self::PASSWORD, self.secure.port());
        let authority = self.tls.authority.display();
        let url =
            format!("mongodb://{user}:{password}@localhost:{port}/?tls=true&tlsCAFile={authority}");
        let arguments =
            arguments!["write", "--url", url, "--database", database, "--collection", collection,];
        CLIENT.run(stage, &arguments, messages).await.map(|_| ())
    }
}
