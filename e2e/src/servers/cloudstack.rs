//! Pluvio's own simulated CloudStack, as `pluvio simulate cloudstack` gives it to users.

use std::{net::SocketAddr, process::Command};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde::Deserialize;

use super::{START_MAX, address_of};
use crate::{http, process::Process, stage::Stage};

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

/// A running simulated CloudStack.
#[derive(Debug)]
pub struct SimulatedCloudstack {
    _process: Process,
    address: SocketAddr,
}

impl SimulatedCloudstack {
    /// Starts this release with a silent workload and `backlog` events of the past day.
    pub async fn start(stage: &Stage, version: &str, backlog: usize) -> Result<Self> {
        let mut command = Command::new(&stage.pluvio);
        command
            .env_clear()
            .args(["simulate", "cloudstack", "--listen", "127.0.0.1:0", "--rate", "0"])
            .args(["--version", version, "--seed", &stage.seed.to_string()])
            .args(["--backlog", &backlog.to_string()]);
        let mut process = Process::start("cloudstack", &mut command, stage.folder.path())?;
        let address = process
            .says("where it listens", START_MAX, |text| {
                text.lines().find_map(|line| address_of(line.strip_prefix("CloudStack:")?))
            })
            .await?;
        Ok(Self { _process: process, address })
    }

    /// The section of a source that sees everything, with further lines.
    pub fn section(&self, name: &str, more: &str) -> String {
        format!(
            "[sources.{name}]\ntype = \"cloudstack\"\nurl = \"http://{}/client/api\"\n\
             api_key = \"simulated-api-key-admin\"\nsecret_key = \"simulated-secret-key-admin\"\n\
             {more}\n",
            self.address
        )
    }

    /// `POST /control/<verb>`: the verbs are listed by `GET /control`.
    pub async fn control(&self, verb: &str) -> Result<()> {
        let answer = http::post(self.address, &format!("/control/{verb}")).await?;
        ensure!(answer.status() == 200, "control `{verb}` answered: {}", answer.text());
        Ok(())
    }

    /// Everything that ever happened, in the order in which it was recorded.
    pub async fn happened(&self) -> Result<Vec<Happened>> {
        let answer = http::get(self.address, "/control/events").await?;
        ensure!(answer.status() == 200, "the truth is not told: {}", answer.text());
        let parse = |line| serde_json::from_str(line).context("the truth is not as expected");
        answer.text().lines().map(parse).collect()
    }
}
