//! Servers that write down what they are sent, and a proxy before them.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    http,
    servers::{Demand, Fluentd, Mode, Packing, Reply, Toxic, Toxiproxy, Way, Webhook},
    stage::Stage,
    wait,
};
use tokio::time::Instant;

use super::{ARRIVAL_MAX, MESSAGES, binary_samples, same, samples, timed, without_properties};
use crate::{report::Counts, runner::Scenario};

const TAG: &str = "sky.rain";

pub(super) fn scenarios() -> Vec<Scenario> {
    let with_proxy = [Webhook::TOOLS, Toxiproxy::TOOLS].concat();
    vec![
        Scenario::new("servers: @fluent-org/logger writes down what its client sent", logger)
            .needs(&Fluentd::LOGGER_TOOLS),
        Scenario::new("servers: the OpenTelemetry Collector writes down what was sent", collector)
            .needs(&Fluentd::COLLECTOR_TOOLS),
        Scenario::new(
            "servers: the CloudEvents receiver takes each mode, and fails as told",
            webhook,
        )
        .needs(&Webhook::TOOLS),
        Scenario::new("servers: Toxiproxy delays, closes and opens a connection", toxiproxy)
            .needs(&with_proxy),
    ]
}

async fn logger(stage: Arc<Stage>) -> Result<Counts> {
    let sent = without_properties(&samples(TAG));
    let mut starts = Vec::new();
    for demand in [Demand::Nothing, Demand::Key, Demand::Everything] {
        let (mut server, start) = timed(Fluentd::logger(&stage, demand)).await?;
        starts.push(start);
        for packing in Packing::ALL {
            server.write(&stage, packing, &sent).await.with_context(|| format!("{packing:?}"))?;
        }
        let all = [sent.as_slice(); Packing::ALL.len()].concat();
        same(&server.read()?, &all).with_context(|| format!("{demand:?}"))?;
        server.service().restart().await?;
        server.write(&stage, Packing::Forward, &sent).await?;
        same(&server.read()?, &[all.as_slice(), &sent].concat())?;
        if demand != Demand::Nothing {
            let refused = server.write_with_key(&stage, "drought", &sent).await;
            ensure!(refused.is_err(), "a wrong key is taken");
        }
    }
    let records = 3 * (Packing::ALL.len() + 1) * MESSAGES;
    Ok(Counts::default().with("records", records).with("start s", starts.join(" and ")))
}

async fn collector(stage: Arc<Stage>) -> Result<Counts> {
    let sent = without_properties(&samples(TAG));
    let (mut server, start) = timed(Fluentd::collector(&stage)).await?;
    for packing in Packing::ALL {
        server.write(&stage, packing, &sent).await.with_context(|| format!("{packing:?}"))?;
    }
    let all = [sent.as_slice(); Packing::ALL.len()].concat();
    // It acknowledges before it hands on.
    wait::until("the records", ARRIVAL_MAX, async || {
        Ok((server.read()?.len() >= all.len()).then_some(()))
    })
    .await?;
    same(&server.read()?, &all)?;
    server.service().restart().await?;
    same(&server.read()?, &all)?;
    Ok(Counts::default().with("records", all.len()).with("start s", start))
}

async fn webhook(stage: Arc<Stage>) -> Result<Counts> {
    let sent = binary_samples("/", "ce-");
    for has_tls in [false, true] {
        let mut server = Webhook::start(&stage, has_tls).await?;
        let mut all = Vec::new();
        for mode in Mode::ALL {
            server.write(&stage, mode, &sent).await.with_context(|| format!("{mode:?}"))?;
            let mut sent = sent.clone();
            for message in &mut sent {
                message.properties.insert("mode".to_owned(), mode.name().to_owned());
            }
            all.extend(sent);
        }
        server.service().restart().await?;
        same(&server.read()?, &all)?;
    }

    let (server, start) = timed(Webhook::start(&stage, false)).await?;
    for status in [400, 410, 429, 500] {
        let reply = Reply::status(status).to(&["drop-2"]).times(1).retry_after(1);
        server.reply(&reply).await?;
        let before = server.read()?.len();
        let refused = server.write(&stage, Mode::Binary, &sent).await;
        let told = refused.err().with_context(|| format!("{status} is not answered"))?;
        ensure!(format!("{told:#}").contains(&status.to_string()), "{status}: {told:#}");
        ensure!(server.read()?.len() == before + 1, "the client went on after {status}");
        server.write(&stage, Mode::Batch, &sent).await?;
    }
    server.reply(&Reply::status(503)).await?;
    ensure!(server.write(&stage, Mode::Batch, &sent).await.is_err(), "503 is not answered");
    server.reply_well().await?;
    server.write(&stage, Mode::Batch, &sent).await?;
    let counts = server.counts().await?;
    ensure!(counts["refused"]["drop-2"] == 5, "counted is {counts}");
    let counted = Counts::default().with("modes", Mode::ALL.len());
    Ok(counted.with("requests", &counts["requests"]).with("start s", start))
}

async fn toxiproxy(stage: Arc<Stage>) -> Result<Counts> {
    const LATENCY: Duration = Duration::from_millis(700);
    let server = Webhook::start(&stage, false).await?;
    let (toxiproxy, start) = timed(Toxiproxy::start(&stage)).await?;
    let proxy = toxiproxy.proxy(server.address()).await?;
    let ask = async || http::get(proxy.address(), "/control").await;
    ensure!(ask().await?.status() == 200, "nothing passes");
    let toxic = Toxic::Latency(700);
    proxy.add(toxic, Way::ToClient).await?;
    let begun = Instant::now();
    ask().await?;
    let delay = begun.elapsed();
    ensure!(delay >= LATENCY, "it took {delay:?} only");
    proxy.remove(toxic, Way::ToClient).await?;
    proxy.add(Toxic::LimitBytes(20), Way::ToClient).await?;
    ensure!(ask().await.is_err(), "more than 20 bytes pass");
    proxy.remove(Toxic::LimitBytes(20), Way::ToClient).await?;
    proxy.open(false).await?;
    ensure!(ask().await.is_err(), "a closed proxy lets pass");
    proxy.open(true).await?;
    ensure!(ask().await?.status() == 200, "nothing passes again");
    Ok(Counts::default().with("delay ms", delay.as_millis()).with("start s", start))
}
