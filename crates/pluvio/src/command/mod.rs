//! One module for each command.

pub(crate) mod check;
pub(crate) mod dead;
pub(crate) mod demo;
mod files;
pub(crate) mod log;
mod meter;
pub(crate) mod print;
mod reload;
pub(crate) mod run;
pub(crate) mod simulate;
pub(crate) mod sink;
pub(crate) mod tail;

use std::{
    future::Future,
    io::{self, Write as _},
    process::ExitCode,
    sync::OnceLock,
};

use pluvio_event::shown_lines;
use pluvio_secret::hidden;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Problem;

/// Why a command did not do what it was asked; decides the exit status.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The configuration is wrong: exit 78.
    Configuration(Vec<Problem>),
    /// The machine does not give now what the configuration asks for, and may give it later, such as a port
    /// that another process has: exit 1.
    Unavailable(Vec<Problem>),
    /// It was called wrongly: exit 2.
    Usage(String),
    /// Something went wrong while running: exit 1.
    Running(anyhow::Error),
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self::Running(error)
    }
}

impl From<Vec<Problem>> for Failed {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Configuration(problems)
    }
}

impl Failed {
    /// Tells it on standard error.
    pub(crate) fn report(self) -> ExitCode {
        let (text, status) = match self {
            Self::Configuration(problems) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let count = match problems.len() {
                    1 => "1 problem".to_owned(),
                    many => format!("{many} problems"),
                };
                let hint = "`pluvio config` prints every option with its default";
                (format!("{}\n{count} in the configuration; {hint}", lines.join("\n")), 78)
            }
            Self::Unavailable(problems) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                (format!("{}\nthis may pass; try again", lines.join("\n")), 1)
            }
            Self::Usage(text) => (format!("{text}\nTry `pluvio --help`."), 2),
            Self::Running(error) => (format!("error: {error:#}"), 1),
        };
        let _nobody_listens = writeln!(io::stderr(), "{}", shown_lines(&hidden(&text)));
        ExitCode::from(status)
    }
}

/// Runs a command that waits for things.
fn block_on(work: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().thread_stack_size(STACK_BYTES).build();
    let runtime = runtime.map_err(|error| anyhow::Error::new(error).context("failed to start"))?;
    let done = runtime.block_on(work);
    // Nothing that is still busy, a hostile filter for instance, may keep the process from ending.
    runtime.shutdown_timeout(SHUTDOWN_MAX);
    done
}

/// Of each worker, address space only: four times what the deepest filter that is taken needs.
const STACK_BYTES: usize = 8 << 20;
/// For tasks that nobody waits for any more.
const SHUTDOWN_MAX: std::time::Duration = std::time::Duration::from_millis(200);

/// Resolves when somebody asks the process to stop: Ctrl-C or SIGTERM.
async fn stopped() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "Ctrl-C",
    })
}

/// The first error of standard output, but for a reader that has gone. Data that was not written must not
/// look complete, and a command that changes something comes to its end all the same: so it is kept here
/// for the end of the process.
static UNWRITTEN: OnceLock<io::Error> = OnceLock::new();

/// What `done` comes to when what it printed could not be written.
pub(crate) fn with_output(done: Result<(), Failed>) -> Result<(), Failed> {
    done?;
    match UNWRITTEN.get() {
        Some(error) => {
            Err(Failed::Running(anyhow::anyhow!("failed to write to standard output: {error}")))
        }
        None => Ok(()),
    }
}

/// Prints lines of data, with what a terminal would obey escaped. `false`: nobody reads any more, or it
/// cannot be written, so the command is done.
fn print_line(line: &str) -> bool {
    print_painted(&shown_lines(line))
}

/// Prints a line that holds our own colours; whatever else is in it has been escaped.
fn print_painted(line: &str) -> bool {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(line.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    match written {
        Ok(()) => true,
        // `head` has what it wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => false,
        Err(error) => {
            let _one_is_told = UNWRITTEN.set(error);
            false
        }
    }
}
