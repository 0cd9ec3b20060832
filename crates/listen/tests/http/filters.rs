//! Filters: the same on pages and watches, strict in what they take.

use crate::{
    client::id,
    house::{House, event, plan},
};

/// What passes `parameters`, by a page and by a watch, which must agree.
async fn passing(house: &House, parameters: &str) -> Vec<i64> {
    let page = house.get(&format!("/api/v1/events?offset=0&limit=1000&{parameters}")).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let ids = page.ids();
    let count = ids.len().max(1);
    let mut watch = house.watch(&format!("&offset=0&timeout=5s&count={count}&{parameters}")).await;
    if !ids.is_empty() {
        assert_eq!(watch.rest().await.iter().map(id).collect::<Vec<_>>(), ids, "{parameters}");
    }
    ids
}

#[tokio::test]
async fn events_are_chosen_by_type_source_subject_time_and_expression() {
    let house = plan().open().await;
    house.append(0..10).await;
    for (parameters, expected) in [
        ("type=VmPoweredOnEvent", vec![0, 2, 4, 6, 8]),
        ("type=com.vmware.vsphere.VmPoweredOff*", vec![1, 3, 5, 7, 9]),
        ("type=VmPoweredOnEvent&type=VmPoweredOffEvent&subject=VirtualMachine/vm-3", vec![3]),
        ("subject=VirtualMachine/vm-3&subject=VirtualMachine/vm-4", vec![3, 4]),
        ("source=https://vc.example.org/*&type=vm*", vec![]),
        ("filter=time%20%3C%20timestamp('2026-09-21T14:13:23Z')", vec![0, 1, 2]),
        ("filter=has(event.account)%20%26%26%20event.account%20%3D%3D%20'acme'", vec![0, 3, 6, 9]),
        ("source=urn:other", vec![]),
        ("since=2026-09-21T14:13:23Z", (3..10).collect()),
        ("since=2026-09-21T14:13:23Z&until=2026-09-21T16:13:25%2B02:00", vec![3, 4]),
        ("filter=data.Key%20%3E%207", vec![8, 9]),
        ("filter=data.Key%20%3E%205&filter=account%20%3D%3D%20'acme'", vec![6, 9]),
        ("filter=sequence.endsWith('7')", vec![7]),
        ("filter=data.nothing.at.all", vec![]),
    ] {
        assert_eq!(passing(&house, parameters).await, expected, "{parameters}");
    }
}

#[tokio::test]
async fn a_filtered_watch_goes_on_live() {
    let house = plan().open().await;
    house.append(0..500).await;
    let mut watch = house.watch("&offset=490&type=VmPoweredOnEvent").await;
    assert_eq!(watch.ids(5).await, [490, 492, 494, 496, 498]);
    house.append(500..503).await;
    assert_eq!(watch.ids(2).await, [500, 502]);
}

#[tokio::test]
async fn a_bad_filter_is_refused_with_the_reason() {
    let house = plan().open().await;
    house.append_event(event(0)).await;
    for (parameter, part) in [
        ("filter=a%20%3D%3D", "invalid filter: filter expression does not parse"),
        ("filter=type.startswith('a')", "column 6; did you mean `startsWith`?"),
        ("filter=sevrity%20%3E%209", "did you mean `severitynumber`"),
        ("filter=data.all(x,data.all(y,x%3D%3Dy))", "units of work on a small event"),
        ("type=Vm*Event", "`*` stands only at the end"),
        ("subject=*-9", "`*` stands only at the end"),
        ("since=yesterday", "RFC 3339"),
        ("until=5", "RFC 3339"),
        ("since=2026-01-01T00:00:00Z&since=2026-01-01T00:00:00Z", "given twice"),
    ] {
        for watch in ["", "&watch=true"] {
            let reply = house.get(&format!("/api/v1/events?{parameter}{watch}")).await;
            let (status, detail) = reply.problem();
            assert_eq!(status, 400);
            assert!(detail.contains(part), "{detail}");
        }
    }
    let long = "x".repeat(5000);
    assert_eq!(house.get(&format!("/api/v1/events?filter={long}")).await.problem().0, 400);
}
