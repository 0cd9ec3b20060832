//! Lines on standard output.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use pluvio_connect::stdout::{Form, Stdout};
use pluvio_event::{Data, Event, json};
use pluvio_log::{Offset, StoredRecord};
use pluvio_runtime::{Answers, Delivered, Outcome, Writer as _};

use crate::hand::{connected, records, standing};

/// Takes bytes until its reader goes.
#[derive(Default)]
struct Pipe {
    taken: Vec<u8>,
    is_broken: bool,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.taken.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn printed(format: Form) -> String {
    let pipe = Arc::new(Mutex::new(Pipe::default()));
    let sink = Stdout::on(format, pipe.clone());
    let (mut writer, cursor) = connected(&sink, standing(1, 0)).await;
    assert_eq!(cursor, None);
    let batch = records(44..=45).await;
    assert!(
        matches!(writer.write(&batch, &Answers::default()).await, Outcome::AckedTo(last) if last.get() == 45)
    );
    String::from_utf8(pipe.lock().unwrap().taken.clone()).unwrap()
}

#[tokio::test]
async fn each_event_is_one_line_in_the_form_asked_for() {
    let text = printed(Form::Text).await;
    assert_eq!(text.lines().count(), 2);
    assert!(text.starts_with("10:31:22 com.example.Thing"), "{text}");
    assert_eq!(
        printed(Form::Native).await,
        "{  \"message\": \"thing 44\"}\n{  \"message\": \"thing 45\"}\n"
    );
    for (form, has_place) in [(Form::Cloudevents, true), (Form::CloudeventsStored, false)] {
        let lines = printed(form).await;
        for (line, number) in lines.lines().zip(44..) {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(event["id"], number.to_string());
            assert_eq!(event["sequence"].is_string(), has_place);
        }
    }
}

#[tokio::test]
async fn what_a_terminal_would_obey_is_escaped_in_every_form_and_json_says_the_same() {
    let hidden = "on \u{202e}\u{9b}1m\u{7f}";
    let event = Event::builder("7", "urn:cloud", format!("VM.{hidden}"))
        .data(Data::json(serde_json::json!({"message": hidden}).to_string()).unwrap())
        .build()
        .unwrap();
    let batch = [Delivered::new(StoredRecord {
        offset: Offset::ZERO,
        recorded: Timestamp::UNIX_EPOCH,
        key: None,
        value: json::to_vec(&event).into(),
    })];
    for format in [Form::Text, Form::Cloudevents, Form::CloudeventsStored, Form::Native] {
        let pipe = Arc::new(Mutex::new(Pipe::default()));
        let sink = Stdout::on(format, pipe.clone());
        let (mut writer, _) = connected(&sink, standing(1, 0)).await;
        let outcome = writer.write(&batch, &Answers::default()).await;
        assert!(matches!(outcome, Outcome::AckedTo(_)));
        let line = String::from_utf8(pipe.lock().unwrap().taken.clone()).unwrap();
        assert!(
            line.is_ascii() && line.contains("on \\u202e\\u009b1m\\u007f"),
            "{format:?}: {line}"
        );
        if format != Form::Text {
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            let data = if format == Form::Native { &read } else { &read["data"] };
            assert_eq!(data["message"], hidden);
        }
    }
}

#[tokio::test]
async fn a_reader_that_ends_is_no_failure() {
    let pipe = Arc::new(Mutex::new(Pipe { is_broken: true, ..Pipe::default() }));
    let sink = Stdout::on(Form::default(), pipe);
    let (mut writer, _) = connected(&sink, standing(1, 0)).await;
    assert!(matches!(
        writer.write(&records(1..=1).await, &Answers::default()).await,
        Outcome::Ended
    ));
}
