//! MirrorMaker 2 reads Pluvio as any Kafka cluster and copies a stream into Apache Kafka.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    kafka::{Admin, Client, Consumed, Reading},
    servers::{Kafka, Machine, MirrorMaker},
    stage::Stage,
    tools::Tool,
    wait,
};

use super::{
    site::{STREAM, Site},
    tools::asked,
};
use crate::{report::Counts, runner::Scenario};

const EVENTS: usize = 200;
/// How its topics are called that it copies from Pluvio.
const COPY: &str = "pluvio.events";
/// Two Java machines start, and Connect joins a group of its own.
const COPIED_MAX: Duration = Duration::from_secs(150);
/// A producer that is refused an id would ask thousands of times.
const IDS_MAX: u64 = 10;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("kafka: MirrorMaker 2 copies a stream, and goes on after a restart", mirror)
            .needs(&[Tool::Kafka, Tool::MirrorMaker, Tool::Kcat]),
    ]
}

async fn mirror(stage: Arc<Stage>) -> Result<Counts> {
    let site = Site::start(&stage, EVENTS).await?;
    let kafka = Kafka::start(&stage, Machine::Light).await?;
    let maker = MirrorMaker::start(&stage, &site.access(), &kafka.access(), STREAM).await?;
    let first = copied(&stage, &site, &kafka).await?;
    maker.stop().await?;
    site.make(EVENTS).await?;
    let maker = MirrorMaker::start(&stage, &site.access(), &kafka.access(), STREAM).await?;
    let all = copied(&stage, &site, &kafka).await?;
    ensure!(all > first, "nothing came after the restart");
    let errors = maker.errors();
    ensure!(errors.is_empty(), "it complains: {errors:#?}");
    let ids = asked(&site.pluvio, "init_producer_id").await?;
    ensure!(ids <= IDS_MAX, "it asked {ids} times for a producer's id");
    maker.stop().await?;
    let end = Admin::new(&stage, &kafka.access())?.offset_at(COPY, "-1").await?;
    ensure!(end == i64::try_from(all)?, "of {all} records {end} were copied");
    Ok(Counts::default().with("copied", all).with("twice", 0).with("producer ids", ids))
}

/// Waits until the copy has as many records as Pluvio, and compares them: each once, in order, byte for
/// byte. Offsets of the copy have no gaps.
async fn copied(stage: &Stage, site: &Site, kafka: &Kafka) -> Result<usize> {
    let count = site.served().await?.len();
    let (of_pluvio, of_copy) = (Reading::of(STREAM).count(count), Reading::of(COPY).count(count));
    let original = Client::Kcat.read(stage, &site.access(), &of_pluvio).await;
    let original = original.context("Pluvio")?;
    // As long as there is no such topic, kcat ends with an error.
    let copy = wait::until("the copy to be complete", COPIED_MAX, async || {
        Ok(Client::Kcat.read(stage, &kafka.access(), &of_copy).await.ok())
    })
    .await?;
    ensure!(copy.len() == count, "{} of {count} records", copy.len());
    for (offset, (original, copy)) in (0..).zip(original.iter().zip(&copy)) {
        let wanted = Consumed { topic: copy.topic.clone(), offset, ..original.clone() };
        ensure!(*copy == wanted, "{copy:?} instead of {wanted:?}");
    }
    Ok(count)
}
