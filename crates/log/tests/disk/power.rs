//! Power that goes, processes that end: what may be lost, what must not, and that both happen.

use std::{collections::BTreeSet, path::Path};

use pluvio_log::disk::{Disk, File, SimulatedDisk, is_power_off};

use crate::{disk, file};

const SEEDS: u64 = 500;
const SECTOR: usize = 512;

/// What is in `/d/a` after a restart, for every seed.
fn outcomes(run: fn(&SimulatedDisk)) -> Vec<Option<Vec<u8>>> {
    let outcome = |seed| {
        let disk = disk(seed);
        run(&disk);
        disk.restart();
        disk.read_file("/d/a")
    };
    (0..SEEDS).map(outcome).collect()
}

#[test]
fn what_was_synced_is_never_lost() {
    let outcomes = outcomes(|disk| {
        let a = file(disk, "a");
        a.write_at(&[1; 700], 0).unwrap();
        a.set_len(2000).unwrap();
        a.sync().unwrap();
        a.write_at(&[2; 700], 700).unwrap();
    });
    for content in outcomes {
        let content = content.unwrap();
        assert!(content[..700].iter().all(|byte| *byte == 1));
        assert_eq!(content.len(), 2000);
        assert!(content[1400..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn what_was_not_synced_is_lost_kept_and_kept_in_part() {
    let outcomes = outcomes(|disk| {
        let a = file(disk, "a");
        a.write_at(&[7; SECTOR * 4], 0).unwrap();
    });
    let lengths: BTreeSet<usize> = outcomes.iter().flatten().map(Vec::len).collect();
    assert!(lengths.contains(&0) && lengths.contains(&(SECTOR * 2)));
    let sectors = |content: &Vec<u8>| -> Vec<bool> {
        content.chunks(SECTOR).map(|sector| sector.iter().all(|byte| *byte == 7)).collect()
    };
    let kept: BTreeSet<Vec<bool>> = outcomes.iter().flatten().map(sectors).collect();
    assert!(kept.contains(&vec![true; 4]), "whole");
    assert!(kept.contains(&vec![false, true]), "a later sector without an earlier one");
    assert!(kept.contains(&vec![false; 4]), "the length alone");
}

#[test]
fn writes_survive_independently_of_their_order() {
    let outcomes = outcomes(|disk| {
        let a = file(disk, "a");
        a.write_at(&[1; SECTOR], 0).unwrap();
        a.write_at(&[2; SECTOR], SECTOR as u64).unwrap();
    });
    let is = |content: &[u8], byte| !content.is_empty() && content.iter().all(|it| *it == byte);
    let halves = |content: &Vec<u8>| {
        let (first, second) = content.split_at(content.len().min(SECTOR));
        (is(first, 1), is(second, 2))
    };
    let seen: BTreeSet<(bool, bool)> = outcomes.iter().flatten().map(halves).collect();
    assert_eq!(seen.len(), 4);
}

#[test]
fn sectors_are_torn() {
    let outcomes = outcomes(|disk| {
        let a = file(disk, "a");
        a.write_at(&[1; SECTOR * 2], 0).unwrap();
        a.sync().unwrap();
        a.write_at(&[2; SECTOR * 2], 0).unwrap();
    });
    let torn = outcomes.iter().flatten().flat_map(|content| content.chunks(SECTOR));
    let torn: Vec<&[u8]> =
        torn.filter(|sector| sector.iter().any(|byte| *byte != sector[0])).collect();
    let is_mixed = |sector: &&&[u8]| sector.iter().all(|byte| matches!(byte, 1 | 2));
    let mixed = torn.iter().filter(is_mixed).count();
    assert!(mixed > 10, "old and new in one sector");
    assert!(torn.len() - mixed > 10, "nonsense");
}

#[test]
fn a_name_that_was_not_synced_may_be_lost_with_all_that_was() {
    let outcomes = outcomes(|disk| {
        let a = disk.create(Path::new("/d/a")).unwrap();
        a.write_at(b"abc", 0).unwrap();
        a.sync().unwrap();
    });
    let seen: BTreeSet<_> = outcomes.into_iter().collect();
    assert_eq!(seen, BTreeSet::from([None, Some(b"abc".to_vec())]));
}

#[test]
fn a_rename_happened_or_not() {
    let outcomes = outcomes(|disk| {
        file(disk, "a").write_at(b"old", 0).unwrap();
        disk.open(Path::new("/d/a")).unwrap().sync().unwrap();
        let new = file(disk, "a.new");
        new.write_at(b"new", 0).unwrap();
        new.sync().unwrap();
        disk.rename(Path::new("/d/a.new"), Path::new("/d/a")).unwrap();
    });
    let seen: BTreeSet<_> = outcomes.into_iter().collect();
    assert_eq!(seen, BTreeSet::from([Some(b"old".to_vec()), Some(b"new".to_vec())]));
}

#[test]
fn a_removed_file_may_come_back_until_its_folder_is_synced() {
    let outcomes = outcomes(|disk| {
        let a = file(disk, "a");
        a.write_at(b"abc", 0).unwrap();
        a.sync().unwrap();
        disk.remove(Path::new("/d/a")).unwrap();
    });
    assert_eq!(outcomes.into_iter().collect::<BTreeSet<_>>().len(), 2);
}

#[test]
fn name_changes_survive_independently_and_a_sync_settles_them() {
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let disk = disk(seed);
        disk.create(Path::new("/d/a")).unwrap();
        disk.create(Path::new("/d/b")).unwrap();
        disk.restart();
        seen.insert(disk.paths());
        for name in ["/d/a", "/d/b"] {
            let _may_be_gone = disk.remove(Path::new(name));
        }
        disk.create(Path::new("/d/c")).unwrap();
        disk.sync_folder(Path::new("/d")).unwrap();
        disk.restart();
        assert_eq!(disk.paths(), [Path::new("/d/c")]);
    }
    assert_eq!(seen.len(), 4);
}

#[test]
fn a_folder_is_a_name_like_any_other() {
    let mut kept = BTreeSet::new();
    for seed in 0..SEEDS {
        let disk = SimulatedDisk::new(seed);
        disk.create_folder(Path::new("/x/y")).unwrap();
        disk.sync_folder(Path::new("/x")).unwrap();
        disk.restart();
        kept.insert(disk.list(Path::new("/x/y")).is_ok());
    }
    assert_eq!(kept.len(), 2);
}

#[test]
fn power_goes_during_the_call_that_was_named() {
    let disk = disk(3);
    let a = file(&disk, "a");
    disk.power_off_after(3);
    let before = disk.operations();
    a.write_at(b"abc", 0).unwrap();
    a.sync().unwrap();
    assert!(is_power_off(&a.write_at(b"def", 3).unwrap_err()));
    assert_eq!(disk.operations() - before, 3);
    assert!(is_power_off(&a.sync().unwrap_err()));
    assert!(is_power_off(&a.read_at(&mut [0; 3], 0).unwrap_err()));
    assert!(is_power_off(&a.len().unwrap_err()));
    assert!(is_power_off(&disk.list(Path::new("/d")).unwrap_err()));
    assert!(is_power_off(&disk.lock(Path::new("/d/LOCK"), "").err().unwrap()));
    disk.restart();
    let gone = a.read_at(&mut [0; 3], 0).unwrap_err();
    assert!(!is_power_off(&gone), "an old handle fails for its own reason");
    assert!(disk.read_file("/d/a").unwrap().starts_with(b"abc"));
    disk.open(Path::new("/d/a")).unwrap().write_at(b"x", 0).unwrap();
}

#[test]
fn every_change_may_have_its_effect_or_not_when_power_goes() {
    type Change = fn(&SimulatedDisk, &dyn File) -> std::io::Result<()>;
    let changes: [Change; 7] = [
        |_, a| a.write_at(b"abc", 0),
        |_, a| a.sync(),
        |_, a| a.set_len(9),
        |disk, _| disk.create(Path::new("/d/b")).map(drop),
        |disk, _| disk.rename(Path::new("/d/a"), Path::new("/d/b")),
        |disk, _| disk.remove(Path::new("/d/a")),
        |disk, _| disk.create_folder(Path::new("/d/f")),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let disk = disk(seed);
            let a = file(&disk, "a");
            a.write_at(b"before", 0).unwrap();
            disk.power_off_after(1);
            assert!(is_power_off(&change(&disk, &*a).unwrap_err()));
            disk.restart();
            let folder = disk.list(Path::new("/d")).unwrap();
            let names: Vec<_> = folder.into_iter().map(|listed| listed.name).collect();
            seen.insert((names, disk.read_file("/d/a"), disk.read_file("/d/b")));
        }
        assert!(seen.len() > 1, "change {number}");
    }
}

#[test]
fn a_process_that_ends_loses_nothing_but_its_handles_and_locks() {
    let disk = disk(1);
    let a = file(&disk, "a");
    a.write_at(b"abc", 0).unwrap();
    let lock = disk.lock(Path::new("/d/LOCK"), "1").unwrap();
    disk.kill();
    assert!(a.read_at(&mut [0], 0).is_err());
    assert_eq!(disk.read_file("/d/a").unwrap(), b"abc");
    let next = disk.lock(Path::new("/d/LOCK"), "2").unwrap();
    drop(lock);
    assert!(
        disk.lock(Path::new("/d/LOCK"), "3").is_err(),
        "an old lock frees nobody's but its own"
    );
    drop(next);
    disk.lock(Path::new("/d/LOCK"), "3").unwrap();
}

#[test]
fn the_same_seed_does_the_same() {
    let run = |seed| {
        let disk = disk(seed);
        for name in ["a", "b", "c"] {
            let file = disk.create(&Path::new("/d").join(name)).unwrap();
            file.write_at(&[5; 3000], 0).unwrap();
        }
        disk.power_off_after(1);
        let _power_off = disk.sync_folder(Path::new("/d"));
        disk.restart();
        disk.paths().into_iter().map(|path| disk.read_file(path)).collect::<Vec<_>>()
    };
    assert!((0..50).all(|seed| run(seed) == run(seed)));
    assert!((0..50).any(|seed| run(seed) != run(seed + 1)));
}
