//! Durable append: what the log acknowledges ÷ a bare loop of the same writes and syncs.

use std::{
    fs::OpenOptions,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use pluvio_e2e::stage::Stage;
use pluvio_log::{Log as _, LogHandle, batch::Compression};

use super::{Pairs, Side, interleaved};
use crate::{
    report::{Goal, Row},
    shelf::{self, Tally},
    statistics::{median, quantile_of},
};

const PAIRS: usize = 6;
/// How long each side appends.
const ROUND: Duration = Duration::from_secs(1);
/// Rows of figures count from here on: below, a segment is still short and its zeros are few.
const TAIL_APPENDS: usize = 4000;

pub(super) async fn run(stage: &Stage) -> Result<Vec<Row>> {
    let mut rows = vec![
        against_bare(stage, 1, 1, Goal::AtLeast(0.95)).await?,
        against_bare(stage, 256, 1, Goal::AtLeast(0.85)).await?,
        against_bare(stage, 8, 1000, Goal::AtLeast(0.85)).await?,
    ];
    rows.push(tail(stage).await?);
    rows.extend(volume(stage).await?);
    Ok(rows)
}

/// Appenders that each append `records` at once, one after the other.
async fn against_bare(stage: &Stage, appenders: usize, records: usize, goal: Goal) -> Result<Row> {
    let (mut rates, mut groups) = (Pairs::default(), Vec::new());
    let (mut syncs, mut written) = (0, 0);
    for (round, side) in interleaved(PAIRS).enumerate() {
        let folder = stage.folder.path().join(format!("append-{appenders}-{records}-{round}"));
        match side {
            Side::A => {
                let tally = Arc::new(Tally::default());
                let log = shelf::open(&folder, Compression::None, &tally).await?;
                let (count, seconds) = append_for(log, appenders, records).await?;
                let told = tally.take();
                syncs += told.syncs;
                written += told.groups.len();
                rates.push(side, count as f64 / seconds);
                groups = told.groups;
                groups.insert(0, count);
            }
            Side::B => {
                // The groups of the run before: events and sizes.
                let (events, sizes) = match groups.split_first() {
                    Some((events, sizes)) => (*events, sizes.to_vec()),
                    None => continue,
                };
                let seconds = tokio::task::spawn_blocking(move || bare(&folder, &sizes)).await??;
                rates.push(side, events as f64 / seconds);
            }
        }
        std::fs::remove_dir_all(
            stage.folder.path().join(format!("append-{appenders}-{records}-{round}")),
        )
        .ok();
    }
    let (a, b) = (median(&rates.a), median(&rates.b));
    let name = format!("durable append, {appenders} × {records} of 1 KB");
    let figures = format!(
        "{a:.0} events/s, bare {b:.0}/s; {:.2} syncs a group",
        syncs as f64 / written as f64
    );
    Ok(Row::ratio(&name, goal, &rates.ratios(), figures))
}

async fn append_for(log: LogHandle, appenders: usize, records: usize) -> Result<(usize, f64)> {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..appenders)
        .map(|appender| {
            let log = log.clone();
            tokio::spawn(async move {
                let mut count = 0;
                while begun.elapsed() < ROUND {
                    let batch = shelf::records(appender, count, records);
                    log.append(&shelf::stream(), batch).await?;
                    count += records;
                }
                anyhow::Ok(count)
            })
        })
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await??;
    }
    Ok((count, begun.elapsed().as_secs_f64()))
}

/// Writes and syncs groups of these sizes at the end of a file.
fn bare(path: &Path, sizes: &[usize]) -> Result<f64> {
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
    let content = vec![0x55; sizes.iter().copied().max().unwrap_or_default()];
    let (begun, mut at) = (Instant::now(), 0);
    for size in sizes {
        file.write_all_at(&content[..*size], at)?;
        file.sync_data()?;
        at += *size as u64;
    }
    let seconds = begun.elapsed().as_secs_f64();
    drop(file);
    std::fs::remove_file(path)?;
    Ok(seconds)
}

/// From the call of append until a waiting reader has the record, ÷ the sync in it.
async fn tail(stage: &Stage) -> Result<Row> {
    let folder = stage.folder.path().join("append-tail");
    let tally = Arc::new(Tally::default());
    let log = shelf::open(&folder, Compression::None, &tally).await?;
    let (sender, mut reader) = tokio::sync::mpsc::channel(1);
    let reading = log.clone();
    tokio::spawn(async move {
        let mut from = pluvio_log::Offset::ZERO;
        while let Ok(chunk) = reading.read(&shelf::stream(), from, shelf::WAITING).await {
            from = chunk.next;
            if sender.send(Instant::now()).await.is_err() {
                break;
            }
        }
    });
    let mut latencies = Vec::with_capacity(TAIL_APPENDS);
    for count in 0..TAIL_APPENDS {
        let batch = shelf::records(0, count, 1);
        let begun = Instant::now();
        log.append(&shelf::stream(), batch).await?;
        let seen = reader.recv().await.unwrap_or_else(Instant::now);
        latencies.push(seen.duration_since(begun).as_secs_f64());
    }
    let syncs = tally.take().sync_seconds;
    let (ours, own) = (quantile_of(&latencies, 0.99), quantile_of(&syncs, 0.99));
    let (ours_p50, own_p50) = (quantile_of(&latencies, 0.5), quantile_of(&syncs, 0.5));
    let figures = format!(
        "p99 {:.0} µs, sync's own {:.0} µs; p50 {:.0} µs, sync's {:.0} µs",
        ours * 1e6,
        own * 1e6,
        ours_p50 * 1e6,
        own_p50 * 1e6
    );
    Ok(Row::ratio("append → waiting reader, p99", Goal::AtMost(1.2), &[ours / own], figures))
}

/// Bytes on the disk ÷ bytes of keys and values.
async fn volume(stage: &Stage) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (compression, name, most) in [
        (Compression::None, "bytes written ÷ payload, groups of 100", 1.15),
        (Compression::Lz4, "bytes written ÷ payload, lz4, groups of 100", 0.3),
    ] {
        let folder = stage.folder.path().join(format!("volume-{compression:?}"));
        let tally = Arc::new(Tally::default());
        let log = shelf::open(&folder, compression, &tally).await?;
        let mut payload = 0;
        for count in 0..200 {
            let batch = shelf::vsphere_records(count * 100, 100);
            payload += batch.iter().map(shelf::payload).sum::<usize>();
            log.append(&shelf::stream(), batch).await?;
        }
        let written: usize = tally.take().groups.iter().sum();
        let figures = format!("{written} bytes for {payload}");
        rows.push(Row::ratio(
            name,
            Goal::AtMost(most),
            &[written as f64 / payload as f64],
            figures,
        ));
    }
    Ok(rows)
}
