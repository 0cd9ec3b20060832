//! What an operator sees of a replay meanwhile.

use std::{
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use pluvio_event::shown;
use pluvio_runtime::status::ErrorReport;
use tokio::time::Instant;

/// Between two lines of progress where nobody looks at a terminal.
const TOLD_INTERVAL: Duration = Duration::from_secs(10);

/// What is told meanwhile, on standard error.
pub(super) struct Progress {
    /// Letters that were asked for.
    count: u64,
    is_terminal: bool,
    /// Whether the cursor stands behind a line that is to be written over.
    is_in_line: bool,
    told_at: Instant,
}

impl Progress {
    pub(super) fn of(count: u64) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { count, is_terminal, is_in_line: false, told_at: Instant::now() }
    }

    /// One line that is written over again and again, if somebody looks; otherwise one now and then.
    pub(super) fn tell(&mut self, taken: u64, rejected: u64) {
        let mut err = std::io::stderr();
        let again =
            if rejected > 0 { format!(", {rejected} rejected again") } else { String::new() };
        let line = format!("{taken} of {} letters handed over{again}", self.count);
        if self.is_terminal {
            let _nobody_listens = write!(err, "\r\x1b[K{line}");
            self.is_in_line = true;
        } else if self.told_at.elapsed() >= TOLD_INTERVAL {
            let _nobody_listens = writeln!(err, "{line}");
            self.told_at = Instant::now();
        }
    }

    /// Lets other lines follow.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.is_in_line) {
            let _nobody_listens = writeln!(std::io::stderr());
        }
    }
}

/// Why nothing arrives at the moment.
pub(super) fn tell_error(error: &ErrorReport) {
    let remedy = error.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
    let _nobody_listens = writeln!(std::io::stderr(), "waiting: {}{remedy}", shown(&error.message));
}
