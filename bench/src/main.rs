//! Measures Pluvio against bare baselines and writes `docs/benchmarks.md`.
//!
//! ```text
//! cargo xtask bench            all benchmarks, and the document
//! cargo xtask bench fan-out    those whose name contains that; prints their rows only
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`measure`] | the benchmarks, one file each |
//! | [`servers`], [`bare`], [`receiver`] | what runs: vcsim, the simulated clouds, Pluvio, the bare ends |
//! | [`vcenter`], [`crowd`], [`watcher`] | the clients on both ends |
//! | [`shelf`] | a log in this process, on a disk that counts |
//! | [`statistics`], [`report`], [`machine`] | from samples to the document |

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "counts and times of a benchmark are far from the limits of a float"
)]

mod bare;
mod crowd;
mod decode;
mod machine;
mod measure;
mod receiver;
mod report;
mod servers;
mod shelf;
mod statistics;
mod vcenter;
mod watcher;

use std::{io::Write as _, path::Path, process::ExitCode};

use anyhow::{Context as _, Result};

use machine::Machine;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        [role, file] if *role == bare::ROLE => bare::serve(Path::new(file)).map(|()| true),
        [role] if *role == receiver::ROLE => receiver::serve().map(|()| true),
        [] => run(""),
        [filter] if measure::NAMES.iter().any(|name| name.contains(filter)) => run(filter),
        _ => {
            servers::tell(&format!("usage: bench [FILTER]; benchmarks: {:?}", measure::NAMES));
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            servers::tell(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether all that was asked for could be measured; goals that are missed are no failure.
fn run(filter: &str) -> Result<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace is gone")?;
    let machine = Machine::look();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let rows = runtime.block_on(async {
        let stage = servers::stage(root)?;
        anyhow::Ok(measure::run(&stage, filter).await)
    })?;
    print_line(&report::table(&rows));
    if filter.is_empty() {
        report::write(root, &machine, &rows)?;
    }
    Ok(rows.iter().all(|row| row.measured != report::BROKE_OFF))
}

/// Prints one line of data.
fn print_line(line: &str) {
    let mut out = std::io::stdout().lock();
    let _nobody_listens = writeln!(out, "{line}").and_then(|()| out.flush());
}
