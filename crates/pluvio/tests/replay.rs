//! `pluvio dead replay` against a real receiver, as an operator calls it.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use pluvio_event::{Data, Event, json};
use pluvio_log::{Embedded, EmbeddedConfig, Log as _, Position, Record, SourceName, StreamName};
use pluvio_runtime::supervise::sink::{DEAD_LETTER_TYPE, OFFSET, REASON, SINK, dead_stream};

const LETTERS: usize = 200;

/// A log with letters of the sink `hook`, whose originals lay at these offsets and are called by them.
async fn write_letters(folder: &Path, originals: impl Iterator<Item = usize>) {
    let log = Embedded::open(EmbeddedConfig::new(folder)).unwrap();
    let stream = dead_stream(&StreamName::events()).unwrap();
    log.open(&stream).await.unwrap();
    let letter = |offset: usize| {
        let original = Event::builder(format!("e{offset}"), "vsphere:/vc", "x.Happened").build();
        let mut text = Vec::new();
        json::encode(&original.unwrap(), &mut text);
        let data = Data::json(String::from_utf8(text).unwrap()).unwrap();
        let id = format!("dead/hook/{offset}");
        let letter = Event::builder(id, "pluvio:/", DEAD_LETTER_TYPE)
            .extension(SINK, "hook")
            .extension(REASON, "h answered 400")
            .extension(OFFSET, offset.to_string())
            .data(data)
            .build();
        let source = SourceName::new("sink.hook").unwrap();
        let position = Position::new(offset.to_string()).unwrap();
        Record { event: letter.unwrap(), source, position, at_least: None }
    };
    log.append(&stream, originals.map(letter).collect()).await.unwrap();
}

const TAKEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const REJECTED: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\n\r\nno id";
const AWAY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

/// Answers each request with `answer`; gives its address, and how many it got.
fn receiver(answer: &'static str) -> (String, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let url = receiver_that(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        answer
    });
    (url, requests)
}

/// Answers each event, which it is given, as `answer` says; gives its address.
fn receiver_that(answer: impl Fn(&Event) -> &'static str + Send + Sync + 'static) -> String {
    server(move |_, body| answer(&json::decode(body).unwrap()).to_owned())
}

/// Answers each request, of which it is given head and body, as `answer` says; gives its address.
fn server(answer: impl Fn(&str, &[u8]) -> String + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), Arc::clone(&answer));
            thread::spawn(move || {
                let mut text = Vec::new();
                let mut buffer = [0; 8192];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    text.extend_from_slice(&buffer[..count]);
                    while let Some((head, body)) = request(&mut text) {
                        let _ended = stream.write_all(answer(&head, &body).as_bytes());
                    }
                }
            });
        }
    });
    url
}

/// Takes a whole request, if there is one.
fn request(text: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let end = text.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&text[..end]).to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let length = length.map_or(0, |length| length.parse().unwrap());
    if text.len() < end + length {
        return None;
    }
    let body = text.drain(..end + length).skip(end).collect();
    Some((head, body))
}

fn replay(folder: &Path, url: &str, options: &[&str]) -> Output {
    replay_to(folder, &format!("type = \"webhook\"\nurl = \"{url}\"\n"), options)
}

/// The same with any sink.
fn replay_to(folder: &Path, section: &str, options: &[&str]) -> Output {
    let configuration = format!("[log]\ndir = \"data\"\n[sinks.hook]\n{section}");
    fs::write(folder.join("pluvio.toml"), configuration).unwrap();
    let mut pluvio = Command::new(env!("CARGO_BIN_EXE_pluvio"));
    pluvio.args(["--config", "pluvio.toml", "dead", "replay", "hook"]).args(options);
    pluvio.current_dir(folder);
    pluvio.output().unwrap()
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("pluvio-{name}-{}", std::process::id()));
    let _not_there = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Where an operator is told to go on.
fn told_from(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    let from = error.split("--from ").nth(1).and_then(|rest| rest.split('`').next());
    from.unwrap().to_owned()
}

/// Originals of letters that a sink made which was moved back in between: the later ones lay before.
fn moved_back() -> impl Iterator<Item = usize> {
    (1300..2000).chain(0..500)
}

#[tokio::test]
async fn letters_reach_a_target_that_was_mended() {
    let folder = folder("replay-mended");
    write_letters(&folder.join("data"), 0..LETTERS).await;
    let (url, requests) = receiver(TAKEN);
    let output = replay(&folder, &url, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(said, format!("{LETTERS} handed over to `hook` again\n"));
    assert_eq!(requests.load(Ordering::SeqCst), LETTERS);
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn letters_that_the_filter_does_not_pass_any_more_are_left_out_and_counted() {
    let folder = folder("replay-filter");
    write_letters(&folder.join("data"), 0..LETTERS).await;
    let (url, requests) = receiver(TAKEN);
    let section = format!("type = \"webhook\"\nurl = \"{url}\"\nfilter = 'id == \"e7\"'\n");
    let output = replay_to(&folder, &section, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    let left_out = LETTERS - 1;
    let told =
        format!("1 handed over to `hook` again\n{left_out} left out by the sink's `filter`\n");
    assert_eq!((said, requests.load(Ordering::SeqCst)), (told, 1));
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn letters_go_to_the_name_that_the_sink_itself_makes_of_its_own() {
    let folder = folder("replay-name");
    write_letters(&folder.join("data"), 0..1).await;
    let actions = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&actions);
    let url = server(move |head, body| {
        let answer = if head.starts_with("post") {
            let action = body.split(|byte| *byte == b'\n').next().unwrap_or_default();
            noted.lock().unwrap().push(String::from_utf8_lossy(action).into_owned());
            r#"{"items":[{"create":{"status":201}}]}"#
        } else {
            r#"{"cluster_name":"sky","version":{"number":"2.19.1","distribution":"opensearch"}}"#
        };
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len())
    });
    let section = format!("type = \"opensearch\"\nurl = \"{url}\"\nindex = \"of-{{sink}}\"\n");
    let output = replay_to(&folder, &section, &[]);
    assert!(output.status.success(), "{output:?}");
    let actions = std::mem::take(&mut *actions.lock().unwrap());
    assert!(actions.len() == 1 && actions[0].contains(r#""_index":"of-hook""#), "{actions:?}");
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_client_that_can_be_connected_only_once_is_refused_with_what_helps() {
    let folder = folder("replay-client");
    write_letters(&folder.join("data"), 0..1).await;
    let section = "type = \"mqtt\"\nurl = \"mqtt://127.0.0.1:1\"\nclient_id = \"site-a\"\n";
    let output = replay_to(&folder, section, &[]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{output:?}");
    assert!(error.contains("put another `client_id` into a copy"), "{error}");
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_target_that_still_rejects_everything_is_left_alone_and_the_way_to_go_on_is_told() {
    let folder = folder("replay-rejected");
    write_letters(&folder.join("data"), 0..LETTERS).await;
    let (url, requests) = receiver(REJECTED);
    let output = replay(&folder, &url, &[]);
    let (said, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(requests.load(Ordering::SeqCst) < LETTERS / 2, "{requests:?}");
    assert!(said.contains("answered 400: no id"), "{said}");
    assert!(said.contains("not handed over"), "{said}");
    assert!(error.contains("letters one after the other, so the rest was not sent"), "{error}");
    assert_eq!(told_from(&output), "0", "none was taken");
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn originals_have_the_sequence_that_they_had_in_whatever_order_their_letters_lie() {
    let folder = folder("replay-sequence");
    // And two originals had one offset, in two lives of the log.
    write_letters(&folder.join("data"), moved_back().chain(1300..1302)).await;
    let taken = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&taken);
    let url = receiver_that(move |event| {
        let sequence: usize = event.extension("sequence").unwrap().to_string().parse().unwrap();
        noted.lock().unwrap().push((event.id().to_owned(), sequence));
        TAKEN
    });
    let output = replay(&folder, &url, &[]);
    assert!(output.status.success(), "{output:?}");
    let mut taken = std::mem::take(&mut *taken.lock().unwrap());
    taken.sort_by_key(|(_, sequence)| *sequence);
    let mut expected: Vec<_> = moved_back().chain(1300..1302).collect();
    expected.sort_unstable();
    let expected: Vec<_> = expected.into_iter().map(|it| (format!("e{it}"), it)).collect();
    assert_eq!(taken, expected);
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn going_on_where_a_replay_gave_up_leaves_out_no_letter() {
    let folder = folder("replay-gave-up");
    write_letters(&folder.join("data"), moved_back()).await;
    let taken = Arc::new(Mutex::new(BTreeSet::new()));
    let is_back = Arc::new(AtomicUsize::new(0));
    let (noted, back) = (Arc::clone(&taken), Arc::clone(&is_back));
    let url = receiver_that(move |event| {
        let mut taken = noted.lock().unwrap();
        if taken.len() >= 150 && back.load(Ordering::SeqCst) == 0 {
            return AWAY;
        }
        taken.insert(event.id().to_owned());
        TAKEN
    });
    let output = replay(&folder, &url, &["--patience", "1s"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said, "150 handed over to `hook` again\n1050 not handed over\n");
    is_back.store(1, Ordering::SeqCst);
    let output = replay(&folder, &url, &["--from", &told_from(&output)]);
    assert!(output.status.success(), "{output:?}");
    let all: BTreeSet<_> = moved_back().map(|it| format!("e{it}")).collect();
    assert_eq!(*taken.lock().unwrap(), all);
    fs::remove_dir_all(&folder).unwrap();
}

/// An original that is rejected while others are taken.
const AT_FAULT: usize = 5;

#[tokio::test]
async fn going_on_where_rejections_ended_a_replay_repeats_them_and_none_that_was_taken_before() {
    // Originals, those that are taken at first, and the letter to go on with. But for the first, ten that are
    // rejected are in memory with a thousand letters, and the others with those behind: on the same stage,
    // and on another.
    let cases: [(Vec<usize>, _, _); 3] = [
        ((0..LETTERS).collect(), 0..30, "30"),
        ((0..1200).collect(), 0..990, "990"),
        ((1300..2300).chain(10..210).collect(), 210..2290, "990"),
    ];
    for (number, (originals, good, from)) in cases.into_iter().enumerate() {
        let folder = folder(&format!("replay-rejections-{number}"));
        write_letters(&folder.join("data"), originals.iter().copied()).await;
        let taken = Arc::new(Mutex::new(BTreeSet::new()));
        let is_mended = Arc::new(AtomicUsize::new(0));
        let (noted, mended) = (Arc::clone(&taken), Arc::clone(&is_mended));
        let url = receiver_that(move |event| {
            let original = event.id()[1..].parse().unwrap();
            let is_bad = original == AT_FAULT || !good.contains(&original);
            if is_bad && mended.load(Ordering::SeqCst) == 0 {
                return REJECTED;
            }
            noted.lock().unwrap().insert(original);
            TAKEN
        });
        let output = replay(&folder, &url, &[]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(told_from(&output), from);
        is_mended.store(1, Ordering::SeqCst);
        let output = replay(&folder, &url, &["--from", &told_from(&output)]);
        assert!(output.status.success(), "{output:?}");
        let mut expected: BTreeSet<_> = originals.into_iter().collect();
        expected.remove(&AT_FAULT);
        assert_eq!(*taken.lock().unwrap(), expected);
        fs::remove_dir_all(&folder).unwrap();
    }
}
