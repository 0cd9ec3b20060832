//! What a connection says when it fails, and that it works when it should: real sockets, real
//! handshakes, certificates made for each test.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pluvio_net::{
    DialError, Dialer, HttpClient, HttpError, Request, ServerTls, ServerTlsError, Stream,
    Thumbprint, TlsOptions,
};
use rcgen::KeyPair;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

struct Server {
    address: SocketAddr,
    thumbprint: Thumbprint,
    folder: PathBuf,
}

impl Server {
    /// A TLS server for `localhost` which answers every connection once.
    async fn start(name: &str) -> Server {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Server::showing(name, &made.cert, &made.signing_key).await
    }

    async fn showing(name: &str, cert: &rcgen::Certificate, key: &rcgen::KeyPair) -> Server {
        let folder = std::env::temp_dir().join(format!("pluvio-net-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let tls = files(&folder, &cert.pem(), &key.serialize_pem());
        let acceptor = TlsAcceptor::from(Arc::new(tls.server_config().unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.read(&mut [0; 4096]).await;
                    let _ =
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        Server { address, thumbprint: Thumbprint::sha256_of(cert.der()), folder }
    }

    async fn get(&self, host: &str, tls: TlsOptions) -> Result<String, HttpError> {
        let url = format!("https://{host}:{}/", self.address.port()).parse().unwrap();
        let reply = HttpClient::new(&tls).unwrap().send(Request::get(url)).await?;
        Ok(String::from_utf8_lossy(&reply.body).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn files(folder: &std::path::Path, cert: &str, key: &str) -> ServerTls {
    let tls = ServerTls { cert_file: folder.join("cert.pem"), key_file: folder.join("key.pem") };
    std::fs::write(&tls.cert_file, cert).unwrap();
    std::fs::write(&tls.key_file, key).unwrap();
    tls
}

#[tokio::test]
async fn an_unknown_issuer_is_told_with_the_thumbprint_to_pin() {
    let server = Server::start("unknown").await;
    let error = server.get("localhost", TlsOptions::default()).await.unwrap_err();
    let port = server.address.port();
    let expected = format!(
        "certificate of localhost:{port} is not trusted (unknown issuer); its SHA-256 thumbprint \
         is {}: set tls.thumbprint or tls.ca_file",
        server.thumbprint
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_dialled_connection_trusts_whom_its_options_say_and_tells_the_thumbprint_otherwise() {
    let server = Server::start("dial").await;
    let port = server.address.port();
    let dial =
        async |options: TlsOptions| Dialer::tls(&options).unwrap().connect("localhost", port).await;
    let error = dial(TlsOptions::default()).await.unwrap_err();
    assert!(matches!(error, DialError::Untrusted { .. }), "{error}");
    assert!(error.remedy().unwrap().contains(&server.thumbprint.to_string()));
    let pinned = TlsOptions { thumbprint: Some(server.thumbprint), ..TlsOptions::default() };
    assert!(matches!(dial(pinned).await.unwrap(), Stream::Tls(_)));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_told_as_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = Dialer::plain().connect("127.0.0.1", port).await.unwrap_err();
    assert!(matches!(error, DialError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_pinned_certificate_is_accepted_and_another_is_not() {
    let server = Server::start("pinned").await;
    let pin = |thumbprint| TlsOptions { thumbprint: Some(thumbprint), ..TlsOptions::default() };
    assert_eq!(server.get("127.0.0.1", pin(server.thumbprint)).await.unwrap(), "ok");
    let other = Thumbprint::sha256_of(b"other");
    let error = server.get("127.0.0.1", pin(other)).await.unwrap_err();
    assert!(matches!(error, HttpError::Untrusted { untrusted, .. }
        if untrusted.thumbprint == server.thumbprint && untrusted.reason.contains("pinned")));
}

#[tokio::test]
async fn an_authority_file_vouches_for_its_name_only() {
    let server = Server::start("authority").await;
    let tls = TlsOptions { ca_file: Some(server.folder.join("cert.pem")), ..TlsOptions::default() };
    assert_eq!(server.get("localhost", tls.clone()).await.unwrap(), "ok");
    let error = server.get("127.0.0.1", tls).await.unwrap_err();
    assert!(error.to_string().contains("(not valid for this name)"), "{error}");
}

/// A self-signed certificate of an authority for `localhost`, as `openssl req -x509` makes them.
fn authority(change: impl FnOnce(&mut rcgen::CertificateParams)) -> (rcgen::Certificate, KeyPair) {
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap(), key)
}

#[tokio::test]
async fn a_self_signed_authority_that_is_named_itself_is_trusted_for_its_name_while_it_is_valid() {
    let by_file = |server: &Server| TlsOptions {
        ca_file: Some(server.folder.join("cert.pem")),
        ..TlsOptions::default()
    };
    let (cert, key) = authority(|_| {});
    let server = Server::showing("self-signed", &cert, &key).await;
    assert_eq!(server.get("localhost", by_file(&server)).await.unwrap(), "ok");
    let error = server.get("127.0.0.1", by_file(&server)).await.unwrap_err();
    assert!(error.to_string().contains("is not trusted"), "{error}");

    let (cert, key) = authority(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let expired = Server::showing("self-signed-expired", &cert, &key).await;
    let error = expired.get("localhost", by_file(&expired)).await.unwrap_err();
    assert!(error.to_string().contains("(expired)"), "{error}");

    // Another authority's file does not vouch for it.
    let error = server.get("localhost", by_file(&expired)).await.unwrap_err();
    assert!(error.to_string().contains("is not trusted"), "{error}");
}

#[tokio::test]
async fn a_certificate_that_was_renewed_on_disk_is_shown_to_new_connections() {
    let server = Server::start("renewed").await;
    let shows = async |tls: TlsOptions| server.get("localhost", tls).await;
    let pin = |thumbprint| TlsOptions { thumbprint: Some(thumbprint), ..TlsOptions::default() };
    assert_eq!(shows(pin(server.thumbprint)).await.unwrap(), "ok");

    let new = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let renewed = pin(Thumbprint::sha256_of(new.cert.der()));
    std::fs::write(server.folder.join("cert.pem"), new.cert.pem()).unwrap();
    std::fs::write(server.folder.join("key.pem"), new.signing_key.serialize_pem()).unwrap();
    while let Err(error) = shows(renewed.clone()).await {
        let HttpError::Untrusted { untrusted, .. } = error else { panic!("{error}") };
        assert_eq!(untrusted.thumbprint, server.thumbprint, "one of the two is shown");
    }
    assert!(shows(pin(server.thumbprint)).await.is_err());
}

#[tokio::test]
async fn insecure_accepts_any_certificate() {
    let server = Server::start("insecure").await;
    let tls = TlsOptions { insecure: true, ..TlsOptions::default() };
    assert_eq!(server.get("127.0.0.1", tls).await.unwrap(), "ok");
}

#[tokio::test]
async fn each_way_to_fail_has_its_own_error() {
    let client = HttpClient::new(&TlsOptions { insecure: true, ..TlsOptions::default() }).unwrap();
    let get = async |url: &str| client.send(Request::get(url.parse().unwrap())).await.unwrap_err();

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let refused = get(&format!("http://user:pass@127.0.0.1:{port}/?token=x")).await;
    assert!(matches!(refused, HttpError::Refused { .. }), "{refused:?}");
    assert!(!format!("{refused:?}").contains("token"), "{refused:?}");

    let error = get("http://no-such-host.invalid/").await;
    assert!(matches!(error, HttpError::NotResolved { .. }), "{error:?}");

    let rude = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = rude.local_addr().unwrap().port();
    tokio::spawn(async move { while rude.accept().await.is_ok() {} });
    let error = get(&format!("http://127.0.0.1:{port}/")).await;
    assert!(matches!(error, HttpError::Reset { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let endless = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", endless.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = endless.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 64 * 1024]).await.is_ok() {}
    });
    let client = HttpClient::new(&TlsOptions { insecure: true, ..TlsOptions::default() }).unwrap();
    let error = client.send(Request::get(url)).await.unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { .. }), "{error:?}");
}

#[derive(Clone, Copy, PartialEq)]
enum Ending {
    AtOnce,
    AtTheNextRequest,
}

/// Answers `answers` requests of each connection with `answer` and, without having said so, no more:
/// the connection ends `after` that, at once or when the next request has arrived.
async fn closing_after(answers: usize, answer: &'static [u8], after: Ending) -> url::Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                for _ in 0..answers {
                    if stream.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {
                        let _ = stream.write_all(answer).await;
                    }
                }
                if after == Ending::AtTheNextRequest {
                    let _ = stream.read(&mut [0; 4096]).await;
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_repeatable_request_survives_a_connection_that_was_closed_after_its_last_answer() {
    let client = HttpClient::new(&TlsOptions::default()).unwrap();
    let empty = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let url = closing_after(1, empty, Ending::AtTheNextRequest).await;
    let request = Request::post(url.clone(), "event");
    for _ in 0..10 {
        client.send(request.clone().repeatable()).await.unwrap();
    }
    let sent = [client.send(request.clone()).await, client.send(request).await];
    let lost = sent.iter().filter(|sent| matches!(sent, Err(HttpError::Reset { .. }))).count();
    assert_eq!(lost, 1, "others are sent once: {sent:?}");

    // A server that never answers is asked once, over a new connection.
    let silent = closing_after(0, b"", Ending::AtTheNextRequest).await;
    let error = client.send(Request::post(silent, "event").repeatable()).await.unwrap_err();
    assert!(matches!(error, HttpError::Reset { .. }), "{error:?}");
}

#[tokio::test]
async fn a_status_counts_though_its_body_cannot_be_read_where_the_status_says_everything() {
    let client = HttpClient::new(&TlsOptions::default()).unwrap();
    let answers: [&[u8]; 3] = [
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain",
        b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ];
    for answer in answers {
        let whole = client.send(Request::get(closing_after(1, answer, Ending::AtOnce).await)).await;
        assert!(whole.is_err(), "{whole:?}");
        let request = Request::get(closing_after(1, answer, Ending::AtOnce).await);
        let by_status = client.send(request.by_status()).await;
        assert_eq!(by_status.unwrap().status, 200);
    }
}

/// Takes connections, answers the first request of each with `answer`, and keeps them open.
async fn silent_after(scheme: &str, answer: &'static [u8]) -> url::Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{scheme}://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer).await;
                while stream.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {}
            });
        }
    });
    url
}

#[tokio::test]
async fn what_did_not_come_in_time_is_told_apart() {
    let client = HttpClient::new(&TlsOptions { insecure: true, ..TlsOptions::default() }).unwrap();
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort";
    for (url, expected) in [
        (silent_after("https", b"").await, "no connection to "),
        (silent_after("http", b"").await, " did not answer in time, though it took the request"),
        (silent_after("http", begun).await, " began and did not end in time"),
    ] {
        let request = Request::get(url).timeout(Duration::from_millis(300));
        let error = client.send(request).await.unwrap_err();
        assert!(matches!(error, HttpError::TimedOut { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_is_waited_for_a_little_where_the_status_says_everything() {
    let client = HttpClient::new(&TlsOptions::default()).unwrap();
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort";
    // Its time is an hour: it ends because of the two seconds, or never.
    let request =
        Request::get(silent_after("http", begun).await).timeout(Duration::from_secs(3600));
    let reply = client.send(request.by_status()).await.unwrap();
    assert_eq!(
        (reply.status.as_u16(), &reply.body[..], reply.is_unended),
        (200, &b"short"[..], true)
    );
}

#[test]
fn what_is_wrong_with_server_files_is_named() {
    let folder = std::env::temp_dir().join(format!("pluvio-net-{}-files", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let one = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
    let two = rcgen::generate_simple_self_signed(["b".to_owned()]).unwrap();
    let (pem, key) = (one.cert.pem(), two.signing_key.serialize_pem());

    let mismatch = files(&folder, &pem, &key).server_config().unwrap_err();
    assert!(matches!(mismatch, ServerTlsError::Mismatch { .. }), "{mismatch:?}");
    let swapped = files(&folder, &key, &pem).server_config().unwrap_err();
    assert!(matches!(swapped, ServerTlsError::NoCertificate { .. }), "{swapped:?}");
    let no_key = files(&folder, &pem, &pem).server_config().unwrap_err();
    assert!(matches!(no_key, ServerTlsError::NoKey { .. }), "{no_key:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}
