//! What a source runs on: the same for all its connections, so that each begins from what the log holds.
//!
//! It holds no state of a connection.

use std::{collections::BTreeSet, sync::Arc};

use pluvio_log::{LogHandle, SourceName, StreamName};

use crate::Ingest;

/// What a source runs on.
#[derive(Clone, Debug)]
pub struct SourceContext {
    /// Where it reads its own past.
    pub log: LogHandle,
    /// The stream it writes to.
    pub stream: StreamName,
    /// Its way in.
    pub ingest: Ingest,
    /// All sources that run on the log, each by its stream and its name: where they stand is theirs.
    pub running: Arc<BTreeSet<(StreamName, SourceName)>>,
}
