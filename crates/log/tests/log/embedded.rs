//! The log on disk keeps the promises: on the machine's own disk and on a simulated one, with
//! segments so small that every batch has its own, and so large that none is ever sealed.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use jiff::Timestamp;
use pluvio_log::{
    Embedded, EmbeddedConfig, LogHandle, Retention,
    batch::Compression,
    disk::{Disk, SimulatedDisk},
};

use crate::conformance::{Bench, Durable};

type Now = Arc<Mutex<Timestamp>>;

fn now() -> Now {
    Arc::new(Mutex::new("2026-11-20T10:00:00Z".parse().unwrap()))
}

/// Small enough for a segment a batch.
const ONE_BATCH: u64 = 1;

fn config(disk: Arc<dyn Disk>, now: &Now) -> EmbeddedConfig {
    let clock = Arc::clone(now);
    EmbeddedConfig {
        disk,
        retention: Retention::default(),
        record_bytes_max: 4096,
        reserve_bytes: 0,
        clock: Arc::new(move || *clock.lock().unwrap()),
        ..EmbeddedConfig::new("/log")
    }
}

fn open(config: EmbeddedConfig) -> LogHandle {
    LogHandle::new(Embedded::open(config).unwrap())
}

fn simulated(retention: Retention, change: impl FnOnce(&mut EmbeddedConfig)) -> Bench {
    let now = now();
    let mut config = config(Arc::new(SimulatedDisk::new(1)), &now);
    config.retention = retention;
    change(&mut config);
    Bench { log: open(config), now }
}

mod a_batch_a_segment {
    use super::*;

    fn bench(retention: Retention) -> Bench {
        simulated(retention, |config| {
            config.segment_bytes_max = ONE_BATCH;
            config.compression = Compression::None;
        })
    }

    conformance!(bench);

    fn durable() -> Durable {
        let (now, disk) = (now(), SimulatedDisk::new(1));
        let clock = Arc::clone(&now);
        let open = move || {
            disk.kill();
            let mut config = config(Arc::new(disk.clone()), &clock);
            config.segment_bytes_max = ONE_BATCH;
            open(config)
        };
        Durable { open: Box::new(open), now }
    }

    durability!(durable);
}

mod without_a_cache {
    use super::*;

    fn bench(retention: Retention) -> Bench {
        simulated(retention, |config| {
            config.segment_bytes_max = ONE_BATCH;
            config.cache_bytes_max = 0;
        })
    }

    conformance!(bench);
}

mod on_a_real_disk {
    use super::*;

    /// A folder that goes with the test.
    #[derive(Clone)]
    struct Folder(Arc<PathBuf>);

    impl Folder {
        fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("pluvio-log-{}-{count}", std::process::id());
            Self(Arc::new(std::env::temp_dir().join(name)))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            if Arc::strong_count(&self.0) == 1 {
                let _missing = std::fs::remove_dir_all(&*self.0);
            }
        }
    }

    fn durable() -> Durable {
        let (now, folder) = (now(), Folder::new());
        let clock = Arc::clone(&now);
        let open = move || {
            let mut config = config(Arc::new(pluvio_log::disk::RealDisk), &clock);
            config.folder = folder.0.to_path_buf();
            open(config)
        };
        Durable { open: Box::new(open), now }
    }

    durability!(durable);
}
