//! `pluvio run`: capture and serve until stopped.

use std::sync::Arc;

use anyhow::Context as _;
use pluvio_listen::{Context, Shared};
use pluvio_log::{Log as _, LogHandle, StreamName, Table};
use pluvio_runtime::{
    Chain, Ingest,
    status::StatusBoard,
    supervise::{
        SourceContext, Supervisor,
        sink::{Left, SinkContext, expect_targets},
    },
};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use super::{Failed, block_on, files, meter, reload::Reload, sink::Desk, stopped};
use crate::{
    cli::Cli,
    config::{self, Configuration, LogType, ReadyListener, ReadySink, Resolved},
    registry::BuiltListener,
};

/// Without a command: runs what the environment or the file describes, or says how to begin.
pub(crate) fn default(cli: &Cli) -> Result<(), Failed> {
    let path = cli.config();
    if cli.is_by_environment() || cli.config.is_some() || path.exists() {
        return run(cli);
    }
    let path = path.display();
    Err(Failed::Usage(format!(
        "nothing to do: VCENTER_URL is not set and there is no `{path}`.\n\
         `pluvio demo` shows a simulated cloud; `pluvio config > {path}` writes a configuration to \
         begin with."
    )))
}

/// Runs what the file describes; the environment, where there is no file and none was named.
pub(crate) fn run(cli: &Cli) -> Result<(), Failed> {
    let path = cli.config();
    let configuration = if cli.is_by_environment() {
        warn!(
            "configured by VCENTER_*: serving plain HTTP to everybody on all addresses, as \
             vsphere-event-streaming did"
        );
        config::from_environment()?
    } else {
        let configuration = config::load(&path)?;
        if config::environment_is_configured() {
            warn!("VCENTER_URL is set, and ignored: `{}` says what to do", path.display());
        }
        configuration
    };
    block_on(serve(configuration))
}

/// What a write beyond `RLIMIT_FSIZE` (`ulimit -f`, systemd's `LimitFSIZE`) raises: SIGXFSZ.
const FILE_SIZE_SIGNAL: i32 = 25;

async fn serve(configuration: Configuration) -> Result<(), Failed> {
    // Untaken it ends the process without a word; taken, the write fails as on a full disk.
    let _taken = signal(SignalKind::from_raw(FILE_SIZE_SIGNAL));
    // Before anything takes long: untaken, it would end a start that is asked to reload.
    let hangup = signal(SignalKind::hangup()).context("failed to take SIGHUP")?;
    let has_listeners = configuration.names_listeners();
    let running = start(configuration).await?;
    for (name, url) in &running.urls {
        info!(listener = name, "serving on {url}");
    }
    let reloading = tokio::spawn(running.reload.run(hangup));
    let seeking = running.desk.map(|desk| tokio::spawn(desk.run()));
    let reason = tokio::select! {
        reason = stopped() => reason?,
        // Whoever asked for a listener may rely on it, and on what is captured for it.
        () = running.supervisor.ended(), if !has_listeners => "nobody reads standard output",
    };
    info!(reason, "draining");
    let second = tokio::spawn(async {
        if stopped().await.is_ok() {
            std::process::exit(1);
        }
    });
    let is_clean = running.supervisor.drain().await;
    second.abort();
    reloading.abort();
    seeking.inspect(tokio::task::JoinHandle::abort);
    info!(is_clean, "stopped");
    Ok(())
}

/// Everything that runs.
pub(super) struct Running {
    pub(super) supervisor: Supervisor,
    pub(super) log: LogHandle,
    /// Listeners by name, and where they are.
    pub(super) urls: Vec<(String, String)>,
    /// Reads again what may change while it runs.
    pub(super) reload: Reload,
    /// Takes requests to move sinks; a log in memory has no folder for them.
    pub(super) desk: Option<Desk>,
}

/// Starts all components; problems are told before anything is opened or connects.
pub(super) async fn start(mut configuration: Configuration) -> Result<Running, Failed> {
    files::allow_all();
    let streams = configuration.streams();
    let resolved = configuration.resolve();
    for warning in &configuration.warnings {
        warn!(place = warning.place, "{}", warning.message);
    }
    let Resolved { sources, sinks, listeners, access, access_files } = resolved?;
    if let Some(too_few) = files::too_few(files::allowed(), connections_max(&listeners)) {
        warn!("{too_few}");
    }
    let (principals, original) =
        (configuration.principals().clone(), configuration.original.take());
    let reload = Reload::new(principals, access, access_files, original);
    let log = configuration.log.open().context("failed to open the log")?;
    tell_recovery(&log);
    let status = StatusBoard::default();
    let context = Context {
        log: log.clone(),
        stream: StreamName::events(),
        access: reload.access().clone(),
        status: status.clone(),
        metrics: meter::metrics(log.clone())?,
        version: crate::VERSION,
        retention: configuration.log.kept(),
        record_bytes_max: configuration.log.record_bytes_max(),
        shared: Shared::default(),
    };
    let listeners = bound(listeners, &context)?;
    for stream in &streams {
        log.open(stream).await.context("failed to open the log")?;
    }
    tell_left(&log, &sinks).await;
    if let Err(error) = expect_targets(&log).await {
        // A disk that is full for example; sinks look by themselves, but only as far as this process knows.
        warn!(error = %Chain(&error), "a target that has more than this log may be believed at a later start");
    }
    let supervisor = Supervisor::new(status, log.clone());
    let mut urls = Vec::new();
    for (name, listener) in listeners {
        urls.push((name.clone(), listener.url));
        (listener.start)(&supervisor, &name);
    }
    for sink in sinks {
        let ReadySink { name, stream, filter, from, limits, built } = sink;
        let is_written = sources.iter().any(|source| source.stream == stream);
        if !is_written && !stream.as_str().ends_with(".dead") {
            warn!(
                sink = name.as_str(),
                stream = stream.as_str(),
                "no source writes to this stream"
            );
        }
        let repeats = built.repeats.clone();
        let (log, is_beside) = (log.clone(), false);
        let context = SinkContext { name, log, stream, filter, from, limits, repeats, is_beside };
        (built.start)(&supervisor, context);
    }
    let record_bytes_max = configuration.log.record_bytes_max();
    let running = sources.iter().map(|source| (source.stream.clone(), source.name.clone()));
    let running = Arc::new(running.collect());
    for source in sources {
        let (name, stream, running) = (source.name, source.stream, Arc::clone(&running));
        let ingest = Ingest::new(log.clone(), stream.clone(), name, record_bytes_max);
        let context = SourceContext { log: log.clone(), stream, ingest, running };
        (source.built.start)(&supervisor, context);
    }
    let is_on_disk = configuration.log.log_type == LogType::Disk;
    let desk = is_on_disk.then(|| Desk::new(&configuration.log.dir, supervisor.seeker()));
    Ok(Running { supervisor, log, urls, reload, desk })
}

/// Which cursors no sink has. One that cannot be read is told by whose it is.
async fn tell_left(log: &LogHandle, sinks: &[ReadySink]) {
    let Ok(entries) = log.entries(Table::Cursors).await else { return };
    let sinks: Vec<_> = sinks.iter().map(|it| (it.name.clone(), it.stream.clone())).collect();
    let left = Left::of(&entries, &sinks);
    match left.renamed() {
        Some(renamed) => warn!("{renamed}"),
        None if left.unowned.is_empty() => {}
        None => {
            info!("the log knows where sinks stand that are not configured: {}", left.unowned());
        }
    }
}

/// Most connections that all listeners together admit at a time.
pub(super) fn connections_max(listeners: &[ReadyListener]) -> u64 {
    listeners.iter().map(|listener| listener.connections_max() as u64).sum()
}

/// Takes the ports; all that cannot be had are told at once.
fn bound(
    listeners: Vec<ReadyListener>,
    context: &Context,
) -> Result<Vec<(String, BuiltListener)>, Failed> {
    let (mut bound, mut problems, mut passes) = (Vec::new(), Vec::new(), true);
    for listener in listeners {
        match listener.bind(context.clone()) {
            Ok(listener) => bound.extend(listener),
            Err(unbindable) => {
                passes &= unbindable.passes;
                problems.push(unbindable.problem);
            }
        }
    }
    match (problems.is_empty(), passes) {
        (true, _) => Ok(bound),
        (false, true) => Err(Failed::Unavailable(problems)),
        (false, false) => Err(Failed::Configuration(problems)),
    }
}

/// What opening the log found: one line an operator can search for.
fn tell_recovery(log: &LogHandle) {
    let Some(recovery) = log.health().recovery else { return };
    let pluvio_log::Recovery {
        took, read_bytes, cut_bytes, indexes_rebuilt, may_have_lost, ..
    } = recovery;
    info!(?took, read_bytes, cut_bytes, indexes_rebuilt, "opened the log");
    if may_have_lost {
        warn!(
            "the log was written with fsync = \"os\" and not closed: the newest events may be gone; \
             sources resume from what is left"
        );
    }
}
