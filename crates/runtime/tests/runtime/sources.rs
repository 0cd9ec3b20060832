//! What becomes of a source that fails, is denied, panics or gives too much.

use std::time::Duration;

use pluvio_log::{Log as _, StreamName};
use pluvio_runtime::{Response, status::State};

use crate::scripted::{Line, RECORD_BYTES_MAX, Stage};

#[tokio::test(start_paused = true)]
async fn what_is_pulled_is_stored_in_order_and_told() {
    let stage = Stage::play(&[Line::Connect, Line::Pull(&["a", "b"]), Line::Pull(&["c"])]).await;
    assert_eq!(stage.stored(3).await, ["a", "b", "c"]);
    let status = stage.until(|status| status.events == 3).await;
    assert_eq!(status.state, State::Running);
    assert_eq!(status.position.as_deref(), Some("after c"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_source_resumes_from_what_was_stored() {
    let stage = Stage::play(&[
        Line::Connect,
        Line::Pull(&["a"]),
        Line::Fail,
        Line::Connect,
        Line::Pull(&["b"]),
    ])
    .await;
    assert_eq!(stage.stored(2).await, ["a", "b"]);
    let status = stage.until(|status| status.reconnects == 1).await;
    let error = status.error.unwrap();
    assert_eq!(error.message, "as scripted");
    assert_eq!(error.remedy.as_deref(), Some("change the script"));
    let played = stage.script.played.lock().unwrap();
    assert_eq!(played.closes, 1, "the failed connection was closed");
    let positions: Vec<_> = played.connects.iter().map(|(position, _)| position.clone()).collect();
    assert_eq!(positions, [None, Some("after a".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn attempts_come_ever_more_slowly() {
    let refuse = Line::Refuse(Response::Retry);
    let script = [refuse.clone(), refuse.clone(), refuse.clone(), refuse, Line::Connect];
    let stage = Stage::play(&script).await;
    stage.until(|status| status.state == State::Running).await;
    let played = stage.script.played.lock().unwrap();
    let waits: Vec<_> = played.connects.windows(2).map(|pair| pair[1].1 - pair[0].1).collect();
    for (wait, nominal) in waits.iter().zip([1, 2, 4, 8]) {
        let nominal = Duration::from_secs(nominal);
        assert!(*wait >= nominal / 2 && *wait <= nominal + Duration::from_millis(100), "{waits:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_denied_account_is_left_alone_for_a_minute() {
    let stage = Stage::play(&[Line::Refuse(Response::Denied), Line::Connect]).await;
    let waiting = stage.until(|status| status.retry_at.is_some()).await;
    assert_eq!(waiting.state, State::Connecting);
    stage.until(|status| status.state == State::Running).await;
    let played = stage.script.played.lock().unwrap();
    assert!(played.connects[1].1 - played.connects[0].1 >= Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_reported_and_the_source_is_made_anew() {
    let script =
        [Line::Connect, Line::Pull(&["a"]), Line::Panic, Line::Connect, Line::Pull(&["b"])];
    let stage = Stage::play(&script).await;
    assert_eq!(stage.stored(2).await, ["a", "b"]);
    let status = stage.until(|status| status.reconnects == 1).await;
    assert_eq!(status.error.unwrap().message, "the source panicked: as scripted");
    assert_eq!(stage.script.played.lock().unwrap().made, 2);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_answer_is_told_as_stalled_and_then_connected_again() {
    let stage = Stage::play(&[Line::Connect]).await;
    stage.until(|status| status.state == State::Stalled).await;
    let status = stage.until(|status| status.error.is_some()).await;
    assert!(
        status
            .error
            .unwrap()
            .message
            .contains("the source did not return from polling for new events")
    );
    stage.until(|status| status.reconnects == 1).await;
}

#[tokio::test(start_paused = true)]
async fn an_event_above_the_limit_is_stored_without_its_data_and_says_so() {
    let stage = Stage::play(&[Line::Connect, Line::Large("big", RECORD_BYTES_MAX)]).await;
    stage.stored(1).await;
    let extent = stage.log.extent(&StreamName::events()).unwrap();
    let chunk = stage
        .log
        .read(&StreamName::events(), extent.earliest.unwrap(), Default::default())
        .await
        .unwrap();
    let event = chunk.records().next().unwrap().event().unwrap();
    assert_eq!((event.id(), event.event_type(), event.data()), ("big", "t", None));
    let omitted = format!("{}", RECORD_BYTES_MAX + 2);
    assert_eq!(event.extension("dataomitted"), Some(&omitted.into()));
}
