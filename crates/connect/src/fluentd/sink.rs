//! Sends batches in chunks, and waits for what is said to each.

use std::{collections::VecDeque, sync::Arc};

use pluvio_log::Offset;
use pluvio_runtime::{Answers, Connected, Delivered, Outcome, Sink, Standing, Writer};

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
}

impl Sink for Fluentd {
    type Writer = FluentdWriter;
    type Error = Error;

    async fn connect(&mut self, standing: Standing) -> Result<Connected<FluentdWriter>, Error> {
        let connection = Connection::open(&self.0).await?;
        let settings = Arc::clone(&self.0);
        let writer = FluentdWriter { settings, connection, standing };
        Ok(Connected { writer, cursor: None })
    }

    async fn probe(&mut self) -> Result<String, Error> {
        Connection::open(&self.0).await?.close().await;
        let Settings { host, port, security, tls, .. } = &*self.0;
        let peer = format!("{host}:{port}");
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

    async fn write(&mut self, batch: &[Delivered], answers: &Answers) -> Outcome<Error> {
        let (stream, sink) = (self.standing.stream.to_string(), self.standing.sink.to_string());
        let log_id = self.standing.log_id;
        let shape = Shape { settings: &self.settings, stream: &stream, sink: &sink, log_id };
        let (chunks, rejected) = shape.chunks(batch);
        for rejected in rejected {
            answers.rejected(rejected.offset, rejected.reason);
        }
        let mut sent_to = None;
        match (self.send(&chunks, answers, &mut sent_to).await, sent_to) {
            (Ok(()), _) => Outcome::Answered,
            // A chunk may have ended it.
            (Err(error @ (Error::Broken { .. } | Error::Closed { .. })), Some(sent_to)) => {
                Outcome::Broken { error, sent_to }
            }
            (Err(error), _) => Outcome::NotConnected(error),
        }
    }

    async fn close(self) {
        self.connection.close().await;
    }
}

impl FluentdWriter {
    /// Sends chunks, some ahead of their acknowledgements. `sent_to`: the last event that was sent.
    async fn send(
        &mut self,
        chunks: &[Chunk],
        answers: &Answers,
        sent_to: &mut Option<Offset>,
    ) -> Result<(), Error> {
        let mut waiting = VecDeque::new();
        for chunk in chunks {
            if waiting.len() >= UNACKNOWLEDGED_CHUNKS_MAX
                && let Some(first) = waiting.pop_front()
            {
                self.acknowledged(first, answers).await?;
            }
            if !answers.may_send() {
                break;
            }
            *sent_to = chunk.offsets.last().copied();
            self.connection.send(&chunk.message).await?;
            waiting.push_back(chunk);
        }
        for chunk in waiting {
            self.acknowledged(chunk, answers).await?;
        }
        Ok(())
    }

    async fn acknowledged(&mut self, chunk: &Chunk, answers: &Answers) -> Result<(), Error> {
        self.connection.acknowledged(&chunk.id).await?;
        for offset in &chunk.offsets {
            answers.taken(*offset);
        }
        Ok(())
    }
}
