//! What watches a vCenter in many data centres, and was not written by us: vmware_exporter, which Prometheus
//! scrapes, checkvsphere, which Nagios and Icinga call, and Telegraf's plugin.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::{Simulator, free_address};
use crate::{http, process::Process, stage::Stage, tools::Tool, wait};

/// How long one look may take; each begins with a whole inventory.
const LOOK_MAX: Duration = Duration::from_secs(60);

/// Commands of checkvsphere that need nothing but what every vCenter has, with values that a healthy one
/// passes. The others look into a host's hardware, which is not simulated.
const CHECKS: [&str; 14] = [
    "about",
    "list-metrics",
    "datastores",
    "host-runtime --mode con --vihost {host}",
    "host-runtime --mode status --vihost {host}",
    "host-runtime --mode version --vihost {host}",
    "media",
    "perf --vimtype HostSystem --vimname {host} --perfcounter mem:usage:average",
    "power-state",
    "snapshots --mode age --warning 3650",
    "snapshots --mode count --critical 100",
    "vm-net-dev --mode start-unconnected",
    "vm-tools",
    "cluster-health --cluster-name {cluster} --cluster-threshold 1:10",
];

/// A check, and whether it was satisfied.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Its command.
    pub command: String,
    /// Whether it ended with status 0: `OK`.
    pub is_ok: bool,
    /// What it said.
    pub said: String,
}

/// vmware_exporter and checkvsphere on a simulated vCenter.
#[derive(Debug)]
pub struct Monitors {
    _exporter: Process,
    metrics: SocketAddr,
    python: PathBuf,
    check: PathBuf,
    vcenter: SocketAddr,
}

impl Monitors {
    /// Starts the exporter.
    pub async fn of(stage: &Stage, simulator: &Simulator) -> Result<Self> {
        let python = stage.tools.path(Tool::Monitors).await?;
        let programs = python.parent().context("Python has no folder")?;
        let (metrics, vcenter) = (free_address()?, simulator.address());
        // The scripts begin with the path that their Python had while it was installed.
        let mut command = std::process::Command::new(&python);
        command
            .arg(programs.join("vmware_exporter"))
            .env_clear()
            .env("VSPHERE_HOST", vcenter.to_string())
            .env("VSPHERE_USER", Simulator::USERNAME)
            .env("VSPHERE_PASSWORD", Simulator::PASSWORD)
            .env("VSPHERE_IGNORE_SSL", "True")
            .args(["-a", &metrics.ip().to_string(), "-p", &metrics.port().to_string()]);
        let exporter = Process::start("vmware_exporter", &mut command, stage.folder.path())?;
        let check = programs.join("check_vsphere");
        Ok(Self { _exporter: exporter, metrics, python, check, vcenter })
    }

    /// How many samples the exporter has of each metric of a vCenter.
    pub async fn exported(&self) -> Result<BTreeMap<String, usize>> {
        wait::until("vmware_exporter to export", LOOK_MAX, async || {
            let Ok(answer) = http::get(self.metrics, "/metrics").await else { return Ok(None) };
            let mut samples = BTreeMap::new();
            for line in answer.text().lines().filter(|line| line.starts_with("vmware_")) {
                let name = line.split(['{', ' ']).next().unwrap_or_default();
                *samples.entry(name.to_owned()).or_insert(0) += 1;
            }
            Ok((answer.status() == 200 && !samples.is_empty()).then_some(samples))
        })
        .await
    }

    /// What checkvsphere says to each of its commands.
    pub async fn checked(&self) -> Result<Vec<Checked>> {
        let mut checked = Vec::new();
        for command in CHECKS {
            let command = command.replace("{host}", "esx-01.dc1.example.com");
            let command = command.replace("{cluster}", "Compute-A");
            let mut check = Command::new(&self.python);
            check
                .arg(&self.check)
                .env_clear()
                .args(command.split(' '))
                .args(["-s", &self.vcenter.ip().to_string()])
                .args(["-o", &self.vcenter.port().to_string()])
                .args(["-u", Simulator::USERNAME, "-p", Simulator::PASSWORD, "-nossl"]);
            let (is_ok, said) = run(&mut check, &command).await?;
            checked.push(Checked { command, is_ok, said });
        }
        Ok(checked)
    }

    /// How many metrics of each measurement Telegraf's plugin gathers.
    pub async fn telegraf(stage: &Stage, simulator: &Simulator) -> Result<BTreeMap<String, usize>> {
        let mut command = Command::new(stage.tools.path(Tool::Telegraf).await?);
        command.arg(simulator.url()).args([Simulator::USERNAME, Simulator::PASSWORD]);
        let (is_ok, said) = run(&mut command, "Telegraf").await?;
        ensure!(is_ok, "Telegraf failed: {said}");
        serde_json::from_str(&said).with_context(|| format!("Telegraf told {said}"))
    }
}

/// Whether a command ended with status 0, and what it said.
async fn run(command: &mut Command, name: &str) -> Result<(bool, String)> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = wait::at_most(name, LOOK_MAX, async {
        command.output().await.with_context(|| format!("failed to run {name}"))
    });
    let output = output.await?;
    let said = match output.stdout.is_empty() {
        true => output.stderr,
        false => output.stdout,
    };
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}
