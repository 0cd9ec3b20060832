//! Mending a log whose ids of deleted records are damaged: a source that lists those events again must not have
//! them stored twice.

use jiff::Timestamp;
use pluvio_log::Log as _;

use crate::site::{Site, at, block_on, events, file};

/// Its first segment, of two batches, is deleted; the ids are left.
fn with_a_ghost() -> Site {
    let site = Site::new();
    block_on(site.open(1).trim(&events(), at(6))).unwrap();
    assert_eq!(site.damage(), []);
    site
}

fn forgotten(site: &Site) -> Option<Timestamp> {
    site.open(1).extent(&events()).unwrap().ids_forgotten_until
}

/// When the first record was recorded that is left.
fn left(site: &Site) -> Option<Timestamp> {
    let chunk = block_on(site.open(1).read(&events(), at(6), pluvio_log::ReadLimit::default()));
    chunk.unwrap().records().next().map(|record| record.recorded)
}

#[test]
fn a_repair_that_sets_ids_aside_notes_that_they_are_forgotten() {
    let site = with_a_ghost();
    assert_eq!(forgotten(&site), None);
    // In the header, and in the ids, which no start looks at.
    let end = site.bytes(file(0, "idx")).len() as u64 - 1;
    for byte in [40, end] {
        let site = with_a_ghost();
        assert!(site.disk.flip(file(0, "idx"), byte, 1));
        assert_eq!(site.damage().len(), 1, "byte {byte}");
        let told = site.repair();
        assert!(told[0].contains("its ids are forgotten"), "byte {byte}: {told:?}");
        assert_eq!(site.kept("events").len(), 1, "byte {byte}");
        for _start in 0..2 {
            assert_eq!(forgotten(&site), left(&site), "byte {byte}");
        }
    }
}

#[test]
fn a_repair_of_ids_and_of_what_would_note_that_they_are_forgotten_does_both() {
    let site = with_a_ghost();
    assert!(site.disk.flip(file(0, "idx"), 40, 1));
    assert!(site.disk.flip("/log/events/stream.json", 20, 1));
    assert_eq!(site.repair().len(), 3, "and the ends");
    assert_eq!(forgotten(&site), left(&site));
}

#[test]
fn a_repair_that_loses_power_anywhere_leaves_the_damage_or_the_note() {
    for step in 1.. {
        let site = with_a_ghost();
        assert!(site.disk.flip(file(0, "idx"), 40, 1));
        site.disk.power_off_after(step);
        let first = site.try_repair();
        site.disk.restart();
        // A start sees to it that either is enough.
        assert_eq!(forgotten(&site), left(&site), "power lost at change {step}");
        if first.is_ok() {
            break;
        }
    }
}
