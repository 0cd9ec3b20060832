//! What a section of a configuration makes: the contract between the binary and each protocol of this room.
//!
//! A protocol's `Config` is its section, read by serde; the implementation of [`ListenerConfig`] for it, in the
//! folder's `mod.rs`, says what it is called and makes the listener in two steps, so that everything that is
//! wrong with a configuration is told before the first port is taken. The binary lists the types and asks
//! nothing else of them.

use std::{error::Error, net::SocketAddr};

use pluvio_runtime::Listener;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::Context;

/// The section of a listener.
pub trait ListenerConfig: DeserializeOwned + JsonSchema {
    /// The `type` in a configuration, and the section's name where it has no `type`.
    const TYPE: &'static str;
    /// One line for `--help` and the default configuration.
    const SUMMARY: &'static str;
    /// A listener in which nothing is wrong, before it has its port.
    type Unbound: 'static;
    /// What it makes.
    type Listener: Listener;
    /// What can be wrong with it, its port included.
    type Error: Error + 'static;

    /// How a URL of it begins, without `://`.
    fn scheme(&self) -> &'static str;

    /// The address to be bound.
    fn listen(&self) -> SocketAddr;

    /// Most connections that it will admit at a time.
    fn connections_max(&self) -> usize;

    /// Checks everything and reads the certificate; takes no port. `is_closed`: everybody must say who
    /// they are.
    fn resolve(self, is_closed: bool) -> Result<Self::Unbound, Self::Error>;

    /// Binds the port.
    fn bind(unbound: Self::Unbound, context: Context) -> Result<Self::Listener, Self::Error>;

    /// Both steps at once.
    fn build(self, context: Context) -> Result<Self::Listener, Self::Error> {
        Self::bind(self.resolve(context.access.demands_authentication())?, context)
    }

    /// Where it listens: with port 0 in the configuration, the port that the system chose.
    fn local_addr(listener: &Self::Listener) -> SocketAddr;

    /// The key that is to be changed.
    fn key(error: &Self::Error) -> &'static str;
}
