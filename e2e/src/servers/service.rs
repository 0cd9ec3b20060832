//! A server that may be down for a while and then be back at the same ports with the same data.
//!
//! It is ready when it says so or answers, and never because time has passed. Each life writes logs
//! of its own, so that what an earlier one said is no answer.

use std::{net::SocketAddr, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::{folder::Folder, http, process::Process, stage::Stage, tls::Certificates, wait};

/// How long one may take to start on a busy machine.
const START_MAX: Duration = Duration::from_secs(90);
/// How long it may take to end when it is asked to.
const STOP_MAX: Duration = Duration::from_secs(30);

/// What shows that it serves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ready {
    /// It has said this.
    Says(&'static str),
    /// It takes connections.
    Accepts(SocketAddr),
    /// It answers this target with 200.
    Answers(SocketAddr, &'static str),
}

/// A server with its command line; stopped when dropped.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    command: Command,
    ready: Ready,
    folder: PathBuf,
    /// Its last life.
    process: Process,
}

impl Service {
    /// Starts it and waits until it serves.
    pub(super) async fn start(
        stage: &Stage,
        name: &'static str,
        command: Command,
        ready: Ready,
    ) -> Result<Self> {
        let mut service = Self::begin(stage, name, command, ready)?;
        service.until_ready().await?;
        Ok(service)
    }

    /// Starts it; for those that are only ready together with others.
    pub(super) fn begin(
        stage: &Stage,
        name: &'static str,
        mut command: Command,
        ready: Ready,
    ) -> Result<Self> {
        let folder = stage.folder.path().to_owned();
        let process = Process::start(name, &mut command, &folder)?;
        Ok(Self { name, command, ready, folder, process })
    }

    /// Waits until it serves.
    pub(super) async fn until_ready(&mut self) -> Result<()> {
        let (ready, process) = (self.ready, &mut self.process);
        if let Ready::Says(text) = ready {
            return process.says(text, START_MAX, |it| it.contains(text).then_some(())).await;
        }
        wait::until(&format!("{} to serve", self.name), START_MAX, async || {
            if let Some(status) = process.ended()? {
                let said = [process.stdout(), process.stderr()].concat();
                bail!("{} ended with {status}: {said}", self.name);
            }
            Ok(serves(ready).await.then_some(()))
        })
        .await
    }

    /// Starts it with the same ports and data, and waits until it serves.
    pub async fn start_again(&mut self) -> Result<()> {
        ensure!(self.process.ended()?.is_some(), "{} runs already", self.name);
        self.process = Process::start(self.name, &mut self.command, &self.folder)?;
        self.until_ready().await
    }

    /// Asks it to end and waits for that.
    pub async fn stop(&mut self) -> Result<()> {
        self.process.signal(Signal::TERM)?;
        self.process.end(STOP_MAX).await.map(|_| ())
    }

    /// Ends it at once.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.kill().await
    }

    /// Asks it to end, and starts it again.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.start_again().await
    }

    /// The process of its last life, for its memory and output.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

async fn serves(ready: Ready) -> bool {
    match ready {
        Ready::Says(_) => false,
        Ready::Accepts(address) => TcpStream::connect(address).await.is_ok(),
        Ready::Answers(address, target) => {
            http::get(address, target).await.is_ok_and(|answer| answer.status() == 200)
        }
    }
}

/// A folder in the scenario's, for one server, with certificates in it.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) path: PathBuf,
    pub(super) tls: Certificates,
}

impl Home {
    /// `number` is a port of the server's, and tells two of a kind apart.
    pub(super) fn make(folder: &Folder, name: &str, number: u16) -> Result<Self> {
        let path = folder.path().join(format!("{name}-{number}"));
        std::fs::create_dir_all(path.join("data"))
            .with_context(|| format!("failed to make `{}`", path.display()))?;
        let tls = Certificates::make_in(&path)?;
        Ok(Self { path, tls })
    }

    /// Where its data goes.
    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Writes a file and gives its path.
    pub(super) fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        std::fs::write(&path, content)
            .with_context(|| format!("failed to write `{}`", path.display()))?;
        Ok(path)
    }
}
