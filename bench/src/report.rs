//! The rows that benchmarks give, and the document that they make.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{machine::Machine, statistics::Estimate};

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) goal: String,
    pub(crate) measured: String,
    pub(crate) figures: String,
    pub(crate) is_met: bool,
}

/// Stands where the measured value of a benchmark would that could not be measured.
pub(crate) const BROKE_OFF: &str = "broke off";

/// What a measured value must not pass.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Row {
    /// A ratio against a baseline; its median decides.
    pub(crate) fn ratio(name: &str, goal: Goal, ratios: &[f64], figures: String) -> Row {
        let Estimate { median, low, high } = Estimate::of(ratios);
        let (goal, is_met) = match goal {
            Goal::AtLeast(least) => (format!("≥ {least}"), median >= least),
            Goal::AtMost(most) => (format!("≤ {most}"), median <= most),
        };
        let measured = format!("{median:.2} ({low:.2} … {high:.2})");
        Row { name: name.to_owned(), goal, measured, figures, is_met }
    }

    /// A benchmark that broke off: its goal is not met.
    pub(crate) fn failed(name: &str, error: &anyhow::Error) -> Row {
        let figures = format!("{error:#}").replace('|', "\\|").replace('\n', " ");
        Row {
            name: name.to_owned(),
            goal: "–".to_owned(),
            measured: BROKE_OFF.to_owned(),
            figures,
            is_met: false,
        }
    }
}

/// The rows as a table.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "| benchmark | goal | measured (95 % interval) | figures | met |\n|---|---|---|---|---|\n",
    );
    for Row { name, goal, measured, figures, is_met } in rows {
        let met = if *is_met { "yes" } else { "**no**" };
        table.push_str(&format!("| {name} | {goal} | {measured} | {figures} | {met} |\n"));
    }
    table
}

const INTRODUCTION: &str = "\
# Benchmarks

Written by `cargo xtask bench`; do not edit. It takes about twenty minutes and should have the machine
for itself.
";

const METHOD: &str = "\
## Method

Each figure is a ratio against a bare baseline that runs on the same machine in the same minutes, in
the order A B B A, so that a slow moment or a warm cache counts for neither side. The table gives the
median of the pairs' ratios and a bootstrap 95 % interval of that median (4,000 resamples, fixed
seed). Absolute figures are given beside it, for this machine only: they decide nothing, except
where the goal itself is a count, a size or a time. Everything runs over loopback, each server in a
process of its own, all sharing the cores.

- **Capture latency**: from an event's `createdTime` until its line is at an HTTP watcher, events
  posted to VMware's vcsim at random moments over TLS; ÷ a bare probe, which is Pluvio's SOAP client
  in a loop of `WaitForUpdatesEx` and `ReadNextEvents`. Each side has a vcsim of its own, so that
  they do not wake each other.
- **Sustained**, **burst**: all events that were made must reach a watcher, none twice. vcsim answers
  `PostEvent` only so often, so the rate that it reached is told, and Pluvio's simulated vCenter adds
  the exact rate.
- **Kafka sink**: a log's events into a topic, from the first acknowledgement to the last; ÷ Kafka's
  own `kafka-producer-perf-test` with a sixth of the same values at random (it has them all in a memory
  of 512 MiB), `acks=all`, idempotent, in batches as
  large, by its own figure, which leaves the start of its machine out. The processor's time is that of
  the whole Java process, start included, and of Pluvio while it delivers.
- **Catch-up**: from the start of the process until a backlog is in the log; ÷ a bare drain of the
  same vCenter by the same SOAP client, which decodes and renders each event and keeps nothing.
- **Fan-out**: a thousand watchers in one thread which counts lines; ÷ the same client at a bare tokio
  server that writes the same bytes: for a replay in writes of 256 KiB, live one small write a
  connection in a plain loop. At this size of event a replay is bound by the copying of the bytes, by
  the kernel and in the client; so the servers' own processor time is told, too.
- **Stalled readers**: a tenth of the watchers asks for a long replay and reads nothing of it. The
  latency of the others, from the first who has an event, ÷ the same without the stalled.
- **Hostile filters**: eight readers, each a principal of its own, with the dearest filters that pass the
  static bound (watches and pages over a log whose oldest events are the largest there can be) and, two
  of them, with filters that are refused, one request after the other without a pause. Meanwhile
  `/livez` is asked at random moments, and events are posted: from `recordedtime`, which has whole
  milliseconds, to a watcher that has no hostile filter. The p99 of each round ÷ that of the round
  beside it without the hostile readers.
- **Memory at its limits**: a new Pluvio with default limits for each row, an HTTP and a Kafka listener,
  and as many connections as they take (5,000 and 900), from 50 addresses, which all fill one kind of
  buffer and take nothing; the most resident memory within eight seconds. `together` shares the
  connections among all kinds. Over TLS there are as many as such listeners take (2,500 and 450), which
  also leave records and handshakes unfinished.
- **Consume**: kcat (librdkafka) and Kafka's ConsumerPerformance (its Java client) read a topic from
  the beginning to the end and throw it away, from Pluvio and from Apache Kafka 4.3 with the heap
  and collector of its own start script. The record batches are the very same: fetched from Pluvio
  as bytes and produced as bytes. Both servers have served all of it several times before. What a
  server's processor does without readers is measured first and taken off.
  librdkafka is given a queue that never fills: it would else stop fetching for a second at a time.
- **Durable append**: tasks that each append and wait, on a log that syncs each group of batches; ÷ a bare loop
  that writes the very sizes of these groups at the end of a file, each with its `fdatasync`. The log
  writes over zeros that went out before, which the bare loop does not: so it may win. Batches are not
  compressed, but for the row that says so.
- **Append → waiting reader**: from the call of append until another task has the record; ÷ the write
  and sync of that same batch.
- **Recovery**: opening a log of ten million records whose process was killed ÷ reading its last
  segment once by a bare loop, both from the page cache.
- **Sequential read**: decoded and checked batches to a task in the same process ÷ a bare loop of
  `pread`, both after the segments were thrown out of the page cache.
- **CloudStack**: from the start of the process until a million events of a simulated CloudStack are in
  the log; ÷ a bare loop of the same client that asks for page after page of 500 rows, newest first,
  and keeps nothing. **Sweep**: what the memory of a new process grows by while it lists a day of two
  million events again, all of which its log has. How many rows a simulated day costs is counted by a test: `cargo test --release -p
  pluvio-connect --lib a_whole_day -- --ignored --nocapture`.
- **Webhook sink**: from the start of a Pluvio with a full log and a new sink until a receiver that only
  counts has everything; ÷ a loop that reads the same events from a file, a line each, and sends them by
  the same HTTP client, with as many requests in flight and as many events in each.
- **Backlog**: a new sink whose target takes 20 events a second has a million before it. The way of live
  events, from `recordedtime` to another webhook's receiver, ÷ the same without the slow sink.
- **Idle**: resident memory, and voluntary context switches of all threads, from `/proc`.
";

/// The whole document.
pub(crate) fn document(machine: &Machine, rows: &[Row]) -> String {
    let (machine, table) = (machine.markdown(), table(rows));
    format!("{INTRODUCTION}\n## Machine\n\n{machine}\n## Results\n\n{table}\n{METHOD}")
}

/// Writes the document into the workspace at `root`.
pub(crate) fn write(root: &Path, machine: &Machine, rows: &[Row]) -> Result<()> {
    let folder = root.join("docs");
    fs::create_dir_all(&folder).context("failed to make docs/")?;
    let path = folder.join("benchmarks.md");
    fs::write(path, document(machine, rows)).context("failed to write docs/benchmarks.md")
}
