//! Pluvio's own simulated vCenter, as `pluvio simulate vcenter` gives it to users: with a history
//! without end, and trouble on demand through its control URL.

use std::{net::SocketAddr, process::Command};

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

/// A running simulated vCenter.
#[derive(Debug)]
pub struct Simulator {
    _process: Process,
    address: SocketAddr,
}

impl Simulator {
    /// The only user.
    pub const USERNAME: &'static str = "user";
    /// Its password.
    pub const PASSWORD: &'static str = "cloudburst";

    /// Starts it with a silent workload and `backlog` events of the past day.
    pub async fn start(stage: &Stage, backlog: usize) -> Result<Self> {
        let mut command = Command::new(&stage.pluvio);
        command
            .env_clear()
            .args(["simulate", "vcenter", "--listen", "127.0.0.1:0", "--rate", "0"])
            .args(["--username", Self::USERNAME, "--password", Self::PASSWORD])
            .args(["--seed", &stage.seed.to_string()])
            .args(["--backlog", &backlog.to_string()]);
        let mut process = Process::start("simulator", &mut command, stage.folder.path())?;
        let address = process
            .says("where it listens", START_MAX, |text| {
                text.lines().find_map(|line| address_of(line.strip_prefix("vCenter:")?))
            })
            .await?;
        Ok(Self { _process: process, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its SOAP URL, without a login.
    pub fn url(&self) -> String {
        format!("http://{}/sdk", self.address)
    }

    /// A session of another client.
    pub async fn login(&self) -> Result<Soap> {
        Soap::login(self.address, Self::USERNAME, Self::PASSWORD).await
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
