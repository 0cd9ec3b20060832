//! Looking at a log that another process writes to as fast as it can: what is half written is no damage.

use std::{
    ops::ControlFlow,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
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

#[test]
fn a_log_that_is_written_to_is_read_to_its_end_and_nothing_is_called_damage() {
    let folder = Folder(std::env::temp_dir().join(format!("pluvio-beside-{}", std::process::id())));
    let (appended, is_enough) = (Arc::new(AtomicI64::new(-1)), Arc::new(AtomicBool::new(false)));
    let writer = {
        let (path, appended, is_enough) =
            (folder.0.clone(), Arc::clone(&appended), Arc::clone(&is_enough));
        std::thread::spawn(move || write(path, &appended, &is_enough))
    };
    while appended.load(Ordering::Relaxed) < 100 {
        std::thread::yield_now();
    }
    for look in 0..15 {
        let before = appended.load(Ordering::Relaxed);
        let mut offsets = Vec::new();
        let mut visit = |record: inspect::Dumped| {
            offsets.push(record.offset);
            ControlFlow::Continue(())
        };
        inspect::dump(&RealDisk, &folder.0, &events(), at(0), &mut visit).unwrap();
        assert!(offsets.last().is_some_and(|last| *last >= before), "look {look}");
        assert!(offsets.iter().zip(0..).all(|(offset, nth)| *offset == nth), "look {look}");
        let verified = inspect::verify(&RealDisk, &folder.0, &mut |_, _| {}).unwrap();
        assert_eq!(verified.damage().collect::<Vec<_>>(), Vec::<&inspect::Finding>::new());
    }
    is_enough.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}
