//! `pluvio dead replay` against a real receiver, as an operator calls it.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use pluvio_event::{Data, Event, json};
use pluvio_log::{Embedded, EmbeddedConfig, Log as _, Position, Record, SourceName, StreamName};
use pluvio_runtime::supervise::sink::{DEAD_LETTER_TYPE, OFFSET, REASON, SINK, dead_stream};

const LETTERS: usize = 200;

/// A log with letters of the sink `hook`.
async fn write_letters(folder: &Path) {
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
    log.append(&stream, (0..LETTERS).map(letter).collect()).await.unwrap();
}

/// Answers each request with `answer`; gives its address, and how many it got.
fn receiver(answer: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, counted) = (stream.unwrap(), Arc::clone(&counted));
            thread::spawn(move || {
                let mut text = Vec::new();
                let mut buffer = [0; 8192];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    text.extend_from_slice(&buffer[..count]);
                    // The event ends the request: its bodies are JSON objects on one line.
                    if text.ends_with(b"}") {
                        text.clear();
                        counted.fetch_add(1, Ordering::SeqCst);
                        let _ended = stream.write_all(answer.as_bytes());
                    }
                }
            });
        }
    });
    (url, requests)
}

fn replay(folder: &Path, url: &str) -> Output {
    let configuration =
        format!("[log]\ndir = \"data\"\n[sinks.hook]\ntype = \"webhook\"\nurl = \"{url}\"\n");
    fs::write(folder.join("pluvio.toml"), configuration).unwrap();
    let mut pluvio = Command::new(env!("CARGO_BIN_EXE_pluvio"));
    pluvio.args(["--config", "pluvio.toml", "dead", "replay", "hook"]).current_dir(folder);
    pluvio.output().unwrap()
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("pluvio-{name}-{}", std::process::id()));
    let _not_there = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test]
async fn letters_reach_a_target_that_was_mended() {
    let folder = folder("replay-mended");
    write_letters(&folder.join("data")).await;
    let (url, requests) = receiver("HTTP/1.1 204 No Content\r\n\r\n");
    let output = replay(&folder, &url);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(said, format!("{LETTERS} handed over to `hook` again\n"));
    assert_eq!(requests.load(Ordering::SeqCst), LETTERS);
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_target_that_still_rejects_everything_is_left_alone_and_the_way_to_go_on_is_told() {
    let folder = folder("replay-rejected");
    write_letters(&folder.join("data")).await;
    let (url, requests) = receiver("HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\n\r\nno id");
    let output = replay(&folder, &url);
    let (said, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(requests.load(Ordering::SeqCst) < LETTERS / 2, "{requests:?}");
    assert!(said.contains("answered 400: no id"), "{said}");
    assert!(said.contains("not handed over"), "{said}");
    assert!(error.contains("letters one after the other, so the rest was not sent"), "{error}");
    let from = error.split("--from ").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
    assert!((20..100).contains(&from.parse::<usize>().unwrap()), "{from}");
    fs::remove_dir_all(&folder).unwrap();
}
