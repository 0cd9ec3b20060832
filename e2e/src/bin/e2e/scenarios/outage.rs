//! Pluvio is away for a while, or its disk is: what happened meanwhile is there afterwards.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use pluvio_e2e::{
    feed::{self, Seen},
    process::Process,
    servers::{Deployment, Pluvio, Simulator, Vcsim, VcsimOptions},
    stage::Stage,
    tools::NotRun,
    wait,
};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::crashes::captured;
use crate::{report::Counts, runner::Scenario};

const ARRIVAL_MAX: Duration = Duration::from_secs(40);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "10,000 events while Pluvio is stopped are there when it is started again",
            ten_thousand_while_stopped,
        ),
        Scenario::new(
            "800 events of vcsim while Pluvio is stopped are there when it is started again",
            |stage| while_vcsim_goes_on(stage, 800),
        ),
        Scenario::new(
            "more than vcsim remembers while Pluvio is stopped become a gap event",
            |stage| while_vcsim_goes_on(stage, 2_500),
        ),
        Scenario::new("a second Pluvio on the same log is refused and names the first", a_second),
        Scenario::new("a full disk costs no event, is told, and is forgotten", a_full_disk),
    ]
}

async fn ten_thousand_while_stopped(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 0).await?;
    let deployment = Deployment::of(&simulator);
    let mut pluvio = deployment.start(&stage).await?;
    pluvio.until_ready(ARRIVAL_MAX).await?;
    simulator.control("post?count=500").await?;
    captured(&pluvio, &simulator).await?;
    let (status, _) = pluvio.terminate(ARRIVAL_MAX).await?;
    ensure!(status.code() == Some(0), "SIGTERM ended it with {status}");
    simulator.control("post?count=10000").await?;
    let pluvio = deployment.start(&stage).await?;
    let watched = captured(&pluvio, &simulator).await?;
    Ok(Counts::default().with("watched", watched))
}

/// vcsim remembers its newest 1,000 events only.
async fn while_vcsim_goes_on(stage: Arc<Stage>, events: u32) -> Result<Counts> {
    let vcsim = Vcsim::start(&stage, VcsimOptions { machines: 1, tls: false }).await?;
    let deployment = Deployment::of(&vcsim);
    let mut pluvio = deployment.start(&stage).await?;
    pluvio.until_ready(ARRIVAL_MAX).await?;
    let mut soap = vcsim.login().await?;
    let before = soap.newest_event().await?.key;
    let collector = pluvio.collect().await?;
    collector.until(&format!("key {before}"), ARRIVAL_MAX, |feed| has(feed, before)).await?;
    let (status, _) = pluvio.terminate(ARRIVAL_MAX).await?;
    ensure!(status.code() == Some(0), "SIGTERM ended it with {status}");
    for number in 0..events {
        soap.post_event("com.example.drop", &format!("drop {number}")).await?;
    }
    let pluvio = deployment.start(&stage).await?;
    let last = soap.newest_event().await?.key;
    let collector = pluvio.collect().await?;
    collector.until(&format!("key {last}"), ARRIVAL_MAX, |feed| has(feed, last)).await?;
    let feed = collector.seen();
    feed::in_order_none_twice(&feed)?;
    let keys = feed::keys_of_life(&feed, 1);
    // Logins are events, too: there may be newer ones.
    let last = keys.last().copied().unwrap_or_default().max(last);
    let lost = last - i64::try_from(keys.len())?;
    let gaps: Vec<usize> = (0..feed.len()).filter(|at| feed[*at].is_gap()).collect();
    if i64::from(events) < Vcsim::EVENTS_MAX {
        ensure!(gaps.is_empty(), "a gap event although nothing is lost");
        feed::keys_are_contiguous(&keys, 1, last)?;
    } else {
        let [gap] = gaps[..] else { bail!("{lost} events are lost, gap events are at {gaps:?}") };
        let (old, new) = feed.split_at(gap);
        let (old, new) = (feed::keys_of_life(old, 1), feed::keys_of_life(new, 1));
        feed::keys_are_contiguous(&old, 1, i64::try_from(old.len())?)?;
        feed::keys_are_contiguous(&new, last + 1 - i64::try_from(new.len())?, last)?;
        ensure!(lost > 0, "nothing was lost: this scenario is none");
    }
    Ok(Counts::default()
        .with("happened", last)
        .with("watched", keys.len())
        .with("lost", lost)
        .with("gap events", gaps.len()))
}

fn has(feed: &[Seen], key: i64) -> bool {
    feed.iter().rev().any(|seen| seen.key() == Some((key, 1)))
}

async fn a_second(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 0).await?;
    let deployment = Deployment::of(&simulator);
    let mut first = deployment.start(&stage).await?;
    first.until_ready(ARRIVAL_MAX).await?;
    let mut command = Pluvio::command(&stage, &deployment.setup())?;
    let mut second = Process::start("second", &mut command, stage.folder.path())?;
    let status = second.end(ARRIVAL_MAX).await?;
    let said = second.stderr();
    ensure!(!status.success(), "a second one lives");
    let holder = first.process().id().to_string();
    ensure!(said.contains(&holder), "the first, {holder}, is not named: {said}");
    ensure!(said.contains(Deployment::DATA), "the folder is not named: {said}");
    simulator.control("post?count=100").await?;
    captured(&first, &simulator).await?;
    Ok(Counts::default().with("exit status", status.code().unwrap_or_default()))
}

/// A file system in memory, in the scenario's folder; gone when dropped.
struct Mounted(std::path::PathBuf);

impl Mounted {
    fn new(stage: &Stage, megabytes: u32) -> Result<Self> {
        let path = stage.folder.path().join("small");
        fs::create_dir_all(&path).context("failed to make a folder")?;
        let options = std::ffi::CString::new(format!("size={megabytes}m"))?;
        match mount("tmpfs", &path, "tmpfs", MountFlags::empty(), options.as_c_str()) {
            Ok(()) => Ok(Self(path)),
            Err(error) => bail!(NotRun(format!("mount: {error}"))),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _gone_already = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// How long there is no room.
const FULL: Duration = Duration::from_secs(60);

/// Ballast fills the disk while events happen; then it is thrown off.
async fn a_full_disk(stage: Arc<Stage>) -> Result<Counts> {
    const MEGABYTES: u32 = 256;
    let small = Mounted::new(&stage, MEGABYTES)?;
    let simulator = Simulator::start(&stage, 0).await?;
    let log = format!("dir = \"{}/data\"\nretention_size = \"1 GiB\"", small.0.display());
    let deployment = Deployment::of(&simulator).log(&log);
    let mut pluvio = deployment.start(&stage).await?;
    pluvio.until_ready(ARRIVAL_MAX).await?;
    simulator.control("post?count=2000").await?;
    captured(&pluvio, &simulator).await?;

    let ballast = small.0.join("ballast");
    let filled = fill(&ballast)?;
    let ready = wait::until("/readyz to tell of the full disk", ARRIVAL_MAX, async || {
        simulator.control("post?count=2000").await?;
        let ready = pluvio.get("/readyz").await?;
        Ok((ready.status() == 503).then(|| ready.text()))
    })
    .await?;
    let said = ready.to_lowercase();
    let is_told = ["disk", "space", "full"].iter().any(|word| said.contains(word));
    ensure!(is_told, "/readyz does not tell of the disk: {ready}");
    ensure!(pluvio.get("/livez").await?.status() == 200, "it does not live any more");
    ensure!(pluvio.get("/api/v1/range").await?.status() == 200, "it does not serve any more");
    let full = Instant::now();
    wait::until("a minute under load without room", FULL * 2, async || {
        simulator.control("post?count=20").await?;
        ensure!(pluvio.process().ended()?.is_none(), "it ended");
        ensure!(pluvio.get("/livez").await?.status() == 200, "it does not live any more");
        ensure!(pluvio.get("/readyz").await?.status() == 503, "it is ready without room");
        Ok((full.elapsed() >= FULL).then_some(()))
    })
    .await?;

    fs::remove_file(&ballast).context("failed to throw off the ballast")?;
    pluvio.until_ready(ARRIVAL_MAX).await.context("after there was space again")?;
    let watched = captured(&pluvio, &simulator).await?;
    pluvio.terminate(ARRIVAL_MAX).await?;
    let again = deployment.start(&stage).await?;
    let after = captured(&again, &simulator).await.context("after a restart")?;
    drop(again);
    drop(small);
    Ok(Counts::default()
        .with("ballast MB", filled >> 20)
        .with("watched", watched)
        .with("after a restart", after))
}

/// Writes until nothing fits any more; gives how many bytes did.
fn fill(path: &std::path::Path) -> Result<u64> {
    use std::io::Write as _;
    let mut file = fs::File::create(path).context("failed to make the ballast")?;
    let (block, mut written) = (vec![0; 64 << 10], 0_u64);
    while let Ok(count @ 1..) = file.write(&block) {
        written += count as u64;
    }
    Ok(written)
}
