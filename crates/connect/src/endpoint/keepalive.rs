//! A connection that stays alive while nobody writes: what sinks have in common whose protocol ends a
//! silent one.
//!
//! The client is asked for a sign of life now and then, unless a batch has it. What goes wrong meanwhile
//! is told by the next write. It refuses to know a protocol: [`KeepAlive`] does.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard},
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

/// A connection that must not be silent.
pub(crate) trait KeepAlive: Send + 'static {
    /// What goes wrong.
    type Error: std::fmt::Debug + Send;

    /// How long it may be silent, with some margin.
    fn silence_max(&self) -> Duration;

    /// Gives a sign of life, and takes the other side's.
    fn keep_alive(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// A client and the task that keeps it alive.
#[derive(Debug)]
pub(crate) struct Kept<C: KeepAlive> {
    line: Arc<Mutex<Line<C>>>,
    keeper: JoinHandle<()>,
}

/// The client, and what was wrong with it while nobody wrote.
#[derive(Debug)]
pub(crate) struct Line<C: KeepAlive> {
    client: C,
    failed: Option<C::Error>,
}

impl<C: KeepAlive> Kept<C> {
    pub(crate) fn new(client: C) -> Self {
        let line = Arc::new(Mutex::new(Line { client, failed: None }));
        let keeper = tokio::spawn(keep(Arc::clone(&line)));
        Self { line, keeper }
    }

    /// The client, for as long as it is held; or what went wrong before.
    pub(crate) async fn client(&self) -> Result<OwnedMappedMutexGuard<Line<C>, C>, C::Error> {
        let mut line = Arc::clone(&self.line).lock_owned().await;
        match line.failed.take() {
            Some(error) => Err(error),
            None => Ok(OwnedMutexGuard::map(line, |line| &mut line.client)),
        }
    }

    /// The client for its goodbye: a sign of life that is under way is given up.
    pub(crate) async fn last_client(&self) -> Result<OwnedMappedMutexGuard<Line<C>, C>, C::Error> {
        self.keeper.abort();
        self.client().await
    }
}

impl<C: KeepAlive> Drop for Kept<C> {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn keep<C: KeepAlive>(line: Arc<Mutex<Line<C>>>) {
    let every = line.lock().await.client.silence_max();
    let mut due = interval(every);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first is at once.
    due.tick().await;
    loop {
        due.tick().await;
        let mut line = line.lock().await;
        if let Err(error) = line.client.keep_alive().await {
            line.failed = Some(error);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    struct Counting {
        beats: Arc<AtomicU32>,
        beats_max: u32,
    }

    impl KeepAlive for Counting {
        type Error = &'static str;

        fn silence_max(&self) -> Duration {
            Duration::from_secs(10)
        }

        async fn keep_alive(&mut self) -> Result<(), &'static str> {
            let beats = self.beats.fetch_add(1, Ordering::Relaxed) + 1;
            if beats > self.beats_max { Err("the other side is gone") } else { Ok(()) }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_gives_signs_of_life_until_it_is_dropped() {
        let beats = Arc::new(AtomicU32::new(0));
        let kept = Kept::new(Counting { beats: Arc::clone(&beats), beats_max: 100 });
        tokio::time::sleep(Duration::from_secs(35)).await;
        assert_eq!(beats.load(Ordering::Relaxed), 3);
        drop(kept);
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(beats.load(Ordering::Relaxed), 3);
    }

    /// A sign of life that never ends.
    struct Hanging;

    impl KeepAlive for Hanging {
        type Error = ();

        fn silence_max(&self) -> Duration {
            Duration::from_secs(10)
        }

        async fn keep_alive(&mut self) -> Result<(), ()> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_goodbye_does_not_wait_for_a_sign_of_life_that_never_ends() {
        let kept = Kept::new(Hanging);
        tokio::time::sleep(Duration::from_secs(15)).await;
        let goodbye = tokio::time::timeout(Duration::from_secs(1), kept.last_client()).await;
        assert!(goodbye.is_ok_and(|client| client.is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_went_wrong_meanwhile_is_told_by_the_next_use() {
        let beats = Arc::default();
        let kept = Kept::new(Counting { beats, beats_max: 0 });
        assert!(kept.client().await.is_ok());
        tokio::time::sleep(Duration::from_secs(15)).await;
        assert_eq!(kept.client().await.err(), Some("the other side is gone"));
    }
}
