//! A disk that is full, and has room again.

use std::{io, path::Path};

use pluvio_log::disk::{Disk, SimulatedDisk};

use crate::{disk, file};

fn free(disk: &SimulatedDisk) -> u64 {
    disk.free_bytes(Path::new("/d")).unwrap()
}

#[test]
fn only_what_lengthens_takes_room_and_removing_gives_it_back() {
    let disk = disk(1);
    disk.capacity(Some(100));
    let a = file(&disk, "a");
    a.write_at(&[1; 60], 0).unwrap();
    a.write_at(&[2; 60], 0).unwrap();
    assert_eq!(free(&disk), 40);
    a.set_len(90).unwrap();
    assert_eq!(free(&disk), 10);
    assert_eq!(a.set_len(101).unwrap_err().kind(), io::ErrorKind::StorageFull);
    a.set_len(50).unwrap();
    assert_eq!(free(&disk), 50);
    disk.rename(Path::new("/d/a"), Path::new("/d/b")).unwrap();
    assert_eq!(free(&disk), 50);
    disk.remove(Path::new("/d/b")).unwrap();
    assert_eq!(free(&disk), 100);
    a.write_at(&[1; 500], 0).unwrap();
    assert_eq!(free(&disk), 100, "a file without a name is on nobody's account");
}

#[test]
fn what_a_rename_replaces_gives_back_its_room() {
    let disk = disk(1);
    disk.capacity(Some(100));
    file(&disk, "a").write_at(&[1; 30], 0).unwrap();
    file(&disk, "b").write_at(&[1; 20], 0).unwrap();
    disk.rename(Path::new("/d/a"), Path::new("/d/b")).unwrap();
    assert_eq!(free(&disk), 70);
}

#[test]
fn a_write_without_room_may_be_done_in_part() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let disk = disk(seed);
        disk.capacity(Some(10));
        let a = file(&disk, "a");
        a.write_at(&[1; 8], 0).unwrap();
        let full = a.write_at(&[2; 8], 4).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        lengths.insert(a.len().unwrap());
        assert!(free(&disk) <= 2);
        disk.capacity(None);
        a.write_at(&[2; 8], 4).unwrap();
    }
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [8, 9, 10]);
}

#[test]
fn room_is_counted_anew_when_power_comes_back() {
    for seed in 0..200 {
        let disk = disk(seed);
        disk.capacity(Some(10_000));
        for name in ["a", "b", "c"] {
            disk.create(&Path::new("/d").join(name)).unwrap().write_at(&[1; 2000], 0).unwrap();
        }
        disk.remove(Path::new("/d/a")).unwrap();
        disk.restart();
        let contents = disk.paths().into_iter().filter_map(|path| disk.read_file(path));
        let used: usize = contents.map(|content| content.len()).sum();
        assert_eq!(free(&disk), 10_000 - used as u64);
    }
}
