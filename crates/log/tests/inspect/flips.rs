//! Every byte of a sealed segment and of its index, changed one by one: each is told with its place.

use pluvio_log::inspect::Severity;

use crate::site::{Site, file};

/// Where a batch begins, at or below `byte`.
fn begins(content: &[u8], byte: u64) -> u64 {
    let mut at = 0;
    loop {
        let field = content[at as usize + 8..at as usize + 12].try_into().unwrap();
        let next = at + 12 + u64::from(u32::from_be_bytes(field));
        if next > byte {
            return at;
        }
        at = next;
    }
}

#[test]
fn no_byte_of_a_sealed_segment_changes_unseen() {
    let site = Site::new();
    let path = file(0, "log");
    let content = site.bytes(&path);
    for byte in 0..content.len() as u64 {
        for xor in [1, 0x80, 0xff] {
            assert!(site.disk.flip(&path, byte, xor));
            let damage = site.damage();
            assert!(site.disk.flip(&path, byte, xor));
            let here = damage.iter().find(|f| f.file == path && f.severity == Severity::Damage);
            let here = here.unwrap_or_else(|| panic!("byte {byte} ^ {xor}: {damage:?}"));
            assert_eq!(here.bytes.start, begins(&content, byte), "byte {byte} ^ {xor}: {here}");
        }
    }
}

#[test]
fn no_byte_of_an_index_changes_unseen() {
    let site = Site::new();
    let path = file(0, "idx");
    for byte in 0..site.bytes(&path).len() as u64 {
        assert!(site.disk.flip(&path, byte, 0x10));
        let told = site.harmless();
        assert_eq!(site.damage(), []);
        assert!(site.disk.flip(&path, byte, 0x10));
        assert_eq!((told.len(), &told[0].file), (1, &path), "byte {byte}");
    }
}

#[test]
fn every_byte_of_a_sealed_segment_is_mended_or_told_to_readers() {
    let content = Site::new().bytes(file(0, "log"));
    for byte in (0..content.len() as u64).step_by(7) {
        let site = Site::new();
        assert!(site.disk.flip(file(0, "log"), byte, 1));
        site.repair();
        let read = site.read();
        let lost = 13 - read.iter().filter(|(_, id)| id != "gap").count();
        let gaps = read.iter().filter(|(_, id)| id == "gap").count();
        assert!((lost, gaps) == (0, 0) || (lost, gaps) == (3, 1), "byte {byte}: {read:?}");
    }
}
