//! `cargo xtask faults`: the log on a disk that fails, many more times than in `cargo test`.
//!
//! It only asks for more: what is done and checked is in `crates/log/tests/faults`.

use std::process::Command;

use anyhow::{Context as _, bail};

/// What to repeat how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Losses of power
    #[arg(long, default_value_t = 100_000)]
    runs: u64,
    /// Bytes that change in sealed segments and their indexes
    #[arg(long, default_value_t = 10_000)]
    flips: u64,
    /// The first seed; every four losses take the next. A random one if not given
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let seed = args.seed.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |now| now.as_nanos() as u64)
    });
    let Args { runs, flips, .. } = args;
    super::tidy::say(&format!("{runs} losses of power and {flips} changed bytes from seed {seed}"));
    let status = Command::new(env!("CARGO"))
        .args(["test", "--release", "--package", "pluvio-log", "--test", "faults"])
        .env("PLUVIO_FAULTS_RUNS", runs.to_string())
        .env("PLUVIO_FAULTS_FLIPS", flips.to_string())
        .env("PLUVIO_FAULTS_SEED", seed.to_string())
        .current_dir(super::root())
        .status()
        .context("failed to start cargo")?;
    if !status.success() {
        bail!("a fault was not survived; the seed stands above");
    }
    super::tidy::say(&format!("all survived: {runs} losses of power, {flips} changed bytes"));
    Ok(())
}
