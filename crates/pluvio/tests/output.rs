//! What the command line reads from a server and writes to standard output: bounded, and told when it
//! could not be written.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Output, Stdio},
    thread,
};

use flate2::{Compression, write::GzEncoder};
use pluvio_event::Event;
use pluvio_log::{Embedded, EmbeddedConfig, Log as _, Position, Record, SourceName, StreamName};

fn pluvio(arguments: &[&str]) -> Command {
    let mut pluvio = Command::new(env!("CARGO_BIN_EXE_pluvio"));
    pluvio.args(arguments).stderr(Stdio::piped());
    pluvio.env_remove("VCENTER_URL").env_remove("PLUVIO_LOG").env_remove("DEBUG");
    pluvio
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("pluvio-output-{}-{name}", std::process::id()));
        let _not_there = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(&self.0);
    }
}

const EVENT: &str = r#"{"specversion":"1.0","id":"1","source":"urn:cloud","type":"t","sequence":"00000000000000000001"}"#;

/// Answers each request with what `answer` writes behind the head, and gives the address of the server.
fn server(answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head = BufReader::new(&stream).lines();
            let _request = head.map_while(Result::ok).take_while(|line| !line.is_empty()).count();
            // The client goes when it has read enough.
            let _gone = answer(&mut stream);
        }
    });
    url
}

/// A page that says that another one follows.
fn page(stream: &mut TcpStream) -> std::io::Result<()> {
    let body = format!("[{EVENT}]");
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nlink: </>; rel=\"next\"\r\npluvio-next-offset: 2\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn data_that_cannot_be_written_is_told_and_is_no_success() {
    let folder = Folder::new("full");
    let data = folder.0.join("data");
    let log = Embedded::open(EmbeddedConfig::new(&data)).unwrap();
    log.open(&StreamName::events()).await.unwrap();
    let record = Record {
        event: Event::builder("1", "urn:cloud", "t").build().unwrap(),
        source: SourceName::new("cloud").unwrap(),
        position: Position::new("1").unwrap(),
        at_least: None,
    };
    log.append(&StreamName::events(), vec![record]).await.unwrap();
    drop(log);
    let url = server(page);
    let data = data.to_str().unwrap();
    for arguments in [
        &["log", "dump", data][..],
        &["log", "info", data],
        &["log", "verify", data],
        &["config"],
        &["config", "--schema"],
        &["completions", "bash"],
        &["version"],
        &["tail", "--no-follow", "--url", &url],
        &["tail", "--no-follow", "--since", "1h", "--url", &url],
        &["tail", "--no-follow", "--output", "json", "--url", &url],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = pluvio(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", said(&output));
        let expected = "error: failed to write to standard output: No space left on device";
        assert!(said(&output).starts_with(expected), "{arguments:?}: {}", said(&output));
    }
}

/// A cloud may print its JSON on several lines, and pages hold data as it came.
#[test]
fn an_event_is_one_line_of_json_however_its_data_was_printed() {
    let url = server(|stream| {
        let body = format!("[{}]", EVENT.replacen(',', ",\n", 3));
        write!(
            stream,
            "HTTP/1.1 200 OK\r\npluvio-next-offset: 2\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    });
    let tail = ["tail", "--since", "1h", "--no-follow", "--output", "json", "--url", &url];
    let output = pluvio(&tail).output().unwrap();
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 1, "{printed}");
    // Of what is printed, only white space between the tokens differs.
    assert_eq!(lines[0].replace(", ", ","), EVENT);
}

#[test]
fn a_reader_that_has_enough_ends_what_is_read_also_between_pages() {
    let url = server(page);
    let mut tail = pluvio(&["tail", "--since", "1h", "--url", &url]);
    let mut tail = tail.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(tail.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty());
    let output = tail.wait_with_output().unwrap();
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
}

#[test]
fn a_server_that_says_too_much_is_told_and_not_held_in_memory() {
    // More than is read, and not for ever: a client that takes all of it ends otherwise.
    const BYTES: u64 = 64 << 20;
    for (status, is_packed, bytes_max) in [
        ("200 OK", false, 20 << 20),
        ("200 OK", true, 20 << 20),
        ("500 Internal Server Error", false, 64 << 10),
    ] {
        let url = server(move |stream| {
            let encoding = if is_packed { "content-encoding: gzip\r\n" } else { "" };
            write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\n{encoding}\r\n")?;
            let mut blank = std::io::repeat(b' ').take(BYTES);
            if is_packed {
                let mut packed = GzEncoder::new(stream, Compression::fast());
                std::io::copy(&mut blank, &mut packed)?;
                return packed.finish().map(drop);
            }
            std::io::copy(&mut blank, stream).map(drop)
        });
        let output = pluvio(&["tail", "--no-follow", "--url", &url]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{status}");
        let told = format!("it has more than {bytes_max} bytes");
        assert!(said(&output).contains(&told), "{status}: {}", said(&output));
    }
}
