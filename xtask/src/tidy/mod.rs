//! What no compiler checks, each finding with its remedy.

mod circles;
mod layers;
mod text;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

use crate::{docs, root};

/// Something to mend.
struct Finding {
    place: String,
    remedy: String,
}

impl Finding {
    fn new(place: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { place: place.into(), remedy: remedy.into() }
    }
}

/// Runs all checks and fails if one finds something.
pub(crate) fn run() -> anyhow::Result<()> {
    let files = tracked()?;
    let mut findings = layers::check(&root())?;
    findings.extend(circles::check(&root(), &files)?);
    findings.extend(text::check(&root(), &files)?);
    for page in docs::stale()? {
        findings.push(Finding::new(page, "is stale: run `cargo xtask docs` and commit it"));
    }
    for Finding { place, remedy } in &findings {
        say(&format!("{place}: {remedy}"));
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    say(&format!("tidy: {} files, nothing to mend", files.len()));
    Ok(())
}

/// The files that git tracks or would track, relative to the root.
fn tracked() -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root())
        .output()
        .context("failed to ask git for the files")?;
    let text = String::from_utf8(output.stdout).context("a file's name is no text")?;
    let names = text.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
    Ok(names.filter(|path| root().join(path).is_file()).collect())
}

/// Prints a line for whoever runs the verb.
pub(crate) fn say(line: &str) {
    let _nobody_listens = writeln!(std::io::stderr(), "{line}");
}

fn read(root: &Path, path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(root.join(path))
        .with_context(|| format!("failed to read `{}`", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
