//! Lines on standard output.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use pluvio_connect::stdout::{Config, Form};
use pluvio_runtime::{Answers, Outcome, Writer as _};

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
    let sink = Config { format }.build_on(pipe.clone());
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
async fn a_reader_that_ends_is_no_failure() {
    let pipe = Arc::new(Mutex::new(Pipe { is_broken: true, ..Pipe::default() }));
    let sink = Config::default().build_on(pipe);
    let (mut writer, _) = connected(&sink, standing(1, 0)).await;
    assert!(matches!(
        writer.write(&records(1..=1).await, &Answers::default()).await,
        Outcome::Ended
    ));
}
