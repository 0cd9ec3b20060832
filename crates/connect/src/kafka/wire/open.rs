//! A connection on which we are known: dialed, and logged in where that is needed.
//!
//! It refuses to log in again: a connection whose login ends is given up before.

use std::time::Instant;

use super::{Connection, Setup, sasl};
use crate::kafka::Error;

impl Connection {
    /// Connects and logs in.
    pub(in super::super) async fn open(
        setup: &Setup,
        host: &str,
        port: u16,
    ) -> Result<Self, Error> {
        let mut connection = Self::dial(setup, host, port).await?;
        if let Some(credentials) = &setup.credentials {
            let lifetime = sasl::log_in(&mut connection, credentials).await?;
            // Most of it: a question on its way when it ends would be lost.
            connection.good_until = lifetime.map(|lifetime| Instant::now() + lifetime * 4 / 5);
        }
        Ok(connection)
    }
}
