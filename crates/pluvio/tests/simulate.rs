//! `pluvio simulate … --from`, as an integrator calls it on a log.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use pluvio_event::{Data, Event, EventBuilder};
use pluvio_log::{Embedded, EmbeddedConfig, Log as _, Position, Record, SourceName, StreamName};

const VCENTER: &str = "https://vc.example.org/sdk";

/// An event of a vCenter, so many minutes after midnight.
fn vcenter(source: &str, key: u32, kind: &str, more: &str) -> EventBuilder {
    let time = format!("2026-11-23T00:{key:02}:00Z");
    let data = format!(
        r#"{{"Key":{key},"ChainId":{key},"CreatedTime":"{time}","UserName":"","Vm":{{"Name":"web",
        "Vm":{{"Type":"VirtualMachine","Value":"vm-7"}}}}{more}}}"#
    );
    let kind = format!("com.vmware.vsphere.{kind}.v0");
    Event::builder(key.to_string(), source, kind)
        .time(time.parse().unwrap())
        .data(Data::json(data).unwrap())
}

/// Writes events into a log, which stays open as long as what is given.
async fn write(
    folder: &Path,
    stream: &str,
    events: impl IntoIterator<Item = EventBuilder>,
) -> Embedded {
    let log = Embedded::open(EmbeddedConfig::new(folder)).unwrap();
    let stream = StreamName::new(stream).unwrap();
    log.open(&stream).await.unwrap();
    let record = |(place, event): (usize, EventBuilder)| {
        let source = SourceName::new("vc").unwrap();
        let position = Position::new(place.to_string()).unwrap();
        Record { event: event.build().unwrap(), source, position, at_least: None }
    };
    log.append(&stream, events.into_iter().enumerate().map(record).collect()).await.unwrap();
    log
}

fn pluvio(folder: &Path, arguments: &str) -> Command {
    let mut pluvio = Command::new(env!("CARGO_BIN_EXE_pluvio"));
    pluvio.args(["simulate"]).args(arguments.split(' ')).current_dir(folder);
    pluvio.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    pluvio
}

/// What a command that is refused says.
fn refused(folder: &Path, arguments: &str) -> String {
    let output = pluvio(folder, arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments}");
    String::from_utf8(output.stderr).unwrap()
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// A cloud on a port of its own, and what it says before its first line with `until`.
fn started(folder: &Path, arguments: &str, until: &str) -> (Running, Vec<String>) {
    let mut child = pluvio(folder, &format!("{arguments} --listen 127.0.0.1:0")).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let running = Running(child);
    let mut said = Vec::new();
    for line in lines {
        let is_last = line.starts_with(until);
        said.push(line);
        if is_last {
            return (running, said);
        }
    }
    panic!("it ended: {said:?}")
}

#[tokio::test]
async fn a_recording_tells_what_was_taken_what_was_redacted_and_what_was_left_out() {
    let folder = folder_of_a_test();
    let gap = Event::builder("gap", VCENTER, "pluvio.gap.v0").data(Data::json("{}").unwrap());
    let secret = r#","Spec":{"Password":"hunter2"}"#;
    let events = [
        vcenter(VCENTER, 1, "VmPoweredOnEvent", ""),
        gap,
        vcenter(VCENTER, 2, "AccountCreatedEvent", secret),
        vcenter(VCENTER, 3, "malformed", ""),
        vcenter(VCENTER, 4, "VmPoweredOffEvent", ""),
    ];
    let _in_use = write(&folder.0.join("data"), "events", events).await;
    let until = "--until 2026-11-23T00:04:00Z";
    let (_cloud, said) =
        started(&folder.0, &format!("vcenter --from data --at end {until}"), "vCenter:");
    assert_eq!(
        said[..4],
        [
            "recording: 2 events, 2026-11-23T00:01:00Z to 2026-11-23T00:02:00Z",
            "redacted:  1 value",
            "left out:  1 event: `com.vmware.vsphere.malformed.v0` is what could not be read of an \
             answer, no event",
            "left out:  1 event: `pluvio.gap.v0` is none of a vCenter's",
        ]
    );
}

#[tokio::test]
async fn a_cloudstack_has_the_release_of_its_rows_and_one_root_admin_with_keys() {
    let folder = folder_of_a_test();
    let row = |id: u32, name: &str, more: &str| {
        let created = format!("2026-11-23T00:{id:02}:00+0000");
        let data = format!(
            r#"{{"id":"{id}","username":"ops","account":"web","domain":"ROOT","created":"{created}"{more}}}"#
        );
        Event::builder(
            id.to_string(),
            "https://c/client/api",
            format!("org.apache.cloudstack.{name}"),
        )
        .time(format!("2026-11-23T00:{id:02}:00Z").parse().unwrap())
        .data(Data::json(data).unwrap())
    };
    let events = [
        row(1, "VM.START", ""),
        row(2, "VM.STOP", r#","resourceid":"r-1","secretkey":"hunter2""#),
        row(3, "usagerecord", ""),
    ];
    write(&folder.0.join("data"), "events", events).await;
    let (_cloud, said) = started(&folder.0, "cloudstack --from data --speed 60", "try:");
    let text = said.join("\n");
    assert!(
        text.starts_with("recording: 2 events") && text.contains("redacted:  1 value"),
        "{text}"
    );
    assert!(text.contains("usage record") && text.contains("Root Admin"), "{text}");
    assert_eq!(said.iter().filter(|line| line.contains("simulated-api-key")).count(), 2, "{text}");
    let said = refused(&folder.0, "vcenter --from data");
    assert!(said.contains("org.apache.cloudstack.VM.START of https://c/client/api"), "{said}");
}

#[tokio::test]
async fn several_clouds_are_listed_and_one_is_chosen() {
    let folder = folder_of_a_test();
    let other = "https://other.example.org/sdk";
    let events = [
        vcenter(VCENTER, 1, "VmPoweredOnEvent", ""),
        vcenter(other, 2, "VmPoweredOnEvent", ""),
        vcenter(other, 3, "VmPoweredOnEvent", ""),
        Event::builder("gap", VCENTER, "pluvio.gap.v0").data(Data::json("{}").unwrap()),
    ];
    write(&folder.0.join("data"), "events", events).await;
    let said = refused(&folder.0, "vcenter --from data");
    assert!(said.contains("--source") && said.contains(&format!("{other}  (2 events)")), "{said}");
    let (_cloud, said) =
        started(&folder.0, &format!("vcenter --from data --source {other}"), "vCenter:");
    assert!(said[0].starts_with("recording: 2 events"), "{said:?}");
    assert!(said[1].starts_with("vCenter:"), "the gap is another cloud's: {said:?}");
}

#[tokio::test]
async fn what_cannot_be_played_is_refused_with_the_next_step() {
    let folder = folder_of_a_test();
    let events = [vcenter(VCENTER, 1, "VmPoweredOnEvent", "")];
    write(&folder.0.join("data"), "events", events).await;
    for (arguments, expected) in [
        ("vcenter --from nowhere", "there is no folder `nowhere`"),
        ("vcenter --from .", "holds no log"),
        ("vcenter --from data --stream audit", "--stream takes one of: events"),
        ("vcenter --from data --source x", "there are the sources\n  https://vc.example.org/sdk"),
        ("vcenter --from data --since 2027-01-01T00:00:00Z", "in that time"),
        ("vcenter --from data --speed 0", "a number above 0"),
        ("vcenter --from data --rate 5", "cannot be used with"),
        ("vcenter --speed 5", "--from <DATA>"),
        ("vcenter --from data --at noon", "it is `end`, or a time"),
    ] {
        let said = refused(&folder.0, arguments);
        assert!(said.contains(expected), "{arguments}: {said}");
    }
}

/// A folder that goes with the test.
struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

fn folder_of_a_test() -> Folder {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let name = format!("pluvio-simulate-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    Folder(folder)
}
