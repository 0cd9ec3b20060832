//! Draining ends everything in order and in time.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use pluvio_runtime::{Listener, supervise::Supervisor};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::scripted::{Line, Stage};

/// Tells when it was drained; may refuse to end.
struct Listening {
    drained: Arc<Mutex<Option<Instant>>>,
    is_stubborn: bool,
    panics: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl Listener for Listening {
    type Error = Never;

    async fn serve(&mut self, drain: CancellationToken) -> Result<(), Never> {
        if self.panics > 0 {
            self.panics -= 1;
            std::panic::panic_any("as wished");
        }
        drain.cancelled().await;
        *self.drained.lock().unwrap() = Some(Instant::now());
        if self.is_stubborn {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn sources_close_before_listeners_are_told() {
    let stage = Stage::play(&[Line::Connect, Line::Pull(&["a"])]).await;
    stage.stored(1).await;
    let drained = Arc::default();
    let listening = Listening { drained: Arc::clone(&drained), is_stubborn: false, panics: 0 };
    stage.supervisor.listener("http", "test", listening);
    let played = Arc::clone(&stage.script.played);
    assert!(stage.supervisor.drain().await);
    assert_eq!(played.lock().unwrap().closes, 1);
    assert!(drained.lock().unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_end_is_cut_off_after_5_seconds() {
    let stage = Stage::play(&[]).await;
    let listening = Listening { drained: Arc::default(), is_stubborn: true, panics: 0 };
    stage.supervisor.listener("http", "test", listening);
    let begun = Instant::now();
    assert!(!stage.supervisor.drain().await);
    assert!(begun.elapsed() <= Supervisor::DRAIN_MAX + Duration::from_millis(1));
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_panics_serves_again() {
    let stage = Stage::play(&[]).await;
    let drained = Arc::default();
    let listening = Listening { drained: Arc::clone(&drained), is_stubborn: false, panics: 1 };
    stage.supervisor.listener("http", "test", listening);
    let find = |status: &pluvio_runtime::status::StatusBoard| {
        status.components().into_iter().find(|c| c.name == "http").unwrap()
    };
    while find(&stage.status).reconnects == 0 {
        tokio::time::advance(Duration::from_millis(50)).await;
    }
    let error = find(&stage.status).error.unwrap();
    assert_eq!(error.message, "the listener panicked: as wished");
    while find(&stage.status).state != pluvio_runtime::status::State::Running {
        tokio::time::advance(Duration::from_millis(50)).await;
    }
    assert!(stage.supervisor.drain().await);
    assert!(drained.lock().unwrap().is_some(), "the second life heard the drain");
}
