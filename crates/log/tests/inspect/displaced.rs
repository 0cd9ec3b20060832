//! Whole batches that are not where they were written: taken out, in each other's place, or of another log.
//! Whoever starts, verifies and repairs judges them alike, and no record goes untold.

use pluvio_log::Log as _;

use crate::site::{FOLDER, Site, at, block_on, events, file, record};

/// Records 16 to 23 lie in the active segment, one in each batch.
const ACTIVE: i64 = 16;
const NEXT: i64 = 24;

/// A log with eight batches in the active segment, closed. `noted`: the last record of which the end is noted.
fn site(noted: i64) -> Site {
    let (site, ends) = (Site::new(), format!("{FOLDER}/ENDS"));
    let append = |offsets: std::ops::RangeInclusive<i64>| {
        let log = site.open(1 << 20);
        for offset in offsets {
            block_on(log.append(&events(), vec![record(offset - 4, None)])).unwrap();
        }
    };
    append(ACTIVE + 1..=noted);
    let early = site.bytes(&ends);
    append(noted + 1..=NEXT - 1);
    // As a crash leaves it: it says less, and what it says is true.
    site.replace(&ends, &early);
    site
}

/// The batches of the active segment.
fn batches(site: &Site) -> Vec<Vec<u8>> {
    let content = site.bytes(file(ACTIVE, "log"));
    let (mut at, mut batches) = (0, Vec::new());
    while content.get(at + 16) == Some(&2) {
        let field = content[at + 8..at + 12].try_into().unwrap();
        let end = at + 12 + u32::from_be_bytes(field) as usize;
        batches.push(content[at..end].to_vec());
        at = end;
    }
    batches
}

fn replace(site: &Site, batches: &[Vec<u8>]) {
    site.replace(file(ACTIVE, "log"), &batches.concat());
}

/// Another log with the same offsets in its active segment, so many in a batch.
fn other(packed: i64) -> Site {
    let (site, end) = (Site::new(), NEXT - 4);
    for first in (13..end).step_by(packed as usize) {
        let records = (first..end.min(first + packed)).map(|nth| record(nth, None)).collect();
        block_on(site.open(1 << 20).append(&events(), records)).unwrap();
    }
    site
}

/// Refused by a start and told by `verify`; behind a repair each record is read or named as lost, and no offset
/// is given out again. What is named.
fn is_told_and_mended(site: &Site, what: &str) -> Vec<String> {
    let refused = site.try_open(1 << 20).map(drop);
    assert!(refused.is_err(), "{what}: a start takes it");
    assert!(!site.damage().is_empty(), "{what}: `verify` says nothing");
    site.repair();
    let (read, lost) = (site.read_from(ACTIVE), site.lost());
    for offset in ACTIVE..NEXT {
        let is_read = read.contains(&(offset, format!("id-{}", offset - 4)));
        let is_lost = lost.iter().any(|range| {
            let (from, last) = range.split_once(" to ").unwrap();
            (from.parse().unwrap()..=last.parse().unwrap()).contains(&offset)
        });
        assert!(is_read || is_lost, "{what}: nothing tells of {offset}: {read:?}, {lost:?}");
    }
    block_on(async {
        let log = site.open(1 << 20);
        let span = log.append(&events(), vec![record(90, None)]).await.unwrap();
        assert!(span.start >= at(NEXT), "{what}: an offset was given out twice");
    });
    assert_eq!(site.damage(), [], "{what}");
    lost
}

#[test]
fn a_batch_taken_out_before_the_one_that_is_noted_is_named_as_lost() {
    for noted in [20, NEXT - 1] {
        for taken in ACTIVE..=noted {
            let site = site(noted);
            let mut batches = batches(&site);
            batches.remove((taken - ACTIVE) as usize);
            replace(&site, &batches);
            let lost = is_told_and_mended(&site, &format!("{taken} of {noted}"));
            assert_eq!(lost, [format!("{taken} to {taken}")], "noted up to {noted}");
        }
    }
}

#[test]
fn two_batches_in_each_others_place_cost_no_record_untold() {
    for (is_noted, first) in (ACTIVE..NEXT - 1).flat_map(|nth| [(true, nth), (false, nth)]) {
        let site = site(20);
        let mut batches = batches(&site);
        batches.swap((first - ACTIVE) as usize, (first - ACTIVE) as usize + 1);
        replace(&site, &batches);
        if !is_noted {
            site.remove(format!("{FOLDER}/ENDS"));
        }
        let lost = is_told_and_mended(&site, &format!("{first}, ends known: {is_noted}"));
        assert_eq!(lost, [format!("{} to {}", first + 1, first + 1)], "ends known: {is_noted}");
    }
}

#[test]
fn offsets_that_were_never_given_out_are_not_named_where_no_batch_was_taken_out() {
    let (site, ends) = (Site::new(), format!("{FOLDER}/ENDS"));
    let append = |nth, at_least| {
        let log = site.open(1 << 20);
        block_on(log.append(&events(), vec![record(nth, at_least)])).unwrap();
    };
    append(13, Some(30));
    append(14, None);
    let early = site.bytes(&ends);
    append(15, None);
    site.replace(&ends, &early);
    let mut batches = batches(&site);
    batches.swap(2, 3);
    replace(&site, &batches);
    site.repair();
    assert_eq!(site.lost(), ["32 to 32"]);
}

#[test]
fn an_active_segment_of_another_log_is_told_where_no_batch_begins_at_the_noted_byte() {
    for packed in 2..=NEXT - ACTIVE {
        for noted in [17, 20, 22] {
            let site = site(noted);
            replace(&site, &batches(&other(packed)));
            let lost = is_told_and_mended(&site, &format!("{packed} in a batch, noted {noted}"));
            assert_eq!(lost.len(), 1, "{packed} in a batch, noted {noted}: {lost:?}");
        }
    }
}

#[test]
fn a_repair_of_a_displaced_segment_that_loses_power_is_simply_begun_again() {
    type Hurt = fn(&mut Vec<Vec<u8>>);
    let taken_out: Hurt = |batches| drop(batches.drain(1..3));
    let elsewhere: Hurt = |batches| batches.swap(4, 5);
    let of_others: Hurt = |all| *all = batches(&other(3));
    for (what, hurt) in [taken_out, elsewhere, of_others].into_iter().enumerate() {
        let site = || {
            let site = site(20);
            let mut batches = batches(&site);
            hurt(&mut batches);
            replace(&site, &batches);
            site
        };
        let whole = site();
        whole.repair();
        let expected = (whole.read(), whole.lost());
        for step in 1.. {
            let site = site();
            site.disk.power_off_after(step);
            let first = site.try_repair();
            site.disk.restart();
            site.repair();
            let now = (site.read(), site.lost());
            assert_eq!(now, expected, "harm {what}, power lost at change {step}");
            if first.is_ok() {
                break;
            }
        }
    }
}
