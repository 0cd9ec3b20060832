//! A log of our own in this process, on a disk that counts; and events to fill it.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Result;
use pluvio_event::{Data, Event, json};
use pluvio_log::{
    Embedded, EmbeddedConfig, Log as _, LogHandle, Position, ReadLimit, Record, SourceName,
    StreamName,
    batch::Compression,
    disk::{Disk, File, Listed, Lock, RealDisk},
};
use rand::{RngExt as _, SeedableRng as _, distr::Alphanumeric, rngs::StdRng};

/// What a disk was asked to do.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Told>);

/// See [`Tally`].
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Bytes of batches that each sync covered; zeros written ahead do not count.
    pub(crate) groups: Vec<usize>,
    /// Bytes of batches that were written since the last sync.
    open: usize,
    pub(crate) syncs: usize,
    /// How long each write of a group with its sync took.
    pub(crate) sync_seconds: Vec<f64>,
    begun: Option<Instant>,
}

impl Tally {
    /// What was told since the last time.
    pub(crate) fn take(&self) -> Told {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, note: impl FnOnce(&mut Told)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The machine's disk, counting what happens to segments of the stream.
#[derive(Debug)]
struct Counting(Arc<Tally>);

#[derive(Debug)]
struct CountingFile {
    file: Arc<dyn File>,
    tally: Arc<Tally>,
}

impl Counting {
    fn wrap(&self, path: &Path, file: Arc<dyn File>) -> Arc<dyn File> {
        let is_counted = path.extension().is_some_and(|extension| extension == "log")
            && path.parent().is_some_and(|folder| folder.ends_with("events"));
        if is_counted { Arc::new(CountingFile { file, tally: Arc::clone(&self.0) }) } else { file }
    }
}

impl Disk for Counting {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_folder(path)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        RealDisk.list(folder)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.wrap(path, RealDisk.create(path)?))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.wrap(path, RealDisk.open(path)?))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_folder(path)
    }
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Box<dyn Lock>> {
        RealDisk.lock(path, holder)
    }
    fn lock_folder(&self, folder: &Path) -> io::Result<Box<dyn Lock>> {
        RealDisk.lock_folder(folder)
    }
    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        RealDisk.is_locked(path)
    }
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        RealDisk.free_bytes(path)
    }
}

/// Where a batch says what it is.
const MAGIC_AT: usize = 16;

impl File for CountingFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read_at(buffer, at)
    }
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let begun = Instant::now();
        if bytes.get(MAGIC_AT) == Some(&2) {
            self.tally.note(|told| {
                told.open += bytes.len();
                told.begun.get_or_insert(begun);
            });
        }
        self.file.write_at(bytes, at)
    }
    fn sync(&self) -> io::Result<()> {
        let synced = self.file.sync();
        self.tally.note(|told| {
            told.syncs += 1;
            let group = std::mem::take(&mut told.open);
            told.groups.extend((group > 0).then_some(group));
            if let Some(begun) = told.begun.take() {
                told.sync_seconds.push(begun.elapsed().as_secs_f64());
            }
        });
        synced
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn is_at(&self, path: &Path) -> io::Result<bool> {
        self.file.is_at(path)
    }
    fn lock(&self) -> io::Result<()> {
        self.file.lock()
    }
    fn unlock(&self) {
        self.file.unlock();
    }
}

/// A read that waits.
pub(crate) const WAITING: ReadLimit =
    ReadLimit { records_max: 1000, bytes_max: 1 << 20, wait: Duration::from_secs(60) };

pub(crate) fn stream() -> StreamName {
    StreamName::events()
}

/// Opens a log in `folder`, synced always, with the stream in it.
pub(crate) async fn open(
    folder: &Path,
    compression: Compression,
    tally: &Arc<Tally>,
) -> Result<LogHandle> {
    let config = EmbeddedConfig {
        disk: Arc::new(Counting(Arc::clone(tally))),
        compression,
        retention: pluvio_log::Retention::default(),
        ..EmbeddedConfig::new(folder)
    };
    let log = LogHandle::new(Embedded::open(config)?);
    log.open(&stream()).await?;
    tally.take();
    Ok(log)
}

/// Events of 1 KB when encoded.
pub(crate) fn records(appender: usize, from: usize, count: usize) -> Vec<Record> {
    let data = format!("{{\"padding\":\"{}\"}}", "x".repeat(880));
    let one = |number: usize| {
        let id = format!("{appender:04}-{number:012}");
        record(&id, "com.example.padding.v0", "urn:bench", &data)
    };
    (from..from + count).filter_map(one).collect()
}

/// Events as a vCenter makes them.
pub(crate) fn vsphere_records(from: usize, count: usize) -> Vec<Record> {
    let one = |key: usize| {
        let (vm, host) = (key * 7919 % 500, key * 31 % 16);
        let data = format!(
            "{{\"Key\":{key},\"ChainId\":{},\"CreatedTime\":\"2026-11-20T10:{:02}:{:02}.{:06}Z\",\
             \"UserName\":\"VSPHERE.LOCAL\\\\Administrator\",\
             \"Datacenter\":{{\"Name\":\"DC0\",\"Datacenter\":{{\"Type\":\"Datacenter\",\"Value\":\"datacenter-2\"}}}},\
             \"ComputeResource\":{{\"Name\":\"DC0_C0\",\"ComputeResource\":{{\"Type\":\"ClusterComputeResource\",\"Value\":\"domain-c{}\"}}}},\
             \"Host\":{{\"Name\":\"DC0_C0_H{host}\",\"Host\":{{\"Type\":\"HostSystem\",\"Value\":\"host-{}\"}}}},\
             \"Vm\":{{\"Name\":\"DC0_C0_RP0_VM{vm}\",\"Vm\":{{\"Type\":\"VirtualMachine\",\"Value\":\"vm-{}\"}}}},\
             \"Ds\":null,\"Net\":null,\"Dvs\":null,\
             \"FullFormattedMessage\":\"DC0_C0_RP0_VM{vm} on DC0_C0_H{host} in DC0 is powered on\",\
             \"ChangeTag\":\"\",\"Template\":false}}",
            key - key % 3,
            key / 60 % 60,
            key % 60,
            key * 7919 % 1_000_000,
            20 + vm % 3,
            30 + host,
            57 + vm
        );
        record(
            &key.to_string(),
            "com.vmware.vsphere.VmPoweredOnEvent.v0",
            "https://vc.example.org/sdk",
            &data,
        )
    };
    (from..from + count).filter_map(one).collect()
}

/// Events of about so many bytes that no compression makes smaller.
pub(crate) fn noise_records(from: usize, count: usize, bytes: usize) -> Vec<Record> {
    let mut random = StdRng::seed_from_u64(from as u64);
    let one = |number: usize| {
        let noise: String = (0..bytes).map(|_| random.sample(Alphanumeric) as char).collect();
        let data = format!("{{\"noise\":\"{noise}\"}}");
        record(&number.to_string(), "com.example.noise.v0", "urn:bench", &data)
    };
    (from..from + count).filter_map(one).collect()
}

/// An event whose payload is a list of so many numbers.
pub(crate) fn large_records(number: usize, numbers: usize) -> Vec<Record> {
    let data = format!("{{\"Key\":1,\"N\":[{}]}}", vec!["1"; numbers].join(","));
    let id = format!("large-{number}");
    record(&id, "com.example.large.v0", "urn:bench", &data).into_iter().collect()
}

fn record(id: &str, kind: &str, source: &str, data: &str) -> Option<Record> {
    let data = Data::json(data).ok()?;
    let event = Event::builder(id, source, kind).data(data).build().ok()?;
    let (source, position) = (SourceName::new("bench").ok()?, Position::new(id).ok()?);
    Some(Record { event, source, position, at_least: None })
}

/// Bytes of the key and value of a record when it is stored.
pub(crate) fn payload(record: &Record) -> usize {
    json::to_vec(&record.event).len() + record.event.subject().map_or(0, str::len)
}
