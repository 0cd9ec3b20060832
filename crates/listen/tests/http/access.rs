//! Who sees what.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use pluvio_event::{Filter, Pattern};
use pluvio_listen::{
    component::ListenerConfig as _,
    http::{Config, Error},
};
use pluvio_log::{Log, LogHandle, Memory, MemoryConfig, StreamName};
use pluvio_runtime::{
    AccessTable, Principal, Streams, Verb,
    status::{Kind, StatusBoard},
};

use crate::{
    client::id,
    house::{House, context, event, plan},
};

pub(crate) const ACME: (&str, &str) = ("authorization", "Bearer acme-token");
pub(crate) const OPERATOR: (&str, &str) = ("authorization", "bearer operator-token");
const AUDITOR: (&str, &str) = ("authorization", "Basic YXVkaXRvcjpwYTU1OndvcmQ=");

/// `acme` reads its own events of stream `events`, `operator` sees all, `auditor` has no status.
pub(crate) fn table() -> AccessTable {
    let principal = |name: &str, streams, verbs: &[Verb], filter| {
        let verbs: BTreeSet<Verb> = verbs.iter().copied().collect();
        Arc::new(Principal { name: name.to_owned(), streams, verbs, filter })
    };
    let own = Filter::default().and_expression("account == 'acme'").unwrap();
    let only = Streams::Matching(vec![Pattern::new("events")]);
    let mut table = AccessTable::closed();
    table.add_bearer("acme-token", principal("acme", only, &[Verb::Read], own)).unwrap();
    let both = [Verb::Read, Verb::Status];
    let operator = principal("operator", Streams::All, &both, Filter::default());
    table.add_bearer("operator-token", operator).unwrap();
    let auditor = principal("auditor", Streams::All, &[Verb::Read], Filter::default());
    table.add_password("pa55:word", auditor);
    table
}

async fn closed_house() -> House {
    let house = plan().access(table()).open().await;
    let bus = StreamName::new("bus").unwrap();
    house.log.open(&bus).await.unwrap();
    house.append_at(&bus, event(0), None).await;
    house.append(0..9).await;
    house
}

#[tokio::test]
async fn each_principal_may_do_its_verbs_on_its_streams() {
    let house = closed_house().await;
    let nobody = ("x-nothing", "");
    let wrong = ("authorization", "Bearer wrong");
    for (target, statuses) in [
        // nobody, wrong, acme, operator, auditor
        ("/livez", [200, 200, 200, 200, 200]),
        ("/readyz", [200, 200, 200, 200, 200]),
        ("/openapi.json", [200, 200, 200, 200, 200]),
        ("/", [200, 200, 200, 200, 200]),
        ("/api/v1/range", [401, 401, 200, 200, 200]),
        ("/api/v1/events", [401, 401, 200, 200, 200]),
        ("/api/v1/events/0", [401, 401, 200, 200, 200]),
        ("/api/v1/streams", [401, 401, 200, 200, 200]),
        ("/api/v1/streams/bus/events", [401, 401, 404, 200, 200]),
        ("/api/v1/streams/bus/events?watch=true&count=1&offset=0", [401, 401, 404, 200, 200]),
        ("/api/v1/streams/none/range", [401, 401, 404, 404, 404]),
        ("/api/v1/status", [401, 401, 403, 200, 403]),
        ("/metrics", [401, 401, 403, 200, 403]),
    ] {
        let senders = [nobody, wrong, ACME, OPERATOR, AUDITOR];
        for (sender, status) in senders.into_iter().zip(statuses) {
            let reply = house.get_with(target, &[sender]).await;
            assert_eq!(reply.status, status, "{target} as {sender:?}");
        }
    }
}

#[tokio::test]
async fn guessing_is_refused_unseen_after_a_while_and_who_is_logged_in_does_not_notice() {
    let house = closed_house().await;
    let mut friend = house.client().await;
    assert_eq!(friend.get_with("/api/v1/range", &[OPERATOR]).await.status, 200);
    let refused = loop {
        let reply = house.get_with("/api/v1/range", &[("authorization", "Bearer wrong")]).await;
        match reply.status.as_u16() {
            401 => {}
            _ => break reply,
        }
    };
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 2);
    let (_, detail) = refused.problem();
    assert!(detail.starts_with("too many wrong credentials; try again in"), "{detail}");
    // The right one is not looked at either: the answer would tell that it is right.
    assert_eq!(house.get_with("/api/v1/range", &[ACME]).await.status, 429);
    assert_eq!(friend.get_with("/api/v1/range", &[OPERATOR]).await.status, 200);
    assert_eq!(friend.get_with("/api/v1/range", &[ACME]).await.status, 429);
    assert_eq!(house.get("/livez").await.status, 200);
}

#[tokio::test]
async fn a_token_that_was_replaced_is_refused_from_then_on_and_the_new_one_taken() {
    let house = closed_house().await;
    let mut client = house.client().await;
    assert_eq!(client.get_with("/api/v1/range", &[ACME]).await.status, 200);
    let mut renewed = AccessTable::closed();
    renewed.add_bearer("new-token", Arc::new(Principal::anonymous())).unwrap();
    house.access.replace(renewed);
    assert_eq!(client.get_with("/api/v1/range", &[ACME]).await.status, 401);
    let new = ("authorization", "Bearer new-token");
    assert_eq!(client.get_with("/api/v1/range", &[new]).await.status, 200);
}

#[tokio::test]
async fn a_stranger_is_told_how_to_say_who_it_is() {
    let house = closed_house().await;
    for value in ["Bearer s3cret", "Basic s3cret", "Basic YTpi", "Digest x", "nonsense", "Bearer"] {
        let reply = house.get_with("/api/v1/range", &[("authorization", value)]).await;
        assert_eq!(reply.problem().0, 401);
        let schemes: Vec<_> = reply.headers.get_all("www-authenticate").iter().collect();
        assert_eq!(schemes, ["Bearer realm=\"pluvio\"", "Basic realm=\"pluvio\""]);
        assert_eq!(reply.header("pluvio-log"), None);
        assert!(!reply.text().contains("s3cret"), "{}", reply.text());
    }
}

#[tokio::test]
async fn a_missing_stream_and_a_forbidden_one_read_alike() {
    let house = closed_house().await;
    let forbidden = house.get_with("/api/v1/streams/bus/range", &[ACME]).await;
    let missing = house.get_with("/api/v1/streams/sub/range", &[ACME]).await;
    assert_eq!(forbidden.text().replace("bus", "sub"), missing.text());
    let names = house.get_with("/api/v1/streams", &[ACME]).await.json();
    assert_eq!(names.as_array().unwrap().len(), 1);
    assert_eq!(names[0]["name"], "events");
}

#[tokio::test]
async fn a_mandatory_filter_is_laid_over_everything() {
    let house = closed_house().await;
    let own = [0, 3, 6];
    assert_eq!(house.get_with("/api/v1/events", &[ACME]).await.ids(), own);
    let asking_for_more = "/api/v1/events?filter=account%20%3D%3D%20'globex'";
    assert_eq!(house.get_with(asking_for_more, &[ACME]).await.text(), "[]");
    assert_eq!(house.get_with("/api/v1/events?limit=2", &[ACME]).await.ids(), [3, 6]);
    let mut watch = house.watch_with("&offset=0&count=4", &[ACME]).await;
    assert_eq!(watch.ids(3).await, own);
    house.append(9..13).await;
    assert_eq!(watch.rest().await.iter().map(id).collect::<Vec<_>>(), [9]);
    let mut sse =
        house.watch_with("&offset=1&count=1", &[ACME, ("accept", "text/event-stream")]).await;
    sse.block().await.unwrap();
    assert_eq!(sse.block().await.unwrap()[0], "id: 3");
}

#[tokio::test]
async fn a_hidden_event_is_a_gap() {
    let house = closed_house().await;
    let events = StreamName::events();
    house.append_at(&events, event(12), Some(20)).await;
    assert_eq!(house.get_with("/api/v1/events/3", &[ACME]).await.status, 200);
    for mode in ["", "?mode=binary"] {
        let hidden = house.get_with(&format!("/api/v1/events/4{mode}"), &[ACME]).await;
        let gap = house.get_with(&format!("/api/v1/events/14{mode}"), &[ACME]).await;
        assert_eq!((hidden.status.as_u16(), gap.status.as_u16()), (404, 404));
        assert_eq!(hidden.text().replace("at 4", "at 14"), gap.text());
        assert_eq!(hidden.headers.len(), gap.headers.len());
    }
}

#[tokio::test]
async fn a_single_event_is_filtered_within_its_clients_budget() {
    let plan = plan().access(table()).limits(|limits| {
        limits.filter_units_per_second = 1;
        limits.page_wait = Duration::from_millis(1);
    });
    let house = plan.open().await;
    house.append(0..3).await;
    assert_eq!(house.get_with("/api/v1/events/0", &[ACME]).await.status, 200);
    // Reading this takes more than is earned in seconds.
    let filter = format!("account%20%3D%3D%20'{}'", "x".repeat(3_900));
    house.get_with(&format!("/api/v1/events?filter={filter}"), &[ACME]).await;
    let (status, detail) = house.get_with("/api/v1/events/0", &[ACME]).await.problem();
    assert_eq!(status, 400);
    assert!(detail.contains("have used up their budget"), "{detail}");
    assert_eq!(house.get_with("/api/v1/events/0", &[OPERATOR]).await.status, 200);
}

#[tokio::test]
async fn a_gap_waits_for_the_budget_as_a_hidden_event_does() {
    let plan = plan().access(table()).limits(|limits| {
        limits.filter_units_per_second = 1;
        limits.page_wait = Duration::from_millis(1);
    });
    let house = plan.open().await;
    house.append(0..3).await;
    house.append_at(&StreamName::events(), event(12), Some(20)).await;
    let filter = format!("account%20%3D%3D%20'{}'", "x".repeat(3_900));
    house.get_with(&format!("/api/v1/events?filter={filter}"), &[ACME]).await;
    let hidden = house.get_with("/api/v1/events/1", &[ACME]).await.problem();
    assert!(hidden.1.contains("have used up their budget"), "{}", hidden.1);
    assert_eq!(house.get_with("/api/v1/events/14", &[ACME]).await.problem(), hidden);
    let (status, detail) = house.get_with("/api/v1/events/14", &[OPERATOR]).await.problem();
    assert_eq!((status, detail.contains("the next is at 20")), (404, true), "{detail}");
}

#[tokio::test]
async fn readiness_names_sources_only_to_who_may_see_status() {
    let house = closed_house().await;
    house.status.add("secret-name", Kind::Source, "vsphere");
    let stranger = house.get("/readyz?verbose").await;
    assert_eq!(stranger.status, 503);
    assert!(!stranger.text().contains("secret-name"), "{}", stranger.text());
    assert!(stranger.text().contains("1 of 1 sources are not running"));
    assert!(house.get_with("/readyz", &[OPERATOR]).await.text().contains("secret-name"));
}

#[tokio::test]
async fn beyond_loopback_both_authentication_and_tls_are_demanded() {
    let log = LogHandle::new(Memory::new(MemoryConfig::default()));
    let build = |listen: &str, access, insecure| {
        let config = Config { listen: listen.parse().unwrap(), insecure, ..Config::default() };
        config.build(context(&log, access, &StatusBoard::default()))
    };
    let missing = |result: Result<_, Error>| match result {
        Err(error @ Error::Exposed { missing, .. }) => {
            assert!(error.to_string().contains("insecure = true"), "{error}");
            Some(missing)
        }
        _ => None::<&str>,
    };
    assert_eq!(
        missing(build("0.0.0.0:0", AccessTable::open(), false).map(drop)),
        Some("authentication and TLS")
    );
    assert_eq!(missing(build("[::]:0", table(), false).map(drop)), Some("TLS"));
    assert!(build("0.0.0.0:0", AccessTable::open(), true).is_ok());
    assert!(build("127.0.0.1:0", AccessTable::open(), false).is_ok());
    let taken = build("127.0.0.1:0", AccessTable::open(), false).unwrap();
    let again = build(&taken.local_addr().to_string(), AccessTable::open(), false);
    assert!(matches!(again, Err(Error::Bind { .. })));
}
