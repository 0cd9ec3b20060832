//! Links in the folder of a log: a folder may lie elsewhere, a file may not.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use pluvio_event::Event;
use pluvio_log::{
    Embedded, EmbeddedConfig, Log as _, Position, Record, SourceName, StreamName, disk::RealDisk,
    inspect,
};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("pluvio-links-{}-{name}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).unwrap();
        folder
    }

    fn log(&self) -> PathBuf {
        self.0.join("data")
    }

    fn open(&self) -> Result<Embedded, pluvio_log::OpenError> {
        Embedded::open(EmbeddedConfig { reserve_bytes: 0, ..EmbeddedConfig::new(self.log()) })
    }

    /// Appends one record and closes the log.
    fn append(&self, id: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let log = self.open().unwrap();
            log.open(&StreamName::events()).await.unwrap();
            let record = Record {
                event: Event::builder(id, "urn:cloud", "t").build().unwrap(),
                source: SourceName::new("cloud").unwrap(),
                position: Position::new(id).unwrap(),
                at_least: None,
            };
            log.append(&StreamName::events(), vec![record]).await.unwrap();
        });
    }

    fn verify(&self) -> Result<inspect::Verified, pluvio_log::OpenError> {
        inspect::verify(&RealDisk, &self.log(), &mut |_, _| {})
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left = fs::remove_dir_all(&self.0);
    }
}

fn segment(folder: &Path) -> PathBuf {
    folder.join("events").join(format!("{:020}.log", 0))
}

/// Puts a link to `target` in place of `path`.
fn link(path: &Path, target: &Path) {
    fs::rename(path, path.with_extension("before")).unwrap();
    symlink(target, path).unwrap();
}

#[test]
fn a_stream_whose_folder_is_a_link_is_verified_and_served_like_any_other() {
    let folder = Folder::new("stream");
    folder.append("1");
    let elsewhere = folder.0.join("elsewhere");
    fs::rename(folder.log().join("events"), &elsewhere).unwrap();
    symlink(&elsewhere, folder.log().join("events")).unwrap();
    let verified = folder.verify().unwrap();
    assert_eq!((verified.streams, verified.records, verified.damage().count()), (4, 1, 0));
    folder.append("2");
    let path = segment(&folder.log());
    let mut content = fs::read(&path).unwrap();
    content[100] ^= 1;
    fs::write(&path, content).unwrap();
    assert_eq!(folder.verify().unwrap().damage().count(), 1, "it is read as others are");
}

#[test]
fn a_segment_that_is_a_link_is_refused_and_what_it_points_to_stays() {
    for victim in ["", "precious", &"x".repeat(100_000)] {
        let folder = Folder::new("segment");
        folder.append("1");
        let target = folder.0.join("victim");
        fs::write(&target, victim).unwrap();
        link(&segment(&folder.log()), &target);
        let refused = chain(&folder.open().map(drop).unwrap_err());
        assert!(refused.contains("symbolic link"), "{refused}");
        let refused = chain(&folder.verify().unwrap_err());
        assert!(refused.contains("symbolic link"), "{refused}");
        assert_eq!(fs::read_to_string(&target).unwrap(), victim);
    }
}

#[test]
fn a_lock_that_is_a_link_does_not_overwrite_what_it_points_to() {
    let folder = Folder::new("lock");
    folder.append("1");
    let target = folder.0.join("victim");
    fs::write(&target, "precious").unwrap();
    link(&folder.log().join("LOCK"), &target);
    assert!(folder.open().is_err());
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
}

/// An error with its causes.
fn chain(error: &pluvio_log::OpenError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
