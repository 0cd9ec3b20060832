//! What is read again while Pluvio runs: principals' tokens and passwords, when their files change or
//! at SIGHUP.
//!
//! A token that was replaced on disk is refused from then on. Listeners' certificates are read again by
//! themselves, at the next connection after they changed; secrets of sources and sinks with each
//! connection. A changed section is a restart: SIGHUP only says whether the file could be used, and what
//! in it waits for that. It refuses to apply any of it.

use std::time::Duration;

use pluvio_net::ChangedFiles;
use pluvio_runtime::{Access, AccessTable};
use tokio::{
    signal::unix::Signal,
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

use crate::config::{Original, Principals, Problem};

/// How often the files of tokens and passwords are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Who is let in, and where that is read from.
pub(super) struct Reload {
    principals: Principals,
    files: ChangedFiles,
    access: Access,
    /// The configuration's file, if there is one.
    original: Option<Original>,
}

impl Reload {
    /// `access` was read from `files`.
    pub(super) fn new(
        principals: Principals,
        access: AccessTable,
        files: ChangedFiles,
        original: Option<Original>,
    ) -> Self {
        Self { principals, files, access: access.into(), original }
    }

    /// Who is let in now; shared by all listeners.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// Looks again and again; ends with the process.
    pub(super) async fn run(mut self, mut hangup: Signal) {
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_asked = tokio::select! {
                asked = hangup.recv() => match asked {
                    Some(()) => true,
                    None => return,
                },
                _ = looks.tick() => false,
            };
            if self.files.look() || is_asked {
                self.read_again().await;
            }
            if is_asked {
                self.tell_changes().await;
            }
        }
    }

    /// Whether the configuration on disk could be used, and what in it would need a restart.
    async fn tell_changes(&self) {
        let Some(original) = self.original.clone() else { return };
        match tokio::task::spawn_blocking(move || original.changed()).await {
            Ok(Ok(sections)) if sections.is_empty() => {
                info!("the configuration on disk is the one that is running");
            }
            Ok(Ok(sections)) => info!(
                changed = sections.join(", "),
                "the configuration on disk says something else than what is running; restart Pluvio \
                 for it"
            ),
            Ok(Err(problems)) => {
                if let Some(Problem { place, message }) = problems.first() {
                    warn!(
                        place,
                        problems = problems.len(),
                        "the configuration on disk cannot be used, and what is running goes on \
                         unchanged: {message}"
                    );
                }
            }
            // A panic, which has been reported where it happened.
            Err(_) => {}
        }
    }

    /// Deriving keys from passwords is work for some milliseconds each.
    async fn read_again(&self) {
        let principals = self.principals.clone();
        match tokio::task::spawn_blocking(move || principals.table()).await {
            Ok(Ok(table)) => {
                self.access.replace(table);
                info!("read the tokens and passwords of principals again");
            }
            Ok(Err(problems)) => {
                for Problem { place, message } in problems {
                    warn!(place, "{message}; the previous tokens and passwords stay valid");
                }
            }
            // A panic, which has been reported where it happened.
            Err(_) => {}
        }
    }
}
