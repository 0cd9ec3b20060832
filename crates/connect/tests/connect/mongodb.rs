//! The MongoDB sink at a server that answers as no real one can be made to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use mongodb::bson::{Document, doc};
use pluvio_connect::{
    component::SinkConfig as _,
    mongodb::{Config, Mongodb},
};
use pluvio_runtime::{Chain, Failure as _, Outcome, Sink as _, Writer as _};

use super::{
    hand::{Written, connected, records, records_of, standing, written},
    mongodb_server::{Command, found, inserted, refused, server, write_error},
};

/// As large as MongoDB's own.
const DOCUMENT_BYTES_MAX: i32 = 16 << 20;

fn sink(url: String) -> Mongodb {
    Config::new(url, "events").build().unwrap()
}

/// What a write of the events 10 to 13 tells at a server that answers so.
async fn told(
    answer: impl Fn(Command) -> Document + Send + Sync + 'static,
) -> Written<pluvio_connect::mongodb::Error> {
    let url = server(DOCUMENT_BYTES_MAX, answer).await;
    let (mut writer, cursor) = connected(&sink(url), standing(1, 0)).await;
    assert_eq!(cursor, None);
    let told = written(&mut writer, &records(10..=13).await).await;
    writer.close().await;
    told
}

/// A server in which event 11 is, and to which 12 is a duplicate of another event; it says so in `words`.
async fn told_of_duplicates(words: [&'static str; 2]) -> Written<pluvio_connect::mongodb::Error> {
    told(move |command| match command.name.as_str() {
        "insert" => {
            assert_eq!(command.ids(), ["10", "11", "12", "13"]);
            inserted(2, vec![write_error(1, 11_000, words[0]), write_error(2, 11_000, words[1])])
        }
        "find" => {
            let filter = doc! { "_id": { "$in": ["urn:test 11", "urn:test 12"] } };
            assert_eq!(command.body.get_document("filter").unwrap(), &filter);
            found("events", vec![doc! { "_id": "urn:test 11" }])
        }
        other => unreachable!("{other}"),
    })
    .await
}

#[tokio::test]
async fn a_duplicate_in_an_index_without_a_name_is_taken_only_if_its_id_is_there() {
    let nameless = "E11000 duplicate key error collection: clouds.events";
    let named = "E11000 duplicate key error collection: clouds.events index: subject_1 dup key: {}";
    for words in [[nameless, nameless], [named, named]] {
        let told = told_of_duplicates(words).await;
        assert_eq!((&told.taken[..], told.refused()), (&[10, 11, 13][..], vec![12]));
        assert_eq!(told.rejected[0].1, format!("{} (11000)", words[1]));
        assert!(matches!(told.outcome, Outcome::Answered), "{told:?}");
    }
}

#[tokio::test]
async fn a_duplicate_in_the_index_of_ids_is_taken_without_a_look() {
    let told = told(|command| {
        assert_eq!(command.name, "insert");
        let words = "E11000 duplicate key error collection: clouds.events index: _id_ dup key: {}";
        inserted(0, (0..4).map(|at| write_error(at, 11_000, words)).collect())
    })
    .await;
    assert_eq!(told.taken, [10, 11, 12, 13]);
}

#[tokio::test]
async fn nothing_is_taken_or_refused_if_it_cannot_be_looked_up_what_is_there() {
    let told = told(|command| match command.name.as_str() {
        "insert" => inserted(3, vec![write_error(1, 11_000, "E11000 duplicate key error")]),
        _ => refused(13, "not authorized on clouds to execute command"),
    })
    .await;
    assert_eq!((told.taken.len(), told.rejected.len()), (0, 0));
    let remedy = told.error().remedy();
    assert_eq!(remedy.as_deref(), Some("give the user the role readWrite on that database"));
}

#[tokio::test]
async fn an_insert_that_is_refused_because_of_a_document_is_halved_until_that_is_alone() {
    for code in [2, 9, 14, 10_334] {
        let told = told(move |_| refused(code, "a bad one")).await;
        assert!(told.taken.is_empty() && told.rejected.is_empty(), "{told:?}");
        let Outcome::BatchRejected(why) = told.outcome else { unreachable!("{told:?}") };
        assert_eq!(why, format!("a bad one ({code})"));
    }
}

#[tokio::test]
async fn a_document_that_is_too_large_for_this_server_is_looked_for_in_halves() {
    let url = server(700, |command| inserted(command.documents.len(), Vec::new())).await;
    let (mut writer, _) = connected(&sink(url), standing(1, 0)).await;
    let subject = |number| Some("s".repeat(if number == 13 { 900 } else { 3 }));
    let batch = records_of(10..=13, subject).await;
    let told = written(&mut writer, &batch).await;
    let Outcome::BatchRejected(why) = told.outcome else { unreachable!("{told:?}") };
    assert!(why.contains("must be within 700 bytes"), "{why}");
    assert_eq!(written(&mut writer, &batch[..3]).await.taken, [10, 11, 12]);
}

#[tokio::test]
async fn a_document_alone_is_only_suspected_if_the_command_may_be_to_blame() {
    let alone = async |code| {
        let url = server(DOCUMENT_BYTES_MAX, move |_| refused(code, "a bad one")).await;
        let (mut writer, _) = connected(&sink(url), standing(1, 0)).await;
        written(&mut writer, &records(10..=10).await).await.outcome
    };
    for code in [2, 9, 14] {
        let Outcome::Broken { error, sent_to } = alone(code).await else { unreachable!("{code}") };
        assert_eq!(sent_to.get(), 10);
        assert!(pluvio_runtime::Chain(&error).to_string().contains("a bad one"), "{error:?}");
    }
    assert!(matches!(alone(10_334).await, Outcome::BatchRejected(_)));
}

#[tokio::test]
async fn an_insert_that_is_not_taken_now_waits_and_one_that_is_refused_for_all_is_told() {
    for code in [50, 112, 262] {
        let told = told(move |_| refused(code, "not now")).await;
        let Outcome::Throttled { wait, why } = told.outcome else { unreachable!("{told:?}") };
        assert!(wait.is_zero());
        assert_eq!(why, format!("`clouds.events` does not take documents now: not now ({code})"));
    }
    for code in [13, 61, 14_031] {
        let told = told(move |_| refused(code, "no")).await;
        assert!(matches!(told.outcome, Outcome::NotConnected(_)), "{told:?}");
    }
}

#[tokio::test]
async fn each_document_has_the_fate_that_its_code_says() {
    let told = told(|_| {
        inserted(1, vec![write_error(1, 121, "failed validation"), write_error(3, 112, "conflict")])
    })
    .await;
    assert_eq!((&told.taken[..], told.refused()), (&[10, 12][..], vec![11]));
    assert!(matches!(told.outcome, Outcome::Throttled { .. }), "{told:?}");
}

#[tokio::test]
async fn an_answer_about_documents_that_were_not_sent_takes_nothing() {
    for errors in [vec![9], vec![1, 9], vec![1, 1]] {
        let errors: Vec<_> = errors.into_iter().map(|at| write_error(at, 121, "no")).collect();
        let told = told(move |_| inserted(0, errors.clone())).await;
        assert_eq!((told.taken.len(), told.rejected.len()), (0, 0), "{told:?}");
        let text = told.error().to_string();
        assert!(text.starts_with("the answer to an insert of 4 documents"), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_says_it_has_inserted_nothing_is_given_up_after_a_while() {
    let rounds = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&rounds);
    let url = server(DOCUMENT_BYTES_MAX, move |command| {
        // Without a limit of time, the write ends with everything taken.
        let has_patience = counted.fetch_add(1, Ordering::Relaxed) < 10_000;
        inserted(if has_patience { 0 } else { command.documents.len() }, Vec::new())
    })
    .await;
    let (mut writer, _) = connected(&sink(url), standing(1, 0)).await;
    let batch = records(10..=13).await;
    let writing = tokio::spawn(async move { written(&mut writer, &batch).await });
    while rounds.load(Ordering::Relaxed) < 3 {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    let told = writing.await.unwrap();
    assert!(told.taken.is_empty(), "{told:?}");
    let Outcome::NotConnected(error) = told.outcome else { unreachable!("{told:?}") };
    assert_eq!(error.to_string(), "failed to insert into collection `clouds.events` within 60 s");
    assert!(error.remedy().is_some());
}

/// The driver prints such a file whole, as numbers.
#[tokio::test]
async fn a_key_file_whose_line_ends_were_lost_is_refused_without_a_letter_or_a_number_of_it() {
    let file = std::env::temp_dir().join(format!("pluvio-mongodb-{}.pem", std::process::id()));
    for between in [" ", "\\n", ""] {
        let lines = ["-----BEGIN PRIVATE KEY-----", "TWFuZ2FuZXNl", "-----END PRIVATE KEY-----"];
        std::fs::write(&file, lines.join(between)).unwrap();
        let url = format!(
            "mongodb://127.0.0.1:1/clouds?tls=true&tlsCertificateKeyFile={}",
            file.display()
        );
        let error = sink(url).connect(standing(1, 0)).await.map(|_| ()).unwrap_err();
        let mut config = Config::new("mongodb://127.0.0.1:1/clouds", "events");
        (config.tls.cert_file, config.tls.key_file) = (Some(file.clone()), Some(file.clone()));
        let refused = config.build().map(|_| ()).unwrap_err();
        let words = [Chain(&error).to_string(), format!("{error:?}"), Chain(&refused).to_string()];
        for told in words {
            let told = told.replace(&file.display().to_string(), "").replace("127.0.0.1:1", "");
            assert!(!told.contains(|c: char| c.is_ascii_digit()), "{told}");
            assert!(!told.contains("TWFu"), "{told}");
        }
        assert!(error.remedy().unwrap().contains("line ends"));
    }
    std::fs::remove_file(file).unwrap();
}
