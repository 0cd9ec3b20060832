//! Runs the fuzz targets under `fuzz/` for a bounded time, from their committed corpus.
//!
//! It refuses to install anything: a nightly compiler and cargo-fuzz are the developer's to have,
//! and it says how to get them. New inputs go below `fuzz/target/found/`, where the next run begins
//! with them, and failing ones below `fuzz/artifacts/`: neither into a commit by itself.

use std::{
    fs,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail, ensure};
use clap::Args as ClapArgs;

use crate::{root, tidy::say};

/// The targets, as `fuzz/Cargo.toml` lists them.
const TARGETS: [&str; 2] = ["batch_decode", "batch_round_trip"];
const INSTALL: &str = "install them with `rustup toolchain install nightly` and \
                       `cargo install cargo-fuzz --locked`";
/// Largest input: the headers of a batch and some records.
const INPUT_BYTES_MAX: u32 = 4096;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Only this one
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let mut version = cargo();
    version.args(["fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    let is_there = version.status().context("failed to run cargo; is rustup installed?")?.success();
    ensure!(is_there, "nightly or cargo-fuzz is missing; {INSTALL}");
    let chosen = |target: &&str| args.target.as_deref().is_none_or(|wanted| wanted == *target);
    for target in TARGETS.iter().copied().filter(chosen) {
        say(&format!("fuzzing {target} for {} s", args.seconds));
        let found = format!("fuzz/target/found/{target}");
        fs::create_dir_all(root().join(&found))
            .with_context(|| format!("failed to make {found}"))?;
        let status = cargo()
            .args(["fuzz", "run", target, &found, &format!("fuzz/corpus/{target}"), "--"])
            .arg(format!("-max_total_time={}", args.seconds))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .arg("-print_final_stats=1")
            .status()
            .with_context(|| format!("failed to fuzz {target}"))?;
        if !status.success() {
            bail!("{target} ended with {status}; the input lies in fuzz/artifacts/{target}");
        }
    }
    Ok(())
}

/// Cargo of the nightly toolchain, at the root; the variables of the one that runs this would win
/// over the toolchain asked for.
fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.arg("+nightly").current_dir(root());
    for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command
}
