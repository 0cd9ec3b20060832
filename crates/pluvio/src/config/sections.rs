//! The section that belongs to no component: `[log]`.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Duration,
};

use pluvio_log::{
    Embedded, EmbeddedConfig, Entries, Fsync, LogHandle, Memory, MemoryConfig, Offset, OpenError,
    Retention, StreamName, Table, batch::Compression, disk::RealDisk, inspect,
};
use pluvio_net::unit::{ByteSize, Period};
use pluvio_runtime::ATTRIBUTES_BYTES_MAX;
use rustix::fs::Access;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The log.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSection {
    /// Where the log is kept: `disk`, or `memory`, as long as the process lives.
    #[serde(rename = "type")]
    pub(crate) log_type: LogType,
    /// Folder of a log on disk, relative to where Pluvio is started. One process uses it at a time.
    pub(crate) dir: PathBuf,
    /// When an event counts as stored: `always`, behind a sync of the disk, so that power loss takes
    /// nothing; `os`, as soon as the operating system has it, so that only the end of the machine
    /// takes something.
    pub(crate) fsync: FsyncPolicy,
    /// How events are packed on disk: `lz4` or `none`. Readers over Kafka get them as they are stored.
    pub(crate) compression: Packing,
    /// Delete events that were recorded longer ago than this.
    pub(crate) retention_age: Period,
    /// Keep at most this much of each stream; in memory 64 MiB unless set.
    #[schemars(extend("default" = "10 GiB", "x-default-varies" = true))]
    pub(crate) retention_size: Option<ByteSize>,
    /// Keep at most this many events of each stream; all that fit if not set.
    pub(crate) retention_records: Option<u64>,
    /// Size of a file of the log; retention deletes whole files.
    pub(crate) segment_size: ByteSize,
    /// An event larger than this is stored without its data, marked with `dataomitted`.
    pub(crate) record_max: ByteSize,
    /// Memory for what was read or written last.
    pub(crate) cache: ByteSize,
    /// What stays free on the disk: with less, nothing is stored until there is room again.
    pub(crate) reserve: ByteSize,
}

/// Where a log is kept.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogType {
    /// In a folder.
    #[default]
    Disk,
    /// In memory.
    Memory,
}

/// When an event counts as stored.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FsyncPolicy {
    /// Behind a sync.
    #[default]
    Always,
    /// When the operating system has it.
    Os,
}

/// How events are packed on disk.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Packing {
    /// LZ4.
    #[default]
    Lz4,
    /// Not at all.
    None,
}

impl Default for LogSection {
    fn default() -> Self {
        Self {
            log_type: LogType::default(),
            dir: PathBuf::from("data"),
            fsync: FsyncPolicy::default(),
            compression: Packing::default(),
            retention_age: Period(Duration::from_secs(30 * 86_400)),
            retention_size: None,
            retention_records: None,
            segment_size: ByteSize(128 << 20),
            record_max: ByteSize(512 << 10),
            cache: ByteSize(16 << 20),
            reserve: ByteSize(64 << 20),
        }
    }
}

/// Retention of a log in memory unless told otherwise.
const MEMORY_BYTES: u64 = 64 << 20;
/// Retention of a log on disk unless told otherwise.
const DISK_BYTES: u64 = 10 << 30;
/// A batch is found by 32 bits in its segment, and a segment is read into memory by parts of it.
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = 1 << 20..=2 << 30;

impl LogSection {
    /// Opens the log, recovering what is there. Blocks.
    pub(crate) fn open(&self) -> Result<LogHandle, OpenError> {
        match self.log_type {
            LogType::Disk => Embedded::open(self.disk()).map(LogHandle::new),
            LogType::Memory => Ok(LogHandle::new(Memory::new(self.memory()))),
        }
    }

    /// What stands in `__cursors`, read beside whoever has the log open; `None`: there is no log, or it
    /// cannot be read.
    pub(crate) fn cursors(&self) -> Option<Entries> {
        if self.log_type == LogType::Memory {
            return None;
        }
        let table = StreamName::new(Table::Cursors.name()).ok()?;
        let mut entries = Entries::new();
        let mut visit = |record: inspect::Dumped| {
            match (record.key, record.value.filter(|value| !value.is_empty())) {
                (Some(key), Some(value)) => drop(entries.insert(key, value)),
                (Some(key), None) => drop(entries.remove(&key)),
                (None, _) => {}
            }
            ControlFlow::Continue(())
        };
        inspect::dump(&RealDisk, &self.dir, &table, Offset::ZERO, &mut visit).ok()?;
        Some(entries)
    }

    fn retention(&self, bytes: u64) -> Retention {
        Retention {
            age: Some(self.retention_age.0),
            bytes_max: Some(self.retention_size.map_or(bytes, |size| size.0)),
            records_max: self.retention_records,
        }
    }

    /// How long records stay, wherever the log is kept.
    pub(crate) fn kept(&self) -> Retention {
        match self.log_type {
            LogType::Disk => self.retention(DISK_BYTES),
            LogType::Memory => self.retention(MEMORY_BYTES),
        }
    }

    fn memory(&self) -> MemoryConfig {
        let retention = self.retention(MEMORY_BYTES);
        let record_bytes_max = self.record_bytes_max();
        MemoryConfig { retention, record_bytes_max, ..MemoryConfig::default() }
    }

    fn disk(&self) -> EmbeddedConfig {
        EmbeddedConfig {
            fsync: match self.fsync {
                FsyncPolicy::Always => Fsync::Always,
                FsyncPolicy::Os => Fsync::Os,
            },
            compression: match self.compression {
                Packing::Lz4 => Compression::Lz4,
                Packing::None => Compression::None,
            },
            retention: self.retention(DISK_BYTES),
            segment_bytes_max: self.segment_size.0,
            record_bytes_max: self.record_bytes_max(),
            cache_bytes_max: self.cache.0,
            reserve_bytes: self.reserve.0,
            ..EmbeddedConfig::new(&self.dir)
        }
    }

    /// What is wrong with the folder, as far as it can be seen without making it.
    pub(crate) fn wrong_dir(&self) -> Option<String> {
        if self.log_type == LogType::Memory {
            return None;
        }
        if self.dir.as_os_str().is_empty() {
            return Some("names no folder; write for example \"data\"".to_owned());
        }
        let there = self.first_there()?;
        let is_link_to_nothing = !there.exists();
        (!there.is_dir()).then(|| match is_link_to_nothing {
            true => format!("`{}` is a link that leads nowhere; mend it", there.display()),
            false => format!("`{}` is no folder; name another one", there.display()),
        })
    }

    /// Why a Pluvio of this user could not write its log, as far as it can be seen without making it: its
    /// folder, or that in which it would be made, may belong to another one.
    pub(crate) fn unwritable_dir(&self) -> Option<String> {
        if self.log_type == LogType::Memory {
            return None;
        }
        let there = self.first_there().unwrap_or(Path::new("."));
        let rights = Access::WRITE_OK | Access::EXEC_OK;
        let refused = rustix::fs::access(there, rights).err()?;
        Some(format!(
            "this user cannot write to `{}` ({}); run Pluvio as a user who can, or name another `dir`",
            there.display(),
            std::io::Error::from(refused)
        ))
    }

    /// The folder or what is there of the way to it; also a link that leads nowhere.
    fn first_there(&self) -> Option<&Path> {
        self.dir.ancestors().find(|it| !it.as_os_str().is_empty() && it.symlink_metadata().is_ok())
    }

    /// What is wrong with the size of segments, if anything.
    pub(crate) fn wrong_segment_size(&self) -> Option<String> {
        let (min, max) = (ByteSize(*SEGMENT_BYTES.start()), ByteSize(*SEGMENT_BYTES.end()));
        let wrong = !SEGMENT_BYTES.contains(&self.segment_size.0);
        wrong.then(|| format!("{} is not between {min} and {max}", self.segment_size))
    }

    /// What is wrong with the limit of records, if anything.
    pub(crate) fn wrong_record_max(&self) -> Option<String> {
        let min = ByteSize(ATTRIBUTES_BYTES_MAX as u64);
        let max = ByteSize(EmbeddedConfig::RECORD_BYTES_LIMIT as u64);
        let is_wrong = self.record_max < min || self.record_max > max;
        is_wrong.then(|| format!("{} is not between {min} and {max}", self.record_max))
    }

    pub(crate) fn record_bytes_max(&self) -> usize {
        usize::try_from(self.record_max.0).unwrap_or(usize::MAX)
    }
}
