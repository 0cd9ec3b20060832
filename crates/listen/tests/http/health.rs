//! Liveness, readiness, status, metrics, and the document that describes them all.

use pluvio_runtime::status::{ErrorReport, Kind, State};

use crate::house::plan;

#[tokio::test]
async fn a_process_that_answers_lives() {
    let house = plan().open().await;
    let reply = house.get("/livez").await;
    assert_eq!((reply.status.as_u16(), reply.text().as_str()), (200, "ok\n"));
}

#[tokio::test]
async fn readiness_waits_for_every_source_and_says_for_which() {
    let house = plan().open().await;
    assert_eq!(house.get("/readyz").await.status, 200);
    let one = house.status.add("prod", Kind::Source, "vsphere");
    let two = house.status.add("test", Kind::Source, "cloudstack");
    house.status.add("http", Kind::Listener, "http");
    one.state(State::Running);
    two.update(|status| {
        let at = jiff::Timestamp::now();
        let message = "connection refused".to_owned();
        status.error = Some(ErrorReport { at, message, remedy: None });
    });
    let reply = house.get("/readyz").await;
    assert_eq!(reply.status, 503);
    let reasons = &reply.json()["reasons"];
    assert_eq!(*reasons, serde_json::json!(["source `test` is connecting: connection refused"]));
    assert_eq!(house.get("/readyz?exclude=sources").await.status, 200);
    assert_eq!(house.get("/readyz?exclude=x").await.problem().0, 400);
    let verbose = house.get("/readyz?verbose").await.json();
    assert_eq!(verbose["checks"][0], serde_json::json!({"name": "log", "ok": true}));
    assert_eq!(verbose["checks"][1]["ok"], false);
    two.state(State::Running);
    assert_eq!(house.get("/readyz").await.json(), serde_json::json!({"ready": true}));
}

#[tokio::test]
async fn readiness_looks_at_sinks_only_if_asked() {
    let house = plan().open().await;
    let sink = house.status.add("archive", Kind::Sink, "file");
    assert_eq!(house.get("/readyz").await.status, 200);
    let reply = house.get("/readyz?include=sinks").await;
    assert_eq!(reply.status, 503);
    let reasons = &reply.json()["reasons"];
    assert_eq!(*reasons, serde_json::json!(["sink `archive` is connecting"]));
    sink.state(State::Running);
    assert_eq!(house.get("/readyz?include=sinks").await.status, 200);
    assert_eq!(house.get("/readyz?include=log").await.problem().0, 400);
}

#[tokio::test]
async fn the_status_lists_components_streams_and_watches() {
    let house = plan().open().await;
    house.append(0..3).await;
    house.status.add("prod", Kind::Source, "vsphere");
    let _watch = house.watch("").await;
    let status = house.get("/api/v1/status").await.json();
    assert_eq!(status["version"], "1.2.3");
    assert_eq!(status["watches"], 1);
    assert_eq!(status["components"][0]["name"], "prod");
    assert_eq!(status["components"][0]["type"], "vsphere");
    assert_eq!(status["streams"][0]["name"], "events");
    assert_eq!(status["streams"][0]["records"], 3);
}

#[tokio::test]
async fn metrics_are_the_text_that_the_process_renders() {
    let reply = plan().open().await.get("/metrics").await;
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(reply.text(), "# the metrics\n");
}

#[tokio::test]
async fn every_path_of_the_openapi_document_is_served_and_every_parameter_is_taken() {
    let house = plan().open().await;
    house.append(0..1).await;
    let document = house.get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, item) in document["paths"].as_object().unwrap() {
        let target = path.replace("{stream}", "events").replace("{offset}", "0");
        assert_eq!(house.get(&target).await.status, 200, "{target}");
        for parameter in item["get"]["parameters"].as_array().into_iter().flatten() {
            let name = parameter["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
            if document["components"]["parameters"][name]["in"] == "query" {
                let reply = house.get(&format!("{target}?{name}=")).await;
                assert!(!reply.text().contains("unknown parameter"), "{target} {name}");
            }
        }
    }
    let index = house.get("/").await.json();
    assert_eq!(
        index["paths"].as_array().unwrap().len(),
        document["paths"].as_object().unwrap().len()
    );
}
