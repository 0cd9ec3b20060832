//! What is read again while Pluvio runs: principals' tokens and passwords, when their files change or
//! at SIGHUP.
//!
//! A token that was replaced on disk is refused from then on; a file that cannot be used keeps its own
//! principal at the previous one, and no other. Listeners' certificates are read again by
//! themselves, at the next connection after they changed; secrets of sources and sinks with each
//! connection. A changed section is a restart: SIGHUP only says whether the file could be used, and what
//! in it waits for that. It refuses to apply any of it.

use std::{sync::Arc, time::Duration};

use pluvio_net::ChangedFiles;
use pluvio_runtime::{Access, AccessTable};
use tokio::{
    signal::unix::Signal,
    sync::Notify,
    task::{JoinHandle, spawn_blocking},
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::{info, warn};

use crate::config::{Kept, Original, Principals, Problem};

/// How often the files of tokens and passwords are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// A look that takes longer is reported: a file system that does not answer holds it up, and what changes
/// meanwhile is not seen.
const LOOK_MAX: Duration = Duration::from_secs(30);

/// Who is let in, and where that is read from.
pub(super) struct Reload {
    secrets: Secrets,
    /// The configuration's file, if there is one.
    original: Option<Original>,
}

impl Reload {
    /// `access` was read from `files`.
    pub(super) fn new(
        principals: Principals,
        access: AccessTable,
        files: ChangedFiles,
        original: Option<Original>,
    ) -> Self {
        let (principals, access) = (Arc::new(principals), access.into());
        let secrets = Secrets { principals, files, access, told: Vec::new() };
        Self { secrets, original }
    }

    /// Who is let in now; shared by all listeners.
    pub(super) fn access(&self) -> &Access {
        &self.secrets.access
    }

    /// Looks again and again; ends with the process.
    pub(super) async fn run(self, mut hangup: Signal) {
        let Self { secrets, original } = self;
        let tell = move || original.as_ref().map_or((), tell_changes);
        let asked = Asked::default();
        let ask = async {
            while hangup.recv().await.is_some() {
                asked.ask();
            }
        };
        tokio::select! {
            () = ask => {}
            () = look(secrets, tell, &asked) => {}
        }
    }
}

/// That somebody asked to look now; two who look hear of it apart from each other.
#[derive(Default)]
struct Asked {
    secrets: Notify,
    configuration: Notify,
}

impl Asked {
    fn ask(&self) {
        self.secrets.notify_one();
        self.configuration.notify_one();
    }
}

/// Looks at the secrets from time to time, and at both whenever it is asked. Neither waits for the other:
/// a configuration on a file system that hangs must not keep a revoked token valid.
async fn look(secrets: Secrets, tell: impl Fn() + Clone + Send + 'static, asked: &Asked) {
    let look_at_configuration = async {
        loop {
            asked.configuration.notified().await;
            let late = || tell_late("the configuration", "is not judged");
            patiently(spawn_blocking(tell.clone()), late).await;
        }
    };
    tokio::join!(secrets.look(&asked.secrets), look_at_configuration);
}

/// The secrets of principals.
struct Secrets {
    principals: Arc<Principals>,
    files: ChangedFiles,
    access: Access,
    /// What was said of those that cannot be read.
    told: Vec<String>,
}

impl Secrets {
    async fn look(mut self, asked: &Notify) {
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_asked = tokio::select! {
                () = asked.notified() => true,
                _ = looks.tick() => false,
            };
            let (principals, access) = (Arc::clone(&self.principals), self.access.clone());
            let (mut files, mut told) = (self.files.clone(), self.told.clone());
            let work = spawn_blocking(move || {
                let is_news = files.look() || is_asked;
                // What could not be read is tried again: what kept it may pass without a change of the file.
                if is_news || !access.stale().is_empty() {
                    told = read_again(&principals, &access, if is_news { &[] } else { &told });
                }
                (files, told)
            });
            let late = || tell_late("the files of tokens and passwords", "stays valid");
            if let Some((files, told)) = patiently(work, late).await {
                (self.files, self.told) = (files, told);
            }
        }
    }
}

/// Reads all tokens and passwords. Deriving keys from a new password takes some milliseconds. Gives what is
/// wrong with those that cannot be read; what was `told` before is not said again.
fn read_again(principals: &Principals, access: &Access, told: &[String]) -> Vec<String> {
    let (table, kept) = principals.renewed(&access.table());
    access.replace(table);
    access.set_stale(kept.iter().map(|kept| kept.principal.clone()).collect());
    if kept.is_empty() {
        info!("read the tokens and passwords of principals again");
    }
    let tell = |Kept { problem: Problem { place, message }, .. }| {
        if !told.contains(&message) {
            warn!(place, "{message}");
        }
        message
    };
    kept.into_iter().map(tell).collect()
}

/// Says whether the configuration on disk could be used, and what in it would need a restart.
fn tell_changes(original: &Original) {
    match original.changed() {
        Ok(sections) if sections.is_empty() => {
            info!("the configuration on disk is the one that is running");
        }
        Ok(sections) => info!(
            changed = sections.join(", "),
            "the configuration on disk says something else than what is running; restart Pluvio for it"
        ),
        Err(problems) => {
            if let Some(Problem { place, message }) = problems.first() {
                warn!(
                    place,
                    problems = problems.len(),
                    "the configuration on disk cannot be used, and what is running goes on \
                     unchanged: {message}"
                );
            }
        }
    }
}

/// Waits for `work`; calls `late` once if that takes longer than [`LOOK_MAX`]. `None`: it panicked, which
/// has been reported where it happened.
async fn patiently<T>(mut work: JoinHandle<T>, late: impl FnOnce()) -> Option<T> {
    let done = match timeout(LOOK_MAX, &mut work).await {
        Ok(done) => done,
        Err(_) => {
            late();
            work.await
        }
    };
    done.ok()
}

fn tell_late(what: &str, meanwhile: &str) {
    warn!(
        seconds = LOOK_MAX.as_secs(),
        "reading {what} has not ended; until it does, what was replaced there {meanwhile}: see \
         whether the file system answers"
    );
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::{
        cell::Cell,
        future::pending,
        path::PathBuf,
        sync::{Mutex, mpsc},
    };

    use pluvio_runtime::Credential;
    use tokio::sync::oneshot;

    use super::*;
    use crate::config::{self, Resolved};

    /// A folder, the file of a principal's token in it, and what was read from there.
    fn with_a_token(name: &str) -> (PathBuf, PathBuf, Principals, Resolved) {
        let folder = std::env::temp_dir().join(format!("pluvio-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (file, toml) = (folder.join("token"), folder.join("pluvio.toml"));
        std::fs::write(&file, "0123456789abcdef-old").unwrap();
        std::fs::write(&toml, format!("[principals.a]\ntoken = {{ file = {file:?} }}\n")).unwrap();
        let mut configuration = config::load(&toml).unwrap();
        let resolved = configuration.resolve().unwrap();
        let principals = configuration.principals().clone();
        (folder, file, principals, resolved)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_configuration_that_is_never_read_to_its_end_holds_up_no_token() {
        let (folder, file, principals, resolved) = with_a_token("hung");
        let reload = Reload::new(principals, resolved.access, resolved.access_files, None);
        let access = reload.access().clone();

        let asked = Arc::new(Asked::default());
        let ((hangs, mut is_hanging), (release, released)) =
            (tokio::sync::mpsc::channel(1), mpsc::channel::<()>());
        let released = Arc::new(Mutex::new(released));
        let tell = move || {
            hangs.blocking_send(()).unwrap();
            let _released = released.lock().unwrap().recv();
        };
        let looking = tokio::spawn({
            let asked = Arc::clone(&asked);
            async move { look(reload.secrets, tell, &asked).await }
        });
        asked.ask();
        is_hanging.recv().await.unwrap();
        for token in ["0123456789abcdef-new", "0123456789abcdef-newer"] {
            std::fs::write(&file, token).unwrap();
            asked.ask();
            while access.table().authenticate(Credential::Bearer(token)).is_err() {
                tokio::task::yield_now().await;
            }
        }
        // What was asked meanwhile is done once the first look has ended.
        release.send(()).unwrap();
        is_hanging.recv().await.unwrap();
        drop(release);
        looking.abort();
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_token_that_could_not_be_read_is_read_again_though_its_file_stays_as_it_is() {
        let (folder, file, principals, resolved) = with_a_token("again");
        std::fs::write(&file, "0123456789abcdef-new").unwrap();
        // As if it had been seen while no file could be opened.
        let files = ChangedFiles::new(vec![file]);
        let reload = Reload::new(principals, resolved.access, files, None);
        let access = reload.access().clone();
        access.set_stale(vec!["a".to_owned()]);
        let looking = tokio::spawn(async move { reload.secrets.look(&Notify::new()).await });
        while !access.stale().is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(access.table().authenticate(Credential::Bearer("0123456789abcdef-new")).is_ok());
        assert!(access.table().authenticate(Credential::Bearer("0123456789abcdef-old")).is_err());
        looking.abort();
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_does_not_come_back_is_told_once_and_still_waited_for() {
        let told = Cell::new(0);
        let at_once = tokio::spawn(async { 1 });
        assert_eq!(patiently(at_once, || told.set(told.get() + 1)).await, Some(1));
        assert_eq!(told.get(), 0);
        let (ends, ended) = oneshot::channel();
        let slow = tokio::spawn(async { ended.await.unwrap() });
        let waiting = patiently(slow, || told.set(told.get() + 1));
        tokio::pin!(waiting);
        assert!(timeout(LOOK_MAX * 100, &mut waiting).await.is_err());
        ends.send(2).unwrap();
        assert_eq!(waiting.await, Some(2));
        assert_eq!(told.get(), 1);
        let never = patiently(tokio::spawn(pending::<()>()), || {});
        assert!(timeout(LOOK_MAX * 100, never).await.is_err());
    }
}
