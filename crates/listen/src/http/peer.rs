//! The other end of a connection, as each of its requests sees it: where it is, and what it has shown.
//!
//! It refuses to say who that is: each request says so itself, and may say something else.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::HeaderValue;

use crate::{connections::Places, pending::Pending};

/// The other end, as an extension of each request.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// Shared by the requests of one connection.
    pub(super) login: Arc<Login>,
    /// How the connection stands.
    pub(super) pending: Arc<Pending>,
    /// Told whose it is.
    pub(super) places: Arc<Places>,
}

/// The credential that was right on this connection last.
#[derive(Debug, Default)]
pub(super) struct Login(Mutex<Option<HeaderValue>>);

impl Login {
    pub(super) fn was_right(&self, value: &HeaderValue) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(value)
    }

    pub(super) fn note(&self, right: Option<&HeaderValue>) {
        let right = right.cloned().map(|mut value| {
            value.set_sensitive(true);
            value
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = right;
    }
}
