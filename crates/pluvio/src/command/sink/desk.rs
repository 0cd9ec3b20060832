//! Where a running Pluvio takes requests: it looks into the log's folder once a second.
//!
//! What lies there at the start was meant for another process, and is thrown away. It refuses requests
//! that are older than [`VALID`], or from the future, and what is no small file.

use std::{
    ffi::OsStr,
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use jiff::{SignedDuration, Timestamp};
use pluvio_runtime::{
    Chain,
    supervise::sink::{Seek, SeekError, Seeker, Sought},
};
use tokio::{
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval},
};
use tracing::{debug, warn};

use super::request::{ANSWER, ASK, Answer, Folder, Request, TAKEN, VALID, read, write};
use crate::config;

/// How often it is looked.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Requests that are taken at one look; an operator has one.
const AT_ONCE_MAX: usize = 8;
/// What nobody fetched after so long is thrown away.
const KEPT: Duration = Duration::from_secs(60);

/// Takes requests for the sinks of one supervisor.
#[derive(Debug)]
pub(in crate::command) struct Desk {
    folder: Folder,
    seeker: Seeker,
}

impl Desk {
    /// For the log in `folder`.
    pub(in crate::command) fn new(folder: &std::path::Path, seeker: Seeker) -> Self {
        Self { folder: Folder::of_log(folder), seeker }
    }

    /// Looks again and again; ends with the process.
    pub(in crate::command) async fn run(self) {
        let folder = self.folder.clone();
        // A panic in there was reported where it happened.
        let _done = spawn_blocking(move || throw_away(&folder, Duration::ZERO)).await;
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let folder = self.folder.clone();
            let names = spawn_blocking(move || taken(&folder)).await.unwrap_or_default();
            for name in names {
                tokio::spawn(serve(self.folder.clone(), self.seeker.clone(), name));
            }
        }
    }
}

/// Takes what is asked; gives the names.
fn taken(folder: &Folder) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder.path()) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let asks = paths.filter(|path| path.extension() == Some(OsStr::new(ASK)));
    let take = |path: PathBuf| {
        let name = path.file_stem()?.to_str()?.to_owned();
        // Whoever renames or removes it first has it: the asker takes it back by removing it.
        fs::rename(&path, folder.file(&name, TAKEN)).ok().map(|()| name)
    };
    let names: Vec<_> = asks.take(AT_ONCE_MAX).filter_map(take).collect();
    throw_away(folder, KEPT);
    names
}

/// Removes files that were written that long ago.
fn throw_away(folder: &Folder, age: Duration) {
    let Ok(entries) = fs::read_dir(folder.path()) else { return };
    for entry in entries.flatten() {
        let written = entry.metadata().and_then(|found| found.modified());
        let is_old = written.is_ok_and(|written| {
            SystemTime::now().duration_since(written).is_ok_and(|passed| passed >= age)
        });
        if is_old {
            let _best_effort = fs::remove_file(entry.path());
        }
    }
}

/// Carries out what was taken and says what became of it.
async fn serve(folder: Folder, seeker: Seeker, name: String) {
    let taken = folder.file(&name, TAKEN);
    let answer = match read::<Request>(&taken) {
        Ok(request) => answer(&seeker, &request).await,
        Err(error) => {
            Answer::Refused(format!("this Pluvio does not understand the request: {error}"))
        }
    };
    if let Answer::Refused(why) = &answer {
        warn!(why, "an operator's request to move a sink was refused");
    }
    if let Err(error) = write(&folder.file(&name, ANSWER), &answer) {
        warn!(%error, "failed to answer an operator's request to move a sink");
    }
    if let Err(error) = fs::remove_file(&taken) {
        debug!(%error, "failed to remove a request that was answered");
    }
}

async fn answer(seeker: &Seeker, request: &Request) -> Answer {
    let age = Timestamp::now().duration_since(request.asked);
    let valid = SignedDuration::try_from(VALID).unwrap_or(SignedDuration::ZERO);
    if age.abs() > valid {
        return Answer::Refused("the request is too old: the sink was not moved".to_owned());
    }
    let deadline = Instant::now() + VALID.saturating_sub(age.unsigned_abs());
    match sought(seeker, request, deadline).await {
        Ok(Ok(sought)) => Answer::Sought(sought),
        Ok(Err(error)) => Answer::Refused(Chain(&error).to_string()),
        Err(message) => Answer::Refused(message),
    }
}

async fn sought(
    seeker: &Seeker,
    request: &Request,
    deadline: Instant,
) -> Result<Result<Sought, SeekError>, String> {
    let to = config::begin(&request.to)?;
    let until = request.until.as_deref().map(config::begin).transpose()?;
    let (sink, seek) = (&request.sink, Seek { to, until });
    Ok(match request.is_dry_run {
        true => seeker.dry_run(sink, seek).await,
        false => seeker.seek(sink, seek, deadline).await,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of requests in a folder of its own, gone with it.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("pluvio-{name}-{}", std::process::id()));
            let _not_there = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap_or_else(|error| unreachable!("{error}"));
            Self(folder)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _best_effort = fs::remove_dir_all(&self.0);
        }
    }

    /// As a running Pluvio holds the log.
    fn held(scratch: &Scratch) -> fs::File {
        let lock = fs::File::create(scratch.0.join("LOCK"));
        let lock = lock.unwrap_or_else(|error| unreachable!("{error}"));
        assert!(lock.try_lock().is_ok());
        lock
    }

    fn request(asked: Timestamp) -> Request {
        let (sink, to) = ("hook".to_owned(), "earliest".to_owned());
        Request { sink, to, until: None, is_dry_run: false, asked }
    }

    #[tokio::test]
    async fn a_request_for_a_sink_that_does_not_run_is_refused_with_those_that_do() {
        let scratch = Scratch::new("desk-unknown");
        let _held = held(&scratch);
        let folder = Folder::of_log(&scratch.0);
        assert!(folder.make_for_owner().is_ok());
        // The desk throws away what it finds at the start, so it is asked only after that.
        let stale = folder.file("stale", ASK);
        assert!(write(&stale, &request(Timestamp::now())).is_ok());
        let desk = tokio::spawn(Desk::new(&scratch.0, Seeker::default()).run());
        while stale.exists() {
            tokio::task::yield_now().await;
        }
        let asked = folder.ask(&request(Timestamp::now()), "a test").await;
        desk.abort();
        let error = asked.map_err(|error| error.to_string());
        assert_eq!(error, Err("no sink `hook` is running; there are: ".to_owned()));
        let left = fs::read_dir(folder.path()).map(Iterator::count);
        assert!(left.is_ok_and(|left| left <= 1), "nothing is left but a request being removed");
    }

    #[tokio::test]
    async fn a_request_to_a_pluvio_that_has_ended_is_taken_back_and_says_what_to_do() {
        let scratch = Scratch::new("desk-ended");
        let folder = Folder::of_log(&scratch.0);
        assert!(folder.make_for_owner().is_ok());
        let asked = folder.ask(&request(Timestamp::now()), "pid 7").await;
        let told = asked.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.starts_with("no Pluvio runs on this log any more"), "{told}");
        assert!(told.contains("was not moved. Run this command again"), "{told}");
        assert!(fs::read_dir(folder.path()).is_ok_and(|mut left| left.next().is_none()));
    }

    #[tokio::test]
    async fn a_pluvio_that_ends_with_a_request_in_its_hands_leaves_no_doubt_that_it_did() {
        let scratch = Scratch::new("desk-died");
        let lock = held(&scratch);
        let folder = Folder::of_log(&scratch.0);
        assert!(folder.make_for_owner().is_ok());
        let asking = folder.clone();
        let asked =
            tokio::spawn(async move { asking.ask(&request(Timestamp::now()), "pid 7").await });
        while taken(&folder).is_empty() {
            tokio::task::yield_now().await;
        }
        drop(lock);
        let told = asked.await.map(|asked| asked.err().map(|error| error.to_string()));
        let told = told.ok().flatten().unwrap_or_default();
        assert!(
            told.contains("ended before it answered. Run this command again with --dry-run"),
            "{told}"
        );
    }

    #[tokio::test]
    async fn a_request_that_waited_too_long_is_never_carried_out() {
        let old = Timestamp::now().checked_sub(VALID * 2).unwrap_or_default();
        for asked in [old, Timestamp::now().checked_add(VALID * 2).unwrap_or_default()] {
            let answer = answer(&Seeker::default(), &request(asked)).await;
            assert!(matches!(answer, Answer::Refused(why) if why.contains("too old")));
        }
    }

    #[test]
    fn what_lay_there_before_the_start_is_thrown_away_and_links_are_not_followed() {
        let scratch = Scratch::new("desk-stale");
        let folder = Folder::of_log(&scratch.0);
        assert!(folder.make_for_owner().is_ok());
        let ask = folder.file("a", ASK);
        assert!(write(&ask, &request(Timestamp::now())).is_ok());
        assert!(read::<Request>(&ask).is_ok());
        throw_away(&folder, KEPT);
        assert!(ask.exists(), "it is new");
        throw_away(&folder, Duration::ZERO);
        assert!(!ask.exists());
        let elsewhere = scratch.0.join("elsewhere");
        assert!(write(&elsewhere, &request(Timestamp::now())).is_ok());
        assert!(std::os::unix::fs::symlink(&elsewhere, &ask).is_ok());
        assert!(read::<Request>(&ask).is_err());
    }
}
