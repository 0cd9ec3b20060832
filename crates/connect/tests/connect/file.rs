//! A file of events: complete, without doubles, whatever interrupts it.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use pluvio_connect::{
    component::SinkConfig as _,
    file::{Compression, Config, File},
};
use pluvio_log::Offset;
use pluvio_net::unit::{ByteSize, Period};
use pluvio_runtime::{Answers, Delivered, Failure as _, Outcome, Sink as _, Standing, Writer as _};

use crate::hand::{connected, connection, records, standing, taken};

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pluvio-file-{}-{name}", std::process::id()));
        let _not_there = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn config(&self) -> Config {
        Config::new(self.0.join("events.ndjson"))
    }

    fn grown(&self) -> PathBuf {
        self.0.join("events.ndjson")
    }

    /// Finished files in the order of their names, then the one that grows.
    fn files(&self) -> Vec<PathBuf> {
        let listed = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let is_shown = |path: &PathBuf| !name_of(path).starts_with('.') && *path != self.grown();
        let mut files: Vec<_> = listed.filter(is_shown).collect();
        files.sort();
        files.extend(self.grown().exists().then(|| self.grown()));
        files
    }

    /// The offsets of all lines in all files.
    fn offsets(&self) -> Vec<i64> {
        self.files().iter().flat_map(|path| offsets(&text(path))).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(&self.0);
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn text(path: &Path) -> String {
    let mut text = String::new();
    let mut file = fs::File::open(path).unwrap();
    if name_of(path).ends_with(".gz") {
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    } else if name_of(path).ends_with(".zst") {
        zstd::Decoder::new(file).unwrap().read_to_string(&mut text).unwrap();
    } else {
        file.read_to_string(&mut text).unwrap();
    }
    text
}

fn offsets(text: &str) -> Vec<i64> {
    let offset = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["sequence"].as_str().unwrap().parse().unwrap()
    };
    text.lines().map(offset).collect()
}

async fn write(sink: &File, cursor: i64, numbers: std::ops::RangeInclusive<i64>) {
    write_all(sink, cursor, &records(numbers).await).await;
}

async fn write_all(sink: &File, cursor: i64, records: &[Delivered]) {
    let (mut writer, _) = connected(sink, standing(1, cursor)).await;
    let mut rest = records;
    while !rest.is_empty() {
        let Outcome::AckedTo(offset) = writer.write(rest, &Answers::default()).await else {
            unreachable!()
        };
        rest = &rest[rest.partition_point(|record| record.offset() <= offset)..];
    }
    writer.close().await;
}

#[tokio::test]
async fn the_file_says_which_event_it_took_last_and_when_that_was_recorded() {
    let folder = Folder::new("last");
    let sink = folder.config().build().unwrap();
    assert_eq!(connection(&sink, standing(1, 5)).await.cursor.unwrap().last, None);
    let records = records(5..=9).await;
    write_all(&sink, 5, &records).await;
    let cursor = connection(&sink, standing(1, 5)).await.cursor.unwrap();
    assert_eq!(cursor.last, taken(&records[4]));
}

#[tokio::test]
async fn each_event_is_a_line_with_its_offset_and_the_file_says_where_to_go_on() {
    let folder = Folder::new("lines");
    let sink = folder.config().build().unwrap();
    write(&sink, 5, 5..=9).await;
    assert_eq!(folder.offsets(), [5, 6, 7, 8, 9]);
    let mode = fs::metadata(folder.grown()).unwrap().permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o} gives more than 0640");
    let (_, cursor) = connected(&sink, standing(1, 5)).await;
    assert_eq!(cursor, Some(10), "the file's cursor is newer than ours");
    let (_, cursor) = connected(&sink, standing(1, 40)).await;
    assert_eq!(cursor, Some(40), "a filter may have passed more than was written");
}

#[tokio::test]
async fn a_batch_torn_at_any_byte_is_completed_without_loss_or_double() {
    let folder = Folder::new("torn");
    let sink = folder.config().build().unwrap();
    write(&sink, 0, 0..=2).await;
    let acknowledged = fs::metadata(folder.grown()).unwrap().len();
    write(&sink, 0, 3..=5).await;
    let whole = fs::read(folder.grown()).unwrap();
    for cut in (acknowledged..=whole.len() as u64).step_by(7) {
        fs::write(folder.grown(), &whole[..usize::try_from(cut).unwrap()]).unwrap();
        // Our cursor was not put since the first batch.
        let (mut writer, cursor) = connected(&sink, standing(1, 3)).await;
        let cursor = cursor.unwrap();
        if cursor <= 5 {
            let rest = records(cursor..=5).await;
            assert!(matches!(writer.write(&rest, &Answers::default()).await, Outcome::AckedTo(_)));
        }
        assert_eq!(folder.offsets(), [0, 1, 2, 3, 4, 5], "cut at {cut}");
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_never_cut() {
    let folder = Folder::new("damaged");
    let sink = folder.config().build().unwrap();
    write(&sink, 0, 0..=9).await;
    let mut bytes = fs::read(folder.grown()).unwrap();
    bytes[20] = 0;
    fs::write(folder.grown(), &bytes).unwrap();
    let error = sink.clone().connect(standing(1, 10)).await.unwrap_err();
    assert!(error.to_string().contains("is damaged at byte 0"), "{error}");
    assert!(error.remedy().unwrap().starts_with("move the file away"));
    assert_eq!(fs::read(folder.grown()).unwrap(), bytes);
}

#[tokio::test]
async fn files_are_finished_by_size_under_names_that_tell_their_content() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let folder = Folder::new(&format!("size-{compression:?}"));
        let rotate_size = ByteSize(4 << 10);
        let config = Config { rotate_size, compression, ..folder.config() };
        let sink = config.build().unwrap();
        write(&sink, 0, 0..=99).await;
        assert_eq!(folder.offsets(), (0..=99).collect::<Vec<_>>());
        let files = folder.files();
        assert!(files.len() > 3, "{files:?}");
        for path in &files[..files.len() - 1] {
            let suffix = match compression {
                Compression::None => "",
                Compression::Gzip => ".gz",
                Compression::Zstd => ".zst",
            };
            let first = offsets(&text(path))[0];
            assert_eq!(name_of(path), format!("events-archive-{first:020}.ndjson{suffix}"));
            assert!(text(path).len() <= 4 << 10);
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o137, 0, "{mode:o} gives more than 0640");
        }
    }
}

#[tokio::test]
async fn a_file_is_finished_by_age_with_the_first_event_that_comes_later() {
    let folder = Folder::new("age");
    let rotate_age = Period(std::time::Duration::from_millis(1));
    let sink = Config { rotate_age, ..folder.config() }.build().unwrap();
    write(&sink, 0, 0..=0).await;
    let begun = std::time::Instant::now();
    while begun.elapsed() < rotate_age.0 * 2 {
        tokio::task::yield_now().await;
    }
    write(&sink, 0, 1..=1).await;
    assert_eq!(folder.files().len(), 2);
    assert_eq!(folder.offsets(), [0, 1]);
}

#[tokio::test]
async fn a_file_that_was_begun_by_a_clock_that_was_ahead_is_finished_by_age_all_the_same() {
    let folder = Folder::new("ahead");
    let rotate_age = Period(std::time::Duration::from_millis(1));
    let sink = Config { rotate_age, ..folder.config() }.build().unwrap();
    write(&sink, 0, 0..=0).await;
    let path = folder.0.join(".events.ndjson.pluvio");
    let text = fs::read_to_string(&path).unwrap();
    let mut note: serde_json::Value = serde_json::from_str(&text).unwrap();
    note["begun"] = "2999-01-01T00:00:00Z".into();
    fs::write(&path, note.to_string()).unwrap();
    write(&sink, 0, 1..=1).await;
    let begun = std::time::Instant::now();
    while begun.elapsed() < rotate_age.0 * 2 {
        tokio::task::yield_now().await;
    }
    write(&sink, 0, 2..=2).await;
    assert_eq!(offsets(&fs::read_to_string(folder.grown()).unwrap()), [2]);
    assert_eq!(folder.offsets(), [0, 1, 2]);
}

/// Copies a folder as it would stand after a crash.
fn copy(from: &Folder, to: &Folder) {
    for entry in fs::read_dir(&from.0).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.0.join(path.file_name().unwrap())).unwrap();
    }
}

#[tokio::test]
async fn a_crash_while_a_file_is_finished_loses_and_doubles_nothing() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let (before, after) = (
            Folder::new(&format!("before-{compression:?}")),
            Folder::new(&format!("after-{compression:?}")),
        );
        let config = |folder: &Folder| Config {
            rotate_size: ByteSize(4 << 10),
            compression,
            ..folder.config()
        };
        let trial = Folder::new(&format!("trial-{compression:?}"));
        write(&config(&trial).build().unwrap(), 0, 0..=99).await;
        let full = *offsets(&text(&trial.files()[0])).last().unwrap();
        write(&config(&before).build().unwrap(), 0, 0..=full).await;
        assert_eq!(before.files(), [before.grown()], "it is full, and not finished yet");
        copy(&before, &after);
        write(&config(&after).build().unwrap(), 0, full + 1..=full + 5).await;
        assert_eq!(after.files().len(), 2, "now it is finished");
        let finished = after.files()[0].clone();
        let note = ".events.ndjson.pluvio";
        // What stands on the disk between two steps of finishing: the note, the finished file, and
        // the grown file that is not gone yet.
        // Where a file system cannot rename without replacing, both names are those of one file.
        let steps = [(0, false), (1, false), (2, false), (2, true), (3, false)];
        for (steps, is_linked) in steps {
            if is_linked && compression != Compression::None {
                continue;
            }
            let folder = Folder::new(&format!("crash-{compression:?}-{steps}-{is_linked}"));
            copy(&before, &folder);
            if steps >= 1 {
                fs::copy(after.0.join(note), folder.0.join(note)).unwrap();
                fs::write(folder.0.join(".events.ndjson.pluvio-draft"), b"half").unwrap();
            }
            if steps >= 2 {
                let finished_there = folder.0.join(finished.file_name().unwrap());
                if is_linked {
                    fs::hard_link(folder.grown(), finished_there).unwrap();
                } else {
                    fs::copy(&finished, finished_there).unwrap();
                }
            }
            if steps >= 3 {
                fs::remove_file(folder.grown()).unwrap();
            }
            let sink = config(&folder).build().unwrap();
            let (mut writer, cursor) = connected(&sink, standing(1, 0)).await;
            assert_eq!(cursor, Some(full + 1), "{compression:?} after step {steps}");
            let rest = records(full + 1..=full + 5).await;
            assert!(matches!(writer.write(&rest, &Answers::default()).await, Outcome::AckedTo(_)));
            let expected: Vec<i64> = (0..=full + 5).collect();
            let told = format!("{compression:?} after step {steps}, linked: {is_linked}");
            assert_eq!(folder.offsets(), expected, "{told}");
            assert!(!folder.0.join(".events.ndjson.pluvio-draft").exists());
        }
    }
}

#[tokio::test]
async fn another_log_begins_another_file_and_overwrites_none() {
    let folder = Folder::new("another");
    let sink = folder.config().build().unwrap();
    for log in 1..=3 {
        let (mut writer, cursor) = connected(&sink, standing(log, 0)).await;
        assert_eq!(cursor, Some(0), "log {log}");
        let batch = records(0..=i64::try_from(log).unwrap()).await;
        assert!(matches!(writer.write(&batch, &Answers::default()).await, Outcome::AckedTo(_)));
    }
    // By name: that of the second log has a number, before the extension.
    assert_eq!(folder.offsets(), [0, 1, 2, 0, 1, 0, 1, 2, 3]);
    let files = folder.files();
    assert!(
        files.len() == 3 && files.iter().all(|file| name_of(file).ends_with(".ndjson")),
        "{files:?}"
    );
}

/// What a crash leaves while the file of an earlier log is finished: the note is of the new log already.
#[tokio::test]
async fn a_crash_while_the_file_of_another_log_is_finished_loses_and_doubles_nothing() {
    for compression in [Compression::None, Compression::Gzip] {
        let folder = Folder::new(&format!("another-crash-{compression:?}"));
        let finished = "{log}-{first}.ndjson".to_owned();
        let config = Config { finished, compression, ..folder.config() };
        let sink = config.build().unwrap();
        write(&sink, 0, 0..=5).await;
        let grown = fs::read(folder.grown()).unwrap();
        let draft = folder.0.join(".events.ndjson.pluvio-draft");
        let ending = if compression == Compression::None { "" } else { ".gz" };
        let name = format!("00000000-{:020}.ndjson{ending}", 0);
        let (mut writer, _) = connected(&sink, standing(2, 0)).await;
        let batch = records(0..=1).await;
        assert!(matches!(writer.write(&batch, &Answers::default()).await, Outcome::AckedTo(_)));
        writer.close().await;
        let note = fs::read_to_string(folder.0.join(".events.ndjson.pluvio")).unwrap();
        assert!(!note.contains("finishing"), "{note}");
        assert!(folder.0.join(&name).exists(), "{:?}", folder.files());
        // The disk as it stood before the growing file went, and before its finished name was there.
        let (id, earlier) = (uuid::Uuid::from_u128(2), uuid::Uuid::from_u128(1));
        let note = format!(
            "{{\"stream\":\"events\",\"log_id\":\"{id}\",\"next\":0,\"begun\":\"2026-11-20T10:00:00Z\",\
             \"finishing\":{{\"last\":5,\"stream\":\"events\",\"log_id\":\"{earlier}\"}}}}"
        );
        for is_named in [false, true] {
            fs::write(folder.0.join(".events.ndjson.pluvio"), &note).unwrap();
            fs::write(folder.grown(), &grown).unwrap();
            if !is_named {
                fs::remove_file(folder.0.join(&name)).unwrap();
            }
            let (mut writer, cursor) = connected(&sink, standing(2, 0)).await;
            assert_eq!(cursor, Some(0), "{compression:?}: the new log is taken from its beginning");
            let written = writer.write(&batch, &Answers::default()).await;
            assert!(matches!(written, Outcome::AckedTo(_)));
            assert_eq!(folder.offsets(), [0, 1, 2, 3, 4, 5, 0, 1], "{compression:?} {is_named}");
            assert!(folder.0.join(&name).exists() && !draft.exists());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sinks_that_finish_their_files_at_one_moment_take_none_of_each_other_away() {
    const SINKS: i64 = 4;
    let folder = Folder::new("at-one-moment");
    let rotate_size = ByteSize(4 << 10);
    // All of them would call their files alike.
    let finished = "{first}.ndjson".to_owned();
    let mut writing = tokio::task::JoinSet::new();
    for nth in 0..SINKS {
        let config = Config {
            rotate_size,
            finished: finished.clone(),
            ..Config::new(folder.0.join(format!("grows-{nth}")))
        };
        let sink = config.build().unwrap();
        // Each leaves out another event behind the first, so that no file is like another.
        let mut records = records(0..=600).await;
        records.remove(usize::try_from(nth).unwrap() + 1);
        writing.spawn(async move { write_all(&sink, 0, &records).await });
    }
    writing.join_all().await;
    let mut found = folder.offsets();
    found.sort_unstable();
    let is_left_out = |nth: i64, number: i64| nth + 1 == number;
    let expected = (0..=600).flat_map(|number| {
        (0..SINKS).filter(move |nth| !is_left_out(*nth, number)).map(move |_| number)
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_log_that_was_set_back_begins_another_file_with_what_comes_now() {
    let folder = Folder::new("set-back");
    let sink = folder.config().build().unwrap();
    write(&sink, 0, 0..=5).await;
    // The log is an older copy, which ended behind offset 3.
    let set_back = Standing { end: Offset::new(4).unwrap(), ..standing(1, 4) };
    let (mut writer, cursor) = connected(&sink, set_back).await;
    assert_eq!(cursor, Some(4));
    let batch = records(4..=6).await;
    assert!(matches!(writer.write(&batch, &Answers::default()).await, Outcome::AckedTo(_)));
    writer.close().await;
    let files: Vec<_> = folder.files().iter().map(|path| offsets(&text(path))).collect();
    assert_eq!(files, [vec![0, 1, 2, 3, 4, 5], vec![4, 5, 6]]);
    write(&sink, 7, 7..=8).await;
    assert_eq!(folder.offsets(), [0, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8], "it goes on after a restart");
}

#[tokio::test]
async fn a_file_of_somebody_else_is_left_alone() {
    let folder = Folder::new("foreign");
    fs::write(folder.grown(), "precious").unwrap();
    let sink = folder.config().build().unwrap();
    let error = sink.clone().connect(standing(1, 0)).await.unwrap_err();
    assert!(error.to_string().contains("was not begun by this sink"), "{error}");
    assert_eq!(text(&folder.grown()), "precious");
}

#[tokio::test]
async fn a_pipe_in_the_place_of_the_file_is_refused_and_not_waited_for() {
    let folder = Folder::new("pipe");
    let made = std::process::Command::new("mkfifo").arg(folder.grown()).status().unwrap();
    assert!(made.success());
    let sink = folder.config().build().unwrap();
    for error in [
        sink.clone().probe().await.unwrap_err(),
        sink.clone().connect(standing(1, 0)).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("is no regular file"), "{error}");
        assert!(error.remedy().unwrap().starts_with("let `path` name a regular file"));
    }
}

#[tokio::test]
async fn a_link_in_the_place_of_the_file_is_refused_with_where_it_leads() {
    let (folder, disk) = (Folder::new("link"), Folder::new("link-disk"));
    let real = disk.0.canonicalize().unwrap().join("real.ndjson");
    std::os::unix::fs::symlink(&real, folder.grown()).unwrap();
    let sink = folder.config().build().unwrap();
    for is_there in [false, true] {
        if is_there {
            fs::write(&real, "").unwrap();
        }
        for error in [
            sink.clone().probe().await.unwrap_err(),
            sink.clone().connect(standing(1, 0)).await.unwrap_err(),
        ] {
            assert!(error.to_string().contains("is a link to"), "{error}");
            let remedy = error.remedy().unwrap();
            assert!(remedy.contains(real.to_str().unwrap()), "{remedy}");
        }
    }
    assert_eq!(disk.0.read_dir().unwrap().count(), 1, "nothing was made beside it");
}

#[tokio::test]
async fn a_file_has_one_writer() {
    let folder = Folder::new("held");
    let sink = folder.config().build().unwrap();
    let (_writer, _) = connected(&sink, standing(1, 0)).await;
    let error = sink.clone().connect(standing(1, 0)).await.unwrap_err();
    assert!(error.to_string().contains("is held by another process"), "{error}");
}

#[tokio::test]
async fn a_file_that_somebody_changes_or_takes_away_is_noticed_before_the_next_line() {
    for is_moved in [true, false] {
        let folder = Folder::new(&format!("moved-{is_moved}"));
        let sink = folder.config().build().unwrap();
        let (mut writer, _) = connected(&sink, standing(1, 0)).await;
        writer.write(&records(0..=4).await, &Answers::default()).await;
        if is_moved {
            fs::rename(folder.grown(), folder.0.join("taken.ndjson")).unwrap();
        } else {
            let mut file = fs::OpenOptions::new().append(true).open(folder.grown()).unwrap();
            file.write_all(b"note to self\n").unwrap();
        }
        let batch = records(5..=9).await;
        let Outcome::NotConnected(error) = writer.write(&batch, &Answers::default()).await else {
            unreachable!()
        };
        assert!(error.to_string().contains("by somebody else"), "{error}");
        writer.close().await;
        let (mut writer, cursor) = connected(&sink, standing(1, 5)).await;
        assert_eq!(cursor, Some(5));
        assert!(matches!(writer.write(&batch, &Answers::default()).await, Outcome::AckedTo(_)));
        assert_eq!(folder.offsets().len(), 10);
    }
}

#[tokio::test]
async fn a_missing_folder_says_what_helps_and_a_probe_changes_nothing() {
    let folder = Folder::new("probe");
    let sink = folder.config().build().unwrap();
    assert!(sink.clone().probe().await.unwrap().contains("will be begun"));
    assert!(folder.files().is_empty());
    let missing = Config::new(folder.0.join("no/such.ndjson")).build().unwrap();
    for error in [
        missing.clone().probe().await.unwrap_err(),
        missing.clone().connect(standing(1, 0)).await.unwrap_err(),
    ] {
        assert_eq!(error.remedy().as_deref(), Some("make the folder that `path` names"));
    }
}
