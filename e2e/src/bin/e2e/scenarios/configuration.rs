//! Configurations that are wrong: refused before anything connects, with every mistake and its place.

use std::sync::Arc;

use anyhow::{Result, ensure};
use pluvio_e2e::{servers::run_pluvio, stage::Stage};

use crate::{report::Counts, runner::Scenario};

/// `EX_CONFIG` of sysexits.
const WRONG_CONFIGURATION: i32 = 78;
const WRONG_USAGE: i32 = 2;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("a wrong configuration is refused with all its mistakes", all_mistakes),
        Scenario::new("a secret that cannot be read is refused by name and place", no_secret),
        Scenario::new("an address that two listeners want is refused", one_address_twice),
        Scenario::new("wrong variables are refused by name", wrong_variables),
        Scenario::new("without a configuration Pluvio says how to begin", nothing_to_do),
    ]
}

/// Runs with this file; gives standard error if the exit status is right.
async fn refused(stage: &Stage, text: &str) -> Result<String> {
    stage.folder.write("wrong.toml", text)?;
    let (code, stderr) = run_pluvio(stage, &["run", "--config", "wrong.toml"], &[]).await?;
    ensure!(code == WRONG_CONFIGURATION, "exit {code} instead of 78: {stderr}");
    Ok(stderr)
}

/// A line begins like this and contains that.
fn says(stderr: &str, beginning: &str, part: &str) -> Result<()> {
    let says = |line: &str| line.starts_with(beginning) && line.contains(part);
    ensure!(stderr.lines().any(says), "no line `{beginning}… {part}` in:\n{stderr}");
    Ok(())
}

async fn all_mistakes(stage: Arc<Stage>) -> Result<Counts> {
    let stderr = refused(
        &stage,
        "[log]\n\
         retention_agee = \"30d\"\n\
         [sources.vc]\n\
         type = \"vsphere\"\n\
         url = 7\n\
         username = \"u\"\n\
         begin = \"soon\"\n\
         [listeners.http]\n\
         listen = \"127.0.0.1:0\"\n\
         heartbeet = \"30s\"\n",
    )
    .await?;
    says(&stderr, "wrong.toml:2:1:", "did you mean `retention_age`?")?;
    says(&stderr, "wrong.toml:5:7:", "`url` must be a string")?;
    says(&stderr, "wrong.toml:7:9:", "soon")?;
    says(&stderr, "wrong.toml:3:", "lacks the key `password`")?;
    says(&stderr, "wrong.toml:10:1:", "did you mean `heartbeat`?")?;
    let problems = stderr.lines().filter(|line| line.starts_with("wrong.toml:")).count();
    ensure!(problems == 5, "{problems} problems instead of 5:\n{stderr}");
    Ok(Counts::default().with("problems", problems).with("exit", WRONG_CONFIGURATION))
}

async fn no_secret(stage: Arc<Stage>) -> Result<Counts> {
    let stderr = refused(
        &stage,
        "[listeners.http]\n\
         listen = \"127.0.0.1:0\"\n\
         [sources.vc]\n\
         type = \"vsphere\"\n\
         url = \"https://127.0.0.1:9\"\n\
         username = \"u\"\n\
         password = { file = \"no-such-secret\" }\n",
    )
    .await?;
    says(&stderr, "wrong.toml:7:12:", "no-such-secret")?;
    ensure!(!stderr.contains("serving on"), "it served before it refused:\n{stderr}");
    Ok(Counts::default().with("problems", 1).with("exit", WRONG_CONFIGURATION))
}

async fn one_address_twice(stage: Arc<Stage>) -> Result<Counts> {
    let address = pluvio_e2e::servers::free_address()?;
    let stderr = refused(
        &stage,
        &format!(
            "[listeners.http]\n\
             listen = \"{address}\"\n\
             [listeners.second]\n\
             type = \"http\"\n\
             listen = \"{address}\"\n"
        ),
    )
    .await?;
    says(&stderr, "wrong.toml:", &address.to_string())?;
    Ok(Counts::default().with("problems", 1).with("exit", WRONG_CONFIGURATION))
}

async fn wrong_variables(stage: Arc<Stage>) -> Result<Counts> {
    let variables = [
        ("VCENTER_URL", "https://127.0.0.1:9"),
        ("VCENTER_INSECURE", "perhaps"),
        ("VCENTER_STREAM_BEGIN", "soon"),
        ("PORT", "80800"),
    ];
    let (code, stderr) = run_pluvio(&stage, &[], &variables).await?;
    ensure!(code == WRONG_CONFIGURATION, "exit {code} instead of 78: {stderr}");
    for name in ["VCENTER_INSECURE", "VCENTER_STREAM_BEGIN", "PORT"] {
        says(&stderr, &format!("{name}:"), "")?;
    }
    let missing = [("VCENTER_URL", "https://127.0.0.1:9"), ("VCENTER_SECRET_PATH", "nowhere")];
    let (code, stderr) = run_pluvio(&stage, &[], &missing).await?;
    ensure!(code == WRONG_CONFIGURATION, "exit {code} instead of 78: {stderr}");
    says(&stderr, "VCENTER_SECRET_PATH:", "username")?;
    says(&stderr, "VCENTER_SECRET_PATH:", "password")?;
    Ok(Counts::default().with("problems", 5).with("exit", WRONG_CONFIGURATION))
}

async fn nothing_to_do(stage: Arc<Stage>) -> Result<Counts> {
    let (code, stderr) = run_pluvio(&stage, &[], &[]).await?;
    ensure!(code == WRONG_USAGE, "exit {code} instead of 2: {stderr}");
    ensure!(stderr.contains("pluvio demo"), "no hint how to begin: {stderr}");
    let (code, stderr) = run_pluvio(&stage, &["rain"], &[]).await?;
    ensure!(code == WRONG_USAGE, "exit {code} instead of 2: {stderr}");
    Ok(Counts::default().with("exit", WRONG_USAGE))
}
