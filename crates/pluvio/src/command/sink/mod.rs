//! `pluvio sink seek`: moves a sink to another place of its stream.
//!
//! ```text
//!   log not in use ─▶ opened as a start would ─▶ the sink's entry in `__cursors`
//!   log in use     ─▶ a request in the log's folder ─▶ the running Pluvio ─▶ an answer beside it
//! ```
//!
//! What a move is, and what it refuses, is known by `pluvio_runtime::supervise::sink`; both ways end
//! there. Nobody can ask over the network: who may write to the log's folder may move its sinks.
//!
//! It refuses another user than the folder's own, whose files Pluvio could not read later, and a log in
//! memory, which has no folder.

mod desk;
mod request;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use pluvio_log::{Log as _, OpenError};
use pluvio_net::unit::Period;
use pluvio_runtime::supervise::sink::{Begin, Seek, SinkContext, Sought, seek};

use super::{
    Failed, block_on,
    log::{folder, table::grouped},
    print_line,
};
use crate::{
    cli::{Sink, SinkSeek},
    config::{self, LogSection, LogType, ReadySink},
};
use request::{Folder, Request};

pub(super) use desk::Desk;

/// Does what was asked.
pub(crate) fn sink(configuration: &Path, asked: &Sink) -> Result<(), Failed> {
    let Sink::Seek(options) = asked;
    let (to, until) = (place("--to", &options.to)?, stretch_end(options)?);
    let mut configured = config::load(configuration)?;
    let sinks = configured.sinks()?;
    let log =
        LogSection { dir: log_folder(configuration, &configured.log, options)?, ..configured.log };
    let sink = chosen(configuration, sinks, &options.sink)?;
    let request = Request {
        sink: options.sink.clone(),
        to: to.text,
        until: until.as_ref().map(|until| until.text.clone()),
        is_dry_run: options.dry_run,
        asked: Timestamp::now(),
    };
    let seek = Seek { to: to.begin, until: until.map(|until| until.begin) };
    block_on(moved(&log, sink, seek, request))
}

/// A place as it was written, and what it means.
struct Place {
    /// Without a period: what was "2h" ago now is no longer when it is read.
    text: String,
    begin: Begin,
}

fn place(option: &str, text: &str) -> Result<Place, Failed> {
    let ago = text.parse::<Period>().ok();
    let text = match ago.map(|ago| Timestamp::now().checked_sub(ago.0)) {
        Some(Ok(time)) => time.to_string(),
        _ => text.to_owned(),
    };
    let begin = config::begin(&text).map_err(|_| {
        Failed::Usage(format!(
            "`{option}` takes `earliest`, `latest`, an offset such as 44, a time such as \
             2026-11-20T10:00:00Z, or a duration such as 2h, which is that long ago; not `{text}`"
        ))
    })?;
    Ok(Place { text, begin })
}

fn stretch_end(options: &SinkSeek) -> Result<Option<Place>, Failed> {
    let until = options.until.as_deref().map(|until| place("--until", until)).transpose()?;
    match until {
        Some(Place { begin: Begin::Earliest | Begin::Latest, .. }) => {
            Err(Failed::Usage("`--until` takes an offset, a time or a duration".to_owned()))
        }
        until => Ok(until),
    }
}

fn log_folder(
    configuration: &Path,
    log: &LogSection,
    options: &SinkSeek,
) -> Result<PathBuf, Failed> {
    if options.dir.is_none() && log.log_type == LogType::Memory {
        return Err(Failed::Usage(
            "the log is in memory (`type` of [log]): it has no folder in which a running Pluvio could \
             be asked, and each start begins with an empty log"
                .to_owned(),
        ));
    }
    folder(configuration, options.dir.as_deref())
}

/// The configured sink of that name.
fn chosen(configuration: &Path, sinks: Vec<ReadySink>, name: &str) -> Result<ReadySink, Failed> {
    let names: Vec<_> = sinks.iter().map(|sink| sink.name.to_string()).collect();
    if let Some(sink) = sinks.into_iter().find(|sink| sink.name.as_str() == name) {
        return Ok(sink);
    }
    let nearest = config::suggestion(name, names.iter().map(String::as_str));
    let nearest = nearest.map(|it| format!("; did you mean `{it}`?")).unwrap_or_default();
    let known = match names.as_slice() {
        [] => "there are none".to_owned(),
        names => format!("there are: {}", names.join(", ")),
    };
    let configuration = configuration.display();
    Err(Failed::Usage(format!("no sink `{name}` in `{configuration}`{nearest}; {known}")))
}

async fn moved(
    log: &LogSection,
    sink: ReadySink,
    asked: Seek,
    request: Request,
) -> Result<(), Failed> {
    let ours = Folder::of_log(&log.dir);
    ours.make_for_owner()?;
    let (name, is_dry_run) = (request.sink.clone(), request.is_dry_run);
    let section = LogSection { log_type: LogType::Disk, ..log.clone() };
    let opened = tokio::task::spawn_blocking(move || section.open()).await;
    let (sought, is_running) = match opened.context("failed to open the log")? {
        Ok(log) => {
            let ReadySink { name, stream, filter, from, limits, built } = sink;
            if !log.streams().contains(&stream) {
                return Err(Failed::Running(anyhow!(
                    "stream `{stream}` is empty: nothing to seek in"
                )));
            }
            log.open(&stream).await.context("failed to open the log")?;
            let repeats = built.repeats;
            let is_beside = false;
            let context =
                SinkContext { name, log, stream, filter, from, limits, repeats, is_beside };
            let sought = seek(&context, asked, is_dry_run).await;
            (sought.context("failed to move the sink")?, false)
        }
        Err(OpenError::Locked { holder, .. }) => (ours.ask(&request, &holder).await?, true),
        Err(error) => return Err(super::log::failed(error)),
    };
    print_line(&told(&name, &sought, is_dry_run, is_running));
    Ok(())
}

/// What happened, or would.
fn told(name: &str, sought: &Sought, is_dry_run: bool, is_running: bool) -> String {
    let Sought { from, to, repeated_events, skipped_events, is_exact, .. } = sought;
    let moved = match (is_dry_run, is_running) {
        (true, _) => "would be moved",
        (false, true) => "was moved, while Pluvio runs,",
        (false, false) => "was moved, for the next start of Pluvio,",
    };
    let least = if *is_exact { "" } else { "more than " };
    let events = |count: &u64| match count {
        1 if *is_exact => "1 event".to_owned(),
        count => format!("{least}{} events", grouped(*count)),
    };
    let will = if is_dry_run { "would" } else { "will" };
    let what = match (sought.until, sought.back_to) {
        _ if *skipped_events > 0 => {
            format!("{} {will} never be handed over", events(skipped_events))
        }
        (Some(until), Some(back_to)) => format!(
            "{} before offset {until} {will} be handed over again, then it goes on at {back_to}",
            events(repeated_events)
        ),
        _ => format!("{} {will} be handed over again", events(repeated_events)),
    };
    format!("sink `{name}` {moved} from offset {from} to {to}: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sought(repeated_events: u64, skipped_events: u64) -> Sought {
        Sought {
            number: 1,
            at: Timestamp::UNIX_EPOCH,
            from: 44,
            to: 4,
            until: None,
            back_to: None,
            repeated_events,
            skipped_events,
            is_exact: true,
        }
    }

    #[test]
    fn an_operator_reads_what_happened_and_what_it_means() {
        let stretch = Sought { until: Some(9), back_to: Some(44), ..sought(5, 0) };
        let ahead = Sought { is_exact: false, to: 5000, ..sought(0, 4000) };
        assert_eq!(
            [
                told("hook", &sought(1, 0), true, true),
                told("hook", &sought(40, 0), false, false),
                told("hook", &stretch, false, true),
                told("hook", &ahead, false, true),
            ],
            [
                "sink `hook` would be moved from offset 44 to 4: 1 event would be handed over again",
                "sink `hook` was moved, for the next start of Pluvio, from offset 44 to 4: 40 events \
                 will be handed over again",
                "sink `hook` was moved, while Pluvio runs, from offset 44 to 4: 5 events before offset \
                 9 will be handed over again, then it goes on at 44",
                "sink `hook` was moved, while Pluvio runs, from offset 44 to 5000: more than 4,000 \
                 events will never be handed over",
            ]
        );
    }

    #[test]
    fn a_place_is_an_offset_a_time_a_duration_or_an_end() {
        let begin = |text| place("--to", text).ok().map(|place| place.begin);
        assert_eq!(begin("earliest"), Some(Begin::Earliest));
        assert_eq!(begin("latest"), Some(Begin::Latest));
        assert!(matches!(begin("44"), Some(Begin::Offset(at)) if at.get() == 44));
        assert!(matches!(begin("2026-11-20T10:00:00Z"), Some(Begin::Time(_))));
        assert!(matches!(begin("2h"), Some(Begin::Time(time)) if time < Timestamp::now()));
        assert!(begin("yesterday").is_none() && begin("-1").is_none());
    }
}
