//! `cargo xtask vsphere-types`: writes the type table of `crates/clouds`.
//!
//! vCenter's events are some 450 classes with fields in a fixed order, and the JSON form that
//! vsphere-event-streaming made known prints all of them, absent ones as zero values. Those facts
//! (class, base, fields, kinds) are public API; govmomi states them as Go declarations, twice over
//! for our purpose: the version which that program pins says what is *always* printed, the newest
//! one knows classes and fields that came later. This verb reads both and merges them, with the few that
//! even that one lacks.
//!
//! It reads declarations line by line and refuses a line it does not understand, since a field
//! lost here would be lost silently in every event. It never copies text: the table holds facts.

mod go;
mod later;
mod merge;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Where the table lies, from the repository's root.
const TABLE: &str = "crates/clouds/src/vsphere/types/table.txt";

/// What the verb is given.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the govmomi version whose fields are always printed
    #[arg(long, value_name = "DIR")]
    older: PathBuf,
    /// Folder of the newest govmomi version
    #[arg(long, value_name = "DIR")]
    newer: PathBuf,
    /// Write nothing; fail when the committed table is stale
    #[arg(long)]
    check: bool,
}

/// Writes the table, or with `--check` compares it.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let older = go::Model::read(&args.older)?;
    let mut newer = go::Model::read(&args.newer)?;
    later::add(&mut newer)?;
    let merged = merge::merge(&older, &newer);
    let text = table::write(&merged, &version_of(&args.older)?, &version_of(&args.newer)?)?;
    if !args.check {
        return std::fs::write(TABLE, text).with_context(|| format!("failed to write `{TABLE}`"));
    }
    let committed =
        std::fs::read_to_string(TABLE).with_context(|| format!("failed to read `{TABLE}`"))?;
    if committed != text {
        bail!("`{TABLE}` is stale; run `cargo xtask vsphere-types` without --check");
    }
    Ok(())
}

/// `govmomi@v0.30.4` out of the module cache's folder name.
fn version_of(folder: &Path) -> anyhow::Result<String> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match name.split_once('@') {
        Some((module, version)) => Ok(format!("{module} {version}")),
        None => bail!("`{}` does not end in MODULE@VERSION", folder.display()),
    }
}
