//! What a web page in the browser of somebody on this machine gets: nothing.

use pluvio_listen::{
    component::ListenerConfig as _,
    http::{Config, Error},
};
use pluvio_runtime::{AccessTable, status::StatusBoard};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    client::within,
    house::{House, context, plan},
};

async fn status(house: &House, request: &str) -> String {
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_open_server_on_loopback_answers_only_to_names_that_no_stranger_owns() {
    let house = plan().config(|config| config.hosts = vec!["pluvio.lan".into()]).open().await;
    house.append(0..1).await;
    let port = house.address.port();
    for path in ["/api/v1/events", "/api/v1/events?watch=true&count=1&offset=0", "/", "/none"] {
        for ours in [format!("127.0.0.1:{port}"), "localhost".into(), "[::1]:80".into()] {
            let reply = house.get_with(path, &[("host", &ours)]).await;
            assert_ne!(reply.status, 421, "{path} {ours}");
        }
        assert_ne!(house.get_with(path, &[("host", "Pluvio.LAN:8080")]).await.status, 421);
        for foreign in ["evil.example", "localhost.evil.example:8080", "pluvio.lan.evil.example"] {
            let reply = house.get_with(path, &[("host", foreign)]).await;
            assert_eq!(reply.problem().0, 421, "{path} {foreign}");
            assert!(!reply.text().contains("VmPowered"));
        }
    }
}

#[tokio::test]
async fn a_server_that_asks_who_it_is_goes_by_any_name() {
    let house = plan().access(AccessTable::closed()).open().await;
    let reply = house.get_with("/api/v1/events", &[("host", "events.example.org")]).await;
    assert_eq!(reply.problem().0, 401);
}

#[tokio::test]
async fn a_request_has_one_host() {
    let house = plan().open().await;
    let end = "connection: close\r\n\r\n";
    for (head, expected) in [
        ("GET /livez HTTP/1.1\r\nhost: localhost\r\n", "200"),
        ("GET /livez HTTP/1.1\r\n", "400"),
        ("GET /livez HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n", "400"),
        ("GET /livez HTTP/1.1\r\nhost: a b\r\n", "400"),
        ("GET /livez HTTP/1.1\r\nhost: a@localhost\r\n", "400"),
        ("GET /livez HTTP/1.1\r\nhost:\r\n", "421"),
        ("GET http://evil.example/livez HTTP/1.1\r\nhost: localhost\r\n", "421"),
        ("GET /livez HTTP/1.0\r\n", "200"),
    ] {
        assert_eq!(status(&house, &format!("{head}{end}")).await, expected, "{head}");
    }
}

#[tokio::test]
async fn a_page_of_another_site_is_refused_unless_its_origin_is_allowed() {
    let origin = "https://ui.example.org";
    let house = plan().config(|config| config.cors_origins = vec![origin.into()]).open().await;
    house.append(0..1).await;
    let site = |site| ("sec-fetch-site", site);
    let path = "/api/v1/events";
    for (headers, expected) in [
        (vec![site("cross-site")], 403),
        (vec![site("cross-site"), ("origin", "https://evil.example")], 403),
        (vec![site("cross-site"), ("origin", origin)], 200),
        (vec![site("same-origin")], 200),
        (vec![site("none")], 200),
        (vec![], 200),
    ] {
        assert_eq!(house.get_with(path, &headers).await.status, expected, "{headers:?}");
    }
}

#[tokio::test]
async fn a_host_is_configured_as_a_name_alone() {
    let log =
        pluvio_log::LogHandle::new(pluvio_log::Memory::new(pluvio_log::MemoryConfig::default()));
    for bad in ["", "http://pluvio.lan", "pluvio.lan:8080", "*"] {
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            hosts: vec![bad.to_owned()],
            ..Config::default()
        };
        let built = config.build(context(&log, AccessTable::open(), &StatusBoard::default()));
        assert!(matches!(built, Err(Error::Host(_))), "{bad}");
    }
}
