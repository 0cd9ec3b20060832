//! Over what kind of connection a request went.
//!
//! reqwest does not say. But a connection that is opened for a request is opened by the request's own
//! task, so a layer around the connector notes it there. A connection that is opened and then not used,
//! because another one became free first, counts as used: the caller then repeats too little, and never
//! too much.

use std::cell::Cell;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::Inspect;
use tower::{Layer, Service};

/// The connection of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// It had been used before.
    Reused,
    /// It was being opened when the request ended.
    Opening,
    /// It was opened for this request.
    Opened,
}

tokio::task_local! {
    static CONNECTION: Cell<Connection>;
}

/// Runs a request; gives what `then` makes of its outcome and of its connection.
pub(super) async fn noted<T, U>(
    request: impl Future<Output = T>,
    then: impl FnOnce(T, Connection) -> U,
) -> U {
    let noting = async {
        let sent = request.await;
        (sent, CONNECTION.with(Cell::get))
    };
    let (sent, connection) = CONNECTION.scope(Cell::new(Connection::Reused), noting).await;
    then(sent, connection)
}

fn note(connection: Connection) {
    // Elsewhere it is a connection that nobody waits for any more.
    let _elsewhere = CONNECTION.try_with(|cell| cell.set(connection));
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
    type Future = Inspect<S::Future, fn(&Result<S::Response, S::Error>)>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        note(Connection::Opening);
        self.0.call(request).inspect(|opened| {
            if opened.is_ok() {
                note(Connection::Opened);
            }
        })
    }
}
