//! Liveness, readiness, status, metrics, and the document that describes them all.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use pluvio_log::disk::SimulatedDisk;
use pluvio_runtime::status::{ErrorReport, Kind, State};

use crate::house::{on_disk, plan};

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
async fn damage_that_a_reader_met_ends_readiness_and_is_in_the_status() {
    let (disk, ahead) = (SimulatedDisk::new(1), Arc::default());
    let house = plan().over(on_disk(&disk, &ahead)).await;
    house.append(0..3).await;
    assert!(disk.flip("/log/events/00000000000000000001.log", 90, 1));
    assert_eq!(house.get("/readyz").await.status, 200);
    assert_eq!(house.get("/api/v1/events?offset=1&limit=1").await.status, 500);
    let reply = house.get("/readyz").await;
    assert_eq!(reply.status, 503);
    let reason = reply.json()["reasons"][0].as_str().unwrap().to_owned();
    assert!(reason.contains("damaged") && reason.contains("offset 1"), "{reason}");
    let status = house.get("/api/v1/status").await.json();
    assert!(status["streams"][0]["damage"].is_string(), "{status}");
    assert_eq!(house.get("/readyz?exclude=log").await.status, 200);
}

#[tokio::test]
async fn a_clock_that_is_not_believed_is_a_warning_beside_readiness() {
    let (disk, ahead) = (SimulatedDisk::new(1), Arc::new(AtomicI64::new(0)));
    let house = plan().over(on_disk(&disk, &ahead)).await;
    house.append(0..1).await;
    assert_eq!(house.get("/readyz").await.json(), serde_json::json!({"ready": true}));
    ahead.store(10 * 366 * 86_400, Ordering::Relaxed);
    let reply = house.get("/readyz").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["ready"]), (200, &true.into()));
    let warning = reply.json()["warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.contains("nothing is deleted by age"), "{warning}");
    assert!(house.get("/api/v1/status").await.json()["log"]["clock"].is_string());
}

#[tokio::test]
async fn a_replaced_token_that_is_still_valid_is_a_warning_beside_readiness() {
    let house = plan().open().await;
    house.access.set_stale(vec!["billing".to_owned()]);
    let reply = house.get("/readyz").await;
    let warning = reply.json()["warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.contains("of principal `billing` cannot be read again"), "{warning}");
    house.access.set_stale(Vec::new());
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
