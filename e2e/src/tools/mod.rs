//! Tools from elsewhere, installed once and kept in a cache outside the checkout.
//!
//! The cache is `$PLUVIO_E2E_CACHE`, else `pluvio-e2e` in the user's cache folder. Versions are part
//! of the paths, and so is a digest of our own sources among them: another version is another
//! installation. All downloads begin at once, while Cargo still compiles; each has its own time
//! limit, for a mirror's first answer can be slow. What only some scenarios need is installed when
//! one of those is to run. A tool that cannot be had makes the scenarios that need it [`NotRun`], and
//! nothing fails.
//!
//! It refuses to install anything into the system: what Debian's packages hold is unpacked into the
//! cache like the rest, so that neither root nor a clean-up is needed.

mod debian;
mod install;
mod recipe;
mod run;
mod step;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Result, bail};
use tokio::sync::watch;

/// Why a scenario cannot run on this machine; it is skipped.
#[derive(Clone, Debug)]
pub struct NotRun(pub String);

impl std::fmt::Display for NotRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not run ({})", self.0)
    }
}

impl std::error::Error for NotRun {}

/// What can be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// VMware's simulator of a vCenter.
    Vcsim,
    /// VMware's command line.
    Govc,
    /// The jars of Apache Kafka: its broker, its clients and their command line tools.
    Kafka,
    /// The jars of Apache Kafka's MirrorMaker 2, which runs in Connect.
    MirrorMaker,
    /// librdkafka's command line, as Debian has it.
    Kcat,
    /// Python with `confluent-kafka`, which is librdkafka, too, and a newer one.
    Confluent,
    /// A consumer of ours on franz-go, which is Go without C.
    Franz,
    /// A script of libfaketime, as Debian has it: what it is given runs under the clock that
    /// `FAKETIME_TIMESTAMP_FILE` says.
    Faketime,
    /// RabbitMQ with its own Erlang, as Debian has them.
    RabbitMq,
    /// Eclipse Mosquitto, as Debian has it.
    Mosquitto,
    /// Apache ActiveMQ Artemis: the folder of its distribution.
    Artemis,
    /// Apache Qpid Broker-J: the folder of its distribution.
    BrokerJ,
    /// FerretDB on SQLite, in a program of ours.
    FerretDb,
    /// The jars of OpenSearch.
    OpenSearch,
    /// S3 on a folder.
    VersityGw,
    /// Shopify's proxy that makes connections bad.
    Toxiproxy,
    /// `@fluent-org/logger`, a server and a client of Fluentd's protocol: the folder of its package.
    Fluent,
    /// The OpenTelemetry Collector's receiver of Fluentd's protocol, in a program of ours.
    Collector,
    /// A client of ours on go-amqp, for AMQP 1.0.
    Amqp,
    /// Python with the clients of everything else.
    Python,
    /// Python with `cs` and Apache Libcloud, which order from a CloudStack.
    Cloudstack,
    /// A client of ours on Apache's cloudstack-go, which orders from a CloudStack.
    CloudstackGo,
    /// csclient, which does so for Node: the folder of its package.
    CsClient,
    /// The jars of Apache jclouds' CloudStack API, beside a program of ours.
    Jclouds,
    /// Python with VMware's client of a vCenter.
    PyVmomi,
    /// Python with what watches a vCenter: vmware_exporter for Prometheus, and checkvsphere for Nagios.
    Monitors,
    /// Telegraf's plugin for vSphere, in a program of ours.
    Telegraf,
}

/// What most scenarios need, the slowest to install first. The others come when they are asked for:
/// together they are half a gigabyte.
const ALWAYS: [Tool; 6] =
    [Tool::Kafka, Tool::Vcsim, Tool::Govc, Tool::Franz, Tool::Confluent, Tool::Kcat];

/// Where a tool is, once that is known; or why it is not there.
type Installed = watch::Receiver<Option<Result<PathBuf, String>>>;

/// All tools that were asked for, maybe still on their way.
#[derive(Clone, Debug)]
pub struct Tools {
    begun: Arc<Mutex<Vec<(Tool, Installed)>>>,
    say: fn(&str),
}

impl Tools {
    /// Begins to install what most scenarios need and is not there yet; `say` is told how it goes.
    pub fn install(say: fn(&str)) -> Self {
        let tools = Self::on_demand(say);
        ALWAYS.into_iter().for_each(|tool| tools.begin(tool));
        tools
    }

    /// Installs nothing before somebody asks for it: whoever measures wants the machine for himself.
    pub fn on_demand(say: fn(&str)) -> Self {
        Self { begun: Arc::default(), say }
    }

    /// Begins to install one more, unless that was begun.
    pub fn begin(&self, tool: Tool) {
        self.installed(tool);
    }

    /// The program, the folder of jars, or what else [`Tool`] says; waits until it is there.
    pub async fn path(&self, tool: Tool) -> Result<PathBuf> {
        let mut installed = self.installed(tool);
        let outcome = installed.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
        match outcome {
            Ok(Some(Ok(path))) => Ok(path),
            _ => bail!(NotRun("download".to_owned())),
        }
    }

    fn installed(&self, tool: Tool) -> Installed {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, installed)) = begun.iter().find(|(other, _)| *other == tool) {
            return installed.clone();
        }
        let installed = begin(tool, self.say);
        begun.push((tool, installed.clone()));
        installed
    }

    /// VMware's simulator.
    pub async fn vcsim(&self) -> Result<PathBuf> {
        self.path(Tool::Vcsim).await
    }

    /// VMware's command line.
    pub async fn govc(&self) -> Result<PathBuf> {
        self.path(Tool::Govc).await
    }
}

fn begin(tool: Tool, say: fn(&str)) -> Installed {
    let (sender, installed) = watch::channel(None);
    tokio::spawn(async move {
        let outcome = install::tool(tool, say).await.map_err(|error| format!("{error:#}"));
        if let Err(error) = &outcome {
            say(&format!("{tool:?} cannot be had: {error}"));
        }
        sender.send_replace(Some(outcome));
    });
    installed
}
