//! A sink that an operator moves: beside a running Pluvio that is killed right after the answer, and
//! without one.

use std::{process::Output, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    arrived,
    servers::{Deployment, Simulator, Webhook},
    stage::Stage,
    wait,
};

use super::through::{SINK, caught_up, sink};
use crate::{report::Counts, runner::Scenario, scenarios::crashes::captured};

const ARRIVAL_MAX: Duration = Duration::from_secs(60);
const EVENTS: usize = 200;
/// Kills, each right behind an answer.
const ROUNDS: usize = 5;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "sink seek: killed right after the answer, the sink begins where it was moved to",
            moved_and_killed,
        )
        .needs(&Webhook::TOOLS),
    ]
}

async fn moved_and_killed(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 0).await?;
    simulator.control(&format!("post?count={EVENTS}")).await?;
    let webhook = Webhook::start(&stage, false).await?;
    let lines = format!("type = \"webhook\"\nurl = \"{}\"", webhook.url());
    let deployment = Deployment::of(&simulator).sink(SINK, &lines);
    let mut pluvio = deployment.start(&stage).await?;
    captured(&pluvio, &simulator).await?;
    caught_up(&pluvio, SINK).await?;
    let places: Vec<String> = sequences(&webhook)?;
    ensure!(places.len() >= EVENTS, "{} arrived", places.len());
    let to = places.get(places.len() / 2).context("nothing arrived")?;
    let begin = to.clone();
    let to = to.trim_start_matches('0');

    let expected = stretch(&webhook, &begin)?;
    let dry = seek(&stage, &["--to", to, "--dry-run"]).await?;
    said(&dry, true, &format!("{} events would be handed over again", expected.len()))?;
    let mut repeated = 0;
    for _ in 0..ROUNDS {
        let before = sequences(&webhook)?.len();
        let expected = stretch(&webhook, &begin)?;
        let moved = seek(&stage, &["--to", to]).await?;
        pluvio.kill().await?;
        said(&moved, true, &format!("{} events will be handed over again", expected.len()))?;
        pluvio = deployment.start(&stage).await?;
        pluvio.until_ready(ARRIVAL_MAX).await?;
        captured(&pluvio, &simulator).await?;
        caught_up(&pluvio, SINK).await?;
        let mut again = sequences(&webhook)?.split_off(before);
        repeated += again.len();
        again.sort();
        again.dedup();
        forget_later(&mut again, &expected);
        ensure!(again == expected, "{} arrived again, not {}", again.len(), expected.len());
    }
    let status = sink(&pluvio, SINK).await?;
    let sought = status["sink"]["sought"]["to"].as_i64().map(|place| place.to_string());
    ensure!(sought.as_deref() == Some(to), "the status tells of a move to {sought:?}");

    pluvio.terminate(ARRIVAL_MAX).await?;
    let before = sequences(&webhook)?.len();
    let expected = stretch(&webhook, &begin)?;
    let ahead = seek(&stage, &["--to", to, "--until", "999999999"]).await?;
    said(&ahead, false, "")?;
    said(&seek(&stage, &["--to", to]).await?, true, "for the next start of Pluvio")?;
    let mut pluvio = deployment.start(&stage).await?;
    pluvio.until_ready(ARRIVAL_MAX).await?;
    captured(&pluvio, &simulator).await?;
    caught_up(&pluvio, SINK).await?;
    let mut again = sequences(&webhook)?.split_off(before);
    forget_later(&mut again, &expected);
    ensure!(again == expected, "{} arrived again, not {}", again.len(), expected.len());
    pluvio.terminate(ARRIVAL_MAX).await?;
    Ok(Counts::default().with("kills", ROUNDS).with("repeated", repeated + again.len()))
}

/// The places that have arrived from `begin` on, each once.
fn stretch(webhook: &Webhook, begin: &str) -> Result<Vec<String>> {
    let mut places = sequences(webhook)?;
    places.retain(|place| place.as_str() >= begin);
    places.sort();
    places.dedup();
    Ok(places)
}

/// Leaves out what has happened since: each start of Pluvio logs in, which is an event of its own.
fn forget_later(again: &mut Vec<String>, expected: &[String]) {
    again.retain(|place| Some(place) <= expected.last());
}

/// `sequence` of everything that arrived, in order.
fn sequences(webhook: &Webhook) -> Result<Vec<String>> {
    let arrived = arrived::events(&webhook.read()?)?;
    arrived.into_iter().map(|event| event.sequence.context("an event has no sequence")).collect()
}

/// `pluvio sink seek target` with further arguments.
async fn seek(stage: &Stage, more: &[&str]) -> Result<Output> {
    let output = tokio::process::Command::new(&stage.pluvio)
        .args(["--config", "pluvio.toml", "sink", "seek", SINK])
        .args(more)
        .env_clear()
        .current_dir(stage.folder.path())
        .kill_on_drop(true)
        .output();
    wait::at_most("the command", ARRIVAL_MAX, async { output.await.context("failed to run it") })
        .await
}

fn said(output: &Output, is_success: bool, text: &str) -> Result<()> {
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(told.contains(text), "it said `{told}` and `{errors}`");
    ensure!(output.status.success() == is_success, "it ended with {}: {errors}", output.status);
    Ok(())
}
