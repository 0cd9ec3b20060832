//! Builds the program under test with Cargo, and asks Cargo where it put it.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

/// Builds `pluvio` for release; progress goes to standard error.
pub(crate) async fn pluvio() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let output = Command::new(cargo)
        .args(["build", "--release", "--package", "pluvio"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(workspace)
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .context("failed to start cargo")?;
    ensure!(output.status.success(), "cargo could not build pluvio");
    executable(&String::from_utf8_lossy(&output.stdout)).context("cargo names no binary of pluvio")
}

/// The binary among Cargo's messages.
fn executable(messages: &str) -> Option<PathBuf> {
    messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(
        |message| {
            let is_pluvio = message["target"]["name"] == "pluvio";
            message["executable"].as_str().filter(|_| is_pluvio).map(PathBuf::from)
        },
    )
}
