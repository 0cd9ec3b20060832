//! A bucket that answers as no real one can be made to.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use pluvio_connect::s3::{Config, S3};
use pluvio_runtime::{Answers, Failure as _, Outcome, Response, Sink as _, Standing, Writer as _};
use pluvio_secret::SecretSource;

use crate::{
    hand::{connected, connection, records, standing, taken},
    http_peer::{Answer, Asked, Peer, status},
};

fn sink(peer: &Peer) -> S3 {
    let (access_key, secret_key) = (SecretSource::literal("a"), SecretSource::literal("s"));
    let config = Config::new("sky", access_key, secret_key);
    Config { endpoint: Some(peer.url.clone()), ..config }.build().unwrap()
}

fn refusal(status: u16, code: &str) -> Answer {
    let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    (format!("HTTP/1.1 {status} x\r\n"), body)
}

/// There is no cursor yet; everything is put.
fn empty(asked: &Asked) -> Answer {
    if asked.line.starts_with("GET") { refusal(404, "NoSuchKey") } else { status(200) }
}

fn puts(peer: &Peer) -> Vec<Asked> {
    let asked = peer.asked().into_iter();
    asked.filter(|asked| asked.line.starts_with("PUT") && asked.line.contains("/events/")).collect()
}

#[tokio::test]
async fn an_object_comes_before_the_cursor_and_both_before_the_acknowledgement() {
    let peer = Peer::start(empty).await;
    let (mut writer, cursor) = connected(&sink(&peer), standing(1, 3)).await;
    assert_eq!(cursor, None, "ours counts");
    let outcome = writer.write(&records(3..=5).await, &Answers::default()).await;
    assert!(matches!(outcome, Outcome::AckedTo(last) if last.get() == 5), "{outcome:?}");
    let asked = peer.asked();
    assert_eq!(asked[1].line, "PUT /sky/.pluvio/archive-events.json", "what comes is noted");
    let putting = "\"next\":3,\"seek\":0,\"putting\":{\"first\":3,\"last\":5,\"put\":";
    assert!(asked[1].text().contains(putting), "{}", asked[1].text());
    let name = "/00000000000000000003-00000000000000000005-00000000.ndjson";
    assert!(asked[2].line.ends_with(name), "{}", asked[2].line);
    assert_eq!(asked[2].text().lines().count(), 3);
    assert_eq!(asked[3].line, "PUT /sky/.pluvio/archive-events.json");
    assert!(
        asked[3].text().contains("\"next\":6,\"seek\":0,\"last\":{\"offset\":5,"),
        "{}",
        asked[3].text()
    );
}

/// What lies in a bucket, by the lines of the requests that put it there: the text, and which put it was.
type Objects = Arc<Mutex<BTreeMap<String, (String, String)>>>;

fn kept(asked: &Asked) -> (String, String) {
    (asked.text(), asked.header(PUT).to_owned())
}

const PUT: &str = "x-amz-meta-pluvio-put";

/// A bucket that keeps what is put; while it is `deaf`, requests that put events get no answer, and have
/// not happened yet.
async fn bucket(objects: &Objects, is_deaf: &Arc<AtomicBool>) -> Peer {
    let (objects, is_deaf) = (Arc::clone(objects), Arc::clone(is_deaf));
    Peer::start(move |asked| {
        let mut objects = objects.lock().unwrap();
        if let Some((method @ ("GET" | "HEAD"), target)) = asked.line.split_once(' ') {
            return match objects.get(&format!("PUT {target}")) {
                Some((text, _)) if method == "GET" => {
                    ("HTTP/1.1 200 x\r\n".to_owned(), text.clone())
                }
                Some((_, put)) => (format!("HTTP/1.1 200 x\r\n{PUT}: {put}\r\n"), String::new()),
                None => refusal(404, "NoSuchKey"),
            };
        }
        if is_deaf.load(Ordering::Relaxed) && asked.line.contains("/events/") {
            return (String::new(), String::new());
        }
        objects.insert(asked.line.clone(), kept(asked));
        status(200)
    })
    .await
}

/// The ids of all events in a bucket, in their order.
fn ids(objects: &Objects) -> Vec<u64> {
    let objects = objects.lock().unwrap();
    let of_events = objects.iter().filter(|(line, _)| line.contains("/events/"));
    let lines = of_events.flat_map(|(_, (text, _))| text.lines());
    let event = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let mut ids: Vec<u64> =
        lines.map(|line| event(line)["id"].as_str().unwrap().parse().unwrap()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_put_that_happens_after_a_restart_takes_nothing_from_the_bucket_and_doubles_nothing() {
    let (objects, is_deaf) = (Objects::default(), Arc::new(AtomicBool::new(true)));
    let peer = bucket(&objects, &is_deaf).await;
    let batch = records(0..=8).await;
    let (mut writer, _) = connected(&sink(&peer), standing(1, 0)).await;
    let outcome = writer.write(&batch[..4], &Answers::default()).await;
    assert!(matches!(outcome, Outcome::NotConnected(_)), "{outcome:?}");
    let late = puts(&peer).remove(0);
    is_deaf.store(false, Ordering::Relaxed);
    // The next process has nothing but the bucket, and more events.
    let (mut writer, cursor) = connected(&sink(&peer), standing(1, 0)).await;
    assert_eq!(cursor, Some(0));
    let outcome = writer.write(&batch, &Answers::default()).await;
    assert!(matches!(outcome, Outcome::AckedTo(last) if last.get() == 3), "{outcome:?}");
    let outcome = writer.write(&batch[4..], &Answers::default()).await;
    assert!(matches!(outcome, Outcome::AckedTo(last) if last.get() == 8), "{outcome:?}");
    objects.lock().unwrap().insert(late.line.clone(), kept(&late));
    assert_eq!(ids(&objects), (0..=8).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_bucket_says_which_event_it_took_last_and_when_that_was_recorded() {
    let (objects, is_deaf) = (Objects::default(), Arc::new(AtomicBool::new(false)));
    let peer = bucket(&objects, &is_deaf).await;
    let batch = records(0..=8).await;
    let (mut writer, _) = connected(&sink(&peer), standing(1, 0)).await;
    for part in [&batch[..4], &batch[4..]] {
        writer.write(part, &Answers::default()).await;
        let last = connection(&sink(&peer), standing(1, 0)).await.cursor.unwrap().last;
        assert_eq!(last, taken(part.last().unwrap()));
    }
}

#[tokio::test]
async fn an_object_that_arrived_without_an_answer_is_not_put_again_however_objects_are_made_by_now()
{
    let (objects, is_deaf) = (Objects::default(), Arc::new(AtomicBool::new(true)));
    let peer = bucket(&objects, &is_deaf).await;
    let batch = records(0..=8).await;
    let (mut writer, _) = connected(&sink(&peer), standing(1, 0)).await;
    writer.write(&batch[..4], &Answers::default()).await;
    let arrived = puts(&peer).remove(0);
    is_deaf.store(false, Ordering::Relaxed);
    objects.lock().unwrap().insert(arrived.line.clone(), kept(&arrived));
    // The operator takes smaller batches and other names.
    let (access_key, secret_key) = (SecretSource::literal("a"), SecretSource::literal("s"));
    let config = Config::new("sky", access_key, secret_key);
    let name = "other/events/{first}-{last}-{log}".to_owned();
    let endpoint = Some(peer.url.clone());
    let other = Config { endpoint, name, ..config }.build().unwrap();
    let last = connection(&other, standing(1, 0)).await.cursor.unwrap().last;
    assert_eq!(last, taken(&batch[3]));
    let (mut writer, cursor) = connected(&other, standing(1, 0)).await;
    assert_eq!(cursor, Some(4), "the first four are there");
    writer.write(&batch[4..6], &Answers::default()).await;
    writer.write(&batch[6..], &Answers::default()).await;
    assert_eq!(ids(&objects), (0..=8).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_object_that_lay_there_before_is_not_taken_for_the_one_that_was_being_put() {
    let (objects, is_deaf) = (Objects::default(), Arc::new(AtomicBool::new(true)));
    let peer = bucket(&objects, &is_deaf).await;
    let (mut writer, _) = connected(&sink(&peer), standing(1, 0)).await;
    writer.write(&records(0..=3).await, &Answers::default()).await;
    let lost = puts(&peer).remove(0);
    let before = ("of the log before it was set back".to_owned(), "another".to_owned());
    objects.lock().unwrap().insert(lost.line, before);
    assert_eq!(connected(&sink(&peer), standing(1, 0)).await.1, Some(0));
}

#[tokio::test]
async fn what_was_being_put_before_the_log_was_set_back_does_not_say_where_an_object_ends() {
    let (objects, is_deaf) = (Objects::default(), Arc::new(AtomicBool::new(true)));
    let peer = bucket(&objects, &is_deaf).await;
    let batch = records(0..=8).await;
    let (mut writer, _) = connected(&sink(&peer), standing(1, 0)).await;
    writer.write(&batch[..4], &Answers::default()).await;
    is_deaf.store(false, Ordering::Relaxed);
    let set_back = Standing { end: standing(1, 2).cursor, ..standing(1, 0) };
    let (mut writer, _) = connected(&sink(&peer), set_back).await;
    let outcome = writer.write(&batch, &Answers::default()).await;
    assert!(matches!(outcome, Outcome::AckedTo(last) if last.get() == 8), "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_does_not_say_what_it_has_is_given_the_object_again() {
    let log_id = standing(1, 0).log_id;
    let putting = format!(r#"{{"first":0,"last":3,"put":"{log_id}","key":"events/a"}}"#);
    let cursor = format!(
        r#"{{"log_id":"{log_id}","stream":"events","next":0,"seek":0,"putting":{putting}}}"#
    );
    for refused in [403, 404, 405, 501] {
        let cursor = cursor.clone();
        let peer = Peer::start(move |asked| match asked.line.split_once(' ') {
            Some(("HEAD", _)) => status(refused),
            _ => ("HTTP/1.1 200 x\r\n".to_owned(), cursor.clone()),
        })
        .await;
        let (mut writer, cursor) = connected(&sink(&peer), standing(1, 0)).await;
        assert_eq!(cursor, Some(0), "{refused}");
        let outcome = writer.write(&records(0..=8).await, &Answers::default()).await;
        assert!(matches!(outcome, Outcome::AckedTo(last) if last.get() == 3), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_put_without_an_answer_is_repeated_with_the_same_lines() {
    let is_well = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_well);
    let peer = Peer::start(move |asked| match told.load(Ordering::Relaxed) {
        false if asked.line.contains("/events/") => (String::new(), String::new()),
        _ => empty(asked),
    })
    .await;
    let sink = sink(&peer);
    let (mut writer, _) = connected(&sink, standing(1, 0)).await;
    let batch = records(0..=8).await;
    assert!(matches!(
        writer.write(&batch[..4], &Answers::default()).await,
        Outcome::NotConnected(_)
    ));
    writer.close().await;
    is_well.store(true, Ordering::Relaxed);
    let (mut writer, _) = connected(&sink, standing(1, 0)).await;
    // More has come meanwhile.
    let outcome = writer.write(&batch, &Answers::default()).await;
    assert!(matches!(outcome, Outcome::AckedTo(last) if last.get() == 3), "{outcome:?}");
    let puts = puts(&peer);
    assert_eq!(puts[0].line, puts[puts.len() - 1].line);
    assert_eq!(puts[0].text(), puts[puts.len() - 1].text());
}

#[tokio::test]
async fn the_bucket_says_where_to_go_on_unless_it_speaks_of_another_log() {
    let noted = standing(1, 0).log_id;
    let peer = Peer::start(move |_| {
        let body = format!("{{\"log_id\":\"{noted}\",\"stream\":\"events\",\"next\":9}}");
        ("HTTP/1.1 200 x\r\n".to_owned(), body)
    })
    .await;
    let sink = sink(&peer);
    assert_eq!(connected(&sink, standing(1, 4)).await.1, Some(9));
    assert_eq!(
        connected(&sink, standing(1, 12)).await.1,
        Some(12),
        "a filter may have passed more"
    );
    assert_eq!(connected(&sink, standing(2, 4)).await.1, None);
}

#[tokio::test]
async fn a_bucket_does_not_undo_what_an_operator_said_since() {
    let noted = standing(1, 0).log_id;
    let peer = Peer::start(move |_| {
        let body =
            format!("{{\"log_id\":\"{noted}\",\"stream\":\"events\",\"next\":9,\"seek\":1}}");
        ("HTTP/1.1 200 x\r\n".to_owned(), body)
    })
    .await;
    let sink = sink(&peer);
    let moved = |seek| Standing { seek, ..standing(1, 4) };
    assert_eq!(connected(&sink, moved(1)).await.1, Some(9), "after the move, its own counts");
    let (mut writer, cursor) = connected(&sink, moved(2)).await;
    assert_eq!(cursor, None, "it is older than the second move");
    writer.write(&records(4..=5).await, &Answers::default()).await;
    let cursor = peer.asked().pop().unwrap();
    assert_eq!(cursor.line, "PUT /sky/.pluvio/archive-events.json");
    assert!(cursor.text().contains("\"next\":6,\"seek\":2"), "{}", cursor.text());
}

#[tokio::test]
async fn what_is_wrong_with_a_bucket_is_told_with_what_helps() {
    for (code, status, response, remedy) in [
        ("NoSuchBucket", 404, Response::Retry, "make the bucket"),
        ("AccessDenied", 403, Response::Denied, "allow the key"),
        ("RequestTimeTooSkewed", 403, Response::Denied, "set this machine's clock"),
        ("AuthorizationHeaderMalformed", 400, Response::Retry, "set `region`"),
    ] {
        let peer = Peer::start(move |_| refusal(status, code)).await;
        let error = sink(&peer).connect(standing(1, 0)).await.map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(code), "{error}");
        assert_eq!(error.response(), response, "{code}");
        assert!(error.remedy().unwrap().starts_with(remedy), "{code}");
    }
    let peer = Peer::start(|asked| match asked.line.starts_with("PUT") {
        true => ("HTTP/1.1 503 x\r\nretry-after: 9\r\n".to_owned(), String::new()),
        false => empty(asked),
    })
    .await;
    let (mut writer, _) = connected(&sink(&peer), standing(1, 0)).await;
    let outcome = writer.write(&records(0..=0).await, &Answers::default()).await;
    assert!(
        matches!(outcome, Outcome::Throttled { wait, .. } if wait.as_secs() == 9),
        "{outcome:?}"
    );
}
