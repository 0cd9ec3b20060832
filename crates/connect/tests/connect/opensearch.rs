//! An OpenSearch that answers as no real one can be made to.

use pluvio_connect::{component::SinkConfig as _, opensearch::Config};
use pluvio_runtime::{Failure as _, Outcome, Response, Sink as _};

use crate::{
    hand::{connected, records, standing, written},
    http_peer::{Answer, Peer},
};

const NODE: &str =
    r#"{"cluster_name":"sky","version":{"number":"2.19.1","distribution":"opensearch"}}"#;

fn ok(body: impl Into<String>) -> Answer {
    ("HTTP/1.1 200 x\r\n".to_owned(), body.into())
}

#[tokio::test]
async fn a_busy_node_gets_only_what_it_lacks_behind_what_it_has() {
    let statuses = |statuses: [u16; 3]| {
        let items = statuses.map(|status| format!("{{\"create\":{{\"status\":{status}}}}}"));
        ok(format!("{{\"items\":[{}]}}", items.join(",")))
    };
    let peer = Peer::start(move |asked| match asked.line.starts_with("POST") {
        true if asked.text().contains("thing 0") => statuses([201, 429, 201]),
        true => ok(r#"{"items":[{"create":{"status":201}},{"create":{"status":409}}]}"#),
        false => ok(NODE),
    })
    .await;
    let sink = Config::new(peer.url.clone()).build().unwrap();
    assert!(sink.clone().probe().await.unwrap().ends_with("is OpenSearch 2.19.1, cluster `sky`"));
    let (mut writer, _) = connected(&sink, standing(1, 0)).await;
    let batch = records(0..=2).await;
    let told = written(&mut writer, &batch).await;
    assert_eq!(told.taken, [0, 2]);
    assert!(matches!(told.outcome, Outcome::Throttled { .. }), "{told:?}");
    assert_eq!(written(&mut writer, &batch[1..]).await.taken, [1, 2]);
}

#[tokio::test]
async fn a_page_for_people_is_no_answer_and_makes_no_dead_letter() {
    let page = "<html>please log in</html>";
    let peer = Peer::start(move |asked| match asked.line.starts_with("POST") {
        true => ok(page),
        false => ok(NODE),
    })
    .await;
    let sink = Config::new(peer.url.clone()).build().unwrap();
    let (mut writer, _) = connected(&sink, standing(1, 0)).await;
    let told = written(&mut writer, &records(0..=2).await).await;
    let Outcome::NotConnected(error) = told.outcome else { unreachable!("{told:?}") };
    assert!(error.to_string().contains("please log in"), "{error}");
    assert!(error.remedy().is_some());
}

#[tokio::test]
async fn a_wrong_password_is_told_before_anything_is_sent() {
    let peer = Peer::start(|_| ("HTTP/1.1 401 x\r\n".to_owned(), "Unauthorized".to_owned())).await;
    let error = Config::new(peer.url.clone()).build().unwrap().connect(standing(1, 0)).await;
    let error = error.map(|_| ()).unwrap_err();
    assert_eq!(error.response(), Response::Denied);
    assert!(error.remedy().unwrap().starts_with("check `username`"));
}
