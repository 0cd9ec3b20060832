//! Looking at a log that another process writes to as fast as it can: what is half written is no damage.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
};

use pluvio_log::{
    Embedded, EmbeddedConfig, Log as _, Position, Record, SourceName, disk::RealDisk, inspect,
};

use crate::site::{at, block_on, event, events};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

fn write(folder: PathBuf, appended: &AtomicI64, is_enough: &AtomicBool) {
    block_on(async {
        // Segments of a few batches, so that one is begun now and then.
        let log = Embedded::open(EmbeddedConfig {
            reserve_bytes: 0,
            segment_bytes_max: 256 << 10,
            ..EmbeddedConfig::new(folder)
        });
        let log = log.unwrap();
        log.open(&events()).await.unwrap();
        for nth in 0.. {
            if is_enough.load(Ordering::Relaxed) {
                break;
            }
            let record = |nth| Record {
                event: event(nth),
                source: SourceName::new("cloud").unwrap(),
                position: Position::new(format!("{nth}")).unwrap(),
                at_least: None,
            };
            log.append(&events(), vec![record(nth)]).await.unwrap();
            appended.store(nth, Ordering::Relaxed);
        }
    });
}

/// Looks at a log in a folder while another thread writes to it: `look` is given the folder and the offset
/// that was appended last.
fn beside(name: &str, looks: usize, look: impl Fn(&Path, i64)) {
    let folder = std::env::temp_dir().join(format!("pluvio-{name}-{}", std::process::id()));
    let folder = Folder(folder);
    let (appended, is_enough) = (AtomicI64::new(-1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(folder.0.clone(), &appended, &is_enough));
        while appended.load(Ordering::Relaxed) < 100 && !writer.is_finished() {
            std::thread::yield_now();
        }
        let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..looks {
                look(&folder.0, appended.load(Ordering::Relaxed));
            }
        }));
        is_enough.store(true, Ordering::Relaxed);
        looked.unwrap_or_else(|failed| std::panic::resume_unwind(failed));
    });
}

#[test]
fn a_log_that_is_written_to_is_read_to_its_end_and_nothing_is_called_damage() {
    beside("beside", 15, |folder, before| {
        let mut offsets = Vec::new();
        let mut visit = |record: inspect::Dumped| {
            offsets.push(record.offset);
            ControlFlow::Continue(())
        };
        inspect::dump(&RealDisk, folder, &events(), at(0), &mut visit).unwrap();
        assert!(offsets.last().is_some_and(|last| *last >= before));
        assert!(offsets.iter().zip(0..).all(|(offset, nth)| *offset == nth));
        let verified = inspect::verify(&RealDisk, folder, &mut |_, _| {}).unwrap();
        assert_eq!(verified.damage().collect::<Vec<_>>(), Vec::<&inspect::Finding>::new());
    });
}

#[test]
fn what_a_log_holds_is_told_while_segments_are_sealed() {
    beside("glance", 200, |folder, before| {
        let info = inspect::info(&RealDisk, folder).unwrap();
        let told = info.streams.iter().find(|stream| stream.name == events());
        assert!(told.is_some_and(|told| told.next > at(before)), "behind {before}: {told:?}");
    });
}
