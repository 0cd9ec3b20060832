//! The binary: command line, configuration, the one table of components, and their wiring.
//!
//! [`registry`] is the table. Everything else reads it: `config` to know what a file may say,
//! `command::run` to start it. Nothing here retries, parses a protocol or knows a cloud's API.
//!
//! Standard output is data, standard error is everything else. Exit status: 0 done, 1 failed while
//! running, or what the configuration asks for is not to be had now, such as a port, 2 wrong usage, 78
//! wrong configuration (`EX_CONFIG` of sysexits).

mod cli;
mod command;
mod config;
mod logging;
mod registry;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};
use command::Failed;

/// The system's allocator on Linux keeps what each thread once needed, in as many arenas as there are cores,
/// eight times over: 30 Kafka consumers that read the past left 149 MB behind for good. This one gives it
/// back after ten seconds.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// This release.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start(cli.log_format);
    match command::with_output(dispatch(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => failed.report(),
    }
}

fn dispatch(mut cli: Cli) -> Result<(), Failed> {
    let Some(command) = cli.command.take() else {
        return command::run::default(&cli);
    };
    match command {
        Command::Run => command::run::run(&cli),
        Command::Demo(options) => command::demo::demo(&options),
        Command::Check(options) => command::check::check(&cli, &options),
        Command::Config { page: Some(name), .. } => command::print::page(&name),
        Command::Config { pages: true, .. } => command::print::pages(),
        Command::Config { schema, .. } => command::print::config(schema),
        Command::Tail(options) => command::tail::tail(options),
        Command::Log(asked) => command::log::log(&cli.config(), &asked),
        Command::Dead(asked) => command::dead::dead(&cli.config(), &asked),
        Command::Sink(asked) => command::sink::sink(&cli.config(), &asked),
        Command::Simulate { cloud: cli::Simulate::Vcenter(options) } => {
            command::simulate::vcenter(*options)
        }
        Command::Simulate { cloud: cli::Simulate::Cloudstack(options) } => {
            command::simulate::cloudstack(*options)
        }
        Command::Completions { shell } => command::print::completions(shell),
        Command::Version => command::print::version(),
    }
}
