//! A log that is damaged in places: what is whole is served, and where it stops is told.

use std::sync::Arc;

use pluvio_log::{Log as _, StreamName, disk::SimulatedDisk};
use serde_json::json;

use crate::{
    client::Reply,
    house::{House, event, on_disk, plan, record},
};

/// Ten events, of which each of `damaged` lies in a batch that is not what was written.
async fn damaged_at(damaged: &[i64]) -> (House, SimulatedDisk) {
    let disk = SimulatedDisk::new(1);
    let house = plan().over(on_disk(&disk, &Arc::default())).await;
    house.append(0..10).await;
    for offset in damaged {
        damage(&disk, *offset);
    }
    (house, disk)
}

/// Changes the batch that a segment begins with; done again, it is whole again.
fn damage(disk: &SimulatedDisk, base: i64) {
    assert!(disk.flip(format!("/log/events/{base:020}.log"), 90, 1), "no segment at {base}");
}

fn told(reply: &Reply) -> Option<i64> {
    reply.header("pluvio-damaged-offset").map(|offset| offset.parse().unwrap())
}

/// The damaged offsets of a problem, and where it says that reading goes on.
fn damaged(reply: &Reply) -> (i64, i64, i64) {
    let (status, detail) = reply.problem();
    let problem = reply.json();
    assert_eq!((status, &problem["type"]), (500, &json!("urn:pluvio:problem:damaged")), "{detail}");
    let of = |value: &serde_json::Value| value.as_i64().unwrap();
    let bounds = &problem["damaged"];
    let found = (of(&bounds["first"]), of(&bounds["last"]), of(&problem["next_readable"]));
    assert!(detail.contains(&format!("from offset {} to {}", found.0, found.1)), "{detail}");
    assert!(!detail.contains("/log/"), "a path of the server: {detail}");
    assert_eq!(told(reply), Some(found.0));
    found
}

#[tokio::test]
async fn a_page_gives_what_is_readable_and_says_which_offset_is_not() {
    let (house, _) = damaged_at(&[4]).await;
    let page = house.get("/api/v1/events?offset=1&limit=1000").await;
    assert_eq!((page.ids(), told(&page)), (vec![1, 2, 3], Some(4)));
    assert_eq!(page.header("pluvio-next-offset"), Some("4"));
    let page = house.get("/api/v1/events?offset=1&limit=3").await;
    assert_eq!((page.ids(), told(&page)), (vec![1, 2, 3], None), "it need not look further");
    let page = house.get("/api/v1/events?limit=1000").await;
    assert_eq!((page.ids(), told(&page)), (vec![5, 6, 7, 8, 9], Some(4)));
    let filtered = house.get("/api/v1/events?offset=0&limit=1000&type=VmPoweredOnEvent").await;
    assert_eq!((filtered.ids(), told(&filtered)), (vec![0, 2], Some(4)));
}

#[tokio::test]
async fn links_lead_up_to_the_damage_and_never_over_it_in_silence() {
    let (house, _) = damaged_at(&[4, 5, 6]).await;
    let page = house.get("/api/v1/events?offset=0&limit=1000").await;
    let next = house.get(&page.link("next").unwrap()).await;
    assert_eq!(damaged(&next), (4, 6, 7));
    let page = house.get("/api/v1/events?limit=1000").await;
    assert_eq!((page.ids(), told(&page)), (vec![7, 8, 9], Some(6)));
    let previous = house.get(&page.link("prev").unwrap()).await;
    let (_, last, next) = damaged(&previous);
    assert_eq!((last, next), (6, 7));
}

#[tokio::test]
async fn who_goes_on_where_the_problem_says_reads_all_that_is_whole() {
    let (house, _) = damaged_at(&[0, 3, 4, 8, 9]).await;
    let (mut ids, mut offset, mut damages) = (Vec::new(), 0, Vec::new());
    while offset < 10 {
        let page = house.get(&format!("/api/v1/events?offset={offset}&limit=1000")).await;
        if page.status == 200 {
            ids.extend(page.ids());
            offset = page.header("pluvio-next-offset").unwrap().parse().unwrap();
        } else {
            let (first, last, next) = damaged(&page);
            damages.push((first, last));
            assert!(next > offset, "{next} after {offset}");
            offset = next;
        }
    }
    assert_eq!(ids, [1, 2, 5, 6, 7]);
    assert_eq!(damages, [(0, 0), (3, 4), (8, 9)]);
    let (mut ids, mut before) = (Vec::new(), 10);
    while before > 0 {
        let page = house.get(&format!("/api/v1/events?before={before}&limit=1000")).await;
        before = match page.status.as_u16() {
            200 => {
                ids.splice(0..0, page.ids());
                told(&page).map_or(0, |damaged| damaged + 1)
            }
            _ => damaged(&page).0,
        };
    }
    assert_eq!(ids, [1, 2, 5, 6, 7]);
}

#[tokio::test]
async fn a_batch_of_several_events_is_damaged_as_a_whole() {
    let (house, disk) = damaged_at(&[]).await;
    let records = (10..14).map(|id| record(event(id), None)).collect();
    house.log.append(&StreamName::events(), records).await.unwrap();
    house.append(14..16).await;
    damage(&disk, 10);
    let page = house.get("/api/v1/events?offset=8").await;
    assert_eq!((page.ids(), told(&page)), (vec![8, 9], Some(10)));
    for offset in 10..14 {
        let problem = house.get(&format!("/api/v1/events?offset={offset}")).await;
        assert_eq!(damaged(&problem), (10, 13, 14));
        let problem = house.get(&format!("/api/v1/events/{offset}")).await;
        assert_eq!(damaged(&problem), (10, 13, 14), "one event asked for");
    }
    assert_eq!(house.get("/api/v1/events?offset=14").await.ids(), [14, 15]);
    damage(&disk, 10);
    let page = house.get("/api/v1/events?offset=8").await;
    assert_eq!((page.ids(), told(&page)), ((8..16).collect(), None), "it reads well again");
}

#[tokio::test]
async fn a_watch_sends_what_is_whole_and_ends_with_where_it_can_go_on() {
    let (house, _) = damaged_at(&[4, 5]).await;
    for (from, whole, is_told) in [(2, vec![2, 3], true), (6, vec![6, 7, 8, 9], false)] {
        let mut watch = house.watch(&format!("&offset={from}")).await;
        assert_eq!(watch.ids(whole.len()).await, whole);
        if is_told {
            let error = watch.rest().await.pop().unwrap();
            assert_eq!(error["type"], "pluvio.error.v0", "{error}");
            let data = &error["data"];
            assert_eq!((&data["code"], &data["offset"]), (&json!(500), &json!(4)), "{error}");
            assert_eq!(data["damaged"], json!({"first": 4, "last": 5}));
            assert_eq!(data["next_readable"], 6);
        }
    }
}
