//! `cargo xtask e2e`: Pluvio against real servers, one sentence a scenario.
//!
//! Tools are installed and Pluvio is built while nothing else waits for them; then scenarios run two
//! at a time, and those that mostly wait for one of Pluvio's own timers run beside them. Each has
//! its own servers and its own folder. A table of what was counted comes last.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

mod build;
mod report;
mod runner;
mod scenarios;

use std::{path::PathBuf, process::ExitCode, time::SystemTime};

use anyhow::{Context as _, Result};
use clap::Parser;
use pluvio_e2e::tools::Tools;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use runner::Runner;

/// Run the end-to-end scenarios against real servers.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask e2e")]
struct Cli {
    /// Only scenarios whose name contains one of these
    names: Vec<String>,
    /// Also those that try the servers alone; naming one runs it, too
    #[arg(long)]
    all: bool,
    /// Print the scenarios' names and stop
    #[arg(long)]
    list: bool,
    /// Decides what is random; printed, so that a run can be repeated
    #[arg(long)]
    seed: Option<u64>,
    /// How often Pluvio is killed in a storm
    #[arg(long, default_value_t = 50, env = "PLUVIO_E2E_KILLS")]
    kills: u32,
    /// Keep all folders with their logs, not only those of failed scenarios
    #[arg(long)]
    keep: bool,
    /// Write the table into this file, too, as Markdown
    #[arg(long)]
    write: Option<PathBuf>,
    /// Test this binary instead of building one
    #[arg(long)]
    binary: Option<PathBuf>,
}

fn main() -> ExitCode {
    match begin(&Cli::parse()) {
        Ok(status) => status,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn begin(cli: &Cli) -> Result<ExitCode> {
    let mut scenarios = scenarios::all(cli.kills);
    let is_wanted = |name: &str| cli.names.iter().any(|part| name.contains(part.as_str()));
    scenarios.retain(|scenario| {
        let is_due = cli.names.is_empty() && (cli.all || !scenario.is_rare);
        is_due || is_wanted(scenario.name)
    });
    if cli.list {
        scenarios.iter().for_each(|scenario| println!("{}", scenario.name));
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Runtime::new().context("failed to start")?;
    runtime.block_on(run(cli, scenarios))
}

async fn run(cli: &Cli, scenarios: Vec<runner::Scenario>) -> Result<ExitCode> {
    let stop = stop_on_signals()?;
    let seed = cli.seed.unwrap_or_else(seed_of_now);
    println!("seed {seed}: repeat with --seed {seed}");
    let tools = Tools::install(|line| println!("{line}"));
    scenarios.iter().flat_map(|scenario| &scenario.needs).for_each(|tool| tools.begin(*tool));
    let pluvio = match &cli.binary {
        Some(path) => std::path::absolute(path)?,
        None => tokio::select! {
            built = build::pluvio() => built?,
            () = stopped(stop.clone()) => return Ok(STOPPED.into()),
        },
    };
    let runner = Runner { pluvio, tools, seed, keep: cli.keep, stop: stop.clone() };
    let outcomes = runner.run(scenarios).await;
    let all_well = report::print(&outcomes);
    if *stop.borrow() {
        return Ok(STOPPED.into());
    }
    if let Some(path) = &cli.write {
        report::write(path, seed, &outcomes)?;
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The exit status of a run that was told to stop.
const STOPPED: u8 = 130;

/// Becomes `true` at Ctrl-C or SIGTERM.
fn stop_on_signals() -> Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, stop) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        sender.send_replace(true);
        sender.closed().await;
    });
    Ok(stop)
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    let _never_ends_first = stop.wait_for(|stop| *stop).await;
}

fn seed_of_now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs() % 1_000_000
}
