//! What every disk does, on every disk there is, and what the simulated one does on a bad day.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beneath;
mod both;
mod faults;
mod links;
mod power;
mod room;

use std::{path::Path, sync::Arc};

use pluvio_log::disk::{Disk, File, SimulatedDisk};

/// A simulated disk with the folder `/d`, durable.
fn disk(seed: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(seed);
    disk.create_folder(Path::new("/d")).unwrap();
    disk.sync_folder(Path::new("/")).unwrap();
    disk
}

/// A file in it, whose name is durable.
fn file(disk: &SimulatedDisk, name: &str) -> Arc<dyn File> {
    let file = disk.create(&Path::new("/d").join(name)).unwrap();
    disk.sync_folder(Path::new("/d")).unwrap();
    file
}
