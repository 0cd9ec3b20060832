//! Standard output: events as lines, for people and for pipes.
//!
//! A line that was written and flushed counts as arrived: a pipe has no other acknowledgement. When
//! its reader ends, Pluvio ends too, without a complaint, as any program in a pipe does; but not where another
//! sink is left or a listener was asked for, which somebody may rely on.
//!
//! It refuses to send a terminal what a cloud chose: characters that it would obey are escaped, in JSON
//! as JSON's own escapes, which mean the same.

mod config;
mod line;
mod sink;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use jiff::tz::TimeZone;

use crate::component::{SinkConfig, Target};

pub use config::{Config, Form};
pub use line::{Palette, line};
pub use sink::{Error, Stdout};

impl SinkConfig for Config {
    const TYPE: &'static str = "stdout";
    const SUMMARY: &'static str = "lines on standard output, for people and pipes";
    const EXAMPLE: &'static str = r#"
[sinks.terminal]
type = "stdout"
filter = 'severitynumber >= 13'
"#;
    type Sink = Stdout;
    type Error = Infallible;

    fn build(self) -> Result<Stdout, Infallible> {
        let (palette, zone) = (Palette::of_stdout(), TimeZone::system());
        Ok(Stdout {
            form: self.format,
            palette,
            zone,
            out: Arc::new(Mutex::new(std::io::stdout())),
        })
    }

    fn target(_: &Stdout) -> Target {
        Target { exclusive: Some("standard output".to_owned()), ..Target::default() }
    }
}
