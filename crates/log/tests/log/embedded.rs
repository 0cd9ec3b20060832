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
use pluvio_log::{Embedded, EmbeddedConfig, LogHandle, Retention, disk::Disk};

use crate::conformance::{Bench, Durable};

type Now = Arc<Mutex<Timestamp>>;

fn now() -> Now {
    Arc::new(Mutex::new("2026-11-20T10:00:00Z".parse().unwrap()))
}

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

    fn bench(retention: Retention) -> Bench {
        let now = now();
        let folder = Folder::new();
        let mut config = config(Arc::new(pluvio_log::disk::RealDisk), &now);
        config.folder = folder.0.to_path_buf();
        config.segment_bytes_max = 1;
        config.retention = retention;
        std::mem::forget(folder);
        Bench { log: open(config), now }
    }

    conformance!(bench);
}
