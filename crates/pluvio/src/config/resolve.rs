//! From a configuration to components that are ready: everything that can be judged without a port, the
//! log, or a server.
//!
//! One way for all who want to know whether a configuration is right: `pluvio check`, `pluvio run` and a
//! Pluvio that is asked to look at its file again. It refuses to have an effect on anything.

use pluvio_net::ChangedFiles;
use pluvio_runtime::AccessTable;

use super::{Configuration, Problem, ReadyListener, ReadySink, ReadySource};

/// Components that can start.
pub(crate) struct Resolved {
    pub(crate) sources: Vec<ReadySource>,
    pub(crate) sinks: Vec<ReadySink>,
    pub(crate) listeners: Vec<ReadyListener>,
    /// Everybody who is let in.
    pub(crate) access: AccessTable,
    /// The files that this was read from.
    pub(crate) access_files: ChangedFiles,
}

impl Configuration {
    /// Makes all components ready; everything that is wrong is told at once. What only ought to be
    /// otherwise is in [`warnings`](Self::warnings) then.
    pub(crate) fn resolve(&mut self) -> Result<Resolved, Vec<Problem>> {
        let access_files = ChangedFiles::new(self.principals.files());
        let access = self.principals.table();
        self.warnings.extend(self.principals.warnings());
        let (sources, sinks, listeners) = (self.sources(), self.sinks(), self.listeners());
        match (access, sources, sinks, listeners) {
            (Ok(access), Ok(sources), Ok(sinks), Ok(listeners)) => {
                if sources.is_empty() {
                    self.warnings.push(without_sources());
                }
                Ok(Resolved { sources, sinks, listeners, access, access_files })
            }
            (access, sources, sinks, listeners) => {
                let problems = [access.err(), sources.err(), sinks.err(), listeners.err()];
                Err(problems.into_iter().flatten().flatten().collect())
            }
        }
    }
}

/// A log may be served that nothing is added to; most who name no source have forgotten it.
fn without_sources() -> Problem {
    let message = "there is none, so no event is captured; `pluvio config --page sources.vsphere` and \
                   `sources.cloudstack` show how one is written";
    Problem { place: "[sources.NAME]".to_owned(), message: message.to_owned() }
}
