//! VMware's own simulator, <https://github.com/vmware/govmomi/tree/main/vcsim>.
//!
//! Traps that this module knows: a user name with an `@` can never log in; the line it prints is not
//! quoted for a shell, so it is read and not sourced; port 0 works, but for a second life on the
//! same port the first one's port is given.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{START_MAX, address_of};
use crate::{
    process::Process,
    soap::{PowerStorm, Soap},
    stage::Stage,
};

/// How it is started.
#[derive(Clone, Copy, Debug)]
pub struct VcsimOptions {
    /// Machines in each of its two pools; each takes three to six events to make.
    pub machines: u32,
    /// With TLS, by a certificate that nobody signed.
    pub tls: bool,
}

/// A running vcsim.
#[derive(Debug)]
pub struct Vcsim {
    program: PathBuf,
    options: VcsimOptions,
    process: Process,
    address: SocketAddr,
    folder: PathBuf,
}

impl Vcsim {
    /// The only user.
    pub const USERNAME: &'static str = "admin";
    /// Its password.
    pub const PASSWORD: &'static str = "rain-gauge";
    /// Newest events that it remembers, and unread ones that a collector survives.
    pub const EVENTS_MAX: i64 = 1000;

    /// Starts it on a free port and waits until it serves.
    pub async fn start(stage: &Stage, options: VcsimOptions) -> Result<Self> {
        Self::start_on(stage, options, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts it on this port.
    pub async fn start_on(
        stage: &Stage,
        options: VcsimOptions,
        listen: SocketAddr,
    ) -> Result<Self> {
        let program = stage.tools.vcsim().await?;
        let folder = stage.folder.path().to_owned();
        let (process, address) = launch(&program, options, listen, &folder).await?;
        Ok(Self { program, options, process, address, folder })
    }

    /// Kills it and starts it on the same port: its events are gone and its keys begin again.
    pub async fn kill_and_restart(&mut self) -> Result<()> {
        self.process.kill().await?;
        let (process, _) = launch(&self.program, self.options, self.address, &self.folder).await?;
        self.process = process;
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its SOAP URL, without a login.
    pub fn url(&self) -> String {
        let scheme = if self.options.tls { "https" } else { "http" };
        format!("{scheme}://{}/sdk", self.address)
    }

    /// A session of another client; not over TLS.
    pub async fn login(&self) -> Result<Soap> {
        Soap::login(self.address, Self::USERNAME, Self::PASSWORD).await
    }

    /// A storm of power operations over four connections; not over TLS.
    pub fn storm(&self, events_per_second: f64, duration: std::time::Duration) -> PowerStorm {
        PowerStorm {
            address: self.address,
            username: Self::USERNAME.to_owned(),
            password: Self::PASSWORD.to_owned(),
            connections: 4,
            events_per_second,
            duration,
        }
    }
}

async fn launch(
    program: &Path,
    options: VcsimOptions,
    listen: SocketAddr,
    folder: &Path,
) -> Result<(Process, SocketAddr)> {
    let mut command = Command::new(program);
    command
        .args(["-l", &listen.to_string()])
        .args(["-username", Vcsim::USERNAME, "-password", Vcsim::PASSWORD])
        .args(["-vm", &options.machines.to_string()])
        .arg(format!("-tls={}", options.tls));
    let mut process = Process::start("vcsim", &mut command, folder)?;
    let url = process
        .says("GOVC_SIM_PID", START_MAX, |text| {
            let line = text.lines().find(|line| line.contains("GOVC_SIM_PID="))?;
            let words = line.split_whitespace();
            words.filter_map(|word| word.strip_prefix("GOVC_URL=")).map(str::to_owned).next()
        })
        .await?;
    let address = address_of(&url).with_context(|| format!("vcsim's address is not in `{url}`"))?;
    Ok((process, address))
}
