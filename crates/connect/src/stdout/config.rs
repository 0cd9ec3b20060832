//! What an operator may say about standard output.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{line::Palette, sink::Stdout};

/// Events on standard output, one line each.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What a line is: `text` for people; `cloudevents`, JSON with the event's offset as `sequence`;
    /// `cloudevents-stored`, the same without; `native`, the data alone.
    #[serde(default)]
    pub format: Form,
}

/// What a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Readable.
    #[default]
    Text,
    /// CloudEvents with their place.
    Cloudevents,
    /// CloudEvents as they are stored.
    CloudeventsStored,
    /// The data alone.
    Native,
}

impl Config {
    /// The process's standard output.
    pub fn build(self) -> Stdout {
        let out = Arc::new(Mutex::new(std::io::stdout()));
        Stdout { form: self.format, palette: Palette::of_stdout(), zone: TimeZone::system(), out }
    }

    /// Any output, for tests: without colors, in UTC.
    pub fn build_on(self, out: Arc<Mutex<dyn Write + Send>>) -> Stdout {
        Stdout { form: self.format, palette: Palette::plain(), zone: TimeZone::UTC, out }
    }
}
