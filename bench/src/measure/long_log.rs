//! A log of ten million records: how fast it opens after a kill, how fast it is read, what it costs
//! in memory.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context as _, Result};
use pluvio_e2e::{servers::Simulator, stage::Stage};
use pluvio_log::{
    Embedded, EmbeddedConfig, Log as _, LogHandle, Offset, ReadLimit, Retention, batch::Compression,
};
use rustix::fs::{Advice, fadvise};

use super::{Pairs, Side, interleaved};
use crate::{
    machine,
    report::{Goal, Row},
    servers,
    shelf::{self, Tally},
    statistics::median,
};

const RECORDS: u64 = 10_000_000;
/// The last segment is as good as full, so that recovery has as much to read as it can have.
const LAST_BYTES_MIN: u64 = 100 << 20;
const PAIRS: usize = 5;
/// Read from the beginning of the log by each side.
const READ_BYTES: u64 = 2 << 30;
const PIECE_BYTES: usize = 1 << 20;

pub(super) async fn run(stage: &Stage) -> Result<Vec<Row>> {
    let folder = stage.folder.path().join("long-log");
    let built = build(&folder).await?;
    let segments = segments(&folder)?;
    let mut rows = vec![built, recovery(&folder, &segments)?, reading(&folder, &segments).await?];
    rows.push(memory(stage, &folder).await?);
    Ok(rows)
}

fn config(folder: &Path) -> EmbeddedConfig {
    EmbeddedConfig {
        compression: Compression::None,
        retention: Retention::default(),
        ..EmbeddedConfig::new(folder)
    }
}

/// Ten million records of 1 KB, each group synced; the rate is told, a goal stands with the issue.
async fn build(folder: &Path) -> Result<Row> {
    let log = shelf::open(folder, Compression::None, &Arc::new(Tally::default())).await?;
    let begun = Instant::now();
    let tasks: Vec<_> = (0..8).map(|appender| tokio::spawn(fill(log.clone(), appender))).collect();
    for task in tasks {
        task.await??;
    }
    let rate = RECORDS as f64 / begun.elapsed().as_secs_f64();
    let mut count = RECORDS as usize;
    while last_bytes(folder)? < LAST_BYTES_MIN {
        log.append(&shelf::stream(), shelf::records(9, count, 1000)).await?;
        count += 1000;
    }
    let figures = format!("{count} records, {:.0} MB/s of values", rate * 1024.0 / 1e6);
    let name = "durable append, 8 × 1000 of 1 KB, sustained, thousands/s";
    Ok(Row::ratio(name, Goal::AtLeast(300.0), &[rate / 1000.0], figures))
}

async fn fill(log: LogHandle, appender: usize) -> Result<()> {
    for from in (0..RECORDS as usize / 8).step_by(1000) {
        log.append(&shelf::stream(), shelf::records(appender, from, 1000)).await?;
    }
    Ok(())
}

fn segments(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = std::fs::read_dir(folder.join("events"))?;
    let paths = listed.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "log");
    let mut segments: Vec<_> = paths.into_iter().filter(is_segment).collect();
    segments.sort();
    Ok(segments)
}

fn last_bytes(folder: &Path) -> Result<u64> {
    let segments = segments(folder)?;
    Ok(segments.last().context("there is no segment")?.metadata()?.len())
}

/// Opening as after a kill ÷ reading the last segment once.
fn recovery(folder: &Path, segments: &[PathBuf]) -> Result<Row> {
    let last = segments.last().context("there is no segment")?;
    let mut seconds = Pairs::default();
    Embedded::open(config(folder))?;
    for side in interleaved(PAIRS) {
        let begun = Instant::now();
        match side {
            Side::A => drop(Embedded::open(config(folder))?),
            Side::B => drop(read_through(last, u64::MAX)?),
        }
        seconds.push(side, begun.elapsed().as_secs_f64());
    }
    let (a, b) = (median(&seconds.a) * 1e3, median(&seconds.b) * 1e3);
    let size = segments.len();
    let figures = format!("{a:.0} ms for {size} segments, one segment read in {b:.0} ms");
    let name = "recovery of 10 M records ÷ reading one segment";
    Ok(Row::ratio(name, Goal::AtMost(1.5), &seconds.ratios(), figures))
}

/// Reads up to `most` bytes of a file in pieces.
fn read_through(path: &Path, most: u64) -> Result<u64> {
    let file = File::open(path)?;
    let most = most.min(file.metadata()?.len());
    let (mut piece, mut at) = (vec![0; PIECE_BYTES], 0);
    while at < most {
        let bytes = (most - at).min(PIECE_BYTES as u64) as usize;
        file.read_exact_at(&mut piece[..bytes], at)?;
        at += bytes as u64;
    }
    Ok(at)
}

/// A local reader from the beginning ÷ a bare loop over the same files, both from the disk.
async fn reading(folder: &Path, segments: &[PathBuf]) -> Result<Row> {
    let log = LogHandle::new(Embedded::open(config(folder))?);
    let mut rates = Pairs::default();
    for side in interleaved(PAIRS) {
        for segment in segments {
            fadvise(File::open(segment)?, 0, None, Advice::DontNeed)?;
        }
        let begun = Instant::now();
        let bytes = match side {
            Side::A => read_log(&log).await?,
            Side::B => {
                let mut bytes = 0;
                for segment in segments {
                    bytes += read_through(segment, READ_BYTES - bytes)?;
                    if bytes >= READ_BYTES {
                        break;
                    }
                }
                bytes
            }
        };
        rates.push(side, bytes as f64 / begun.elapsed().as_secs_f64() / 1e6);
    }
    let (a, b) = (median(&rates.a), median(&rates.b));
    let figures = format!("{a:.0} MB/s, bare {b:.0} MB/s");
    Ok(Row::ratio("sequential read from the disk", Goal::AtLeast(0.8), &rates.ratios(), figures))
}

async fn read_log(log: &LogHandle) -> Result<u64> {
    let limit = ReadLimit { records_max: usize::MAX, ..ReadLimit::default() };
    let (mut from, mut bytes) = (Offset::ZERO, 0);
    while bytes < READ_BYTES {
        let chunk = log.read(&shelf::stream(), from, limit).await?;
        bytes += chunk.batches.iter().map(|batch| batch.encoded().len() as u64).sum::<u64>();
        from = chunk.next;
    }
    Ok(bytes)
}

/// The process that serves it.
async fn memory(stage: &Stage, folder: &Path) -> Result<Row> {
    let simulated = Simulator::start(stage, 0).await?;
    let mut pluvio = servers::pluvio_on(stage, &simulated, folder).await?;
    servers::holds(&pluvio, RECORDS as usize, std::time::Duration::from_millis(10)).await?;
    let memory = machine::memory(pluvio.process().id());
    let figures = format!(
        "{:.1} MB anonymous, {:.1} MB of the program's file",
        memory.anonymous / 1e6,
        memory.file / 1e6
    );
    let name = "log of 10 M records: resident memory, MB";
    Ok(Row::ratio(name, Goal::AtMost(67.1), &[memory.resident / 1e6], figures))
}
