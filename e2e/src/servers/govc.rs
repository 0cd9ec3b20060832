//! VMware's command line, <https://github.com/vmware/govmomi/tree/main/govc>: a client that we did
//! not write, asked what it sees.

use std::{path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::process::Command;

use super::{Simulator, Vcsim};
use crate::{stage::Stage, wait};

/// How long one command may take.
const COMMAND_MAX: Duration = Duration::from_secs(30);

/// An event as `govc events -l -json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GovcEvent {
    /// The key.
    pub key: i64,
    /// The class.
    #[serde(rename = "type")]
    pub class: String,
    /// When it happened.
    pub created_time: Timestamp,
}

/// govc with a server to talk to.
#[derive(Clone, Debug)]
pub struct Govc {
    program: PathBuf,
    url: String,
    home: PathBuf,
}

impl Govc {
    /// For a vcsim.
    pub async fn of_vcsim(stage: &Stage, vcsim: &Vcsim) -> Result<Self> {
        let login = format!("://{}:{}@", Vcsim::USERNAME, Vcsim::PASSWORD);
        Self::of(stage, vcsim.url().replacen("://", &login, 1)).await
    }

    /// For a simulated vCenter of ours.
    pub async fn of_simulator(stage: &Stage, simulator: &Simulator) -> Result<Self> {
        let login = format!("://{}:{}@", Simulator::USERNAME, Simulator::PASSWORD);
        Self::of(stage, simulator.url().replacen("://", &login, 1)).await
    }

    async fn of(stage: &Stage, url: String) -> Result<Self> {
        let program = stage.tools.govc().await?;
        Ok(Self { program, url, home: stage.folder.path().to_owned() })
    }

    /// Runs a command and gives its standard output; another exit status than 0 is an error.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        let shown = format!("govc {}", arguments.join(" "));
        let output = Command::new(&self.program)
            .args(arguments)
            .env_clear()
            .env("HOME", &self.home)
            .env("GOVC_URL", &self.url)
            .env("GOVC_INSECURE", "1")
            .env("GOVC_PERSIST_SESSION", "false")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = wait::at_most(&shown, COMMAND_MAX, async {
            output.await.with_context(|| format!("failed to run {shown}"))
        });
        let output = output.await?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`{shown}` ended with {}: {errors}", output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The newest events, oldest first.
    pub async fn events(&self, count: usize) -> Result<Vec<GovcEvent>> {
        let count = count.to_string();
        let text = self.run(&["events", "-l", "-n", &count, "-json"]).await?;
        serde_json::Deserializer::from_str(&text)
            .into_iter()
            .map(|event| event.context("govc's events are not as expected"))
            .collect()
    }

    /// The paths of all virtual machines.
    pub async fn machines(&self) -> Result<Vec<String>> {
        let text = self.run(&["find", "-type", "m"]).await?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}
