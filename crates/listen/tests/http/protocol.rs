//! HTTP itself: methods, unknown paths and parameters, compression, browsers.

use std::io::Read;

use pluvio_listen::{
    component::ListenerConfig as _,
    http::{Config, Error},
};

use crate::{
    client::{Reply, send},
    house::{House, plan},
};

async fn ask(house: &House, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
    Reply::of(send(house.address, method, target, headers).await).await
}

async fn paths(house: &House) -> Vec<String> {
    let index = house.get("/").await.json();
    let fill = |path: &serde_json::Value| {
        path.as_str().unwrap().replace("{stream}", "events").replace("{offset}", "0")
    };
    index["paths"].as_array().unwrap().iter().map(fill).collect()
}

#[tokio::test]
async fn head_is_get_without_a_body_on_every_path() {
    let house = plan().open().await;
    house.append(0..3).await;
    for path in paths(&house).await {
        let (get, head) = (house.get(&path).await, ask(&house, "HEAD", &path, &[]).await);
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert!(head.body.is_empty());
    }
    let watch = ask(&house, "HEAD", "/api/v1/events?watch=true", &[]).await;
    assert_eq!(
        (watch.status.as_u16(), watch.header("content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(watch.header("content-length"), None, "a watch has no length");
    assert_eq!(house.watches().await, 0);
}

#[tokio::test]
async fn options_and_wrong_methods_name_the_right_ones_on_every_path() {
    let house = plan().open().await;
    for path in paths(&house).await {
        let options = ask(&house, "OPTIONS", &path, &[]).await;
        assert_eq!(options.status, 204, "{path}");
        assert_eq!(options.header("allow"), Some("GET, HEAD, OPTIONS"));
        assert_eq!(options.header("access-control-allow-methods"), None);
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "X"] {
            let reply = ask(&house, method, &path, &[]).await;
            assert_eq!(reply.problem().0, 405, "{method} {path}");
            assert_eq!(reply.header("allow"), Some("GET, HEAD, OPTIONS"));
        }
    }
}

#[tokio::test]
async fn an_unknown_path_is_not_found_and_the_nearest_is_named() {
    let house = plan().open().await;
    for (path, nearest) in
        [("/api/v1/event", "/api/v1/events"), ("/api/v1/range/", "/api/v1/range"), ("/health", "")]
    {
        let (status, detail) = house.get(path).await.problem();
        assert_eq!(status, 404);
        assert!(detail.contains(nearest), "{detail}");
    }
    let reply = house.get("/api/v1/streams/%ff/range").await;
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    let (status, detail) = reply.problem();
    assert_eq!(status, 404);
    assert!(detail.contains("`/api/v1/streams/%ff/range`"), "{detail}");
}

#[tokio::test]
async fn an_unknown_parameter_is_refused_and_the_nearest_is_named() {
    let house = plan().open().await;
    for (target, unknown, nearest) in [
        ("/api/v1/events?ofset=3", "`ofset`", "`offset`"),
        ("/api/v1/events?watch=true&typ=x", "`typ`", "`type`"),
        ("/api/v1/range?lgo=x", "`lgo`", "`log`"),
        ("/livez?zzz=1", "`zzz`", "verbose"),
        ("/?x", "`x`", "none"),
    ] {
        let (status, detail) = house.get(target).await.problem();
        assert_eq!(status, 400, "{target}");
        assert!(detail.contains(unknown) && detail.contains(nearest), "{detail}");
    }
    let many = "type=x&".repeat(65);
    assert_eq!(house.get(&format!("/api/v1/events?{many}")).await.problem().0, 400);
}

#[tokio::test]
async fn every_answer_is_guarded_and_names_its_log() {
    let house = plan().open().await;
    for path in paths(&house).await {
        let reply = house.get(&path).await;
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(reply.header("pluvio-log").is_some(), "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn large_bodies_are_compressed_when_that_is_accepted() {
    let house = plan().open().await;
    house.append(0..50).await;
    let plain = house.get("/api/v1/events").await;
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(plain.header("vary"), Some("Accept-Encoding"));
    let gzip = house.get_with("/api/v1/events", &[("accept-encoding", "br, gzip;q=0.8")]).await;
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&gzip.body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.text());
    assert!(gzip.body.len() < plain.body.len() / 2);
    let refused = house.get_with("/api/v1/events", &[("accept-encoding", "gzip;q=0")]).await;
    assert_eq!(refused.header("content-encoding"), None);
    let small = house.get_with("/livez", &[("accept-encoding", "gzip")]).await;
    assert_eq!(small.header("content-encoding"), None);
    let watch = house.watch_with("", &[("accept-encoding", "gzip")]).await;
    assert!(!watch.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn a_browser_may_read_from_a_configured_origin_only() {
    let origin = "https://ui.example.org".to_owned();
    let house = plan().config(|config| config.cors_origins = vec![origin]).open().await;
    let ours = [("origin", "https://ui.example.org")];
    let reply = house.get_with("/livez", &ours).await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://ui.example.org"));
    assert_eq!(reply.header("vary"), Some("Origin"));
    assert!(reply.header("access-control-expose-headers").unwrap().contains("Pluvio-Next-Offset"));
    let preflight = ask(&house, "OPTIONS", "/api/v1/events", &ours).await;
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("Authorization"));
    let theirs = [("origin", "https://evil.example.org")];
    let reply = ask(&house, "OPTIONS", "/api/v1/events", &theirs).await;
    assert_eq!(reply.header("access-control-allow-origin"), None);
    assert_eq!(reply.header("access-control-allow-methods"), None);
}

#[tokio::test]
async fn the_configuration_is_checked_when_it_is_built() {
    let log =
        pluvio_log::LogHandle::new(pluvio_log::Memory::new(pluvio_log::MemoryConfig::default()));
    let build = |text: &str| {
        let config: Config = serde_json::from_str(text).unwrap();
        let config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..config };
        let access = pluvio_runtime::AccessTable::open();
        config.build(crate::house::context(&log, access, &Default::default())).map(drop)
    };
    assert!(build("{}").is_ok());
    assert!(build(r#"{"heartbeat":"0s","cors_origins":["*","http://localhost:3000"]}"#).is_ok());
    assert!(matches!(build(r#"{"heartbeat":"500ms"}"#), Err(Error::Heartbeat(_))));
    assert!(matches!(build(r#"{"watchers_max":0}"#), Err(Error::Zero("watchers_max"))));
    assert!(matches!(build(r#"{"cors_origins":["ui.example.org"]}"#), Err(Error::Origin(_))));
    assert!(matches!(
        build(r#"{"cors_origins":["https://ui.example.org/"]}"#),
        Err(Error::Origin(_))
    ));
    assert!(serde_json::from_str::<Config>(r#"{"lisen":"127.0.0.1:1"}"#).is_err());
    let schema = serde_json::to_value(schemars::schema_for!(Config)).unwrap();
    assert_eq!(schema["properties"]["listen"]["default"], "127.0.0.1:8080");
    assert_eq!(schema["properties"]["heartbeat"]["default"], "30s");
}
