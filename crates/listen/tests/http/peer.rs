//! The cases that vsphere-event-streaming's own tests cover, asked over HTTP. Status codes are ours
//! where they differ (410 and 404 for 400); the texts at the beginning of `detail` are its own.

use crate::house::{event, plan};

#[tokio::test]
async fn the_range_of_an_empty_log_is_no_content() {
    let house = plan().open().await;
    let reply = house.get("/api/v1/range").await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (204, 0));
    assert_eq!(reply.header("content-type"), None);
}

#[tokio::test]
async fn the_range_spans_from_the_earliest_to_the_latest() {
    let house = plan().keeping(10).open().await;
    house.append(0..5).await;
    let range = house.get("/api/v1/range").await.json();
    assert_eq!((range["earliest"].as_i64(), range["latest"].as_i64()), (Some(0), Some(4)));
    house.append(5..20).await;
    let reply = house.get("/api/v1/range").await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert!(reply.text().starts_with(r#"{"earliest":10,"latest":19,"#), "{}", reply.text());
}

#[tokio::test]
async fn an_event_of_an_empty_log_lies_in_the_future() {
    let house = plan().open().await;
    let (status, detail) = house.get("/api/v1/events/3").await.problem();
    assert_eq!(status, 404);
    assert!(detail.starts_with("invalid offset: future offset"), "{detail}");
}

#[tokio::test]
async fn a_purged_event_is_out_of_range() {
    let house = plan().keeping(10).open().await;
    house.append(0..20).await;
    for offset in ["3", "-1", "-7"] {
        let reply = house.get(&format!("/api/v1/events/{offset}")).await;
        let (status, detail) = reply.problem();
        assert_eq!(status, 410);
        assert!(detail.starts_with("invalid offset: offset out of range"), "{detail}");
        assert_eq!(
            (reply.json()["earliest"].as_i64(), reply.json()["latest"].as_i64()),
            (Some(10), Some(19))
        );
    }
}

#[tokio::test]
async fn an_offset_that_is_no_number_is_invalid() {
    let house = plan().open().await;
    for target in [
        "/api/v1/events/abc",
        "/api/v1/events/1.5",
        "/api/v1/events/99999999999999999999",
        "/api/v1/events?offset=x",
        "/api/v1/events?watch=true&offset=x",
    ] {
        let (status, detail) = house.get(target).await.problem();
        assert_eq!(status, 400, "{target}");
        assert!(detail.starts_with("invalid offset"), "{detail}");
    }
}

#[tokio::test]
async fn an_event_is_found_by_its_offset() {
    let house = plan().open().await;
    house.append(0..5).await;
    let reply = house.get("/api/v1/events/3").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.json()["id"], "3");
    assert_eq!(reply.json()["sequence"], "00000000000000000003");
    assert!(!reply.text().ends_with('\n'));
}

#[tokio::test]
async fn an_event_is_found_after_the_log_was_truncated() {
    let house = plan().keeping(10).open().await;
    house.append(0..20).await;
    assert_eq!(house.get("/api/v1/events/11").await.json()["id"], "11");
}

#[tokio::test]
async fn a_log_that_starts_at_an_offset_counts_from_there() {
    for (start, asked, found) in [(10, 11, "1"), (20, 31, "11")] {
        let house = plan().open().await;
        let events = pluvio_log::StreamName::events();
        house.append_at(&events, event(0), Some(start)).await;
        house.append(1..20).await;
        assert_eq!(house.get(&format!("/api/v1/events/{asked}")).await.json()["id"], found);
    }
}

#[tokio::test]
async fn a_page_of_an_empty_log_is_no_content() {
    let house = plan().open().await;
    assert_eq!(house.get("/api/v1/events").await.status, 204);
    assert_eq!(house.get("/api/v1/events?offset=0").await.status, 204);
}

#[tokio::test]
async fn a_page_holds_what_there_is_as_an_array() {
    let house = plan().open().await;
    house.append(0..3).await;
    let reply = house.get("/api/v1/events").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("content-length"), Some(reply.body.len().to_string().as_str()));
    assert_eq!(reply.ids(), [0, 1, 2]);
}

#[tokio::test]
async fn a_page_begins_where_fifty_events_are_left() {
    // Appended, kept; then the first and the last event of the page.
    for (appended, kept, first, last) in [
        (1, 100, 0, 0),
        (49, 100, 0, 48),
        (50, 100, 0, 49),
        (51, 100, 1, 50),
        (100, 200, 50, 99),
        (60, 20, 40, 59),
        (120, 50, 70, 119),
        (120, 51, 70, 119),
    ] {
        let house = plan().keeping(kept).open().await;
        house.append(0..appended).await;
        let expected: Vec<i64> = (first..=last).collect();
        assert_eq!(house.get("/api/v1/events").await.ids(), expected, "{appended} of {kept}");
    }
}

#[tokio::test]
async fn a_watch_of_an_empty_log_begins_at_once_and_says_nothing() {
    let house = plan().open().await;
    let mut watch = house.watch("").await;
    assert_eq!(watch.status, 200);
    assert_eq!(watch.headers["content-type"], "application/json");
    assert!(watch.is_silent().await);
    house.append(0..1).await;
    assert_eq!(watch.ids(1).await, [0]);
}

#[tokio::test]
async fn a_watch_is_asked_for_by_true_alone() {
    let house = plan().open().await;
    house.append(0..1).await;
    for value in ["false", "1", "TRUE", "invalid"] {
        let (status, detail) = house.get(&format!("/api/v1/events?watch={value}")).await.problem();
        assert_eq!(status, 400);
        assert!(detail.starts_with("invalid watch parameter"), "{detail}");
    }
    assert_eq!(house.get("/api/v1/events?watch=").await.ids(), [0]);
}

#[tokio::test]
async fn a_watch_without_an_offset_begins_behind_the_latest() {
    let house = plan().open().await;
    house.append(0..3).await;
    let mut plain = house.watch("").await;
    let mut minus = house.watch("&offset=-1").await;
    assert!(plain.is_silent().await && minus.is_silent().await);
    house.append(3..4).await;
    assert_eq!((plain.ids(1).await, minus.ids(1).await), (vec![3], vec![3]));
}

#[tokio::test]
async fn a_watch_from_the_first_offset_replays_one_event_a_line() {
    let house = plan().open().await;
    house.append(0..3).await;
    assert_eq!(house.watch("&offset=0").await.ids(3).await, [0, 1, 2]);
}

#[tokio::test]
async fn a_watch_from_a_purged_offset_is_out_of_range() {
    let house = plan().keeping(10).open().await;
    house.append(0..20).await;
    for offset in ["0", "9", "-2"] {
        let (status, detail) =
            house.get(&format!("/api/v1/events?watch=true&offset={offset}")).await.problem();
        assert_eq!(status, 410);
        assert!(detail.starts_with("invalid offset: offset out of range"), "{detail}");
    }
}

#[tokio::test]
async fn a_watch_from_the_middle_replays_the_rest() {
    let house = plan().open().await;
    house.append(0..15).await;
    assert_eq!(house.watch("&offset=10").await.ids(5).await, [10, 11, 12, 13, 14]);
}

#[tokio::test]
async fn a_watch_of_a_future_offset_waits_for_it() {
    let house = plan().open().await;
    house.append(0..3).await;
    let mut watch = house.watch("&offset=5").await;
    house.append(3..7).await;
    assert_eq!(watch.ids(2).await, [5, 6]);
}

#[tokio::test]
async fn a_watch_of_an_empty_log_whose_first_event_has_a_late_offset_gets_it() {
    let house = plan().open().await;
    let mut watch = house.watch("").await;
    house.append_at(&pluvio_log::StreamName::events(), event(27), Some(27)).await;
    assert_eq!(watch.ids(1).await, [27]);
}
