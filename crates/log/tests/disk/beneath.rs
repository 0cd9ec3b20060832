//! What somebody does to the files of a log that is written to: nothing is acknowledged that a restart would
//! not find, and no second log begins in the same folder.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use pluvio_event::Event;
use pluvio_log::{
    AppendError, Embedded, EmbeddedConfig, Entry, Health, Log as _, OpenError, Position, Record,
    SourceName, StreamName, Table, Trouble, disk::RealDisk, inspect::Repair,
};

/// A folder that goes with the test, and a log in it that holds an event.
struct Beneath {
    root: PathBuf,
    log: Embedded,
}

impl Beneath {
    async fn new(name: &str) -> Self {
        let name = format!("pluvio-beneath-{}-{name}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let log = open(&root.join("data")).unwrap();
        log.open(&StreamName::events()).await.unwrap();
        let beneath = Self { root, log };
        beneath.append("1").await.unwrap();
        beneath
    }

    fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    fn segment(&self) -> PathBuf {
        self.data().join("events/00000000000000000000.log")
    }

    async fn append(&self, id: &str) -> Result<(), AppendError> {
        let record = Record {
            event: Event::builder(id, "urn:cloud", "t").build().unwrap(),
            source: SourceName::new("cloud").unwrap(),
            position: Position::new(id).unwrap(),
            at_least: None,
        };
        self.log.append(&StreamName::events(), vec![record]).await.map(drop)
    }

    /// Nothing more is acknowledged, and health says why.
    async fn is_stopped(&self, why: &str) {
        let refused = self.append("2").await;
        assert!(matches!(refused, Err(AppendError::Stopped { .. })), "{refused:?}");
        let refused = self.append("3").await;
        assert!(matches!(refused, Err(AppendError::Stopped { .. })), "{refused:?}");
        self.says(&self.log.health(), "events", why);
    }

    fn says(&self, health: &Health, stream: &str, why: &str) {
        let told = health.streams.iter().find(|told| told.stream.as_str() == stream).unwrap();
        assert!(matches!(told.trouble, Some(Trouble::Stopped(_))), "{:?}", told.trouble);
        let reason = told.trouble.as_ref().unwrap().to_string();
        assert!(reason.contains(why), "{reason}");
        let root = self.root.display().to_string();
        assert!(!reason.contains(&root), "where it lies is nothing for strangers: {reason}");
    }
}

impl Drop for Beneath {
    fn drop(&mut self) {
        let _left = fs::remove_dir_all(&self.root);
    }
}

fn open(folder: &Path) -> Result<Embedded, OpenError> {
    Embedded::open(EmbeddedConfig { reserve_bytes: 0, ..EmbeddedConfig::new(folder) })
}

#[tokio::test]
async fn a_segment_that_is_removed_while_it_is_written_to_takes_nothing_more() {
    let beneath = Beneath::new("removed").await;
    fs::remove_file(beneath.segment()).unwrap();
    beneath.is_stopped("was moved, removed or replaced").await;
}

#[tokio::test]
async fn a_segment_that_is_emptied_while_it_is_written_to_takes_nothing_more() {
    let beneath = Beneath::new("emptied").await;
    fs::File::options().write(true).open(beneath.segment()).unwrap().set_len(0).unwrap();
    beneath.is_stopped("was cut to 0 bytes").await;
    assert_eq!(fs::metadata(beneath.segment()).unwrap().len(), 0, "what is there is left alone");
}

#[tokio::test]
async fn a_segment_with_a_copy_in_its_place_takes_nothing_more() {
    let beneath = Beneath::new("copied").await;
    let copy = beneath.root.join("copy");
    fs::copy(beneath.segment(), &copy).unwrap();
    fs::rename(&copy, beneath.segment()).unwrap();
    beneath.is_stopped("was moved, removed or replaced").await;
}

#[tokio::test]
async fn a_stream_whose_folder_is_moved_takes_nothing_more() {
    let beneath = Beneath::new("stream-moved").await;
    fs::rename(beneath.data().join("events"), beneath.data().join("elsewhere")).unwrap();
    beneath.is_stopped("was moved, removed or replaced").await;
}

#[tokio::test]
async fn a_log_that_is_moved_takes_nothing_more_and_leaves_what_comes_in_its_place_alone() {
    let beneath = Beneath::new("moved").await;
    fs::rename(beneath.data(), beneath.root.join("before")).unwrap();
    let second = open(&beneath.data()).unwrap();
    second.open(&StreamName::events()).await.unwrap();
    let contents = || fs::read(beneath.data().join("ENDS")).unwrap();
    let before = contents();
    beneath.is_stopped("the folder of the log was moved").await;
    beneath.log.maintain().await;
    for table in ["__cursors", "__offsets", "__positions"] {
        beneath.says(&beneath.log.health(), table, "the folder of the log was moved");
    }
    assert_eq!(contents(), before);
}

#[tokio::test]
async fn who_removes_the_lock_lets_no_second_log_in() {
    let beneath = Beneath::new("lock").await;
    fs::remove_file(beneath.data().join("LOCK")).unwrap();
    let refused = open(&beneath.data()).err().unwrap();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
    beneath.append("2").await.unwrap();
}

#[tokio::test]
async fn a_table_whose_file_is_removed_takes_nothing_more() {
    let beneath = Beneath::new("table").await;
    let name = Table::Cursors.name();
    let entry = || vec![Entry { key: "sink".into(), value: Some("1".into()) }];
    beneath.log.put(Table::Cursors, entry()).await.unwrap();
    fs::remove_dir_all(beneath.data().join(name)).unwrap();
    let refused = beneath.log.put(Table::Cursors, entry()).await;
    assert!(matches!(refused, Err(AppendError::Stopped { .. })), "{refused:?}");
    beneath.says(&beneath.log.health(), name, "was moved, removed or replaced");
}

#[tokio::test]
async fn a_quiet_stream_whose_segment_is_removed_is_told_without_an_append() {
    let beneath = Beneath::new("quiet").await;
    fs::remove_file(beneath.segment()).unwrap();
    beneath.log.maintain().await;
    beneath.says(&beneath.log.health(), "events", "was moved, removed or replaced");
}

#[tokio::test]
async fn ends_that_cannot_be_noted_are_told_until_they_can() {
    let beneath = Beneath::new("ends").await;
    let ends = beneath.data().join("ENDS");
    fs::remove_file(&ends).unwrap();
    fs::create_dir_all(ends.join("in the way")).unwrap();
    beneath.append("2").await.unwrap();
    beneath.log.maintain().await;
    assert!(beneath.log.health().unnoted.is_some());
    fs::remove_dir_all(&ends).unwrap();
    beneath.log.maintain().await;
    assert_eq!(beneath.log.health().unnoted, None);
    assert!(ends.is_file());
}

#[tokio::test]
async fn a_second_log_with_a_link_to_the_same_stream_is_refused_and_touches_nothing() {
    let beneath = Beneath::new("linked").await;
    let copy = beneath.root.join("copy");
    fs::create_dir_all(&copy).unwrap();
    std::os::unix::fs::symlink(beneath.data().join("events"), copy.join("events")).unwrap();
    let refused = open(&copy).map(drop).unwrap_err();
    let why = std::error::Error::source(&refused).unwrap().to_string();
    assert!(why.contains("another process writes there"), "{refused}: {why}");
    let repair = Repair::plan(Arc::new(RealDisk), &copy, &mut |_, _| {});
    assert!(repair.is_err());
    beneath.append("2").await.unwrap();
}

#[tokio::test]
async fn a_second_log_of_hard_links_to_the_same_files_is_refused() {
    let beneath = Beneath::new("hard-linked").await;
    let copy = beneath.root.join("copy");
    fs::create_dir_all(copy.join("events")).unwrap();
    for entry in fs::read_dir(beneath.data().join("events")).unwrap() {
        let entry = entry.unwrap();
        fs::hard_link(entry.path(), copy.join("events").join(entry.file_name())).unwrap();
    }
    let refused = open(&copy).map(drop).unwrap_err();
    let why = std::error::Error::source(&refused).unwrap().to_string();
    assert!(why.contains("another process writes there"), "{refused}: {why}");
    beneath.append("2").await.unwrap();
}

/// Only `root` can give a file away: for other users there is nothing to try.
#[tokio::test]
async fn the_log_of_another_user_is_refused_with_what_helps() {
    let root = std::env::temp_dir().join(format!("pluvio-owner-{}", std::process::id()));
    let folder = root.join("data");
    drop(open(&folder).unwrap());
    let lock = folder.join("LOCK");
    let given_away = || {
        std::os::unix::fs::chown(&lock, Some(4711), None)?;
        for name in ["ENDS", "RECOVERY", "__cursors/stream.json", "__offsets/stream.json"] {
            std::os::unix::fs::chown(folder.join(name), Some(4711), None)?;
        }
        std::io::Result::Ok(())
    };
    let is_refused = || {
        let before = names(&folder);
        let refused = open(&folder).map(drop).unwrap_err();
        let told = std::error::Error::source(&refused).unwrap().to_string();
        assert!(told.contains("belongs to user 4711"), "{told}");
        assert!(told.contains("sudo -u '#4711'"), "{told}");
        assert_eq!(names(&folder), before, "nothing is left beside it");
    };
    if given_away().is_ok() {
        is_refused();
        // Without it, whose the rest is decides.
        fs::remove_file(&lock).unwrap();
        is_refused();
    }
    let _left = fs::remove_dir_all(&root);
}

fn names(folder: &Path) -> Vec<std::ffi::OsString> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}
