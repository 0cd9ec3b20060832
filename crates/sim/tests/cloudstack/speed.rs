//! A long history costs a page no more than a short one.

use std::time::Instant;

use pluvio_sim::{CloudStack, CloudStackConfig};

use crate::client::Client;
use crate::quiet;

#[tokio::test]
async fn a_slice_of_a_long_history_is_complete() {
    let cloud = CloudStack::start(CloudStackConfig { backlog_events: 50_000, ..quiet() });
    let cloud = cloud.await.unwrap();
    let admin = Client::of(&cloud, "admin");
    let slice = "listall=true&startdate=2026-11-20T11:00:00Z&enddate=2026-11-20T11:29:59Z";
    let ids = admin.all_ids(slice, 500).await;
    let (start, end) = ("2026-11-20T11:00:00Z", "2026-11-20T11:29:59Z");
    let (start, end) = (start.parse().unwrap(), end.parse().unwrap());
    let truth = cloud.events().into_iter().filter(|event| {
        (start..=end).contains(&event.created) && !event.account.starts_with("PrjAcct")
    });
    assert_eq!(ids.len(), truth.count());
}

/// Run by hand: `cargo test -p pluvio-sim --test cloudstack -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "measures"]
#[expect(clippy::print_stdout, reason = "the figures are what it is run for")]
async fn the_cost_of_pages_of_a_million_events() {
    let before = Instant::now();
    let cloud = CloudStack::start(CloudStackConfig { backlog_events: 1_000_000, ..quiet() });
    let cloud = cloud.await.unwrap();
    println!("a million events: {:?}", before.elapsed());
    let admin = Client::of(&cloud, "admin");
    for slice in [
        "listall=true",
        "listall=true&startdate=2026-11-20T00:00:00Z",
        "listall=true&type=VM.START&startdate=2026-11-20T11:00:00Z",
    ] {
        for page in [1, 2, 40, 2, 40] {
            let more = format!("{slice}&page={page}&pagesize=500");
            let before = Instant::now();
            let answer = admin.call("listEvents", &more).await;
            println!("{slice} page {page}: {:?}, {} bytes", before.elapsed(), answer.body.len());
        }
    }
}
