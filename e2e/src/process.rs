//! A server that is a child process: its output in files, its end by its process id.
//!
//! Output goes to files and not through pipes, so that a server never blocks on a reader, and what
//! it said outlives it. Nothing here ends a process that it did not start.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// How long a server may take to end after SIGTERM before it is killed.
const TERM_MAX: Duration = Duration::from_secs(6);
/// Between two looks whether it has ended.
const END_LOOK: Duration = Duration::from_millis(5);

/// A running child; stopped when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Starts `command`; its output goes to `<name>-<n>.out.log` and `.err.log` in `folder`.
    pub fn start(name: &str, command: &mut Command, folder: &Path) -> Result<Self> {
        Self::start_with(name, command, folder, Stdio::null())
    }

    /// The same for one that reads `input`, and more that never comes: its standard input stays open.
    pub fn fed(name: &str, command: &mut Command, folder: &Path, input: &str) -> Result<Self> {
        let mut process = Self::start_with(name, command, folder, Stdio::piped())?;
        let stdin = process.child.stdin.as_mut().context("no standard input")?;
        stdin.write_all(input.as_bytes()).with_context(|| format!("failed to feed {name}"))?;
        Ok(process)
    }

    fn start_with(name: &str, command: &mut Command, folder: &Path, stdin: Stdio) -> Result<Self> {
        let lives = (1..).map(|life| format!("{name}-{life}"));
        let stem = lives.into_iter().find(|stem| !folder.join(format!("{stem}.out.log")).exists());
        let stem = stem.unwrap_or_else(|| name.to_owned());
        let file = |kind| -> Result<(PathBuf, File)> {
            let path = folder.join(format!("{stem}.{kind}.log"));
            let file = File::create(&path)
                .with_context(|| format!("failed to make `{}`", path.display()))?;
            Ok((path, file))
        };
        let (stdout, out) = file("out")?;
        let (stderr, err) = file("err")?;
        let child = command
            .current_dir(folder)
            .stdin(stdin)
            .stdout(out)
            .stderr(err)
            .spawn()
            .with_context(|| format!("failed to start {name}"))?;
        Ok(Self { name: stem, child, stdout, stderr })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard output so far.
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Looks at both outputs until `find` finds something; fails when the process ends before.
    pub async fn says<T>(
        &mut self,
        what: &str,
        within: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<T> {
        let name = self.name.clone();
        wait::until(&format!("{name} to say {what}"), within, async || {
            let ended = self.ended()?;
            let found = find(&self.stdout()).or_else(|| find(&self.stderr()));
            match (found, ended) {
                (None, Some(status)) => {
                    bail!("{name} ended with {status} before it said {what}: {}", self.stderr())
                }
                (found, _) => Ok(found),
            }
        })
        .await
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("failed to look after {}", self.name))
    }

    /// Sends a signal.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.ended()?.is_some() {
            bail!("{} has ended already", self.name);
        }
        kill_process(Pid::from_child(&self.child), signal)
            .with_context(|| format!("failed to send {signal:?} to {}", self.name))
    }

    /// Waits for its end.
    pub async fn end(&mut self, within: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        wait::until(&what, within, async || self.ended()).await
    }

    /// Kills it at once, without a chance to say good-bye.
    pub async fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.end(TERM_MAX).await.map(|_| ())
    }

    /// How much memory it has in use now.
    pub fn rss_bytes(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))
            .with_context(|| format!("failed to ask for the memory of {}", self.name))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kib.with_context(|| format!("no memory is told of {}", self.name))? * 1024)
    }
}

impl Drop for Process {
    #[expect(clippy::disallowed_methods, reason = "drop cannot wait otherwise; it is bounded")]
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let _gone_already = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let deadline = Instant::now() + TERM_MAX;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(END_LOOK);
        }
        let _gone_already = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
