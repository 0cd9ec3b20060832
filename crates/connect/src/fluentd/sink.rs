//! Sends batches in chunks, and waits for what is said to each.

use std::sync::Arc;

use pluvio_log::Offset;
use pluvio_runtime::{Connected, Delivered, Outcome, Sink, Standing, Writer};

use super::{
    config::Settings,
    connection::Connection,
    entries::{Chunk, Shape},
    error::Error,
};

/// So many chunks may be ahead of their acknowledgements, which have some fifty bytes each: as many
/// fit into any socket, so that neither side waits for the other to read.
const UNACKNOWLEDGED_CHUNKS_MAX: usize = 32;

/// Fluentd as a sink.
#[derive(Clone, Debug)]
pub struct Fluentd(pub(super) Arc<Settings>);

/// A connection to it.
pub struct FluentdWriter {
    settings: Arc<Settings>,
    connection: Connection,
    standing: Standing,
    /// What broke the connection behind chunks that were acknowledged.
    failure: Option<Error>,
}

impl Sink for Fluentd {
    type Writer = FluentdWriter;
    type Error = Error;

    async fn connect(&mut self, standing: Standing) -> Result<Connected<FluentdWriter>, Error> {
        let connection = Connection::open(&self.0).await?;
        let settings = Arc::clone(&self.0);
        let writer = FluentdWriter { settings, connection, standing, failure: None };
        Ok(Connected { writer, cursor: None })
    }

    async fn probe(&mut self) -> Result<String, Error> {
        let mut connection = Connection::open(&self.0).await?;
        let Settings { host, port, security, tls, .. } = &*self.0;
        let peer = format!("{host}:{port}");
        if security.is_none() && connection.wants_greeting().await {
            return Err(Error::KeyWanted { peer });
        }
        connection.close().await;
        let how = match (security, tls) {
            (Some(_), Some(_)) => "accepts the shared key, over TLS",
            (Some(_), None) => "accepts the shared key",
            (None, Some(_)) => "takes connections over TLS, and wants no key",
            (None, None) => "takes connections, and wants no key",
        };
        Ok(format!("{peer} {how}"))
    }
}

impl Writer for FluentdWriter {
    type Error = Error;

    async fn write(&mut self, batch: &[Delivered]) -> Outcome<Error> {
        if let Some(error) = self.failure.take() {
            return Outcome::NotConnected(error);
        }
        let (stream, sink) = (self.standing.stream.to_string(), self.standing.sink.to_string());
        let log_id = self.standing.log_id;
        let shape = Shape { settings: &self.settings, stream: &stream, sink: &sink, log_id };
        let (chunks, rejected) = shape.chunks(batch);
        let mut reached = None;
        let sent = self.send(&chunks, &mut reached).await;
        let first_rejected = rejected.first().map(|rejected| rejected.offset);
        let reached = reached.filter(|last| first_rejected.is_none_or(|first| *last < first));
        match (sent, reached, batch.last()) {
            (Ok(()), _, Some(last)) if rejected.is_empty() => Outcome::AckedTo(last.offset()),
            (Ok(()), ..) => Outcome::Rejected(rejected),
            (Err(error), Some(reached), _) => {
                self.failure = Some(error);
                Outcome::AckedTo(reached)
            }
            (Err(error), ..) => Outcome::NotConnected(error),
        }
    }

    async fn close(self) {
        self.connection.close().await;
    }
}

impl FluentdWriter {
    /// Sends all chunks, some ahead of their acknowledgements. `reached`: the last acknowledged event.
    async fn send(&mut self, chunks: &[Chunk], reached: &mut Option<Offset>) -> Result<(), Error> {
        let mut waiting = chunks.iter();
        for (number, chunk) in chunks.iter().enumerate() {
            self.connection.send(&chunk.message).await?;
            if number + 1 >= UNACKNOWLEDGED_CHUNKS_MAX
                && let Some(chunk) = waiting.next()
            {
                self.connection.acknowledged(&chunk.id).await?;
                *reached = Some(chunk.last);
            }
        }
        for chunk in waiting {
            self.connection.acknowledged(&chunk.id).await?;
            *reached = Some(chunk.last);
        }
        Ok(())
    }
}
