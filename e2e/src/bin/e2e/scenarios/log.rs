//! What happened to the log while Pluvio was away, and what a wrong clock does: told, and never silent.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use pluvio_e2e::{
    feed::{self, Seen},
    servers::{Pluvio, Setup, Simulator, Source},
    stage::Stage,
    tools::Tool,
    wait,
};
use serde::Deserialize;
use tokio::process::Command;

use crate::{report::Counts, runner::Scenario};

const ARRIVAL_MAX: Duration = Duration::from_secs(30);
/// A life under a wrong clock: several looks of retention, each roll being one.
const LIFE: Duration = Duration::from_secs(3);
/// Enough that segments of the smallest size are sealed, and few enough for what is listed anew at each
/// start.
const EVENTS_PER_SECOND: u32 = 300;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "an active segment that was deleted, emptied, cut or changed is told and mended",
            a_lost_end_is_told,
        ),
        Scenario::new(
            "a clock ten years or a day off deletes nothing and no record gets its time",
            a_wrong_clock,
        )
        .needs(&[Tool::Faketime])
        .within(Duration::from_secs(400)),
    ]
}

type Hurt = fn(&Path) -> std::io::Result<()>;

const HURTS: [(&str, Hurt); 4] = [
    ("deleted", |path| fs::remove_file(path)),
    ("emptied", |path| fs::write(path, b"")),
    ("halved", |path| {
        let content = batches(&fs::read(path)?);
        fs::write(path, &content[..content.len() / 2])
    }),
    ("flipped", |path| {
        let mut content = batches(&fs::read(path)?);
        let last = content.len() - 10;
        content[last] ^= 1;
        fs::write(path, content)
    }),
];

/// A segment without the zeros behind its last batch.
fn batches(content: &[u8]) -> Vec<u8> {
    let end = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    content[..end].to_vec()
}

async fn a_lost_end_is_told(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 300).await?;
    let mut counts = Counts::default();
    for (what, hurt) in HURTS {
        let dir = format!("log-{what}");
        let source = Source { more: "begin = \"2h\"".to_owned(), ..Source::from(&simulator) };
        let setup = source.setup_with(&format!("dir = \"{dir}\""));
        let mut pluvio = Pluvio::start(&stage, &setup).await?;
        pluvio.until_ready(ARRIVAL_MAX).await?;
        let next = until_next(&pluvio, 200).await?;
        pluvio.terminate(ARRIVAL_MAX).await?;
        let segment = active(&stage.folder.path().join(&dir))?;
        hurt(&segment).with_context(|| format!("failed to hurt `{}`", segment.display()))?;
        let (code, told) = run(&stage, &["log", "verify", &dir]).await?;
        ensure!(code == 1 && told.contains("damaged"), "{what}: `log verify` says {code}: {told}");
        let refused = Pluvio::start(&stage, &setup).await.err();
        let refused = refused.with_context(|| format!("{what}: it started"))?;
        let refused = format!("{refused:#}");
        let name = segment.file_name().context("a segment without a name")?.to_string_lossy();
        ensure!(refused.contains(&*name), "{what}: refused without its name: {refused}");
        let (code, told) = run(&stage, &["log", "repair", &dir, "--yes"]).await?;
        ensure!(code == 0, "{what}: `log repair` says {code}: {told}");
        simulator.control("rate?per_second=20").await?;
        let mut pluvio = Pluvio::start(&stage, &setup).await?;
        let collector = pluvio.collect().await?;
        let is_over = |feed: &[Seen]| {
            feed.iter().any(Seen::is_gap)
                && feed.last().is_some_and(|seen| seen.offset().is_ok_and(|at| at > next))
        };
        collector.until("events behind the gap", ARRIVAL_MAX, is_over).await?;
        simulator.control("rate?per_second=0").await?;
        let feed = collector.seen();
        let gap = feed.iter().find(|seen| seen.is_gap()).context("no gap is told")?.offset()?;
        ensure!(gap == next - 1, "{what}: the gap lies at {gap}, the log had reached {next}");
        pluvio.terminate(ARRIVAL_MAX).await?;
        let (code, told) = run(&stage, &["log", "verify", &dir]).await?;
        ensure!(code == 0, "{what}: afterwards `log verify` says {code}: {told}");
        counts = counts.with(what, feed.len());
    }
    Ok(counts)
}

/// The only stream's last segment.
fn active(log: &Path) -> Result<PathBuf> {
    let listed = fs::read_dir(log.join("events")).context("failed to list the stream")?;
    let segments = listed.filter_map(|entry| Some(entry.ok()?.path()));
    let segments = segments.filter(|path| path.extension().is_some_and(|it| it == "log"));
    segments.max().context("the stream has no segment")
}

/// Runs a command of Pluvio; gives its exit code and all that it said.
async fn run(stage: &Stage, arguments: &[&str]) -> Result<(i32, String)> {
    let output = Command::new(&stage.pluvio)
        .args(arguments)
        .env_clear()
        .current_dir(stage.folder.path())
        .kill_on_drop(true)
        .output();
    let output = wait::at_most("pluvio log", ARRIVAL_MAX, async {
        output.await.context("failed to run `pluvio log`")
    });
    let output = output.await?;
    let text = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    Ok((output.status.code().context("`pluvio log` was killed")?, text.concat()))
}

#[derive(Default, Deserialize)]
struct Range {
    earliest: Option<i64>,
    latest: Option<i64>,
}

async fn range(pluvio: &Pluvio) -> Result<Range> {
    let answer = pluvio.get("/api/v1/range").await?;
    // Nothing is stored yet.
    if answer.text().is_empty() { Ok(Range::default()) } else { answer.json() }
}

/// Waits until the log holds an offset from `least` on; gives the one behind its newest.
async fn until_next(pluvio: &Pluvio, least: i64) -> Result<i64> {
    wait::until("events to be stored", ARRIVAL_MAX, async || {
        let latest = range(pluvio).await?.latest;
        Ok(latest.filter(|latest| *latest >= least).map(|latest| latest + 1))
    })
    .await
}

#[derive(Deserialize)]
struct Recorded {
    recordedtime: Timestamp,
}

/// How far the newest record's time is from now.
async fn off_by(pluvio: &Pluvio) -> Result<SignedDuration> {
    let latest = range(pluvio).await?.latest.context("nothing is stored")?;
    let page = pluvio.get(&format!("/api/v1/events?offset={latest}&limit=1")).await?;
    let page: Vec<Recorded> = page.json()?;
    let newest = page.first().context("the newest record is not served")?;
    Ok(newest.recordedtime.duration_since(Timestamp::now()).abs())
}

/// The simulated vCenter keeps the right time; only Pluvio's clock is set, at a start and while it runs.
async fn a_wrong_clock(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 0).await?;
    let setup = Source::from(&simulator).setup_with(
        "dir = \"log\"\nretention_age = \"1d\"\nsegment_size = \"1 MiB\"\ncompression = \"none\"",
    );
    simulator.control(&format!("rate?per_second={EVENTS_PER_SECOND}")).await?;
    let mut pluvio = faked(&stage, &setup, "+0").await?;
    let mut next = until_next(&pluvio, 1).await?;
    let first = range(&pluvio).await?.earliest;
    let mut lives = 0;
    // The first ones while it runs, the others at a start.
    for offset in ["+10y", "-10y", "+1d", "-1d", "+0"].repeat(2) {
        if lives == 5 {
            pluvio.terminate(ARRIVAL_MAX).await?;
        }
        if lives >= 5 {
            pluvio = faked(&stage, &setup, offset).await?;
        } else {
            set(&stage, offset)?;
        }
        let begun = tokio::time::Instant::now();
        while begun.elapsed() < LIFE {
            next = until_next(&pluvio, next + 1).await?;
        }
        let off = off_by(&pluvio).await?;
        ensure!(off < SignedDuration::from_mins(5), "{offset}: recorded {off:#} off");
        ensure!(range(&pluvio).await?.earliest == first, "{offset}: something was deleted");
        lives += 1;
        if lives > 5 {
            pluvio.terminate(ARRIVAL_MAX).await?;
        }
    }
    simulator.control("rate?per_second=0").await?;
    let pluvio = faked(&stage, &setup, "+0").await?;
    let captured = super::crashes::captured(&pluvio, &simulator).await?;
    feed::in_order_none_twice(&pluvio.collect().await?.seen())?;
    Ok(Counts::default().with("clocks", lives).with("captured", captured).with("twice", 0))
}

/// What libfaketime reads: from now on the clock is off by so much.
fn set(stage: &Stage, offset: &str) -> Result<PathBuf> {
    stage.folder.write("clock", offset)
}

/// Pluvio under a clock that is off.
async fn faked(stage: &Stage, setup: &Setup, offset: &str) -> Result<Pluvio> {
    let faketime = stage.tools.path(Tool::Faketime).await?;
    let clock = set(stage, offset)?;
    let pluvio = Pluvio::command(stage, setup)?;
    let mut command = std::process::Command::new("/bin/sh");
    command.arg(faketime).arg(pluvio.get_program()).args(pluvio.get_args()).env_clear();
    command.env("FAKETIME_TIMESTAMP_FILE", clock).env("FAKETIME_NO_CACHE", "1");
    command.env("DONT_FAKE_MONOTONIC", "1").env("PATH", "/usr/bin:/bin");
    Pluvio::start_command(stage, command).await
}
