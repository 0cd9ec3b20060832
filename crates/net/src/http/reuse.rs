//! Whether a request went over a connection that had been used before.
//!
//! reqwest does not say. But a connection that is opened for a request is opened by the request's own
//! task, so a layer around the connector notes it there. A connection that is opened and then not used,
//! because another one became free first, counts as used: the caller then repeats too little, and never
//! too much.

use std::cell::Cell;
use std::task::{Context, Poll};

use tower::{Layer, Service};

tokio::task_local! {
    static HAS_CONNECTED: Cell<bool>;
}

/// Runs a request; gives also whether it was sent over a connection that had been used before.
pub(super) async fn noted<T>(request: impl Future<Output = T>) -> (T, bool) {
    HAS_CONNECTED
        .scope(Cell::new(false), async {
            let sent = request.await;
            (sent, !HAS_CONNECTED.with(Cell::get))
        })
        .await
}

/// Wraps a connector so that each connect is noted.
#[derive(Clone, Copy)]
pub(super) struct NotingConnects;

/// A connector that notes each connect.
#[derive(Clone)]
pub(super) struct Noting<S>(S);

impl<S> Layer<S> for NotingConnects {
    type Service = Noting<S>;

    fn layer(&self, inner: S) -> Noting<S> {
        Noting(inner)
    }
}

impl<S: Service<R>, R> Service<R> for Noting<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        // Elsewhere it is a connection that nobody waits for any more.
        let _elsewhere = HAS_CONNECTED.try_with(|has_connected| has_connected.set(true));
        self.0.call(request)
    }
}
