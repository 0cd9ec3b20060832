//! A server of the forward protocol that answers as no real one can be made to.

use pluvio_connect::{
    component::SinkConfig as _,
    fluentd::{Config, Fluentd},
};
use pluvio_net::unit::Period;
use pluvio_runtime::{Failure as _, Outcome, Response, Sink as _};
use pluvio_secret::SecretSource;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::hand::{Written, connected, records, standing, written};

/// A server that says `greeting` to whoever comes, and then `answer` to the chunks that it finds in
/// what it reads.
async fn server(greeting: &'static [u8], answer: fn(&str) -> Vec<u8>) -> Config {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, greeting, answer));
        }
    });
    Config::new("127.0.0.1", port)
}

async fn serve(mut stream: TcpStream, greeting: &[u8], answer: fn(&str) -> Vec<u8>) {
    stream.write_all(greeting).await.unwrap();
    let mut read = Vec::new();
    while stream.read_buf(&mut read).await.is_ok_and(|count| count > 0) {
        // The id of a chunk: 24 characters of base64 behind its key.
        let key = b"\xa5chunk\xb8";
        while let Some(at) = read.windows(key.len()).position(|window| window == key) {
            let Some(id) = read.get(at + key.len()..at + key.len() + 24) else { break };
            let answer = answer(std::str::from_utf8(id).unwrap());
            if answer.is_empty() {
                return;
            }
            stream.write_all(&answer).await.unwrap();
            read.drain(..at + key.len());
        }
    }
}

fn acknowledged(id: &str) -> Vec<u8> {
    [b"\x81\xa3ack\xb8", id.as_bytes()].concat()
}

async fn wrote(sink: &Fluentd) -> Written<pluvio_connect::fluentd::Error> {
    let (mut writer, _) = connected(sink, standing(1, 0)).await;
    written(&mut writer, &records(0..=4).await).await
}

#[tokio::test]
async fn only_the_chunk_that_was_sent_is_an_acknowledgement() {
    let well = server(b"", acknowledged).await.build().unwrap();
    assert_eq!(wrote(&well).await.taken, [0, 1, 2, 3, 4]);
    let other = server(b"", |_| acknowledged("AAAAAAAAAAAAAAAAAAAAAA==")).await;
    let told = wrote(&other.build().unwrap()).await;
    let Outcome::NotConnected(error) = told.outcome else { unreachable!("{told:?}") };
    assert!(error.to_string().contains("is not the forward protocol"), "{error}");
    let silent = server(b"", |_| b"\x80".to_vec()).await;
    let told = wrote(&silent.build().unwrap()).await;
    assert!(matches!(told.outcome, Outcome::NotConnected(_)), "{told:?}");
    let cut = server(b"", |_| Vec::new()).await;
    let told = wrote(&cut.build().unwrap()).await;
    assert!(matches!(told.outcome, Outcome::Broken { sent_to, .. } if sent_to.get() == 4));
}

#[tokio::test]
async fn many_tags_are_many_chunks_and_each_is_waited_for() {
    let config = server(b"", acknowledged).await;
    let sink = Config { tag: Some("{id}".into()), ..config }.build().unwrap();
    let (mut writer, _) = connected(&sink, standing(1, 0)).await;
    let told = written(&mut writer, &records(0..=199).await).await;
    assert_eq!(told.taken.len(), 200, "{told:?}");
}

#[tokio::test]
async fn a_server_that_wants_a_key_is_told_from_one_that_says_nothing() {
    let greeting = b"\x92\xa4HELO\x81\xa5nonce\xa1n";
    let config = server(greeting, acknowledged).await;
    let sink = config.clone().build().unwrap();
    let connecting = sink.clone().connect(standing(1, 0)).await.map(|_| ()).unwrap_err();
    for error in [sink.clone().probe().await.unwrap_err(), connecting] {
        assert!(error.to_string().ends_with("wants a shared key"), "{error}");
        assert_eq!(error.response(), Response::Denied);
        assert_eq!(error.remedy().as_deref(), Some("set `shared_key`"));
    }
}

#[tokio::test]
async fn a_server_that_does_not_know_the_key_is_no_server_of_ours() {
    // HELO, and at once a PONG whose digest is wrong.
    let greeting = b"\x92\xa4HELO\x81\xa5nonce\xa1n\x95\xa4PONG\xc3\xa0\xa1h\xa1x";
    let config = server(greeting, acknowledged).await;
    let shared_key = Some(SecretSource::literal("k"));
    let timeout = Period(std::time::Duration::from_secs(5));
    let sink = Config { shared_key, timeout, ..config }.build().unwrap();
    let error = sink.clone().connect(standing(1, 0)).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().ends_with("does not know the shared key"), "{error}");
}

#[tokio::test]
async fn a_proxy_without_a_server_behind_it_is_no_connection_so_no_event_is_blamed_for_its_end() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = proxy.local_addr().unwrap().port();
    tokio::spawn(async move { while proxy.accept().await.is_ok() {} });
    let sink = Config::new("127.0.0.1", port).build().unwrap();
    let error = sink.clone().connect(standing(1, 0)).await.map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), format!("127.0.0.1:{port} closed the connection"));
    assert_eq!(error.response(), Response::Retry);
}
