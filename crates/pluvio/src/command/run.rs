//! `pluvio run`: capture and serve until stopped.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use pluvio_log::{Log as _, LogHandle, Memory};
use pluvio_runtime::{
    Ingest,
    status::StatusBoard,
    supervise::{SourceContext, Supervisor},
};
use tracing::{info, warn};

use super::{Failed, block_on, stopped};
use crate::{
    config::{self, Configuration},
    registry::Metrics,
};

/// Without a command: runs what the environment or the file describes, or says how to begin.
pub(crate) fn default(path: &Path) -> Result<(), Failed> {
    if config::environment_is_configured() || path.exists() {
        return run(path);
    }
    let path = path.display();
    Err(Failed::Usage(format!(
        "nothing to do: VCENTER_URL is not set and there is no `{path}`.\n\
         `pluvio demo` shows a simulated cloud; `pluvio config > {path}` writes a configuration to \
         begin with."
    )))
}

/// Runs what the file describes; the environment, where there is no file.
pub(crate) fn run(path: &Path) -> Result<(), Failed> {
    let configuration = if config::environment_is_configured() && !path.exists() {
        warn!(
            "configured by VCENTER_*: serving plain HTTP to everybody on all addresses, as \
             vsphere-event-streaming did"
        );
        config::from_environment()?
    } else {
        config::load(path)?
    };
    block_on(serve(configuration))
}

async fn serve(configuration: Configuration) -> Result<(), Failed> {
    let running = start(configuration).await?;
    for (name, url) in &running.urls {
        info!(listener = name, "serving on {url}");
    }
    let reason = stopped().await?;
    info!(reason, "draining");
    let second = tokio::spawn(async {
        if stopped().await.is_ok() {
            std::process::exit(1);
        }
    });
    let is_clean = running.supervisor.drain().await;
    second.abort();
    info!(is_clean, "stopped");
    Ok(())
}

/// Everything that runs.
pub(super) struct Running {
    pub(super) supervisor: Supervisor,
    pub(super) log: LogHandle,
    /// Listeners by name, and where they are.
    pub(super) urls: Vec<(String, String)>,
}

/// Starts all components; problems are told before anything connects.
pub(super) async fn start(mut configuration: Configuration) -> Result<Running, Failed> {
    let metrics = metrics()?;
    let log = LogHandle::new(Memory::new(configuration.log.memory()));
    let streams = configuration.streams();
    let status = StatusBoard::default();
    let sources = configuration.sources();
    let listeners = configuration.listeners(&log, &status, &metrics);
    let (sources, listeners) = match (sources, listeners) {
        (Ok(sources), Ok(listeners)) => (sources, listeners),
        (sources, listeners) => {
            let problems = sources.err().into_iter().chain(listeners.err()).flatten();
            return Err(Failed::Configuration(problems.collect()));
        }
    };
    for stream in &streams {
        log.open(stream).await.context("failed to open the log")?;
    }
    let supervisor = Supervisor::new(status, log.clone());
    let mut urls = Vec::new();
    for (name, listener) in listeners {
        urls.push((name.clone(), listener.url));
        (listener.start)(&supervisor, &name);
    }
    let record_bytes_max = configuration.log.record_bytes_max();
    for source in sources {
        let (name, stream) = (source.name, source.stream);
        let ingest = Ingest::new(log.clone(), stream.clone(), name, record_bytes_max);
        (source.built.start)(&supervisor, SourceContext { log: log.clone(), stream, ingest });
    }
    Ok(Running { supervisor, log, urls })
}

fn metrics() -> Result<Metrics, Failed> {
    let handle =
        PrometheusBuilder::new().install_recorder().context("failed to install the metrics")?;
    Ok(Arc::new(move || {
        handle.run_upkeep();
        handle.render()
    }))
}
