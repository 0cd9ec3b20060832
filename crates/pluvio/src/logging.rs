//! Log lines on standard error.
//!
//! `PLUVIO_LOG` takes a filter as tracing-subscriber reads it (`info`, `debug`,
//! `pluvio_connect=trace`); `DEBUG=true`, as vsphere-event-streaming had it, is short for `debug`.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::{cli::LogFormat, config};

/// Begins to print log lines.
pub(crate) fn start(format: LogFormat) {
    let default =
        if config::is_debug() { "debug,hyper=info,reqwest=info,rustls=info" } else { "info" };
    let filter = EnvFilter::try_from_env("PLUVIO_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let ansi = std::io::stderr().is_terminal() && !no_color;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(ansi)
        .with_target(false);
    match format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}
