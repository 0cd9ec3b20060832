//! Go tools, installed once and kept: `go install` into a cache outside the checkout.
//!
//! The cache is `$PLUVIO_E2E_CACHE`, else `pluvio-e2e` in the user's cache folder. The version is
//! part of the path, so another version is another installation. All downloads begin at once, while
//! Cargo still compiles; each has its own time limit, for a mirror's first answer can be slow. A
//! tool that cannot be had makes the scenarios that need it [`NotRun`], and nothing fails.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{process::Command, sync::watch, time::timeout};

/// The newest version that `go install` takes: later ones have a `replace` in their module.
const GOVMOMI: &str = "v0.46.3";
/// Time for one installation, download and compilation together.
const INSTALL_MAX: Duration = Duration::from_secs(6 * 60);
/// Attempts for one tool.
const TRIES: u32 = 2;

/// Why a scenario cannot run on this machine; it is skipped.
#[derive(Clone, Debug)]
pub struct NotRun(pub String);

impl std::fmt::Display for NotRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not run ({})", self.0)
    }
}

impl std::error::Error for NotRun {}

/// Where a tool is, once that is known; or why it is not there.
type Installed = watch::Receiver<Option<Result<PathBuf, String>>>;

/// All tools, maybe still on their way.
#[derive(Clone, Debug)]
pub struct Tools {
    vcsim: Installed,
    govc: Installed,
}

impl Tools {
    /// Begins to install what is not there yet; `say` is told how it goes.
    pub fn install(say: fn(&str)) -> Self {
        Self { vcsim: begin("vcsim", say), govc: begin("govc", say) }
    }

    /// The simulator; waits until it is there.
    pub async fn vcsim(&self) -> Result<PathBuf> {
        wait_for(self.vcsim.clone()).await
    }

    /// The command line; waits until it is there.
    pub async fn govc(&self) -> Result<PathBuf> {
        wait_for(self.govc.clone()).await
    }
}

async fn wait_for(mut installed: Installed) -> Result<PathBuf> {
    let outcome = installed.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
    match outcome {
        Ok(Some(Ok(path))) => Ok(path),
        _ => bail!(NotRun("download".to_owned())),
    }
}

fn begin(name: &'static str, say: fn(&str)) -> Installed {
    let (sender, installed) = watch::channel(None);
    tokio::spawn(async move {
        let outcome = install(name, say).await.map_err(|error| format!("{error:#}"));
        if let Err(error) = &outcome {
            say(&format!("{name} cannot be had: {error}"));
        }
        sender.send_replace(Some(outcome));
    });
    installed
}

async fn install(name: &str, say: fn(&str)) -> Result<PathBuf> {
    let folder = cache()?.join(format!("{name}-{GOVMOMI}"));
    let program = folder.join(name);
    if program.is_file() {
        return Ok(program);
    }
    let mut failure = None;
    for number in 1..=TRIES {
        say(&format!("installing {name} {GOVMOMI}, try {number} of {TRIES}"));
        match go_install(name, &folder).await {
            Ok(()) => return Ok(program),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.context("no try was made")?)
}

/// Installs beside the final place and moves it there, so that what is there is complete.
async fn go_install(name: &str, folder: &Path) -> Result<()> {
    let process = std::process::id();
    let unfinished = folder.with_file_name(format!("{name}-{GOVMOMI}.{process}.part"));
    std::fs::create_dir_all(&unfinished)
        .with_context(|| format!("failed to make `{}`", unfinished.display()))?;
    let done = run_go(name, &unfinished).await;
    if done.is_ok() && !folder.exists() {
        std::fs::rename(&unfinished, folder)
            .with_context(|| format!("failed to make `{}`", folder.display()))?;
    }
    let _moved_or_gone = std::fs::remove_dir_all(&unfinished);
    done
}

async fn run_go(name: &str, into: &Path) -> Result<()> {
    let package = format!("github.com/vmware/govmomi/{name}@{GOVMOMI}");
    let mut go = Command::new("go")
        .args(["install", &package])
        .env("GOBIN", into)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // Go starts compilers; they must end with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .context("failed to start `go`")?;
    let group = go.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let mut stderr = go.stderr.take().context("`go` has no standard error")?;
    let mut errors = Vec::new();
    let work = async {
        tokio::io::AsyncReadExt::read_to_end(&mut stderr, &mut errors).await?;
        go.wait().await
    };
    let Ok(ended) = timeout(INSTALL_MAX, work).await else {
        if let Some(group) = group {
            let _gone_already = kill_process_group(group, Signal::KILL);
        }
        bail!("`go install {package}` took longer than {}s", INSTALL_MAX.as_secs());
    };
    let status = ended.context("failed to run `go`")?;
    let errors = String::from_utf8_lossy(&errors);
    ensure!(status.success(), "`go install {package}` ended with {status}: {errors}");
    Ok(())
}

fn cache() -> Result<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let own = folder("PLUVIO_E2E_CACHE");
    let users = || folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    let cache = own.or_else(|| Some(users()?.join("pluvio-e2e")));
    cache.context("no cache folder: set PLUVIO_E2E_CACHE, XDG_CACHE_HOME or HOME")
}
