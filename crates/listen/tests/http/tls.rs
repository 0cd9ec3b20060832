//! The same over TLS.

use std::{path::PathBuf, sync::Arc};

use pluvio_listen::http::Error;
use pluvio_net::ServerTls;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

use crate::{
    client::{Reply, Watching, send_over, within},
    house::plan,
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

#[tokio::test]
async fn events_are_served_and_watched_over_tls() {
    let (tls, roots) = certificate("served");
    let house = plan().config(|config| config.tls = Some(tls)).open().await;
    house.append(0..2000).await;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let connect = async || {
        let stream = TcpStream::connect(house.address).await.unwrap();
        let name = ServerName::try_from("pluvio.example.org").unwrap();
        within(connector.connect(name, stream)).await.unwrap()
    };
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
