//! A vCenter that cannot be read: Pluvio keeps serving, says why, and does not hammer.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use pluvio_e2e::{
    relay::Relay,
    servers::{Pluvio, Source, Vcsim, VcsimOptions, free_address},
    stage::Stage,
    wait,
};
use serde_json::Value;

use crate::{
    report::Counts,
    runner::{Lane, Scenario},
};

const START_MAX: Duration = Duration::from_secs(30);
/// For how long nobody may hammer.
const OBSERVATION: Duration = Duration::from_secs(6);
/// Attempts in that time: after one second, two more, four more.
const ATTEMPTS_MAX: u64 = 5;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("a wrong password is told, and tried only once", a_wrong_password),
        Scenario::new(
            "a certificate that is not trusted is told with its thumbprint, which then helps",
            a_certificate_that_is_not_trusted,
        ),
        Scenario::new("a name that is not resolved is told", a_name_that_is_not_resolved),
        Scenario::new("a port that refuses is told, and found when it opens", a_port_that_refuses),
    ]
    .into_iter()
    .map(|scenario| scenario.lane(Lane::Patient))
    .collect()
}

async fn a_wrong_password(stage: Arc<Stage>) -> Result<Counts> {
    let vcsim = Vcsim::start(&stage, VcsimOptions { machines: 1, tls: false }).await?;
    let relay = Relay::start(vcsim.address(), "<Login ").await?;
    let url = format!("http://{}/sdk", relay.address());
    let source = Source { url, password: "not-the-password", ..Source::from(&vcsim) };
    let mut pluvio = Pluvio::start(&stage, &source.setup()).await?;
    let error = until_error(&pluvio).await?;
    let remedy = error["remedy"].as_str().unwrap_or_default();
    ensure!(remedy.contains("password"), "the remedy does not name the password: {remedy}");
    let source = pluvio.source().await?;
    let retry_at: Timestamp = source["retry_at"].as_str().context("no retry")?.parse()?;
    let wait = retry_at.duration_since(Timestamp::now()).as_secs_f64();
    ensure!(wait > 50.0, "the next attempt comes in {wait:.0}s and may lock the account");
    wait::throughout(OBSERVATION, async || {
        let logins = relay.counted();
        ensure!(logins == 1, "{logins} logins with a wrong password");
        Ok(())
    })
    .await?;
    serves_and_says_why(&mut pluvio, "vcenter").await?;
    Ok(Counts::default().with("logins", relay.counted()).with("next try in s", wait.round()))
}

async fn a_certificate_that_is_not_trusted(stage: Arc<Stage>) -> Result<Counts> {
    let vcsim = Vcsim::start(&stage, VcsimOptions { machines: 1, tls: true }).await?;
    let source = Source::from(&vcsim);
    let mut pluvio = Pluvio::start(&stage, &source.setup()).await?;
    let error = until_error(&pluvio).await?;
    let remedy = error["remedy"].as_str().unwrap_or_default();
    let thumbprint = remedy.split('"').nth(1).filter(|_| remedy.contains("tls.thumbprint"));
    let thumbprint = thumbprint.with_context(|| format!("no thumbprint in `{remedy}`"))?;
    let attempts = few_attempts(&pluvio).await?;
    serves_and_says_why(&mut pluvio, "certificate").await?;
    drop(pluvio);
    let more = format!("tls.thumbprint = \"{thumbprint}\"");
    let trusting = Pluvio::capture(&stage, Source { more, ..source }).await?;
    let collector = trusting.collect().await?;
    collector.until("events", START_MAX, |feed| !feed.is_empty()).await?;
    Ok(Counts::default().with("attempts", attempts).with("thumbprint bytes", thumbprint.len() / 3))
}

/// A label is at most 63 letters long, so no name server is ever asked for this one.
async fn a_name_that_is_not_resolved(stage: Arc<Stage>) -> Result<Counts> {
    let host = format!("{}.invalid", "v".repeat(64));
    let mut pluvio = Pluvio::start(&stage, &nowhere(&format!("http://{host}")).setup()).await?;
    let error = until_error(&pluvio).await?;
    let remedy = error["remedy"].as_str().unwrap_or_default();
    ensure!(remedy.contains("host name"), "the remedy does not name the host: {error}");
    let attempts = few_attempts(&pluvio).await?;
    serves_and_says_why(&mut pluvio, &host).await?;
    Ok(Counts::default().with("attempts", attempts))
}

async fn a_port_that_refuses(stage: Arc<Stage>) -> Result<Counts> {
    let refusing: SocketAddr = free_address()?;
    let url = format!("http://{refusing}/sdk");
    let mut pluvio = Pluvio::start(&stage, &nowhere(&url).setup()).await?;
    let error = until_error(&pluvio).await?;
    let remedy = error["remedy"].as_str().unwrap_or_default();
    ensure!(remedy.contains("port"), "the remedy does not name the port: {error}");
    let attempts = few_attempts(&pluvio).await?;
    serves_and_says_why(&mut pluvio, &refusing.ip().to_string()).await?;
    let options = VcsimOptions { machines: 1, tls: false };
    let _vcsim = Vcsim::start_on(&stage, options, refusing).await?;
    pluvio.until_ready(START_MAX).await?;
    let collector = pluvio.collect().await?;
    collector.until("events", START_MAX, |feed| !feed.is_empty()).await?;
    Ok(Counts::default().with("attempts", attempts))
}

/// A vCenter at an address where there is none.
fn nowhere(url: &str) -> Source {
    let more = String::new();
    Source { url: url.to_owned(), username: Vcsim::USERNAME, password: Vcsim::PASSWORD, more }
}

/// Waits until the status tells what failed.
async fn until_error(pluvio: &Pluvio) -> Result<Value> {
    wait::until("a failure to be told", START_MAX, async || {
        let error = pluvio.source().await?["error"].take();
        Ok(Some(error).filter(|error| !error.is_null()))
    })
    .await
}

/// Watches for a while that attempts are few; gives how many there were.
async fn few_attempts(pluvio: &Pluvio) -> Result<u64> {
    wait::throughout(OBSERVATION, async || {
        let attempts = pluvio.reconnects().await? + 1;
        ensure!(attempts <= ATTEMPTS_MAX, "{attempts} attempts in a few seconds");
        Ok(())
    })
    .await?;
    Ok(pluvio.reconnects().await? + 1)
}

/// It answers, it is not ready and says why, and the log says it once.
async fn serves_and_says_why(pluvio: &mut Pluvio, reason: &str) -> Result<()> {
    ensure!(pluvio.get("/livez").await?.status() == 200, "it does not live");
    let range = pluvio.get("/api/v1/range").await?.status();
    ensure!(range == 204, "the range of an empty stream is answered with {range}");
    let ready = pluvio.get("/readyz").await?;
    ensure!(ready.status() == 503, "/readyz is answered with {}", ready.status());
    let text = ready.text();
    ensure!(text.contains(reason), "/readyz does not say `{reason}`: {text}");
    let log = pluvio.process().stderr();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("source failed")).collect();
    ensure!(lines.len() == 1, "{} log lines instead of one: {lines:#?}", lines.len());
    ensure!(lines[0].contains("remedy"), "the log line has no remedy: {}", lines[0]);
    Ok(())
}
