//! Dead letters, handed over again: to the same target, with their own places, beside a running Pluvio.

use std::{process::Output, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    arrived::{self, EventId},
    servers::{Deployment, Reply, Simulator, Webhook},
    stage::Stage,
    wait,
};

use super::through::{SINK, caught_up, dead_letters};
use crate::{report::Counts, runner::Scenario, scenarios::crashes::captured};

const ARRIVAL_MAX: Duration = Duration::from_secs(60);
const EVENTS: usize = 60;
/// Keys of events that the target does not want at first.
const UNWANTED: [&str; 3] = ["11", "12", "40"];

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "dead letters: replayed beside a running Pluvio, they arrive with their own places",
            replayed,
        )
        .needs(&Webhook::TOOLS),
    ]
}

async fn replayed(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 0).await?;
    simulator.control(&format!("post?count={EVENTS}")).await?;
    let webhook = Webhook::start(&stage, false).await?;
    webhook.reply(&Reply::status(422).to(&UNWANTED)).await?;
    let lines = format!("type = \"webhook\"\nurl = \"{}\"", webhook.url());
    let deployment = Deployment::of(&simulator).sink(SINK, &lines);
    let mut pluvio = deployment.start(&stage).await?;
    captured(&pluvio, &simulator).await?;
    caught_up(&pluvio, SINK).await?;
    let dead = dead_letters(&pluvio).await?;
    ensure!(dead == UNWANTED.len() as u64, "{dead} dead letters");
    let before = arrived::events(&webhook.read()?)?.len();

    let none = replay(&stage, &["--reason", "no such reason"]).await?;
    said(&none, true, "0 handed over to `target` again")?;
    // One of them is still not wanted.
    webhook.reply_well().await?;
    webhook.reply(&Reply::status(422).to(&UNWANTED[2..])).await?;
    let first = replay(&stage, &[]).await?;
    said(&first, false, "2 handed over to `target` again")?;
    said(&first, false, "1 rejected again")?;
    webhook.reply_well().await?;
    let last = replay(&stage, &["--from", "2"]).await?;
    said(&last, true, "1 handed over to `target` again")?;

    let arrived = arrived::events(&webhook.read()?)?;
    ensure!(arrived.len() == before + UNWANTED.len(), "{} after {before}", arrived.len());
    let collector = pluvio.collect().await?;
    collector.until("the log", ARRIVAL_MAX, |feed| feed.len() >= EVENTS).await?;
    let feed = collector.seen();
    let again: Vec<&EventId> = arrived.iter().skip(before).collect();
    for event in &again {
        let stored = feed.iter().find(|seen| seen.id == event.id);
        let stored = stored.with_context(|| format!("`{}` was not captured", event.id))?;
        ensure!(event.sequence.as_ref() == Some(&stored.sequence), "{event:?} lies elsewhere");
    }
    pluvio.terminate(ARRIVAL_MAX).await?;
    Ok(Counts::default().with("dead letters", dead).with("replayed", again.len()))
}

/// `pluvio dead replay target` with further arguments.
async fn replay(stage: &Stage, more: &[&str]) -> Result<Output> {
    let output = tokio::process::Command::new(&stage.pluvio)
        .args(["--config", "pluvio.toml", "dead", "replay", SINK])
        .args(more)
        .env_clear()
        .current_dir(stage.folder.path())
        .kill_on_drop(true)
        .output();
    wait::at_most("the replay", ARRIVAL_MAX, async { output.await.context("failed to run it") })
        .await
}

fn said(output: &Output, is_success: bool, text: &str) -> Result<()> {
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(told.contains(text), "it said `{told}` and `{errors}`");
    ensure!(output.status.success() == is_success, "it ended with {}: {errors}", output.status);
    Ok(())
}
