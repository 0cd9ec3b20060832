//! What the benchmarks start, by the harness of the end-to-end tests.

use std::{
    net::SocketAddr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use pluvio_e2e::{
    folder::Folder,
    http,
    process::Process,
    servers::{Pluvio, START_MAX, Setup, Simulator, Source, Vcsim, VcsimOptions},
    stage::Stage,
    tools::Tools,
};
use serde::Deserialize;

use crate::bare;

/// How long a log may take to hold what it shall.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a sink is asked where it stands.
const REACHED_PAUSE: Duration = Duration::from_millis(10);

/// Names another build of Pluvio to measure, to compare two of them.
const OTHER_BUILD: &str = "PLUVIO_BENCH_BINARY";

/// Names an earlier build of Pluvio, to be measured beside this one where a goal compares the two.
const EARLIER_BUILD: &str = "PLUVIO_BENCH_EARLIER";

/// What `/api/v1/range` tells; nothing while the stream is empty.
#[derive(Debug, Default, Deserialize)]
struct Range {
    earliest: Option<i64>,
    latest: Option<i64>,
}

/// Builds Pluvio.
pub(crate) fn stage(root: &Path) -> Result<Stage> {
    let pluvio = match std::env::var_os(OTHER_BUILD) {
        Some(other) => std::path::absolute(other)?,
        None => built(root)?,
    };
    Ok(Stage { folder: Folder::new("bench")?, seed: 1, pluvio, tools: Tools::on_demand(tell) })
}

/// The same stage for the earlier build, if one is named.
pub(crate) fn earlier(stage: &Stage) -> Result<Option<Stage>> {
    let Some(pluvio) = std::env::var_os(EARLIER_BUILD) else { return Ok(None) };
    let pluvio = std::path::absolute(pluvio)?;
    Ok(Some(Stage { pluvio, ..stage.with(Folder::new("bench-earlier")?) }))
}

fn built(root: &Path) -> Result<std::path::PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(root).args(["build", "--quiet", "--release", "-p", "pluvio"]);
    ensure!(build.status()?.success(), "failed to build pluvio");
    let own = std::env::current_exe()?;
    Ok(own.parent().context("this program is in no folder")?.join("pluvio"))
}

/// VMware's simulator over TLS, as large as it is by default.
pub(crate) async fn vcsim(stage: &Stage) -> Result<Vcsim> {
    Vcsim::start(stage, VcsimOptions { machines: 2, tls: true }).await
}

/// Pluvio, configured to reach back over a simulator's whole past.
pub(crate) async fn pluvio(stage: &Stage, source: impl Into<Source>) -> Result<Pluvio> {
    let more = "begin = \"2d\"\ntls.insecure = true".to_owned();
    let source = Source { more, ..source.into() };
    Pluvio::start(stage, &source.setup()).await
}

/// Pluvio on a log that lies in `folder`.
pub(crate) async fn pluvio_on(
    stage: &Stage,
    simulator: &Simulator,
    folder: &Path,
) -> Result<Pluvio> {
    let log = format!("dir = \"{}\"\nretention_size = \"100 GiB\"", folder.display());
    Pluvio::start(stage, &Source::from(simulator).setup_with(&log)).await
}

/// [`pluvio`] that is connected and holds everything: the backlog, and what the login made.
pub(crate) async fn pluvio_with(stage: &Stage, simulator: &Simulator) -> Result<Pluvio> {
    let pluvio = pluvio(stage, simulator).await?;
    pluvio.until_ready(START_MAX).await?;
    let made = simulator.produced().await?.len();
    holds(&pluvio, made, Duration::from_millis(10)).await?;
    Ok(pluvio)
}

/// As a Deployment starts it: by environment variables, everything else as it comes.
pub(crate) fn by_environment(stage: &Stage, vcsim: &Vcsim) -> Result<Setup> {
    stage.folder.write("username", Vcsim::USERNAME)?;
    stage.folder.write("password", Vcsim::PASSWORD)?;
    let url = ("VCENTER_URL", vcsim.url());
    Ok(Setup::Environment(vec![url, ("VCENTER_INSECURE", "true".to_owned())]))
}

/// Until so many events are in the log; asks each `pause`.
pub(crate) async fn holds(pluvio: &Pluvio, events: usize, pause: Duration) -> Result<()> {
    let begun = Instant::now();
    loop {
        let range: Range = pluvio.get("/api/v1/range").await?.json().unwrap_or_default();
        let count = range.latest.zip(range.earliest).map_or(0, |(last, first)| last - first + 1);
        if usize::try_from(count)? >= events {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            bail!("{count} of {events} events in the log after {PATIENCE:?}");
        }
        tokio::time::sleep(pause).await;
    }
}

/// `POST`, answered with success.
pub(crate) async fn post(address: SocketAddr, target: &str) -> Result<()> {
    let answer = http::post(address, target).await?;
    ensure!(answer.status() == 200, "{target} was answered {}", answer.status());
    Ok(())
}

/// The bare writer: this program in another role, see [`bare`].
#[derive(Debug)]
pub(crate) struct Bare {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Bare {
    /// Serves `lines`.
    pub(crate) async fn start(stage: &Stage, lines: &[u8]) -> Result<Bare> {
        let file = stage.folder.write("lines.ndjson", str::from_utf8(lines)?)?;
        // By its open file, which stays what it is when a build replaces the one at its path.
        let mut command = Command::new("/proc/self/exe");
        command.arg(bare::ROLE).arg(file);
        let mut process = Process::start("bare", &mut command, stage.folder.path())?;
        let address = |said: &str| said.lines().next()?.parse().ok();
        let address = process.says("its address", START_MAX, address).await?;
        Ok(Bare { process, address })
    }
}

/// Tells how it goes, on standard error.
pub(crate) fn tell(text: &str) {
    use std::io::Write as _;
    let _nobody_listens = writeln!(std::io::stderr(), "{text}");
}

/// Waits until a sink stands at an offset or behind it; gives where.
pub(crate) async fn reaches(pluvio: &Pluvio, name: &str, offset: i64) -> Result<i64> {
    let begun = Instant::now();
    loop {
        let status = pluvio.status().await?;
        let components = status["components"].as_array().into_iter().flatten();
        let sink = components.into_iter().find(|it: &&serde_json::Value| it["name"] == name);
        let at = sink.and_then(|sink| sink["sink"]["offset"].as_i64()).unwrap_or_default();
        if at >= offset {
            return Ok(at);
        }
        ensure!(begun.elapsed() < PATIENCE, "`{name}` is at {at}: {status}");
        tokio::time::sleep(REACHED_PAUSE).await;
    }
}
