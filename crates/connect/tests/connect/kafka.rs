//! The Kafka sink at peers that a real broker cannot be made to be. What it does with brokers is tried
//! with real ones, by `e2e`.

use std::time::Duration;

use pluvio_connect::{
    component::SinkConfig as _,
    kafka::{Config, Error},
};
use pluvio_net::unit::Period;
use pluvio_runtime::{Failure, Response, Sink};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::hand::standing;

/// Somebody who answers whatever is asked with these bytes; where.
async fn peer(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 1024];
            let _asked = stream.read(&mut asked).await;
            let _answered = stream.write_all(answer).await;
            // Held open, so that only the answer itself can be what is wrong.
            tokio::spawn(async move { stream.read(&mut asked).await });
        }
    });
    address
}

async fn failed(config: Config) -> Error {
    let mut sink = config.build().unwrap();
    match sink.connect(standing(1, 0)).await {
        Err(error) => error,
        Ok(_) => unreachable!("it connected"),
    }
}

#[tokio::test]
async fn a_port_of_something_else_is_told_as_that() {
    let http = peer(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let error = failed(Config::new(http, "rain")).await;
    assert!(matches!(error, Error::Answer { api: "ApiVersions", .. }), "{error}");
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("`brokers`")));
    assert_eq!(error.response(), Response::Retry);
}

#[tokio::test]
async fn an_answer_to_another_question_is_refused() {
    let confused = peer(&[0, 0, 0, 10, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0]).await;
    let error = failed(Config::new(confused, "rain")).await;
    assert!(error.to_string().ends_with("it answers something else"), "{error}");
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_given_up() {
    let silent = peer(&[0, 0, 0, 10, 0, 0]).await;
    let mut config = Config::new(silent, "rain");
    config.timeout = Period(Duration::from_secs(1));
    let error = failed(config).await;
    assert!(matches!(error, Error::Slow { api: "ApiVersions", .. }), "{error}");
}

#[tokio::test]
async fn the_next_broker_is_asked_where_one_is_away() {
    let away = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = away.local_addr().unwrap().to_string();
    drop(away);
    let mut config = Config::new(address, "rain");
    // An old broker: it speaks only what it says.
    config.brokers.push(peer(&[0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await);
    let error = failed(config).await;
    assert!(matches!(error, Error::Versions { api: "Metadata", .. }), "{error}");
}
