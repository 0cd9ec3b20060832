//! What vcsim records is what watchers read.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    feed::{self, Seen},
    http::{Line, Watch},
    servers::{Govc, Pluvio, Setup, Vcsim, VcsimOptions},
    stage::Stage,
    wait,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{report::Counts, runner::Scenario};

/// How long captured events may take to arrive on a busy machine.
const ARRIVAL_MAX: Duration = Duration::from_secs(20);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "every event that govc shows is watched, in order, none twice",
            every_event_that_govc_shows,
        ),
        Scenario::new(
            "a watcher that keeps leaving and resumes by offset misses nothing",
            a_watcher_that_keeps_leaving,
        ),
    ]
}

/// Over TLS and started by `VCENTER_*` alone, as vsphere-event-streaming is.
async fn every_event_that_govc_shows(stage: Arc<Stage>) -> Result<Counts> {
    let vcsim = Vcsim::start(&stage, VcsimOptions { machines: 4, tls: true }).await?;
    let govc = Govc::of_vcsim(&stage, &vcsim).await?;
    stage.folder.write("username", &format!("{}\n", Vcsim::USERNAME))?;
    stage.folder.write("password", &format!("{}\n", Vcsim::PASSWORD))?;
    let setup = Setup::Environment(vec![
        ("VCENTER_URL", format!("https://{}", vcsim.address())),
        ("VCENTER_INSECURE", "true".to_owned()),
        ("VCENTER_STREAM_BEGIN", "10m".to_owned()),
    ]);
    let pluvio = Pluvio::start(&stage, &setup).await?;
    pluvio.until_ready(ARRIVAL_MAX).await?;
    let machines = govc.machines().await?;
    let mut arguments = vec!["vm.power", "-off"];
    arguments.extend(machines.iter().map(String::as_str));
    govc.run(&arguments).await?;
    let collector = pluvio.collect().await?;
    arguments[1] = "-on";
    govc.run(&arguments).await?;
    govc.run(&["vm.destroy", machines.first().context("vcsim has no machines")?]).await?;

    let shown = govc.events(1000).await?;
    let last = shown.last().context("govc shows no events")?.key;
    let has_last = |feed: &[Seen]| {
        feed.iter().rev().any(|seen| seen.key().is_some_and(|(key, _)| key == last))
    };
    collector.until(&format!("key {last}"), ARRIVAL_MAX, has_last).await?;
    let mut watched = collector.seen();
    watched.retain(|seen| seen.key().is_some_and(|(key, _)| key <= last));
    feed::in_order_none_twice(&watched)?;
    ensure!(watched.len() == shown.len(), "{} watched, {} shown", watched.len(), shown.len());
    for (seen, shown) in watched.iter().zip(&shown) {
        let kind = format!("com.vmware.vsphere.{}.v0", shown.class);
        let is_same = seen.id == shown.key.to_string()
            && seen.time == Some(shown.created_time)
            && seen.kind == kind
            && seen.offset()? == shown.key;
        ensure!(is_same, "govc shows {shown:?}, a watcher saw {seen:?}");
    }
    let paged = pages(&pluvio, last).await?;
    ensure!(paged == watched.len(), "{} watched, {paged} in pages", watched.len());
    Ok(Counts::default()
        .with("shown", shown.len())
        .with("watched", watched.len())
        .with("paged", paged))
}

/// Counts events up to `last` in pages, each of which begins behind the one before.
async fn pages(pluvio: &Pluvio, last: i64) -> Result<usize> {
    let range: serde_json::Value = pluvio.get("/api/v1/range").await?.json()?;
    let mut next = range["earliest"].as_i64().context("the range has no beginning")?;
    let mut count = 0;
    while next <= last {
        let answer = pluvio.get(&format!("/api/v1/events?limit=17&offset={next}")).await?;
        ensure!(answer.status() == 200, "a page was answered: {}", answer.text());
        let page: Vec<Seen> = answer.json()?;
        let Some(end) = page.last() else { break };
        next = end.offset()? + 1;
        count += page.iter().filter(|seen| seen.offset().is_ok_and(|at| at <= last)).count();
    }
    Ok(count)
}

async fn a_watcher_that_keeps_leaving(stage: Arc<Stage>) -> Result<Counts> {
    const EVENTS: usize = 600;
    let vcsim = Vcsim::start(&stage, VcsimOptions { machines: 1, tls: false }).await?;
    let pluvio = Pluvio::capture(&stage, &vcsim).await?;
    let mut soap = vcsim.login().await?;
    let posting = tokio::spawn(async move {
        for number in 0..EVENTS {
            soap.post_event("com.example.drop", &format!("drop {number}")).await?;
        }
        soap.post_event("com.example.end", "the end").await?;
        Ok::<_, anyhow::Error>(soap.newest_event().await?.key)
    });
    let mut rng = StdRng::seed_from_u64(stage.seed);
    let address = pluvio.address();
    let (mut feed, mut visits): (Vec<Seen>, u32) = (Vec::new(), 0);
    let all = wait::at_most("the last event", ARRIVAL_MAX, async {
        loop {
            let query = match feed.last() {
                None => "offset=earliest".to_owned(),
                Some(seen) => format!("offset={}", seen.offset()? + 1),
            };
            let mut watch = Watch::open(address, &query).await?;
            visits += 1;
            for _ in 0..rng.random_range(1..40) {
                let Line::Event(line) = watch.line().await? else { break };
                feed.push(Seen::parse(&line)?);
                if feed.last().is_some_and(|seen| seen.kind.contains("com.example.end")) {
                    return Ok(());
                }
            }
        }
    });
    all.await?;
    let last = posting.await??;
    feed::in_order_none_twice(&feed)?;
    feed::keys_are_contiguous(&feed::keys_of_life(&feed, 1), 1, last)?;
    Ok(Counts::default().with("visits", visits).with("watched", feed.len()).with("missing", 0))
}
