//! Sinks that need no server: a file of lines, and standard output.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use pluvio_e2e::{
    feed::Seen,
    servers::{Deployment, Setup, Simulator},
    stage::Stage,
    wait,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{report::Counts, runner::Scenario, scenarios::crashes::captured};

const EVENTS_PER_SECOND: u32 = 2_000;
const KILLS: u32 = 15;
const LIFE_MILLIS_MAX: u64 = 600;
const ARRIVAL_MAX: Duration = Duration::from_secs(60);

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "file sink: killed again and again, the lines of all files are the log, in order, once",
            killed_while_it_writes_files,
        )
        .within(Duration::from_secs(150)),
        Scenario::new(
            "stdout sink: what reads it may end, and Pluvio ends well where nothing else hands events on",
            a_reader_that_ends,
        ),
    ]
}

async fn killed_while_it_writes_files(stage: Arc<Stage>) -> Result<Counts> {
    let mut rng = StdRng::seed_from_u64(stage.seed);
    let simulator = Simulator::start(&stage, 0).await?;
    let folder = stage.folder.path().join("archive");
    fs::create_dir(&folder).context("failed to make a folder")?;
    let growing = folder.join("events.ndjson");
    let deployment = Deployment::of(&simulator).sink(
        "archive",
        &format!(
            "type = \"file\"\npath = \"{}\"\nrotate_size = \"1 MiB\"\ncompression = \"gzip\"",
            growing.display()
        ),
    );
    simulator.control(&format!("rate?per_second={EVENTS_PER_SECOND}")).await?;
    for _ in 0..KILLS {
        let mut pluvio = deployment.start(&stage).await?;
        pluvio.until_ready(ARRIVAL_MAX).await?;
        wait::a_moment(Duration::from_millis(rng.random_range(0..LIFE_MILLIS_MAX))).await;
        pluvio.kill().await?;
    }
    simulator.control("rate?per_second=0").await?;
    let mut pluvio = deployment.start(&stage).await?;
    let count = captured(&pluvio, &simulator).await?;
    let collector = pluvio.collect().await?;
    let served = collector.until("the log", ARRIVAL_MAX, |feed| feed.len() >= count).await;
    let feed = collector.seen();
    served?;
    let last = feed.last().context("the log is empty")?.offset()?;
    wait::until("the last event in the file", ARRIVAL_MAX, async || {
        Ok((newest(&growing) >= Some(last)).then_some(()))
    })
    .await?;
    pluvio.terminate(ARRIVAL_MAX).await?;
    let (files, written) = written(&folder, &growing)?;
    let (of_log, of_files) = (places(&feed), places(&written));
    let differs = of_log.iter().zip(&of_files).find(|(log, file)| log != file);
    ensure!(differs.is_none(), "the log and the files differ: {differs:?}");
    ensure!(of_log.len() == of_files.len(), "{} events, {} lines", of_log.len(), of_files.len());
    ensure!(files > 1, "no file was finished");
    Ok(Counts::default()
        .with("kills", KILLS)
        .with("files", files)
        .with("events", of_log.len())
        .with("missing", 0)
        .with("twice", 0))
}

fn places(feed: &[Seen]) -> Vec<(&str, &str)> {
    feed.iter().map(|seen| (seen.sequence.as_str(), seen.id.as_str())).collect()
}

/// The offset in the last whole line.
fn newest(path: &Path) -> Option<i64> {
    let content = fs::read(path).ok()?;
    let whole = content.strip_suffix(b"\n")?;
    let line = whole.rsplit(|byte| *byte == b'\n').next()?;
    Seen::parse(line).ok()?.offset().ok()
}

/// How many files there are, and all their lines: the finished ones by name, then the growing one.
fn written(folder: &Path, growing: &Path) -> Result<(usize, Vec<Seen>)> {
    let mut finished: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "gz") {
            finished.push(path);
        }
    }
    finished.sort();
    let mut lines = Vec::new();
    for path in &finished {
        let unpacked = Command::new("gzip").arg("-dc").arg(path).output()?;
        ensure!(unpacked.status.success(), "{} is no gzip file", path.display());
        lines.extend(unpacked.stdout);
    }
    lines.extend(fs::read(growing)?);
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok((finished.len() + 1, lines.map(Seen::parse).collect::<Result<_>>()?))
}

/// `pluvio run | head -3`.
async fn a_reader_that_ends(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 0).await?;
    let deployment =
        Deployment::of(&simulator).sink("lines", "type = \"stdout\"\nformat = \"cloudevents\"");
    // With a listener it would go on.
    let Setup::File(text) = deployment.setup() else { bail!("a deployment is a file") };
    let configuration = stage.folder.write("pluvio.toml", &text)?;
    let mut command = Command::new(&stage.pluvio);
    command.env_clear().current_dir(stage.folder.path()).arg("--config").arg(configuration);
    let mut pluvio = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let pipe = pluvio.stdout.take().context("there is no pipe")?;
    let mut head = Command::new("head").arg("-3").stdin(pipe).stdout(Stdio::piped()).spawn()?;
    let ended = both_end(&simulator, &mut head, &mut pluvio).await;
    if ended.is_err() {
        head.kill()?;
        pluvio.kill()?;
    }
    let status = ended?;
    let lines = head.wait_with_output()?.stdout;
    let lines: Vec<_> =
        lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    ensure!(lines.len() == 3, "{} lines", lines.len());
    for line in lines {
        Seen::parse(line)?;
    }
    ensure!(status.success(), "it ended with {status}");
    Ok(Counts::default().with("lines", 3).with("exit status", status.code().unwrap_or(-1)))
}

/// Events go on until both have ended.
async fn both_end(
    simulator: &Simulator,
    head: &mut Child,
    pluvio: &mut Child,
) -> Result<ExitStatus> {
    wait::until("the end of both", ARRIVAL_MAX, async || {
        simulator.control("post?count=5").await?;
        Ok(head.try_wait()?.and(pluvio.try_wait()?))
    })
    .await
}
