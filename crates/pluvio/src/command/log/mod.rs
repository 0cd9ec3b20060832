//! `pluvio log`: the log in its folder, without a Pluvio.
//!
//! Which folder, and which of four things; what there is to know is known by
//! [`pluvio_log::inspect`]. Nothing here opens a file of a log.

mod dump;
mod info;
mod repair;
pub(in crate::command) mod table;
mod verify;

use std::{
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use pluvio_log::{
    OpenError,
    disk::{Disk as _, RealDisk},
};

use super::{Failed, print_line};
use crate::{cli::Log, config};

/// Where the log lies if nobody says otherwise.
const DEFAULT: &str = "data";

/// Does what was asked.
pub(crate) fn log(configuration: &Path, asked: &Log) -> Result<(), Failed> {
    let dir = match asked {
        Log::Info(options) => &options.dir,
        Log::Verify(options) => &options.dir,
        Log::Repair(options) => &options.dir,
        Log::Dump(options) => &options.dir,
    };
    let folder = folder(configuration, dir.as_deref())?;
    match asked {
        Log::Info(options) => info::info(&folder, options.json),
        Log::Verify(options) => verify::verify(&folder, options.json),
        Log::Repair(options) => repair::repair(&folder, options.yes),
        Log::Dump(options) => dump::dump(&folder, options),
    }
}

/// The folder named, or the configured one, if a log lies there.
pub(in crate::command) fn folder(
    configuration: &Path,
    named: Option<&Path>,
) -> Result<PathBuf, Failed> {
    let folder = match named {
        Some(folder) => folder.to_owned(),
        None if configuration.exists() => config::load(configuration)?.log.dir,
        None => PathBuf::from(DEFAULT),
    };
    let shown = folder.display();
    let listed = RealDisk.list(&folder).with_context(|| format!("failed to read `{shown}`"))?;
    let is_stream = |name: &str| RealDisk.open(&folder.join(name).join("stream.json")).is_ok();
    let is_log = listed
        .iter()
        .any(|entry| entry.name == "LOCK" || entry.bytes.is_none() && is_stream(&entry.name));
    if !is_log {
        return Err(Failed::Usage(format!(
            "`{shown}` holds no log; name the folder that `dir` of [log] names"
        )));
    }
    Ok(folder)
}

/// The log cannot be read, in the words of whoever tried.
pub(in crate::command) fn failed(error: OpenError) -> Failed {
    Failed::Running(anyhow::Error::new(error))
}

/// Shows on standard error how far a long reading is, if somebody looks.
pub(in crate::command) struct Meter {
    is_shown: bool,
    told: Instant,
    is_dirty: bool,
}

impl Meter {
    /// Redrawn as often as an eye follows.
    const EVERY: Duration = Duration::from_millis(100);

    pub(in crate::command) fn new() -> Self {
        let is_shown = std::io::stderr().is_terminal();
        Self { is_shown, told: Instant::now(), is_dirty: false }
    }

    fn tell(&mut self, done: u64, total: u64) {
        if let Some(percent) = (done * 100).checked_div(total) {
            self.show(|| format!("{percent:3} %  {} of {}", table::size(done), table::size(total)));
        }
    }

    /// Where nobody knows how much there is.
    pub(in crate::command) fn count(&mut self, done: u64) {
        self.show(|| format!("{} read", table::counted(done, "record", "records")));
    }

    fn show(&mut self, line: impl FnOnce() -> String) {
        if self.is_shown && self.told.elapsed() >= Self::EVERY {
            (self.told, self.is_dirty) = (Instant::now(), true);
            let _nobody_looks = write!(std::io::stderr(), "\r{}\x1b[K", line());
        }
    }

    /// Leaves an empty line.
    pub(in crate::command) fn clear(&mut self) {
        if std::mem::take(&mut self.is_dirty) {
            let _nobody_looks = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
