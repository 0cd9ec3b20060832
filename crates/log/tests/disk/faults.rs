//! Calls that fail as told, and what they leave behind.

use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

use pluvio_log::disk::{Disk, Failure, Fault, Operation};

use crate::{disk, file};

const EIO: Option<i32> = Some(5);

#[test]
fn the_named_calls_fail_and_no_others() {
    let disk = disk(1);
    let (a, b) = (file(&disk, "a"), file(&disk, "b"));
    disk.inject(Fault::new(Operation::Write, Failure::Io).on("/a").after(1).times(2));
    a.write_at(b"1", 0).unwrap();
    b.write_at(b"1", 0).unwrap();
    b.write_at(b"1", 0).unwrap();
    assert_eq!(a.write_at(b"1", 0).unwrap_err().raw_os_error(), EIO);
    assert_eq!(a.set_len(7).unwrap_err().raw_os_error(), EIO);
    a.write_at(b"1", 0).unwrap();
    assert_eq!(a.len().unwrap(), 1);
}

#[test]
fn every_kind_of_call_can_fail_until_told_otherwise() {
    let disk = disk(1);
    let a = file(&disk, "a");
    a.write_at(b"abc", 0).unwrap();
    let (folder, path, other) = (Path::new("/d"), Path::new("/d/a"), Path::new("/d/b"));
    use Operation::{Create, Open, Read, Remove, Rename, Sync, SyncFolder, Write};
    for operation in [Open, Read, Write, Sync, Create, Rename, Remove, SyncFolder] {
        disk.inject(Fault::new(operation, Failure::Full).times(u64::MAX));
    }
    for _ in 0..3 {
        let failures = [
            disk.open(path).map(drop),
            a.read_at(&mut [0], 0),
            a.write_at(b"d", 3),
            a.sync(),
            disk.create(other).map(drop),
            disk.create_folder(other),
            disk.rename(path, other),
            disk.remove(path),
            disk.sync_folder(folder),
        ];
        for failure in failures {
            assert_eq!(failure.unwrap_err().kind(), io::ErrorKind::StorageFull);
        }
    }
    disk.clear_faults();
    assert_eq!(disk.paths(), [path]);
    disk.rename(path, other).unwrap();
    a.sync().unwrap();
}

#[test]
fn a_failed_write_may_have_written_any_part() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let disk = disk(seed);
        let a = file(&disk, "a");
        disk.inject(Fault::new(Operation::Write, Failure::Io));
        a.write_at(b"abc", 0).unwrap_err();
        lengths.insert(a.len().unwrap());
        a.write_at(b"abc", 0).unwrap();
        assert_eq!(disk.read_file("/d/a").unwrap(), b"abc");
    }
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn a_failed_sync_is_not_mended_by_the_next() {
    let (mut lost, mut kept) = (0, 0);
    for seed in 0..200 {
        let disk = disk(seed);
        let a = file(&disk, "a");
        a.write_at(b"abc", 0).unwrap();
        disk.inject(Fault::new(Operation::Sync, Failure::Io));
        a.sync().unwrap_err();
        a.write_at(b"def", 3).unwrap();
        a.sync().unwrap();
        assert_eq!(disk.read_file("/d/a").unwrap(), b"abcdef", "it is read until power is lost");
        disk.kill();
        assert_eq!(disk.read_file("/d/a").unwrap(), b"abcdef");
        disk.restart();
        let content = disk.read_file("/d/a").unwrap();
        assert_eq!(&content[3..], b"def", "what the second sync confirmed stays");
        if content.starts_with(b"abc") { kept += 1 } else { lost += 1 }
    }
    assert!(lost > 20 && kept > 20);
}

#[test]
fn a_failed_sync_of_names_is_not_mended_by_the_next() {
    let mut lost = 0;
    for seed in 0..100 {
        let disk = disk(seed);
        disk.create(Path::new("/d/a")).unwrap();
        disk.inject(Fault::new(Operation::SyncFolder, Failure::Io));
        disk.sync_folder(Path::new("/d")).unwrap_err();
        disk.sync_folder(Path::new("/d")).unwrap();
        assert_eq!(disk.paths().len(), 1);
        disk.restart();
        lost += usize::from(disk.paths().is_empty());
    }
    assert!((20..80).contains(&lost));
}

#[test]
fn a_rotten_byte_is_read_before_and_after_power_was_lost() {
    let disk = disk(1);
    let a = file(&disk, "a");
    a.write_at(b"abc", 0).unwrap();
    a.sync().unwrap();
    assert!(disk.flip("/d/a", 1, 0x20));
    assert!(!disk.flip("/d/a", 3, 1));
    assert!(!disk.flip("/d/b", 0, 1));
    assert_eq!(disk.read_file("/d/a").unwrap(), b"aBc");
    disk.restart();
    assert_eq!(disk.read_file("/d/a").unwrap(), b"aBc");
}

#[test]
fn a_slow_call_takes_as_long_as_told() {
    let disk = disk(1);
    let a = file(&disk, "a");
    disk.delay(Operation::Sync, Duration::from_millis(20));
    let start = Instant::now();
    a.sync().unwrap();
    assert!(start.elapsed() >= Duration::from_millis(20));
}

#[test]
fn calls_and_bytes_are_counted() {
    let disk = disk(1);
    let a = file(&disk, "a");
    let before = disk.operations();
    a.write_at(b"abc", 0).unwrap();
    a.sync().unwrap();
    a.sync().unwrap();
    a.read_at(&mut [0], 0).unwrap();
    assert_eq!((disk.operations() - before, disk.syncs(), disk.bytes_written()), (3, 2, 3));
}
