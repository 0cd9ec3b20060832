//! A bucket that answers as no real one can be made to.

use pluvio_connect::{
    component::SinkConfig as _,
    s3::{Config, S3},
};
use pluvio_runtime::{
    Answers, Delivered, Failure as _, Moves, Outcome, Response, Sink as _, Standing, Writer,
};
use pluvio_secret::SecretSource;

use crate::{
    hand::{connected, connection, records, records_of, standing, taken},
    http_peer::{Asked, Peer},
    s3_bucket::{Bucket, CURSOR, Conditions, Fate, refusal},
};

/// All that a server may make of a condition.
const CONDITIONS: [Conditions; 5] = [
    Conditions::Heeded,
    Conditions::Ignored,
    Conditions::Refused(501),
    Conditions::Refused(400),
    Conditions::Refused(405),
];

/// Writes, and gives the last offset that was acknowledged; `None`: not connected.
async fn written<W: Writer>(writer: &mut W, batch: &[Delivered]) -> Option<i64> {
    match writer.write(batch, &Answers::default()).await {
        Outcome::AckedTo(last) => Some(last.get()),
        Outcome::NotConnected(_) => None,
        outcome => unreachable!("{outcome:?}"),
    }
}

#[tokio::test]
async fn an_object_comes_before_the_cursor_and_both_before_the_acknowledgement() {
    let bucket = Bucket::new(Conditions::Heeded).await;
    let (mut writer, cursor) = connected(&bucket.sink(), standing(1, 3)).await;
    assert_eq!(cursor, None, "ours counts");
    assert_eq!(written(&mut writer, &records(3..=5).await).await, Some(5));
    let asked = bucket.peer.asked();
    for noted in &asked[1..3] {
        assert_eq!(noted.line, format!("PUT {CURSOR}"), "what comes is noted");
        let putting = "\"next\":3,\"seek\":0,\"putting\":{\"first\":3,\"last\":5,\"recorded\":";
        assert!(noted.text().contains(putting), "{}", noted.text());
    }
    assert_eq!(asked[2].header("if-none-match"), "*", "the server is asked whether it heeds that");
    let name = "/00000000000000000003-00000000000000000005-00000000.ndjson";
    assert!(asked[3].line.ends_with(name), "{}", asked[3].line);
    assert_eq!(asked[3].text().lines().count(), 3);
    assert_eq!(asked[3].header("if-none-match"), "*", "nothing is overwritten");
    assert_eq!(asked[4].line, format!("PUT {CURSOR}"));
    let behind = "\"next\":6,\"seek\":0,\"last\":{\"offset\":5,";
    assert!(asked[4].text().contains(behind), "{}", asked[4].text());
    assert_eq!(asked.len(), 5);
    written(&mut writer, &records(6..=6).await).await;
    assert_eq!(bucket.peer.asked().len(), 8, "it is asked once");
}

#[tokio::test]
async fn a_put_that_happens_after_a_restart_takes_nothing_from_the_bucket_and_doubles_nothing() {
    for conditions in CONDITIONS {
        let bucket = Bucket::new(conditions).await;
        bucket.will(&[Fate::Lost]);
        let batch = records(0..=8).await;
        let (mut writer, _) = connected(&bucket.sink(), standing(1, 0)).await;
        assert_eq!(written(&mut writer, &batch[..4]).await, None);
        let late = bucket.puts().remove(0);
        // The next process has nothing but the bucket, and more events.
        let (mut writer, cursor) = connected(&bucket.sink(), standing(1, 0)).await;
        assert_eq!(cursor, Some(0));
        assert_eq!(written(&mut writer, &batch).await, Some(3));
        assert_eq!(written(&mut writer, &batch[4..]).await, Some(8));
        bucket.happens(&late);
        assert_eq!(bucket.ids(), (0..=8).collect::<Vec<_>>(), "{conditions:?}");
    }
}

#[tokio::test]
async fn an_object_of_the_same_name_with_other_events_stays_and_the_new_one_gets_a_number() {
    for conditions in CONDITIONS {
        let bucket = Bucket::new(conditions).await;
        for (seek, life) in (0..).zip(["first", "second", "third"]) {
            let batch = records_of(0..=3, |_| Some(life.to_owned())).await;
            // The bucket's cursor is left aside, as the supervisor does after a copy was put back.
            let (mut writer, _) = connected(&bucket.sink(), decided(seek)).await;
            assert_eq!(written(&mut writer, &batch).await, Some(3));
            let last = connection(&bucket.sink(), decided(seek)).await.cursor.unwrap().last;
            assert_eq!(last, taken(&batch[3]), "of the one with the number");
        }
        let name = format!("{:020}-{:020}-00000000", 0, 3);
        let names = ["-2.ndjson", "-3.ndjson", ".ndjson"].map(|end| format!("{name}{end}"));
        assert_eq!(bucket.names(), names, "{conditions:?}");
        let all =
            (0..=3).flat_map(|id| ["first", "second", "third"].map(|life| (id, life.to_owned())));
        assert_eq!(bucket.events(), all.collect::<Vec<_>>());
    }
}

/// Where a sink stands whose place was decided on here, so that older cursors do not count.
fn decided(seek: u64) -> Standing {
    Standing { moves: Moves { last: seek, before: None }, ..standing(1, 0) }
}

#[tokio::test]
async fn what_a_move_brings_again_is_put_only_where_it_is_missing() {
    for conditions in CONDITIONS {
        let bucket = Bucket::new(conditions).await;
        let batch = records(0..=8).await;
        let (mut writer, _) = connected(&bucket.sink(), standing(1, 0)).await;
        written(&mut writer, &batch[..4]).await;
        let (mut writer, _) = connected(&bucket.sink(), decided(1)).await;
        assert_eq!(written(&mut writer, &batch[..4]).await, Some(3));
        assert_eq!(written(&mut writer, &batch[4..]).await, Some(8));
        assert_eq!(bucket.ids(), (0..=8).collect::<Vec<_>>(), "{conditions:?}");
        // With a filter by now, one object has the name and fewer events.
        let mut filtered = records(0..=3).await;
        filtered.drain(1..3);
        let (mut writer, _) = connected(&bucket.sink(), decided(2)).await;
        assert_eq!(written(&mut writer, &filtered).await, Some(3));
        assert_eq!(bucket.ids(), [0, 0, 1, 2, 3, 3, 4, 5, 6, 7, 8], "none is taken away");
    }
}

#[tokio::test]
async fn a_put_of_a_numbered_object_without_an_answer_is_repeated_under_its_number() {
    let bucket = Bucket::new(Conditions::Heeded).await;
    let of = |life: &'static str| records_of(0..=3, move |_| Some(life.to_owned()));
    let (mut writer, _) = connected(&bucket.sink(), standing(1, 0)).await;
    written(&mut writer, &of("first").await).await;
    let second = of("second").await;
    bucket.will(&[Fate::Answered, Fate::Lost]);
    let (mut writer, _) = connected(&bucket.sink(), decided(1)).await;
    assert_eq!(written(&mut writer, &second).await, None);
    // What it had to make way for is moved away, as it is for a name that is always taken.
    bucket.loses(&bucket.puts()[0]);
    let (mut writer, cursor) = connected(&bucket.sink(), decided(1)).await;
    assert_eq!(cursor, Some(0));
    assert_eq!(written(&mut writer, &second).await, Some(3));
    assert_eq!(bucket.names(), [format!("{:020}-{:020}-00000000-2.ndjson", 0, 3)]);
    // And one that came is found by it.
    written(&mut writer, &records(0..=3).await).await;
    let third = of("third").await;
    bucket.will(&[Fate::Answered, Fate::Answered, Fate::Unanswered]);
    let (mut writer, _) = connected(&bucket.sink(), decided(2)).await;
    assert_eq!(written(&mut writer, &third).await, None);
    let cursor = connection(&bucket.sink(), decided(2)).await.cursor.unwrap();
    assert_eq!((cursor.next.get(), cursor.last), (4, taken(&third[3])));
    assert_eq!(bucket.names().len(), 3);
}

#[tokio::test]
async fn what_is_missing_before_an_object_without_an_answer_stays_to_be_told() {
    // Retention took 3 to 49, which a gap event with the offset 49 tells.
    let bucket = Bucket::new(Conditions::Heeded).await;
    let batch = records(49..=52).await;
    bucket.will(&[Fate::Lost]);
    let (mut writer, _) = connected(&bucket.sink(), standing(1, 3)).await;
    assert_eq!(written(&mut writer, &batch).await, None);
    let (mut writer, cursor) = connected(&bucket.sink(), standing(1, 3)).await;
    assert_eq!(cursor, Some(3));
    assert_eq!(written(&mut writer, &batch).await, Some(52));
    assert_eq!(connected(&bucket.sink(), standing(1, 3)).await.1, Some(53));
}

#[tokio::test]
async fn a_name_that_is_always_taken_is_an_error_that_says_what_helps() {
    let bucket = Bucket::new(Conditions::Heeded).await;
    let (mut writer, _) = connected(&bucket.sink(), standing(1, 0)).await;
    written(&mut writer, &records(0..=0).await).await;
    let first = bucket.puts().remove(0);
    for number in 2..=99 {
        let line = first.line.replace(".ndjson", &format!("-{number}.ndjson"));
        bucket.happens(&Asked { line, ..first.clone() });
    }
    let (mut writer, _) = connected(&bucket.sink(), decided(1)).await;
    let other = records_of(0..=0, |_| Some("other".to_owned())).await;
    let outcome = writer.write(&other, &Answers::default()).await;
    let Outcome::NotConnected(error) = outcome else { unreachable!("{outcome:?}") };
    assert!(
        error.to_string().contains("-99.ndjson` in bucket `sky` holds other events"),
        "{error}"
    );
    assert!(error.remedy().unwrap().starts_with("move the objects away"));
    assert_eq!(bucket.ids().len(), 99);
}

#[tokio::test]
async fn where_nothing_can_be_looked_at_an_event_is_there_twice_rather_than_not_at_all() {
    for refused in [403, 405, 501] {
        let bucket = Bucket::new(Conditions::Heeded).await;
        bucket.is_blind(refused);
        let probed = bucket.sink().probe().await.unwrap();
        assert!(probed.contains("but not look at objects"), "{probed}");
        bucket.will(&[Fate::Unanswered]);
        let batch = records(0..=3).await;
        let (mut writer, _) = connected(&bucket.sink(), standing(1, 0)).await;
        assert_eq!(written(&mut writer, &batch).await, None);
        let (mut writer, cursor) = connected(&bucket.sink(), standing(1, 0)).await;
        assert_eq!(cursor, Some(0), "{refused}");
        assert_eq!(written(&mut writer, &batch).await, Some(3));
        assert_eq!(bucket.names().len(), 2);
    }
}

#[tokio::test]
async fn a_server_that_neither_heeds_conditions_nor_says_what_is_there_is_refused() {
    let bucket = Bucket::new(Conditions::Ignored).await;
    bucket.is_blind(403);
    let (mut writer, _) = connected(&bucket.sink(), standing(1, 0)).await;
    let outcome = writer.write(&records(0..=3).await, &Answers::default()).await;
    let Outcome::NotConnected(error) = outcome else { unreachable!("{outcome:?}") };
    assert_eq!(error.response(), Response::Denied);
    assert!(error.remedy().unwrap().contains("s3:GetObject"), "{error}");
    assert_eq!(bucket.ids(), [0; 0]);
}

#[tokio::test]
async fn the_bucket_says_which_event_it_took_last_and_when_that_was_recorded() {
    let bucket = Bucket::new(Conditions::Heeded).await;
    let batch = records(0..=8).await;
    let (mut writer, _) = connected(&bucket.sink(), standing(1, 0)).await;
    for part in [&batch[..4], &batch[4..]] {
        written(&mut writer, part).await;
        let last = connection(&bucket.sink(), standing(1, 0)).await.cursor.unwrap().last;
        assert_eq!(last, taken(part.last().unwrap()));
    }
}

#[tokio::test]
async fn an_object_that_arrived_without_an_answer_is_not_put_again_however_objects_are_made_by_now()
{
    let bucket = Bucket::new(Conditions::Heeded).await;
    bucket.will(&[Fate::Unanswered]);
    let batch = records(0..=8).await;
    let (mut writer, _) = connected(&bucket.sink(), standing(1, 0)).await;
    written(&mut writer, &batch[..4]).await;
    // The operator takes smaller batches and other names.
    let name = "other/events/{first}-{last}-{log}".to_owned();
    let other = bucket.sink_of(|config| config.name = name);
    let last = connection(&other, standing(1, 0)).await.cursor.unwrap().last;
    assert_eq!(last, taken(&batch[3]));
    let (mut writer, cursor) = connected(&other, standing(1, 0)).await;
    assert_eq!(cursor, Some(4), "the first four are there");
    written(&mut writer, &batch[4..6]).await;
    written(&mut writer, &batch[6..]).await;
    assert_eq!(bucket.ids(), (0..=8).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_object_that_lay_there_before_is_not_taken_for_the_one_that_was_being_put() {
    let bucket = Bucket::new(Conditions::Heeded).await;
    bucket.will(&[Fate::Lost]);
    let (mut writer, _) = connected(&bucket.sink(), standing(1, 0)).await;
    written(&mut writer, &records(0..=3).await).await;
    let mut before = bucket.puts().remove(0);
    before.headers.insert("x-amz-meta-pluvio-sha256".to_owned(), "another".to_owned());
    bucket.happens(&before);
    assert_eq!(connected(&bucket.sink(), standing(1, 0)).await.1, Some(0));
}

#[tokio::test]
async fn what_was_being_put_before_the_log_was_set_back_does_not_say_where_an_object_ends() {
    let bucket = Bucket::new(Conditions::Heeded).await;
    bucket.will(&[Fate::Lost]);
    let batch = records(0..=8).await;
    let (mut writer, _) = connected(&bucket.sink(), standing(1, 0)).await;
    written(&mut writer, &batch[..4]).await;
    let set_back = Standing { end: standing(1, 2).cursor, ..standing(1, 0) };
    let (mut writer, _) = connected(&bucket.sink(), set_back).await;
    assert_eq!(written(&mut writer, &batch).await, Some(8));
}

#[tokio::test]
async fn a_put_without_an_answer_is_repeated_with_the_same_lines() {
    let bucket = Bucket::new(Conditions::Heeded).await;
    bucket.will(&[Fate::Lost]);
    let sink = bucket.sink();
    let (mut writer, _) = connected(&sink, standing(1, 0)).await;
    let batch = records(0..=8).await;
    assert_eq!(written(&mut writer, &batch[..4]).await, None);
    writer.close().await;
    let (mut writer, _) = connected(&sink, standing(1, 0)).await;
    // More has come meanwhile.
    assert_eq!(written(&mut writer, &batch).await, Some(3));
    let puts = bucket.puts();
    assert_eq!(puts[0].line, puts[1].line);
    assert_eq!(puts[0].text(), puts[1].text());
}

#[tokio::test]
async fn the_bucket_says_where_to_go_on_unless_it_speaks_of_another_log() {
    let (bucket, noted) = (Bucket::new(Conditions::Heeded).await, standing(1, 0).log_id);
    let cursor = format!("{{\"log_id\":\"{noted}\",\"stream\":\"events\",\"next\":9}}");
    bucket.remembers(&cursor);
    let sink = bucket.sink();
    assert_eq!(connected(&sink, standing(1, 4)).await.1, Some(9));
    assert_eq!(
        connected(&sink, standing(1, 12)).await.1,
        Some(12),
        "a filter may have passed more"
    );
    assert_eq!(connected(&sink, standing(2, 4)).await.1, None);
}

#[tokio::test]
async fn two_logs_share_a_bucket_and_each_goes_on_exactly_where_it_stood() {
    for conditions in CONDITIONS {
        let bucket = Bucket::new(conditions).await;
        let of = |log: u128| records_of(0..=8, move |_| Some(log.to_string()));
        let batches = [of(1 << 100).await, of(2 << 100).await];
        let stands = [standing(1 << 100, 0), standing(2 << 100, 0)];
        // Each is killed once with a put that happened, and once with one that did not.
        for (range, fate, arrived) in [
            (0..3, Fate::Answered, 3),
            (3..5, Fate::Unanswered, 5),
            (5..7, Fate::Lost, 5),
            (5..7, Fate::Answered, 7),
        ] {
            bucket.will(&[fate; 2]);
            for (batch, stands) in batches.iter().zip(&stands) {
                let (mut writer, cursor) = connected(&bucket.sink(), stands.clone()).await;
                let next = i64::try_from(range.start).unwrap();
                assert_eq!(cursor.unwrap_or_default(), next, "{conditions:?}");
                written(&mut writer, &batch[range.clone()]).await;
            }
            for stands in &stands {
                let cursor = connected(&bucket.sink(), stands.clone()).await.1;
                assert_eq!(cursor, Some(arrived), "{conditions:?} {fate:?}");
            }
        }
        // More has come meanwhile to what one of them was about to put.
        bucket.will(&[Fate::Lost; 2]);
        for part in [7..8, 7..9, 8..9] {
            for (batch, stands) in batches.iter().zip(&stands) {
                let (mut writer, _) = connected(&bucket.sink(), stands.clone()).await;
                written(&mut writer, &batch[part.clone()]).await;
            }
        }
        let each = (0..=8).flat_map(|id| [1_u128, 2].map(|log| (id, (log << 100).to_string())));
        let mut each: Vec<_> = each.collect();
        each.sort_unstable();
        assert_eq!(bucket.events(), each, "{conditions:?}");
    }
}

#[tokio::test]
async fn a_bucket_does_not_undo_what_an_operator_said_since() {
    let (bucket, noted) = (Bucket::new(Conditions::Heeded).await, standing(1, 0).log_id);
    let cursor = "\"stream\":\"events\",\"next\":9,\"seek\":1";
    bucket.remembers(&format!("{{\"log_id\":\"{noted}\",{cursor}}}"));
    let sink = bucket.sink();
    let moved = |last| Standing { moves: Moves { last, before: None }, ..standing(1, 4) };
    assert_eq!(connected(&sink, moved(1)).await.1, Some(9), "after the move, its own counts");
    let (mut writer, cursor) = connected(&sink, moved(2)).await;
    assert_eq!(cursor, None, "it is older than the second move");
    let repeating = Standing { moves: Moves { last: 2, before: Some(1) }, ..moved(2) };
    let told = sink.clone().connect(repeating).await.unwrap().cursor.unwrap();
    assert_eq!((told.next.get(), told.is_older), (9, true), "where it stood before the second");
    writer.write(&records(4..=5).await, &Answers::default()).await;
    let cursor = bucket.cursor();
    assert!(cursor.contains("\"next\":6,\"seek\":2"), "{cursor}");
}

fn sink(peer: &Peer) -> S3 {
    let (access_key, secret_key) = (SecretSource::literal("a"), SecretSource::literal("s"));
    let config = Config::new("sky", access_key, secret_key);
    Config { endpoint: Some(peer.url.clone()), ..config }.build().unwrap()
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
        false => refusal(404, "NoSuchKey"),
    })
    .await;
    let (mut writer, _) = connected(&sink(&peer), standing(1, 0)).await;
    let outcome = writer.write(&records(0..=0).await, &Answers::default()).await;
    assert!(
        matches!(outcome, Outcome::Throttled { wait, .. } if wait.as_secs() == 9),
        "{outcome:?}"
    );
}
