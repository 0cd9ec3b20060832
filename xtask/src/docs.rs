//! Pages that are made from the code: the default configuration and its schema.

use std::process::Command;

use anyhow::{Context as _, bail};

use crate::root;

/// Generated files and the command lines of `pluvio` that print them.
const PAGES: [(&str, &[&str]); 2] =
    [("docs/pluvio.toml", &["config"]), ("docs/pluvio.schema.json", &["config", "--schema"])];

/// Writes them all.
pub(crate) fn write() -> anyhow::Result<()> {
    for (path, args) in PAGES {
        let path = root().join(path);
        std::fs::write(&path, printed(args)?)
            .with_context(|| format!("failed to write `{}`", path.display()))?;
    }
    Ok(())
}

/// Those that differ from what would be written.
pub(crate) fn stale() -> anyhow::Result<Vec<&'static str>> {
    let mut stale = Vec::new();
    for (path, args) in PAGES {
        let stands = std::fs::read_to_string(root().join(path)).unwrap_or_default();
        if stands != printed(args)? {
            stale.push(path);
        }
    }
    Ok(stale)
}

fn printed(args: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "pluvio", "--"])
        .args(args)
        .current_dir(root())
        .output()
        .context("failed to run pluvio")?;
    if !output.status.success() {
        bail!("pluvio failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).context("pluvio printed what is no text")
}
