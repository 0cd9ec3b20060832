//! One suite for the real disk and the simulated one: what the log relies on while nothing fails.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use pluvio_log::disk::{Disk, Listed, RealDisk, SimulatedDisk};

/// A folder of the machine's own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("pluvio-disk-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn on_both(check: fn(&dyn Disk, &Path)) {
    let folder = Folder::new();
    RealDisk.create_folder(&folder.0).unwrap();
    check(&RealDisk, &folder.0);
    let simulated = SimulatedDisk::new(1);
    simulated.create_folder(Path::new("/some/where")).unwrap();
    check(&simulated, Path::new("/some/where"));
}

fn listed(disk: &dyn Disk, folder: &Path) -> Vec<(String, Option<u64>)> {
    let listed = disk.list(folder).unwrap().into_iter();
    let mut listed: Vec<_> = listed.map(|Listed { name, bytes }| (name, bytes)).collect();
    listed.sort();
    listed
}

fn kind<T>(outcome: io::Result<T>) -> io::ErrorKind {
    outcome.err().unwrap().kind()
}

#[test]
fn what_was_written_is_read() {
    on_both(|disk, folder| {
        let file = disk.create(&folder.join("a")).unwrap();
        assert!(file.is_empty().unwrap());
        file.write_at(b"hello", 3).unwrap();
        file.write_at(b"HE", 3).unwrap();
        let mut buffer = [9; 8];
        file.read_at(&mut buffer, 0).unwrap();
        assert_eq!(&buffer, b"\0\0\0HEllo");
        assert_eq!(file.len().unwrap(), 8);
        file.sync().unwrap();
        let again = disk.open(&folder.join("a")).unwrap();
        again.read_at(&mut buffer[..2], 6).unwrap();
        assert_eq!(&buffer[..2], b"lo");
        file.write_at(b"", 100).unwrap();
        assert_eq!(again.len().unwrap(), 8);
    });
}

#[test]
fn reading_beyond_the_end_is_told() {
    on_both(|disk, folder| {
        let file = disk.create(&folder.join("a")).unwrap();
        file.write_at(b"abc", 0).unwrap();
        let mut buffer = [0; 2];
        assert_eq!(kind(file.read_at(&mut buffer, 2)), io::ErrorKind::UnexpectedEof);
        assert_eq!(kind(file.read_at(&mut buffer, 70)), io::ErrorKind::UnexpectedEof);
        file.read_at(&mut [], 70).unwrap();
    });
}

#[test]
fn a_length_is_set_in_both_directions() {
    on_both(|disk, folder| {
        let file = disk.create(&folder.join("a")).unwrap();
        file.write_at(b"abcdef", 0).unwrap();
        file.set_len(2).unwrap();
        file.set_len(4).unwrap();
        let mut buffer = [9; 4];
        file.read_at(&mut buffer, 0).unwrap();
        assert_eq!(&buffer, b"ab\0\0");
    });
}

#[test]
fn names_come_and_go() {
    on_both(|disk, folder| {
        let (a, b) = (folder.join("a"), folder.join("b"));
        assert_eq!(kind(disk.open(&a)), io::ErrorKind::NotFound);
        assert_eq!(kind(disk.remove(&a)), io::ErrorKind::NotFound);
        assert_eq!(kind(disk.rename(&a, &b)), io::ErrorKind::NotFound);
        disk.create(&a).unwrap().write_at(b"a", 0).unwrap();
        assert_eq!(kind(disk.create(&a)), io::ErrorKind::AlreadyExists);
        disk.create(&b).unwrap().write_at(b"bb", 0).unwrap();
        disk.create_folder(&folder.join("c/d")).unwrap();
        disk.create_folder(&folder.join("c")).unwrap();
        let expected = [("a".into(), Some(1)), ("b".into(), Some(2)), ("c".into(), None)];
        assert_eq!(listed(disk, folder), expected);
        disk.rename(&a, &b).unwrap();
        assert_eq!(listed(disk, folder), [("b".into(), Some(1)), ("c".into(), None)]);
        disk.remove(&b).unwrap();
        disk.sync_folder(folder).unwrap();
        assert_eq!(listed(disk, folder), [("c".into(), None)]);
        assert_eq!(listed(disk, &folder.join("c")), [("d".into(), None)]);
    });
}

#[test]
fn a_folder_that_is_not_there_holds_nothing() {
    on_both(|disk, folder| {
        let missing = folder.join("missing");
        assert_eq!(kind(disk.list(&missing)), io::ErrorKind::NotFound);
        assert_eq!(kind(disk.sync_folder(&missing)), io::ErrorKind::NotFound);
        assert_eq!(kind(disk.create(&missing.join("a"))), io::ErrorKind::NotFound);
        assert_eq!(kind(disk.list(Path::new(""))), io::ErrorKind::NotFound);
        assert_eq!(kind(disk.sync_folder(Path::new(""))), io::ErrorKind::NotFound);
    });
}

#[test]
fn a_removed_or_replaced_file_stays_readable_for_who_has_it_open() {
    on_both(|disk, folder| {
        let (a, b) = (folder.join("a"), folder.join("b"));
        let (old, removed) = (disk.create(&b).unwrap(), disk.create(&a).unwrap());
        old.write_at(b"old", 0).unwrap();
        removed.write_at(b"new", 0).unwrap();
        disk.rename(&a, &b).unwrap();
        disk.remove(&b).unwrap();
        let mut buffer = [0; 3];
        old.read_at(&mut buffer, 0).unwrap();
        assert_eq!(&buffer, b"old");
        removed.write_at(b"er", 1).unwrap();
        removed.read_at(&mut buffer, 0).unwrap();
        assert_eq!(&buffer, b"ner");
        disk.create(&b).unwrap();
        assert_eq!(removed.len().unwrap(), 3);
    });
}

#[test]
fn a_lock_is_held_until_it_is_dropped() {
    on_both(|disk, folder| {
        let path = folder.join("LOCK");
        let lock = disk.lock(&path, "process 17").unwrap();
        assert_eq!(kind(disk.lock(&path, "18")), io::ErrorKind::WouldBlock);
        let holder = disk.open(&path).unwrap();
        let mut buffer = [0; 10];
        holder.read_at(&mut buffer, 0).unwrap();
        assert_eq!(&buffer, b"process 17");
        drop(lock);
        let _lock = disk.lock(&path, "18").unwrap();
        assert_eq!(listed(disk, folder), [("LOCK".into(), Some(2))]);
    });
}

#[test]
fn who_removes_the_file_of_a_lock_lets_nobody_else_in() {
    on_both(|disk, folder| {
        let path = folder.join("LOCK");
        let lock = disk.lock(&path, "process 17").unwrap();
        disk.remove(&path).unwrap();
        assert_eq!(kind(disk.lock(&path, "18")), io::ErrorKind::WouldBlock);
        assert!(disk.is_locked(&path).unwrap());
        assert!(lock.is_kept().unwrap());
        drop(lock);
        let _lock = disk.lock(&path, "18").unwrap();
    });
}

#[test]
fn an_open_file_is_where_its_name_leads_to_it_and_nowhere_else() {
    on_both(|disk, folder| {
        let (a, b) = (folder.join("a"), folder.join("b"));
        let file = disk.create(&a).unwrap();
        assert!(file.is_at(&a).unwrap());
        assert!(!file.is_at(&b).unwrap(), "a name that leads nowhere");
        disk.rename(&a, &b).unwrap();
        assert!(!file.is_at(&a).unwrap(), "renamed");
        assert!(file.is_at(&b).unwrap());
        disk.remove(&b).unwrap();
        disk.create(&b).unwrap();
        assert!(!file.is_at(&b).unwrap(), "another file in its place");
    });
}

#[test]
fn there_is_some_room() {
    on_both(|disk, folder| assert!(disk.free_bytes(folder).unwrap() > 0));
}
