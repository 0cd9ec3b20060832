//! From when on the log knows the ids of what it held, as it was a little while ago: to look takes a read of the
//! log, and pages come by the hundred.

use std::time::Duration;

use jiff::Timestamp;
use pluvio_log::ReadError;
use pluvio_runtime::History;
use tokio::time::Instant;

/// How long it is taken for unchanged: ids outlive by an hour what is looked for again and again.
const KEPT: Duration = Duration::from_secs(30);

/// What was found last.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    from: Option<Timestamp>,
    looked: Option<Instant>,
}

impl Remembered {
    /// Ids of events recorded before then may be forgotten; `None`: all are known. What was lost is told at once,
    /// what retention took after a while.
    pub(crate) async fn from(&mut self, history: &History) -> Result<Option<Timestamp>, ReadError> {
        if self.looked.is_none_or(|looked| looked.elapsed() >= KEPT) {
            self.from = history.remembers_from().await?;
            self.looked = Some(Instant::now());
        }
        Ok(history.forgotten_until()?.max(self.from))
    }
}
