//! `pluvio check`: is the configuration right, and do the clouds answer?

use futures::{StreamExt as _, stream};
use pluvio_event::shown;
use pluvio_runtime::supervise::sink::Left;
use pluvio_secret::hidden;

use super::{Failed, block_on, files, print_line, run};
use crate::{
    cli::{Check, Cli},
    config::{self, Configuration, LogSection, Problem, ReadyListener, ReadySink, Resolved},
    registry::Probe,
};

/// Checks the file, or the environment where there is none and none was named.
pub(crate) fn check(cli: &Cli, options: &Check) -> Result<(), Failed> {
    let mut configuration = if cli.is_by_environment() {
        config::from_environment()?
    } else {
        config::load(&cli.config())?
    };
    let resolved = configuration.resolve();
    for warning in &configuration.warnings {
        print_line(&format!("{}: warning: {}", warning.place, warning.message));
    }
    let Resolved { sources, sinks, listeners, .. } = resolved?;
    tell_of_this_machine(&configuration, &listeners);
    tell_left(&configuration.log, &sinks);
    if !options.connect {
        let (sources, sinks, listeners) = (sources.len(), sinks.len(), listeners.len());
        print_line(&format!(
            "configuration is valid: {sources} sources, {sinks} sinks, {listeners} listeners"
        ));
        return Ok(());
    }
    let sources = sources.into_iter();
    let sources = sources.map(|it| (Kind::Source, it.name.to_string(), it.built.probe));
    let sinks = sinks.into_iter().map(|it| (Kind::Sink, it.name.to_string(), it.built.probe));
    block_on(async {
        match failed_of(sources.chain(sinks)).await {
            (0, 0) => Ok(()),
            (unread, 0) => Err(anyhow::anyhow!("{unread} of the sources cannot be read").into()),
            (0, unwritten) => {
                Err(anyhow::anyhow!("{unwritten} of the sinks cannot be written to").into())
            }
            (unread, unwritten) => Err(anyhow::anyhow!(
                "{unread} of the sources cannot be read, {unwritten} of the sinks not written to"
            )
            .into()),
        }
    })
}

/// Warns of what this user on this machine could not do now. It is no fault of the configuration, which
/// may be meant for another user, or for an address that comes and goes.
fn tell_of_this_machine(configuration: &Configuration, listeners: &[ReadyListener]) {
    if let Some(unwritable) = configuration.log.unwritable_dir() {
        print_line(&format!("[log]: warning: `dir`: {unwritable}"));
    }
    if let Some(too_few) = files::too_few(files::most(), run::connections_max(listeners)) {
        print_line(&format!("[listeners.NAME]: warning: {too_few}"));
    }
    for Problem { place, message } in listeners.iter().filter_map(ReadyListener::foreign_address) {
        print_line(&format!("{place}: warning: {message}"));
    }
}

/// Warns of sinks that would begin anew because they were renamed or given another stream, if a log is
/// there and can be read.
fn tell_left(log: &LogSection, sinks: &[ReadySink]) {
    let Some(entries) = log.cursors() else { return };
    let sinks: Vec<_> = sinks.iter().map(|it| (it.name.clone(), it.stream.clone())).collect();
    let left = Left::of(&entries, &sinks);
    for message in left.renamed().into_iter().chain(left.moved()) {
        print_line(&format!("[sinks.NAME]: warning: {message}"));
    }
}

/// Asked at a time: one that is silent takes half a minute, and a connection.
const AT_A_TIME: usize = 64;

/// What is asked.
#[derive(Clone, Copy)]
enum Kind {
    Source,
    Sink,
}

/// Asks each and prints the answers in their order; gives how many sources and how many sinks could not
/// answer.
async fn failed_of(probes: impl Iterator<Item = (Kind, String, Probe)>) -> (usize, usize) {
    let (mut unread, mut unwritten) = (0, 0);
    let asked = probes.map(|(kind, name, probe)| async move { (kind, name, probe().await) });
    let mut answers = stream::iter(asked).buffered(AT_A_TIME);
    while let Some((kind, name, answer)) = answers.next().await {
        match answer {
            Ok(found) => {
                print_line(&format!("{name}: {}", shown(&hidden(&found))));
            }
            Err(error) => {
                match kind {
                    Kind::Source => unread += 1,
                    Kind::Sink => unwritten += 1,
                }
                let remedy = error.remedy.map(|remedy| format!("\n  {remedy}"));
                let (message, remedy) = (shown(&error.message), remedy.unwrap_or_default());
                print_line(&format!("{name}: {message}{remedy}"));
            }
        }
    }
    (unread, unwritten)
}
