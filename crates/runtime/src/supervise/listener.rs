//! Keeps one listener serving until drained.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::{Backoff, panic_text};
use crate::{
    Chain, Listener, Response,
    status::{ErrorReport, Reporter, State},
};

pub(super) async fn run<L: Listener>(
    name: String,
    reporter: Reporter,
    mut listener: L,
    drain: CancellationToken,
) {
    let mut backoff = Backoff::default();
    while !drain.is_cancelled() {
        reporter.state(State::Running);
        let served = AssertUnwindSafe(listener.serve(drain.clone())).catch_unwind().await;
        let message = match served {
            Ok(Ok(())) => break,
            Ok(Err(error)) => Chain(&error).to_string(),
            Err(panic) => format!("the listener panicked: {}", panic_text(&*panic)),
        };
        error!(listener = name, error = message, "listener failed");
        reporter.update(|status| {
            status.state = State::Connecting;
            status.error = Some(ErrorReport::new(&message, None));
            status.reconnects += 1;
        });
        let wait = backoff.next(Response::Retry, rand::random());
        let _drained = drain.run_until_cancelled(tokio::time::sleep(wait)).await;
    }
    reporter.state(State::Stopped);
}
