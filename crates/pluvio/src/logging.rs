//! Log lines on standard error.
//!
//! `PLUVIO_LOG` takes a filter as tracing-subscriber reads it (`info`, `debug`,
//! `pluvio_connect=trace`); `DEBUG=true`, as vsphere-event-streaming had it, is short for `debug`.
//!
//! What a line quotes of clouds, clients and targets is text: it refuses to pass on what a terminal would
//! obey, and writes it escaped, in lines of JSON with JSON's escapes; and it refuses to print a secret that
//! they repeat.

use std::{
    borrow::Cow,
    fmt,
    io::{self, IsTerminal as _, Write},
};

use pluvio_event::{shown, shown_lines};
use pluvio_secret::hidden;
use serde_json::Value;
use tracing::{Subscriber, field::Field};
use tracing_subscriber::{
    EnvFilter,
    field::MakeExt as _,
    fmt::{
        MakeWriter,
        format::{self, Writer},
    },
    util::SubscriberInitExt as _,
};

use crate::{cli::LogFormat, config};

/// Fields of a line of JSON that nobody else writes.
const OURS: [&str; 3] = ["timestamp", "level", "target"];

/// Begins to print log lines.
pub(crate) fn start(format: LogFormat) {
    let default =
        if config::is_debug() { "debug,hyper=info,reqwest=info,rustls=info" } else { "info" };
    let filter = EnvFilter::try_from_env("PLUVIO_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let ansi = io::stderr().is_terminal() && !no_color;
    lines(format, filter, ansi, io::stderr).init();
}

/// Whoever makes lines of what happens.
fn lines<W>(
    format: LogFormat,
    filter: EnvFilter,
    ansi: bool,
    out: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Clone + Send + Sync + 'static,
{
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(ansi).with_target(false);
    match format {
        LogFormat::Text => {
            let fields = format::debug_fn(field).delimited(" ");
            Box::new(lines.fmt_fields(fields).with_writer(out).finish())
        }
        LogFormat::Json => {
            let out = move || Escaping(out.clone());
            Box::new(lines.json().flatten_event(true).with_writer(out).finish())
        }
    }
}

/// One field of a line of text: the message alone, everything else as `name=value`.
fn field(out: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    let text = hidden(&text);
    match field.name() {
        "message" => out.write_str(&shown(&text)),
        name => write!(out, "{name}={}", shown(&text)),
    }
}

/// Escapes what JSON would let through, and hides secrets; a line comes in one piece.
struct Escaping<W>(W);

impl<W: for<'w> MakeWriter<'w>> Write for Escaping<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.make_writer().write_all(shown_lines(&hidden_json(&text)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.make_writer().flush()
    }
}

/// A line of JSON without secrets in its texts: names, times and numbers are our own.
fn hidden_json(line: &str) -> Cow<'_, str> {
    if matches!(hidden(line), Cow::Borrowed(_)) {
        return Cow::Borrowed(line);
    }
    let Ok(mut fields) = serde_json::from_str::<serde_json::Map<String, Value>>(line) else {
        return hidden(line);
    };
    let theirs = fields.iter_mut().filter(|(name, _)| !OURS.contains(&name.as_str()));
    theirs.for_each(|(_, value)| hide(value));
    let mut line = Value::Object(fields).to_string();
    line.push('\n');
    Cow::Owned(line)
}

fn hide(value: &mut Value) {
    match value {
        Value::String(text) => *text = hidden(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(hide),
        Value::Object(fields) => fields.values_mut().for_each(hide),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    /// Remembers what is written.
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            memory.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The line for something that a client sent.
    fn line_of(format: LogFormat, said: &str) -> String {
        let memory = Memory::default();
        let out = memory.clone();
        let lines = lines(format, EnvFilter::new("info"), false, move || out.clone());
        tracing::subscriber::with_default(lines, || {
            tracing::warn!(client = %said, quoted = said, count = 3, "refused {said}");
        });
        let memory = memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&memory).into_owned()
    }

    #[test]
    fn a_secret_that_somebody_repeats_is_not_in_the_log() {
        pluvio_secret::note("Line\"Token-2026");
        let said = "no Line\"Token-2026 or line%22token-2026";
        let text = line_of(LogFormat::Text, said);
        assert!(text.contains("WARN refused no *** or *** client=no *** or *** quoted="), "{text}");
        assert!(!text.contains("2026 "), "{text}");
        let json = line_of(LogFormat::Json, said);
        let read: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
        assert_eq!((&read["client"], &read["quoted"]), (&read["quoted"], &"no *** or ***".into()));
        assert_eq!(read["message"], "refused no *** or ***");
    }

    #[test]
    fn a_line_of_json_stays_one_whatever_is_secret() {
        for secret in ["70717071", "quoted-at-its-end\"", "a_name_of_ours"] {
            pluvio_secret::note(secret);
        }
        let memory = Memory::default();
        let out = memory.clone();
        let lines = lines(LogFormat::Json, EnvFilter::new("info"), false, move || out.clone());
        tracing::subscriber::with_default(lines, || {
            let said = "70717071, quoted-at-its-end\"";
            tracing::warn!(a_name_of_ours = 70_717_071, said, "no a_name_of_ours");
        });
        let memory = memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read: serde_json::Value = serde_json::from_slice(&memory).unwrap_or_default();
        assert_eq!(read["a_name_of_ours"], 70_717_071);
        assert_eq!(read["said"], "***, ***");
        assert_eq!(read["message"], "no ***");
    }

    #[test]
    fn what_a_stranger_said_is_seen_in_the_log_and_not_obeyed() {
        let said = "a\u{1b}[1m\u{9b}1m\u{202e}\nb";
        let text = line_of(LogFormat::Text, said);
        let seen = "a\\u001b[1m\\u009b1m\\u202e\\nb";
        assert!(text.ends_with(&format!("{}\n", text.trim_end())) && text.is_ascii(), "{text:?}");
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(text.contains(&format!("WARN refused {seen} client={seen} quoted=")), "{text:?}");
        assert!(text.ends_with(" count=3\n"), "{text:?}");
        let json = line_of(LogFormat::Json, said);
        assert!(json.is_ascii() && json.lines().count() == 1, "{json:?}");
        let read: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
        assert_eq!(read["client"], said);
        assert_eq!(read["message"], format!("refused {said}"));
    }
}
