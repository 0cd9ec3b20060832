//! OpenSearch, <https://opensearch.org>, one node of the line that Java 17 runs.
//!
//! Its security is a plugin that no package manager has: it is in the clear and knows no users.

use std::net::SocketAddr;

use anyhow::Result;

use super::{
    free_address, java,
    service::{Home, Ready, Service},
};
use crate::{
    arrived::Message,
    clients::{Client, arguments},
    kafka::class_path,
    stage::Stage,
    tools::Tool,
};

const CLIENT: Client = Client::Python("search.py", include_str!("../../clients/python/search.py"));
const NODE: &str = include_str!("../../clients/opensearch/Node.java");

/// A running node.
#[derive(Debug)]
pub struct OpenSearch {
    service: Service,
    address: SocketAddr,
}

impl OpenSearch {
    /// What it needs to be installed, its reader included.
    pub const TOOLS: [Tool; 2] = [Tool::OpenSearch, Tool::Python];

    /// Starts it.
    pub async fn start(stage: &Stage) -> Result<Self> {
        let jars = stage.tools.path(Tool::OpenSearch).await?;
        let (address, transport) = (free_address()?, free_address()?);
        let home = Home::make(&stage.folder, "opensearch", address.port())?;
        let mut command = java();
        command.arg("-Xmx512m").arg("-cp").arg(class_path(&jars));
        command.arg(home.write("Node.java", NODE)?).arg(home.data());
        command.args([address, transport].map(|address| address.port().to_string()));
        let ready = Ready::Answers(address, "/_cluster/health?wait_for_status=yellow");
        let service = Service::start(stage, "opensearch", command, ready).await?;
        Ok(Self { service, address })
    }

    /// To stop it and start it again: what was acknowledged is still there.
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All documents of an index, in the order of their `_id`, which is the key; the body is the
    /// source. None, if there is no such index.
    pub async fn read(&self, stage: &Stage, index: &str) -> Result<Vec<Message>> {
        CLIENT.run(stage, &self.arguments("read", index), &[]).await
    }

    /// Indexes documents by opensearch-py's bulk helper.
    pub async fn write(&self, stage: &Stage, index: &str, messages: &[Message]) -> Result<()> {
        CLIENT.run(stage, &self.arguments("write", index), messages).await.map(|_| ())
    }

    fn arguments(&self, verb: &str, index: &str) -> [std::ffi::OsString; 5] {
        arguments![verb, "--url", format!("http://{}", self.address), "--index", index]
    }
}
