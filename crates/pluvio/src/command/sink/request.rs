//! Requests to a running Pluvio: files in the log's folder, and how an answer is waited for.
//!
//! ```text
//!   data/@requests/<name>.ask      put there whole, by renaming
//!                  <name>.taken    the running Pluvio has it
//!                  <name>.answer   what became of it
//! ```
//!
//! `@` cannot be in the name of a stream, so the log takes the folder for none of its own. A request
//! is carried out within [`VALID`] of being written or never, by the clock of the one machine that both
//! run on; whoever gives up first takes it back.

use std::{
    fs, io,
    io::{Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use pluvio_log::disk::{Disk as _, RealDisk, explained};
use pluvio_runtime::supervise::sink::Sought;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::{Instant, sleep};

/// In the log's folder.
const FOLDER: &str = "@requests";
/// A request that is older is not carried out.
pub(super) const VALID: Duration = Duration::from_secs(10);
/// How long an answer is waited for: longer than the request is valid, so that it is known afterwards
/// whether it was carried out.
const WAIT_MAX: Duration = Duration::from_secs(15);
/// Between two looks for the answer.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// Between two looks whether anybody is there to answer.
const HOLDER_INTERVAL: Duration = Duration::from_secs(1);
/// A request or an answer is some hundred bytes; what is larger is none.
const BYTES_MAX: u64 = 16 << 10;

/// Ends of names.
pub(super) const ASK: &str = "ask";
pub(super) const TAKEN: &str = "taken";
pub(super) const ANSWER: &str = "answer";

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub(super) sink: String,
    /// A place as `from` takes it.
    pub(super) to: String,
    pub(super) until: Option<String>,
    pub(super) is_dry_run: bool,
    /// When; see [`VALID`].
    pub(super) asked: Timestamp,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    Sought(Sought),
    /// Why not.
    Refused(String),
}

/// Where requests lie.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn of_log(folder: &Path) -> Self {
        Self(folder.join(FOLDER))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes it, if it is not there, and makes sure that we are who writes the log: a running Pluvio could
    /// not read our request otherwise, nor the next one our files. Who writes it made its `LOCK`; the folder
    /// itself may be somebody else's (a volume in Kubernetes is root's).
    pub(super) fn make_for_owner(&self) -> anyhow::Result<()> {
        let shown = self.0.display();
        let failed = || format!("failed to make `{shown}`");
        match fs::DirBuilder::new().mode(0o700).create(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(explained(error, &self.0)).with_context(failed);
            }
            _ => {}
        }
        let mark = self.file(&format!("{}", std::process::id()), "owner");
        put(&mark, b"").map_err(|error| explained(error, &mark)).with_context(failed)?;
        let owner = |path: &Path| fs::metadata(path).map(|found| found.uid());
        let ours = owner(&mark);
        let _best_effort = fs::remove_file(&mark);
        let log = self.0.parent().unwrap_or(&self.0);
        let theirs = owner(&log.join("LOCK")).or_else(|_| owner(log));
        let (ours, theirs) = (ours.with_context(failed)?, theirs.with_context(failed)?);
        if ours != theirs {
            let _best_effort = fs::remove_dir(&self.0);
            bail!(
                "`{}` belongs to user {theirs}, and this is user {ours}: run it as that user, for \
                 example with `sudo -u '#{theirs}'`",
                log.display()
            );
        }
        Ok(())
    }

    pub(super) fn file(&self, name: &str, end: &str) -> PathBuf {
        self.0.join(format!("{name}.{end}"))
    }

    /// Asks the Pluvio that holds the log, and waits for what it says; `holder`: what its lock says.
    pub(super) async fn ask(&self, request: &Request, holder: &str) -> anyhow::Result<Sought> {
        let name = format!("{}-{}", std::process::id(), request.asked.as_nanosecond());
        let (ask, taken, answer) =
            (self.file(&name, ASK), self.file(&name, TAKEN), self.file(&name, ANSWER));
        write(&ask, request).with_context(|| format!("failed to write `{}`", ask.display()))?;
        let (until, mut looked) = (Instant::now() + WAIT_MAX, None::<Instant>);
        while Instant::now() < until {
            // Looked at first: whoever answered and ended has answered.
            let is_held = looked.is_some_and(|it| it.elapsed() < HOLDER_INTERVAL) || {
                looked = Some(Instant::now());
                self.is_log_held()
            };
            if let Ok(found) = read::<Answer>(&answer) {
                let _best_effort = fs::remove_file(&answer);
                return match found {
                    Answer::Sought(sought) => Ok(sought),
                    Answer::Refused(why) => Err(anyhow!(why)),
                };
            }
            if !is_held {
                return Err(self.ended(&ask, &taken, holder));
            }
            sleep(LOOK_INTERVAL).await;
        }
        let (seconds, sink) = (WAIT_MAX.as_secs(), &request.sink);
        if fs::remove_file(&ask).is_ok() || !taken.exists() {
            bail!(
                "the log is held by {holder}, and nothing took the request within {seconds}s, so it \
                 was taken back: the sink was not moved. Only `pluvio run` takes requests"
            );
        }
        bail!(
            "the running Pluvio took the request and has not answered within {seconds}s; look at \
             `sought` of sink `{sink}` in /api/v1/status before you ask again"
        )
    }
}

impl Folder {
    /// Whether a process has the log; its lock goes with it, however it ends.
    fn is_log_held(&self) -> bool {
        match RealDisk.is_locked(&self.0.with_file_name("LOCK")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            asked => asked.unwrap_or(true),
        }
    }

    /// What to do now that nobody is there to answer any more.
    fn ended(&self, ask: &Path, taken: &Path, holder: &str) -> anyhow::Error {
        if fs::remove_file(ask).is_ok() || !taken.exists() {
            return anyhow!(
                "no Pluvio runs on this log any more: the one that held it ({holder}) has ended, and the \
                 sink was not moved. Run this command again: while none runs, it moves the sink itself"
            );
        }
        let _best_effort = fs::remove_file(taken);
        anyhow!(
            "no Pluvio runs on this log any more: the one that held it ({holder}) took the request and \
             ended before it answered. Run this command again with --dry-run, which says where the sink \
             stands, before you move it"
        )
    }
}

/// Writes a file that is seen whole or not at all; only the owner reads it.
pub(super) fn write(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let draft = path.with_extension("draft");
    put(&draft, &serde_json::to_vec(content)?)?;
    fs::rename(&draft, path)
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

/// Reads what was written so. Anything but a small file of its own is refused.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}
