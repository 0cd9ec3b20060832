//! Developer verbs: what CI runs and what a developer runs before a commit.
//!
//! It refuses to know the product: end-to-end tests and benchmarks are crates of their own, and this
//! only starts them.

mod docs;
mod faults;
mod fuzz;
mod tidy;
mod vsphere_types;

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};

/// Verbs for whoever works on Pluvio.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check what rustc and clippy do not: layers, module docs, leftovers, stale generated files
    Tidy,
    /// Make the generated pages under docs/ anew
    Docs,
    /// Run the end-to-end scenarios against real servers; installs what they need
    E2e {
        /// Passed on; `--help` tells
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Measure, and write docs/benchmarks.md
    Bench {
        /// Passed on; `--help` tells
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Lose power 100,000 times and change 10,000 bytes under the log, on a simulated disk
    Faults(faults::Args),
    /// Feed the codecs arbitrary bytes for a while; needs a nightly compiler and cargo-fuzz
    Fuzz(fuzz::Args),
    /// Make the table of vSphere's classes from the sources of govmomi
    VsphereTypes(vsphere_types::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Tidy => tidy::run(),
        Verb::Docs => docs::write(),
        Verb::E2e { args } => release("pluvio-e2e", &args),
        Verb::Bench { args } => release("pluvio-bench", &args),
        Verb::Faults(args) => faults::run(&args),
        Verb::Fuzz(args) => fuzz::run(&args),
        Verb::VsphereTypes(args) => vsphere_types::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tidy::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs a package's binary, built for release, from the repository's root.
fn release(package: &str, args: &[String]) -> anyhow::Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--release", "--package", package, "--"])
        .args(args)
        .current_dir(root())
        .status()
        .with_context(|| format!("failed to run {package}"))?;
    if !status.success() {
        bail!("{package} ended with {status}");
    }
    Ok(())
}

/// The repository's root.
fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    here.parent().map(PathBuf::from).unwrap_or_default()
}
