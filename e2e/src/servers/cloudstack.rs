//! Pluvio's own simulated CloudStack, as `pluvio simulate cloudstack` gives it to users.

use std::{collections::BTreeMap, net::SocketAddr, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command as Program;

use super::{START_MAX, address_of};
use crate::{http, process::Process, stage::Stage, tools::Tool, wait};

/// How long a client may take: libcloud asks for a job's end once a second.
const ORDER_MAX: Duration = Duration::from_secs(60);

/// An event that truly happened.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Happened {
    /// Its id.
    pub id: String,
    /// When it was created, in whole seconds.
    pub created: Timestamp,
    /// Its type, such as `VM.CREATE`.
    pub kind: String,
    /// Whether the API shows it now.
    pub listed: bool,
}

/// What a public client saw and did.
#[derive(Clone, Debug, Deserialize)]
pub struct Ordered {
    /// The machine that it ordered, used and destroyed.
    pub machine: String,
    /// Type and state of each event that the cloud lists about it.
    pub events: Vec<(String, String)>,
    /// Rows of each list.
    pub listed: BTreeMap<String, usize>,
    /// What it says of a wrong key.
    pub refused: Option<String>,
}

/// A running simulated CloudStack.
#[derive(Debug)]
pub struct SimulatedCloudstack {
    process: Process,
    scheme: &'static str,
    address: SocketAddr,
}

/// What a simulated cloud that speaks TLS says of itself.
#[derive(Debug)]
pub struct Introduction {
    /// The lines of a source's section by which it is trusted.
    pub trust: String,
    /// A command of a shell that lists events.
    pub attempt: String,
}

impl SimulatedCloudstack {
    /// Starts this release with a silent workload and `backlog` events of the past day.
    pub async fn start(stage: &Stage, version: &str, backlog: usize) -> Result<Self> {
        let (seed, backlog) = (stage.seed.to_string(), backlog.to_string());
        let options = ["--rate", "0", "--version", version, "--seed", &seed, "--backlog", &backlog];
        Self::with(stage, &options).await
    }

    /// What lies in a Pluvio's log in the scenario's folder happens again, as these options ask for.
    pub async fn of_recording(stage: &Stage, data: &str, options: &[&str]) -> Result<Self> {
        Self::with(stage, &[&["--from", data], options].concat()).await
    }

    async fn with(stage: &Stage, options: &[&str]) -> Result<Self> {
        let mut command = Command::new(&stage.pluvio);
        command
            .env_clear()
            .args(["simulate", "cloudstack", "--listen", "127.0.0.1:0"])
            .args(options);
        let mut process = Process::start("cloudstack", &mut command, stage.folder.path())?;
        let address = process
            .says("where it listens", START_MAX, |text| {
                text.lines().find_map(|line| address_of(line.strip_prefix("CloudStack:")?))
            })
            .await?;
        let scheme = if options.contains(&"--tls") { "https" } else { "http" };
        Ok(Self { process, scheme, address })
    }

    /// Speaks TLS, with a certificate of its own and `backlog` events of the past day; and what it says of
    /// itself.
    pub async fn over_tls(stage: &Stage, backlog: usize) -> Result<(Self, Introduction)> {
        let backlog = backlog.to_string();
        let mut cloud = Self::with(stage, &["--tls", "--rate", "0", "--backlog", &backlog]).await?;
        let introduction = |text: &str| {
            let line = |key| text.lines().find_map(|line| Some(line.strip_prefix(key)?.trim()));
            let (trust, attempt) = (line("certificate:")?.to_owned(), line("try:")?.to_owned());
            Some(Introduction { trust, attempt })
        };
        let introduction = cloud.process.says("how it is tried", START_MAX, introduction).await?;
        Ok((cloud, introduction))
    }

    /// API and secret key of who sees everything.
    pub const KEYS: (&'static str, &'static str) =
        ("simulated-api-key-admin", "simulated-secret-key-admin");

    /// The API's address.
    pub fn url(&self) -> String {
        format!("{}://{}/client/api", self.scheme, self.address)
    }

    /// The section of a source that sees everything, with further lines.
    pub fn section(&self, name: &str, more: &str) -> String {
        let (url, (api_key, secret_key)) = (self.url(), Self::KEYS);
        format!(
            "[sources.{name}]\ntype = \"cloudstack\"\nurl = \"{url}\"\n\
             api_key = \"{api_key}\"\nsecret_key = \"{secret_key}\"\n{more}\n"
        )
    }

    /// What a public client sees and does here: `cs`, `libcloud`, `cloudstack-go`, `csclient` or `jclouds`.
    pub async fn ordered_by(&self, stage: &Stage, client: &str) -> Result<Ordered> {
        let script = include_str!("../../clients/python/cloudstack.py");
        let mut command = match client {
            "cloudstack-go" => Program::new(stage.tools.path(Tool::CloudstackGo).await?),
            "csclient" => {
                let mut node = Program::new("node");
                node.arg(stage.tools.path(Tool::CsClient).await?);
                node
            }
            "jclouds" => {
                let jars = stage.tools.path(Tool::Jclouds).await?;
                let mut java = Program::from(super::java());
                // Guice, which it is built with, looks into a class of Java's own.
                java.args(["--add-opens", "java.base/java.lang=ALL-UNNAMED", "-cp"]);
                java.arg(jars.join("*")).arg(jars.with_file_name("Order.java"));
                java
            }
            _ => {
                let mut python = Program::new(stage.tools.path(Tool::Cloudstack).await?);
                python.arg("-B").arg(stage.folder.write("cloudstack.py", script)?);
                python
            }
        };
        command.kill_on_drop(true);
        command.args([&self.url(), Self::KEYS.0, Self::KEYS.1, client]);
        let output = wait::at_most(client, ORDER_MAX, async {
            command.output().await.with_context(|| format!("failed to run `{client}`"))
        });
        let output = output.await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`{client}` ended with {}: {said}", output.status);
        serde_json::from_slice(&output.stdout).with_context(|| format!("`{client}` told nothing"))
    }

    /// `POST /control/<verb>`: the verbs are listed by `GET /control`.
    pub async fn control(&self, verb: &str) -> Result<()> {
        let answer = http::post(self.address, &format!("/control/{verb}")).await?;
        ensure!(answer.status() == 200, "control `{verb}` answered: {}", answer.text());
        Ok(())
    }

    /// The rows of events that `cs` lists, each as it stands, by id.
    pub async fn listed_by_cs(&self, stage: &Stage) -> Result<BTreeMap<String, Value>> {
        let script = include_str!("../../clients/python/list_events.py");
        let mut command = Program::new(stage.tools.path(Tool::Cloudstack).await?);
        command.arg("-B").arg(stage.folder.write("list_events.py", script)?).kill_on_drop(true);
        command.args([&self.url(), Self::KEYS.0, Self::KEYS.1]);
        let output = wait::at_most("cs", ORDER_MAX, async {
            command.output().await.context("failed to run `cs`")
        });
        let output = output.await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`cs` ended with {}: {said}", output.status);
        serde_json::from_slice(&output.stdout).context("`cs` told nothing")
    }

    /// Waits until all of its recording has happened; gives how much that is.
    pub async fn until_played(&self, within: Duration) -> Result<u64> {
        let status = async || http::get(self.address, "/control/status").await?.json();
        super::until_played(within, status).await
    }

    /// Everything that ever happened, in the order in which it was recorded.
    pub async fn happened(&self) -> Result<Vec<Happened>> {
        let answer = http::get(self.address, "/control/events").await?;
        ensure!(answer.status() == 200, "the truth is not told: {}", answer.text());
        let parse = |line| serde_json::from_str(line).context("the truth is not as expected");
        answer.text().lines().map(parse).collect()
    }
}
