//! An end that comes earlier than it did, or reads otherwise: refused by name, never passed over, never
//! called a write that was not acknowledged; mended with an event that tells of the loss.

use std::path::PathBuf;

use pluvio_log::{Log as _, ReadLimit, StreamName};

use crate::site::{FOLDER, Site, at, block_on, events, file, record};

/// Records 16 to 19 lie in the active segment, one in each batch.
const ACTIVE: i64 = 16;
const NEXT: i64 = 20;

/// A log whose active segment has four batches, closed.
fn site() -> Site {
    let site = Site::new();
    block_on(append(&site, 13..16));
    site
}

async fn append(site: &Site, some: std::ops::Range<i64>) {
    let log = site.open(1 << 20);
    for nth in some {
        log.append(&events(), vec![record(nth, None)]).await.unwrap();
    }
}

/// The bytes of the active segment up to its last batch's end.
fn content(site: &Site) -> Vec<u8> {
    let mut content = site.bytes(file(ACTIVE, "log"));
    let batches = begins(&content);
    content.truncate(batches[batches.len() - 1]);
    content
}

/// Where batches begin, and where the last one ends.
fn begins(content: &[u8]) -> Vec<usize> {
    let mut begins = vec![0];
    let mut at = 0;
    while content.len() > at + 61 && content[at + 16] == 2 {
        let field = content[at + 8..at + 12].try_into().unwrap();
        at += 12 + u32::from_be_bytes(field) as usize;
        begins.push(at);
    }
    begins
}

/// Refused and told by name by whoever starts, verifies and repairs; then a gap event reaches as far
/// as the log once did, so that no lost offset is given out again.
fn is_told_and_mended(site: &Site, what: &str, lost_from: i64) {
    let name = format!("{ACTIVE:020}.log");
    let refused = site.try_open(1 << 20).map(drop).unwrap_err().to_string();
    assert!(refused.contains(&name) && refused.contains("damaged"), "{what}: {refused}");
    assert!(!refused.contains("nothing of it was acknowledged"), "{what}: {refused}");
    let again = site.try_open(1 << 20).map(drop).unwrap_err().to_string();
    assert_eq!(again, refused, "{what}: a second start says the same");
    let damage = site.damage();
    assert!(!damage.is_empty(), "{what}: `verify` says nothing");
    assert!(damage.iter().all(|found| found.file == file(ACTIVE, "log")), "{what}: {damage:?}");
    site.repair();
    let read = site.read_from(ACTIVE);
    let kept: Vec<_> = (ACTIVE..lost_from).map(|o| (o, format!("id-{}", o - 4))).collect();
    let expected: Vec<_> = kept.into_iter().chain([(NEXT - 1, "gap".to_owned())]).collect();
    assert_eq!(read, expected, "{what}");
    block_on(async {
        let log = site.open(1 << 20);
        let span = log.append(&events(), vec![record(90, None)]).await.unwrap();
        assert_eq!(span.start, at(NEXT), "{what}: an offset was given out twice");
    });
    assert_eq!(site.damage(), [], "{what}");
}

#[test]
fn an_active_segment_that_was_deleted_is_told() {
    let site = site();
    site.remove(file(ACTIVE, "log"));
    is_told_and_mended(&site, "deleted", ACTIVE);
}

#[test]
fn the_word_of_a_loss_is_as_young_as_what_was_lost() {
    let events = StreamName::events();
    for is_deleted in [true, false] {
        let site = site();
        for base in [0, 6, 13] {
            site.remove(file(base, "log"));
            site.remove(file(base, "idx"));
        }
        match is_deleted {
            true => site.remove(file(ACTIVE, "log")),
            false => site.replace(file(ACTIVE, "log"), &[]),
        }
        site.repair();
        block_on(async {
            let log = site.open(1);
            let chunk = log.read(&events, at(0), ReadLimit::default()).await.unwrap();
            let told = chunk.records().last().unwrap();
            assert_eq!(told.offset, at(NEXT - 1));
            assert!(told.recorded.to_string().starts_with("2026-11-20"), "{}", told.recorded);
        });
    }
}

#[test]
fn an_active_segment_that_was_emptied_or_is_zeros_is_told() {
    for zeros in [0, 1, 100, 70_000] {
        let site = site();
        site.replace(file(ACTIVE, "log"), &vec![0; zeros]);
        is_told_and_mended(&site, &format!("{zeros} zeros"), ACTIVE);
    }
}

#[test]
fn an_active_segment_that_was_cut_is_told_wherever_it_was_cut() {
    let whole = content(&site());
    let begins = begins(&whole);
    for cut in (1..whole.len()).step_by(7).chain(begins[1..begins.len() - 1].iter().copied()) {
        let site = site();
        site.replace(file(ACTIVE, "log"), &whole[..cut]);
        let kept = begins.iter().filter(|begin| **begin <= cut).count() as i64 - 1;
        is_told_and_mended(&site, &format!("cut at byte {cut}"), ACTIVE + kept);
    }
}

#[test]
fn no_byte_of_the_last_batch_changes_unseen_after_a_clean_stop() {
    let whole = content(&site());
    let begins = begins(&whole);
    let last = begins[begins.len() - 2];
    for byte in last..whole.len() {
        let site = site();
        assert!(site.disk.flip(file(ACTIVE, "log"), byte as u64, 0x10));
        let damage = site.damage();
        assert_eq!(damage.len(), 1, "byte {byte}: {damage:?}");
        assert_eq!(damage[0].bytes.start, last as u64, "byte {byte}: {damage:?}");
        let is_leader = (12..16).contains(&(byte - last));
        assert!(is_leader || site.try_open(1 << 20).is_err(), "byte {byte} was taken");
        site.repair();
        // What no checksum covers is known, and put right.
        let is_mended = byte - last < 17;
        let read = site.read_from(NEXT - 1);
        let expected = if is_mended { format!("id-{}", NEXT - 5) } else { "gap".to_owned() };
        assert_eq!(read, [(NEXT - 1, expected)], "byte {byte}");
    }
}

#[test]
fn whoever_starts_and_whoever_verifies_judge_a_foreign_segment_alike() {
    for foreign in ["__positions", "__cursors"] {
        for is_known in [true, false] {
            let site = site();
            let foreign = site.bytes(format!("{FOLDER}/{foreign}/{:020}.log", 0));
            site.replace(file(ACTIVE, "log"), &foreign);
            if !is_known {
                site.remove(format!("{FOLDER}/ENDS"));
            }
            assert!(site.try_open(1 << 20).is_err(), "taken, ends known: {is_known}");
            assert!(!site.damage().is_empty(), "not told, ends known: {is_known}");
        }
    }
}

#[test]
fn a_crash_does_not_make_a_lost_end_a_torn_tail() {
    let site = Site::new();
    block_on(async {
        // Its clock goes on by a second with each look, so the end is noted again and again.
        let log = site.open(1 << 20);
        for nth in 13..40 {
            log.append(&events(), vec![record(nth, None)]).await.unwrap();
        }
        std::mem::forget(log);
    });
    site.disk.kill();
    let whole = site.bytes(file(ACTIVE, "log"));
    let begins = begins(&whole);
    site.replace(file(ACTIVE, "log"), &whole[..begins[3]]);
    let refused = site.try_open(1 << 20).map(drop).unwrap_err().to_string();
    assert!(refused.contains("acknowledged"), "{refused}");
    assert_eq!(site.damage().len(), 1);
    site.repair();
    assert!(site.try_open(1 << 20).is_ok());
}

#[test]
fn a_crash_may_leave_half_a_batch_behind_what_is_known() {
    let site = site();
    let mut whole = content(&site);
    let begins = begins(&whole);
    whole.extend_from_within(begins[2]..begins[2] + 50);
    site.replace(file(ACTIVE, "log"), &whole);
    assert_eq!(site.damage(), []);
    assert_eq!(site.harmless().len(), 1);
    assert_eq!(site.read_from(ACTIVE).len(), 4);
}

#[test]
fn a_stream_whose_folder_is_gone_is_told() {
    let site = site();
    let folder = PathBuf::from(format!("{FOLDER}/events"));
    for path in site.disk.paths().into_iter().filter(|path| path.starts_with(&folder)) {
        site.remove(path);
    }
    assert!(site.try_open(1).is_err());
    assert!(!site.damage().is_empty());
    site.repair();
    assert!(site.try_open(1).is_ok());
}

#[test]
fn a_table_that_ends_earlier_is_told() {
    for name in ["__cursors", "__positions"] {
        for bytes in [None, Some(0), Some(80)] {
            let site = site();
            let path = PathBuf::from(format!("{FOLDER}/{name}/{:020}.log", 0));
            let content = site.bytes(&path);
            match bytes {
                None => site.remove(&path),
                Some(bytes) => site.replace(&path, &content[..bytes]),
            }
            assert!(site.try_open(1).is_err(), "{name} {bytes:?}");
            assert!(site.damage().iter().all(|found| found.file == path), "{name} {bytes:?}");
            site.repair();
            assert!(site.try_open(1).is_ok(), "{name} {bytes:?}");
        }
    }
}

#[test]
fn rotten_notes_of_the_ends_keep_nobody_out() {
    let path = format!("{FOLDER}/ENDS");
    let bytes = site().bytes(&path).len() as u64;
    for byte in (0..bytes).step_by(5) {
        let site = site();
        assert!(site.disk.flip(&path, byte, 1));
        assert_eq!((site.damage().len(), site.harmless().len()), (0, 1), "byte {byte}");
        assert_eq!(site.read_from(ACTIVE).len(), 4);
        assert_eq!(site.verify().findings, [], "written again");
    }
}
