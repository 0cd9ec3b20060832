//! Readers whose filters cost as much as a filter can: everybody else is served all the same.

use std::time::Duration;

use std::collections::BTreeSet;
use std::sync::Arc;

use pluvio_event::{Data, Event, Filter};
use pluvio_runtime::{AccessTable, Principal, Streams, Verb};

use crate::{
    client::{Reply, Watching, within},
    house::{House, event, plan, time},
};

/// The parameter with `cel`.
fn filter(cel: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair("filter", cel).finish()
}

/// The dearest that are taken: loops over lists that are written, over the payload, and a pattern.
fn dearest() -> Vec<String> {
    let loops = LOOPS;
    let many = filter("[1,2,3,4,5,6,7,8,9].all(i, data.Key != -1)");
    vec![
        filter(loops),
        filter("data.all(k, data[k] != 'a' || data[k] != 'b')"),
        filter("type.matches('[a-z]*o[a-z]{9}x')"),
        vec![many; 60].join("&"),
    ]
}

/// 729 turns, whatever the event.
const LOOPS: &str = "[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, \
                     [1,2,3,4,5,6,7,8,9].all(c, a+b+c > 0)))";

fn refused() -> Vec<String> {
    let large = r"\w".repeat(1000);
    let digits = "[1,2,3,4,5,6,7,8,9,0]";
    let mut loops = "true".to_owned();
    for name in ["a", "b", "c", "d", "e", "f"] {
        loops = format!("{digits}.all({name},{loops})");
    }
    [
        filter(&format!("type.matches(r'{large}')")),
        filter("type.matches('((a{50}){50}){50}')"),
        filter("type.matches(subject)"),
        filter("data.all(x, data.all(y, x != y))"),
        filter(&loops),
        vec![filter("data.all(k, k != 'a')"); 60].join("&"),
        vec![filter("type.matches('(?i)[a-z]{1,60}[0-9]{1,60}')"); 40].join("&"),
    ]
    .into()
}

/// An event whose payload is worth a loop.
fn large(id: i64) -> Event {
    let members = (0..500).map(|n| format!("\"k{n}\":\"{}\"", "ab".repeat(10)));
    let members = members.collect::<Vec<_>>().join(",");
    let text = "ab".repeat(2000);
    let data = format!("{{\"Key\":{id},\"Text\":\"{text}\",{members}}}");
    Event::builder(id.to_string(), "https://vc.example.org/sdk", "com.vmware.vsphere.Large.v0")
        .time(time(id))
        .data(Data::json(data).unwrap())
        .build()
        .unwrap()
}

fn table() -> AccessTable {
    let mut table = AccessTable::closed();
    for name in ["hostile", "honest"] {
        let principal = Principal {
            name: name.to_owned(),
            streams: Streams::All,
            verbs: BTreeSet::from([Verb::Read]),
            filter: Filter::default(),
        };
        table.add_bearer(name, Arc::new(principal)).unwrap();
    }
    table
}

async fn house_of_large_events() -> House {
    // It is not about how long a page may wait: the machine that runs this may be busy.
    let plan = plan().access(table()).limits(|limits| limits.page_wait = Duration::from_secs(60));
    let house = plan.open().await;
    for id in 0..200 {
        house.append_event(large(id)).await;
    }
    house
}

/// A house in which a client's budget is small, so that a test can use it up.
async fn tired_house(page_wait: Duration) -> House {
    let plan = plan().access(table()).limits(|limits| {
        limits.filter_units_per_second = 2_000_000;
        limits.page_wait = page_wait;
    });
    let house = plan.open().await;
    for id in 0..200 {
        house.append_event(large(id)).await;
    }
    house
}

const HOSTILE: (&str, &str) = ("authorization", "Bearer hostile");
const HONEST: (&str, &str) = ("authorization", "Bearer honest");

#[tokio::test]
async fn what_would_hold_the_server_up_is_refused_when_it_is_read() {
    let house = plan().open().await;
    house.append(0..1).await;
    for parameters in refused() {
        for watch in ["", "&watch=true"] {
            let reply = house.get(&format!("/api/v1/events?{parameters}{watch}")).await;
            let (status, detail) = reply.problem();
            assert_eq!(status, 400, "{parameters}");
            assert!(detail.starts_with("invalid filter: "), "{detail}");
        }
    }
}

#[tokio::test]
async fn others_are_served_beside_the_dearest_filters() {
    let house = house_of_large_events().await;
    let mut readers = Vec::new();
    for parameters in dearest().iter().cycle().take(8) {
        let target = format!("/api/v1/events?watch=true&offset=0&{parameters}");
        let watch = Watching::open(house.address, &target, &[HOSTILE]).await;
        assert_eq!(watch.status, 200, "{parameters}");
        readers.push(watch);
    }
    let mut plain = house.watch_with("&offset=200", &[HONEST]).await;
    let mut filtered =
        house.watch_with(&format!("&offset=200&{}", filter("data.Key > 0")), &[HONEST]).await;
    let one = format!("/api/v1/events?limit=1&{}", filter("data.Key > 0"));
    for id in 200..220 {
        house.append_event(event(id)).await;
        assert_eq!(plain.ids(1).await, [id]);
        assert_eq!(filtered.ids(1).await, [id]);
        assert_eq!(house.get("/livez").await.status, 200);
        let page = house.get_with(&one, &[HONEST]).await;
        assert_eq!(page.ids(), [id]);
    }
}

#[tokio::test]
async fn a_watch_that_costs_too_much_is_slowed_and_told_so_and_goes_on() {
    let house = tired_house(Duration::from_secs(1)).await;
    let parameters = format!("&offset=0&{}", filter(&format!("{LOOPS} && data.Key > 500")));
    let mut readers = Vec::new();
    for _ in 0..4 {
        readers.push(house.watch_with(&parameters, &[HOSTILE]).await);
    }
    let told = readers[0].event().await.unwrap();
    assert_eq!(told["type"], "pluvio.slowed.v0", "{told}");
    assert!(told["data"]["waited_ms"].as_u64() >= Some(1000), "{told}");
    assert!(told["data"]["units_per_second"].as_u64() > Some(0), "{told}");
}

#[tokio::test]
async fn a_page_beyond_the_budget_is_short_or_refused_with_the_cost() {
    let house = tired_house(Duration::from_secs(1)).await;
    let target = format!("/api/v1/events?offset=0&{}", filter(LOOPS));
    let pages = (0..20).map(|_| house.get_with(&target, &[HOSTILE]));
    let replies: Vec<Reply> = within(futures::future::join_all(pages)).await;
    let refused = replies.iter().filter(|reply| reply.status == 400);
    let refused: Vec<String> = refused.map(|reply| reply.problem().1).collect();
    assert!(!refused.is_empty(), "all pages were served");
    let budget = "used up their budget of 2000000 units of work a second";
    for detail in &refused {
        // What one costs is known of those that were read.
        let has_cost = detail.contains("units an event") || detail.contains("was not even read");
        assert!(detail.contains(budget) && has_cost, "{detail}");
    }
    for reply in replies.iter().filter(|reply| reply.status == 200) {
        assert!(reply.ids().len() == 50 || reply.link("next").is_some());
    }
    let honest = house
        .get_with(&format!("/api/v1/events?limit=1&{}", filter("id == '199'")), &[HONEST])
        .await;
    assert_eq!(honest.ids(), [199]);
}

#[tokio::test]
async fn a_client_whose_pages_wait_for_its_budget_keeps_no_other_client_out() {
    let house = tired_house(Duration::from_secs(600)).await;
    // Each would have room for a page while it waits for the budget: so many would fill it.
    let pages = (0..400).map(|_| house.get_with("/api/v1/events?offset=0&type=Nope", &[HOSTILE]));
    let waiting = futures::future::join_all(pages);
    let others = async {
        for _ in 0..50 {
            let page = house.get_with("/api/v1/events?limit=1", &[HONEST]).await;
            assert_eq!(page.ids(), [199]);
        }
    };
    tokio::select! {
        _ = waiting => unreachable!("their client's budget is for some of them only"),
        () = within(others) => {}
    }
}
