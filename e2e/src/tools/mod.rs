//! Tools from elsewhere, installed once and kept in a cache outside the checkout.
//!
//! The cache is `$PLUVIO_E2E_CACHE`, else `pluvio-e2e` in the user's cache folder. Versions are part
//! of the paths, and so is a digest of our own sources among them: another version is another
//! installation. All downloads begin at once, while Cargo still compiles; each has its own time
//! limit, for a mirror's first answer can be slow. A tool that cannot be had makes the scenarios
//! that need it [`NotRun`], and nothing fails.
//!
//! It refuses to install anything into the system: what Debian's packages hold is unpacked into the
//! cache like the rest, so that neither root nor a clean-up is needed.

mod debian;
mod install;
mod recipe;
mod run;

use std::path::PathBuf;

use anyhow::{Result, bail};
use tokio::sync::watch;

/// Why a scenario cannot run on this machine; it is skipped.
#[derive(Clone, Debug)]
pub struct NotRun(pub String);

impl std::fmt::Display for NotRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not run ({})", self.0)
    }
}

impl std::error::Error for NotRun {}

/// What can be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// VMware's simulator of a vCenter.
    Vcsim,
    /// VMware's command line.
    Govc,
    /// The jars of Apache Kafka: its broker, its clients and their command line tools.
    Kafka,
    /// librdkafka's command line, as Debian has it.
    Kcat,
    /// Python with `confluent-kafka`, which is librdkafka, too, and a newer one.
    Confluent,
    /// A consumer of ours on franz-go, which is Go without C.
    Franz,
}

/// All of them, the slowest to install first.
const ALL: [Tool; 6] =
    [Tool::Kafka, Tool::Vcsim, Tool::Govc, Tool::Franz, Tool::Confluent, Tool::Kcat];

/// Where a tool is, once that is known; or why it is not there.
type Installed = watch::Receiver<Option<Result<PathBuf, String>>>;

/// All tools, maybe still on their way.
#[derive(Clone, Debug)]
pub struct Tools(Vec<(Tool, Installed)>);

impl Tools {
    /// Begins to install what is not there yet; `say` is told how it goes.
    pub fn install(say: fn(&str)) -> Self {
        Self(ALL.map(|tool| (tool, begin(tool, say))).to_vec())
    }

    /// The program, or for [`Tool::Kafka`] the folder of jars; waits until it is there.
    pub async fn path(&self, tool: Tool) -> Result<PathBuf> {
        let installed = self.0.iter().find(|(other, _)| *other == tool);
        if let Some((_, installed)) = installed {
            let mut installed = installed.clone();
            let outcome = installed.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
            if let Ok(Some(Ok(path))) = outcome {
                return Ok(path);
            }
        }
        bail!(NotRun("download".to_owned()))
    }

    /// VMware's simulator.
    pub async fn vcsim(&self) -> Result<PathBuf> {
        self.path(Tool::Vcsim).await
    }

    /// VMware's command line.
    pub async fn govc(&self) -> Result<PathBuf> {
        self.path(Tool::Govc).await
    }
}

fn begin(tool: Tool, say: fn(&str)) -> Installed {
    let (sender, installed) = watch::channel(None);
    tokio::spawn(async move {
        let outcome = install::tool(tool, say).await.map_err(|error| format!("{error:#}"));
        if let Err(error) = &outcome {
            say(&format!("{tool:?} cannot be had: {error}"));
        }
        sender.send_replace(Some(outcome));
    });
    installed
}
