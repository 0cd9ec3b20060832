//! What a peer of AMQP 1.0 can say that no real broker can be made to.

use std::time::Duration;

use pluvio_connect::{amqp, component::SinkConfig as _};
use pluvio_runtime::{Chain, Outcome};
use tokio::time::timeout;

use crate::{
    amqp_peer::{
        Answer, NULL, Said, accepted, close, described, detach, disposition, end, error, peer,
        rejected,
    },
    hand::{Written, connected, records, standing, written},
};

/// What is told of five events that are sent to a peer that answers so.
async fn wrote(answer: Answer) -> Written<amqp::Error> {
    let sink = peer(answer).await.build().unwrap();
    let (mut writer, _) = connected(&sink, standing(1, 0)).await;
    let batch = records(0..=4).await;
    // The supervisor would wait for five minutes.
    timeout(Duration::from_secs(20), written(&mut writer, &batch)).await.unwrap()
}

/// Why no more is sent, and whether an event is suspected.
fn told(written: Written<amqp::Error>) -> (String, bool) {
    let is_suspected = matches!(written.outcome, Outcome::Broken { .. });
    (Chain(&written.error()).to_string(), is_suspected)
}

#[tokio::test]
async fn types_that_are_nested_too_deep_are_told_and_not_decoded() {
    fn answer(depth: u32) -> Said {
        let about = (0..depth).fold(NULL.to_vec(), |value, _| described(1, &value));
        let error = error("x:odd", "no", &about);
        Said::frames(&[disposition(0, 0, &rejected(&error)), disposition(1, 4, &accepted())])
    }
    let deep: Answer = |_| answer(40);
    let (told, _) = told(wrote(deep).await);
    assert!(told.starts_with("failed to read from 127.0.0.1:"), "{told}");
    assert!(told.ends_with("the peer sent types nested more than 32 deep"), "{told}");
    let flat: Answer = |number| if number == 4 { answer(4) } else { Said::default() };
    let written = wrote(flat).await;
    assert_eq!((&written.taken[..], &written.refused()[..]), (&[1, 2, 3, 4][..], &[0][..]));
}

#[tokio::test]
async fn more_than_can_be_open_is_not_settled_at_once() {
    fn settled(count: u32) -> Said {
        Said::frames(&[disposition(0, count - 1, &accepted())])
    }
    let wide: Answer = |_| settled(100_001);
    let (told, _) = told(wrote(wide).await);
    let why = "the peer settled 100001 deliveries at once; at most 100000 can be open";
    assert!(told.ends_with(why), "{told}");
    let widest: Answer = |number| if number == 4 { settled(100_000) } else { Said::default() };
    assert_eq!(wrote(widest).await.taken, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_link_that_is_detached_is_told_whether_it_is_closed_or_not() {
    fn forced() -> Vec<u8> {
        error("amqp:link:detach-forced", "idle", NULL)
    }
    let open: Answer = |number| match number {
        0 => Said::frames(&[disposition(0, 0, &accepted())]),
        4 => Said::frames(&[detach(false, &forced())]),
        _ => Said::default(),
    };
    let closed: Answer = |number| match number {
        0 => Said::frames(&[disposition(0, 0, &accepted())]),
        4 => Said::frames(&[detach(true, &forced())]),
        _ => Said::default(),
    };
    for answer in [open, closed] {
        let written = wrote(answer).await;
        assert_eq!(written.taken, [0]);
        let expected = "`q` refuses: idle (amqp:link:detach-forced)".to_owned();
        assert_eq!(told(written), (expected, false));
    }
    let without_a_word: [Answer; 2] =
        [|_| Said::frames(&[detach(false, NULL)]), |_| Said::frames(&[detach(true, NULL)])];
    for answer in without_a_word {
        let expected = "the link to `q` was detached, and it was not said why".to_owned();
        assert_eq!(told(wrote(answer).await), (expected, true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_broker_says_before_it_ends_a_connection_is_told() {
    fn words(condition: &str) -> Vec<u8> {
        error(condition, "going down", NULL)
    }
    let forced: [Answer; 4] = [
        |_| Said::frames(&[close(&words("amqp:connection:forced"))]).and_ends(),
        |_| Said::frames(&[end(&words("amqp:connection:forced"))]).and_ends(),
        |_| Said::frames(&[detach(true, &words("amqp:connection:forced"))]).and_ends(),
        |_| Said::frames(&[detach(false, &words("amqp:connection:forced"))]).and_ends(),
    ];
    let about_some: Answer = |_| Said::frames(&[close(&words("amqp:decode-error"))]).and_ends();
    for _ in 0..20 {
        for answer in forced {
            let expected = "`q` refuses: going down (amqp:connection:forced)".to_owned();
            assert_eq!(told(wrote(answer).await), (expected, false));
        }
        let expected = "`q` refuses: going down (amqp:decode-error)".to_owned();
        assert_eq!(told(wrote(about_some).await), (expected, true));
    }
}

#[tokio::test]
async fn what_is_settled_without_an_outcome_comes_again_and_the_link_stays() {
    let answer: Answer = |number| {
        let state = if number == 2 { NULL.to_vec() } else { accepted() };
        Said::frames(&[disposition(number, number, &state)])
    };
    let written = wrote(answer).await;
    assert_eq!(written.taken, [0, 1, 3, 4]);
    let Outcome::Throttled { why, .. } = written.outcome else { unreachable!("{written:?}") };
    assert_eq!(why, "`q` settled messages and did not say whether it took them");
}
