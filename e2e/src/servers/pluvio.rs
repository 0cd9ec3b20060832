//! The program under test, started as its users start it: with a file, or by `VCENTER_*` alone.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::{Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;

use super::{START_MAX, Simulator, Vcsim, address_of};
use crate::{
    feed::Collector,
    http::{self, Answer},
    process::Process,
    stage::Stage,
    wait,
};

/// How Pluvio learns what to do.
#[derive(Clone, Debug)]
pub enum Setup {
    /// A configuration file with this text. A listener on a free port of this machine is added.
    File(String),
    /// These variables, as vsphere-event-streaming has them; `PORT` and the folder of secrets are
    /// added. It then listens on all addresses, as that did.
    Environment(Vec<(&'static str, String)>),
}

/// A vCenter as a configuration names it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The SOAP URL.
    pub url: String,
    /// The user.
    pub username: &'static str,
    /// The password.
    pub password: &'static str,
    /// Further lines of the section, for example `begin = "1h"`.
    pub more: String,
}

impl Source {
    /// The section that describes it, with a new log that holds a storm: started with the same setup
    /// again, it goes on; with another, it begins anew.
    pub fn setup(&self) -> Setup {
        static LOGS: AtomicU32 = AtomicU32::new(0);
        let log = LOGS.fetch_add(1, Ordering::Relaxed);
        self.setup_with(&format!("dir = \"log-{log}\"\nretention_size = \"512 MiB\""))
    }

    /// The section that describes it, with these lines of `[log]`.
    pub fn setup_with(&self, log: &str) -> Setup {
        Setup::File(format!("[log]\n{log}\n\n{}\n", self.section("vcenter")))
    }

    /// Its section alone, under this name.
    pub(super) fn section(&self, name: &str) -> String {
        let Self { url, username, password, more } = self;
        format!(
            "[sources.{name}]\ntype = \"vsphere\"\nurl = \"{url}\"\n\
             username = \"{username}\"\npassword = \"{password}\"\n{more}\n"
        )
    }
}

impl From<&Vcsim> for Source {
    fn from(vcsim: &Vcsim) -> Self {
        let (username, password) = (Vcsim::USERNAME, Vcsim::PASSWORD);
        Self { url: vcsim.url(), username, password, more: String::new() }
    }
}

impl From<&Simulator> for Source {
    fn from(simulator: &Simulator) -> Self {
        let (username, password) = (Simulator::USERNAME, Simulator::PASSWORD);
        Self { url: simulator.url(), username, password, more: String::new() }
    }
}

/// A running Pluvio.
#[derive(Debug)]
pub struct Pluvio {
    process: Process,
    address: SocketAddr,
}

impl Pluvio {
    /// The command that starts it, in the scenario's folder.
    pub fn command(stage: &Stage, setup: &Setup) -> Result<Command> {
        let mut command = Command::new(&stage.pluvio);
        command.env_clear().current_dir(stage.folder.path());
        match setup {
            Setup::File(text) => {
                let listener = "[listeners.http]\nlisten = \"127.0.0.1:0\"\n";
                let path = stage.folder.write("pluvio.toml", &format!("{text}\n{listener}"))?;
                command.arg("--config").arg(path);
            }
            Setup::Environment(variables) => {
                command.env("PORT", "0").env("VCENTER_SECRET_PATH", stage.folder.path());
                command.envs(variables.iter().map(|(name, value)| (name, value)));
            }
        }
        Ok(command)
    }

    /// Starts it and waits until it serves; whether it captures is another question.
    pub async fn start(stage: &Stage, setup: &Setup) -> Result<Self> {
        Self::start_command(stage, Self::command(stage, setup)?).await
    }

    /// The same with a command of the scenario's own.
    pub async fn start_command(stage: &Stage, mut command: Command) -> Result<Self> {
        let mut process = Process::start("pluvio", &mut command, stage.folder.path())?;
        let mut address = process
            .says("where it serves", START_MAX, |text| {
                let line = text.lines().find(|line| line.contains("serving on http://"))?;
                address_of(line.split_whitespace().find(|word| word.starts_with("http://"))?)
            })
            .await?;
        address.set_ip(Ipv4Addr::LOCALHOST.into());
        Ok(Self { process, address })
    }

    /// Starts it on a vCenter and waits until it captures.
    pub async fn capture(stage: &Stage, source: impl Into<Source>) -> Result<Self> {
        let pluvio = Self::start(stage, &source.into().setup()).await?;
        pluvio.until_ready(START_MAX).await?;
        Ok(pluvio)
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process, for signals, memory and output.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// How much memory it has in use now.
    pub fn rss_bytes(&self) -> Result<u64> {
        self.process.rss_bytes()
    }

    /// Asks once.
    pub async fn get(&self, target: &str) -> Result<Answer> {
        http::get(self.address, target).await
    }

    /// `/api/v1/status`.
    pub async fn status(&self) -> Result<Value> {
        self.get("/api/v1/status").await?.json()
    }

    /// The only source's part of the status.
    pub async fn source(&self) -> Result<Value> {
        let status = self.status().await?;
        let components = status["components"].as_array().into_iter().flatten();
        let source = components.into_iter().find(|component| component["kind"] == "source");
        source.cloned().context("the status names no source")
    }

    /// Waits until `/readyz` says that it captures.
    pub async fn until_ready(&self, within: Duration) -> Result<()> {
        wait::until("Pluvio to capture", within, async || {
            Ok((self.get("/readyz").await?.status() == 200).then_some(()))
        })
        .await
    }

    /// Waits until it was connected again or tried to more than `before` times.
    pub async fn until_reconnected(&self, before: u64, within: Duration) -> Result<()> {
        wait::until("Pluvio to connect again", within, async || {
            let source = self.source().await?;
            let is_back =
                source["reconnects"].as_u64() > Some(before) && source["state"] == "running";
            Ok(is_back.then_some(()))
        })
        .await
    }

    /// How often it was connected again.
    pub async fn reconnects(&self) -> Result<u64> {
        self.source().await?["reconnects"].as_u64().context("the status counts no reconnects")
    }

    /// Collects everything from the earliest event on.
    pub async fn collect(&self) -> Result<Collector> {
        Collector::start(self.address, "offset=earliest").await
    }

    /// Asks it to stop and waits; gives the exit status and how long it took.
    pub async fn terminate(&mut self, within: Duration) -> Result<(ExitStatus, Duration)> {
        let begun = tokio::time::Instant::now();
        self.process.signal(Signal::TERM)?;
        let status = self.process.end(within).await?;
        Ok((status, begun.elapsed()))
    }

    /// Kills it at once.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.kill().await
    }
}

/// Runs a command of Pluvio that ends by itself, in the scenario's folder; gives its exit code and
/// its standard error.
pub async fn run_pluvio(
    stage: &Stage,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Result<(i32, String)> {
    let output = tokio::process::Command::new(&stage.pluvio)
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(stage.folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let shown = format!("pluvio {}", arguments.join(" "));
    let output = wait::at_most(&shown, START_MAX, async {
        output.await.with_context(|| format!("failed to run `{shown}`"))
    });
    let output = output.await?;
    ensure!(output.stdout.is_empty(), "`{shown}` printed to standard output");
    let code = output.status.code().with_context(|| format!("`{shown}` was killed"))?;
    Ok((code, String::from_utf8_lossy(&output.stderr).into_owned()))
}
