//! A vCenter that dies and comes back with the same name and other events.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use pluvio_e2e::{
    feed::{self, Seen},
    servers::{Pluvio, Vcsim, VcsimOptions},
    stage::Stage,
    wait,
};

use crate::{report::Counts, runner::Scenario};

const ARRIVAL_MAX: Duration = Duration::from_secs(40);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario::new(
        "a vcsim killed and restarted counts keys anew, and both lives are there",
        a_vcsim_killed_and_restarted,
    )]
}

async fn a_vcsim_killed_and_restarted(stage: Arc<Stage>) -> Result<Counts> {
    const POSTED: usize = 150;
    let mut vcsim = Vcsim::start(&stage, VcsimOptions { machines: 4, tls: false }).await?;
    let pluvio = Pluvio::capture(&stage, &vcsim).await?;
    let collector = pluvio.collect().await?;
    let first_last = post(&vcsim, POSTED).await?;
    collector.until("the first life", ARRIVAL_MAX, |feed| has(feed, first_last, 1)).await?;

    wait::until_clock_shows(feed::keys_may_begin_again(&collector.seen())).await?;
    vcsim.kill_and_restart().await?;
    pluvio.until_reconnected(0, ARRIVAL_MAX).await?;
    let second_last = post(&vcsim, POSTED * 2).await?;
    let has_second = |feed: &[Seen]| has(feed, second_last, 2);
    collector.until("the second life", ARRIVAL_MAX, has_second).await?;

    let feed = collector.seen();
    feed::in_order_none_twice(&feed)?;
    feed::keys_are_contiguous(&feed::keys_of_life(&feed, 1), 1, first_last)?;
    feed::keys_are_contiguous(&feed::keys_of_life(&feed, 2), 1, second_last)?;
    let gaps = feed.iter().filter(|seen| seen.is_gap()).count();
    ensure!(gaps == 1, "{gaps} gap events instead of one");
    let keyed = usize::try_from(first_last + second_last)?;
    ensure!(feed.len() == keyed + gaps, "{} events instead of {}", feed.len(), keyed + gaps);
    Ok(Counts::default()
        .with("first life", first_last)
        .with("second life", second_last)
        .with("gap events", gaps)
        .with("missing", 0))
}

/// Posts events and gives the key of the newest.
async fn post(vcsim: &Vcsim, count: usize) -> Result<i64> {
    let mut soap = vcsim.login().await?;
    for number in 0..count {
        soap.post_event("com.example.drop", &format!("drop {number}")).await?;
    }
    Ok(soap.newest_event().await?.key)
}

fn has(feed: &[Seen], key: i64, life: u32) -> bool {
    feed.iter().rev().any(|seen| seen.key() == Some((key, life)))
}
