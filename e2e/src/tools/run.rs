//! One command of an installation.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{io::AsyncReadExt as _, process::Command};

/// Ends a command and all that it started, for Go starts compilers and Maven a machine.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _gone_already = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Runs a command; what it said is told if it fails. Dropped, it ends.
pub(super) async fn quietly(command: &mut Command) -> Result<()> {
    let shown = format!("{:?}", command.as_std());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("failed to start {shown}"))?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let mut stdout = child.stdout.take().context("the command has no standard output")?;
    let mut stderr = child.stderr.take().context("the command has no standard error")?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (read_out, read_err) =
        tokio::join!(stdout.read_to_end(&mut out), stderr.read_to_end(&mut err));
    read_out.and(read_err).with_context(|| format!("failed to read from {shown}"))?;
    let status = child.wait().await.with_context(|| format!("failed to run {shown}"))?;
    group.0 = None;
    let said = [out, err].concat();
    let said = String::from_utf8_lossy(&said);
    ensure!(status.success(), "{shown} ended with {status}: {said}");
    Ok(())
}
