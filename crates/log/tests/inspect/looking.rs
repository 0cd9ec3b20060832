//! Looking at a log: what is shown is what the opened log says, and nothing is changed by it.

use std::{ops::ControlFlow, path::Path};

use pluvio_log::{
    Log as _, StreamName,
    inspect::{self, IndexState},
};

use crate::site::{FOLDER, Site, at, block_on, events, file, whole};

fn dumped(site: &Site, stream: &StreamName, from: i64) -> Vec<i64> {
    let mut offsets = Vec::new();
    let mut visit = |record: inspect::Dumped| {
        offsets.push(record.offset);
        ControlFlow::Continue(())
    };
    inspect::dump(&site.disk, Path::new(FOLDER), stream, at(from), &mut visit).unwrap();
    offsets
}

#[test]
fn info_shows_what_the_opened_log_says() {
    let site = Site::new();
    let info = inspect::info(&site.disk, Path::new(FOLDER)).unwrap();
    assert_eq!((info.holder, info.unsynced), (None, false));
    let told = &info.streams[0];
    let states: Vec<_> = told.segments.iter().map(|segment| segment.index).collect();
    assert_eq!(states, [IndexState::Ok, IndexState::Ok, IndexState::Ok, IndexState::None]);
    let log = site.open(1);
    let extent = log.extent(&events()).unwrap();
    assert_eq!(
        (told.start, told.earliest, told.latest, told.next, told.records, told.bytes),
        (extent.start, extent.earliest, extent.latest, extent.next, extent.records, extent.bytes)
    );
    assert_eq!(told.manifest.as_ref().unwrap().2, extent.log_id);
    assert_eq!(told.positions, block_on(log.positions(&events())).unwrap());
    let names: Vec<_> = info.streams.iter().map(|s| (s.name.as_str(), s.entries)).collect();
    let tables = [("__cursors", Some(2)), ("__offsets", Some(0)), ("__positions", Some(4))];
    assert_eq!(names[1..], tables);
}

#[test]
fn info_tells_what_the_last_start_found() {
    let site = Site::new();
    let log = site.open(1);
    let recovery = log.health().recovery;
    drop(log);
    let info = inspect::info(&site.disk, Path::new(FOLDER)).unwrap();
    assert!(recovery.is_some());
    assert_eq!(info.recovery, recovery);
}

#[test]
fn a_trim_inside_a_batch_hides_what_lies_before_it() {
    let site = Site::new();
    let log = site.open(1);
    block_on(log.trim(&events(), at(1))).unwrap();
    let extent = log.extent(&events()).unwrap();
    drop(log);
    let info = inspect::info(&site.disk, Path::new(FOLDER)).unwrap();
    let told = &info.streams[0];
    assert_eq!((told.start, told.earliest), (at(1), Some(at(1))));
    assert_eq!(told.records, extent.records);
    assert_eq!(dumped(&site, &events(), 0)[0], 1);
    assert_eq!(site.verify().findings, []);
}

#[test]
fn dump_gives_every_record_from_an_offset_of_internal_streams_too() {
    let site = Site::new();
    let all: Vec<i64> = whole().into_iter().map(|(offset, _)| offset).collect();
    assert_eq!(dumped(&site, &events(), 0), all);
    assert_eq!(dumped(&site, &events(), 7), all[6..]);
    assert_eq!(dumped(&site, &StreamName::new("__cursors").unwrap(), 0), [0, 1, 2]);
}

#[test]
fn dump_stops_at_damage_and_names_it() {
    let site = Site::new();
    assert!(site.disk.flip(file(6, "log"), 100, 1));
    let mut count = 0;
    let mut visit = |_| {
        count += 1;
        ControlFlow::Continue(())
    };
    let error = inspect::dump(&site.disk, Path::new(FOLDER), &events(), at(0), &mut visit);
    assert!(error.unwrap_err().to_string().contains("at byte 0, at offset 6"));
    assert_eq!(count, 6);
}

#[test]
fn dump_tells_of_an_end_that_comes_too_early_and_of_segments_that_are_gone() {
    type Harm = fn(&Site);
    let harms: [(&str, Harm, i64); 5] = [
        ("emptied", |site| site.replace(file(16, "log"), b""), 16),
        ("cut", |site| site.replace(file(16, "log"), &site.bytes(file(16, "log"))[..100]), 16),
        ("no last segment", |site| site.remove(file(16, "log")), 16),
        ("no segment in the middle", |site| site.remove(file(6, "log")), 6),
        ("no first segment", |site| site.remove(file(0, "log")), 0),
    ];
    for (what, harm, from) in harms {
        let site = Site::new();
        harm(&site);
        let mut behind = 0;
        let mut visit = |record: inspect::Dumped| {
            behind = record.offset + 1;
            ControlFlow::Continue(())
        };
        let told = inspect::dump(&site.disk, Path::new(FOLDER), &events(), at(0), &mut visit);
        let told = told.unwrap_err().to_string();
        assert!(told.contains(&format!("at offset {from}")), "{what}: {told}");
        assert_eq!(behind, from, "{what}");
        assert!(site.try_open(1).is_err(), "{what}: a start says the same");
    }
}

#[test]
fn looking_beside_a_running_log_changes_nothing_and_names_its_holder() {
    let site = Site::new();
    let log = site.open(1);
    let changes = site.disk.operations();
    let info = inspect::info(&site.disk, Path::new(FOLDER)).unwrap();
    assert_eq!(info.holder, Some(format!("pid {}", std::process::id())));
    assert_eq!(site.verify().findings, []);
    assert_eq!(dumped(&site, &events(), 0).len(), 13);
    assert_eq!(site.disk.operations(), changes);
    drop(log);
}

#[test]
fn progress_reaches_the_whole() {
    let site = Site::new();
    let mut last = (0, 0);
    let mut progress = |done, total| {
        assert!(done >= last.0 && done <= total);
        last = (done, total);
    };
    let verified = inspect::verify(&site.disk, Path::new(FOLDER), &mut progress).unwrap();
    assert!(verified.bytes > 0 && last.1 == verified.bytes);
}
