//! Standard output: events as lines, for people and for pipes.
//!
//! A line that was written and flushed counts as arrived: a pipe has no other acknowledgement. When
//! its reader ends, Pluvio ends too, without a complaint, as any program in a pipe does.
//!
//! It refuses to send a terminal what a cloud chose: characters that it would obey are escaped, in JSON
//! as JSON's own escapes, which mean the same.

mod config;
mod line;
mod sink;

pub use config::{Config, Form};
pub use line::{Palette, line};
pub use sink::{Error, Stdout};

/// The `type` in a configuration.
pub const NAME: &str = "stdout";

/// A configuration to begin with.
pub const EXAMPLE: &str = r#"
[sinks.terminal]
type = "stdout"
filter = 'severitynumber >= 13'
"#;
