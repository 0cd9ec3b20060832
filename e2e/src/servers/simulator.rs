//! Pluvio's own simulated vCenter, as `pluvio simulate vcenter` gives it to users: with a history
//! without end, and trouble on demand through its control URL.

use std::{collections::BTreeMap, net::SocketAddr, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{START_MAX, address_of};
use crate::{
    http::{self, Answer},
    process::Process,
    soap::Soap,
    stage::Stage,
    tools::Tool,
    wait,
};

/// An event that truly happened.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Produced {
    /// The key, as the cloud counts.
    pub key: i64,
    /// When the cloud says it happened.
    pub created_time: Timestamp,
    /// The class.
    pub class: String,
}

/// What pyVmomi saw and did: see `e2e/clients/python/vsphere.py`.
#[derive(Clone, Debug, Deserialize)]
pub struct Visited {
    /// Keys that a collector read.
    pub events: Vec<i64>,
    /// Keys that `QueryEvents` gave.
    pub queried: Vec<i64>,
    /// Keys that `QueryEvents` gave page by page behind an id, where the API has that.
    pub paged: Vec<i64>,
    /// The `auditId` of the event that it posted, where events have one.
    pub audited: Option<String>,
    /// Class, message and machine of the event that it logged.
    pub logged: [String; 3],
    /// The name of the first machine.
    pub name: String,
    /// How many machines a view holds.
    pub machines: usize,
    /// A value of each kind of object.
    pub read: BTreeMap<String, String>,
    /// How long the lists of managers are that have nothing to manage.
    pub empty: BTreeMap<String, usize>,
    /// The property that no class has.
    pub misspelt: Option<String>,
}

/// How long a client may take.
const VISIT_MAX: Duration = Duration::from_secs(60);

/// A running simulated vCenter.
#[derive(Debug)]
pub struct Simulator {
    _process: Process,
    address: SocketAddr,
    /// `http` or `https`.
    scheme: &'static str,
}

impl Simulator {
    /// The only user.
    pub const USERNAME: &'static str = "user";
    /// Its password.
    pub const PASSWORD: &'static str = "cloudburst";
    /// The API version that it speaks unless told otherwise.
    pub const VERSION: &'static str = "8.0.3.0";

    /// Starts it with a silent workload and `backlog` events of the past day.
    pub async fn start(stage: &Stage, backlog: usize) -> Result<Self> {
        Self::speaking(stage, backlog, "http", Self::VERSION).await
    }

    /// The same over TLS, with a certificate of its own making; what its control URL says is not read.
    pub async fn start_over_tls(stage: &Stage, backlog: usize) -> Result<Self> {
        Self::speaking(stage, backlog, "https", Self::VERSION).await
    }

    /// The same with another API version.
    pub async fn of_version(stage: &Stage, backlog: usize, version: &str) -> Result<Self> {
        Self::speaking(stage, backlog, "http", version).await
    }

    /// The same, but what lies in a Pluvio's log in the scenario's folder happens again, as these options
    /// ask for.
    pub async fn of_recording(stage: &Stage, data: &str, options: &[&str]) -> Result<Self> {
        let recording = [&["--from", data], options].concat();
        Self::with(stage, "http", &recording).await
    }

    async fn speaking(
        stage: &Stage,
        backlog: usize,
        scheme: &'static str,
        version: &str,
    ) -> Result<Self> {
        let (seed, backlog) = (stage.seed.to_string(), backlog.to_string());
        let options = ["--rate", "0", "--version", version, "--seed", &seed, "--backlog", &backlog];
        Self::with(stage, scheme, &options).await
    }

    async fn with(stage: &Stage, scheme: &'static str, options: &[&str]) -> Result<Self> {
        let mut command = Command::new(&stage.pluvio);
        command
            .env_clear()
            .args(["simulate", "vcenter", "--listen", "127.0.0.1:0"])
            .args(["--username", Self::USERNAME, "--password", Self::PASSWORD])
            .args(options)
            .args((scheme == "https").then_some("--tls"));
        let mut process = Process::start("simulator", &mut command, stage.folder.path())?;
        let address = process
            .says("where it listens", START_MAX, |text| {
                text.lines().find_map(|line| address_of(line.strip_prefix("vCenter:")?))
            })
            .await?;
        Ok(Self { _process: process, address, scheme })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its SOAP URL, without a login.
    pub fn url(&self) -> String {
        format!("{}://{}/sdk", self.scheme, self.address)
    }

    /// A session of another client.
    pub async fn login(&self) -> Result<Soap> {
        Soap::login(self.address, Self::USERNAME, Self::PASSWORD).await
    }

    /// What VMware's Python client sees and does here.
    pub async fn visited_by_pyvmomi(&self, stage: &Stage) -> Result<Visited> {
        let script = include_str!("../../clients/python/vsphere.py");
        let mut command = tokio::process::Command::new(stage.tools.path(Tool::PyVmomi).await?);
        command.arg("-B").arg(stage.folder.write("vsphere.py", script)?).kill_on_drop(true);
        let (ip, port) = (self.address.ip().to_string(), self.address.port().to_string());
        command.args([self.scheme, &ip, &port]);
        command.args([Self::USERNAME, Self::PASSWORD]);
        let output = wait::at_most("pyVmomi", VISIT_MAX, async {
            command.output().await.context("failed to run pyVmomi")
        });
        let output = output.await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pyVmomi ended with {}: {said}", output.status);
        serde_json::from_slice(&output.stdout).context("pyVmomi told nothing")
    }

    /// `POST /control/<verb>`: the verbs are listed by `GET /control`.
    pub async fn control(&self, verb: &str) -> Result<()> {
        let answer = http::post(self.address, &format!("/control/{verb}")).await?;
        ensure!(answer.status() == 200, "control `{verb}` answered: {}", answer.text());
        Ok(())
    }

    /// What the cloud is and does.
    pub async fn status(&self) -> Result<Value> {
        self.get("/control/status").await?.json()
    }

    /// Waits until all of its recording has happened; gives how much that is.
    pub async fn until_played(&self, within: Duration) -> Result<u64> {
        super::until_played(within, async || self.status().await).await
    }

    /// Everything that ever happened, in order.
    pub async fn produced(&self) -> Result<Vec<Produced>> {
        let text = self.get("/control/events").await?.text();
        let parse = |line| serde_json::from_str(line).context("the truth is not as expected");
        text.lines().map(parse).collect()
    }

    async fn get(&self, target: &str) -> Result<Answer> {
        let answer = http::get(self.address, target).await?;
        ensure!(answer.status() == 200, "`{target}` answered: {}", answer.text());
        Ok(answer)
    }
}
