//! The same over TLS.

use std::{io::Write as _, path::PathBuf, sync::Arc, time::Duration};

use futures::stream::{FuturesUnordered, StreamExt};
use pluvio_listen::{component::ListenerConfig as _, http::Error};
use pluvio_net::ServerTls;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

use crate::{
    client::{Reply, Watching, send_over, within},
    house::{House, Plan, plan},
};

/// Certificate and key in a folder of their own, and the authority that a client must trust.
fn certificate(name: &str) -> (ServerTls, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(vec!["pluvio.example.org".to_owned()]).unwrap();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let (cert_file, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert_file, made.cert.pem()).unwrap();
    std::fs::write(&key_file, made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (ServerTls { cert_file, key_file }, roots)
}

/// A client whose handshake is done.
async fn connected(house: &House, roots: &RootCertStore) -> TlsStream<TcpStream> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    let stream = TcpStream::connect(house.address).await.unwrap();
    let name = ServerName::try_from("pluvio.example.org").unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap()
}

/// A house that closes nobody for being slow, so that nothing else can be the reason.
fn patient() -> Plan {
    let hour = Duration::from_secs(3600);
    plan().limits(|limits| (limits.head, limits.stall) = (hour, hour))
}

/// Sends all of a large record but its last byte.
async fn cut_record(house: &House, roots: &RootCertStore) -> TcpStream {
    let (mut stream, mut session) = connected(house, roots).await.into_inner();
    let mut record = Vec::new();
    session.writer().write_all(&[b'x'; 16 << 10]).unwrap();
    session.write_tls(&mut record).unwrap();
    record.pop();
    stream.write_all(&record).await.unwrap();
    stream
}

/// Waits until the other side closes.
async fn closed(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_closed_when_it_is_larger_than_any_client_s() {
    let (tls, _) = certificate("handshake");
    let house = patient().config(|config| config.tls = Some(tls)).open().await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    // A hello of 65,520 bytes, in records of 16,000.
    let mut record = vec![22, 3, 1, 0x3e, 0x80];
    record.extend([1, 0, 0xff, 0xf0, 3, 3]);
    record.resize(5 + 16_000, 0);
    stream.write_all(&record).await.unwrap();
    record[5..].fill(0);
    // Whether the second one is taken depends on how soon the first was read.
    let _may_be_closed = stream.write_all(&record).await;
    within(closed(stream)).await;
}

#[tokio::test]
async fn records_that_do_not_become_whole_share_a_bound_and_others_are_served() {
    let (tls, roots) = certificate("records");
    let house = patient().config(|config| config.tls = Some(tls)).open().await;
    let mut open = FuturesUnordered::new();
    // Two megabytes are shared.
    for _ in 0..200 {
        open.push(closed(cut_record(&house, &roots).await));
    }
    within(open.next()).await.unwrap();
    let stream = connected(&house, &roots).await;
    let reply = Reply::of(send_over(stream, "GET", "/livez", &[]).await).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn strangers_with_records_that_are_not_whole_close_nobody_who_is_known() {
    let (tls, roots) = certificate("strangers");
    let house = patient().config(|config| config.tls = Some(tls)).open().await;
    house.append(0..1).await;
    let mut known = connected(&house, &roots).await;
    // A large head in one record, as cookies make it.
    let padding = "x".repeat(6000);
    let request = format!("GET /api/v1/range HTTP/1.1\r\nhost: localhost\r\nx: {padding}\r\n\r\n");
    let mut ask = async || {
        known.write_all(request.as_bytes()).await.unwrap();
        known.flush().await.unwrap();
        let mut reply = String::new();
        let mut buffer = [0; 4096];
        while !reply.ends_with('}') {
            let count = known.read(&mut buffer).await.unwrap();
            assert!(count > 0, "closed behind {reply:?}");
            reply.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    };
    within(ask()).await;
    let mut open = FuturesUnordered::new();
    for _ in 0..200 {
        open.push(closed(cut_record(&house, &roots).await));
    }
    within(open.next()).await.unwrap();
    within(ask()).await;
}

#[tokio::test]
async fn a_record_that_does_not_become_whole_is_dropped_after_the_time_of_a_stalled_reader() {
    let (tls, roots) = certificate("dropped");
    let plan = patient().limits(|limits| limits.stall = Duration::from_millis(50));
    let house = plan.config(|config| config.tls = Some(tls)).open().await;
    within(closed(cut_record(&house, &roots).await)).await;
}

#[tokio::test]
async fn events_are_served_and_watched_over_tls() {
    let (tls, roots) = certificate("served");
    let house = plan().config(|config| config.tls = Some(tls)).open().await;
    house.append(0..2000).await;
    let connect = async || connected(&house, &roots).await;
    let reply = Reply::of(send_over(connect().await, "GET", "/api/v1/range", &[]).await).await;
    assert_eq!(reply.json()["latest"], 1999);
    let target = "/api/v1/events?watch=true&offset=0&count=2000";
    let mut watch = Watching::of(send_over(connect().await, "GET", target, &[]).await);
    assert_eq!(watch.rest().await.len(), 2000);
}

#[tokio::test]
async fn a_certificate_that_is_not_there_is_told_when_the_listener_is_built() {
    let missing = PathBuf::from("nowhere.pem");
    let tls = ServerTls { cert_file: missing.clone(), key_file: missing };
    let plan = plan().config(|config| config.tls = Some(tls));
    let log =
        pluvio_log::LogHandle::new(pluvio_log::Memory::new(pluvio_log::MemoryConfig::default()));
    let context = crate::house::context(&log, plan.access, &Default::default());
    assert!(matches!(plan.config.build(context), Err(Error::Tls { .. })));
}
