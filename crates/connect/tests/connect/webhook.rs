//! A webhook whose receiver answers as no real one can be made to.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use pluvio_connect::{
    component::SinkConfig as _,
    webhook::{Config, Format, Signature},
};
use pluvio_runtime::{Answers, Failure as _, Outcome, Response, Sink as _};
use pluvio_secret::SecretSource;

use crate::{
    hand::{connected, records, records_of, standing, written, written_for},
    http_peer::{Asked, Peer, status},
};

fn number(asked: &Asked) -> i64 {
    let event: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
    event["sequence"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn each_event_is_a_request_and_a_signature_covers_its_body() {
    let peer = Peer::start(|_| status(204)).await;
    let config = Config {
        secret: Some(SecretSource::literal("s")),
        signature: Signature::Base64,
        signature_header: Some("X-CS-Signature".into()),
        token: Some(SecretSource::literal("t")),
        ..Config::new(format!("{}/hook?a=b", peer.url))
    };
    let (mut writer, _) = connected(&config.build().unwrap(), standing(1, 0)).await;
    let told = written(&mut writer, &records(0..=2).await).await;
    assert_eq!(told.taken, [0, 1, 2], "{told:?}");
    let asked = peer.asked();
    assert_eq!(asked.iter().map(number).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(asked[0].line, "POST /hook?a=b");
    assert_eq!(asked[0].header("authorization"), "Bearer t");
    assert_eq!(asked[0].header("content-type"), "application/cloudevents+json");
    assert_eq!(asked[0].header("x-cs-signature").len(), 44);
    assert_ne!(asked[0].header("x-cs-signature"), asked[1].header("x-cs-signature"));
}

#[tokio::test]
async fn with_many_in_flight_events_of_one_subject_arrive_one_after_the_other() {
    let peer = Peer::start(|_| status(200)).await;
    let config = Config { max_in_flight: 8, ..Config::new(peer.url.clone()) };
    let (mut writer, _) = connected(&config.build().unwrap(), standing(1, 0)).await;
    let batch = records_of(0..=199, |number| Some(format!("vm-{}", number % 7))).await;
    let told = written(&mut writer, &batch).await;
    assert_eq!(told.taken.len(), 200, "{told:?}");
    let numbers: Vec<_> = peer.asked().iter().map(number).collect();
    assert_eq!(numbers.len(), 200);
    for subject in 0..7 {
        let of_subject: Vec<_> = numbers.iter().filter(|number| *number % 7 == subject).collect();
        assert!(of_subject.is_sorted(), "subject {subject}: {of_subject:?}");
    }
}

#[tokio::test]
async fn a_refused_event_in_the_middle_stops_nobody_and_nothing_is_sent_twice() {
    let refuse = |asked: &Asked| status(if number(asked) % 10 == 3 { 422 } else { 200 });
    let peer = Peer::start(refuse).await;
    let (mut writer, _) =
        connected(&Config::new(peer.url.clone()).build().unwrap(), standing(1, 0)).await;
    let told = written(&mut writer, &records(0..=29).await).await;
    assert!(matches!(told.outcome, Outcome::Answered), "{told:?}");
    assert_eq!((told.refused(), told.taken.len()), (vec![3, 13, 23], 27));
    assert_eq!(peer.asked().len(), 30);
}

#[tokio::test]
async fn what_is_secret_in_the_address_is_not_quoted_when_the_receiver_repeats_it() {
    for code in [400, 404, 429] {
        let repeat = move |asked: &Asked| {
            (format!("HTTP/1.1 {code} x\r\n"), format!("cannot {}", asked.line))
        };
        let peer = Peer::start(repeat).await;
        let url = format!("{}/services/T0SECRETSECRET01/x?token=s3cret-of-mine", peer.url);
        let (mut writer, _) = connected(&Config::new(url).build().unwrap(), standing(1, 0)).await;
        let told = format!("{:?}", written(&mut writer, &records(0..=0).await).await);
        assert!(told.contains("cannot POST /services/***/x?token=***"), "{told}");
        assert!(!told.contains("SECRET") && !told.contains("s3cret"), "{told}");
    }
}

#[tokio::test]
async fn a_receiver_that_refuses_everything_is_left_alone_after_as_many_as_are_allowed() {
    let peer = Peer::start(|_| status(422)).await;
    for in_flight in [1, 8] {
        let config = Config { max_in_flight: in_flight, ..Config::new(peer.url.clone()) };
        let (mut writer, _) = connected(&config.build().unwrap(), standing(1, 0)).await;
        let batch = records_of(0..=499, |number| Some(format!("vm-{}", number % 50))).await;
        let before = peer.asked().len();
        let told = written_for(&mut writer, &batch, Answers::with_refusals(20, 20)).await;
        assert!(matches!(told.outcome, Outcome::Answered), "{told:?}");
        let asked = peer.asked().len() - before;
        assert_eq!(asked, told.rejected.len());
        assert!((20..20 + in_flight).contains(&asked), "{in_flight}: {asked} requests");
    }
}

#[tokio::test]
async fn patience_is_asked_for_with_what_was_acknowledged_before() {
    let busy = |asked: &Asked| match number(asked) {
        2 => ("HTTP/1.1 429 x\r\nretry-after: 60\r\n".to_owned(), String::new()),
        _ => status(200),
    };
    let peer = Peer::start(busy).await;
    let (mut writer, _) =
        connected(&Config::new(peer.url.clone()).build().unwrap(), standing(1, 0)).await;
    let batch = records(0..=4).await;
    let told = written(&mut writer, &batch).await;
    assert_eq!(told.taken, [0, 1]);
    let Outcome::Throttled { wait, why } = told.outcome else { unreachable!("{told:?}") };
    assert_eq!(wait, Duration::from_secs(60));
    assert!(why.ends_with("answered 429"), "{why}");
    assert_eq!(peer.asked().len(), 3, "it was left alone");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_and_its_status_counts() {
    let peer = Peer::start(|_| ("HTTP/1.1 200 x\r\n".to_owned(), "x".repeat(1 << 20))).await;
    let (mut writer, _) =
        connected(&Config::new(peer.url.clone()).build().unwrap(), standing(1, 0)).await;
    let told = written(&mut writer, &records(0..=1).await).await;
    assert_eq!(told.taken, [0, 1], "{told:?}");
}

#[tokio::test]
async fn a_connection_that_ends_without_an_answer_says_nothing_of_its_event() {
    let count = AtomicUsize::new(0);
    let peer = Peer::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0..3 => status(200),
        _ => (String::new(), String::new()),
    })
    .await;
    let (mut writer, _) =
        connected(&Config::new(peer.url.clone()).build().unwrap(), standing(1, 0)).await;
    let batch = records(0..=4).await;
    let told = written(&mut writer, &batch).await;
    assert_eq!(told.taken, [0, 1, 2]);
    let Outcome::NotConnected(error) = told.outcome else { unreachable!("{told:?}") };
    assert_eq!(error.response(), Response::Retry);
    assert!(error.to_string().contains("was closed by the peer"), "{error}");
}

#[tokio::test]
async fn a_batch_is_one_request_and_refused_as_one() {
    let peer =
        Peer::start(|asked| status(if asked.text().contains("thing 7") { 400 } else { 202 }));
    let peer = peer.await;
    let config = Config { format: Format::CloudeventsBatch, ..Config::new(peer.url.clone()) };
    let (mut writer, _) = connected(&config.build().unwrap(), standing(1, 0)).await;
    assert_eq!(written(&mut writer, &records(0..=4).await).await.taken.len(), 5);
    let told = written(&mut writer, &records(5..=9).await).await;
    assert!(matches!(told.outcome, Outcome::BatchRejected(_)), "{told:?}");
    let asked = peer.asked();
    assert_eq!(asked[0].header("content-type"), "application/cloudevents-batch+json");
    let events: Vec<serde_json::Value> = serde_json::from_slice(&asked[0].body).unwrap();
    assert_eq!(events.len(), 5);
    assert_eq!(events[4]["sequence"], "00000000000000000004");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_probe_says_where_it_leads() {
    let moved = "HTTP/1.1 301 x\r\nlocation: https://other.example/secret\r\n";
    let peer = Peer::start(|_| (moved.to_owned(), String::new())).await;
    let sink = Config::new(peer.url.clone()).build().unwrap();
    let error = sink.clone().probe().await.unwrap_err();
    assert!(error.to_string().ends_with("it sends on to https://other.example"), "{error}");
    assert!(error.remedy().unwrap().starts_with("set `url`"));
    let (mut writer, _) = connected(&sink, standing(1, 0)).await;
    let told = written(&mut writer, &records(0..=0).await).await;
    assert!(matches!(told.outcome, Outcome::NotConnected(_)), "{told:?}");
}
