//! The clients that are timed: what they read is thrown away.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    kafka::{Access, Admin},
    stage::Stage,
    tools::Tool,
    wait,
};
use tokio::process::Command;

/// One run over everything.
const RUN_MAX: Duration = Duration::from_secs(120);

/// kcat from the beginning to the end: how long it took in seconds, its start included.
pub(super) async fn librdkafka(stage: &Stage, access: &Access, topic: &str) -> Result<f64> {
    let mut kcat = Command::new(stage.tools.path(Tool::Kcat).await?);
    kcat.args(["-b", &access.address.to_string(), "-C", "-t", topic, "-p", "0"]);
    kcat.args(["-o", "beginning", "-e", "-q"]);
    // Else it stops fetching for a second whenever 100,000 messages wait for it to print them: that
    // second would be all that is measured.
    kcat.args(["-X", "queued.min.messages=10000000"]);
    kcat.args(["-X", "queued.max.messages.kbytes=2000000"]);
    kcat.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let begun = Instant::now();
    let output =
        wait::at_most("kcat", RUN_MAX, async { kcat.output().await.context("failed to run kcat") });
    let output = output.await?;
    let taken = begun.elapsed().as_secs_f64();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kcat ended with {}: {errors}", output.status);
    Ok(taken)
}

/// Kafka's own measuring consumer: MB/s of its fetching, the machine's start excluded.
pub(super) async fn console(
    stage: &Stage,
    access: &Access,
    topic: &str,
    records: usize,
) -> Result<f64> {
    let admin = Admin::new(stage, access)?;
    let records = records.to_string();
    let said = admin.performance(&["--topic", topic, "--num-records", &records]).await?;
    let said = said.ok()?;
    let row = said.lines().rev().find(|line| line.contains(',')).context("nothing was measured")?;
    let fields: Vec<&str> = row.split(',').map(str::trim).collect();
    // Begin, end, MB, MB/s, records, records/s, ms of rebalance, ms of fetching, MB/s of fetching.
    let number = |at: usize| -> Result<f64> {
        let text = fields.get(at).with_context(|| format!("too few figures: {row}"))?;
        text.parse().with_context(|| format!("`{text}` is no number"))
    };
    let wanted: f64 = records.parse()?;
    ensure!(number(4)? >= wanted, "{} of {records} records", number(4)?);
    number(8)
}
