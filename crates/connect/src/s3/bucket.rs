//! A bucket as a sink: its settings, what it is called, and what outlives a connection.
//!
//! It refuses to speak to the server; what it puts is known by its names alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{config::Settings, cursor::Putting, keys::Keys};

/// A bucket as a sink.
#[derive(Clone, Debug)]
pub struct S3 {
    pub(super) settings: Arc<Settings>,
    /// What was not answered, for the next connection: the bucket may not have been told of it.
    pub(super) putting: Arc<Mutex<Option<Putting>>>,
}

impl S3 {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), putting: Arc::new(Mutex::new(None)) }
    }

    /// Where it puts objects and keeps its place.
    pub fn identity(&self) -> String {
        format!("{}{}", self.settings.url, self.settings.prefix)
    }

    /// What it puts into the bucket, as the sink of that name with that stream.
    pub fn keys(&self, sink: &str, stream: &str) -> Keys {
        Keys::new(&self.settings, sink, stream)
    }

    /// Which key makes the name of an object longer than S3 takes, and by how much.
    pub fn too_long(&self, sink: &str, stream: &str) -> Option<(&'static str, String)> {
        self.keys(sink, stream).too_long()
    }

    pub(super) fn putting(&self) -> MutexGuard<'_, Option<Putting>> {
        self.putting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
