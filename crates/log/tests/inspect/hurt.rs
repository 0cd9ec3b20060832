//! Each kind of harm: told with its place, mended as far as can be, nothing else touched.

use crate::site::{FOLDER, Site, at, block_on, events, file, whole, without};

const LEADER: usize = 12;

#[test]
fn a_log_that_was_closed_has_nothing_to_tell() {
    let site = Site::new();
    let verified = site.verify();
    assert_eq!(verified.findings, []);
    assert!(verified.batches >= 5 && verified.records >= 13, "{verified:?}");
    assert!(site.repair().is_empty());
    assert_eq!(site.read(), whole());
}

#[test]
fn a_torn_tail_is_harmless_and_kept_aside() {
    let site = Site::new();
    let mut content = site.bytes(file(16, "log"));
    let end = content.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    content[end + 3] = 7;
    site.replace(file(16, "log"), &content);
    let told = site.harmless();
    assert_eq!((told.len(), told[0].bytes.start), (1, end as u64), "{told:?}");
    assert_eq!(site.damage(), []);
    site.repair();
    assert_eq!(site.kept("events"), [format!("00000000000000000016.log@{end}")]);
    assert_eq!(site.read(), whole());
}

#[test]
fn a_damaged_batch_in_a_sealed_segment_becomes_a_gap_event() {
    let site = Site::new();
    assert!(site.disk.flip(file(0, "log"), 100, 1));
    let damage = site.damage();
    assert_eq!(damage.len(), 1, "{damage:?}");
    assert_eq!((damage[0].bytes.start, damage[0].offset), (0, Some(at(0))));
    assert!(damage[0].what.contains("checksum"), "{}", damage[0].what);
    site.repair();
    assert_eq!(site.kept("events"), ["00000000000000000000.log@0"]);
    assert_eq!(site.read(), without(0..=2, 2));
    assert_eq!(site.read_from(1), without(0..=2, 2), "whoever stood in the gap meets it, too");
}

#[test]
fn the_last_batch_of_a_sealed_segment_is_lost_up_to_the_next() {
    let site = Site::new();
    let second = second_batch(&site);
    assert!(site.disk.flip(file(0, "log"), second + 100, 1));
    site.repair();
    assert_eq!(site.read(), without(3..=5, 5));
}

#[test]
fn a_damaged_batch_of_the_active_segment_becomes_a_gap_event() {
    let site = Site::new();
    // All in one segment: the active one.
    let mut content = site.bytes(file(0, "log"));
    let second = second_batch(&site) as usize;
    content[100] ^= 1;
    for base in [6, 13, 16] {
        site.remove(file(base, "log"));
    }
    for base in [0, 6, 13] {
        site.remove(file(base, "idx"));
    }
    site.remove(format!("{FOLDER}/__positions/00000000000000000000.log"));
    site.remove(format!("{FOLDER}/ENDS"));
    site.replace(file(0, "log"), &content);
    assert!(site.try_open(1).is_err(), "a start refuses it");
    let damage = site.damage();
    assert_eq!((damage.len(), damage[0].bytes.clone()), (1, 0..second as u64));
    site.repair();
    let expected = without(0..=2, 2).into_iter().filter(|(offset, _)| *offset < 6);
    assert_eq!(site.read(), expected.collect::<Vec<_>>());
}

/// Where the second batch of the first segment begins.
fn second_batch(site: &Site) -> u64 {
    let content = site.bytes(file(0, "log"));
    u64::from(u32::from_be_bytes(content[8..12].try_into().unwrap())) + 12
}

#[test]
fn what_the_checksum_does_not_cover_is_put_right_without_loss() {
    for byte in [0, 7, 8, 11, LEADER as u64, 15, 16] {
        let site = Site::new();
        let second = second_batch(&site);
        assert!(site.disk.flip(file(0, "log"), second + byte, 1));
        let damage = site.damage();
        assert_eq!(damage.len(), 1, "byte {byte}: {damage:?}");
        assert_eq!(damage[0].bytes.start, second, "byte {byte}: {damage:?}");
        site.repair();
        assert_eq!(site.read(), whole(), "byte {byte}");
        assert_eq!(site.kept("events"), [format!("00000000000000000000.log@{second}")]);
    }
}

#[test]
fn an_offset_that_rose_without_an_index_is_found_by_what_follows() {
    let site = Site::new();
    site.remove(file(0, "idx"));
    assert!(site.disk.flip(file(0, "log"), 7, 4));
    let damage = site.damage();
    assert_eq!((damage.len(), damage[0].bytes.start), (1, 0), "{damage:?}");
    site.repair();
    assert_eq!(site.read(), without(0..=2, 2));
}

#[test]
fn a_missing_index_is_harmless_and_made_again() {
    let site = Site::new();
    let before = site.bytes(file(6, "idx"));
    site.remove(file(6, "idx"));
    let told = site.harmless();
    assert_eq!((told.len(), told[0].file.clone()), (1, file(6, "idx")));
    assert_eq!(site.damage(), []);
    site.repair();
    assert_eq!(site.bytes(file(6, "idx")), before);
}

/// What a gap event stands for was recorded before what follows: with a later time it would be damage itself,
/// and a second repair would take what follows for it.
#[test]
fn the_gap_event_of_an_empty_first_segment_makes_no_damage_of_intact_records_behind_it() {
    let site = Site::of_pairs();
    site.replace(file(0, "log"), b"");
    assert!(site.disk.flip(file(6, "log"), 100, 1));
    site.repair();
    let kept: Vec<_> = site.read().into_iter().filter(|(_, told)| told != "gap").collect();
    let intact = [9, 10, 11, 12].map(|nth| (nth, format!("id-{nth}")));
    assert_eq!((kept.as_slice(), site.lost().len()), (intact.as_slice(), 2));
}

#[test]
fn a_copy_of_a_segment_under_another_name_costs_no_record_of_others() {
    let site = Site::new();
    site.replace(file(1, "log"), &site.bytes(file(0, "log")));
    site.repair();
    let read = site.read();
    assert!(whole()[6..].iter().all(|record| read.contains(record)), "{read:?}");
}

#[test]
fn a_missing_segment_in_the_middle_becomes_a_gap_event() {
    let site = Site::new();
    site.remove(file(6, "log"));
    assert!(site.try_open(1).is_err(), "a start refuses it");
    let damage = site.damage();
    assert_eq!((damage.len(), damage[0].file.clone()), (1, file(6, "log")), "{damage:?}");
    site.repair();
    assert_eq!(site.read(), without(10..=12, 12));
}

#[test]
fn missing_segments_at_both_ends_become_gap_events() {
    let site = Site::new();
    site.remove(file(0, "log"));
    site.remove(file(16, "log"));
    let damage = site.damage();
    assert_eq!(damage.len(), 2, "{damage:?}");
    site.repair();
    let mut expected = without(0..=5, 5);
    expected.retain(|(offset, _)| *offset != 16);
    expected.push((16, "gap".to_owned()));
    assert_eq!(site.read(), expected);
}

#[test]
fn a_segment_that_was_cut_keeps_what_is_left_of_it() {
    for bytes in [0, 50, 400] {
        let site = Site::new();
        let content = site.bytes(file(0, "log"));
        assert!(content.len() > 500);
        site.replace(file(0, "log"), &content[..bytes]);
        assert!(!site.damage().is_empty());
        site.repair();
        assert_eq!(site.read().last(), whole().last(), "cut at {bytes}");
        assert!(site.read().contains(&(5, "gap".to_owned())), "cut at {bytes}");
    }
}

#[test]
fn a_missing_manifest_is_made_again_with_another_identity() {
    for content in [None, Some(&b"{\"format\":1"[..])] {
        let site = Site::new();
        let path = format!("{FOLDER}/events/stream.json");
        match content {
            None => site.remove(&path),
            Some(content) => site.replace(&path, content),
        }
        let damage = site.damage();
        assert_eq!(damage.len(), 1, "{damage:?}");
        let told = site.repair();
        assert!(told[0].contains("new log_id"), "{told:?}");
        assert_eq!(site.kept("events").len(), usize::from(content.is_some()));
        assert_eq!(site.read(), whole());
    }
}

#[test]
fn a_damaged_table_keeps_its_other_entries() {
    let site = Site::new();
    let path = format!("{FOLDER}/__cursors/00000000000000000000.log");
    assert!(site.disk.flip(&path, 65, 1));
    assert!(site.try_open(1).is_err(), "a start refuses it");
    assert_eq!(site.damage().len(), 1);
    site.repair();
    let log = site.open(1);
    let entries = block_on(pluvio_log::Log::entries(&log, pluvio_log::Table::Cursors)).unwrap();
    let entries: Vec<_> = entries.iter().map(|(key, value)| (&key[..], &value[..])).collect();
    assert_eq!(entries, [(&b"sink-a"[..], &b"3"[..]), (&b"sink-b"[..], &b"2"[..])]);
    assert_eq!(site.kept("__cursors").len(), 1);
}

#[test]
fn damaged_positions_are_set_aside_and_folded_from_the_records() {
    let site = Site::new();
    let before = site.positions();
    let path = format!("{FOLDER}/__positions/00000000000000000000.log");
    assert!(site.disk.flip(&path, 65, 1));
    assert!(site.try_open(1).is_err(), "a start refuses it");
    site.repair();
    assert_eq!(site.kept("__positions").len(), 1);
    let mut expected = before;
    // It never wrote a record.
    expected.remove(&pluvio_log::SourceName::new("quiet").unwrap());
    assert_eq!(site.positions(), expected);
    assert_eq!(site.read(), whole());
}

#[test]
fn a_log_in_use_is_refused_with_its_holder() {
    let site = Site::new();
    let log = site.open(1);
    let refused = site.try_repair().unwrap_err().to_string();
    assert!(refused.contains(&format!("pid {}", std::process::id())), "{refused}");
    drop(log);
    assert!(site.try_repair().is_ok());
}

#[test]
fn what_is_kept_aside_is_what_lay_there() {
    let site = Site::new();
    assert!(site.disk.flip(file(6, "log"), 80, 4));
    let content = site.bytes(file(6, "log"));
    site.repair();
    let kept = format!("{FOLDER}/events/damaged/00000000000000000006.log@0");
    assert_eq!(site.bytes(kept), content);
    let log = site.open(1);
    assert!(pluvio_log::Log::extent(&log, &events()).is_ok());
}

#[test]
fn only_the_offsets_of_the_damaged_batch_are_said_to_be_lost() {
    let site = Site::new();
    // The batch before the jump from 5 to 10: what lies between was never there.
    assert!(site.disk.flip(file(6, "log"), 100, 1));
    site.repair();
    assert_eq!(site.read(), without(10..=12, 12));
    assert_eq!(site.positions().len(), 3);
}

#[test]
fn the_plan_names_the_records_that_the_gap_events_name() {
    let flipped = |base: i64, byte: u64| {
        move |site: &Site| assert!(site.disk.flip(file(base, "log"), byte, 1))
    };
    let lost = |base: i64| move |site: &Site| site.remove(file(base, "log"));
    let emptied = |base: i64| move |site: &Site| site.replace(file(base, "log"), b"");
    type Harm = Box<dyn Fn(&Site)>;
    let harms: [(&str, Harm, &[&str]); 8] = [
        // The next segment begins at 6, and what is lost ends at 2.
        ("a batch in the middle", Box::new(flipped(0, 100)), &["0 to 2"]),
        ("a batch ahead of a jump", Box::new(flipped(6, 100)), &["6 to 12"]),
        ("what can be mended", Box::new(flipped(6, 7)), &[]),
        ("a batch of the last segment", Box::new(flipped(16, 100)), &["16 to 16"]),
        ("a segment that is gone", Box::new(lost(6)), &["6 to 12"]),
        ("an empty segment", Box::new(emptied(6)), &["6 to 12"]),
        ("the last segment", Box::new(lost(16)), &["16 to 16"]),
        (
            "two segments",
            Box::new(move |site| [flipped(0, 100), flipped(13, 100)].iter().for_each(|f| f(site))),
            &["0 to 2", "13 to 15"],
        ),
    ];
    for (what, harm, named) in harms {
        let site = Site::new();
        harm(&site);
        let told = site.repair();
        let ranges = told.iter().filter_map(|step| {
            let (_, range) = step.split_once("tells that records ")?;
            range.split_once(" are lost").map(|(range, _)| range.to_owned())
        });
        let ranges: Vec<_> = ranges.collect();
        assert_eq!(ranges, named, "{what}: {told:#?}");
        assert_eq!(site.lost(), named, "{what}: {told:#?}");
        if named.is_empty() {
            assert!(
                told.iter().any(|step| step.contains("no record is lost")),
                "{what}: {told:#?}"
            );
        }
    }
}

#[test]
fn a_rotten_index_of_deleted_records_is_set_aside() {
    let site = Site::new();
    let log = site.open(1);
    block_on(pluvio_log::Log::trim(&log, &events(), at(6))).unwrap();
    drop(log);
    let path = file(0, "idx");
    let end = site.bytes(&path).len() as u64;
    assert!(site.disk.flip(&path, end - 1, 1));
    let damage = site.damage();
    assert_eq!((damage.len(), damage[0].file.clone()), (1, path));
    site.repair();
    assert_eq!(site.kept("events"), ["00000000000000000000.idx@0"]);
}
